//! The tests through the outside of the library, on the database that the environment names.
#![expect(non_snake_case, reason = "a test that proves a requirement begins with its number")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

mod addresses;
mod architecture;
mod audit;
mod backups;
mod budgets;
mod clock_jumps;
mod commands;
mod cors;
mod crashes;
mod credentials;
mod db;
mod devices;
mod directory;
mod documents;
mod endings;
mod events;
mod evidence;
mod flood;
mod hygiene;
mod imported_hashes;
mod isolation;
mod limits;
mod log_lines;
mod login;
mod oauth;
mod operators;
mod outages;
mod proxies;
mod races;
mod rate_limits;
mod refresh;
mod revocations;
mod schema;
mod sessions;
mod staff_sessions;
mod support;
mod telltale;
mod tenant_keys;
mod timeline;
mod verifier;
