//! A file of breached passwords, searched on disk: Have I Been Pwned's download, lines `SHA1:count` sorted by
//! hash. It is never loaded; what cannot be read is an error, never "not breached".

use std::cmp::Ordering;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::error::FieldError;
use crate::passwords::normalise;

/// The longest line, in bytes with its end: a hash, a colon, a count of up to 20 digits, CR and LF.
const MAX_LINE: usize = 64;

/// What is read at once at last, in bytes.
const BLOCK: usize = 4096;

/// How many places [`BreachedPasswords::prove`] looks at.
const PROBES: u64 = 64;

type Hash = [u8; 20];

/// The file of breached passwords. It is opened for each search, so that a newer one can be moved into its
/// place.
#[derive(Clone, Debug)]
pub struct BreachedPasswords(PathBuf);

impl BreachedPasswords {
    #[must_use]
    pub const fn in_file(path: PathBuf) -> Self {
        Self(path)
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is wrong with a password, if it has been in a breach. Blocks: some thirty short reads.
    ///
    /// # Errors
    /// The file cannot be read, or is not lines of SHA-1 hashes sorted by hash.
    pub fn check(&self, field: &str, password: &SecretString) -> Result<Option<FieldError>> {
        let problem = "is in a list of passwords that were stolen elsewhere; choose another";
        Ok(self.holds(password)?.then(|| FieldError::new(field, problem)))
    }

    fn holds(&self, password: &SecretString) -> Result<bool> {
        let normal = normalise(password.expose_secret());
        let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, normal.expose_secret().as_bytes());
        let hash = Hash::try_from(digest.as_ref()).expect("SHA-1 has 20 bytes");
        let (file, length) = self.open()?;
        Ok(search(length, &mut |buffer, at| file.read_at(buffer, at), &hash)?.is_some())
    }

    /// Proves at a few places that the file is what it should be.
    ///
    /// # Errors
    /// As [`BreachedPasswords::check`].
    pub fn prove(&self) -> Result<()> {
        let (file, length) = self.open()?;
        let mut lines = Lines { read: &mut |buffer, at| file.read_at(buffer, at) };
        let mut last = lines.first()?;
        for probe in 1..PROBES {
            let Some(line) = lines.after(length / PROBES * probe)? else { break };
            if last.hash > line.hash {
                return Err(not_sorted(line.start));
            }
            last = line;
        }
        Ok(())
    }

    fn open(&self) -> Result<(File, u64)> {
        let file = File::open(&self.0)?;
        let facts = file.metadata()?;
        if !facts.is_file() || facts.len() == 0 {
            return Err(Error::new(ErrorKind::InvalidData, "is empty or no file"));
        }
        Ok((file, facts.len()))
    }
}

/// Where the hash's line starts, by halving: each step is one short read, and the last one reads a block.
fn search(
    length: u64,
    read: &mut dyn FnMut(&mut [u8], u64) -> Result<usize>,
    hash: &Hash,
) -> Result<Option<u64>> {
    let mut lines = Lines { read };
    // The line starts in from..to or nowhere; from is a line's start. All hashes between lie between these.
    let (mut from, mut to) = (0, length);
    let (mut least, mut most) = ([0x00; 20], [0xFF; 20]);
    while to - from > BLOCK as u64 {
        let middle = from.midpoint(to);
        let line = lines.after(middle)?.ok_or_else(|| no_line(middle))?;
        if line.hash < least || line.hash > most {
            return Err(not_sorted(line.start));
        }
        match line.hash.cmp(hash) {
            Ordering::Equal => return Ok(Some(line.start)),
            Ordering::Less => (from, least) = (line.end, line.hash),
            // It is the first that starts after the middle: what is sought starts there or before.
            Ordering::Greater => (to, most) = (middle + 1, line.hash),
        }
    }
    let block = lines.bytes(from, BLOCK + MAX_LINE)?;
    let mut rest = block.as_slice();
    while from < to {
        let line = parse(rest, from)?;
        if line.hash < least {
            return Err(not_sorted(from));
        }
        if line.hash == *hash {
            return Ok(Some(from));
        }
        rest = rest.get(line.length()..).unwrap_or_default();
        (from, least) = (line.end, line.hash);
    }
    Ok(None)
}

/// A line that was read.
struct Line {
    start: u64,
    hash: Hash,
    /// Where the next one starts.
    end: u64,
}

impl Line {
    fn length(&self) -> usize {
        usize::try_from(self.end - self.start).unwrap_or(usize::MAX)
    }
}

/// A file by its lines, wherever one asks.
struct Lines<'a> {
    read: &'a mut dyn FnMut(&mut [u8], u64) -> Result<usize>,
}

impl Lines<'_> {
    fn first(&mut self) -> Result<Line> {
        parse(&self.bytes(0, MAX_LINE)?, 0)
    }

    /// The first line that starts after `at`; `None` when none does.
    fn after(&mut self, at: u64) -> Result<Option<Line>> {
        let bytes = self.bytes(at, 2 * MAX_LINE)?;
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return if bytes.len() < 2 * MAX_LINE { Ok(None) } else { Err(no_line(at)) };
        };
        let (rest, start) = (&bytes[end + 1..], at + 1 + end as u64);
        if rest.is_empty() { Ok(None) } else { parse(rest, start).map(Some) }
    }

    /// So many bytes, or fewer at the file's end.
    fn bytes(&mut self, at: u64, number: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; number];
        let mut filled = 0;
        while filled < number {
            match (self.read)(&mut bytes[filled..], at + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }
}

/// Reads the line that begins these bytes, which stand at `start`: `HASH`, or `HASH:count`, ended by LF, CRLF
/// or the file's end.
fn parse(bytes: &[u8], start: u64) -> Result<Line> {
    let length = bytes.iter().position(|byte| *byte == b'\n');
    let line = &bytes[..length.unwrap_or(bytes.len())];
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    let (hash, count) = text.split_at_checked(40).ok_or_else(|| no_line(start))?;
    let mut parsed = [0; 20];
    hex::decode_to_slice(hash, &mut parsed).map_err(|_| no_line(start))?;
    let is_count = |count: &[u8]| !count.is_empty() && count.iter().all(u8::is_ascii_digit);
    if !count.is_empty() && !count.strip_prefix(b":").is_some_and(is_count) {
        return Err(no_line(start));
    }
    let whole = length.map_or(line.len(), |length| length + 1);
    Ok(Line { start, hash: parsed, end: start + whole as u64 })
}

fn no_line(at: u64) -> Error {
    let problem = format!("has no line `SHA1:count` of 40 hexadecimal digits at byte {at}");
    Error::new(ErrorKind::InvalidData, problem)
}

fn not_sorted(at: u64) -> Error {
    Error::new(ErrorKind::InvalidData, format!("is not sorted by hash at byte {at}"))
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// A file of `number` lines whose n-th hash begins with n·step, and is full of zeros after it.
    fn hash(n: u64) -> Hash {
        let mut hash = [0; 20];
        hash[..8].copy_from_slice(&(n * 1_000).to_be_bytes());
        hash
    }

    fn contents(number: u64, end: &str, counts: bool) -> String {
        let mut text = String::new();
        for n in 0..number {
            let count = if counts { format!(":{}", n % 13 * n + 1) } else { String::new() };
            write!(text, "{}{count}{end}", hex::encode_upper(hash(n))).unwrap();
        }
        text
    }

    fn found(text: &str, hash: &Hash) -> Result<Option<u64>> {
        let bytes = text.as_bytes();
        let mut read = |buffer: &mut [u8], at: u64| {
            let rest = bytes.get(usize::try_from(at).unwrap()..).unwrap_or_default();
            // In small pieces: a file may give less than one asks for.
            let length = rest.len().min(buffer.len()).min(50);
            buffer[..length].copy_from_slice(&rest[..length]);
            Ok(length)
        };
        search(bytes.len() as u64, &mut read, hash)
    }

    #[test]
    fn R033_every_line_is_found_and_nothing_between_them() {
        for (end, counts) in [("\n", true), ("\r\n", true), ("\n", false), ("\r\n", false)] {
            for number in [1, 2, 95, 96, 97, 1_000] {
                let text = contents(number, end, counts);
                for text in [text.as_str(), text.trim_end()] {
                    for n in 0..number {
                        assert!(found(text, &hash(n)).unwrap().is_some(), "{n} of {number}, {end:?}");
                        let (mut above, mut below) = (hash(n), hash(n));
                        above[19] = 1;
                        below[7] = below[7].wrapping_sub(1);
                        assert_eq!(found(text, &above).unwrap(), None);
                        if n > 0 {
                            assert_eq!(found(text, &below).unwrap(), None);
                        }
                    }
                    assert_eq!(found(text, &[0xFF; 20]).unwrap(), None);
                }
            }
        }
    }

    #[test]
    fn R033_a_file_of_forty_gigabytes_costs_some_thirty_short_reads() {
        // Never written down: what is read of it is made at that moment.
        const WIDTH: u64 = 46;
        const NUMBER: u64 = 900_000_000;
        for n in [0, 1, 2, NUMBER / 3, NUMBER / 2, NUMBER - 2, NUMBER - 1] {
            for (hash, there) in [
                (hash(n), true),
                (
                    {
                        let mut hash = hash(n);
                        hash[19] = 7;
                        hash
                    },
                    false,
                ),
            ] {
                let (mut reads, mut bytes) = (0, 0);
                let mut read = |buffer: &mut [u8], at: u64| {
                    let lines = at / WIDTH..=(at + buffer.len() as u64) / WIDTH;
                    let mut text = String::new();
                    for n in lines.filter(|n| *n < NUMBER) {
                        write!(text, "{}:123\r\n", hex::encode_upper(self::hash(n))).unwrap();
                    }
                    let from = usize::try_from(at % WIDTH).unwrap();
                    let rest = text.as_bytes().get(from..).unwrap_or_default();
                    let length = rest.len().min(buffer.len());
                    buffer[..length].copy_from_slice(&rest[..length]);
                    (reads, bytes) = (reads + 1, bytes + length);
                    Ok(length)
                };
                let at = search(NUMBER * WIDTH, &mut read, &hash).unwrap();
                assert_eq!(at, there.then_some(n * WIDTH));
                assert!(reads <= 36 && bytes <= 10_000, "{reads} reads of {bytes} bytes");
            }
        }
    }

    #[test]
    fn R033_what_is_no_sorted_list_of_hashes_is_an_error_and_never_a_no() {
        let good = contents(1_000, "\n", true);
        let mut lines: Vec<_> = good.lines().collect();
        lines.reverse();
        assert!(found(&lines.join("\n"), &hash(3)).is_err(), "sorted the wrong way round");
        for wrong in
            ["password\n", "\n", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8;3\n", "5BAA61E4C9B93F3F:3\n"]
        {
            assert!(found(wrong, &hash(0)).is_err(), "{wrong:?}");
        }
        assert!(found(&"x".repeat(100_000), &hash(0)).is_err(), "no lines at all");
        assert!(found(&"a\n".repeat(100_000), &hash(0)).is_err(), "short lines");
    }

    #[test]
    fn R033_a_file_is_proved_and_a_breached_password_found_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("breached");
        let file = BreachedPasswords::in_file(path.clone());
        let password = SecretString::from("hunter2 and more");
        assert!(file.prove().is_err() && file.check("p", &password).is_err(), "it is not there");
        std::fs::write(&path, "").unwrap();
        assert!(file.prove().is_err() && file.check("p", &password).is_err(), "it is empty");
        let mut lines: Vec<_> = (0..2_000)
            .map(|n| {
                let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("hunter{n} and more").as_bytes());
                format!("{}:{n}\r\n", hex::encode_upper(hash))
            })
            .collect();
        std::fs::write(&path, lines.concat()).unwrap();
        assert!(file.prove().unwrap_err().to_string().contains("not sorted"));
        lines.sort();
        std::fs::write(&path, lines.concat()).unwrap();
        file.prove().unwrap();
        assert!(file.check("p", &password).unwrap().is_some());
        assert!(file.check("p", &SecretString::from("hunter2 and less")).unwrap().is_none());
    }
}
