//! Signed notes (C2SP signed-note) with Ed25519, and the keys that they are checked by.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::encoding::{from_base64, to_base64};
use crate::hash::sha256;

/// The signature type of Ed25519.
const TYPE_ED25519: u8 = 1;
/// A line's beginning: an em dash and a space.
const SIGNATURE_START: &str = "\u{2014} ";
/// Longer notes are not read. Ours have less than 1 KiB.
const MOST_BYTES: usize = 64 * 1024;
/// Signatures that are looked at; C2SP asks for 16 at least.
const MOST_SIGNATURES: usize = 32;

/// What is wrong with a note or a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not a text, an empty line and signature lines, or too long.
    #[error("it is no signed note")]
    Shape,
    /// Nobody has signed it with the key that it is checked by.
    #[error("it is not signed with this key")]
    UnknownKey,
    /// The signature with the key does not hold.
    #[error("its signature does not hold")]
    Signature,
    /// The key is not `name+id+base64` with an Ed25519 key, or its id is not that of name and key.
    #[error("the key is no Ed25519 verifier key")]
    Key,
    /// A key's name is empty, or has a space or a plus.
    #[error("a key's name must not be empty nor have spaces or plus signs")]
    KeyName,
}

/// A public key with the name it signs under, written as Go's `sumdb/note` does: `name+id+base64`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    name: String,
    key: [u8; 32],
}

impl VerifierKey {
    /// The key with these 32 bytes (RFC 8032) under this name.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        let good =
            !name.is_empty() && !name.contains(|c: char| c == '+' || c.is_whitespace() || c.is_control());
        good.then(|| Self { name: name.to_owned(), key }).ok_or(NoteError::KeyName)
    }

    /// The public part of a key pair.
    pub fn of(name: &str, pair: &Ed25519KeyPair) -> Result<Self, NoteError> {
        Self::new(name, pair.public_key().as_ref().try_into().map_err(|_| NoteError::Key)?)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key's 32 bytes (RFC 8032).
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// What tells the keys of one name apart: the first bytes of a hash of both.
    fn id(&self) -> [u8; 4] {
        let hash = sha256(&[self.name.as_bytes(), b"\n", &[TYPE_ED25519], &self.key]);
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, to_base64(&[&[TYPE_ED25519][..], &self.key].concat()))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        // Base64 has plus signs too: names and ids have none.
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(NoteError::Key);
        let (name, _, bytes) = (part()?, part()?, from_base64(part()?).ok_or(NoteError::Key)?);
        let Some((&TYPE_ED25519, key)) = bytes.split_first() else { return Err(NoteError::Key) };
        let key = Self::new(name, key.try_into().map_err(|_| NoteError::Key)?)?;
        if key.to_string() == text { Ok(key) } else { Err(NoteError::Key) }
    }
}

/// The note of a text that ends in a newline, signed.
pub(crate) fn sign(text: &str, key: &VerifierKey, pair: &Ed25519KeyPair) -> String {
    let signature = [&key.id()[..], pair.sign(text.as_bytes()).as_ref()].concat();
    format!("{text}\n{SIGNATURE_START}{} {}\n", key.name, to_base64(&signature))
}

/// The text of a note that this key has signed. Other keys' signatures, of witnesses say, are passed over.
pub(crate) fn open<'a>(note: &'a str, key: &VerifierKey) -> Result<&'a str, NoteError> {
    let (text, signatures) = parts(note)?;
    let mut known = false;
    for line in signatures.split_terminator('\n').take(MOST_SIGNATURES) {
        let line = line.strip_prefix(SIGNATURE_START).ok_or(NoteError::Shape)?;
        let (name, signature) = line.split_once(' ').ok_or(NoteError::Shape)?;
        let bytes = from_base64(signature).ok_or(NoteError::Shape)?;
        let (id, signature) = bytes.split_at_checked(4).ok_or(NoteError::Shape)?;
        if name != key.name || id != key.id() {
            continue;
        }
        let public = UnparsedPublicKey::new(&ED25519, &key.key);
        public.verify(text.as_bytes(), signature).map_err(|_| NoteError::Signature)?;
        known = true;
    }
    if known { Ok(text) } else { Err(NoteError::UnknownKey) }
}

/// The text with its newline, and the signature lines: behind the last empty line.
pub(crate) fn parts(note: &str) -> Result<(&str, &str), NoteError> {
    let odd = |c: char| c < ' ' && c != '\n';
    if note.len() > MOST_BYTES || note.contains(odd) || !note.ends_with('\n') {
        return Err(NoteError::Shape);
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
    if signatures.is_empty() {
        return Err(NoteError::Shape);
    }
    // With the newline of its last line, which was split off.
    Ok((&note[..=text.len()], signatures))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Go's `sumdb/note`.
    #[test]
    fn a_note_that_others_have_signed_is_read() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let note = format!(
            "{text}\n\u{2014} PeterNeumann \
             x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        );
        assert_eq!(open(&note, &key), Ok(text));
        assert_eq!(open(&note.replace("answer", "problem"), &key), Err(NoteError::Signature));
    }
}
