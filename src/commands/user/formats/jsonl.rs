//! JSON Lines: one object a line, empty lines between them for nothing.

use std::io::{self, BufRead, BufReader};

use super::super::source::{MAX_ENTRY, Source, too_long};
use super::{MARK, Take};
use crate::error::FieldError;
use crate::imports::parse_json;

pub(super) fn read(source: &mut Source, done: u64, take: &mut Take<'_>) -> anyhow::Result<()> {
    let mut reader = BufReader::with_capacity(64 * 1024, source);
    let mut line = Vec::new();
    let mut number = 0;
    while let Some(fits) = read_line(&mut reader, &mut line)? {
        number += 1;
        let text = line.strip_prefix(MARK).filter(|_| number == 1).unwrap_or(&line);
        if number <= done || text.trim_ascii().is_empty() {
            continue;
        }
        let entry = if fits { parse_json(text) } else { Err(FieldError::new("line", too_long())) };
        if !take(number, entry) {
            break;
        }
    }
    Ok(())
}

/// Reads the next line without its end; of one that is too long only the beginning, and `false`. `None` at the end.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut fits, mut any) = (true, false);
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            return Ok(any.then_some(fits));
        }
        any = true;
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = &piece[..end.unwrap_or(piece.len())];
        fits &= line.len() + part.len() <= MAX_ENTRY;
        if fits {
            line.extend_from_slice(part);
        }
        let used = end.map_or(piece.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(fits));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &[u8], done: u64) -> Vec<(u64, Result<String, String>)> {
        let mut found = Vec::new();
        let mut source = Source::new(io::Cursor::new(text.to_vec()));
        read(&mut source, done, &mut |number, entry| {
            let entry = entry.map(|entry| entry.email.unwrap_or_default());
            found.push((number, entry.map_err(|problem| format!("{}: {}", problem.field, problem.message))));
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn lines_are_read_one_by_one_and_bad_ones_are_passed() {
        let text =
            b"\xef\xbb\xbf{\"email\":\"a\"}\r\n\n  \n{\"email\":\n{\"email\":\"\xff\"}\n{\"email\":\"b\"}";
        let found = entries(text, 0);
        let bad = |problem: &str| Err(problem.to_owned());
        assert_eq!(
            found,
            [
                (1, Ok("a".to_owned())),
                (4, bad("email: ends before its object does")),
                (5, bad("email: is not JSON")),
                (6, Ok("b".to_owned())),
            ]
        );
        assert_eq!(entries(text, 5), [(6, Ok("b".to_owned()))]);
        assert!(entries(b"", 0).is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let long = format!("{{\"email\":\"{}\"}}\n{{\"email\":\"b\"}}\n", "x".repeat(2 * MAX_ENTRY));
        let found = entries(long.as_bytes(), 0);
        assert!(found[0].1.as_ref().unwrap_err().contains("has more than 262144 bytes"), "{found:?}");
        assert_eq!(found[1], (2, Ok("b".to_owned())));
    }
}
