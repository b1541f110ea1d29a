//! Evidence: some events of a log with all that it takes to check, without the server, that they are in it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::encoding::{Digest, from_base64};
use crate::event::{EventRecord, event_leaf, is_personal};
use crate::hash::Hash;
use crate::note::{NoteError, VerifierKey};
use crate::proofs::verify_inclusion;

/// The one version there is.
const FORMAT: &str = "vestibule-evidence-1";
/// Events that one evidence has at most.
pub const MOST_EVENTS: usize = 1_000;

/// Events, in their order, and the proofs that they are in the log that a checkpoint tells of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Evidence {
    /// `vestibule-evidence-1`.
    pub format: String,
    /// The log's checkpoint, a signed note.
    pub checkpoint: String,
    /// The key that has signed it, as it says itself: it proves as much as one knows of it from elsewhere.
    pub verifier_key: String,
    /// By position.
    pub events: Vec<ProvenEvent>,
}

/// An event with its proof.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvenEvent {
    /// What is sealed.
    pub event: EventRecord,
    /// The personal part's JSON text, to the letter; null where there is none, or it was erased.
    pub personal: Option<String>,
    /// What keeps the personal part's digest from being guessed, in base64; null where that is.
    pub salt: Option<String>,
    /// From the leaf to the root.
    pub inclusion_proof: Vec<Digest>,
}

/// What is wrong with evidence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Not the JSON of an [`Evidence`]; where and why.
    #[error("it is no evidence: {0}")]
    Json(String),
    /// Another format, or none.
    #[error("it is no evidence of a format that is known here: {0}")]
    Format(String),
    /// It has none.
    #[error("it has no events")]
    Empty,
    /// More than [`MOST_EVENTS`].
    #[error("it has more than {MOST_EVENTS} events")]
    TooMany,
    /// The key in it.
    #[error("its key is no verifier key: {0}")]
    Key(NoteError),
    /// The key in it is not the one that it was to be checked by.
    #[error("its key is another: {0}")]
    OtherKey(String),
    /// The checkpoint.
    #[error("its checkpoint does not hold: {0}")]
    Checkpoint(CheckpointError),
    /// Signed under another name than the log's own.
    #[error("its checkpoint is of the log {origin}, and its key of {key}")]
    Origin {
        /// The log.
        origin: String,
        /// The key's name.
        key: String,
    },
    /// Events of several tenants, or not each behind the one before.
    #[error("event {id}, position {position}: {problem}")]
    Event {
        /// Its position.
        position: u64,
        /// Its id.
        id: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Evidence {
    /// Evidence of these events.
    #[must_use]
    pub fn new(checkpoint: String, key: &VerifierKey, events: Vec<ProvenEvent>) -> Self {
        Self { format: FORMAT.to_owned(), checkpoint, verifier_key: key.to_string(), events }
    }

    /// Reads it, checked for nothing but its form: by itself, or as the server answers it.
    pub fn from_json(text: &str) -> Result<Self, EvidenceError> {
        let is_answer = serde_json::from_str::<Peek>(text).is_ok_and(|peek| peek.data.is_some());
        let read = if is_answer {
            serde_json::from_str(text).map(|answer: Answer| answer.data)
        } else {
            serde_json::from_str(text)
        };
        read.map_err(|error| EvidenceError::Json(error.to_string()))
    }

    /// Checks all of it, and answers the checkpoint that its events are in. With a key it must be signed with that one;
    /// without, with the key in it, which says no more than that it is in itself consistent.
    pub fn verify(&self, key: Option<&VerifierKey>) -> Result<Checkpoint, EvidenceError> {
        if self.format != FORMAT {
            return Err(EvidenceError::Format(self.format.clone()));
        }
        match self.events.len() {
            0 => return Err(EvidenceError::Empty),
            count if count > MOST_EVENTS => return Err(EvidenceError::TooMany),
            _ => (),
        }
        let own: VerifierKey = self.verifier_key.parse().map_err(EvidenceError::Key)?;
        if key.is_some_and(|key| *key != own) {
            return Err(EvidenceError::OtherKey(own.to_string()));
        }
        let checkpoint = Checkpoint::verify(&self.checkpoint, &own).map_err(EvidenceError::Checkpoint)?;
        if checkpoint.origin != own.name() {
            return Err(EvidenceError::Origin { origin: checkpoint.origin, key: own.name().to_owned() });
        }
        let mut before = 0;
        for proven in &self.events {
            let EventRecord { tenant_id, position, id, .. } = &proven.event;
            let in_order = *position > before && *tenant_id == self.events[0].event.tenant_id;
            let problem = proven
                .problem(&checkpoint)
                .or_else(|| (!in_order).then_some("is another tenant's, or not behind the one before"));
            if let Some(problem) = problem {
                return Err(EvidenceError::Event { position: *position, id: id.clone(), problem });
            }
            before = *position;
        }
        Ok(checkpoint)
    }
}

#[derive(Deserialize)]
struct Peek {
    data: Option<IgnoredAny>,
}

/// The server's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(rename = "code")]
    _code: u16,
    data: Evidence,
    #[serde(rename = "message")]
    _message: String,
}

impl ProvenEvent {
    fn problem(&self, checkpoint: &Checkpoint) -> Option<&'static str> {
        let Self { event, personal, salt, inclusion_proof } = self;
        let sealed = match (personal, salt) {
            (None, None) => true,
            (Some(personal), Some(salt)) => {
                from_base64(salt).is_some_and(|salt| is_personal(&salt, personal, &event.personal_digest.0))
            }
            _ => false,
        };
        if !sealed {
            return Some("its personal part is not the one that was sealed");
        }
        let Some(index) = event.position.checked_sub(1).filter(|index| *index < checkpoint.size) else {
            return Some("is not in the log at the size of the checkpoint");
        };
        let proof: Vec<Hash> = inclusion_proof.iter().map(|digest| digest.0).collect();
        let proven = verify_inclusion(index, checkpoint.size, &event_leaf(event), &proof, &checkpoint.root);
        (!proven).then_some("is not what was sealed at its position")
    }
}
