//! Vestibule: a customer session service. This file is the map.
#![deny(clippy::unwrap_used)]

pub mod clock;
pub mod commands;
pub mod config;
pub mod db;
pub mod passwords;
pub mod listeners;
pub mod telemetry;
pub mod version;
