//! The files that an import reads, format by format.

mod csv;
mod jsonl;
mod keycloak;

use std::io::Read;
use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;

use super::source::Source;
use crate::error::FieldError;
use crate::imports::Entry;

/// A byte order mark, which some programs put before UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// JSON Lines: one object a line
    Jsonl,
    /// Comma-separated values with a header
    Csv,
    /// A realm or its users as Keycloak exports them
    Keycloak,
}

impl Format {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Keycloak => "keycloak",
        }
    }

    /// By the file's ending, or by how it begins.
    pub(super) fn guess(path: &Path, beginning: &[u8]) -> Self {
        let ending = path.extension().map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_ref().and_then(|ending| ending.to_str()) {
            Some("jsonl" | "ndjson") => return Self::Jsonl,
            Some("csv") => return Self::Csv,
            _ => (),
        }
        let text = beginning.strip_prefix(MARK).unwrap_or(beginning).trim_ascii_start();
        if text.first() != Some(&b'{') {
            return Self::Csv;
        }
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // One user on a line is a whole object, and none of Keycloak's realms is.
        match serde_json::from_slice::<serde_json::Value>(line) {
            Ok(object) if object.get("users").is_none() => Self::Jsonl,
            _ => Self::Keycloak,
        }
    }

    /// Reads all entries and hands each on with its number, but for those up to `done`. `take` answers whether it
    /// wants more.
    pub(super) fn read(self, source: &mut Source, done: u64, take: &mut Take<'_>) -> anyhow::Result<()> {
        match self {
            Self::Jsonl => jsonl::read(source, done, take),
            Self::Csv => csv::read(source, done, take),
            Self::Keycloak => keycloak::read(source, done, take),
        }
    }
}

/// Takes one entry, or what is wrong with it, and says whether it wants more.
pub(super) type Take<'a> = dyn FnMut(u64, Result<Entry, FieldError>) -> bool + 'a;

/// The first bytes of a file, and all of it again.
pub(super) fn peek(mut inner: impl Read + Send + 'static) -> anyhow::Result<(Vec<u8>, Source)> {
    let mut beginning = Vec::new();
    inner.by_ref().take(64 * 1024).read_to_end(&mut beginning)?;
    if beginning.is_empty() {
        bail!("there is nothing in it");
    }
    let source = Source::new(std::io::Cursor::new(beginning.clone()).chain(inner));
    Ok((beginning, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_guessed_by_the_ending_or_the_beginning() {
        let json = br#"{"email":"a@x.test"}"#;
        for (name, text, format) in [
            ("a.jsonl", &b"x"[..], Format::Jsonl),
            ("a.NDJSON", b"x", Format::Jsonl),
            ("a.csv", json, Format::Csv),
            ("a", json, Format::Jsonl),
            ("a.json", b"\xef\xbb\xbf{\"email\":\"a@x.test\"}\n{", Format::Jsonl),
            ("a.json", b"{\n  \"realm\" : \"x\"", Format::Keycloak),
            ("a.json", br#"{"realm":"x","users":[]}"#, Format::Keycloak),
            ("-", b"email,username\n", Format::Csv),
        ] {
            assert_eq!(Format::guess(Path::new(name), text), format, "{name}");
        }
    }
}
