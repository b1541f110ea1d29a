//! `vestibule audit`: the sealed log of each tenant's events, verified, exported, and the key it is signed with.

mod checkpoints;
mod evidence;
mod export;
mod key;
mod verify;

use std::io::Write;

use anyhow::ensure;
use clap::Subcommand;

use super::Global;
use super::desk::Desk;
use crate::flows::{Log, list_logs};

/// What `audit` can do.
#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Compute the sealed logs anew from the events, and find whatever was altered, deleted, moved or cut off
    Verify(verify::Verify),
    /// Write the sealed events as JSON Lines, and go on where the last export ended
    Export(export::Export),
    /// Check evidence of a session, an answer of `…/sessions/{sessionId}/evidence`, without the server
    VerifyEvidence(evidence::VerifyEvidence),
    /// Show the keys that the logs' checkpoints are verified with
    Key(key::Key),
}

impl Audit {
    /// Whether what it writes to standard output is good for nothing without its end.
    pub(super) const fn is_kept_from_a_pipe(&self) -> bool {
        match self {
            Self::Verify(_) | Self::VerifyEvidence(_) => true,
            Self::Export(export) => export.out.is_none(),
            Self::Key(_) => false,
        }
    }
}

pub(super) fn run(audit: &Audit, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    match audit {
        Audit::Verify(verify) => verify::run(verify, global, out),
        Audit::Export(export) => export::run(export, global, out),
        Audit::VerifyEvidence(verify) => evidence::run(verify, out),
        Audit::Key(key) => key::run(key, global, out),
    }
}

/// The log of the tenant that `--tenant` names, by slug or id, or everybody's; Vestibule's own is `system`'s.
async fn logs(desk: &Desk, tenant: Option<&str>) -> anyhow::Result<Vec<Log>> {
    let logs = list_logs(&desk.db, tenant).await?;
    ensure!(
        tenant.is_none() || !logs.is_empty(),
        "there is no tenant {:?}; `vestibule tenant list` shows them",
        tenant.unwrap_or_default()
    );
    Ok(logs)
}
