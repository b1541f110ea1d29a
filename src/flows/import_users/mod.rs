//! Users move in from a file, batch by batch: a batch is one change, with its event and with how far the file has come.

mod destination;
mod judge;
mod statements;

pub use destination::{Destination, find_destination};
pub use judge::Outcome;

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use futures_util::future::join_all;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError};
use crate::error::FieldError;
use crate::ids::TenantId;
use crate::imports::{self, Credential, Line, Progress, Seen};
use crate::passwords::{Options, Passwords, Presence};

use judge::{judge, look, refers_ahead};

/// So many lines make a batch at most.
pub const BATCH: usize = 500;

/// A change that could not be made is tried so often, a second apart.
const ATTEMPTS: u32 = 10;

/// The least of a batch that is made true at once, however slow the machine is.
const LEAST: usize = 20;

/// A change should not take longer: on SQLite a server that writes beside us waits for it.
const SLOW: Duration = Duration::from_millis(150);

/// Who is told which lines do not go in.
pub trait Reporter {
    /// Before the change that passes them. Where that is undone the lines come again, perhaps with others.
    fn before(&mut self, outcomes: &[Outcome]) -> anyhow::Result<()>;
    /// When that is so, with how far the file has come.
    fn after(&mut self, outcomes: &[Outcome], progress: &Progress) -> anyhow::Result<()>;
}

/// The import of one file into one tenant.
#[derive(Debug)]
pub struct UserImport {
    db: Database,
    tenant: TenantId,
    /// The SHA-256 of the file, in hexadecimal; `None` for what can be read only once.
    file: Option<String>,
    dry_run: bool,
    progress: Progress,
    /// Of a dry run, all of the file; otherwise each batch begins anew, for the database knows the rest.
    seen: Seen,
    /// So many lines make a change, by how long the last ones took.
    size: usize,
    /// The last batch met names that were taken: the next one will as well.
    look_first: bool,
    hashing: Options,
    /// Started by the first password in clear.
    passwords: Option<Passwords>,
}

/// What came of an attempt at a batch.
enum Attempt {
    Done,
    /// The database refused it, for a reason that looking at it may tell.
    Refused(&'static str),
}

impl UserImport {
    /// Begins the import of a file, or goes on with it where an earlier run ended.
    pub async fn begin(
        db: &Database,
        tenant: &TenantId,
        file: Option<String>,
        dry_run: bool,
        hashing: Options,
        now: Timestamp,
    ) -> Result<Self, DbError> {
        let mut progress = Progress::default();
        if let Some(file) = &file {
            if !dry_run {
                db.apply(imports::store::begin(tenant, file, now)).await?;
            }
            let rows = db.fetch(imports::store::find(tenant, file)).await?;
            progress = rows.first().map_or_else(|| Ok(progress), Progress::from_row)?;
        }
        Ok(Self {
            db: db.clone(),
            tenant: tenant.clone(),
            file,
            dry_run,
            progress,
            seen: Seen::default(),
            size: BATCH,
            look_first: false,
            hashing,
            passwords: None,
        })
    }

    #[must_use]
    pub const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Lets lines in.
    pub async fn take(
        &mut self,
        mut lines: Vec<Line>,
        now: Timestamp,
        reporter: &mut dyn Reporter,
    ) -> anyhow::Result<()> {
        while !lines.is_empty() {
            let rest = lines.split_off(self.size.min(lines.len()));
            self.take_batch(lines, now, reporter).await?;
            lines = rest;
        }
        Ok(())
    }

    /// Lets a batch in. One that the database refuses is looked at; where nothing is seen (somebody took a name at
    /// the same moment) it is halved until the line is found.
    async fn take_batch(
        &mut self,
        batch: Vec<Line>,
        now: Timestamp,
        reporter: &mut dyn Reporter,
    ) -> anyhow::Result<()> {
        let mut left = vec![batch];
        while let Some(mut batch) = left.pop() {
            let mut looked = self.look_first || self.dry_run || has_clear(&batch) || refers_ahead(&batch);
            let refused = match self.attempt(&mut batch, looked, now, reporter).await? {
                Attempt::Refused(_) if !looked => {
                    looked = true;
                    self.attempt(&mut batch, looked, now, reporter).await?
                }
                attempt => attempt,
            };
            let Attempt::Refused(what) = refused else { continue };
            match batch.as_mut_slice() {
                [] => bail!("a batch of no lines was refused: {what}"),
                [line] => {
                    let field = match what {
                        "customer" => "customerId",
                        "user id" => "id",
                        _ => "username",
                    };
                    line.read = Err(vec![FieldError::new(field, "was taken or changed at the same moment")]);
                    left.push(batch);
                }
                _ => {
                    let second = batch.split_off(batch.len() / 2);
                    left.push(second);
                    left.push(batch);
                }
            }
        }
        Ok(())
    }

    /// Notes that the file has come to its end.
    pub async fn finish(&mut self, now: Timestamp) -> anyhow::Result<()> {
        let to = Progress { finished: true, ..self.progress };
        if let (Some(file), false) = (&self.file, self.dry_run) {
            let change = imports::store::advance(&self.tenant, file, &self.progress, &to, now);
            self.apply(change.into()).await?.map_err(|_| another_run())?;
        }
        self.progress = to;
        if let Some(passwords) = self.passwords.take() {
            passwords.close().await;
        }
        Ok(())
    }

    async fn attempt(
        &mut self,
        batch: &mut [Line],
        looked: bool,
        now: Timestamp,
        reporter: &mut dyn Reporter,
    ) -> anyhow::Result<Attempt> {
        let looks = if looked { Some(look(&self.db, &self.tenant, batch).await?) } else { None };
        if !self.dry_run {
            self.seen = Seen::default();
        }
        let verdicts = judge(batch, looks.as_deref(), &mut self.seen);
        if !self.dry_run {
            self.hash_clear(batch, &verdicts).await?;
        }
        let outcomes: Vec<Outcome> = verdicts.iter().flatten().cloned().collect();
        let to = self.progress_after(batch, &outcomes);
        reporter.before(&outcomes)?;
        if !self.dry_run {
            let good = batch.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
            let good: Vec<_> = good.filter_map(|(line, _)| line.read.as_deref().ok()).collect();
            let range = [batch.first(), batch.last()].map(|line| line.map(|line| line.number));
            let change = self.change(&good, range, &to, now);
            let started = Instant::now();
            match self.apply(change).await? {
                Ok(()) => self.adjust(started.elapsed()),
                Err("import") => return Err(another_run()),
                Err("tenant") => bail!("the tenant has been deleted"),
                Err(what) => return Ok(Attempt::Refused(what)),
            }
        }
        self.look_first = outcomes.iter().any(|outcome| outcome.present);
        self.progress = to;
        reporter.after(&outcomes, &self.progress)?;
        Ok(Attempt::Done)
    }

    fn adjust(&mut self, took: Duration) {
        if took > SLOW {
            self.size = (self.size / 2).max(LEAST);
        } else if took < SLOW / 4 {
            self.size = (self.size * 2).min(BATCH);
        }
    }

    /// Makes a change, patiently: what it demanded and did not get, if that is why it was not made.
    async fn apply(&self, change: Change) -> anyhow::Result<Result<(), &'static str>> {
        for attempt in 1.. {
            match self.db.apply(change.clone()).await {
                Ok(_) => break,
                Err(DbError::Refused(what)) => return Ok(Err(what)),
                Err(DbError::Unavailable(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Err(error) => {
                    return Err(error).context(
                        "the import stopped; run the same command again, and it goes on behind the last line that \
                         is in",
                    );
                }
            }
        }
        Ok(Ok(()))
    }

    fn progress_after(&self, batch: &[Line], outcomes: &[Outcome]) -> Progress {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let present = outcomes.iter().filter(|outcome| outcome.present).count();
        let last = batch.last().map_or(0, |line| line.number);
        Progress {
            lines_done: i64::try_from(last).unwrap_or(i64::MAX),
            created: self.progress.created + count(batch.len() - outcomes.len()),
            present: self.progress.present + count(present),
            refused: self.progress.refused + count(outcomes.len() - present),
            finished: false,
        }
    }

    /// Hashes the passwords in clear of those who can go in, on all cores; the lines stay in their order.
    async fn hash_clear(&mut self, batch: &mut [Line], verdicts: &[Option<Outcome>]) -> anyhow::Result<()> {
        if !has_clear(batch) {
            return Ok(());
        }
        if self.passwords.is_none() {
            self.passwords = Some(Passwords::start(self.hashing.clone())?);
        }
        let passwords = self.passwords.as_ref().context("just started")?;
        let tenant = self.tenant.as_str();
        let good = batch.iter_mut().zip(verdicts).filter(|(_, verdict)| verdict.is_none());
        let hashes = good.filter_map(|(line, _)| line.read.as_deref_mut().ok()).map(async |arrival| {
            if let Credential::Clear(password) = &arrival.credential {
                let ticket = passwords.ticket(tenant)?;
                let hash = passwords.hash(ticket, password.clone(), &Presence::always()).await?;
                arrival.credential = Credential::Hash(hash, Duration::ZERO);
            }
            anyhow::Ok(())
        });
        join_all(hashes).await.into_iter().collect()
    }
}

fn has_clear(batch: &[Line]) -> bool {
    batch
        .iter()
        .filter_map(|line| line.read.as_ref().ok())
        .any(|it| matches!(it.credential, Credential::Clear(_)))
}

fn another_run() -> anyhow::Error {
    anyhow!(
        "another run of this import is under way; let it come to its end, or stop it and run this command again"
    )
}
