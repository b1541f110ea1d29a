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
    believed: Option<i64>,
    seen: i64,
    /// When it stepped too far ahead the last time, by the monotonic clock.
    stepped_at: i64,
}

impl Belief {
    /// A longer step forward is not believed at once: NTP makes none, once it has the time.
    const STEP: i64 = 60_000;
    /// But after so long, when nobody has set the clock back. A lock that stood when it stepped is over by then.
    const HELD: i64 = 30 * 60_000;

    fn ahead(&mut self, ahead: i64, steady: i64) -> i64 {
        let believed = self.believed.unwrap_or(ahead);
        if self.believed.is_some() && ahead - self.seen > Self::STEP {
            self.stepped_at = steady;
            let seconds = (ahead - self.seen) / 1_000;
            tracing::warn!(
                seconds,
                "the clock was set forward; locks and deletions believe it in half an hour"
            );
        }
        self.seen = ahead;
        let too_far = ahead - believed > Self::STEP;
        let held = too_far && steady - self.stepped_at < Self::HELD;
        let believed = if held { believed } else { ahead };
        self.believed = Some(believed);
        believed
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
        // Another step is another half an hour.
        clock.jump(2 * MINUTE);
        assert_eq!(clock.cautious(), at(529));
        clock.advance(29 * MINUTE);
        assert_eq!(clock.cautious(), at(558));
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
