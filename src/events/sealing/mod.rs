//! Sealing: an event's place among its tenant's, which nobody can give it twice or take from it.

pub mod store;
