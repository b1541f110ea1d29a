//! Limits by source: how many logins may fail from one address, whosever names they try, and whether or not anybody has
//! them (R021); and how many different guesses may come from it before it is shut out (R022).
//!
//! A login leaves a mark at its source in the change that reserves its attempt. In flight a mark counts like a failure,
//! so that of any number at once no more are hashed than may fail; a success takes its mark away, a failure writes into
//! it what was tried. Marks live for as long as somebody counts them, and no address has more than its limit lets it
//! make.

mod gates;
mod refused;
pub mod store;

use std::net::{IpAddr, Ipv6Addr};

use crate::clock::Timestamp;
use crate::db::{DbError, Row, Statement};
use crate::tenants::Settings;

pub use gates::{Gates, Place};
pub use refused::RefusedSources;

/// Over how long failures are counted for the shorter limit, in seconds. An attempt that was not concluded after that
/// long counts as a failure: its server died over it.
pub const MINUTE: i64 = 60;

/// Over how long failures are counted for the longer limit, in seconds.
pub const HOUR: i64 = 60 * MINUTE;

/// Over how long different guesses are counted, in seconds: nothing is remembered for longer but a ban.
pub const SPRAY: i64 = 3 * HOUR;

/// How long a source that sprays is shut out, in seconds.
pub const BAN: i64 = 24 * HOUR;

/// What is counted together: an IPv4 address, or an IPv6 /64, which is what one customer of a provider has at least
/// (R134). It is no application: X-Forwarded-From has nothing to do with it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Source(String);

impl Source {
    /// The one that an address is of.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a tenant lets each source do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Failures a minute.
    pub per_minute: i64,
    /// Failures an hour.
    pub per_hour: i64,
    /// How many different guesses in [`SPRAY`] shut a source out; `None`: any number may be made.
    pub spray_pairs: Option<i64>,
}

impl Rules {
    /// A tenant's; `None` where it has switched them off.
    #[must_use]
    pub fn of(settings: &Settings) -> Option<Self> {
        let Settings { source_failures_per_minute, source_failures_per_hour, spray_pairs, .. } = *settings;
        (source_failures_per_minute > 0).then_some(Self {
            per_minute: source_failures_per_minute,
            per_hour: source_failures_per_hour,
            spray_pairs: (spray_pairs > 0).then_some(spray_pairs),
        })
    }
}

/// What has failed from a source. What is in flight is not in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failures {
    pub banned_until: Option<Timestamp>,
    pub last_minute: i64,
    pub last_hour: i64,
}

impl Failures {
    /// Reads `store::failure_columns`.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            banned_until: row.maybe_instant("source_banned_until")?,
            last_minute: row.int("source_last_minute")?,
            last_hour: row.int("source_last_hour")?,
        })
    }
}

/// Binds what `store::failure_columns` asks for: the next three parameters.
#[must_use]
pub fn bind_failures(statement: Statement, source: &Source, now: Timestamp) -> Statement {
    statement.bind(source.as_str()).bind(now.plus_seconds(-MINUTE)).bind(now.plus_seconds(-HOUR))
}

/// When a ban that begins now ends.
#[must_use]
pub const fn ban_end(now: Timestamp) -> Timestamp {
    now.plus_seconds(BAN)
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R134_a_source_is_an_ipv4_address_in_any_clothes_or_an_ipv6_64() {
        let source = |text: &str| Source::of(text.parse().unwrap()).0;
        assert_eq!(source("203.0.113.9"), "203.0.113.9");
        assert_eq!(source("::ffff:203.0.113.9"), "203.0.113.9");
        assert_ne!(source("203.0.113.9"), source("203.0.113.10"));
        assert_eq!(source("2001:db8:1:2::3"), "2001:db8:1:2::/64");
        assert_eq!(source("2001:db8:1:2:ffff:ffff:ffff:ffff"), "2001:db8:1:2::/64");
        assert_ne!(source("2001:db8:1:2::3"), source("2001:db8:1:3::3"));
    }
}
