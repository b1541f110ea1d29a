//! Everything but logins: refreshes and session checks against what they are made of, and the other calls.

use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Handle;
use vestibule::ids::SessionId;

use crate::bare;
use crate::bench::{Bench, Seeded, bring_to_life, share};
use crate::calls::{self, Live, Prepared, Refresh, Register};
use crate::installation::{Engine, Server};
use crate::limits::{self, Commit, KeyRead, Token};
use crate::load::{self, Load};
use crate::process::Meter;
use crate::report::Row;
use crate::statements;

const PART: &str = "Sessions";
const SESSIONS: usize = 10_000;
/// More than the server remembers the tokens of (32,768): asked in turn, hardly one is found.
const MORE_THAN_REMEMBERED: usize = 45_000;
/// Enough callers that a group commit fills.
pub const MANY: usize = 64;
/// For what waits for nothing.
pub const FEW: usize = 16;

/// On each database: its limits first, then the server.
pub fn run(bench: &mut Bench, runtime: &Handle) -> Result<()> {
    bench.begin(PART);
    let signed = token_limits(bench, runtime)?;
    let bare = bare_http(bench)?;
    for engine in bench.engines.clone() {
        let sessions = if bench.quick { SESSIONS } else { MORE_THAN_REMEMBERED };
        let seeded = runtime.block_on(bench.seed(engine, sessions, sessions))?;
        let limits = runtime.block_on(database_limits(bench, &seeded))?;
        let server = seeded.installation.serve(&[])?;
        let live = bring_to_life(&server, &seeded.sessions, FEW)?;
        let live = refreshes(bench, engine, &server, live, &limits)?;
        let made_of = [&signed.1, &bare, &limits.read];
        if !bench.quick {
            check(
                bench,
                engine,
                &server,
                &live,
                ("session check, no token remembered", calls::check),
                &made_of,
            )?;
        }
        let live = &live[..SESSIONS];
        check(bench, engine, &server, live, ("session check", calls::check), &made_of)?;
        check(bench, engine, &server, live, ("introspection", calls::introspect), &made_of)?;
        others(bench, runtime, engine, &server, &seeded, live)?;
    }
    Ok(())
}

/// Signatures made and verified, on all cores.
fn token_limits(bench: &mut Bench, runtime: &Handle) -> Result<(Row, Row)> {
    let cores = std::thread::available_parallelism()?.get();
    let mut measure = |what, verify| -> Result<Row> {
        let workers = Token::workers(cores, verify)?;
        let row = runtime.block_on(limits::measure(what, "–", bench.times, &Meter::own(), workers))?;
        bench.report.row(row.clone());
        Ok(row)
    };
    Ok((measure("ES256 access token signed", false)?, measure("ES256 access token verified", true)?))
}

/// Answers of the bare server, as large as a session check's.
fn bare_http(bench: &mut Bench) -> Result<Row> {
    let server = bare::start(900)?;
    let headers = || vec![("authorization", format!("Bearer {}", "x".repeat(700)))];
    let callers: Vec<_> = (0..FEW).map(|_| calls::get("/api/v2.1/bare", headers())).collect();
    let (row, _) =
        bench.measure(("Limits", "bare HTTP"), Engine::Sqlite, &server, bench.times.closed(), callers)?;
    if let Some(last) = bench.report.rows.last_mut() {
        "–".clone_into(&mut last.engine);
    }
    Ok(row)
}

/// What a database can do without HTTP.
pub struct DatabaseLimits {
    commit: Row,
    pub read: Row,
    /// On PostgreSQL, the refreshes' statement by a client that does nothing else.
    bare: Option<Row>,
}

async fn database_limits(bench: &mut Bench, seeded: &Seeded) -> Result<DatabaseLimits> {
    let engine = seeded.installation.engine;
    let db = seeded.installation.database().await?;
    let meter = seeded.installation.meter()?;
    // Sessions that only this writes to: the server's callers find theirs as they were seeded.
    let master = seeded.installation.master()?;
    let own = crate::seed::sessions(&db, &master, &seeded.people, 2 * MANY, 2 * MANY, &bench.bar).await?;
    let commits = own.iter().take(MANY).map(|session| Commit::of(&db, session)).collect();
    let commit = limits::measure("durable group commit", engine.name(), bench.times, &meter, commits).await?;
    let tenant = &seeded.people[0].tenant.id;
    let ids: Vec<_> =
        seeded.sessions.iter().map(|session| SessionId::from_stored(session.id.clone())).collect();
    let reader = |number: usize| KeyRead {
        db: db.clone(),
        tenant: tenant.clone(),
        sessions: ids.clone(),
        next: number * ids.len() / FEW,
    };
    let reads = (0..FEW).map(reader).collect();
    let read = limits::measure("row read by key", engine.name(), bench.times, &meter, reads).await?;
    let bare = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => {
            let commits = own.iter().skip(MANY).map(|session| Commit::of(&db, session)).collect();
            let workers = statements::workers(&seeded.installation.database_url, commits).await?;
            let what = "refresh's statement, bare client";
            Some(limits::measure(what, engine.name(), bench.times, &meter, workers).await?)
        }
    };
    db.close().await;
    for row in [&commit, &read].into_iter().chain(&bare) {
        bench.report.row(row.clone());
    }
    Ok(DatabaseLimits { commit, read, bare })
}

fn refreshes(
    bench: &mut Bench,
    engine: Engine,
    server: &Server,
    live: Vec<Live>,
    limits: &DatabaseLimits,
) -> Result<Vec<Live>> {
    let what = (PART, "refresh");
    let callers = share(live, MANY).into_iter().map(Refresh::new).collect();
    let (row, callers) = bench.measure(what, engine, server, bench.times.closed(), callers)?;
    let (name, rate) = (engine.name(), row.per_second.median);
    bench.report.at_least(
        name,
        "refresh: of the durable commits",
        rate / limits.commit.per_second.median,
        0.5,
        "",
    );
    match &limits.bare {
        Some(bare) => {
            let ratio = rate / bare.per_second.median;
            bench.report.at_least(name, "refresh: of its statement by a bare client", ratio, 0.5, "");
        }
        None => bench.report.at_least(name, "refresh", rate, 5_000.0, "/s"),
    }
    let mut live: Vec<Live> = callers.into_iter().flat_map(Refresh::into_sessions).collect();
    if !bench.quick {
        for connections in [1, 16, 256] {
            let callers = share(live, connections).into_iter().map(Refresh::new).collect();
            let (_, callers) = bench.measure(what, engine, server, bench.times.closed(), callers)?;
            live = callers.into_iter().flat_map(Refresh::into_sessions).collect();
        }
        let callers = share(live, MANY).into_iter().map(Refresh::new).collect();
        let (_, callers) = bench.measure(what, engine, server, bench.times.open(1_000.0), callers)?;
        live = callers.into_iter().flat_map(Refresh::into_sessions).collect();
    }
    Ok(live)
}

/// Makes the calls of a caller for the sessions it has.
pub type Make = fn(&[Live]) -> Prepared;

/// Callers of calls that are made before.
pub fn prepared(live: &[Live], connections: usize, make: Make) -> Vec<Prepared> {
    share(live.to_vec(), connections).iter().map(|share| make(share)).collect()
}

fn check(
    bench: &mut Bench,
    engine: Engine,
    server: &Server,
    live: &[Live],
    (what, make): (&str, Make),
    made_of: &[&Row],
) -> Result<()> {
    let callers = prepared(live, FEW, make);
    let (row, callers) = bench.measure((PART, what), engine, server, bench.times.closed(), callers)?;
    let parts: f64 = made_of.iter().map(|row| row.cpu_micros).sum();
    let promise = format!("{what}: CPU ÷ (bare HTTP + verification + key read)");
    bench.report.at_most(engine.name(), &promise, row.cpu_micros / parts, 1.4, "");
    if !bench.quick {
        bench.measure((PART, what), engine, server, bench.times.open(2_000.0), callers)?;
    }
    Ok(())
}

fn others(
    bench: &mut Bench,
    runtime: &Handle,
    engine: Engine,
    server: &Server,
    seeded: &Seeded,
    live: &[Live],
) -> Result<()> {
    let closed = bench.times.closed();
    bench.measure((PART, "list, a page of 50"), engine, server, closed, prepared(live, FEW, calls::list))?;
    let person = &seeded.people[0];
    let cursor = runtime.block_on(calls::feed_cursor(server.address, person))?;
    let callers = (0..FEW).map(|_| calls::feed(person, Some(&cursor))).collect();
    bench.measure((PART, "revocation feed, nothing new"), engine, server, closed, callers)?;
    let callers = (0..FEW).map(|number| Register::new(person, format!("new-{number}"))).collect();
    bench.measure((PART, "registration, with its hash"), engine, server, closed, callers)?;
    // Last: it uses the sessions up.
    log_out(bench, (PART, "logout"), engine, server, live).map(drop)
}

/// Ends sessions, each once, for as long as there are any.
pub fn log_out(
    bench: &mut Bench,
    (part, what): (&str, &str),
    engine: Engine,
    server: &Server,
    live: &[Live],
) -> Result<Row> {
    let callers = prepared(live, MANY, calls::log_out);
    let load =
        Load { rate: None, warm_up: Duration::ZERO, measured: Duration::from_mins(1), one_address: false };
    let (seen, _) = load::run(server.address, load, callers, &server.meter)?;
    bench.warn(what, &seen);
    let row = Row::of(part, engine.name(), what, format!("{MANY} connections"), &[seen]);
    bench.report.row(row.clone());
    Ok(row)
}
