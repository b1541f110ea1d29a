//! What every part of the benchmark works with, and what they share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use vestibule::passwords::{Cost, Options, PasswordHash};

use crate::calls::{Live, RefreshOnce};
use crate::installation::{Engine, Ground, Installation, Server};
use crate::load::{self, Caller, Load, Seen};
use crate::plan::Times;
use crate::report::{Report, Row};
use crate::seed::{self, Person, Session};

/// A run of the benchmark.
pub struct Bench {
    pub ground: Arc<Ground>,
    pub times: Times,
    pub quick: bool,
    pub engines: Vec<Engine>,
    pub report: Report,
    pub bar: ProgressBar,
}

/// An installation with people who have sessions.
pub struct Seeded {
    pub installation: Installation,
    pub people: Vec<Person>,
    pub sessions: Vec<Session>,
}

/// Seeded sessions that each user has.
pub const SESSIONS_EACH: usize = 5;

impl Bench {
    /// A part begins.
    pub fn begin(&mut self, part: &str) {
        let engines: Vec<_> = self.engines.iter().map(|engine| engine.name()).collect();
        self.report.forget(part, &engines);
        self.bar.set_message(part.to_owned());
        self.bar.set_length(0);
        self.bar.set_position(0);
    }

    /// Loads a server as often as the plan says, and notes what was seen.
    pub fn measure<C: Caller>(
        &mut self,
        (part, what): (&str, &str),
        engine: Engine,
        server: &Server,
        load: Load,
        callers: Vec<C>,
    ) -> Result<(Row, Vec<C>)> {
        let told = match load.rate {
            None => format!("{} connections", callers.len()),
            Some(rate) => format!("{rate:.0}/s"),
        };
        self.bar.set_message(format!("{part}: {what}, {}, {told}", engine.name()));
        let (mut runs, mut callers) = (Vec::new(), callers);
        for run in 0..self.times.repeats {
            // Only the first of them meets what is cold.
            let warm_up = if run == 0 { load.warm_up } else { Duration::from_millis(200) };
            let (seen, back) = load::run(server.address, Load { warm_up, ..load }, callers, &server.meter)?;
            self.warn(what, &seen);
            runs.push(seen);
            callers = back;
        }
        let (failed, done) =
            runs.iter().fold((0, 0), |(failed, done), seen| (failed + seen.failed, done + seen.done));
        anyhow::ensure!(failed * 1_000 <= done, "{part}: {what}: {failed} calls failed and {done} were done");
        let row = Row::of(part, engine.name(), what, told, &runs);
        self.report.row(row.clone());
        Ok((row, callers))
    }

    /// Says what was answered wrongly.
    pub fn warn(&self, what: &str, seen: &Seen) {
        if let Some(failure) = &seen.failure {
            self.bar.println(format!("{what}: {} failed, such as: {failure}", seen.failed));
        }
    }

    /// An installation with so many sessions, of which about `sample` are known, and the users who have them.
    pub async fn seed(&self, engine: Engine, sessions: usize, sample: usize) -> Result<Seeded> {
        let seeded = self.seed_users(engine, sessions).await?;
        self.seed_sessions(engine, seeded, sessions, sample).await
    }

    /// Gives so many sessions to users who have none, of which about `sample` are known.
    pub async fn seed_sessions(
        &self,
        engine: Engine,
        seeded: Seeded,
        sessions: usize,
        sample: usize,
    ) -> Result<Seeded> {
        self.bar.set_message(format!("seeding {sessions} sessions, {}", engine.name()));
        let (db, master) = (seeded.installation.database().await?, seeded.installation.master()?);
        let sessions = seed::sessions(&db, &master, &seeded.people, sessions, sample, &self.bar).await?;
        db.close().await;
        Ok(Seeded { sessions, ..seeded })
    }

    /// An installation with the users of so many sessions, and without the sessions.
    pub async fn seed_users(&self, engine: Engine, sessions: usize) -> Result<Seeded> {
        self.bar.set_message(format!("importing the users of {sessions} sessions, {}", engine.name()));
        let installation = Installation::create(&self.ground, engine)?;
        let db = installation.database().await?;
        let users = (sessions / SESSIONS_EACH).max(64);
        let hash = hash_text(&seed::password_hash(&Options::default())?);
        let people = seed::tenant_with_users(&installation, &db, users, &hash).await?;
        db.close().await;
        Ok(Seeded { installation, people, sessions: Vec::new() })
    }
}

/// The hash as an import reads it.
pub fn hash_text(hash: &PasswordHash) -> String {
    hash.as_str().to_owned()
}

/// Refreshes each session once, for its access token.
pub fn bring_to_life(server: &Server, sessions: &[Session], connections: usize) -> Result<Vec<Live>> {
    let live = sessions
        .iter()
        .map(|session| Live { session: session.clone(), access_token: String::new() })
        .collect::<Vec<_>>();
    let callers = share(live, connections).into_iter().map(RefreshOnce::new).collect();
    let load =
        Load { rate: None, warm_up: Duration::ZERO, measured: Duration::from_mins(10), one_address: false };
    let (seen, callers) = load::run(server.address, load, callers, &server.meter)?;
    anyhow::ensure!(seen.failed + seen.refused == 0, "{:?} were refused: {:?}", seen.refused, seen.failure);
    Ok(callers.into_iter().flat_map(RefreshOnce::into_sessions).collect())
}

/// Deals things out to so many.
pub fn share<T>(things: Vec<T>, among: usize) -> Vec<Vec<T>> {
    let mut shares: Vec<Vec<T>> = (0..among).map(|_| Vec::new()).collect();
    for (index, thing) in things.into_iter().enumerate() {
        if let Some(share) = shares.get_mut(index % among) {
            share.push(thing);
        }
    }
    shares.retain(|share| !share.is_empty());
    shares
}

/// Costs that the benchmark measures.
pub fn costs(quick: bool) -> Vec<Cost> {
    let light = Cost { memory_kib: 7_168, passes: 5, lanes: 1 };
    if quick { vec![Cost::DEFAULT] } else { vec![Cost::DEFAULT, light] }
}

/// A bar that shows what is going on, on a terminal.
pub fn progress() -> Result<ProgressBar> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(250));
    Ok(bar)
}
