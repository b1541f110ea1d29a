//! Whether a call costs the same however much there is: sessions and tenants by the powers of ten.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::runtime::Handle;
use vestibule::db::Statement;
use vestibule::passwords::Options;

use crate::bench::{Bench, SESSIONS_EACH, Seeded, bring_to_life, share};
use crate::calls::{self, Live, Refresh};
use crate::installation::{Engine, Installation, Server};
use crate::load::as_f64;
use crate::login;
use crate::operations::{FEW, MANY, Make, prepared};
use crate::plan::Times;
use crate::report::Row;
use crate::seed;

/// Sessions that are called for: as many at every size, spread over all of them.
const SAMPLE: usize = 10_000;
/// Sessions beside the tenants whose number is varied.
const SESSIONS_BESIDE_TENANTS: usize = 50_000;
const SETTLES_WITHIN: Duration = Duration::from_mins(15);
/// Longer than a few events take to be sealed.
const MUCH: Duration = Duration::from_secs(2);
/// What the server does each minute it does for the first time a minute after its start; in seconds, the latter with some air.
const ROUND_EVERY: u64 = 60;
const ROUND_TAKES: u64 = 10;
/// The dearest may cost so much more than the cheapest.
const BOUND: f64 = 1.3;

/// Sizes are what they are for a whole run, or for a quick one.
pub fn run(bench: &mut Bench, runtime: &Handle, sessions: &[usize], tenants: &[usize]) -> Result<()> {
    bench.begin("Growth");
    let brief = if bench.quick { Times::QUICK } else { Times::BRIEF };
    let times = std::mem::replace(&mut bench.times, brief);
    let outcome = grow(bench, runtime, sessions, tenants);
    bench.times = times;
    outcome
}

fn grow(bench: &mut Bench, runtime: &Handle, sessions: &[usize], tenants: &[usize]) -> Result<()> {
    for engine in bench.engines.clone() {
        let mut costs = Costs::default();
        for &count in sessions {
            let users_alone = runtime.block_on(bench.seed_users(engine, count))?;
            let empty = runtime.block_on(users_alone.installation.database_bytes())?;
            let seeded = runtime.block_on(bench.seed_sessions(engine, users_alone, count, SAMPLE))?;
            let bytes = runtime.block_on(seeded.installation.database_bytes())?;
            let each = (as_f64(bytes) - as_f64(empty)) / as_f64(count as u64);
            bench.report.fact(
                engine.name(),
                &format!("bytes on disk for each of {count} sessions, with indexes"),
                each,
            );
            measure(bench, engine, &seeded, &format!("{count} sessions"), &mut costs)?;
        }
        costs.promise(bench, engine, "sessions");
        let mut costs = Costs::default();
        for &count in tenants {
            let seeded = runtime.block_on(seed_tenants(bench, engine, count))?;
            measure(bench, engine, &seeded, &format!("{count} tenants"), &mut costs)?;
        }
        costs.promise(bench, engine, "tenants");
    }
    Ok(())
}

async fn seed_tenants(bench: &Bench, engine: Engine, count: usize) -> Result<Seeded> {
    bench.bar.set_message(format!("seeding {count} tenants, {}", engine.name()));
    let installation = Installation::create(&bench.ground, engine)?;
    let (db, master) = (installation.database().await?, installation.master()?);
    let hash = seed::password_hash(&Options::default())?;
    // Nobody has more sessions than a login leaves them.
    let users = (SESSIONS_BESIDE_TENANTS / SESSIONS_EACH / count).max(1);
    let people = seed::tenants(&db, &master, (count, users), &hash, &bench.bar).await?.concat();
    let sessions = seed::sessions(&db, &master, &people, SESSIONS_BESIDE_TENANTS, SAMPLE, &bench.bar).await?;
    db.close().await;
    Ok(Seeded { installation, people, sessions })
}

/// What each call costs at each size.
#[derive(Default)]
struct Costs(Vec<(String, Vec<f64>)>);

impl Costs {
    fn note(&mut self, what: &str, row: &Row) {
        match self.0.iter_mut().find(|(name, _)| name == what) {
            Some((_, costs)) => costs.push(row.cpu_micros),
            None => self.0.push((what.to_owned(), vec![row.cpu_micros])),
        }
    }

    fn promise(&self, bench: &mut Bench, engine: Engine, over: &str) {
        for (what, costs) in &self.0 {
            let dearest = costs.iter().copied().fold(f64::MIN, f64::max);
            let cheapest = costs.iter().copied().fold(f64::MAX, f64::min);
            let promise = format!("{what}: CPU of the dearest ÷ the cheapest over all numbers of {over}");
            bench.report.at_most(engine.name(), &promise, dearest / cheapest, BOUND, "");
        }
    }
}

fn measure(bench: &mut Bench, engine: Engine, seeded: &Seeded, size: &str, costs: &mut Costs) -> Result<()> {
    let server = seeded.installation.serve(&[])?;
    let started = format!("start to ready at {size}");
    bench.report.fact(engine.name(), &started, server.ready_after.as_secs_f64() * 1_000.0);
    let part = format!("Growth: {size}");
    settle(bench, engine, &server, seeded, size)?;
    let live = bring_to_life(&server, &seeded.sessions, FEW)?;
    let closed = bench.times.closed();

    let callers = share(live, MANY).into_iter().map(Refresh::new).collect();
    let (row, callers) = bench.measure((&part, "refresh"), engine, &server, closed, callers)?;
    costs.note("refresh", &row);
    let live: Vec<Live> = callers.into_iter().flat_map(Refresh::into_sessions).collect();
    let kinds: [(&str, Make); 3] =
        [("session check", calls::check), ("introspection", calls::introspect), ("list", calls::list)];
    for (what, make) in kinds {
        let callers = prepared(&live, FEW, make);
        let (row, _) = bench.measure((&part, what), engine, &server, closed, callers)?;
        costs.note(what, &row);
    }
    let logins = login::callers(&seeded.people[..seeded.people.len().min(SAMPLE)], FEW);
    let (row, _) = bench.measure((&part, "login"), engine, &server, closed, logins)?;
    costs.note("login", &row);
    feed(bench, engine, &server, seeded, &part, costs)?;
    let row = crate::operations::log_out(bench, (&part, "logout"), engine, &server, &live)?;
    costs.note("logout", &row);
    Ok(())
}

/// Waits until the server has numbered and sealed the events that seeding has left, and where that were many, until it has told
/// of each log, which it does each minute: nobody's calls are to pay for it.
fn settle(bench: &mut Bench, engine: Engine, server: &Server, seeded: &Seeded, size: &str) -> Result<()> {
    bench.bar.set_message(format!("Growth: {size}: its events are being sealed, {}", engine.name()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let began = Instant::now();
    runtime.block_on(async {
        let db = seeded.installation.database().await?;
        let left = Statement::new(
            "select (select count(*) from events where position is null) + \
             (select count(*) from event_heads where sealed < position) as n",
        );
        while db.list(left.clone()).await?.first().map_or(Ok(0), |row| row.int("n"))? > 0 {
            anyhow::ensure!(
                began.elapsed() < SETTLES_WITHIN,
                "events are not sealed within {SETTLES_WITHIN:?}"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        db.close().await;
        Ok(())
    })?;
    let took = began.elapsed();
    let what = format!("until the events of seeding were sealed at {size}, seconds");
    bench.report.fact(engine.name(), &what, took.as_secs_f64());
    if took > MUCH {
        let cpu = server.meter.cpu();
        let rounds = took.as_secs() / ROUND_EVERY + 1;
        std::thread::sleep(Duration::from_secs(rounds * ROUND_EVERY + ROUND_TAKES).saturating_sub(took));
        let what = format!("a round of each minute's upkeep at {size}, processor seconds");
        bench.report.fact(engine.name(), &what, server.meter.cpu().saturating_sub(cpu).as_secs_f64());
    }
    Ok(())
}

fn feed(
    bench: &mut Bench,
    engine: Engine,
    server: &Server,
    seeded: &Seeded,
    part: &str,
    costs: &mut Costs,
) -> Result<()> {
    let person = &seeded.people[0];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let cursor = runtime.block_on(calls::feed_cursor(server.address, person))?;
    let callers = (0..FEW).map(|_| calls::feed(person, Some(&cursor))).collect();
    let what = "revocation feed";
    let (row, _) = bench.measure((part, what), engine, server, bench.times.closed(), callers)?;
    costs.note(what, &row);
    Ok(())
}
