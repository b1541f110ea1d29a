//! Devices: where a user has logged in from.

pub mod store;
