//! `vestibule backup`: a copy of the database in a file, made while the service goes on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use secrecy::ExposeSecret;

use super::Global;
use super::desk::at_the_desk;
use super::files::{create_from, draft_of};
use super::first_tenant::explain;
use super::show::instant;
use super::start::runtime;
use crate::db::{Access, Database, DatabaseOptions, file_companions, file_of, prove_file};
use crate::flows::{StoreContents, store_contents};

/// What `backup` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  vestibule backup /var/backups/vestibule/$(date +%F).db

The service goes on meanwhile. The copy is of one moment, whole, and readable by you alone: it holds everything but the
master key, without which nobody can use it. Keep a copy of master_key_file, and keep it elsewhere.")]
pub(super) struct Backup {
    /// The file to make; one that is there is never written over
    file: PathBuf,
}

pub(super) fn run(backup: &Backup, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = &backup.file;
    let url = global.load()?.database_url;
    if file_of(url.expose_secret()).is_none() {
        bail!(
            "database_url: the database is PostgreSQL's, which makes better backups itself: take pg_dump, or pg_basebackup with \
             an archive of the WAL; after a restore run `vestibule restored`"
        );
    }
    ensure!(!path.exists(), "{}: is there already; name another file", path.display());
    let shown = path.display();
    let draft = Draft::create(path).with_context(|| format!("{shown}: cannot be written"))?;
    at_the_desk(global, async |desk| {
        desk.db.copy_into(&draft.0).await.with_context(|| format!("{shown}: the copy was not made"))
    })?;
    prove_file(&draft.0).with_context(|| format!("{shown}: the copy is not whole; it was not kept"))?;
    let contents = runtime()?.block_on(contents(&draft.0))?;
    create_from(&draft.0, path).with_context(|| format!("{shown}: cannot be written"))?;
    let bytes = fs::metadata(path)?.len();
    writeln!(out, "Wrote {shown}, {bytes} bytes: {}.", describe(&contents))?;
    writeln!(out, "It is of no use without the master key file, which is not in it.")?;
    Ok(())
}

/// Options for a file that nobody serves: counting and completing take as long as it is large.
pub(super) fn patient(url: String) -> DatabaseOptions {
    let hour = Duration::from_hours(1);
    DatabaseOptions { list_within: hour, write_within: hour, ..DatabaseOptions::new(url) }
}

/// What a copy holds, looked up in the copy.
async fn contents(file: &Path) -> anyhow::Result<StoreContents> {
    let url = format!("sqlite:{}", file.display());
    let options = DatabaseOptions { access: Access::Look, ..patient(url) };
    let db =
        Database::open(&options).await.with_context(|| format!("{}: cannot be opened", file.display()))?;
    let contents = store_contents(&db).await.map_err(explain);
    db.close().await;
    contents
}

pub(super) fn describe(contents: &StoreContents) -> String {
    let StoreContents { tenants, users, open_sessions, newest_event } = contents;
    let newest = instant(*newest_event);
    format!(
        "{tenants} tenants, {users} users, {open_sessions} sessions that have not ended; the newest event is of {newest}"
    )
}

/// A file with no name of its own yet, removed when this is dropped.
pub(super) struct Draft(pub(super) PathBuf);

impl Draft {
    /// An empty one beside `path`, for its owner's eyes only.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let draft = draft_of(path);
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        Ok(Self(draft))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for companion in file_companions(&self.0) {
            let _ = fs::remove_file(companion);
        }
        let _ = fs::remove_file(&self.0);
    }
}
