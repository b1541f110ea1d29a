//! Two servers on one PostgreSQL, against one. Both stand on the same cores as the database, so what the sum can win is
//! what one process alone cannot use.

use std::thread;

use anyhow::{Result, anyhow};
use tokio::runtime::Handle;

use crate::bench::{Bench, bring_to_life, share};
use crate::calls::{Live, Refresh};
use crate::installation::{Engine, Server};
use crate::load;
use crate::operations::{FEW, MANY};
use crate::report::Row;

const PART: &str = "Two nodes";
const SESSIONS: usize = 10_000;

pub fn run(bench: &mut Bench, runtime: &Handle) -> Result<()> {
    if !bench.engines.contains(&Engine::Postgres) {
        return Ok(());
    }
    bench.begin(PART);
    let engine = Engine::Postgres;
    let seeded = runtime.block_on(bench.seed(engine, SESSIONS, SESSIONS))?;
    let one = seeded.installation.serve(&[])?;
    let live = bring_to_life(&one, &seeded.sessions, FEW)?;
    let callers = share(live, MANY).into_iter().map(Refresh::new).collect();
    let (alone, callers) =
        bench.measure((PART, "refresh, one node"), engine, &one, bench.times.closed(), callers)?;

    let live: Vec<Live> = callers.into_iter().flat_map(Refresh::into_sessions).collect();
    let other = seeded.installation.serve(&[])?;
    let mut halves = share(live, 2).into_iter();
    let mut rates = Vec::new();
    let on = |server: &Server, live: Vec<Live>| {
        let (address, meter, load) = (server.address, server.meter.clone(), bench.times.closed());
        let callers: Vec<_> = share(live, MANY / 2).into_iter().map(Refresh::new).collect();
        thread::spawn(move || load::run(address, load, callers, &meter).map(|(seen, _)| seen))
    };
    let running =
        [on(&one, halves.next().unwrap_or_default()), on(&other, halves.next().unwrap_or_default())];
    for (node, running) in running.into_iter().enumerate() {
        let seen = running.join().map_err(|_| anyhow!("the load's thread panicked"))??;
        rates.push(seen.per_second());
        let what = format!("refresh, node {} of two", node + 1);
        // PostgreSQL's time is in both, so the cost of each is not told here.
        let row = Row {
            cpu_micros: f64::NAN,
            ..Row::of(PART, engine.name(), &what, format!("{} connections", MANY / 2), &[seen])
        };
        bench.report.row(row);
    }
    let sum: f64 = rates.iter().sum();
    bench.report.fact(
        engine.name(),
        "refresh: two nodes' sum ÷ one node, on the same cores",
        sum / alone.per_second.median,
    );
    Ok(())
}
