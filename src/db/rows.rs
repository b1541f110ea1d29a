//! Statements that write many rows at once: where there are thousands, each costs as much as its row does.

use std::fmt::Write;

/// So many rows stand in a text made by [`many_rows`] for whoever has many.
pub const ROWS_AT_ONCE: usize = 20;

/// `head values ($1, $2, $3), ($1, $4, $5) tail`, for so many rows of so many columns, the first of which, `$1`, is
/// the same in all of them.
#[must_use]
pub fn many_rows(head: &str, columns: usize, rows: usize, tail: &str) -> String {
    let mut text = format!("{head} values ");
    let mut next = 2;
    for row in 0..rows {
        text.push_str(if row == 0 { "($1" } else { ", ($1" });
        for _ in 1..columns {
            // Writing to a String cannot fail.
            let _ = write!(text, ", ${next}");
            next += 1;
        }
        text.push(')');
    }
    text.push(' ');
    text.push_str(tail);
    text
}

/// The items in chunks of [`ROWS_AT_ONCE`], and what is left over one by one: two texts are enough for any number.
pub fn in_chunks<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    let whole = items.chunks_exact(ROWS_AT_ONCE);
    let rest = whole.remainder().chunks(1);
    whole.chain(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_on_and_share_the_first_column() {
        assert_eq!(
            many_rows("insert into a (t, b, c)", 3, 2, "returning b"),
            "insert into a (t, b, c) values ($1, $2, $3), ($1, $4, $5) returning b"
        );
    }

    #[test]
    fn every_item_is_in_one_chunk_of_one_of_two_sizes() {
        for number in [0, 1, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 3] {
            let items: Vec<_> = (0..number).collect();
            let chunks: Vec<_> = in_chunks(&items).collect();
            assert_eq!(chunks.concat(), items);
            assert!(chunks.iter().all(|chunk| [1, ROWS_AT_ONCE].contains(&chunk.len())));
        }
    }
}
