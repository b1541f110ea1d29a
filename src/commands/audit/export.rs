//! `vestibule audit export`: the sealed events as JSON Lines, and on from where the last export ended.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use serde::Deserialize;

use super::logs;
use crate::commands::Global;
use crate::commands::desk::{Desk, at_the_desk};
use crate::flows::export_events;

const EXAMPLES: &str = "\
Examples:
  vestibule audit export --out events.jsonl                 again later: what is new is appended
  vestibule audit export --tenant acme --after 4711 | ship-to-archive

Each line is one event with all that is sealed of it, and its personal part with the salt. Of the events of a tenant
none is left out or written twice, also after an export that was killed: an unfinished last line is taken off first.
The file is yours to keep: who is erased in the database later still stands in it.";

/// What `audit export` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::commands) struct Export {
    /// The tenant whose events to write, by slug or id [default: all, and Vestibule's own]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Begin after this position
    #[arg(long, value_name = "POSITION", requires = "tenant")]
    after: Option<u64>,
    /// The file to append to, made readable by you alone; it says itself how far it is [default: standard output]
    #[arg(long, value_name = "PATH", conflicts_with = "after")]
    pub(super) out: Option<PathBuf>,
}

/// How far each tenant is, by id.
type Positions = BTreeMap<String, u64>;

pub(super) fn run(export: &Export, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    at_the_desk(global, async |desk| {
        let Some(path) = &export.out else {
            return write(export, desk, &Positions::new(), out).await.map(drop);
        };
        let (file, positions) = open(path)?;
        let written = write(export, desk, &positions, &mut BufWriter::new(&file)).await?;
        file.sync_all().with_context(|| format!("--out {}: cannot be written", path.display()))?;
        for (slug, events, position) in written {
            writeln!(out, "{slug}: {events} events written, up to position {position}")?;
        }
        Ok(())
    })
}

/// Writes what comes after these positions: how many events of each log, and up to where.
async fn write(
    export: &Export,
    desk: &Desk,
    positions: &Positions,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<(String, u64, u64)>> {
    let mut written = Vec::new();
    for log in logs(desk, export.tenant.as_deref()).await? {
        let after = positions.get(log.tenant.as_str()).copied().or(export.after).unwrap_or(0);
        let (events, position) = export_events(&desk.db, &log.tenant, after, out).await?;
        written.push((log.slug, events, position));
    }
    Ok(written)
}

/// A line, as far as it says where the export is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    tenant_id: String,
    position: u64,
}

/// The file, at the end of its last whole line, and how far it is.
fn open(path: &Path) -> anyhow::Result<(File, Positions)> {
    let failed = || format!("--out {}: cannot be written", path.display());
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path);
    let mut file = file.with_context(failed)?;
    // Two that begin behind the same line would write everything behind it twice.
    ensure!(
        file.try_lock().is_ok(),
        "--out {}: another export is writing to it; wait for its end and try again",
        path.display()
    );
    let (mut positions, mut whole) = (Positions::new(), 0_u64);
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).with_context(failed)?;
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        let foreign =
            || anyhow!("--out {}: line {number} is none of an export; name another file", path.display());
        let Line { tenant_id, position } = serde_json::from_slice(&line).map_err(|_| foreign())?;
        let before = positions.insert(tenant_id, position);
        ensure!(before.is_none_or(|before| before < position), foreign());
        whole += read as u64;
    }
    drop(reader);
    file.set_len(whole).with_context(failed)?;
    file.seek(SeekFrom::End(0)).with_context(failed)?;
    Ok((file, positions))
}
