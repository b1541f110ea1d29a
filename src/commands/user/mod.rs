//! `vestibule user …`: users move in and out, many at a time.

mod export;
mod formats;
mod import;
mod progress;
mod report;
mod source;

use std::io::{Cursor, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Subcommand;
use secrecy::ExposeSecret;

use super::Global;
use super::start::check_database;
use crate::config::Config;
use crate::db::{Access, Database, DatabaseOptions};
use crate::flows::{Destination, find_destination};
use crate::imports::{Arrival, Line, Premises};
use crate::tenants::TenantName;

/// How patient a command is with a database that a server uses at the same time: nobody waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What `user` can do.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Let users in from a file, with the hashes of their passwords
    Import(import::Import),
    /// Write all users of a tenant to a file that an import reads
    Export(export::Export),
}

impl User {
    /// Whether what it writes to standard output is good for nothing without its end.
    pub(super) const fn is_kept_from_a_pipe(&self) -> bool {
        matches!(self, Self::Export(export) if export.out.is_none())
    }
}

pub(super) fn run(user: &User, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    match user {
        User::Import(import) => import::run(import, global, out),
        User::Export(export) => export::run(export, global, out),
    }
}

/// Reads a file as `user import` does, guessing its format, and judges its entries: for `fuzzing`.
pub(crate) fn judge_import(
    name: &Path,
    text: Vec<u8>,
    premises: &Premises,
    take: &mut dyn FnMut(Line),
) -> anyhow::Result<()> {
    let (beginning, mut source) = formats::peek(Cursor::new(text))?;
    formats::Format::guess(name, &beginning).read(&mut source, 0, &mut |number, entry| {
        let read = entry.map_err(|problem| vec![problem]).and_then(|entry| Arrival::read(entry, premises));
        take(Line { number, read });
        true
    })
}

/// The configuration's database, checked as a server checks it.
async fn open(config: &Config) -> anyhow::Result<Database> {
    check_database(config, None).await?;
    let options = DatabaseOptions {
        access: Access::Existing,
        wait_within: PATIENCE,
        read_within: PATIENCE,
        list_within: PATIENCE,
        write_within: PATIENCE,
        write_connections: 2,
        give_way: true,
        ..DatabaseOptions::new(config.database_url.expose_secret())
    };
    Database::open(&options).await.context("database_url: the database cannot be opened")
}

/// The tenant that `--tenant` names.
async fn destination(db: &Database, tenant: &str) -> anyhow::Result<Destination> {
    let found = match TenantName::parse(tenant) {
        Some(name) => find_destination(db, &name).await?,
        None => None,
    };
    found.with_context(|| format!("--tenant {tenant}: there is no such tenant; name its slug or its id"))
}
