//! Sealing: an event's place among its tenant's, which nobody can give it twice or take from it.
//!
//! First it gets a number. Then the hash of it goes into the Merkle tree of its tenant's log (RFC 6962), whose root is
//! signed: what was sealed cannot be altered, taken away or put elsewhere without that being found.

mod age;
mod hashes;
mod key;
mod leaf;
pub mod store;
mod stored;

pub use age::{deletion_note, signed_deletion};
pub use hashes::stored_hashes;
pub use key::{AuditKey, PLACE as KEY_PLACE, check_master, origin};
pub use leaf::{Leaf, Problem, SealedLog};
pub use stored::StoredTree;
