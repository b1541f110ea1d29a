//! A process that is killed at any moment loses nothing it has acknowledged.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vestibule::db::{Change, Database, Statement};

use crate::support::dice::Dice;
use crate::support::{self, process};

const TEST: &str = "db::crashes::R154_no_kill_loses_an_acknowledged_change_or_leaves_half_of_one";
const CYCLES: u64 = 32;
const PER_CYCLE: u64 = 35;

/// What a child does until it is killed: its role is "cycle journal url".
fn write_until_killed(role: &str) {
    let mut words = role.splitn(3, ' ');
    let (cycle, journal, url) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    process::block_on(async {
        let database = Database::open(&support::patient(url)).await.unwrap();
        // Opened to append: each acknowledgement is one write, whole or absent.
        let journal = Arc::new(OpenOptions::new().append(true).open(journal).unwrap());
        let writers: Vec<_> = (0..24)
            .map(|writer| {
                let (database, journal) = (database.clone(), Arc::clone(&journal));
                tokio::spawn(write_on(database, journal, format!("{cycle}-{writer}")))
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

async fn write_on(database: Database, journal: Arc<File>, prefix: String) {
    for index in 0.. {
        let id = format!("{prefix}-{index}");
        let half = |sql| Statement::new(sql).bind(&*id);
        // Every third change is one statement, which PostgreSQL commits another way.
        let change = if index % 3 == 0 {
            Change::from(half("insert into alone (id) values ($1)"))
        } else {
            Change::new().with(half("insert into first (id) values ($1)")).with(
                half("insert into second (id) select id from first where id = $1 returning id")
                    .must_change("it"),
            )
        };
        if database.apply(change).await.is_ok() {
            (&*journal).write_all(format!("{id}\n").as_bytes()).unwrap();
        }
    }
}

async fn ids(database: &Database, sql: &'static str) -> HashSet<String> {
    let rows = database.list(Statement::new(sql)).await.unwrap();
    rows.iter().map(|row| row.text("id").unwrap()).collect()
}

fn acknowledged(journal: &Path) -> Vec<String> {
    std::fs::read_to_string(journal).unwrap().lines().map(str::to_owned).collect()
}

/// Waits until the journal has grown to `lines`.
fn wait_for(journal: &Path, lines: usize) {
    let patience = Instant::now() + Duration::from_secs(30);
    while acknowledged(journal).len() < lines {
        assert!(Instant::now() < patience, "the child does not get on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn R154_no_kill_loses_an_acknowledged_change_or_leaves_half_of_one() {
    if let Some(role) = process::role() {
        return write_until_killed(&role);
    }
    process::block_on(async {
        let database = support::database().await;
        let script = "create table alone (id text primary key) /*table*/;\
                      create table first (id text primary key) /*table*/;\
                      create table second (id text primary key) /*table*/;";
        database.execute_script(script).await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let journal = directory.path().join("journal");
        File::create(&journal).unwrap();
        // Nobody else has the file open, so that SQLite recovers its log after each kill.
        database.close().await;

        let mut dice = Dice::new(154);
        for cycle in 0..CYCLES {
            let enough = acknowledged(&journal).len() + usize::try_from(PER_CYCLE + dice.below(40)).unwrap();
            let role = format!("{cycle} {} {}", journal.display(), database.url);
            let mut child = process::child(TEST, &role).spawn().unwrap();
            wait_for(&journal, enough);
            std::thread::sleep(Duration::from_micros(dice.below(5000)));
            child.kill().unwrap();
            child.wait().unwrap();

            let again = database.open_again().await;
            let first = ids(&again, "select id from first").await;
            let second = ids(&again, "select id from second").await;
            let alone = ids(&again, "select id from alone").await;
            if support::on_postgres() {
                // The server may still be at work on what the dead process sent it last.
                assert!(first.len().abs_diff(second.len()) <= 24);
            } else {
                assert_eq!(first, second, "half a change after cycle {cycle}");
            }
            let is_there = |id: &String| alone.contains(id) || (first.contains(id) && second.contains(id));
            let lost: Vec<_> = acknowledged(&journal).into_iter().filter(|id| !is_there(id)).collect();
            assert!(lost.is_empty(), "acknowledged and lost in cycle {cycle}: {lost:?}");
            again.close().await;
        }
        assert!(acknowledged(&journal).len() >= 1000);
        let half = "select id from first except select id from second union all \
                    select id from second except select id from first";
        assert!(ids(&database.open_again().await, half).await.is_empty());
    });
}
