//! The pepper: a key outside of the database without which no stored hash can be tried (R039).
//!
//! The password is put through HMAC-SHA-256 under the current line of a file like the master key's before Argon2id; the
//! hash says which line, as `keyid=`. A line from before verifies until the password's next login.

use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::hmac;
use secrecy::zeroize::Zeroizing;

use crate::secrets::key_file::KeyFile;

const FILE: KeyFile = KeyFile {
    setting: "pepper_file",
    remedy: "restore its copy: without it, the passwords that were set under it match no more",
};

/// The most characters of an id: they are the eight bytes at most that a key's id has in Argon2's strings.
const MOST_ID: usize = 11;

/// The lines of the pepper file, the current one first; none where there is no pepper.
#[derive(Clone, Default)]
pub struct Peppers(Arc<[Pepper]>);

struct Pepper {
    id: String,
    key: hmac::Key,
}

impl std::fmt::Debug for Peppers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|pepper| &pepper.id)).finish()
    }
}

impl Peppers {
    /// Reads a file of lines `id:base64url(32 bytes)`, as the master key's.
    ///
    /// # Errors
    /// What is wrong with the file; nothing of a key.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let lines = FILE.load(path)?;
        for line in &lines {
            anyhow::ensure!(
                line.id.len() <= MOST_ID,
                "pepper_file {}: the id {} has more than {MOST_ID} characters; give the line a shorter one before it is \
                 used",
                path.display(),
                line.id
            );
        }
        let peppers = lines.into_iter();
        Ok(Self(
            peppers
                .map(|line| Pepper { id: line.id, key: hmac::Key::new(hmac::HMAC_SHA256, &*line.key) })
                .collect(),
        ))
    }

    /// The id of the line that new hashes are made under; `None`: without a pepper.
    #[must_use]
    pub fn current(&self) -> Option<&str> {
        self.0.first().map(|pepper| pepper.id.as_str())
    }

    /// The ids of all lines.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pepper| pepper.id.as_str())
    }

    /// Whether hashes under this line can be verified.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|pepper| pepper.id == id)
    }

    /// What goes into Argon2id in place of the password; `None`: the line is not there. For a hash without a pepper
    /// the same is computed and the password itself is taken, so that all cost the same.
    pub(super) fn season(&self, id: Option<&str>, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let pepper = match id {
            Some(id) => Some(self.0.iter().find(|pepper| pepper.id == id)?),
            None => self.0.first(),
        };
        let tag = pepper.map(|pepper| hmac::sign(&pepper.key, password));
        Some(Zeroizing::new(match (id, &tag) {
            (Some(_), Some(tag)) => tag.as_ref().to_vec(),
            _ => password.to_vec(),
        }))
    }
}
