//! Limits that every node keeps for itself, in memory: how many wrong keys may come from one address (R024), how often one
//! caller may do one thing (R026), and how many requests a tenant may send (R023).
//!
//! What they guard has 256 random bits, or costs no hash: so nothing is written for them, a restart begins anew, and
//! several nodes let through so many times as much. They take the same memory whoever comes (`Table`).

mod table;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::clock::Timestamp;
use crate::error::Exceeded;
use crate::secrets::random;

use table::{Entry, Table};

/// How much of something one caller may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// As [`Exceeded::limit`].
    pub name: &'static str,
    /// So many at once, and so many in each window from then on.
    pub quota: i64,
    pub window_seconds: i64,
}

/// Refreshes of one session: an app refreshes once in the life of an access token, and asks again where an answer was lost.
pub const REFRESH: Rate = Rate { name: "refresh", quota: 60, window_seconds: 60 };

/// Refreshes from one source with tokens that are none of ours: an app has one that went bad, and logs in then.
pub const REFUSED_REFRESH: Rate = Rate { name: "refused-refresh", quota: 600, window_seconds: 60 };

/// Introspections by one backend key.
pub const INTROSPECTION: Rate = Rate { name: "introspection", quota: 2_000, window_seconds: 1 };

/// Revocations by one backend key. Each may write.
pub const REVOCATION: Rate = Rate { name: "revocation", quota: 200, window_seconds: 1 };

/// Changes of one user's password, right or wrong: they hash twice.
pub const PASSWORD_CHANGE: Rate = Rate { name: "password-change", quota: 10, window_seconds: 600 };

/// Events of one kind that one caller can bring about.
pub const ALERT: Rate = Rate { name: "alert", quota: 1, window_seconds: 60 };

/// A tenant's requests.
#[must_use]
pub const fn tenant_rate(requests_per_second: i64) -> Rate {
    Rate { name: "tenant", quota: requests_per_second, window_seconds: 1 }
}

/// How many wrong keys may be shown from one source in [`GUESS_SECONDS`].
const GUESSES: usize = 10;
const GUESS_SECONDS: i64 = 60;

/// What each node remembers of who did how much lately.
#[derive(Debug)]
pub struct RequestLimits {
    /// What every hash begins with, so that nobody can tell who shares a place with whom.
    seed: [u8; 16],
    guesses: Table<Guesses>,
    rates: Table<Ahead>,
}

impl Default for RequestLimits {
    fn default() -> Self {
        // 1.5 MB and 0.6 MB.
        Self { seed: random(), guesses: Table::new(2_048), rates: Table::new(4_096) }
    }
}

impl RequestLimits {
    fn key(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, of).hash(&mut hasher);
        hasher.finish()
    }

    /// Counts one of what a caller does, or refuses it.
    pub fn take(&self, rate: Rate, caller: impl Hash, now: Timestamp) -> Result<(), Exceeded> {
        let key = self.key((rate.name, caller));
        // Where it finds no place it is let through: then so many others are held back that nothing is amiss with it.
        self.rates.with(key, now, |ahead| ahead.take(rate, now)).unwrap_or(Ok(()))
    }

    /// Refuses whom [`RequestLimits::take`] would refuse, and counts nothing.
    pub fn check(&self, rate: Rate, caller: impl Hash, now: Timestamp) -> Result<(), Exceeded> {
        let key = self.key((rate.name, caller));
        self.rates.look(key, |ahead| ahead.check(rate, now)).unwrap_or(Ok(()))
    }

    /// Refuses whoever has guessed too often.
    pub fn check_guesses(&self, guesser: impl Hash, now: Timestamp) -> Result<(), Exceeded> {
        self.guesses.look(self.key(guesser), |guesses| guesses.check(now)).unwrap_or(Ok(()))
    }

    /// Counts a wrong guess: the how manieth it is within the window, as far as it is counted.
    pub fn count_guess(&self, guesser: impl Hash, now: Timestamp) -> usize {
        self.guesses.with(self.key(guesser), now, |guesses| guesses.count(now)).unwrap_or(1)
    }
}

/// The instants of the latest guesses, in milliseconds, in no order.
#[derive(Clone, Copy, Default, Debug)]
struct Guesses([i64; GUESSES]);

impl Guesses {
    fn within(&self, now: Timestamp) -> usize {
        let since = now.plus_seconds(-GUESS_SECONDS).as_millis();
        self.0.iter().filter(|at| **at > since).count()
    }

    fn check(&self, now: Timestamp) -> Result<(), Exceeded> {
        if self.within(now) < GUESSES {
            return Ok(());
        }
        let oldest = self.0.iter().min().copied().unwrap_or_default();
        let wait = oldest + GUESS_SECONDS * 1_000 - now.as_millis();
        Err(Exceeded {
            limit: "wrong-keys",
            quota: 10,
            window_seconds: GUESS_SECONDS,
            retry_after: whole_seconds(wait * 1_000),
        })
    }

    fn count(&mut self, now: Timestamp) -> usize {
        if let Some(oldest) = self.0.iter_mut().min() {
            *oldest = now.as_millis();
        }
        self.within(now)
    }
}

impl Entry for Guesses {
    fn is_held(&self, now: Timestamp) -> bool {
        self.within(now) == GUESSES
    }

    fn rank(&self) -> i64 {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// The instant, in microseconds, at which what was taken is made up for: a bucket that leaks (GCRA).
#[derive(Clone, Copy, Default, Debug)]
struct Ahead(i64);

impl Ahead {
    fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Exceeded> {
        self.check(rate, now)?;
        self.0 = self.0.max(micros(now)) + one(rate);
        Ok(())
    }

    fn check(self, rate: Rate, now: Timestamp) -> Result<(), Exceeded> {
        let ahead = self.0.max(micros(now)) - micros(now);
        let wait = ahead + one(rate) - rate.quota.max(1) * one(rate);
        let Rate { name: limit, quota, window_seconds } = rate;
        if wait <= 0 {
            Ok(())
        } else {
            Err(Exceeded { limit, quota, window_seconds, retry_after: whole_seconds(wait) })
        }
    }
}

impl Entry for Ahead {
    /// None that is far ahead goes before one that is less so.
    fn is_held(&self, _: Timestamp) -> bool {
        false
    }

    fn rank(&self) -> i64 {
        self.0
    }
}

/// How long one takes to be made up for, in microseconds.
const fn one(rate: Rate) -> i64 {
    let quota = if rate.quota > 1 { rate.quota } else { 1 };
    rate.window_seconds * 1_000_000 / quota
}

const fn micros(now: Timestamp) -> i64 {
    now.as_millis() * 1_000
}

fn whole_seconds(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000).max(1)
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_773_690_572_000);

    #[test]
    fn R026_so_many_are_taken_at_once_and_then_so_many_in_each_window() {
        let limits = RequestLimits::default();
        let rate = Rate { name: "test", quota: 5, window_seconds: 10 };
        for _ in 0..5 {
            limits.take(rate, "a", START).unwrap();
        }
        assert_eq!(limits.take(rate, "a", START).unwrap_err().retry_after, 2);
        limits.take(rate, "b", START).unwrap();
        limits.check(rate, "a", START.plus_millis(1_999)).unwrap_err();
        limits.check(rate, "a", START.plus_millis(2_000)).unwrap();
        limits.take(rate, "a", START.plus_millis(2_000)).unwrap();
        limits.take(rate, "a", START.plus_millis(2_000)).unwrap_err();
        for _ in 0..5 {
            limits.take(rate, "a", START.plus_seconds(100)).unwrap();
        }
        limits.take(rate, "a", START.plus_seconds(100)).unwrap_err();
    }

    #[test]
    fn R024_of_any_minute_ten_guesses_are_let_through() {
        let limits = RequestLimits::default();
        for number in 0..10 {
            let now = START.plus_seconds(number * 5);
            limits.check_guesses("a", now).unwrap();
            limits.count_guess("a", now);
        }
        assert_eq!(limits.check_guesses("a", START.plus_seconds(50)).unwrap_err().retry_after, 10);
        limits.check_guesses("b", START.plus_seconds(50)).unwrap();
        limits.check_guesses("a", START.plus_seconds(60)).unwrap();
        limits.count_guess("a", START.plus_seconds(60));
        limits.check_guesses("a", START.plus_seconds(60)).unwrap_err();
    }

    #[test]
    fn R028_a_million_strangers_take_no_more_memory_and_end_no_block() {
        let limits = RequestLimits::default();
        for _ in 0..10 {
            limits.count_guess("blocked", START);
        }
        let slots = limits.guesses.slots();
        for number in 0..1_000_000 {
            limits.count_guess(("stranger", number), START.plus_seconds(1));
        }
        limits.check_guesses("blocked", START.plus_seconds(1)).unwrap_err();
        assert_eq!(limits.guesses.slots(), slots);
        let bytes = slots * (size_of::<Guesses>() + size_of::<u64>());
        assert!(bytes < 2 << 20, "{bytes}");
    }
}
