//! The verifier through its outside, against an issuer that is made up: it can be cut off, go silent, roll back and lie.
#![expect(non_snake_case, reason = "a test that proves a requirement begins with its number")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod cold_start;
mod feed;
mod introspection;
mod issuer;
mod keys;
mod log;
mod restores;
mod signer;
mod tokens;
mod witness;
