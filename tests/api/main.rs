//! The tests through the outside of the library, on the database that the environment names.
#![expect(non_snake_case, reason = "a test that proves a requirement begins with its number")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]
#![expect(non_snake_case, reason = "test names carry requirement ids")]

mod architecture;
mod cors;
mod commands;
mod db;
mod flood;
mod documents;
mod hygiene;
mod isolation;
mod login;
mod schema;
mod sessions;
mod support;
