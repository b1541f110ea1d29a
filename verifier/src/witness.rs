//! The witness: it keeps the newest checkpoint of the tenant's sealed log, and holds the server to what it has signed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use vestibule_audit::{Checkpoint, CheckpointError, Digest, Hash, VerifierKey, verify_consistency};

use crate::{Options, StartError};

/// How often the file is written at most. An older checkpoint in it is a witness too, of less.
const SAVED_EVERY: Duration = Duration::from_secs(10);

/// A checkpoint as the feed tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    note: String,
    verifier_key: String,
    /// From the size that was asked with.
    consistency_proof: Vec<Digest>,
}

/// What is wrong with what a server says of its sealed log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogTrouble {
    /// It had a log and says that it has none.
    #[error("it tells no checkpoint any more")]
    Missing,
    /// The key of another log, or none.
    #[error("its key is not the key of this issuer's log")]
    Key,
    /// The note: mostly that it is not signed with the log's key.
    #[error("its checkpoint does not hold: {0}")]
    Note(CheckpointError),
    /// Another log's.
    #[error("its checkpoint is another log's")]
    OtherLog,
    /// It has fewer events than it had: an older copy of the database, or events were taken away.
    #[error("it had {held} events and has {told}")]
    Smaller {
        /// The size that is held.
        held: u64,
        /// The size that was told.
        told: u64,
    },
    /// What it had at the size that is held is not what it has there now: events were altered, or there are two logs.
    #[error("its first {held} events are not the ones that it had")]
    Inconsistent {
        /// The size that is held.
        held: u64,
    },
}

/// Two statements of a server about its log, one of which is false. The notes are signed: they prove it to anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogConflict {
    /// What is wrong.
    pub trouble: LogTrouble,
    /// The checkpoint that is held, if any.
    pub held: Option<String>,
    /// The one that was told instead, if any.
    pub told: Option<String>,
}

/// What is known of a sealed log.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WitnessedLog {
    /// How many events the newest checkpoint is of; 0 before the first.
    pub size: u64,
    /// The newest checkpoint that was consistent with all before it, a signed note: what to hand to
    /// `vestibule audit verify --checkpoint`.
    pub checkpoint: Option<String>,
    /// The key that is trusted: the one that is pinned, or the first that was told.
    pub verifier_key: Option<String>,
    /// How the server contradicts what is held, for as long as it does. The verifier is stale then.
    pub conflict: Option<LogConflict>,
}

struct Held {
    note: String,
    checkpoint: Checkpoint,
}

/// What a verifier remembers of the log.
pub struct Witness {
    /// The log's name: the issuer without its scheme.
    origin: String,
    pinned: bool,
    key: Option<VerifierKey>,
    held: Option<Held>,
    conflict: Option<LogConflict>,
    file: Option<PathBuf>,
    /// What is to be written has changed.
    changed: bool,
    saved_at: Option<Instant>,
    save_failed: bool,
}

pub fn lock(witness: &Mutex<Witness>) -> MutexGuard<'_, Witness> {
    witness.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Witness {
    /// `None` where no witness is wanted.
    pub fn new(options: &Options) -> Result<Option<Self>, StartError> {
        if !options.witness {
            return Ok(None);
        }
        let issuer = options.issuer.as_str();
        let origin = issuer.split_once("://").map_or(issuer, |(_, rest)| rest).to_owned();
        let pinned = options.log_key.as_ref().map(|text| text.parse::<VerifierKey>());
        let pinned = pinned.transpose().map_err(|_| StartError::LogKey)?;
        if pinned.as_ref().is_some_and(|key| key.name() != origin) {
            return Err(StartError::LogKey);
        }
        let mut witness = Self {
            origin,
            pinned: pinned.is_some(),
            key: pinned,
            held: None,
            conflict: None,
            file: options.checkpoint_file.clone(),
            changed: false,
            saved_at: None,
            save_failed: false,
        };
        witness.load()?;
        Ok(Some(witness))
    }

    /// Reads the file: the key's line, and the note.
    fn load(&mut self) -> Result<(), StartError> {
        let Some(path) = &self.file else { return Ok(()) };
        let bad = |problem: String| StartError::CheckpointFile(format!("{}: {problem}", path.display()));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(bad(error.to_string())),
        };
        let (key, note) =
            text.split_once('\n').ok_or_else(|| bad("does not hold a key and a checkpoint".into()))?;
        let key = key.parse::<VerifierKey>().map_err(|error| bad(error.to_string()))?;
        if key.name() != self.origin || self.key.as_ref().is_some_and(|pinned| *pinned != key) {
            return Err(bad("is of another log or key: move it away if that is meant".into()));
        }
        let checkpoint = Checkpoint::verify(note, &key).map_err(|error| bad(error.to_string()))?;
        if checkpoint.origin != self.origin {
            return Err(bad("is another log's".into()));
        }
        self.key = Some(key);
        self.held = Some(Held { note: note.to_owned(), checkpoint });
        Ok(())
    }

    /// How many events are known of.
    pub fn size(&self) -> u64 {
        self.held.as_ref().map_or(0, |held| held.checkpoint.size)
    }

    pub fn log(&self) -> WitnessedLog {
        WitnessedLog {
            size: self.size(),
            checkpoint: self.held.as_ref().map(|held| held.note.clone()),
            verifier_key: self.key.as_ref().map(ToString::to_string),
            conflict: self.conflict.clone(),
        }
    }

    pub fn forget(&mut self) {
        self.held = None;
        self.conflict = None;
        self.saved_at = None;
        if !self.pinned {
            self.key = None;
        }
    }

    /// Looks at what was told, in answer to the size that is held, and keeps it if it goes on from there. What does not
    /// is told in the log once, with both notes.
    pub fn look(&mut self, told: Option<Told>) -> Result<(), LogTrouble> {
        let note = told.as_ref().map(|told| told.note.clone());
        match self.check(told) {
            Ok(()) => {
                if self.conflict.take().is_some() {
                    tracing::warn!(size = self.size(), "the sealed log goes on from what it was again");
                }
                Ok(())
            }
            Err(trouble) => {
                let held = self.held.as_ref().map(|held| held.note.clone());
                if self.conflict.is_none() {
                    tracing::error!(
                        error = %trouble,
                        held = held.as_deref().unwrap_or_default(),
                        told = note.as_deref().unwrap_or_default(),
                        "the server contradicts what it has signed of its sealed log: nothing that it says is believed"
                    );
                }
                self.conflict = Some(LogConflict { trouble, held, told: note });
                Err(trouble)
            }
        }
    }

    fn check(&mut self, told: Option<Told>) -> Result<(), LogTrouble> {
        let told = match (told, &self.held) {
            (Some(told), Some(held)) if told.note == held.note => return Ok(()),
            (Some(told), _) => told,
            (None, Some(_)) => return Err(LogTrouble::Missing),
            // Nothing was sealed yet.
            (None, None) => return Ok(()),
        };
        let key = match &self.key {
            Some(key) => key.clone(),
            None => told.verifier_key.parse().map_err(|_| LogTrouble::Key)?,
        };
        if key.name() != self.origin {
            return Err(LogTrouble::Key);
        }
        let checkpoint = Checkpoint::verify(&told.note, &key).map_err(LogTrouble::Note)?;
        if checkpoint.origin != self.origin {
            return Err(LogTrouble::OtherLog);
        }
        if let Some(Held { checkpoint: held, .. }) = &self.held {
            if checkpoint.size < held.size {
                return Err(LogTrouble::Smaller { held: held.size, told: checkpoint.size });
            }
            let proof: Vec<Hash> = told.consistency_proof.iter().map(|hash| hash.0).collect();
            if !verify_consistency(held.size, &held.root, checkpoint.size, &checkpoint.root, &proof) {
                return Err(LogTrouble::Inconsistent { held: held.size });
            }
        }
        if self.key.is_none() {
            tracing::info!(
                verifier_key = %key,
                "the sealed log's first key is trusted from now on: compare it and pin it with Options::log_key"
            );
            self.key = Some(key);
        }
        self.held = Some(Held { note: told.note, checkpoint });
        self.changed = true;
        Ok(())
    }

    /// What is to be written now, and where.
    fn take_due(&mut self, now: Instant) -> Option<(PathBuf, String)> {
        let due = self.saved_at.is_none_or(|at| now.saturating_duration_since(at) >= SAVED_EVERY);
        let (path, key, held) = (self.file.as_ref()?, self.key.as_ref()?, self.held.as_ref()?);
        if !due || !self.changed {
            return None;
        }
        self.saved_at = Some(now);
        self.changed = false;
        Some((path.clone(), format!("{key}\n{}", held.note)))
    }
}

/// Writes the file if it is time.
pub async fn save(witness: &Mutex<Witness>) {
    let Some((path, text)) = lock(witness).take_due(Instant::now()) else { return };
    let written = tokio::task::spawn_blocking(move || write(&path, &text)).await;
    let mut witness = lock(witness);
    let failed = !matches!(written, Ok(Ok(())));
    if failed && !witness.save_failed {
        let error = written.map_or_else(|error| error.to_string(), |done| format!("{:?}", done.err()));
        tracing::warn!(error, "the file of the sealed log's checkpoint cannot be written");
    }
    witness.changed |= failed;
    witness.save_failed = failed;
}

/// All of it or none: whoever reads it finds the old text or the new one.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)
}
