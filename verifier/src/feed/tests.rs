//! What is held, what it ends, and of when it is.

use serde_json::{Value, json};

use super::*;

/// 2022-02-22T19:22:22.000Z, and the id of RFC 9562, appendix A.6 with that time.
const OPENED: i64 = 1_645_557_742_000;
const SID: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
const OTHER: &str = "017f22e2-79b0-7cc3-98c4-dc0c0c073990";

fn claims(sid: &str) -> Claims {
    serde_json::from_value(json!({
        "iss": "i", "aud": "i", "sub": "u1", "exp": 1_645_558_042, "iat": 1_645_557_742, "tenantId": "t1",
        "customerId": "c1", "userId": "u1", "userType": "CONSUMER", "roles": ["USER"], "jti": "j1", "sid": sid,
        "auth_time": 1_645_557_742, "acr": "aal1", "amr": ["pwd"], "client_id": "k1",
    }))
    .unwrap()
}

fn page(revocations: &Value, more: bool) -> Page {
    serde_json::from_value(json!({
        "revocations": revocations, "cursor": "c", "more": more, "asOf": 0, "behindMs": 250, "keepSeconds": 3_670,
    }))
    .unwrap()
}

fn told(revocations: &Value) -> Feed {
    let mut feed = Feed::new(100);
    feed.take(page(revocations, false), Moment::now()).unwrap();
    feed
}

fn after(moment: Moment, steady: u64, wall: i64) -> Moment {
    let shift = Duration::from_secs(wall.unsigned_abs());
    let wall = if wall < 0 { moment.wall - shift } else { moment.wall + shift };
    Moment { steady: moment.steady + Duration::from_secs(steady), wall }
}

#[test]
fn an_entry_ends_its_sessions_and_no_others() {
    let ends = |entry: Value, sid: &str| told(&json!([entry])).end_of(&claims(sid)).is_some();
    assert!(ends(json!({ "sessionId": SID, "reason": "logout" }), SID));
    assert!(ends(json!({ "sessionId": SID.to_uppercase(), "reason": "logout" }), SID));
    assert!(!ends(json!({ "sessionId": SID, "reason": "logout" }), OTHER));
    for (name, own, other) in [("userId", "u1", "u2"), ("customerId", "c1", "c2"), ("tenantId", "t1", "")] {
        for (shift, ended) in [(-1, false), (0, true), (1, true)] {
            let entry = json!({ name: own, "openedUntil": OPENED + shift, "reason": "x" });
            assert_eq!(ends(entry, SID), ended, "{name} {shift}");
        }
        if !other.is_empty() {
            assert!(!ends(json!({ name: other, "openedUntil": OPENED, "reason": "x" }), SID), "{name}");
        }
    }
    // A feed is one tenant's, by whatever id it calls it.
    assert!(ends(json!({ "tenantId": "another", "openedUntil": OPENED }), SID));
    let but = json!({ "userId": "u1", "openedUntil": OPENED, "exceptSessionId": SID, "reason": "x" });
    assert!(!ends(but.clone(), SID) && ends(but, OTHER));
}

#[test]
fn the_reason_is_told() {
    let feed = told(&json!([{ "sessionId": SID, "reason": "logout" }]));
    assert_eq!(feed.end_of(&claims(SID)).as_deref(), Some("logout"));
    let feed = told(&json!([{ "userId": "u1", "openedUntil": OPENED, "reason": "password_changed" }]));
    assert_eq!(feed.end_of(&claims(SID)).as_deref(), Some("password_changed"));
}

#[test]
fn a_session_whose_id_bears_no_time_was_opened_when_its_second_began() {
    let ends = |until: i64| {
        told(&json!([{ "userId": "u1", "openedUntil": until, "reason": "x" }]))
            .end_of(&claims("s-1"))
            .is_some()
    };
    // It may have been opened at any of the second's milliseconds.
    assert!(ends(OPENED) && ends(OPENED + 999));
    assert!(!ends(OPENED - 1));
}

#[test]
fn a_session_that_one_entry_spares_another_may_end() {
    let entries = [
        json!({ "userId": "u1", "openedUntil": OPENED, "exceptSessionId": SID, "reason": "first" }),
        json!({ "userId": "u1", "openedUntil": OPENED + 5, "exceptSessionId": OTHER, "reason": "second" }),
    ];
    for order in [json!([entries[0], entries[1]]), json!([entries[1], entries[0]])] {
        let feed = told(&order);
        assert_eq!(feed.end_of(&claims(SID)).as_deref(), Some("second"));
        assert_eq!(feed.end_of(&claims(OTHER)).as_deref(), Some("first"));
        assert_eq!(feed.len(), 2);
    }
}

#[test]
fn entries_that_say_less_than_another_take_no_room() {
    let bulk = |until: i64| json!({ "userId": "u1", "openedUntil": until, "reason": "x" });
    let spared = json!({ "userId": "u1", "openedUntil": OPENED, "exceptSessionId": SID, "reason": "x" });
    for order in [
        json!([bulk(OPENED), bulk(OPENED - 5), spared]),
        json!([spared, bulk(OPENED - 5), bulk(OPENED)]),
        json!([bulk(OPENED), bulk(OPENED)]),
    ] {
        let feed = told(&order);
        assert_eq!(feed.len(), 1, "{order}");
        assert!(feed.end_of(&claims(SID)).is_some());
    }
    let session = json!({ "sessionId": SID, "reason": "x" });
    assert_eq!(told(&json!([session, session])).len(), 1);
}

#[test]
fn an_answer_with_an_entry_of_an_unknown_kind_is_not_taken() {
    for entry in [
        json!({ "deviceId": "d", "reason": "x" }),
        json!({ "reason": "x" }),
        json!({ "userId": "u1", "reason": "x" }),
        json!({ "userId": "u1", "openedUntil": "1", "reason": "x" }),
        json!({ "sessionId": SID, "userId": "u1", "openedUntil": 1, "reason": "x" }),
        json!("logout"),
    ] {
        let page = json!({ "revocations": [entry], "cursor": "c", "more": false, "asOf": 0, "behindMs": 0,
                           "keepSeconds": 3_670 });
        assert!(serde_json::from_value::<Page>(page).is_err(), "{entry}");
    }
}

#[test]
fn it_is_as_old_as_the_question_and_what_the_server_lags_behind() {
    let mut feed = Feed::new(100);
    let asked = Moment::now();
    assert_eq!(feed.age(asked), None, "nothing was told yet");
    feed.take(page(&json!([]), true), asked).unwrap();
    assert_eq!(feed.age(asked), None, "there is more");
    feed.take(page(&json!([]), false), asked).unwrap();
    let lag = Duration::from_millis(250);
    assert_eq!(feed.age(asked), Some(lag));
    assert_eq!(feed.age(after(asked, 4, 4)), Some(lag + Duration::from_secs(4)));
    // A machine that slept, and a clock that was set: whichever says longer.
    assert_eq!(feed.age(after(asked, 0, 3_600)), Some(lag + Duration::from_hours(1)));
    assert_eq!(feed.age(after(asked, 4, -3_600)), Some(lag + Duration::from_secs(4)));
    // A page with more behind it makes nothing younger.
    feed.take(page(&json!([]), true), after(asked, 9, 9)).unwrap();
    assert_eq!(feed.age(after(asked, 9, 9)), Some(lag + Duration::from_secs(9)));
    feed.age_at_once();
    assert_eq!(feed.age(asked), None);
}

#[test]
fn aging_at_once_forgets_nothing_that_has_ended() {
    let mut feed = told(&json!([{ "sessionId": SID, "reason": "logout" }]));
    feed.age_at_once();
    assert!(feed.end_of(&claims(SID)).is_some());
}

#[test]
fn an_entry_is_held_as_long_as_a_token_may_live_and_then_let_go() {
    let mut feed = told(&json!([{ "sessionId": SID, "reason": "logout" }]));
    let start = Instant::now();
    let keep = Duration::from_secs(3_671);
    assert!(feed.turn(start).is_none());
    assert!(feed.turn(start + keep).is_some_and(|old| old.count == 0));
    assert!(feed.end_of(&claims(SID)).is_some(), "it came just before");
    feed.take(page(&json!([{ "sessionId": OTHER, "reason": "logout" }]), false), Moment::now()).unwrap();
    assert_eq!(feed.len(), 2);
    assert!(feed.turn(start + keep + keep).is_some_and(|old| old.count == 1));
    assert!(feed.end_of(&claims(SID)).is_none());
    assert!(feed.end_of(&claims(OTHER)).is_some());
    assert_eq!(feed.len(), 1);
}

#[test]
fn a_server_that_would_keep_entries_too_short_is_not_believed_and_one_that_keeps_them_longer_is() {
    let keeping = |seconds: u64| {
        let mut feed = Feed::new(100);
        feed.take(Page { keep_seconds: seconds, ..page(&json!([]), false) }, Moment::now()).unwrap();
        feed
    };
    assert!(keeping(0).outlasts(Duration::from_hours(1)));
    assert!(!keeping(0).outlasts(Duration::from_secs(3_671)));
    assert!(keeping(7_270).outlasts(Duration::from_hours(2)));
}

#[test]
fn more_entries_than_may_be_held_leave_none_and_no_age() {
    let mut feed = Feed::new(2);
    let three: Vec<_> = (0..3).map(|number| json!({ "sessionId": format!("s{number}") })).collect();
    feed.take(page(&json!(three[..2]), false), Moment::now()).unwrap();
    assert!(feed.take(page(&json!(three[2..]), false), Moment::now()).is_err());
    assert_eq!((feed.len(), feed.age(Moment::now())), (0, None));
}
