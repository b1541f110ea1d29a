//! `vestibule user import`: users move in from a file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use serde_json::json;
use tokio::sync::mpsc;

use super::formats::{Format, peek};
use super::progress::{Display, per_second};
use super::report::Report;
use super::source::{Source, digest_of};
use super::{destination, open};
use crate::clock::Clock;
use crate::commands::Global;
use crate::commands::start::{breached_passwords, password_options, runtime};
use crate::config::Config;
use crate::flows::{BATCH, Destination, UserImport};
use crate::imports::{Arrival, Line, Premises, Progress};
use crate::passwords::Options;
use crate::users::peppers::remember_peppers;

const EXAMPLES: &str = "\
Examples:
  vestibule user import users.jsonl --tenant acme --dry-run   what would be, and what is wrong with the file
  vestibule user import users.jsonl --tenant acme --report problems.jsonl
  vestibule user import acme-realm.json --tenant acme         as Keycloak exported it
  zcat users.csv.gz | vestibule user import - --tenant acme --format csv

A run that was interrupted goes on behind the last line that is in when the same command is run again.
Ends with 0 when every user went in, and with 1 when a line was refused or its user was there already.
docs/import.md has every field.";

/// Longer than a batch of passwords in clear takes to hash on the slowest machine.
const HASH_DEADLINE: Duration = Duration::from_hours(1);

/// What `user import` takes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::commands) struct Import {
    /// The file; - is standard input, which cannot be gone on with after an interruption
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The tenant whose users they will be, by slug or id
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// How the file is written [default: by its ending, or by how it begins]
    #[arg(long)]
    format: Option<Format>,
    /// Check everything, names that are taken among it, and let nobody in
    #[arg(long)]
    dry_run: bool,
    /// Write every problem to this file, as JSON Lines
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Tell the outcome as JSON, and no progress
    #[arg(long)]
    json: bool,
}

pub(super) fn run(import: &Import, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    let outcome = runtime()?.block_on(import.run(&config))?;
    import.tell(&outcome, out)?;
    out.flush()?;
    let Progress { present, refused, .. } = outcome.progress;
    let word = if import.dry_run { "would not go in" } else { "did not go in" };
    ensure!(present + refused == 0, "{} of the lines {word}", present + refused);
    Ok(())
}

/// How an import ended.
struct Outcome {
    format: Format,
    digest: Option<String>,
    /// How far earlier runs had come.
    before: Progress,
    progress: Progress,
    took: Duration,
}

impl Import {
    async fn run(&self, config: &Config) -> anyhow::Result<Outcome> {
        let shown = self.file.display();
        let (size, digest) = if self.is_stdin() {
            (None, None)
        } else {
            (
                Some(self.file.metadata().with_context(|| format!("{shown}: cannot be read"))?.len()),
                Some(digest_of(&self.file)?),
            )
        };
        let (beginning, source) =
            if self.is_stdin() { peek(std::io::stdin()) } else { peek(File::open(&self.file)?) }
                .with_context(|| format!("{shown}: cannot be imported"))?;
        let format = self.format.unwrap_or_else(|| Format::guess(&self.file, &beginning));

        let db = open(config).await?;
        let Destination { tenant, house, name } = destination(&db, &self.tenant).await?;
        let clock = Clock::system();
        // A whole batch waits in the queue, and nobody for it.
        let hashing = Options { deadline: HASH_DEADLINE, ..password_options(config)? };
        let (hash_cost, peppers) = (hashing.cost, hashing.peppers.clone());
        remember_peppers(&db, &peppers, clock.now()).await?;
        let mut users =
            UserImport::begin(&db, &tenant.id, digest.clone(), self.dry_run, hashing, clock.now()).await?;
        let before = *users.progress();
        let display = Display::new(self.json, &before, source.position(), size);
        let mut report = Report::open(self.report.as_deref(), done(&before), display)?;
        if !before.finished {
            let premises = Premises {
                now: clock.now(),
                house,
                tenant_slug: tenant.slug,
                tenant_name: name,
                hash_cost,
                peppers,
                password_min_length: tenant.settings.password_min_length,
                breached: breached_passwords(config)?,
            };
            let (mut batches, reader) = start_reader(source, format, done(&before), premises);
            while let Some(batch) = batches.recv().await {
                users.take(batch, clock.now(), &mut report).await?;
            }
            let read = reader.join().map_err(|_| anyhow!("the reader panicked"))?;
            let read = read.with_context(|| format!("{shown}: cannot be imported further"))?;
            if let Some(digest) = &digest {
                ensure!(
                    read == *digest,
                    "{shown}: was changed while it was read; import what it is now, users who are in are passed over"
                );
            }
            users.finish(clock.now()).await?;
        }
        db.close().await;
        let took = report.into_display().end();
        Ok(Outcome { format, digest, before, progress: *users.progress(), took })
    }

    fn is_stdin(&self) -> bool {
        self.file == Path::new("-")
    }

    fn tell(&self, outcome: &Outcome, out: &mut dyn Write) -> anyhow::Result<()> {
        let Outcome { format, digest, before, progress, took } = outcome;
        let Progress { created, present, refused, .. } = progress;
        let read = created + present + refused;
        let here = read - before.created - before.present - before.refused;
        let rate = per_second(here, *took);
        if self.json {
            let summary = json!({
                "tenant": self.tenant,
                "fileDigest": digest,
                "format": format.as_str(),
                "dryRun": self.dry_run,
                "resumedAfterLine": before.lines_done,
                "read": read,
                "created": created,
                "present": present,
                "refused": refused,
                "milliseconds": u64::try_from(took.as_millis())?,
                "readPerSecond": rate,
            });
            return Ok(writeln!(out, "{summary}")?);
        }
        if before.finished {
            writeln!(out, "This file has been imported already; nothing was done.")?;
        } else if before.lines_done > 0 {
            writeln!(out, "Went on behind line {}, where an earlier run had ended.", before.lines_done)?;
        }
        let created_word = if self.dry_run { "would be created" } else { "created" };
        writeln!(out, "{read} read, {created} {created_word}, {present} there already, {refused} refused")?;
        if !before.finished {
            writeln!(out, "{here} in {:.1} s, {rate} a second", took.as_secs_f64())?;
        }
        Ok(())
    }
}

fn done(progress: &Progress) -> u64 {
    u64::try_from(progress.lines_done).unwrap_or_default()
}

/// Reads and judges entries on a thread of its own, batch by batch; at its end, the digest of what it read.
fn start_reader(
    mut source: Source,
    format: Format,
    done: u64,
    premises: Premises,
) -> (mpsc::Receiver<Vec<Line>>, JoinHandle<anyhow::Result<String>>) {
    // One batch is written while one waits and one is read.
    let (sender, batches) = mpsc::channel(1);
    let reader = std::thread::spawn(move || {
        let mut batch = Vec::with_capacity(BATCH);
        let mut wanted = true;
        format.read(&mut source, done, &mut |number, entry| {
            let read =
                entry.map_err(|problem| vec![problem]).and_then(|entry| Arrival::read(entry, &premises));
            batch.push(Line { number, read });
            if batch.len() == BATCH {
                wanted =
                    sender.blocking_send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))).is_ok();
            }
            wanted
        })?;
        if wanted && !batch.is_empty() {
            wanted = sender.blocking_send(batch).is_ok();
        }
        if !wanted {
            bail!("nobody takes what is read");
        }
        source.drain()?;
        Ok(source.digest())
    });
    (batches, reader)
}
