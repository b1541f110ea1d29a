//! Which sessions: what lists and searches find them by, and what many are ended by.

pub mod store;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::ids::{CustomerId, SessionId, UserId};
use crate::tenants::Family;

use super::EndReason;

/// A page of a list, and a slice of what ends many, looks at so many sessions at most.
pub const LOOKED_AT: i64 = 5_000;

/// And at so many at a time, so that it stops soon where it finds enough.
pub const LOOKED_AT_ONCE: i64 = 500;

/// No session's id, and after all of them (RFC 9562 §5.10).
const AFTER_ALL: &str = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/// Whether a session lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionState {
    Live,
    Ended,
}

impl SessionState {
    pub const ALL: [Self; 2] = [Self::Live, Self::Ended];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

/// Which sessions; what is `None` does not matter.
///
/// Stored as JSON while sessions are being ended by it. A name that this version does not know is refused when it is
/// read: without it too many would be ended.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SessionFilter {
    #[serde(rename = "userId", skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    #[serde(rename = "customerId", skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    #[serde(rename = "deviceId", skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The decided address of the login, as text of an `IpAddr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Opened at this instant or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_after: Option<Timestamp>,
    /// Opened before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_before: Option<Timestamp>,
    #[serde(skip)]
    pub family: Option<Family>,
    #[serde(skip)]
    pub state: Option<SessionState>,
    #[serde(skip)]
    pub end_reason: Option<EndReason>,
}

impl SessionFilter {
    /// The names of what sessions have in common, by which many may be ended.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let fields = serde_json::to_value(self).expect("plain data");
        fields.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// As it is stored.
    #[must_use]
    pub fn to_stored(&self) -> String {
        serde_json::to_string(self).expect("plain data")
    }

    /// Between which ids they are: from the first on, and before the second. An id bears the time of its session.
    #[must_use]
    pub fn range(&self) -> (String, String) {
        let id = |at: Timestamp| SessionId::before(at).as_str().to_owned();
        (self.created_after.map(id).unwrap_or_default(), self.created_before.map_or(AFTER_ALL.to_owned(), id))
    }

    /// Whether rows have to be looked at one by one. What one index has, and the time, is found by it; a user is of one
    /// family as good as always.
    #[must_use]
    pub fn look_at_each(&self) -> bool {
        let Self { user, customer, device, platform, address, state, end_reason, .. } = self;
        let by_index = [user.is_some(), customer.is_some(), device.is_some(), address.is_some()];
        let by_index = by_index.into_iter().filter(|filter| *filter).count();
        platform.is_some() || state.is_some() || end_reason.is_some() || by_index > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_stored_without_what_does_not_matter_and_an_unknown_name_is_refused() {
        let filter = SessionFilter {
            user: UserId::parse("someone"),
            address: Some("203.0.113.7".to_owned()),
            created_before: Some(Timestamp::from_millis(5)),
            state: Some(SessionState::Live),
            ..SessionFilter::default()
        };
        let stored = filter.to_stored();
        assert_eq!(stored, r#"{"userId":"someone","address":"203.0.113.7","createdBefore":5}"#);
        let read: SessionFilter = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, SessionFilter { state: None, ..filter });
        assert_eq!(read.names().into_iter().collect::<Vec<_>>(), ["address", "createdBefore", "userId"]);
        assert!(serde_json::from_str::<SessionFilter>(r#"{"userId":"someone","newer":1}"#).is_err());
    }

    #[test]
    fn a_time_is_a_range_of_ids() {
        let at = Timestamp::from_millis(1_773_690_572_000);
        let filter = SessionFilter {
            created_after: Some(at),
            created_before: Some(at.plus_millis(1)),
            ..SessionFilter::default()
        };
        let (from, before) = filter.range();
        let within = |millis| {
            let id = SessionId::at(at.plus_millis(millis)).as_str().to_owned();
            from <= id && id < before
        };
        assert_eq!([-1, 0, 1].map(within), [false, true, false]);
        let (from, before) = SessionFilter::default().range();
        let id = SessionId::at(at).as_str().to_owned();
        assert!(from < id && id < before);
    }
}
