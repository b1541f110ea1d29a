//! Files of keys that are kept outside of the database: lines of `id:base64url(32 bytes)`, the first current.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use zeroize::Zeroizing;

use super::{base64url, from_base64url, random};

/// The length of a key in such a file and of every key derived from it, in bytes: 256 bits.
pub const KEY_LENGTH: usize = 32;

/// What the documentation shows; a server that finds it refuses to start (R145).
pub const EXAMPLE_KEY: &str = "ZXhhbXBsZS1rZXktZG8tbm90LXVzZS1pdC1hbnl3aGU";

/// What a line is.
const LINE: &str = "`id:key`: an id of 1 to 16 letters and digits, a colon, and 32 random bytes in base64url (43 characters)";

/// One kind of key file: the setting that names it, and what to do when a key is not there.
#[derive(Clone, Copy, Debug)]
pub struct KeyFile {
    pub setting: &'static str,
    pub remedy: &'static str,
}

/// One line.
pub struct KeyLine {
    pub id: String,
    pub key: Zeroizing<[u8; KEY_LENGTH]>,
}

impl std::fmt::Debug for KeyLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyLine({}, …)", self.id)
    }
}

impl KeyFile {
    /// Reads a file, and refuses one that others may read or whose keys are not keys.
    ///
    /// # Errors
    /// What is wrong, with the setting and the path; nothing of a key.
    pub fn load(&self, path: &Path) -> Result<Vec<KeyLine>> {
        let (setting, shown) = (self.setting, path.display());
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("{setting} {shown}: is not there; {}", self.remedy)
            }
            other => other.with_context(|| format!("{setting} {shown}: cannot be read"))?,
        };
        ensure!(!metadata.is_dir(), "{setting} {shown}: is a folder; name the file that holds the key");
        let mode = metadata.permissions().mode() & 0o777;
        ensure!(
            mode.trailing_zeros() >= 6,
            "{setting} {shown}: its mode is {mode:04o}, so others may read it; run `chmod 600 {shown}`"
        );
        let text = fs::read_to_string(path).with_context(|| format!("{setting} {shown}: cannot be read"))?;
        self.parse(&Zeroizing::new(text)).with_context(|| format!("{setting} {shown}"))
    }

    /// Reads lines; empty ones and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// What is wrong, with the line's number.
    pub fn parse(&self, text: &str) -> Result<Vec<KeyLine>> {
        let mut lines: Vec<KeyLine> = Vec::new();
        for (number, text) in (1..).zip(text.lines().map(str::trim)) {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let line = self.parse_line(text).with_context(|| format!("line {number}"))?;
            ensure!(
                lines.iter().all(|other| other.id != line.id),
                "line {number}: id {} is there twice",
                line.id
            );
            lines.push(line);
        }
        ensure!(!lines.is_empty(), "it holds no key; {}", self.remedy);
        Ok(lines)
    }

    fn parse_line(&self, line: &str) -> Result<KeyLine> {
        let (id, key) = line.split_once(':').with_context(|| format!("expected {LINE}"))?;
        ensure!(
            (1..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "the id must be 1 to 16 letters and digits; a line is {LINE}"
        );
        ensure!(key != EXAMPLE_KEY, "that is the documentation's example key; {}", self.remedy);
        let bytes = from_base64url(key)
            .with_context(|| format!("the key is not base64url without padding; a line is {LINE}"))?;
        let bytes = Zeroizing::new(bytes);
        let key = <[u8; KEY_LENGTH]>::try_from(&bytes[..]).ok().with_context(|| {
            format!(
                "the key has {} bytes and must have {KEY_LENGTH} random ones; a line is {LINE}",
                bytes.len()
            )
        })?;
        let key = Zeroizing::new(key);
        let distinct = key.iter().collect::<std::collections::HashSet<_>>().len();
        // 32 random bytes have at least 20 distinct values, but for one file in 10^10.
        ensure!(distinct >= 16, "the key is not random: only {distinct} of its 32 bytes differ");
        Ok(KeyLine { id: id.to_owned(), key })
    }
}

/// A new line with its end, and its id.
#[must_use]
pub fn new_line() -> (String, Zeroizing<String>) {
    let key = Zeroizing::new(random::<KEY_LENGTH>());
    let id = format!("{:08x}", u32::from_be_bytes(random()));
    let line = Zeroizing::new(format!("{id}:{}\n", base64url(&*key)));
    (id, line)
}

/// The id of the key in a line of the text; `None` for an empty line or a remark.
#[must_use]
pub fn id_in_line(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with('#') { None } else { line.split_once(':').map(|(id, _)| id) }
}
