//! Searches very much for very many secrets, in every form in which one may be written (R137).
#![expect(
    clippy::unwrap_used,
    reason = "part of the tests: one that panics has failed, which is what it is for"
)]

pub mod forms;
pub mod search;

/// What is shorter, in bytes, is found by chance or is a word: it is counted and not searched for.
pub const SHORTEST: usize = 10;
