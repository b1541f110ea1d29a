//! `vestibule user export`: all users of a tenant, in a file that an import reads.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;

use super::{destination, open};
use crate::clock::Clock;
use crate::commands::Global;
use crate::commands::files::sync_folder;
use crate::commands::start::runtime;
use crate::config::Config;
use crate::flows::{Destination, Exported, export_users};
use crate::listeners::stop_signals;

const EXAMPLES: &str = "\
Examples:
  vestibule user export --tenant acme --out acme-users.jsonl
  vestibule user export --tenant acme | gpg --encrypt --recipient ops@acme.test > acme-users.jsonl.gpg

The file has everything an import reads, the hashes of the passwords among it: keep it as you keep the database.
Hashes that were made with a pepper are of use only where the pepper_file has its line.
Users who were erased are not in it.";

/// What `user export` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::commands) struct Export {
    /// The tenant whose users to write, by slug or id
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// The file to make, readable by you alone [default: standard output]
    #[arg(long, value_name = "PATH")]
    pub(super) out: Option<PathBuf>,
}

pub(super) fn run(export: &Export, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    let runtime = runtime()?;
    let Some(path) = &export.out else {
        return runtime.block_on(write(export, &config, out)).map(drop);
    };
    let written = runtime.block_on(async {
        // Before there is a draft: it has hashes, and must not stay behind.
        let mut stop = stop_signals()?;
        let draft = Draft::create(path)?;
        let mut file = BufWriter::new(&draft.file);
        let written = tokio::select! {
            written = write(export, &config, &mut file) => written?,
            _ = stop.recv() => bail!("--out {}: stopped before all users were written; it was not made", path.display()),
        };
        drop(file);
        draft.keep()?;
        Ok(written)
    })?;
    writeln!(out, "Wrote {} users to {}.", written.users, path.display())?;
    if written.peppered > 0 {
        writeln!(
            out,
            "The password hashes of {} of them have a pepper: they are of use only where the pepper_file has its line.",
            written.peppered
        )?;
    }
    Ok(())
}

/// Writes the users; how many they were.
async fn write(export: &Export, config: &Config, out: &mut dyn Write) -> anyhow::Result<Exported> {
    let db = open(config).await?;
    let Destination { tenant, .. } = destination(&db, &export.tenant).await?;
    let written = export_users(&db, &tenant.id, out, Clock::system().now()).await?;
    db.close().await;
    Ok(written)
}

/// A file that has its name only when it is whole.
struct Draft<'a> {
    path: &'a Path,
    name: PathBuf,
    file: File,
}

impl<'a> Draft<'a> {
    fn create(path: &'a Path) -> anyhow::Result<Self> {
        ensure!(!path.exists(), "--out {}: is there already; name another file", path.display());
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let name = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&name);
        let file = file.with_context(|| format!("--out {}: cannot be written", path.display()))?;
        Ok(Self { path, name, file })
    }

    /// Gives it its name, durably.
    fn keep(self) -> anyhow::Result<()> {
        let path = self.path;
        let linked = self.file.sync_all().and_then(|()| fs::hard_link(&self.name, path));
        drop(self);
        let kept = linked.and_then(|()| sync_folder(path));
        kept.with_context(|| format!("--out {}: cannot be written", path.display()))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.name);
    }
}
