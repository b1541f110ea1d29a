//! The time. Everything that asks what time it is asks here, so that a test can stop it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since the Unix epoch.
///
/// Shown as `2026-03-16T20:49:32.000Z`: UTC, milliseconds, `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// So many milliseconds after the epoch, or before it.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Reads an instant as RFC 3339 writes it, with its offset; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|instant| Self(instant.as_millisecond()))
    }

    /// Whole seconds since the epoch, rounded down: a JWT's `NumericDate` (RFC 7519 §2).
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0 + seconds * 1000)
    }

    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0 + millis)
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// Whether the text is a day of the calendar, written `1990-12-31`, that has begun somewhere on earth.
#[must_use]
pub fn is_day_gone_by(text: &str, now: Timestamp) -> bool {
    // Where the day begins first it is 14 hours later than in UTC.
    const FIRST: i64 = 14 * 3_600;
    let shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let day: Option<jiff::civil::Date> = text.parse().ok().filter(|_| shaped);
    let today = jiff::Timestamp::from_millisecond(now.plus_seconds(FIRST).0);
    match (day, today) {
        (Some(day), Ok(today)) => day <= jiff::tz::Offset::UTC.to_datetime(today).date(),
        _ => false,
    }
}

/// Where the time comes from: the system, or a test's hand. Clones share it, and what it has seen.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    belief: Arc<Mutex<Belief>>,
}

#[derive(Clone)]
enum Source {
    /// With the instant from which the monotonic clock is counted.
    System(Instant),
    Fixed(Arc<Hands>),
    Told(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

/// A fixed clock's: what it shows, and the time that has passed by the monotonic clock, in milliseconds.
#[derive(Default)]
struct Hands {
    wall: AtomicI64,
    steady: AtomicI64,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System(_) => "System",
            Self::Fixed(_) => "Fixed",
            Self::Told(_) => "Told",
        })
    }
}

impl Clock {
    /// For what starts the program; everything else is handed a clock.
    #[must_use]
    pub fn system() -> Self {
        Self::of(Source::System(Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it. Clones share the hand.
    #[must_use]
    pub fn fixed(at: Timestamp) -> Self {
        let hands = Hands { wall: AtomicI64::new(at.as_millis()), ..Hands::default() };
        Self::of(Source::Fixed(Arc::new(hands)))
    }

    /// A clock that asks at each look, for tests: time may jump there, and looking at it may fail.
    #[must_use]
    pub fn told(by: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { source: Source::Told(Arc::new(by)), belief: Arc::default() }
    }

    fn of(source: Source) -> Self {
        let clock = Self { source, belief: Arc::default() };
        // What it shows first is believed.
        let _ = clock.cautious();
        clock
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System(_) => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Source::Fixed(hands) => Timestamp(hands.wall.load(Ordering::SeqCst)),
            Source::Told(by) => by(),
        }
    }

    /// [`Clock::now`] without a step forward that nothing but the clock itself speaks for: for whatever cannot be taken
    /// back once time has passed (R159). Such a step is believed after half an hour, one back at once; a machine that
    /// slept has made one, too.
    ///
    /// It may be behind `now`, and never ahead of it, so it is no time to sign or to store as an instant's.
    #[must_use]
    pub fn cautious(&self) -> Timestamp {
        let steady = match &self.source {
            Source::System(since) => i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX),
            Source::Fixed(hands) => hands.steady.load(Ordering::SeqCst),
            Source::Told(_) => return self.now(),
        };
        let wall = self.now().0;
        let belief = &mut *self.belief.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp(steady + belief.ahead(wall - steady, steady))
    }

    /// Both readings.
    #[must_use]
    pub fn readings(&self) -> Readings {
        Readings { now: self.now(), cautious: self.cautious() }
    }

    /// Lets so many milliseconds pass on a fixed clock; the system's is not ours to move.
    pub fn advance(&self, millis: i64) {
        if let Source::Fixed(hands) = &self.source {
            hands.steady.fetch_add(millis, Ordering::SeqCst);
            hands.wall.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Sets a fixed clock by so many milliseconds, while no time passes.
    pub fn jump(&self, millis: i64) {
        if let Source::Fixed(hands) = &self.source {
            hands.wall.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

/// By how many milliseconds the wall clock is ahead of the monotonic one, as far as that is believed.
#[derive(Default, Debug)]
struct Belief {
    /// `None` before the first look.
    seen: Option<i64>,
    /// The steps that are not believed yet: when each was seen, by the monotonic clock, and how long it is.
    held: Vec<(i64, i64)>,
}

impl Belief {
    /// A longer step forward is not believed at once: NTP makes none, once it has the time.
    const STEP: i64 = 60_000;
    /// But after so long, when nobody has set the clock back. A lock that stood when it stepped is over by then.
    const HELD: i64 = 30 * 60_000;
    /// More steps than these within [`Belief::HELD`] are taken for one, that of the first.
    const MOST: usize = 64;

    fn ahead(&mut self, ahead: i64, steady: i64) -> i64 {
        let step = self.seen.replace(ahead).map_or(0, |seen| ahead - seen);
        if step > Self::STEP {
            self.hold(step, steady);
        } else if step < 0 {
            self.take_back(-step);
        }
        self.held.retain(|(seen_at, _)| steady - seen_at < Self::HELD);
        ahead - self.held.iter().map(|(_, millis)| millis).sum::<i64>()
    }

    fn hold(&mut self, step: i64, steady: i64) {
        let seconds = step / 1_000;
        tracing::warn!(seconds, "the clock was set forward; locks and deletions believe it in half an hour");
        if self.held.len() < Self::MOST {
            self.held.push((steady, step));
        } else if let Some((_, first)) = self.held.first_mut() {
            *first += step;
        }
    }

    /// A step back takes the newest steps forward back first.
    fn take_back(&mut self, mut millis: i64) {
        while millis > 0
            && let Some((_, newest)) = self.held.last_mut()
        {
            let taken = millis.min(*newest);
            *newest -= taken;
            millis -= taken;
            if *newest == 0 {
                self.held.pop();
            }
        }
    }
}

/// Both readings of a clock, for what takes something away for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Readings {
    /// [`Clock::now`], for what is written.
    pub now: Timestamp,
    /// [`Clock::cautious`], for whether it is time.
    pub cautious: Timestamp,
}

impl From<Timestamp> for Readings {
    /// Of a clock that has not stepped.
    fn from(now: Timestamp) -> Self {
        Self { now, cautious: now }
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_in_utc_with_milliseconds() {
        let instant = Timestamp::from_millis(1_773_694_172_000);
        assert_eq!(instant.to_string(), "2026-03-16T20:49:32.000Z");
        assert_eq!(instant.plus_millis(7).to_string(), "2026-03-16T20:49:32.007Z");
    }

    #[test]
    fn a_day_gone_by_is_one_of_the_calendar_and_not_in_the_future() {
        let now = Timestamp::from_millis(1_773_694_172_000);
        for (text, good) in [
            ("1990-12-31", true),
            ("2024-02-29", true),
            ("2026-03-17", true),
            ("2026-03-18", false),
            ("2023-02-29", false),
            ("1990-13-01", false),
            ("19901231", false),
            ("1990-12-31T00:00:00Z", false),
            ("-00990-1-1", false),
            ("", false),
        ] {
            assert_eq!(is_day_gone_by(text, now), good, "{text}");
        }
    }

    const MINUTE: i64 = 60_000;
    const START: Timestamp = Timestamp::from_millis(1_773_694_172_000);

    #[test]
    fn R159_a_step_forward_is_believed_after_half_an_hour_and_one_back_at_once() {
        let clock = Clock::fixed(START);
        let at = |minutes: i64| START.plus_millis(minutes * MINUTE);
        // What passes while nobody looks is no step.
        clock.advance(500 * MINUTE);
        assert_eq!(clock.cautious(), at(500));
        clock.jump(60 * MINUTE);
        assert_eq!((clock.now(), clock.cautious()), (at(560), at(500)));
        clock.advance(29 * MINUTE);
        assert_eq!(clock.cautious(), at(529));
        // Each step has half an hour of its own: however often there is one, none is held for longer.
        clock.jump(2 * MINUTE);
        assert_eq!(clock.cautious(), at(529));
        clock.advance(MINUTE);
        assert_eq!(clock.cautious(), at(590));
        clock.advance(28 * MINUTE);
        assert_eq!(clock.cautious(), at(618));
        clock.advance(MINUTE);
        assert_eq!((clock.now(), clock.cautious()), (at(621), at(621)));
        clock.jump(-60 * MINUTE);
        assert_eq!((clock.now(), clock.cautious()), (at(561), at(561)));
        // There and back: it was never believed, and is not the next time either.
        for _ in 0..3 {
            clock.jump(60 * MINUTE);
            clock.advance(20 * MINUTE);
            assert!(clock.cautious() < clock.now().plus_millis(-59 * MINUTE));
            clock.jump(-60 * MINUTE);
            assert_eq!(clock.cautious(), clock.now());
        }
    }

    #[test]
    fn R159_a_machine_that_sleeps_again_and_again_is_never_more_than_its_last_half_hours_sleep_behind() {
        let clock = Clock::fixed(START);
        for _ in 0..200 {
            clock.advance(20 * MINUTE);
            clock.jump(60 * MINUTE);
            let behind = clock.now().as_millis() - clock.cautious().as_millis();
            assert!(behind <= 120 * MINUTE, "{behind}");
        }
        // Nor does a clock that steps all the time fill the memory.
        for _ in 0..1_000 {
            clock.jump(2 * MINUTE);
            let _ = clock.cautious();
        }
        assert!(clock.belief.lock().unwrap().held.len() <= Belief::MOST);
        clock.advance(31 * MINUTE);
        assert_eq!(clock.cautious(), clock.now());
    }

    #[test]
    fn R159_what_ntp_does_is_believed_at_once() {
        let clock = Clock::fixed(START);
        for millis in [1_000, -1_000, 60_000, -60_000, -3_600_000, 500] {
            clock.jump(millis);
            assert_eq!(clock.cautious(), clock.now(), "{millis}");
        }
        let system = Clock::system();
        let (before, cautious, after) = (system.now(), system.cautious(), system.now());
        assert!(before.plus_millis(-1) <= cautious && cautious <= after.plus_millis(1));
    }
}
