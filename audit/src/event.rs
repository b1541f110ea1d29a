//! What is sealed of an event: a canonical encoding of its fixed part, and the digest of its personal part.

use serde::{Deserialize, Serialize};

use crate::encoding::Digest;
use crate::hash::{Hash, leaf_hash, sha256};

/// An event's fixed part: the columns of its row as they are stored, so that the encoding can be made again from the row.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventRecord {
    /// The tenant's id.
    pub tenant_id: String,
    /// Gapless within the tenant, from 1 on: the leaf's index is one less.
    pub position: u64,
    /// The event's id.
    pub id: String,
    /// What happened.
    pub name: String,
    /// `success` or `failure`.
    pub outcome: String,
    /// Unix milliseconds.
    pub occurred_at: i64,
    /// Who did it.
    pub actor_kind: String,
    /// Their id, if known.
    pub actor_id: Option<String>,
    /// Whom it concerns.
    pub user_id: Option<String>,
    /// Their customer, or the one that it concerns.
    pub customer_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The request that did it.
    pub request_id: Option<String>,
    /// The text of a JSON object, to the letter as it was stored.
    pub details: String,
    /// What it ended: `session`, `user`, `customer`, `tenant`.
    pub ends: Option<String>,
    /// Up to which instant sessions were opened that it ended, Unix milliseconds.
    pub ends_until: Option<i64>,
    /// The session that it did not end.
    pub ends_not: Option<String>,
    /// [`personal_digest`] of its personal part; 32 zero bytes where it never had one.
    pub personal_digest: Digest,
}

/// The first bytes of the encoding: its name and version.
const MAGIC: &[u8] = b"vestibule/event/1\0";

/// An event's canonical encoding, version 1.
///
/// `"vestibule/event/1"` and a zero byte; then, in the order of [`EventRecord`]'s fields and with nothing between them:
/// - a text that is always there: its length in bytes as 4 bytes, then its UTF-8;
/// - a text that may be absent: one byte 0, or one byte 1 and then as above;
/// - an integer: 8 bytes, two's complement; one that may be absent: one byte 0, or one byte 1 and then those 8;
/// - the digest: its 32 bytes.
///
/// Integers and lengths have their greatest byte first. No two events have the same encoding.
#[must_use]
pub fn encode_event(event: &EventRecord) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    text(&mut bytes, &event.tenant_id);
    bytes.extend(event.position.to_be_bytes());
    for field in [&event.id, &event.name, &event.outcome] {
        text(&mut bytes, field);
    }
    bytes.extend(event.occurred_at.to_be_bytes());
    text(&mut bytes, &event.actor_kind);
    for field in [
        &event.actor_id,
        &event.user_id,
        &event.customer_id,
        &event.session_id,
        &event.reason,
        &event.request_id,
    ] {
        maybe(&mut bytes, field.as_ref(), |bytes, field| text(bytes, field));
    }
    text(&mut bytes, &event.details);
    maybe(&mut bytes, event.ends.as_ref(), |bytes, field| text(bytes, field));
    maybe(&mut bytes, event.ends_until, |bytes, until| bytes.extend(until.to_be_bytes()));
    maybe(&mut bytes, event.ends_not.as_ref(), |bytes, field| text(bytes, field));
    bytes.extend(event.personal_digest.0);
    bytes
}

/// The leaf's hash in its tenant's log: [`leaf_hash`] of [`encode_event`].
#[must_use]
pub fn event_leaf(event: &EventRecord) -> Hash {
    leaf_hash(&encode_event(event))
}

/// How long the salt of a personal part is, in bytes. It stands before the text without anything between them, so of another
/// length it would be another text with the same digest.
pub const SALT_BYTES: usize = 16;

/// Whether this is the personal part, with its salt, of which the digest was sealed.
#[must_use]
pub fn is_personal(salt: &[u8], personal: &str, digest: &Hash) -> bool {
    salt.len() == SALT_BYTES && personal_digest(salt, personal) == *digest
}

/// What is sealed of a personal part: SHA-256 of its salt and its text. It stays when both are erased.
#[must_use]
pub fn personal_digest(salt: &[u8], personal: &str) -> Hash {
    sha256(&[salt, personal.as_bytes()])
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).expect("no column holds 4 GiB");
    bytes.extend(length.to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn maybe<T>(bytes: &mut Vec<u8>, field: Option<T>, write: impl FnOnce(&mut Vec<u8>, T)) {
    bytes.push(u8::from(field.is_some()));
    if let Some(field) = field {
        write(bytes, field);
    }
}
