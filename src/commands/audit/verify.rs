//! `vestibule audit verify`: whether what is sealed is what stands there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::Args;

use super::{checkpoints, logs};
use crate::commands::Global;
use crate::commands::desk::{Desk, at_the_desk};
use crate::commands::first_tenant::explain;
use crate::events::sealing::AuditKey;
use crate::flows::{LogReport, verify_log};

const EXAMPLES: &str = "\
Examples:
  vestibule audit verify --checkpoint checkpoints.txt
  vestibule audit verify --tenant acme

The file holds checkpoints that were kept elsewhere: signed notes one after the other, or lines of the server's log
(`grep \"the audit log's checkpoint\"`). Several of one tenant narrow down where something was altered. Nothing is
written. The exit code is 0 if all holds, 1 if not.";

/// What `audit verify` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::commands) struct Verify {
    /// The tenant whose log to verify, by slug or id [default: all, and Vestibule's own]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// A file of checkpoints from outside, up to which nothing may be missing
    #[arg(long, value_name = "PATH")]
    checkpoint: Option<PathBuf>,
}

pub(super) fn run(verify: &Verify, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    at_the_desk(global, async |desk| all(verify, desk, out).await)
}

async fn all(verify: &Verify, desk: &Desk, out: &mut dyn Write) -> anyhow::Result<()> {
    let master = desk.master().await?;
    let key = AuditKey::find(&desk.db, &master).await?;
    let mut given = match (&verify.checkpoint, &key) {
        (Some(path), Some(key)) => checkpoints::read(path, key)?,
        (Some(_), None) => bail!("--checkpoint: this installation has no audit key, so nothing is sealed"),
        (None, _) => BTreeMap::new(),
    };
    let (mut wrong, mut checked) = (0, 0);
    for log in logs(desk, verify.tenant.as_deref()).await? {
        let of_log = given.remove(&log.slug).unwrap_or_default();
        let verified = verify_log(&desk.db, key.as_ref(), &log.tenant, &of_log).await;
        let report = verified.map_err(explain)?;
        checked += 1;
        wrong += i32::from(report.problem.is_some());
        write_report(&log.slug, &report, of_log.iter().map(|given| given.size).max(), out)?;
    }
    if verify.tenant.is_none() {
        for (slug, checkpoints) in given {
            let size = checkpoints.iter().map(|given| given.size).max().unwrap_or_default();
            wrong += 1;
            writeln!(out, "{slug}: WRONG: there is no such log, and a checkpoint tells of {size} events")?;
        }
    }
    if verify.checkpoint.is_none() {
        writeln!(
            out,
            "Without --checkpoint the logs were held against their own checkpoints only: whoever can write to the \
             database can have an altered log sealed and signed anew, or put it back to an earlier state of itself, and \
             neither is found. Give a file of checkpoints that were kept elsewhere."
        )?;
    }
    out.flush()?;
    ensure!(wrong == 0, "{wrong} of {checked} logs do not hold");
    Ok(())
}

fn write_report(
    slug: &str,
    report: &LogReport,
    given: Option<u64>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let LogReport { sealed, waiting, deleted, problem } = report;
    if let Some(problem) = problem {
        writeln!(out, "{slug}: WRONG: {problem}")?;
        return Ok(());
    }
    write!(out, "{slug}: {sealed} events hold")?;
    if let Some(size) = given {
        write!(out, ", the first {size} of them by the checkpoint given")?;
    }
    if *deleted > 0 {
        write!(out, "; {deleted} of them were deleted for their age")?;
    }
    if *waiting > 0 {
        write!(out, "; {waiting} are not sealed yet")?;
    }
    writeln!(out)?;
    Ok(())
}
