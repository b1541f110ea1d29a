#![doc = include_str!("../README.md")]
#![deny(clippy::unwrap_used)]
#![warn(missing_docs)]

// What a program uses.
mod error;
mod options;
mod token;
mod verifier;

// What goes on behind it.
mod background;
mod client;

// What is known, and how it is read.
mod feed;
mod ids;
mod jws;
mod keys;
mod witness;

pub use error::{Error, Invalid, StartError};
pub use options::{Options, WhenStale};
pub use token::AccessToken;
pub use verifier::{Health, Verifier};
pub use witness::{LogConflict, LogTrouble, WitnessedLog};
