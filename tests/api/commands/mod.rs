//! The commands, run as processes.

mod demo;
mod init;
mod serve;
mod tls;
mod tools;
