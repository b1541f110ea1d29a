//! Verifying a tenant's log: all that is sealed is computed anew from the rows, and compared with the stored hashes and
//! with what was signed.
//!
//! The hashes say which row is wrong; whether they are right themselves the checkpoints say.

use vestibule_audit::{Checkpoint, Frontier, Hash};

use crate::db::{Database, DbError, Row};
use crate::error::Error;
use crate::events::sealing::{self, AuditKey, Leaf, Problem, SealedLog, StoredTree};
use crate::ids::TenantId;

/// Events that are read at a time.
const PAGE: i64 = 1_000;

/// What a stored hash is that does not fit.
const HASH: &str = "what is stored of its hash is not whole, or was altered";

/// What was found of one log.
#[derive(Debug)]
pub struct LogReport {
    /// How many events are sealed.
    pub sealed: u64,
    /// How many have a number and are not sealed yet.
    pub waiting: u64,
    /// How many were deleted for their age.
    pub deleted: u64,
    /// What is wrong, at the first place where something is.
    pub problem: Option<Problem>,
}

/// Goes through a tenant's log. `given` are checkpoints from elsewhere, whose signatures hold.
pub async fn verify_log(
    db: &Database,
    key: Option<&AuditKey>,
    tenant: &TenantId,
    given: &[Checkpoint],
) -> Result<LogReport, Error> {
    let rows = db.fetch(sealing::store::find_head(tenant)).await?;
    let log = SealedLog::from_row(rows.first().ok_or(Error::NotFound)?)?;
    let mut report = LogReport { sealed: log.size, waiting: 0, deleted: 0, problem: None };
    let mut checkpoints: Vec<_> = given.iter().map(|one| (one.size, one.root)).collect();
    match log.signed(key) {
        Ok(Some(own)) => checkpoints.push((own.size, own.root)),
        Ok(None) => (),
        Err(problem) => report.problem = Some(problem),
    }
    checkpoints.sort_unstable();
    if let Some((size, _)) = checkpoints.iter().find(|(size, _)| *size > log.size) {
        let what = format!(
            "a checkpoint tells of {size} events and {} are sealed: those behind were taken away",
            log.size
        );
        report.problem.get_or_insert(Problem::at(log.size + 1, what));
    }
    let mut walk = Walk {
        db,
        key,
        tenant,
        next: 1,
        deleted_until: 0,
        stored: StoredTree::new(),
        from_rows: Frontier::new(),
        checkpoints: checkpoints.into(),
        confirmed: 0,
        rows: None,
        hashes: None,
        roots: None,
        size: log.size,
        deleted: 0,
    };
    let mut after = i64::MIN;
    loop {
        let rows = db.list(sealing::store::find_events(tenant, after, i64::MAX, PAGE)).await?;
        for row in &rows {
            after = row.int("position")?;
            walk.event(after, row).await?;
        }
        if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    walk.missing_until(log.position.max(log.size)).await?;
    walk.finish().await?;
    // What got its number meanwhile came behind.
    let newest = db.fetch(sealing::store::find_head(tenant)).await?;
    let newest = SealedLog::from_row(newest.first().ok_or(Error::NotFound)?)?;
    if walk.next - 1 > newest.position {
        walk.note_row(Problem::at(newest.position + 1, "stands behind the tenant's newest number"));
    }
    if walk.deleted_until.max(log.deleted_until) > newest.size {
        walk.note_row(Problem::at(
            newest.size + 1,
            "was deleted for its age, and is not sealed: it was taken away",
        ));
    }
    report.waiting = (walk.next - 1).saturating_sub(log.size);
    report.deleted = walk.deleted;
    report.problem = walk.problem().or(report.problem);
    Ok(report)
}

/// On the way through a log.
struct Walk<'a> {
    db: &'a Database,
    key: Option<&'a AuditKey>,
    tenant: &'a TenantId,
    /// The position that is looked at next.
    next: u64,
    /// Up to here events are known to have been deleted for their age.
    deleted_until: u64,
    /// The stored hashes, with the tree that they make.
    stored: StoredTree,
    /// The tree that the rows make.
    from_rows: Frontier,
    /// Those that were not come to yet, by size.
    checkpoints: std::collections::VecDeque<(u64, Hash)>,
    /// Up to here a checkpoint's root is that of the rows.
    confirmed: u64,
    /// The first row that is not what its hash says.
    rows: Option<Problem>,
    /// The first hash that is not there, or not that of those below it.
    hashes: Option<Problem>,
    /// The first signed root, a checkpoint's or a deletion's, that is neither the rows' nor the hashes'.
    roots: Option<Problem>,
    size: u64,
    deleted: u64,
}

impl Walk<'_> {
    /// Looks at a row; those before it are missing.
    async fn event(&mut self, position: i64, row: &Row) -> Result<(), Error> {
        let Some(position) = u64::try_from(position).ok().filter(|position| *position > 0) else {
            let id = Some(row.text("id")?);
            self.note_row(Problem { position: None, id, what: "has no number above 0".into() });
            return Ok(());
        };
        self.missing_until(position - 1).await?;
        if position < self.next {
            return Ok(());
        }
        self.next = position + 1;
        if position > self.size {
            return Ok(());
        }
        let (id, stored) = (row.text("id")?, self.stored.leaf(self.db, self.tenant, position - 1).await?);
        let hash = match Leaf::from_row(row) {
            Ok(leaf) => {
                if let Some(problem) = leaf.problem() {
                    self.note_row(Problem::of(position, &id, problem));
                }
                Some(leaf.hash())
            }
            Err(DbError::Failed(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if stored.is_none() {
            self.hashes.get_or_insert(Problem::at(position, HASH));
        } else if hash != stored {
            self.note_row(Problem::not_sealed(position, &id));
        }
        self.leaf(position, hash.or(stored), stored.or(hash)).await
    }

    /// Looks at the positions up to this one, which have no row. They may be any number, for whoever writes to the database
    /// writes also how many there are: from where neither a row nor a hash is left all are alike.
    async fn missing_until(&mut self, last: u64) -> Result<(), Error> {
        while self.next <= last {
            let position = self.next;
            // What says it may have come since the last look.
            if position > self.deleted_until && self.rows.is_none() {
                self.find_deletion(position).await?;
            }
            let is_deleted = position <= self.deleted_until;
            if !is_deleted {
                self.note_row(Problem::missing(position));
            }
            let is_sealed = position <= self.size;
            let stored =
                if is_sealed { self.stored.leaf(self.db, self.tenant, position - 1).await? } else { None };
            let alike = match stored {
                Some(_) => position,
                None if is_deleted => self.deleted_until.min(last),
                None => last,
            };
            self.next = alike + 1;
            self.deleted += if is_deleted { self.next - position } else { 0 };
            if stored.is_some() {
                self.leaf(position, stored, stored).await?;
            } else if is_sealed {
                self.hashes.get_or_insert(Problem::at(position, HASH));
            }
        }
        Ok(())
    }

    /// Looks for what says that this position may be missing. It was signed with the root of the log that it is of, so it
    /// is a checkpoint as well.
    async fn find_deletion(&mut self, position: u64) -> Result<(), Error> {
        let found = sealing::signed_deletion(self.db, self.key, self.tenant).await?;
        if let Some(found) = found.filter(|found| found.size >= position) {
            self.deleted_until = found.size;
            let at = self.checkpoints.partition_point(|(size, _)| *size < found.size);
            self.checkpoints.insert(at, (found.size, found.root));
        }
        Ok(())
    }

    /// Takes in a position's hash, as the row has it and as it is stored.
    async fn leaf(&mut self, position: u64, row: Option<Hash>, stored: Option<Hash>) -> Result<(), Error> {
        if stored.is_none() || !self.stored.push(self.db, self.tenant, stored.unwrap_or_default()).await? {
            self.hashes.get_or_insert(Problem::at(position, HASH));
        }
        self.from_rows.push(row.unwrap_or_default());
        while self.checkpoints.front().is_some_and(|(size, _)| *size == position) {
            let Some((_, root)) = self.checkpoints.pop_front() else { break };
            if self.from_rows.root() == root {
                self.confirmed = position;
            } else if self.stored.root() != root {
                let what = format!(
                    "of the events {} to {position} at least one was altered together with its hash: they do not give \
                     the root that was signed",
                    self.confirmed + 1
                );
                self.roots.get_or_insert(Problem::anywhere(what));
            }
        }
        Ok(())
    }

    /// The hashes of the last rows, which are not full.
    async fn finish(&mut self) -> Result<(), Error> {
        if !self.stored.finish(self.db, self.tenant).await? {
            self.hashes.get_or_insert(Problem::at(self.size, HASH));
        }
        Ok(())
    }

    fn note_row(&mut self, problem: Problem) {
        self.rows.get_or_insert(problem);
    }

    fn problem(&mut self) -> Option<Problem> {
        let row = self.rows.take().map(|row| match row.position {
            // The rows give a checkpoint's root that the hashes do not give: it is the hash that was altered.
            Some(position) if position <= self.confirmed && row.is_of_hash() => {
                Problem::at(position, "what is stored of its hash was altered; its row is what was sealed")
            }
            _ => row,
        });
        row.or(self.roots.take()).or(self.hashes.take())
    }
}
