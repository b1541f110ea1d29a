//! Logins against the hashes that the machine can compute.

use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Handle;
use vestibule::passwords::{Cost, Options};

use crate::bench::{Bench, costs, hash_text, share};
use crate::calls::Login;
use crate::installation::{Engine, Installation, Server};
use crate::limits;
use crate::load::{self, Load, as_f64};
use crate::process::{forget_peak, memory};
use crate::report::{Latency, Row};
use crate::seed::{self, Person};

const PART: &str = "Login";
/// The concurrency that the promises are about.
const CONNECTIONS: usize = 16;
/// What hashes were computed in is given back when nobody has logged in for ten seconds.
const GIVEN_BACK: Duration = Duration::from_secs(12);
/// `hash_deadline_ms`, in milliseconds.
const DEADLINE_MS: f64 = 1_000.0;
const USERS: usize = 2_000;
const MIB: f64 = 1024.0 * 1024.0;

/// Logins at each cost, on each database.
pub fn run(bench: &mut Bench, runtime: &Handle) -> Result<()> {
    bench.begin(PART);
    for cost in costs(bench.quick) {
        let options = Options { cost, ..Options::default() };
        for engine in bench.engines.clone() {
            at_cost(bench, runtime, engine, &options)?;
        }
    }
    Ok(())
}

fn at_cost(bench: &mut Bench, runtime: &Handle, engine: Engine, options: &Options) -> Result<()> {
    let installation = Installation::create(&bench.ground, engine)?;
    let people = runtime.block_on(async {
        let db = installation.database().await?;
        let hash = hash_text(&seed::password_hash(options)?);
        let people = seed::tenant_with_users(&installation, &db, USERS, &hash).await?;
        seed::gather_statistics(&db).await?;
        db.close().await;
        Ok::<_, anyhow::Error>(people)
    })?;
    let (kib, passes) = (options.cost.memory_kib.to_string(), options.cost.passes.to_string());
    let environment =
        [("VESTIBULE_ARGON2_MEMORY_KIB", kib.as_str()), ("VESTIBULE_ARGON2_PASSES", passes.as_str())];
    let server = installation.serve(&environment)?;
    measure(bench, runtime, engine, &server, &people, options)
}

/// People who log in, over so many connections.
pub fn callers(people: &[Person], connections: usize) -> Vec<Login> {
    share(people.to_vec(), connections).into_iter().map(Login::new).collect()
}

fn measure(
    bench: &mut Bench,
    runtime: &Handle,
    engine: Engine,
    server: &Server,
    people: &[Person],
    options: &Options,
) -> Result<()> {
    let cost = options.cost;
    let mut limits = Limits { options: options.clone(), last: hashes(bench, runtime, options)? };
    let what = format!("login, Argon2id {cost}");
    let rest = memory(server.pid(), "VmRSS")?;
    forget_peak(server.pid())?;

    let closed = bench.times.closed();
    let (row, _) = bench.measure((PART, &what), engine, server, closed, callers(people, CONNECTIONS))?;
    let most = limits.around(bench, runtime)?;
    let name = engine.name();
    bench.report.at_least(
        name,
        &format!("{what}: of the hashes' limit"),
        row.per_second.median / most,
        0.90,
        "",
    );
    let p99 = row.latency.map_or(f64::NAN, |latency| latency.p99);
    let fair = as_f64(CONNECTIONS as u64) / most * 1_000.0;
    bench.report.at_most(name, &format!("{what}: p99 ÷ (16 ÷ limit)"), p99 / fair, 2.5, "");
    bench.report.fact(name, &format!("{what}: the limit before and after it, hashes a second"), most);
    if !bench.quick {
        for connections in [1, 4, 64] {
            bench.measure((PART, &what), engine, server, closed, callers(people, connections))?;
        }
        let office = Load { one_address: true, ..closed };
        let from_one = format!("{what}, all from one address");
        bench.measure((PART, &from_one), engine, server, office, callers(people, CONNECTIONS))?;
        let rate = most * 0.7;
        bench.measure((PART, &what), engine, server, bench.times.open(rate), callers(people, 128))?;
    }
    let peak = memory(server.pid(), "VmHWM")?;
    limits.around(bench, runtime)?;
    overload(bench, runtime, (engine, server), people, &what, limits)?;
    memory_of(bench, engine, server, &what, cost, (rest, peak))
}

/// What can be hashed, measured before and after everything that is held against it: how fast memory is changes by the
/// minute where others share it.
struct Limits {
    options: Options,
    last: f64,
}

impl Limits {
    /// Measures it again: the mean of now and before.
    fn around(&mut self, bench: &mut Bench, runtime: &Handle) -> Result<f64> {
        let now = hashes(bench, runtime, &self.options)?;
        let mean = f64::midpoint(self.last, now);
        self.last = now;
        Ok(mean)
    }
}

/// Hashes a second, on all cores.
fn hashes(bench: &mut Bench, runtime: &Handle, options: &Options) -> Result<f64> {
    let row = runtime.block_on(limits::hashes(options, bench.times))?;
    let rate = row.per_second.median;
    bench.report.row(row);
    Ok(rate)
}

/// Four times as many as can be hashed.
fn overload(
    bench: &mut Bench,
    runtime: &Handle,
    (engine, server): (Engine, &Server),
    people: &[Person],
    what: &str,
    mut limits: Limits,
) -> Result<()> {
    let most = limits.last;
    // At this rate so many wait for a deadline at a time that all of them have a connection.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundreds")]
    let connections = ((most * 4.0 * 1.5) as usize).clamp(64, 1_800);
    let load = Load { warm_up: Duration::from_secs(2), ..bench.times.open(most * 4.0) };
    let (seen, _) = load::run(server.address, load, callers(people, connections), &server.meter)?;
    bench.warn(what, &seen);
    let rate = most * 4.0;
    let most = limits.around(bench, runtime)?;
    let name = engine.name();
    let succeed = format!("{what}: at 4× overload, of the limit still succeed");
    bench.report.at_least(name, &succeed, seen.per_second() / most, 0.85, "");
    let held_against = format!("{what}: the limit before and after 4× overload, hashes a second");
    bench.report.fact(name, &held_against, most);
    let refused = Latency::of(&seen.refused_latency).p99 - DEADLINE_MS;
    let late = format!("{what}: at 4× overload, p99 of the refused after the deadline");
    bench.report.at_most(name, &late, refused, 50.0, "ms");
    bench.report.row(Row::of(PART, name, what, format!("4× overload, {rate:.0}/s"), &[seen]));
    Ok(())
}

/// How much memory the load has taken, and whether it was given back.
fn memory_of(
    bench: &mut Bench,
    engine: Engine,
    server: &Server,
    what: &str,
    cost: Cost,
    (rest, peak): (u64, u64),
) -> Result<()> {
    let threads = std::thread::available_parallelism()?.get() as u64;
    let hashes = threads * u64::from(cost.memory_kib) * 1024;
    let most = (as_f64(memory(server.pid(), "VmHWM")?) - as_f64(rest)) / MIB;
    bench.report.fact(engine.name(), &format!("{what}: at 4× overload, peak memory − rest, MiB"), most);
    std::thread::sleep(GIVEN_BACK);
    let after = memory(server.pid(), "VmRSS")?;
    let beyond = (as_f64(peak) - as_f64(rest) - as_f64(hashes)) / MIB;
    let name = engine.name();
    bench.report.at_most(name, &format!("{what}: peak memory − rest − threads × m"), beyond, 30.0, "MiB");
    let kept = (as_f64(after) - as_f64(rest)) / MIB;
    bench.report.at_most(name, &format!("{what}: memory after the burst − rest"), kept, 15.0, "MiB");
    Ok(())
}
