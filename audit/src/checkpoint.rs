//! Checkpoints (C2SP tlog-checkpoint): a tree's size and root, signed.

use aws_lc_rs::signature::Ed25519KeyPair;

use crate::encoding::{from_base64, to_base64};
use crate::hash::Hash;
use crate::note::{self, NoteError, VerifierKey};

/// What a log said about itself at some time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which log: its tenant's issuer without the scheme, `id.example.com/t/acme`.
    pub origin: String,
    /// How many leaves: the position of the last event.
    pub size: u64,
    /// Of the tree of all of them.
    pub root: Hash,
}

/// What is wrong with a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not an origin, a size, a root and perhaps further lines.
    #[error("its text is no checkpoint")]
    Text,
}

impl Checkpoint {
    /// The signed text. Its lines are the origin, the size and the root in base64.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, to_base64(&self.root))
    }

    /// Signs it as `key_name`, which ought to be the origin: so another log's checkpoint has another key's signature,
    /// whoever compares only keys.
    pub fn sign(&self, pair: &Ed25519KeyPair, key_name: &str) -> Result<String, CheckpointError> {
        let key = VerifierKey::of(key_name, pair)?;
        let text = self.text();
        // What cannot be read again is not signed.
        if Self::parse(&text).as_ref() != Ok(self) {
            return Err(CheckpointError::Text);
        }
        Ok(note::sign(&text, &key, pair))
    }

    /// Reads a checkpoint that this key has signed.
    pub fn verify(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        Self::parse(note::open(note, key)?)
    }

    /// Reads a checkpoint whoever has signed it, if anybody: to learn which log's it says to be.
    pub fn read_unverified(note: &str) -> Result<Self, CheckpointError> {
        Self::parse(note::parts(note)?.0)
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Text)?.split('\n');
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(CheckpointError::Text);
        let (origin, size, root) = (line()?, line()?, line()?);
        let size = size.parse().ok().filter(|number: &u64| number.to_string() == size);
        let root = from_base64(root).and_then(|bytes| Hash::try_from(bytes).ok());
        // Further lines are allowed, and nothing is known of them.
        let further = lines.all(|line| !line.is_empty()) && !origin.contains(|c: char| c.is_control());
        match (size, root) {
            (Some(size), Some(root)) if further => Ok(Self { origin: origin.to_owned(), size, root }),
            _ => Err(CheckpointError::Text),
        }
    }
}
