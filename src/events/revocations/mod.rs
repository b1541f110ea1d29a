//! What has ended and could still be alive as an access token: for those who verify access tokens by themselves.

pub mod store;

use serde_json::Value;

use crate::access_tokens::CLOCK_SKEW_SECONDS;
use crate::clock::Timestamp;
use crate::customers::CustomerStatus;
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, SessionId, UserId};
use crate::sessions::EndReason;

use super::{EventName, FeedPlace, History};

/// How long an ending matters, in seconds: the longest life of an access token, the skew of clocks, and the minute that
/// a verifier may allow them on top (RFC 7519 §4.1.4: "no more than a few minutes").
pub const KEPT_SECONDS: i64 = 3_600 + CLOCK_SKEW_SECONDS + 60;

/// What is over, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// Its event's.
    pub position: i64,
    pub revoked: Revoked,
    /// A word of [`EndReason`].
    pub reason: String,
}

/// Which sessions: one, or all below a row that were opened at an instant or before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Revoked {
    Session(SessionId),
    User {
        id: UserId,
        opened_until: Timestamp,
        /// The one that lives on.
        except: Option<SessionId>,
    },
    Customer {
        id: CustomerId,
        opened_until: Timestamp,
    },
    Tenant {
        opened_until: Timestamp,
    },
}

impl Revocation {
    /// Reads a row of [`store::find`]; `None` where it has no event.
    fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(position) = row.maybe_int("position")? else { return Ok(None) };
        let ends = row.text("ends")?;
        let opened_until = || row.instant("ends_until");
        let revoked = match ends.as_str() {
            "session" => Revoked::Session(SessionId::from_stored(row.text("session_id")?)),
            "user" => Revoked::User {
                id: UserId::from_stored(row.text("user_id")?),
                opened_until: opened_until()?,
                except: row.maybe_text("ends_not")?.map(SessionId::from_stored),
            },
            "customer" => Revoked::Customer {
                id: CustomerId::from_stored(row.text("customer_id")?),
                opened_until: opened_until()?,
            },
            "tenant" => Revoked::Tenant { opened_until: opened_until()? },
            other => return Err(DbError::Failed(format!("events.ends: unknown word {other}"))),
        };
        let (name, reason) = (row.text("name")?, row.maybe_text("reason")?);
        let reason = end_reason(&name, &row.text("details")?).map_or_else(
            // Whatever else ends sessions says by which of these words; a newer version may have others.
            || reason.unwrap_or(name),
            |reason| reason.as_str().to_owned(),
        );
        Ok(Some(Self { position, revoked, reason }))
    }
}

/// Why sessions end by an event whose own reason is its actor's word, or nobody's.
fn end_reason(name: &str, details: &str) -> Option<EndReason> {
    match EventName::parse(name)? {
        EventName::AuthnPasswordChange | EventName::AuthnPasswordResetRequest => {
            Some(EndReason::PasswordChanged)
        }
        EventName::UserStatusChanged | EventName::UserErased => Some(EndReason::UserDisabled),
        EventName::CustomerStatusChanged => {
            let details: Value = serde_json::from_str(details).ok()?;
            let closed = details["after"] == CustomerStatus::Closed.as_str();
            Some(if closed { EndReason::CustomerClosed } else { EndReason::CustomerSuspended })
        }
        EventName::CustomerErased => Some(EndReason::CustomerClosed),
        EventName::TenantStatusChanged => Some(EndReason::TenantSuspended),
        EventName::DeviceForgotten => Some(EndReason::DeviceForgotten),
        EventName::AuthnTokenReuse => Some(EndReason::RefreshReuse),
        _ => None,
    }
}

/// What one look at a tenant's events finds, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevocationPage {
    /// It begins after this position.
    pub after: i64,
    pub revocations: Vec<Revocation>,
    /// The next one begins after this position.
    pub next: i64,
    /// Whether there are numbered events after it already.
    pub more: bool,
    /// Whatever was durable at this instant has its number, so that nothing of it comes later than on the next page.
    pub as_of: Timestamp,
    /// Whose positions these are.
    pub history: History,
}

impl RevocationPage {
    /// Where the next one begins.
    #[must_use]
    pub fn goes_on(&self) -> FeedPlace {
        FeedPlace { position: self.next, history: self.history }
    }

    /// Reads the rows of [`store::find`], which were asked for at `now`. `None`: the position is ahead of the tenant's
    /// newest event, so it is of a state of the database that is no more.
    pub fn from_rows(rows: &[Row], after: i64, most: u32, now: Timestamp) -> Result<Option<Self>, DbError> {
        let Some(first) = rows.first() else { return Ok(None) };
        let head = first.int("head")?;
        if after > head {
            return Ok(None);
        }
        let waiting = first.maybe_instant("waiting_since")?;
        let revocations = rows
            .iter()
            .filter_map(|row| Revocation::from_row(row).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let full = revocations.len() >= most as usize;
        let looked_through = after.saturating_add(store::LOOKED_THROUGH).min(head);
        let next = revocations.last().filter(|_| full).map_or(looked_through, |last| last.position);
        let as_of = waiting.map_or(now, |since| since.min(now));
        let history = History::from_row(first)?;
        Ok(Some(Self { after, revocations, next, more: next < head, as_of, history }))
    }
}

/// What ended before this instant matters no more.
#[must_use]
pub fn kept_since(now: Timestamp) -> Timestamp {
    now.plus_seconds(-KEPT_SECONDS)
}
