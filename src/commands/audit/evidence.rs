//! `vestibule audit verify-evidence`: evidence of a session, checked without server, database or configuration.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use vestibule_audit::{Evidence, VerifierKey};

/// The longest file that is read, in bytes: the server's have a few megabytes at most.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// What `audit verify-evidence` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vestibule audit verify-evidence evidence.json
  vestibule audit verify-evidence evidence.json --key \"$(cat acme.key)\"

It needs no server, no database and no configuration. The file is an answer of
GET …/users/{userId}/sessions/{sessionId}/evidence, as it came. Exit code 0 if all of it holds, 1 if not.")]
pub(in crate::commands) struct VerifyEvidence {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The key of the tenant's log, as `vestibule audit key` prints it [default: the one in the file, which proves less]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

pub(super) fn run(verify: &VerifyEvidence, out: &mut dyn Write) -> anyhow::Result<()> {
    let VerifyEvidence { file, key } = verify;
    let key = key.as_deref().map(|key| key.trim().parse::<VerifierKey>()).transpose();
    let key =
        key.map_err(|error| anyhow!("--key: {error}: expected name+id+key as `vestibule audit key` prints"))?;
    let shown = file.display();
    let unreadable = || format!("{shown}: cannot be read");
    let length = fs::metadata(file).with_context(unreadable)?.len();
    ensure!(length <= MOST_BYTES, "{shown}: it is too long to be evidence");
    let text = fs::read_to_string(file).with_context(unreadable)?;
    let wrong = || format!("{shown} does not hold");
    let evidence = Evidence::from_json(&text).with_context(wrong)?;
    let checkpoint = evidence.verify(key.as_ref()).with_context(wrong)?;
    for proven in &evidence.events {
        let event = &proven.event;
        let at = crate::clock::Timestamp::from_millis(event.occurred_at);
        let gone = if proven.personal.is_some() { "" } else { ", with nothing personal" };
        writeln!(out, "{}: {at} {} {}{gone}", event.position, event.name, event.outcome)?;
    }
    let (count, origin, size) = (evidence.events.len(), &checkpoint.origin, checkpoint.size);
    writeln!(out, "{count} events hold: they are in the log {origin} of {size} events.")?;
    if key.is_none() {
        writeln!(
            out,
            "Checked by the key in the file. Whoever made the file may have made the key: give the log's own by --key.\n{}",
            evidence.verifier_key
        )?;
    }
    Ok(())
}
