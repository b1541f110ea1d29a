//! Vestibule: a customer session service. This file is the map.
//!
//! The modules stand in layers, from top to bottom; a module uses only layers below its own, and
//! `tests/api/architecture` holds the code to that.
#![deny(clippy::unwrap_used)]

// What only `fuzz/` calls.
#[doc(hidden)]
pub mod fuzzing;

// What an operator starts.
pub mod commands;

// What listens, and what goes on in the background.
pub mod listeners;
pub mod server;
pub mod upkeep;

// The API by audience: each brings its own routes.
pub mod directory_api;
pub mod operator_api;
pub mod public_api;
pub mod sessions_api;
pub mod token_api;

// Who may call, and how HTTP is read and answered.
pub mod callers;
pub mod http;

// What happens as one: a flow a file, with its one reading query.
pub mod flows;

// The parts that requests share.
pub mod app;
pub mod revocation_watch;

// The domain: rules in mod.rs, SQL in store.rs.
pub mod customers;
pub mod devices;
pub mod events;
pub mod imports;
pub mod installation;
pub mod operators;
pub mod password_resets;
pub mod sessions;
pub mod signing_keys;
pub mod source_limits;
pub mod tenants;
pub mod throttles;
pub mod users;

// What the domain is made of.
pub mod access_tokens;
pub mod client;
pub mod client_address;
pub mod password_rules;
pub mod passwords;
pub mod refresh_tokens;
pub mod request_limits;
pub mod spelling;

// The ground.
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod ids;
pub mod secrets;
pub mod telemetry;
pub mod version;
