//! SQL text, looked at just closely enough to change it without touching quotes or comments.

/// A stretch of SQL text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Piece<'a> {
    Code(&'a str),
    /// A literal or a quoted name, with its quotes.
    Quoted(&'a str),
    /// A comment, with its marks.
    Comment(&'a str),
}

/// Which text it is. Statement texts live as long as the program, so where one lies tells it from
/// all others, and a look-up does not have to read it.
pub(super) type TextKey = (usize, usize);

pub(super) fn key(sql: &'static str) -> TextKey {
    (sql.as_ptr() as usize, sql.len())
}

/// The pieces of `sql`, in order; together they are all of it.
pub(super) fn pieces(sql: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = sql;
    while !rest.is_empty() {
        let start = next_mark(rest);
        if start > 0 {
            pieces.push(Piece::Code(&rest[..start]));
            rest = &rest[start..];
            continue;
        }
        let (piece, length) = marked(rest);
        pieces.push(piece);
        rest = &rest[length..];
    }
    pieces
}

/// Where the next quote or comment begins.
fn next_mark(text: &str) -> usize {
    ["'", "\"", "--", "/*"].iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len())
}

/// The quote or comment that `text` begins with, and its length.
fn marked(text: &str) -> (Piece<'_>, usize) {
    let to = |start: usize, mark: &str| {
        text[start..].find(mark).map_or(text.len(), |found| start + found + mark.len())
    };
    let (comment, length) = match text.as_bytes()[0] {
        b'-' => (true, to(2, "\n")),
        b'/' => (true, to(2, "*/")),
        b'"' => (false, to(1, "\"")),
        _ => (false, to(1, "'")),
    };
    let piece = &text[..length];
    (if comment { Piece::Comment(piece) } else { Piece::Quoted(piece) }, length)
}

/// Writes `$1` as `?1`. SQLite takes `$1` for a name and numbers names by their first appearance.
pub(super) fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    for piece in pieces(sql) {
        match piece {
            Piece::Code(code) => {
                let mut rest = code.chars().peekable();
                while let Some(letter) = rest.next() {
                    let placeholder = letter == '$' && rest.peek().is_some_and(char::is_ascii_digit);
                    text.push(if placeholder { '?' } else { letter });
                }
            }
            Piece::Quoted(other) | Piece::Comment(other) => text.push_str(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_outside_of_quotes_and_comments_only() {
        assert_eq!(
            numbered("select $1, '$2 it''s $3', \"$4\" -- $5\n, $12 /* $6 */ from a$b"),
            "select ?1, '$2 it''s $3', \"$4\" -- $5\n, ?12 /* $6 */ from a$b"
        );
    }

    #[test]
    fn an_open_quote_or_comment_ends_with_the_text() {
        for text in ["select 'open $1", "select /* open $1", "select \"open $1", "select -- $1"] {
            assert_eq!(numbered(text), text);
        }
    }

    #[test]
    fn pieces_are_the_whole_text() {
        let sql = "create table a (b bigint /*x*/) -- end\n; select 'é' from \"ü\"";
        let joined: String = pieces(sql)
            .into_iter()
            .map(|piece| match piece {
                Piece::Code(text) | Piece::Quoted(text) | Piece::Comment(text) => text,
            })
            .collect();
        assert_eq!(joined, sql);
    }
}
