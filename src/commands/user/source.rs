//! What an import reads from: a file, or standard input, byte for byte and never whole.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, ensure};
use aws_lc_rs::digest::{Context as Digest, SHA256};

/// A piece of the file that is read at once, in bytes.
const PIECE: usize = 64 * 1024;
/// The longest entry, in bytes: a quote that is not closed would make one of the rest of the file.
pub(super) const MAX_ENTRY: usize = 256 * 1024;

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn digest_of(path: &Path) -> anyhow::Result<String> {
    let unreadable = || format!("{}: cannot be read", path.display());
    ensure!(path.metadata().with_context(unreadable)?.is_file(), "{}: is no file", path.display());
    let mut source = Source::new(File::open(path).with_context(unreadable)?);
    source.drain().with_context(unreadable)?;
    Ok(source.digest())
}

/// Counts and digests what is read through it, and holds what is read for one entry to a bound.
pub(super) struct Source {
    inner: Box<dyn Read + Send>,
    position: Arc<AtomicU64>,
    digest: Digest,
    budget: Budget,
}

/// How many bytes the entry that is being read may still have. Clones share it.
#[derive(Clone)]
pub(super) struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Outside of entries.
    const NONE: usize = usize::MAX;

    /// An entry begins here, as far as is known: what was read ahead counts for nobody.
    pub(super) fn begin_entry(&self) {
        self.0.store(MAX_ENTRY, Ordering::Relaxed);
    }

    /// What comes is of no entry.
    pub(super) fn end_entry(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    fn is_used_up(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn use_up(&self, bytes: usize) {
        let left = self.0.load(Ordering::Relaxed);
        if left != Self::NONE {
            self.0.store(left.saturating_sub(bytes), Ordering::Relaxed);
        }
    }
}

impl Source {
    pub(super) fn new(inner: impl Read + Send + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            position: Arc::default(),
            digest: Digest::new(&SHA256),
            budget: Budget(Arc::new(AtomicUsize::new(Budget::NONE))),
        }
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget.clone()
    }

    /// How many bytes have been read, to look at from elsewhere.
    pub(super) fn position(&self) -> Arc<AtomicU64> {
        self.position.clone()
    }

    /// Reads what is left, for the digest of the whole.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        self.budget.end_entry();
        io::copy(&mut BufReader::with_capacity(PIECE, self), &mut io::sink()).map(drop)
    }

    /// The SHA-256 of what was read, in hexadecimal.
    pub(super) fn digest(&self) -> String {
        hex::encode(self.digest.clone().finish())
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.budget.is_used_up() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, too_long()));
        }
        let length = self.inner.read(buffer)?;
        let (read, _) = buffer.split_at(length);
        self.digest.update(read);
        self.position.fetch_add(length as u64, Ordering::Relaxed);
        self.budget.use_up(length);
        Ok(length)
    }
}

/// What is wrong with an entry that does not end.
pub(super) fn too_long() -> String {
    format!("has more than {MAX_ENTRY} bytes: is a quote or a bracket not closed?")
}
