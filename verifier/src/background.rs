//! What goes on behind a verifier: one task that follows the feed and keeps the keys.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::rand;
use reqwest::Url;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::client::{Client, Failure};
use crate::feed::{Feed, Full, Moment};
use crate::keys::{Key, Keys};
use crate::witness::{self, Witness};
use crate::{Options, StartError, WhenStale};

/// How often the keys are fetched.
const KEYS_EVERY: Duration = Duration::from_mins(1);

/// How long a fetched set counts: the `max-age` that the server gives it. A key that was removed is refused by then, even if
/// nothing more is heard of the server.
pub const KEYS_MAX_AGE: Duration = Duration::from_mins(5);

/// How often the keys are fetched at most, however many tokens name unknown ones.
pub const KEYS_ASKED_EVERY: Duration = Duration::from_secs(2);

/// Between two questions to the feed after an empty answer, and after one that was not. The server waits longer than the
/// first by itself, so that is for one that does not.
const AFTER_NOTHING: Duration = Duration::from_millis(250);
const AFTER_SOME: Duration = Duration::from_millis(50);

/// Before all is read again, after there was more than is held.
const AFTER_TOO_MANY: Duration = Duration::from_secs(30);

/// The first pause when the server is away, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The keys as they were last fetched.
#[derive(Debug, Default)]
struct Fetched {
    keys: Keys,
    as_of: Option<Moment>,
    introspection: Option<Url>,
}

impl Fetched {
    fn find(&self, kid: &str, now: Moment) -> Found {
        if self.as_of.is_none_or(|at| at.age(now) > KEYS_MAX_AGE) {
            return Found::NoSet;
        }
        self.keys.get(kid).map_or(Found::Unknown, |key| Found::Key(Arc::clone(key)))
    }
}

/// A fetch that is over.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    pub began: Instant,
    pub well: bool,
}

/// A key, or why there is none.
pub enum Found {
    Key(Arc<Key>),
    /// Not in a set that counts.
    Unknown,
    /// There is no set that counts.
    NoSet,
}

/// What the task tells and its verifiers read.
pub struct Shared {
    pub client: Client,
    pub feed: RwLock<Feed>,
    /// `None`: no checkpoints are asked for.
    pub witness: Option<Mutex<Witness>>,
    fetched: RwLock<Fetched>,
    introspects: bool,
    /// How long the server is to wait for news, in seconds: often enough within the longest age.
    wait: u64,
    /// Somebody needs keys that were fetched from now on.
    pub keys_wanted: Notify,
    /// The last fetch of keys that is over.
    pub keys_tried: watch::Sender<Option<Tried>>,
    /// Whether the feed has been caught up with, or failed, since the start.
    pub feed_tried: watch::Sender<bool>,
}

impl Shared {
    pub fn new(options: &Options) -> Result<Self, StartError> {
        let seconds = options.max_age.as_secs();
        if !(3..=60).contains(&seconds) {
            return Err(StartError::MaxAge);
        }
        Ok(Self {
            client: Client::new(options)?,
            feed: RwLock::new(Feed::new(options.max_entries)),
            witness: Witness::new(options)?.map(Mutex::new),
            fetched: RwLock::default(),
            introspects: options.when_stale == WhenStale::Introspect,
            wait: (seconds / 5).max(1),
            keys_wanted: Notify::new(),
            keys_tried: watch::Sender::new(None),
            feed_tried: watch::Sender::new(false),
        })
    }

    pub fn find_key(&self, kid: &str) -> Found {
        self.fetched.read().unwrap_or_else(PoisonError::into_inner).find(kid, Moment::now())
    }

    /// How many keys there are, and how old.
    pub fn keys(&self) -> (usize, Option<Duration>) {
        let fetched = self.fetched.read().unwrap_or_else(PoisonError::into_inner);
        (fetched.keys.len(), fetched.as_of.map(|at| at.age(Moment::now())))
    }

    pub fn introspection(&self) -> Option<Url> {
        self.fetched.read().unwrap_or_else(PoisonError::into_inner).introspection.clone()
    }

    async fn fetch_keys(&self) -> Result<(), Failure> {
        let asked = Moment::now();
        let keys = self.client.keys().await?;
        let known = {
            let mut fetched = self.fetched.write().unwrap_or_else(PoisonError::into_inner);
            fetched.keys = keys;
            fetched.as_of = Some(asked);
            fetched.introspection.is_some()
        };
        if self.introspects && !known {
            let endpoint = self.client.find_introspection().await?;
            self.fetched.write().unwrap_or_else(PoisonError::into_inner).introspection = Some(endpoint);
        }
        Ok(())
    }
}

/// Keeps keys and feed until it is aborted.
pub async fn run(shared: Arc<Shared>) {
    tokio::join!(keep_keys(&shared), follow_feed(&shared));
}

async fn keep_keys(shared: &Shared) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let fetched = shared.fetch_keys().await;
        shared.keys_tried.send_replace(Some(Tried { began, well: fetched.is_ok() }));
        let pause = match fetched {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(failures, "the issuer's keys are fetched again");
                }
                failures = 0;
                KEYS_EVERY
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "the issuer's keys cannot be fetched");
                }
                failures += 1;
                pause_after(failures)
            }
        };
        let next = Instant::now() + pause;
        tokio::select! {
            () = sleep_until(next) => (),
            () = shared.keys_wanted.notified() => sleep_until(next.min(began + KEYS_ASKED_EVERY)).await,
        }
    }
}

/// Where the feed stands.
#[derive(Default)]
struct Reading {
    cursor: Option<String>,
    caught_up: bool,
    failures: u32,
}

async fn follow_feed(shared: &Shared) {
    let mut reading = Reading::default();
    loop {
        let asked = Moment::now();
        let pause = match read_on(shared, &mut reading, asked).await {
            Ok(After::More) => continue,
            Ok(After::Some) => AFTER_SOME.saturating_sub(asked.steady.elapsed()),
            Ok(After::Nothing) => AFTER_NOTHING.saturating_sub(asked.steady.elapsed()),
            Err(pause) => pause,
        };
        shared.feed_tried.send_replace(true);
        sleep(pause).await;
    }
}

enum After {
    More,
    Some,
    Nothing,
}

/// Reads one page; an error is how long to wait after it.
async fn read_on(shared: &Shared, reading: &mut Reading, asked: Moment) -> Result<After, Duration> {
    let feed = || shared.feed.write().unwrap_or_else(PoisonError::into_inner);
    // After a failure it counts to hear anything at all.
    let wait = if reading.caught_up && reading.failures == 0 { shared.wait } else { 0 };
    let log_size = shared.witness.as_ref().map(|witness| witness::lock(witness).size());
    let answer =
        shared.client.revocations(reading.cursor.as_deref(), wait, reading.caught_up, log_size).await;
    let long_held = feed().turn(Instant::now());
    drop(long_held);
    let mut page = match answer {
        Ok(page) => page,
        Err(Failure::Cursor) => {
            tracing::warn!("the server does not know the revocation feed's cursor; beginning anew");
            feed().age_at_once();
            let failures = reading.failures + 1;
            *reading = Reading { failures, ..Reading::default() };
            return if failures == 1 { Ok(After::More) } else { Err(pause_after(failures)) };
        }
        Err(error) => {
            if reading.failures == 0 {
                tracing::warn!(%error, "the revocation feed cannot be read");
            }
            // The key was revoked, or the tenant suspended or deleted: nothing more will be heard of who has ended.
            if error.is_final() {
                feed().age_at_once();
            }
            reading.failures += 1;
            return Err(pause_after(reading.failures));
        }
    };
    if let Some(witness) = &shared.witness {
        let told = page.checkpoint.take();
        // Whoever denies what they have signed is believed nothing, also not that a session lives.
        if witness::lock(witness).look(told).is_err() {
            feed().age_at_once();
            // Nor is its cursor gone on from once it is believed again: between the two may lie what was never shown.
            let failures = reading.failures + 1;
            *reading = Reading { failures, ..Reading::default() };
            return Err(pause_after(failures));
        }
        witness::save(witness).await;
    }
    let (cursor, more, empty) = (page.cursor.clone(), page.more, page.revocations.is_empty());
    let taken = feed().take(page, asked);
    if let Err(Full) = taken {
        tracing::error!("more sessions have ended than Options::max_entries lets be held; beginning anew");
        *reading = Reading::default();
        return Err(AFTER_TOO_MANY);
    }
    if reading.failures > 0 {
        tracing::info!(failures = reading.failures, "the revocation feed is read again");
    }
    *reading = Reading { cursor: Some(cursor), caught_up: !more, failures: 0 };
    Ok(match (more, empty) {
        (true, _) => After::More,
        (false, false) => After::Some,
        (false, true) => After::Nothing,
    })
}

/// Twice as long after each failure, and never the same for two verifiers.
fn pause_after(failures: u32) -> Duration {
    let longest = (FIRST_PAUSE * 2_u32.saturating_pow(failures.saturating_sub(1).min(8))).min(LONGEST_PAUSE);
    let mut dice = [0];
    // Without randomness all pauses are the longest.
    let part = if rand::fill(&mut dice).is_ok() { u32::from(dice[0]) } else { 255 };
    longest / 2 + longest / 2 * part / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::parse_set;

    #[test]
    fn keys_count_as_long_as_the_server_lets_them_be_kept_and_no_longer() {
        let set = br#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"a",
                       "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let as_of = Moment::now();
        let mut fetched = Fetched { keys: parse_set(set).unwrap(), as_of: Some(as_of), introspection: None };
        let later = |seconds: u64| {
            let span = Duration::from_secs(seconds);
            Moment { steady: as_of.steady + span, wall: as_of.wall + span }
        };
        assert!(matches!(fetched.find("a", later(300)), Found::Key(_)));
        assert!(matches!(fetched.find("b", later(300)), Found::Unknown));
        assert!(matches!(fetched.find("a", later(301)), Found::NoSet));
        fetched.as_of = None;
        assert!(matches!(fetched.find("a", as_of), Found::NoSet));
    }

    #[test]
    fn pauses_grow_to_two_seconds_and_differ() {
        for (failures, longest) in [(1, 100), (2, 200), (3, 400), (5, 1_600), (6, 2_000), (u32::MAX, 2_000)] {
            let longest = Duration::from_millis(longest);
            let pauses: Vec<_> = (0..50).map(|_| pause_after(failures)).collect();
            assert!(pauses.iter().all(|pause| (longest / 2..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
