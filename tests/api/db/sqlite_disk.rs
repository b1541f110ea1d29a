//! What reaches the disk, and when: watched, and made to fail, by strace. Always on SQLite.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use tempfile::TempDir;
use vestibule::db::{Database, DbError, Statement};

use crate::support::{self, process};

/// What a child does: its role is "pragma|journal|url".
fn write_and_tell(role: &str) {
    let mut words = role.splitn(3, '|');
    let (pragma, journal, url) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    process::block_on(async {
        let database = Database::open(&support::patient(url)).await.unwrap();
        database.execute_script(pragma).await.unwrap();
        let journal = Arc::new(OpenOptions::new().append(true).open(journal).unwrap());
        join_all((0..4).map(|writer| tokio::spawn(write(writer, database.clone(), Arc::clone(&journal)))))
            .await;
    });
    // Without closing anything: the log stays as the last write has left it.
    std::process::exit(0);
}

async fn write(writer: u32, database: Database, journal: Arc<File>) {
    for index in 0..25 {
        let marker = format!("marker-{writer}-{index};");
        let insert = Statement::new("insert into markers (marker) values ($1)").bind(&*marker);
        let word = match database.apply(insert).await {
            Ok(_) => "ack",
            Err(DbError::Unavailable(_)) => "unavailable",
            Err(DbError::UnknownOutcome(_)) => "unknown",
            Err(other) => panic!("{other:?}"),
        };
        (&*journal).write_all(format!("{word} {marker}\n").as_bytes()).unwrap();
    }
}

/// What a child said and what strace saw of it.
struct Observed {
    _directory: TempDir,
    journal: String,
    trace: String,
    in_database: HashSet<String>,
}

/// Runs `test` as a child under strace with `injection`, and looks at what it left behind.
fn observe(test: &str, pragma: &str, injection: &[&str]) -> Observed {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (journal, trace) = (at("journal"), at("trace"));
    File::create(&journal).unwrap();
    let url = format!("sqlite:{}", at("test.db").display());
    process::block_on(async {
        let database = Database::open(&support::patient(&url)).await.unwrap();
        database.execute_script("create table markers (marker text primary key) /*table*/").await.unwrap();
        database.close().await;
    });
    let role = format!("{pragma}|{}|{url}", journal.display());
    let options = [&["-s", "4200", "-e", "trace=pwrite64,fsync,fdatasync,write"], injection].concat();
    let status = process::traced_child(test, &role, &trace, &options).status().unwrap();
    let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    assert!(status.success(), "the child failed; its journal: {}", read(&journal));
    let in_database = process::block_on(async {
        let database = Database::open(&support::patient(&url)).await.unwrap();
        let rows = database.list(Statement::new("select marker from markers")).await.unwrap();
        rows.iter().map(|row| row.text("marker").unwrap()).collect()
    });
    Observed { journal: read(&journal), trace: read(&trace), in_database, _directory: directory }
}

impl Observed {
    /// The markers the child gave `word` for, in their order.
    fn told(&self, word: &str) -> Vec<&str> {
        self.journal.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
    }

    /// No acknowledged change is missing, and none is there of which it was said that it is not.
    fn check_truth(&self) {
        let lost: Vec<_> =
            self.told("ack").into_iter().filter(|told| !self.in_database.contains(*told)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        let denied: Vec<_> =
            self.told("unavailable").into_iter().filter(|told| self.in_database.contains(*told)).collect();
        assert!(denied.is_empty(), "denied and there: {denied:?}");
    }

    /// The markers that were acknowledged before the disk had them.
    ///
    /// A marker has reached the disk when a sync of the log has succeeded that began after the
    /// marker was first written into the log.
    fn acknowledged_too_early(&self) -> Vec<String> {
        let (mut written, mut syncs, mut early) = (HashMap::new(), Vec::new(), Vec::new());
        let mut begun = HashMap::new();
        for (now, line) in self.trace.lines().enumerate() {
            let thread = line.split(' ').next().unwrap_or_default();
            let good = line.trim_end().ends_with(" = 0");
            if line.contains(" pwrite64(") && line.contains("-wal>") {
                for marker in markers(line) {
                    written.entry(marker).or_insert(now);
                }
            } else if line.contains("sync(") && line.contains("-wal>") {
                if line.contains("<unfinished") {
                    begun.insert(thread, now);
                } else if good {
                    syncs.push((now, now));
                }
            } else if line.contains("sync resumed>") {
                let start = begun.remove(thread);
                syncs.extend(start.filter(|_| good).map(|start| (start, now)));
            } else if line.contains(" write(") && line.contains("/journal>, \"ack ") {
                for marker in markers(line) {
                    let covered = written.get(marker).is_some_and(|written| {
                        syncs.iter().any(|(start, end)| start > written && *end < now)
                    });
                    if !covered {
                        early.push(marker.to_owned());
                    }
                }
            }
        }
        early
    }
}

/// The markers in a line of the trace.
fn markers(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("marker-").filter_map(|(start, _)| {
        let end = line[start..].find(';')?;
        let marker = &line[start..=start + end];
        marker[7..marker.len() - 1]
            .chars()
            .all(|letter| letter.is_ascii_digit() || letter == '-')
            .then_some(marker)
    })
}

#[test]
fn R156_no_change_is_acknowledged_before_the_disk_has_it() {
    const TEST: &str = "db::sqlite_disk::R156_no_change_is_acknowledged_before_the_disk_has_it";
    if let Some(role) = process::role() {
        return write_and_tell(&role);
    }
    let observed = observe(TEST, "pragma synchronous = full", &[]);
    assert_eq!(observed.told("ack").len(), 100);
    assert_eq!(observed.acknowledged_too_early(), Vec::<String>::new());
    observed.check_truth();
    let syncs =
        observed.trace.lines().filter(|line| line.contains("sync(") && line.contains("-wal>")).count();
    assert!(syncs < 100, "{syncs} syncs for 100 changes of 4 callers: nothing was committed together");

    // The same eyes see it when it is not so.
    let careless = observe(TEST, "pragma synchronous = off", &[]);
    assert!(careless.acknowledged_too_early().len() > 50, "the check does not see a commit without a sync");
}

#[test]
fn R156_a_sync_that_fails_once_acknowledges_nothing_of_its_batch() {
    const TEST: &str = "db::sqlite_disk::R156_a_sync_that_fails_once_acknowledges_nothing_of_its_batch";
    if let Some(role) = process::role() {
        return write_and_tell(&role);
    }
    let observed =
        observe(TEST, "pragma synchronous = full", &["-e", "inject=fsync,fdatasync:error=EIO:when=8"]);
    assert!(observed.trace.contains("(INJECTED)"));
    assert_eq!(observed.acknowledged_too_early(), Vec::<String>::new());
    observed.check_truth();
    // The next commit was written over the one that failed, so that it is certain: nothing happened.
    assert!(
        !observed.told("unavailable").is_empty() && observed.told("unknown").is_empty(),
        "{}",
        observed.journal
    );
    assert!(observed.told("ack").len() > 50, "it goes on afterwards");
}

#[test]
fn R156_a_disk_that_syncs_no_more_acknowledges_nothing() {
    const TEST: &str = "db::sqlite_disk::R156_a_disk_that_syncs_no_more_acknowledges_nothing";
    if let Some(role) = process::role() {
        return write_and_tell(&role);
    }
    let observed =
        observe(TEST, "pragma synchronous = full", &["-e", "inject=fsync,fdatasync:error=EIO:when=8+"]);
    assert_eq!(observed.acknowledged_too_early(), Vec::<String>::new());
    observed.check_truth();
    let (acknowledged, unknown) = (observed.told("ack").len(), observed.told("unknown").len());
    assert!(unknown > 50 && acknowledged < 50, "{}", observed.journal);
}

#[test]
fn R156_a_full_disk_acknowledges_nothing_and_recovers_when_space_returns() {
    const TEST: &str =
        "db::sqlite_disk::R156_a_full_disk_acknowledges_nothing_and_recovers_when_space_returns";
    if let Some(role) = process::role() {
        return write_and_tell(&role);
    }
    let observed =
        observe(TEST, "pragma synchronous = full", &["-e", "inject=pwrite64:error=ENOSPC:when=30..45"]);
    assert!(observed.trace.contains("(INJECTED)"));
    assert_eq!(observed.acknowledged_too_early(), Vec::<String>::new());
    observed.check_truth();
    let lines: Vec<_> = observed.journal.lines().collect();
    let last_failure = lines.iter().rposition(|line| !line.starts_with("ack")).expect("failures");
    assert!(lines.len() > last_failure + 10, "it recovers: {}", observed.journal);
}
