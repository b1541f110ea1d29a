//! The commands, run as processes.

mod demo;
pub mod desk;
pub mod init;
mod keys;
mod master_keys;
mod operators;
mod pepper;
mod serve;
mod signing_keys;
mod tenant_settings;
mod tenants;
mod tls;
mod tools;
mod user_import;
