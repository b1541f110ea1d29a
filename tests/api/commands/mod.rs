//! The commands, run as processes.

mod demo;
pub mod init;
mod serve;
mod tls;
mod tools;
