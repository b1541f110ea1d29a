//! `vestibule user export`: all users of a tenant, in a file that an import reads.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;

use super::{destination, open};
use crate::clock::Clock;
use crate::commands::Global;
use crate::commands::start::runtime;
use crate::flows::{Destination, export_users};

const EXAMPLES: &str = "\
Examples:
  vestibule user export --tenant acme --out acme-users.jsonl
  vestibule user export --tenant acme | gpg --encrypt --recipient ops@acme.test > acme-users.jsonl.gpg

The file has everything an import reads, the hashes of the passwords among it: keep it as you keep the database.
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
    out: Option<PathBuf>,
}

pub(super) fn run(export: &Export, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    let draft = export.out.as_deref().map(Draft::create).transpose()?;
    let written = runtime()?.block_on(async {
        let db = open(&config).await?;
        let Destination { tenant, .. } = destination(&db, &export.tenant).await?;
        let now = Clock::system().now();
        let written = match &draft {
            Some(draft) => export_users(&db, &tenant.id, &mut BufWriter::new(&draft.file), now).await?,
            None => export_users(&db, &tenant.id, out, now).await?,
        };
        db.close().await;
        anyhow::Ok(written)
    })?;
    if let Some(draft) = draft {
        let shown = draft.path.display().to_string();
        draft.keep()?;
        writeln!(out, "Wrote {written} users to {shown}.")?;
    }
    Ok(())
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

    /// Gives it its name.
    fn keep(self) -> anyhow::Result<()> {
        let kept = self.file.sync_all().and_then(|()| fs::hard_link(&self.name, self.path));
        kept.with_context(|| format!("--out {}: cannot be written", self.path.display()))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.name);
    }
}
