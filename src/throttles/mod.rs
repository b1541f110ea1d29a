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
use crate::db::{Applied, DbError, Row};
use crate::error::LOCKOUT_MINUTES;
use crate::ids::{DeviceId, UserId};

/// An attempt that was not concluded after this long counts as a failure: its server died over it.
pub const ATTEMPT_LIFETIME_MILLIS: i64 = 60_000;

/// As many failures in a row, at whatever pace, shut a budget for good (R019: NIST SP 800-63B §3.2.2).
pub const MAX_IN_ALL: i64 = 100;

/// From so many on each failure brings a warning before that (R016).
pub const WARN_FROM: i64 = 90;

/// How long a row without failures stays.
pub const CLEAR_ROW_MILLIS: i64 = 24 * HOUR;

/// How long after its last failure a name that nobody has stays, if it was never locked: anybody can make any number of
/// them. As long count anybody's failures to the next lock, and a user's to the hundred until somebody clears them.
pub const NAME_ROW_MILLIS: i64 = 7 * 24 * HOUR;

/// The same, if it was locked once: then it goes on counting to a hundred like a user's (R018, R019).
pub const LOCKED_NAME_ROW_MILLIS: i64 = 400 * 24 * HOUR;

const HOUR: i64 = 3_600_000;

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

/// A user's budget that has failures, as staff look at it.
#[derive(Clone, Debug)]
pub struct Lock {
    pub id: LockId,
    pub subject: String,
    /// What the app calls the device that it is of, and what the user does; `None` where it is of none, or of one that
    /// was forgotten.
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    /// In a row, since the last lock was over or a week without any.
    pub failures: i64,
    /// In a row, since the last success.
    pub total: i64,
    /// Until when it is locked, or was.
    pub locked_until: Option<Timestamp>,
}

impl Lock {
    /// Reads a row of [`store::find_of_user`].
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let subject = row.text("subject")?;
        Ok(Self {
            id: LockId::of(&subject),
            subject,
            device_id: row.maybe_text("device_id")?,
            device_name: row.maybe_text("device_name")?,
            failures: row.int("failures")?,
            total: row.int("total")?,
            locked_until: row.maybe_instant("locked_until")?,
        })
    }

    /// Whether nobody with this proof gets in until somebody clears it.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        self.total >= MAX_IN_ALL
    }

    /// The end of the lock that holds at an instant.
    #[must_use]
    pub fn end(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|end| now < *end)
    }
}

/// Which of a user's budgets: by its proof, and the device that this is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LockId {
    pub proof: Proof,
    pub device: Option<DeviceId>,
}

impl LockId {
    fn of(subject: &str) -> Self {
        let device = |id: &str| Some(DeviceId::from_stored(id.to_owned())).filter(|_| !id.is_empty());
        match subject
            .split_once("/half:")
            .map(|(_, id)| (Proof::Half, id))
            .or_else(|| subject.split_once("/full:").map(|(_, id)| (Proof::Full, id)))
        {
            Some((proof, id)) => Self { proof, device: device(id) },
            None => Self { proof: Proof::None, device: None },
        }
    }

    /// Reads `none`, `half-` or `full-` and the id of a device, or `full`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (proof, device) = match text.split_once('-') {
            None if text == "none" => (Proof::None, None),
            None if text == "full" => (Proof::Full, None),
            Some(("half", id)) => (Proof::Half, Some(DeviceId::parse(id)?)),
            Some(("full", id)) => (Proof::Full, Some(DeviceId::parse(id)?)),
            _ => return None,
        };
        Some(Self { proof, device })
    }

    /// Whose failures it counts.
    #[must_use]
    pub fn subject(&self, user: &UserId) -> Subject {
        match (self.proof, &self.device) {
            (Proof::Full, device) => Subject::proven(user, device.as_ref()),
            (Proof::Half, Some(device)) => Subject::half_proven(user, device),
            (Proof::Half | Proof::None, _) => Subject::unproven(user),
        }
    }
}

impl std::fmt::Display for LockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.proof.as_str())?;
        self.device.as_ref().map_or(Ok(()), |device| write!(f, "-{device}"))
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
