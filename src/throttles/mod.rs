//! Throttles: how many failures in a row the callers of a user, or of a name that nobody has, may make.
//!
//! An attempt is reserved before the password is hashed and concluded after it. Attempts in flight
//! count like failures while they last, so that of any number at once no more than five are compared
//! with the stored hash (R015, R017).
//!
//! A user has a budget for each [`Proof`], and one for each device that it is of (R020). Five failures in a row lock a
//! budget for a while; a hundred in all shut it for good, until the password is set anew or somebody unlocks it (R019).

pub mod store;

use crate::clock::Timestamp;
use crate::db::{Applied, DbError};
use crate::error::LOCKOUT_MINUTES;
use crate::ids::{DeviceId, UserId};

/// An attempt that was not concluded after this long counts as a failure: its server died over it.
pub const ATTEMPT_LIFETIME_MILLIS: i64 = 60_000;

/// As many failures in a row, at whatever pace, shut a budget for good (R019: NIST SP 800-63B §3.2.2).
pub const MAX_IN_ALL: i64 = 100;

/// From so many on each failure brings a warning before that (R016).
pub const WARN_FROM: i64 = 90;

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

/// Whose failures are counted together, a budget: a user's with one proof, or a name's that nobody has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Subject {
    text: String,
    user: Option<UserId>,
}

impl Subject {
    /// Of callers who have proven nothing.
    #[must_use]
    pub fn unproven(user: &UserId) -> Self {
        Self { text: format!("user:{user}"), user: Some(user.clone()) }
    }

    /// Of callers on this device, from a network that it is known from.
    #[must_use]
    pub fn half_proven(user: &UserId, device: &DeviceId) -> Self {
        Self { text: format!("user:{user}/half:{device}"), user: Some(user.clone()) }
    }

    /// Of callers who have shown that they are on this device; `None` for a session that was opened on none.
    #[must_use]
    pub fn proven(user: &UserId, device: Option<&DeviceId>) -> Self {
        let device = device.map_or("", DeviceId::as_str);
        Self { text: format!("user:{user}/full:{device}"), user: Some(user.clone()) }
    }

    /// A name that nobody has stands here as a keyed digest: people type passwords into the wrong field (R143).
    #[must_use]
    pub fn name(digest: &str) -> Self {
        Self { text: format!("name:{digest}"), user: None }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose it is; `None` where nobody has the name.
    #[must_use]
    pub const fn user_id(&self) -> Option<&UserId> {
        self.user.as_ref()
    }
}

/// What a reservation came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reservation {
    /// The attempt may be hashed, and must then be concluded.
    Reserved,
    /// As many attempts as may fail are already in flight; one of them will be over soon.
    Busy,
    /// Too many failures. A budget that is shut for good has the end of a lock that begins now: nobody is told for how
    /// long to come back.
    Locked { until: Timestamp },
}

impl Reservation {
    /// Reads what [`store::reserve`] answered.
    pub fn from_applied(applied: &Applied, now: Timestamp) -> Result<Self, DbError> {
        let throttle =
            applied.rows(1).first().ok_or_else(|| DbError::Failed("the throttle has no row".to_owned()))?;
        if throttle.int("total")? >= MAX_IN_ALL {
            return Ok(Self::Locked { until: lock_end(now) });
        }
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
