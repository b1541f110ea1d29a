//! One tenant logs in at ten times its share; another one's logins and refreshes meanwhile (R023, R038).

use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::runtime::Handle;
use vestibule::passwords::Options;

use crate::bench::{Bench, bring_to_life, share};
use crate::calls::{Live, Login, Refresh};
use crate::installation::{Engine, Installation, Server};
use crate::limits;
use crate::load::{self, Seen, as_f64};
use crate::login;
use crate::report::{Latency, Row};
use crate::seed::{self, Person};

const PART: &str = "Flood";
const TENANTS: usize = 2;
/// Of each tenant who log in; and as many who refresh.
const USERS: usize = 500;
/// Refreshes a second of the tenant that does not flood.
const REFRESHES: f64 = 100.0;

pub fn run(bench: &mut Bench, runtime: &Handle) -> Result<()> {
    bench.begin(PART);
    let limit = runtime.block_on(limits::hashes(&Options::default(), bench.times))?;
    for engine in bench.engines.clone() {
        let installation = Installation::create(&bench.ground, engine)?;
        let (people, sessions) = runtime.block_on(async {
            let (db, master) = (installation.database().await?, installation.master()?);
            let hash = seed::password_hash(&Options::default())?;
            let people = seed::tenants(&db, &master, (TENANTS, 2 * USERS), &hash, &bench.bar).await?;
            // Of those who do not log in: a login may end a user's oldest session.
            let refreshing = &people[0][..USERS];
            let sessions = seed::sessions(&db, &master, refreshing, USERS, USERS, &bench.bar).await?;
            db.close().await;
            Ok::<_, anyhow::Error>((people, sessions))
        })?;
        let server = installation.serve(&[])?;
        let live = bring_to_life(&server, &sessions, 8)?;
        measure(bench, engine, &server, &people, live, limit.per_second.median)?;
    }
    Ok(())
}

/// What the quiet tenant saw.
struct Quiet {
    logins: Seen,
    refreshes: Seen,
    live: Vec<Live>,
}

fn measure(
    bench: &mut Bench,
    engine: Engine,
    server: &Server,
    people: &[Vec<Person>],
    live: Vec<Live>,
    limit: f64,
) -> Result<()> {
    // Its share of two tenants; it takes a fifth of that, so that it never waits for itself.
    let share_of_one = limit / as_share(TENANTS);
    let quietly = Quietly { bench, server, people: &people[0][USERS..], logins: share_of_one / 5.0 };
    let Quiet { logins, refreshes, live } = quietly.run(live)?;
    let quiet = (logins, refreshes);

    let flooders = people[1].clone();
    let (address, meter) = (server.address, server.meter.clone());
    let longer = load::Load {
        warm_up: Duration::from_millis(500),
        measured: bench.times.warm_up + bench.times.measured + Duration::from_secs(2),
        ..bench.times.open(share_of_one * 10.0)
    };
    let flooding = thread::spawn(move || {
        load::run(address, longer, login::callers(&flooders, 1_000), &meter).map(|(seen, _)| seen)
    });
    // Until its queue is full.
    thread::sleep(Duration::from_millis(1_500));
    let flooded = quietly.run(live)?;
    let flood = flooding.join().map_err(|_| anyhow!("the flood's thread panicked"))??;

    let name = engine.name();
    let rate = quietly.logins;
    for (what, quiet, flooded) in
        [("login", &quiet.0, &flooded.logins), ("refresh", &quiet.1, &flooded.refreshes)]
    {
        let p99 = |seen: &Seen| Latency::of(&seen.latency).p99;
        bench.report.fact(
            name,
            &format!("other tenant's {what} in a flood: p99 ÷ quiet"),
            p99(flooded) / p99(quiet),
        );
        bench.report.fact(name, &format!("other tenant's {what} in a flood: p99, ms"), p99(flooded));
        let lost = as_f64(flooded.refused + flooded.failed)
            / as_f64(flooded.refused + flooded.failed + flooded.done);
        bench.report.at_most(
            name,
            &format!("other tenant's {what} in a flood: share that was refused"),
            lost,
            0.01,
            "",
        );
    }
    let load = |rate: f64| format!("{rate:.0}/s");
    for (what, load, seen) in [
        ("login, quiet", load(rate), quiet.0),
        ("login, in the flood", load(rate), flooded.logins),
        ("refresh, quiet", load(REFRESHES), quiet.1),
        ("refresh, in the flood", load(REFRESHES), flooded.refreshes),
        ("the flood's logins", load(share_of_one * 10.0), flood),
    ] {
        bench.warn(what, &seen);
        bench.report.row(Row::of(PART, name, what, load, &[seen]));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a handful")]
const fn as_share(tenants: usize) -> f64 {
    tenants as f64
}

struct Quietly<'a> {
    bench: &'a Bench,
    server: &'a Server,
    people: &'a [Person],
    /// A second.
    logins: f64,
}

impl Quietly<'_> {
    /// Logs in and refreshes at the same time, both at a fixed rate.
    fn run(&self, live: Vec<Live>) -> Result<Quiet> {
        let times = self.bench.times;
        let (address, meter) = (self.server.address, self.server.meter.clone());
        let logins: Vec<Login> = login::callers(self.people, 32);
        let (login_load, refresh_load) = (times.open(self.logins), times.open(REFRESHES));
        let logging_in = thread::spawn(move || load::run(address, login_load, logins, &meter));
        let callers = share(live, 16).into_iter().map(Refresh::new).collect();
        let (refreshes, callers) = load::run(address, refresh_load, callers, &self.server.meter)?;
        let (logins, _) = logging_in.join().map_err(|_| anyhow!("the load's thread panicked"))??;
        Ok(Quiet { logins, refreshes, live: callers.into_iter().flat_map(Refresh::into_sessions).collect() })
    }
}
