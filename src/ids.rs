//! Identifiers: opaque text, never reused, never secrets.
//!
//! An id is 1 to 64 characters of `A-Z a-z 0-9 _ -`. One that is shaped like a UUID is kept in lower
//! case, so that one thing has one spelling. Ours are UUIDs: version 7 (RFC 9562 §5.7) for what is
//! made all the time (sessions, events) or by the thousand (imports), version 4 for the rest; imported ones may be
//! anything.

use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use crate::clock::Timestamp;
use crate::db::Value;
use crate::secrets::random;

/// The longest id, in characters.
pub const MAX_ID_LENGTH: usize = 64;

/// In a path: "whoever the username says".
pub const NIL: &str = "00000000-0000-0000-0000-000000000000";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Reads an id that came from outside; `None` if it is not shaped like one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                canonical(text).map(Self)
            }

            /// An id that this database already holds.
            #[must_use]
            pub fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The id as answers, tokens and the database have it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for Value {
            fn from(id: &$name) -> Self {
                Value::Text(id.0.clone())
            }
        }
    };
}

macro_rules! random_id {
    ($($name:ident),*) => {$(
        impl $name {
            /// A new id: UUID version 4.
            #[must_use]
            pub fn random() -> Self {
                Self(random_uuid())
            }
        }
    )*};
}

macro_rules! ordered_id {
    ($($name:ident),*) => {$(
        impl $name {
            /// A new id: UUID version 7, so that rows made together lie together.
            #[must_use]
            pub fn at(now: Timestamp) -> Self {
                Self(ordered_uuid(now).to_string())
            }
        }
    )*};
}

id!(
    /// A tenant: a fintech whose customers log in here.
    TenantId
);
id!(
    /// A tenant key's public handle; `client_id` in tokens. It is not the key.
    TenantKeyId
);
id!(
    /// A customer: an individual or an organization.
    CustomerId
);
id!(
    /// A user: who logs in for a customer.
    UserId
);
id!(
    /// An operator: who runs Vestibule.
    OperatorId
);
id!(
    /// A session.
    SessionId
);
id!(
    /// An operation that ends sessions by what they have in common.
    SessionOperationId
);
id!(
    /// A device of a user's, as paths name it: not the app's own id for it.
    DeviceId
);
id!(
    /// An event.
    EventId
);
id!(
    /// One attempt at a password, between its reservation and its conclusion.
    AttemptId
);
id!(
    /// One change, stamped on the rows it touches so that a later statement of it finds them.
    ChangeId
);

random_id!(TenantId, TenantKeyId, CustomerId, UserId, OperatorId, SessionOperationId, AttemptId, ChangeId);
/// Of a session: no counter, which would take the time from whatever was made last.
impl SessionId {
    /// A new id: UUID version 7 whose time is `opened_at` to the millisecond (RFC 9562 §5.7). Whoever has a session's id
    /// knows by it when it was opened; the rest is random.
    #[must_use]
    pub fn at(opened_at: Timestamp) -> Self {
        let millis = u64::try_from(opened_at.as_millis()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random()).into_uuid();
        Self(uuid.to_string())
    }

    /// Behind all ids of sessions, whenever they are opened.
    #[must_use]
    pub const fn last() -> &'static str {
        "g"
    }

    /// Before all ids of sessions that were opened at this instant or later.
    #[must_use]
    pub fn before(at: Timestamp) -> Self {
        Self(EventId::before(at).0)
    }
}

// Users and customers who come by the thousand only: in the order of nothing each would dirty pages of its own in
// every index.
ordered_id!(EventId, UserId, CustomerId);

impl EventId {
    /// No event's id, and before all that are made at this instant or later.
    #[must_use]
    pub fn before(at: Timestamp) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().to_string())
    }
}

/// The tenant under which Vestibule's own events stand. It has no keys, users or issuer.
#[must_use]
pub fn system_tenant() -> TenantId {
    TenantId(NIL.to_owned())
}

/// A random UUID for what needs no type of its own: a `jti`, a request id.
#[must_use]
pub fn random_uuid() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

/// Whether the text is a UUID in its hyphenated form, in any case.
#[must_use]
pub fn is_uuid_shaped(text: &str) -> bool {
    text.len() == 36 && Uuid::try_parse(text).is_ok()
}

/// The counter of RFC 9562 §6.2 (method 1): what one process makes within a millisecond keeps its order.
static COUNTER: LazyLock<Mutex<ContextV7>> = LazyLock::new(|| Mutex::new(ContextV7::new()));

fn ordered_uuid(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let seconds = millis / 1000;
    let nanos = u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000;
    let counter = COUNTER.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(uuid::Timestamp::from_unix(&*counter, seconds, nanos))
}

fn canonical(text: &str) -> Option<String> {
    let fits = (1..=MAX_ID_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    fits.then(|| if is_uuid_shaped(text) { text.to_ascii_lowercase() } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_told_by_its_id_to_be_made_no_earlier_than_an_instant() {
        let at = Timestamp::from_millis(1_773_690_572_000);
        assert!(EventId::before(at) < EventId::at(at));
        assert!(EventId::before(at) < EventId::before(at.plus_millis(1)));
        assert!(EventId::before(Timestamp::from_millis(-1)) < EventId::before(at));
        assert_eq!(EventId::before(at).as_str(), "019cf832-4ce0-7000-8000-000000000000");
    }

    #[test]
    fn an_id_is_short_plain_text_and_a_uuid_is_lower_cased() {
        assert_eq!(UserId::parse("6r1k1hw6npq").unwrap().as_str(), "6r1k1hw6npq");
        assert_eq!(UserId::parse("Ab_-9").unwrap().as_str(), "Ab_-9");
        let upper = "A7D04F6B-1C5E-7B8D-E2A4-0F9B6C5D4E3B";
        assert_eq!(UserId::parse(upper).unwrap().as_str(), upper.to_ascii_lowercase());
        for bad in ["", "a b", "é", "a/b", "a\0", &"x".repeat(65)] {
            assert_eq!(UserId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_session_id_begins_with_its_time() {
        let id = SessionId::at(Timestamp::from_millis(1_773_694_172_123));
        let uuid = Uuid::parse_str(id.as_str()).unwrap();
        assert_eq!(uuid.get_version_num(), 7);
        assert_eq!(uuid.get_timestamp().unwrap().to_unix(), (1_773_694_172, 123_000_000));
        // Whatever was made before it.
        let later = EventId::at(Timestamp::from_millis(1_773_694_999_000));
        assert!(SessionId::at(Timestamp::from_millis(1_773_694_172_124)).as_str() < later.as_str());
    }

    #[test]
    fn events_of_one_millisecond_are_in_the_order_in_which_they_were_made() {
        let now = Timestamp::from_millis(1_773_694_172_123);
        let ids: Vec<_> = (0..10_000).map(|_| EventId::at(now)).collect();
        assert!(ids.is_sorted());
    }

    #[test]
    #[expect(non_snake_case, reason = "test names carry requirement ids")]
    fn R059_a_million_ids_of_sessions_of_one_millisecond_differ_and_their_bits_are_even() {
        const MANY: u32 = 1_000_000;
        let now = Timestamp::from_millis(1_773_694_172_123);
        let mut ones = [0_u32; 128];
        let mut ids = std::collections::HashSet::with_capacity(MANY as usize);
        for _ in 0..MANY {
            let id = Uuid::try_parse(SessionId::at(now).as_str()).unwrap().as_u128();
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += u32::from(id >> (127 - bit) & 1 == 1);
            }
            assert!(ids.insert(id), "an id came twice");
        }
        // Behind the instant and the version, and behind the variant: 74 bits. Seven deviations to either side.
        let random = (52..64).chain(66..128);
        assert_eq!(random.clone().count(), 74);
        for bit in random {
            assert!(ones[bit].abs_diff(MANY / 2) < 3_500, "bit {bit} is set {} times", ones[bit]);
        }
    }

    #[test]
    #[expect(non_snake_case, reason = "test names carry requirement ids")]
    fn R052_ids_do_not_repeat() {
        let now = Timestamp::from_millis(1_773_694_172_123);
        let ids: std::collections::HashSet<_> = (0..100_000).map(|_| SessionId::at(now)).collect();
        assert_eq!(ids.len(), 100_000);
    }
}
