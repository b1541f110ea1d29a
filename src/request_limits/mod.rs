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

/// Changes of the password in one session, right or wrong: they hash twice.
pub const PASSWORD_CHANGE: Rate = Rate { name: "password-change", quota: 10, window_seconds: 600 };

/// Of all rates.
const LONGEST_WINDOW_SECONDS: i64 = PASSWORD_CHANGE.window_seconds;

/// Events of one kind that one caller can bring about.
pub const ALERT: Rate = Rate { name: "alert", quota: 1, window_seconds: 60 };

/// What is wrong with tenant or key, whatever it is, from one source: more is not told apart from guessing.
pub const WRONG_KEYS: Rate = Rate { name: "wrong-keys", quota: 600, window_seconds: 60 };

/// A tenant's requests.
#[must_use]
pub const fn tenant_rate(requests_per_second: i64) -> Rate {
    Rate { name: "tenant", quota: requests_per_second, window_seconds: 1 }
}

/// How many guesses at one key may be made from one source in [`GUESS_SECONDS`].
const GUESSES: usize = 10;
const GUESS_SECONDS: i64 = 60;

/// Requests at once read the clock one after the other: what lies further ahead of it than this was written down before
/// it was set back, and counts no more (R159).
const SET_BACK_MILLIS: i64 = 1_000;

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
    fn check(&self, rate: Rate, caller: impl Hash, now: Timestamp) -> Result<(), Exceeded> {
        let key = self.key((rate.name, caller));
        self.rates.look(key, |ahead| ahead.check(rate, now)).unwrap_or(Ok(()))
    }

    /// Refuses whoever has guessed too often: ten times, or once where [`WRONG_KEYS`] are used up for the source. So no
    /// source fills many places with guesses that hold it back.
    pub fn check_guesses(
        &self,
        guesser: impl Hash,
        source: impl Hash,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        let most = |guesses: &Guesses| {
            // Whoever has guessed at nothing, as nearly everybody, costs one look.
            let is_used_up = guesses.within(now) > 0 && self.check(WRONG_KEYS, source, now).is_err();
            guesses.check(if is_used_up { 1 } else { GUESSES }, now)
        };
        self.guesses.look(self.key(guesser), most).unwrap_or(Ok(()))
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
    /// Those that count now.
    fn counted(&self, now: Timestamp) -> impl Iterator<Item = i64> {
        let (since, until) = (now.plus_seconds(-GUESS_SECONDS).as_millis(), latest(now).as_millis());
        self.0.iter().copied().filter(move |at| since < *at && *at <= until)
    }

    fn within(&self, now: Timestamp) -> usize {
        self.counted(now).count()
    }

    fn check(&self, most: usize, now: Timestamp) -> Result<(), Exceeded> {
        let within = self.within(now);
        if within < most {
            return Ok(());
        }
        // Once all but so many have become old.
        let mut counted: Vec<_> = self.counted(now).collect();
        counted.sort_unstable();
        let wait = counted[within - most] + GUESS_SECONDS * 1_000 - now.as_millis();
        Err(Exceeded {
            limit: "wrong-keys",
            quota: 10,
            window_seconds: GUESS_SECONDS,
            retry_after: whole_seconds(wait * 1_000),
        })
    }

    fn count(&mut self, now: Timestamp) -> usize {
        let until = latest(now).as_millis();
        if let Some(oldest) = self.0.iter_mut().min_by_key(|at| if **at > until { i64::MIN } else { **at }) {
            *oldest = now.as_millis();
        }
        self.within(now)
    }
}

impl Entry for Guesses {
    fn is_held(&self, now: Timestamp) -> bool {
        self.within(now) == GUESSES
    }

    fn rank(&self, now: Timestamp) -> i64 {
        let until = latest(now).as_millis();
        self.0.iter().copied().filter(|at| *at <= until).max().unwrap_or_default()
    }
}

/// The instant, in microseconds, at which what was taken is made up for: a bucket that leaks (GCRA).
#[derive(Clone, Copy, Default, Debug)]
struct Ahead(i64);

impl Ahead {
    fn take(&mut self, rate: Rate, now: Timestamp) -> Result<(), Exceeded> {
        self.check(rate, now)?;
        self.0 = micros(now) + self.ahead(rate.window_seconds, now) + one(rate);
        Ok(())
    }

    /// How far ahead it is. Further than its window it cannot be but where the clock was set back: then it begins anew, or
    /// everybody would be refused until the clock has caught up.
    fn ahead(self, window_seconds: i64, now: Timestamp) -> i64 {
        let most = micros(latest(now).plus_seconds(window_seconds));
        if self.0 > most { 0 } else { (self.0 - micros(now)).max(0) }
    }

    fn check(self, rate: Rate, now: Timestamp) -> Result<(), Exceeded> {
        let ahead = self.ahead(rate.window_seconds, now);
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

    fn rank(&self, now: Timestamp) -> i64 {
        self.ahead(LONGEST_WINDOW_SECONDS, now)
    }
}

/// Until when an instant that was written down is not of the future.
const fn latest(now: Timestamp) -> Timestamp {
    now.plus_millis(SET_BACK_MILLIS)
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
    fn R159_a_clock_that_is_set_back_refuses_nobody_for_longer_than_a_second_and_forgives_no_guesser() {
        let limits = RequestLimits::default();
        for (window_seconds, back) in [(1, 1_500), (1, 3_600_000), (60, 3_600_000), (600, 3_600_000)] {
            let (rate, now) = (Rate { name: "test", quota: 5, window_seconds }, START.plus_millis(-back));
            for _ in 0..5 {
                limits.take(rate, (window_seconds, back), START).unwrap();
            }
            for _ in 0..5 {
                limits.take(rate, (window_seconds, back), now).unwrap();
            }
            limits.take(rate, (window_seconds, back), now).unwrap_err();
            // Others read the clock a moment before.
            limits.take(rate, (window_seconds, back), now.plus_millis(-3)).unwrap_err();
        }
        let back = START.plus_seconds(-3_600);
        for now in [START, back] {
            for _ in 0..10 {
                limits.check_guesses("a", "here", now).unwrap();
                limits.count_guess("a", now);
            }
            assert_eq!(limits.check_guesses("a", "here", now).unwrap_err().retry_after, 60);
        }
    }

    #[test]
    fn R159_what_is_left_of_a_clock_that_was_ahead_goes_first() {
        let limits = RequestLimits::default();
        let rate = Rate { name: "test", quota: 1, window_seconds: 600 };
        for number in 0..200_000 {
            limits.count_guess(("ahead", number), START.plus_seconds(3_600));
            limits.take(rate, ("ahead", number), START.plus_seconds(3_600)).unwrap();
        }
        // As many as have room: two hundred of 16,384 and of 32,768 places.
        for number in 0..200 {
            limits.count_guess(("now", number), START);
            limits.take(rate, ("now", number), START).unwrap();
        }
        for number in 0..200 {
            assert_eq!(limits.count_guess(("now", number), START), 2, "{number}");
            limits.take(rate, ("now", number), START).unwrap_err();
        }
    }

    #[test]
    fn R024_R028_one_source_fills_no_more_places_than_its_wrong_keys_and_holds_nobody_back_who_guessed_nothing()
     {
        let limits = RequestLimits::default();
        for number in 0..600 {
            limits.check_guesses(number % 60, "here", START).unwrap();
            limits.count_guess(number % 60, START);
            limits.take(WRONG_KEYS, "here", START).unwrap();
        }
        limits.take(WRONG_KEYS, "here", START).unwrap_err();
        limits.check_guesses("another", "here", START).unwrap();
        limits.count_guess("another", START);
        assert_eq!(limits.check_guesses("another", "here", START).unwrap_err().retry_after, 60);
        limits.check_guesses("another", "elsewhere", START).unwrap();
    }

    #[test]
    fn R024_of_any_minute_ten_guesses_are_let_through() {
        let limits = RequestLimits::default();
        for number in 0..10 {
            let now = START.plus_seconds(number * 5);
            limits.check_guesses("a", "here", now).unwrap();
            limits.count_guess("a", now);
        }
        assert_eq!(limits.check_guesses("a", "here", START.plus_seconds(50)).unwrap_err().retry_after, 10);
        limits.check_guesses("b", "here", START.plus_seconds(50)).unwrap();
        limits.check_guesses("a", "here", START.plus_seconds(60)).unwrap();
        limits.count_guess("a", START.plus_seconds(60));
        limits.check_guesses("a", "here", START.plus_seconds(60)).unwrap_err();
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
        limits.check_guesses("blocked", "here", START.plus_seconds(1)).unwrap_err();
        assert_eq!(limits.guesses.slots(), slots);
        let bytes = slots * (size_of::<Guesses>() + size_of::<u64>());
        assert!(bytes < 2 << 20, "{bytes}");
    }
}
