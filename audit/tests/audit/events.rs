//! The canonical encoding.

use proptest::prelude::*;
use vestibule_audit::{Digest, EventRecord, encode_event, event_leaf, leaf_hash, personal_digest};

pub fn event(position: u64) -> EventRecord {
    let id = |kind: &str| Some(format!("{kind}-{position}"));
    EventRecord {
        tenant_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        position,
        id: format!("019cf818-6d1e-7c3e-9b1a-{position:012}"),
        name: "authn_login_success".to_owned(),
        outcome: "success".to_owned(),
        occurred_at: 1_773_690_572_123,
        actor_kind: "user".to_owned(),
        actor_id: id("user"),
        user_id: id("user"),
        customer_id: id("customer"),
        session_id: id("session"),
        reason: None,
        request_id: id("request"),
        details: "{\"family\":\"individual\"}".to_owned(),
        ends: None,
        ends_until: None,
        ends_not: None,
        personal_digest: Digest(personal_digest(b"salt", "{}")),
    }
}

#[test]
fn r139_the_encoding_is_the_documented_one_to_the_byte() {
    let short = EventRecord {
        tenant_id: "t".to_owned(),
        position: 258,
        id: "i".to_owned(),
        name: "né".to_owned(),
        outcome: String::new(),
        occurred_at: -2,
        actor_kind: "system".to_owned(),
        reason: Some("r".to_owned()),
        details: "{}".to_owned(),
        ends: Some("user".to_owned()),
        ends_until: Some(1),
        personal_digest: Digest([9; 32]),
        ..EventRecord::default()
    };
    let mut expected = b"vestibule/event/1\0\
        \0\0\0\x01t\
        \0\0\0\0\0\0\x01\x02\
        \0\0\0\x01i\
        \0\0\0\x03n\xc3\xa9\
        \0\0\0\0\
        \xff\xff\xff\xff\xff\xff\xff\xfe\
        \0\0\0\x06system\
        \0\0\0\0\
        \x01\0\0\0\x01r\
        \0\
        \0\0\0\x02{}\
        \x01\0\0\0\x04user\
        \x01\0\0\0\0\0\0\0\x01\
        \0"
    .to_vec();
    expected.extend([9; 32]);
    assert_eq!(encode_event(&short), expected);
    assert_eq!(event_leaf(&short), leaf_hash(&expected));
}

/// Reads an encoding by what the documentation says of it.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let (bytes, rest) = self.0.split_first_chunk().unwrap();
        self.0 = rest;
        *bytes
    }
    fn text(&mut self) -> String {
        let length = u32::from_be_bytes(self.bytes());
        let (text, rest) = self.0.split_at(length as usize);
        self.0 = rest;
        String::from_utf8(text.to_vec()).unwrap()
    }
    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match self.bytes() {
            [0] => None,
            [1] => Some(read(self)),
            other => panic!("{other:?}"),
        }
    }
    fn event(&mut self) -> EventRecord {
        assert_eq!(&self.bytes(), b"vestibule/event/1\0");
        EventRecord {
            tenant_id: self.text(),
            position: u64::from_be_bytes(self.bytes()),
            id: self.text(),
            name: self.text(),
            outcome: self.text(),
            occurred_at: i64::from_be_bytes(self.bytes()),
            actor_kind: self.text(),
            actor_id: self.maybe(Self::text),
            user_id: self.maybe(Self::text),
            customer_id: self.maybe(Self::text),
            session_id: self.maybe(Self::text),
            reason: self.maybe(Self::text),
            request_id: self.maybe(Self::text),
            details: self.text(),
            ends: self.maybe(Self::text),
            ends_until: self.maybe(|reader| i64::from_be_bytes(reader.bytes())),
            ends_not: self.maybe(Self::text),
            personal_digest: Digest(self.bytes()),
        }
    }
}

proptest! {
    /// So no two events have one encoding.
    #[test]
    fn r139_an_event_can_be_read_from_its_encoding(
        texts in prop::collection::vec(".{0,12}", 6),
        maybes in prop::collection::vec(prop::option::of(".{0,12}"), 8),
        position: u64, occurred_at: i64, ends_until: Option<i64>, digest: [u8; 32],
    ) {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        let mut maybes = maybes.into_iter();
        let mut maybe = || maybes.next().unwrap();
        let event = EventRecord {
            tenant_id: text(), position, id: text(), name: text(), outcome: text(), occurred_at,
            actor_kind: text(), actor_id: maybe(), user_id: maybe(), customer_id: maybe(), session_id: maybe(),
            reason: maybe(), request_id: maybe(), details: text(), ends: maybe(), ends_until, ends_not: maybe(),
            personal_digest: Digest(digest),
        };
        let bytes = encode_event(&event);
        let mut reader = Reader(&bytes);
        prop_assert_eq!(reader.event(), event);
        prop_assert!(reader.0.is_empty());
    }
}
