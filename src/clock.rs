//! The time. Everything that asks what time it is asks here, so that a test can stop it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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

/// Where the time comes from: the system, or a test's hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Fixed(Arc<AtomicI64>),
    Told(Arc<dyn Fn() -> Timestamp + Send + Sync>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Fixed(_) => "Fixed",
            Self::Told(_) => "Told",
        })
    }
}

impl Clock {
    /// For what starts the program; everything else is handed a clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::advance`] moves it. Clones share the hand.
    #[must_use]
    pub fn fixed(at: Timestamp) -> Self {
        Self(Source::Fixed(Arc::new(AtomicI64::new(at.as_millis()))))
    }

    /// A clock that asks at each look, for tests: time may jump there, and looking at it may fail.
    #[must_use]
    pub fn told(by: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Source::Told(Arc::new(by)))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Source::Fixed(millis) => Timestamp(millis.load(Ordering::SeqCst)),
            Source::Told(by) => by(),
        }
    }

    /// Moves a fixed clock by so many milliseconds; the system's clock is not ours to move.
    pub fn advance(&self, millis: i64) {
        if let Source::Fixed(at) = &self.0 {
            at.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
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
}
