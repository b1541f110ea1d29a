//! Rows as they are sealed.

use vestibule_audit::{Checkpoint, Digest, EventRecord, Hash, event_leaf, is_personal};

use crate::db::{DbError, Row};
use crate::events::personal_digest;

use super::AuditKey;

/// An event as it is sealed, with its personal part, of which only the digest is.
#[derive(Clone, Debug)]
pub struct Leaf {
    pub record: EventRecord,
    /// The JSON text; `None` where there was no request, and once the person is erased.
    pub personal: Option<String>,
    /// Empty once the person is erased.
    pub salt: Vec<u8>,
    /// The digest as it is stored; older rows have none until they are erased.
    digest: Option<Vec<u8>>,
}

impl Leaf {
    /// Reads a row of [`super::store::find_events`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let (personal, salt) = (row.maybe_text("personal")?, row.bytes("salt")?);
        let digest = row.maybe_bytes("personal_digest")?;
        let computed = personal.as_ref().map(|personal| personal_digest(&salt, personal));
        // A stored digest of another length is no digest: what it is taken for does not matter, `problem` tells of it.
        let stored = digest.as_ref().map(|digest| Hash::try_from(digest.as_slice()).unwrap_or_default());
        Ok(Self {
            record: EventRecord {
                tenant_id: row.text("tenant_id")?,
                position: number(row.int("position")?)?,
                id: row.text("id")?,
                name: row.text("name")?,
                outcome: row.text("outcome")?,
                occurred_at: row.int("occurred_at")?,
                actor_kind: row.text("actor_kind")?,
                actor_id: row.maybe_text("actor_id")?,
                user_id: row.maybe_text("user_id")?,
                customer_id: row.maybe_text("customer_id")?,
                session_id: row.maybe_text("session_id")?,
                reason: row.maybe_text("reason")?,
                request_id: row.maybe_text("request_id")?,
                details: row.text("details")?,
                ends: row.maybe_text("ends")?,
                ends_until: row.maybe_int("ends_until")?,
                ends_not: row.maybe_text("ends_not")?,
                personal_digest: Digest(stored.or(computed).unwrap_or_default()),
            },
            personal,
            salt,
            digest,
        })
    }

    /// What goes into the tree.
    #[must_use]
    pub fn hash(&self) -> Hash {
        event_leaf(&self.record)
    }

    /// What is wrong with its personal part, whatever was sealed.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        let sealed = &self.record.personal_digest.0;
        match (&self.personal, &self.digest) {
            (Some(personal), _) if !is_personal(&self.salt, personal, sealed) => {
                Some("its personal part is not the one of its digest")
            }
            (None, Some(_)) if !self.salt.is_empty() => {
                Some("its personal part is gone, and nobody who erases leaves the salt")
            }
            (_, Some(digest)) if digest.len() != sealed.len() => Some("its personal digest is none"),
            _ => None,
        }
    }

    /// What is wrong with it as the event at this position, whose hash is stored as this.
    #[must_use]
    pub fn problem_at(&self, position: u64, stored: Option<Hash>) -> Option<Problem> {
        let EventRecord { position: place, id, .. } = &self.record;
        if *place != position {
            return Some(Problem::missing(position));
        }
        let (problem, own) = (self.problem(), Some(self.hash()));
        let problem = problem.map(|problem| Problem::of(position, id, problem));
        problem.or_else(|| (own != stored).then(|| Problem::not_sealed(position, id)))
    }
}

/// How far a tenant's log is.
#[derive(Clone, Debug)]
pub struct SealedLog {
    /// The tenant's newest number.
    pub position: u64,
    /// How many of the events are sealed.
    pub size: u64,
    pub root: Option<Vec<u8>>,
    /// The signed note; `None` before the first.
    pub checkpoint: Option<String>,
    /// Up to here events may have been deleted for their age.
    pub deleted_until: u64,
    pub slug: String,
}

impl SealedLog {
    /// Reads a row of [`super::store::find_head`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            position: number(row.int("position")?)?,
            size: number(row.int("sealed")?)?,
            root: row.maybe_bytes("root")?,
            checkpoint: row.maybe_text("checkpoint")?,
            deleted_until: number(row.int("deleted_until")?)?,
            slug: row.text("slug")?,
        })
    }

    /// What the newest checkpoint says, if we have signed it and it is this log's; `None` before the first.
    pub fn signed(&self, key: Option<&AuditKey>) -> Result<Option<Checkpoint>, Problem> {
        let problem = Problem::anywhere;
        let Some(note) = &self.checkpoint else {
            let begun = self.size > 0 || self.root.is_some();
            return if begun { Err(problem("the log's checkpoint is missing")) } else { Ok(None) };
        };
        let key = key.ok_or_else(|| problem("the audit key is missing"))?;
        let origin =
            Checkpoint::read_unverified(note).map(|checkpoint| checkpoint.origin).unwrap_or_default();
        // The address may be another one since; whose log it is stays the same.
        let own = origin.ends_with(&format!("/t/{}", self.slug));
        let signed = key.read(note, &origin).filter(|_| own);
        let signed = signed.ok_or_else(|| problem("the log's checkpoint is not what was signed for it"))?;
        if signed.size == self.size && self.root.as_deref() == Some(&signed.root[..]) {
            Ok(Some(signed))
        } else {
            Err(problem("the log's size or root is not that of its checkpoint"))
        }
    }
}

/// What an event is whose row is not there.
const MISSING: &str = "is missing";
/// What a row is that is not the one that was sealed.
const NOT_SEALED: &str = "is not what was sealed at its position";

/// Something that is wrong with a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where; `None` where it is not known, or nowhere in particular.
    pub position: Option<u64>,
    /// The event that stands there, if one does.
    pub id: Option<String>,
    pub what: String,
}

impl Problem {
    /// Of the log as a whole.
    #[must_use]
    pub fn anywhere(what: impl Into<String>) -> Self {
        Self { position: None, id: None, what: what.into() }
    }

    #[must_use]
    pub fn at(position: u64, what: impl Into<String>) -> Self {
        Self { position: Some(position), id: None, what: what.into() }
    }

    /// Of a row that is not there.
    #[must_use]
    pub fn missing(position: u64) -> Self {
        Self::at(position, MISSING)
    }

    /// Of a row.
    #[must_use]
    pub fn of(position: u64, id: &str, what: &str) -> Self {
        Self { position: Some(position), id: Some(id.to_owned()), what: what.to_owned() }
    }

    /// Of a row whose hash is another than the stored one.
    #[must_use]
    pub fn not_sealed(position: u64, id: &str) -> Self {
        Self::of(position, id, NOT_SEALED)
    }

    /// Whether all that is wrong is that a row and its hash differ: either may be the one that was altered.
    #[must_use]
    pub fn is_of_hash(&self) -> bool {
        self.what == NOT_SEALED
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(position) = self.position {
            write!(f, "position {position}")?;
        }
        if let Some(id) = &self.id {
            write!(f, "{}event {id}", if self.position.is_some() { ", " } else { "" })?;
        }
        let colon = if self.position.is_some() || self.id.is_some() { ": " } else { "" };
        write!(f, "{colon}{}", self.what)
    }
}

/// A position or a size.
pub(super) fn number(stored: i64) -> Result<u64, DbError> {
    u64::try_from(stored).map_err(|_| DbError::Failed("a position is below zero".into()))
}
