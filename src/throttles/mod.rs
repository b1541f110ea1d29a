//! Throttles: how many failures in a row a user, or a name that nobody has, may make.
//!
//! An attempt is reserved before the password is hashed and concluded after it. Attempts in flight
//! count like failures while they last, so that of any number at once no more than five are compared
//! with the stored hash (R015, R017).

pub mod store;

use crate::clock::Timestamp;
use crate::db::{Applied, DbError};
use crate::error::LOCKOUT_MINUTES;
use crate::ids::UserId;

/// An attempt that was not concluded after this long counts as a failure: its server died over it.
pub const ATTEMPT_LIFETIME_MILLIS: i64 = 60_000;

/// Whose failures are counted together: a user, or a name that nobody has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject(String);

impl Subject {
    #[must_use]
    pub fn user(id: &UserId) -> Self {
        Self(format!("user:{id}"))
    }

    /// A name that nobody has stands here as a keyed digest: people type passwords into the wrong field (R143).
    #[must_use]
    pub fn name(digest: &str) -> Self {
        Self(format!("name:{digest}"))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a caller has shown of having been let in before. Each has failures of its own to make, so that a stranger can
/// neither lock an owner out nor spend what is the owner's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Proof {
    /// Nothing: a stranger, for all we know.
    None,
    /// A device and a network that the user has both logged in from before: what others may know and imitate.
    Half,
    /// A refresh token that we once gave this user on this device.
    Full,
}

impl Proof {
    /// The word in events and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Half => "half",
            Self::Full => "full",
        }
    }
}

/// What a reservation came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reservation {
    /// The attempt may be hashed, and must then be concluded.
    Reserved,
    /// As many attempts as may fail are already in flight; one of them will be over soon.
    Busy,
    /// Too many failures.
    Locked { until: Timestamp },
}

impl Reservation {
    /// Reads what [`store::reserve`] answered.
    pub fn from_applied(applied: &Applied) -> Result<Self, DbError> {
        let throttle =
            applied.rows(1).first().ok_or_else(|| DbError::Failed("the throttle has no row".to_owned()))?;
        if let Some(until) = throttle.maybe_instant("locked_until")? {
            return Ok(Self::Locked { until });
        }
        Ok(if applied.rows(4).is_empty() { Self::Busy } else { Self::Reserved })
    }
}

/// Attempts reserved before this instant are dead now.
#[must_use]
pub const fn dead_before(now: Timestamp) -> Timestamp {
    now.plus_millis(-ATTEMPT_LIFETIME_MILLIS)
}

/// When a lock that begins now ends.
#[must_use]
pub const fn lock_end(now: Timestamp) -> Timestamp {
    now.plus_seconds(LOCKOUT_MINUTES * 60)
}
