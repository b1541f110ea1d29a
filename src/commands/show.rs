//! How an operator's commands show things: tables for people, JSON for programs.

use std::io::Write;

use clap::Args;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::clock::Timestamp;

/// How wide prose is, in columns.
const PROSE_WIDTH: u16 = 110;

/// How the outcome is written.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Shape {
    /// Write JSON, with the operator API's field names: an object, or an array for a list
    #[arg(long, global = true)]
    pub json: bool,
}

/// One thing, as JSON.
pub(super) fn object(out: &mut dyn Write, thing: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, thing)?;
    writeln!(out)?;
    Ok(())
}

/// A JSON array that is written as it comes, an item a line.
pub(super) struct Array<'a> {
    out: &'a mut dyn Write,
    empty: bool,
}

impl<'a> Array<'a> {
    pub fn begin(out: &'a mut dyn Write) -> anyhow::Result<Self> {
        write!(out, "[")?;
        Ok(Self { out, empty: true })
    }

    pub fn push(&mut self, thing: &impl Serialize) -> anyhow::Result<()> {
        write!(self.out, "{}", if self.empty { "\n" } else { ",\n" })?;
        self.empty = false;
        serde_json::to_writer(&mut *self.out, thing)?;
        Ok(())
    }

    pub fn end(self) -> anyhow::Result<()> {
        writeln!(self.out, "{}", if self.empty { "]" } else { "\n]" })?;
        Ok(())
    }
}

/// A list, as JSON.
pub(super) fn array<T: Serialize>(
    out: &mut dyn Write,
    things: impl IntoIterator<Item = T>,
) -> anyhow::Result<()> {
    let mut array = Array::begin(out)?;
    for thing in things {
        array.push(&thing)?;
    }
    array.end()
}

/// A table, each row on one line however long: a key that is broken over two could not be copied.
pub(super) fn table<const N: usize>(
    out: &mut dyn Write,
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head).add_rows(rows);
    if table.is_empty() {
        writeln!(out, "There are none.")?;
        return Ok(());
    }
    write_lines(out, table)
}

/// Words on the left, prose beside them on the right, folded between words.
pub(super) fn prose(out: &mut dyn Write, rows: impl IntoIterator<Item = [String; 2]>) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(PROSE_WIDTH).add_rows(rows);
    write_lines(out, table)
}

fn write_lines(out: &mut dyn Write, mut table: Table) -> anyhow::Result<()> {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// An instant that may not be there, in a table.
pub(super) fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_row_is_one_line_however_long_and_has_no_colours() {
        let long = "k".repeat(300);
        let rows = [["a".to_owned(), long.clone()], ["bb".to_owned(), "-".to_owned()]];
        let text = written(|out| table(out, ["ID", "KEY"], rows));
        assert_eq!(text, format!("ID  KEY\na   {long}\nbb  -\n"));
        assert_eq!(written(|out| table(out, ["ID"], [])), "There are none.\n");
    }

    #[test]
    fn an_array_is_json_whether_or_not_it_holds_anything() {
        for items in [vec![], vec![1], vec![1, 2, 3]] {
            let text = written(|out| array(out, &items));
            assert_eq!(serde_json::from_str::<Vec<i32>>(&text).unwrap(), items, "{text}");
        }
    }
}
