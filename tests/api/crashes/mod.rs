//! A service that is killed at random under mixed load, again and again: what it acknowledged is there afterwards, what
//! it did not is there whole or not at all.
//!
//! Every worker keeps its own journal of what was answered. After each kill the journals are held against the tables
//! (`ledger`) and against what the restarted service answers. `VESTIBULE_CRASHES=500` says how many cycles;
//! `scripts/prove-crashes` runs so many by hand.

mod api;
mod guesser;
mod ledger;
mod phone;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::commands::init::Installation;
use crate::support::cluster::{self, Cluster};
use crate::support::dice::Dice;
use crate::support::program::Server;
use crate::support::{database, on_postgres, postgres_on};

use api::{Api, People, Round};
use guesser::Guesser;
use ledger::{Ledger, Settled};
use phone::Phone;

const PHONES: usize = 8;
const GUESSERS: usize = 2;
/// People who can log in from the first cycle on.
const FIRST_PEOPLE: usize = 24;

/// How many cycles: few among all tests, many by hand.
fn cycles(few: usize) -> usize {
    std::env::var("VESTIBULE_CRASHES").map_or(few, |number| number.parse().unwrap())
}

/// What was acknowledged, by kind, and what nobody knows of.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    logins: usize,
    refreshes: usize,
    logouts: usize,
    failures: usize,
    locks: usize,
    registrations: usize,
    replays: usize,
    /// Logins whose answer was lost.
    doubtful_logins: usize,
    /// Everything whose answer was lost, logins among it.
    doubtful: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.logins += other.logins;
        self.refreshes += other.refreshes;
        self.logouts += other.logouts;
        self.failures += other.failures;
        self.locks += other.locks;
        self.registrations += other.registrations;
        self.replays += other.replays;
        self.doubtful_logins += other.doubtful_logins;
        self.doubtful += other.doubtful;
    }

    /// Whether so many cycles have been worth it.
    fn is_enough(self, cycles: usize) -> bool {
        let each = [self.logins, self.refreshes, self.logouts, self.failures, self.registrations];
        each.iter().all(|number| *number > cycles / 6) && self.locks > 0 && self.doubtful > 0
    }
}

/// The service, whoever works on it, and what came of it.
struct World {
    made: Installation,
    /// A PostgreSQL that may be killed: one of ours, which waits for its disk.
    cluster: Option<Cluster>,
    servers: Vec<Server>,
    people: Arc<People>,
    phones: Vec<Phone>,
    guessers: Vec<Guesser>,
    dice: Dice,
    settled: Settled,
    /// How often a server, and how often PostgreSQL was killed.
    kills: (usize, usize),
}

impl World {
    async fn new(seed: u64) -> Self {
        let cluster = (on_postgres() && cluster::can_start()).then(|| Cluster::start(&["fsync = on"]));
        let database = match &cluster {
            Some(cluster) => postgres_on(cluster).await,
            None => database().await,
        };
        let made = Installation::on(database);
        made.run(&["tenant", "set", "acme", "profile=compatible", "maxSessions=1000"]);
        let mut world = Self {
            made,
            cluster,
            servers: Vec::new(),
            people: Arc::default(),
            phones: (0..PHONES).map(|index| Phone::new(index, seed)).collect(),
            guessers: (0..GUESSERS).map(|index| Guesser::new(index, seed)).collect(),
            dice: Dice::new(seed),
            settled: Settled::default(),
            kills: (0, 0),
        };
        world.start_servers();
        let api = world.api(0);
        for _ in 0..FIRST_PEOPLE / GUESSERS {
            for guesser in &mut world.guessers {
                guesser.register(&api, &world.people).await.expect("nobody kills yet");
            }
        }
        world
    }

    /// Starts the nodes that are missing: two in all on PostgreSQL, one on SQLite.
    fn start_servers(&mut self) {
        let wanted = if on_postgres() { 2 } else { 1 };
        while self.servers.len() < wanted {
            // Each worker has an address of its own.
            self.servers.push(self.made.folder.serve(&[("VESTIBULE_TRUSTED_PROXIES", "127.0.0.1/32")]));
        }
    }

    fn api(&self, worker: usize) -> Api {
        Api::new(&self.made, &self.servers[worker % self.servers.len()].public)
    }

    /// Lets everybody work, and kills something in the middle of it.
    async fn work_and_kill(&mut self) {
        let round = Arc::new(Round::default());
        let (mut phones, mut guessers) = (Vec::new(), Vec::new());
        for (index, mut guesser) in std::mem::take(&mut self.guessers).into_iter().enumerate() {
            let (api, people, round) = (self.api(index), Arc::clone(&self.people), Arc::clone(&round));
            guessers.push(tokio::spawn(async move {
                guesser.work(&api, &people, &round).await;
                guesser
            }));
        }
        for (index, mut phone) in std::mem::take(&mut self.phones).into_iter().enumerate() {
            let (api, people, round) = (self.api(index), Arc::clone(&self.people), Arc::clone(&round));
            phones.push(tokio::spawn(async move {
                phone.work(&api, &people, &round).await;
                phone
            }));
        }
        // At a moment by chance, whatever the machine can do.
        let enough = usize::try_from(4 + self.dice.below(40)).unwrap();
        let patience = Instant::now() + Duration::from_secs(5);
        while round.acknowledged() < enough && Instant::now() < patience {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(self.dice.below(30_000))).await;
        self.kill_something().await;
        round.end();
        for phone in phones {
            self.phones.push(phone.await.unwrap());
        }
        for guesser in guessers {
            self.guessers.push(guesser.await.unwrap());
        }
    }

    async fn kill_something(&mut self) {
        let pause = Duration::from_micros(self.dice.below(300_000));
        match (&self.cluster, self.dice.below(3)) {
            (Some(cluster), 0) => {
                cluster.crash();
                tokio::time::sleep(pause).await;
                cluster.resume();
                self.kills.1 += 1;
                // The servers live, and find it again by themselves (R160).
                for server in &self.servers {
                    wait_until_ready(server).await;
                }
            }
            (_, 1) if self.servers.len() > 1 => {
                let victim = usize::try_from(self.dice.below(self.servers.len() as u64)).unwrap();
                self.servers[victim].kill();
                self.servers.remove(victim);
                self.kills.0 += 1;
                tokio::time::sleep(pause / 3).await;
            }
            _ => {
                self.kills.0 += self.servers.len();
                for mut server in self.servers.drain(..) {
                    server.kill();
                }
            }
        }
    }

    /// Holds everything that was answered against what is there now.
    async fn check(&mut self) {
        let tally = self.tally();
        let ledger = Ledger::read(&self.made).await;
        ledger.check(&tally, &mut self.settled);
        let known = self.phones.iter().flat_map(Phone::sessions).count();
        assert!(known <= tally.logins);
        for (index, phone) in std::mem::take(&mut self.phones).into_iter().enumerate() {
            let mut phone = phone;
            phone.check(&self.api(index), &ledger).await;
            self.phones.push(phone);
        }
        for (index, guesser) in std::mem::take(&mut self.guessers).into_iter().enumerate() {
            let mut guesser = guesser;
            guesser.check(&self.api(index), &ledger).await;
            self.guessers.push(guesser);
        }
    }

    fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.phones.iter().for_each(|phone| all.add(phone.tally));
        self.guessers.iter().for_each(|guesser| all.add(guesser.tally));
        all
    }

    fn tell(&self, cycles: usize, since: Instant) {
        let tally = self.tally();
        let acknowledged = tally.logins
            + tally.refreshes
            + tally.logouts
            + tally.failures
            + tally.locks
            + tally.registrations;
        super::races::tell(format_args!(
            "crashes: {cycles} cycles in {} s on {}: {} kills of a server, {} of PostgreSQL; {acknowledged} acknowledged, \
             lost: 0 ({} logins, {} refreshes, {} logouts, {} failed logins, {} locks, {} registrations); {} answers \
             lost; {} replays of spent tokens found",
            since.elapsed().as_secs(),
            if on_postgres() { "PostgreSQL" } else { "SQLite" },
            self.kills.0,
            self.kills.1,
            tally.logins,
            tally.refreshes,
            tally.logouts,
            tally.failures,
            tally.locks,
            tally.registrations,
            tally.doubtful,
            tally.replays,
        ));
    }
}

async fn wait_until_ready(server: &Server) {
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let asked = reqwest::get(format!("{}/readyz", server.public)).await;
        if asked.is_ok_and(|answer| answer.status() == 200) {
            return;
        }
        assert!(Instant::now() < patience, "the server does not find its database again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R104_R140_R154_R155_no_kill_under_mixed_load_loses_what_was_acknowledged_or_revives_what_had_ended()
{
    let cycles = cycles(30);
    let since = Instant::now();
    let mut world = World::new(154).await;
    let mut cycle = 0;
    // Where a machine is busy, little is under way in a cycle: then there are more of them.
    while cycle < cycles || (cycle < 3 * cycles && !world.tally().is_enough(cycles)) {
        cycle += 1;
        world.work_and_kill().await;
        world.start_servers();
        world.check().await;
        if cycle % 25 == 0 && cycle < cycles {
            world.tell(cycle, since);
        }
    }
    world.tell(cycle, since);
    let tally = world.tally();
    assert!(tally.is_enough(cycles), "too little was under way: {tally:?}");
}
