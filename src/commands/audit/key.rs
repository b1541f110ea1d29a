//! `vestibule audit key`: what the logs' checkpoints are verified with.

use std::io::Write;

use clap::Args;

use super::logs;
use crate::commands::Global;
use crate::commands::desk::at_the_desk;
use crate::events::sealing::{AuditKey, origin};

/// What `audit key` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  vestibule audit key --tenant acme

It is one key under each log's name, as C2SP's signed notes write it (name+id+key). Give it to whoever verifies
checkpoints or evidence elsewhere, by a way that does not lead through this database.")]
pub(in crate::commands) struct Key {
    /// The tenant whose log it is, by slug or id [default: all, a line each]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

pub(super) fn run(key: &Key, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    at_the_desk(global, async |desk| {
        let (master, public_url) = (desk.master().await?, desk.public_url()?);
        let logs = logs(desk, key.tenant.as_deref()).await?;
        let key = AuditKey::get(&desk.db, &master, desk.now()).await?;
        for log in logs {
            writeln!(out, "{}", key.verifier(&origin(public_url, &log.slug))?)?;
        }
        Ok(())
    })
}
