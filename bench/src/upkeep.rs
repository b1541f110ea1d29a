//! Refreshes while the background deletes sessions that ended long ago (issue 6, point 4).

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::runtime::Handle;
use vestibule::db::{Database, Statement};

use crate::bench::{Bench, bring_to_life, share};
use crate::calls::{Live, Refresh};
use crate::installation::{Engine, Server};
use crate::load::{self, Load, as_f64};
use crate::operations::FEW;
use crate::report::{Latency, Row};
use crate::seed;

const PART: &str = "Upkeep";
const LIVE: usize = 10_000;
/// Longer ago than tenants keep what has ended, unless they say otherwise (`auditRetentionDays`, 400).
const ENDED_DAYS_AGO: i64 = 420;
/// Refreshes a second.
const RATE: f64 = 500.0;
/// Upkeep begins a minute after the server: what is quiet is measured before.
const QUIET: Load = Load {
    rate: Some(RATE),
    warm_up: Duration::from_secs(5),
    measured: Duration::from_secs(30),
    one_address: false,
};
const BUSY: Load = Load {
    rate: Some(RATE),
    warm_up: Duration::from_secs(2),
    measured: Duration::from_mins(1),
    one_address: false,
};
const BEGINS_WITHIN: Duration = Duration::from_mins(2);

/// Deletes so many.
pub fn run(bench: &mut Bench, runtime: &Handle, count: usize) -> Result<()> {
    bench.begin(PART);
    for engine in bench.engines.clone() {
        let seeded = runtime.block_on(bench.seed(engine, LIVE, LIVE))?;
        let db = runtime.block_on(async {
            let (db, master) = (seeded.installation.database().await?, seeded.installation.master()?);
            bench.bar.set_message(format!("{PART}: seeding {count} sessions that ended, {}", engine.name()));
            seed::ended_sessions(&db, &master, &seeded.people, count, ENDED_DAYS_AGO, &bench.bar).await?;
            Ok::<_, anyhow::Error>(db)
        })?;
        let before = runtime.block_on(seeded.installation.database_bytes())?;
        let server = seeded.installation.serve(&[])?;
        let live = bring_to_life(&server, &seeded.sessions, FEW)?;
        let log = seeded.installation.path("vestibule.db-wal");
        measure(bench, runtime, engine, &server, &db, live)?;
        let after = runtime.block_on(seeded.installation.database_bytes())?;
        bench.report.fact(
            engine.name(),
            "database after a minute of deletion ÷ before",
            as_f64(after) / as_f64(before),
        );
        if engine == Engine::Sqlite {
            let mib = as_f64(fs::metadata(log)?.len()) / 1_048_576.0;
            bench.report.at_most(
                engine.name(),
                "the log's file after a minute of deletion",
                mib,
                64.0,
                "MiB",
            );
        }
        runtime.block_on(db.close());
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    runtime: &Handle,
    engine: Engine,
    server: &Server,
    db: &Database,
    live: Vec<Live>,
) -> Result<()> {
    let name = engine.name();
    bench.bar.set_message(format!("{PART}: quiet, {name}"));
    let callers = share(live, FEW).into_iter().map(Refresh::new).collect();
    let (quiet, callers) = load::run(server.address, QUIET, callers, &server.meter)?;
    bench.warn("refresh, quiet", &quiet);

    bench.bar.set_message(format!("{PART}: while upkeep deletes, {name}"));
    let left = || runtime.block_on(ended(db));
    let (all, began) = (left()?, Instant::now());
    while left()? == all {
        ensure!(began.elapsed() < BEGINS_WITHIN, "nothing was deleted within {BEGINS_WITHIN:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let at_first = left()?;
    let (busy, _) = load::run(server.address, BUSY, callers, &server.meter)?;
    bench.warn("refresh, while upkeep deletes", &busy);
    let deleted = at_first - left()?;

    let p99 = |seen: &load::Seen| Latency::of(&seen.latency).p99;
    bench.report.at_most(
        name,
        "refresh while upkeep deletes: p99 ÷ quiet",
        p99(&busy) / p99(&quiet),
        1.5,
        "",
    );
    let seconds = (BUSY.warm_up + BUSY.measured).as_secs();
    let rate = as_f64(u64::try_from(deleted)?) / as_f64(seconds);
    bench.report.fact(name, "sessions deleted a second, meanwhile", rate);
    for (what, seen) in [("refresh, quiet", quiet), ("refresh, while upkeep deletes", busy)] {
        bench.report.row(Row::of(PART, name, what, format!("{RATE:.0}/s"), &[seen]));
    }
    Ok(())
}

/// Sessions that have ended and are still there.
async fn ended(db: &Database) -> Result<i64> {
    let count = Statement::new("select count(*) as ended from sessions where ended_at is not null");
    let rows = db.list(count).await?;
    Ok(rows.first().map_or(Ok(0), |row| row.int("ended"))?)
}
