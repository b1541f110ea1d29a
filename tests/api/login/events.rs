//! What a login leaves in the events, and what is stored nowhere.

use serde_json::{Value, json};
use vestibule::secrets::{base64url, from_base64url};
use vestibule::tenants::Family;

use crate::support::app::{NIL, START, TestApp};

const INDIVIDUAL: Family = Family::Individual;

/// The personal part of every login in these tests.
fn personal() -> Value {
    json!({
        "clientIp": "127.0.0.1", "clientIpReason": "peer", "peer": "127.0.0.1", "forwardedFor": "127.0.0.1",
        "source": "client-app", "platform": "mobile", "deviceId": "device-1", "userAgent": "test-agent/1",
        "correlationId": null,
    })
}

#[tokio::test]
async fn R136_a_login_leaves_exactly_one_event_that_says_who_where_and_how() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (family, kind) in
        [(Family::Individual, "user"), (Family::Organization, "user"), (Family::Admin, "staff")]
    {
        let id = format!("request-{}", family.as_str());
        let call = tenant.login(family).header("x-request-id", &id);
        let answer = app.send(call.request()).await.expect(200);
        let event = app.event_of(&tenant, &answer).await;
        let user = Some(tenant.person(family).id.to_string());
        assert_eq!((event.name.as_str(), event.outcome.as_str()), ("authn_login_success", "success"));
        assert_eq!((event.actor_kind.as_str(), event.occurred_at), (kind, START));
        assert_eq!((&event.actor_id, &event.user_id), (&user, &user));
        assert_eq!(event.session_id.as_deref(), Some(answer.field("sessionId")));
        assert_eq!(event.request_id, Some(id));
        assert_eq!(event.reason, None);
        let key = &answer.claims()["client_id"];
        let details = json!({ "family": family.as_str(), "amr": ["pwd"], "tenantKey": key, "proof": "none" });
        assert_eq!(event.details, details);
        assert_eq!(event.personal, personal());
        assert_eq!(event.salt.len(), 16);
    }
    let events = app.login_events(&tenant).await;
    assert_eq!(events.len(), 3);
    assert!(events[0].salt != events[1].salt && events[1].salt != events[2].salt);
}

#[tokio::test]
async fn R136_failures_leave_one_event_each_and_the_fifth_a_lock_beside_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.fail(&tenant.login(INDIVIDUAL), 5).await;
    app.fail(&tenant.login(Family::Admin).named("nobody@x.test"), 5).await;
    let (of_user, of_nobody): (Vec<_>, Vec<_>) =
        app.login_events(&tenant).await.into_iter().partition(|event| event.user_id.is_some());
    for (events, user, family, why) in [
        (&of_user, Some(person.id.to_string()), "individual", "wrong_password"),
        (&of_nobody, None, "admin", "unknown_user"),
    ] {
        assert_eq!(events.len(), 6);
        assert_eq!(events.iter().filter(|event| event.name == "authn_login_lock").count(), 1);
        for event in events {
            let is_lock = event.name == "authn_login_lock";
            assert_eq!(event.name, if is_lock { "authn_login_lock" } else { "authn_login_fail" });
            let reason = if is_lock { "too_many_failures" } else { why };
            assert_eq!((event.reason.as_deref(), event.outcome.as_str()), (Some(reason), "failure"));
            assert_eq!((event.actor_kind.as_str(), &event.actor_id), ("unknown", &None));
            assert_eq!((&event.user_id, &event.session_id), (&user, &None));
            assert_eq!(event.details["family"], family);
            assert_eq!((&event.personal, event.salt.len()), (&personal(), 16));
        }
    }
    let subject = of_nobody[0].details["subject"].as_str().unwrap();
    assert!(subject.starts_with("name:") && !subject.contains("nobody"), "{subject}");
    assert_eq!(of_user[0].details["subject"], format!("user:{}", person.id));
}

#[tokio::test]
async fn R136_of_a_mixed_work_load_there_are_as_many_events_as_actions() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let good = tenant.login(INDIVIDUAL);
    let mut expected = Vec::new();
    for round in 0..30 {
        let (call, event) = match round % 5 {
            0 | 3 => (good.clone(), Some("authn_login_success")),
            1 => (good.clone().set("password", "wrong"), Some("authn_login_fail")),
            2 => (good.clone().at(INDIVIDUAL, NIL, "another"), Some("authn_login_fail")),
            _ => (good.clone().without("platform"), None),
        };
        app.send(call.request()).await;
        expected.extend(event);
    }
    expected.sort_unstable();
    assert_eq!(app.event_names(&tenant).await, expected);
}

/// The spellings in which a secret might be found.
fn spellings(canary: &str) -> Vec<Vec<u8>> {
    use std::fmt::Write;
    let hex = canary.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    });
    // Base64 of the middle, at each of the three alignments, without what borders on other bytes.
    let base64 = (0..3).map(|shift| base64url(&canary.as_bytes()[shift..shift + (canary.len() - 3) / 3 * 3]));
    let mut all = vec![canary.to_owned(), canary.to_lowercase(), hex.to_uppercase(), hex];
    all.extend(base64);
    all.into_iter().map(String::into_bytes).collect()
}

fn assert_nowhere(all: &[u8], canary: &str) {
    for spelling in spellings(canary) {
        let found = all.windows(spelling.len()).any(|window| window == spelling);
        assert!(!found, "{canary} is stored, as {}", String::from_utf8_lossy(&spelling));
    }
}

#[tokio::test]
async fn R137_R143_what_was_typed_and_what_was_given_out_is_stored_nowhere() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    let answer = app.send(call.request()).await.expect(200);
    let typed = "MyPasswordInTheWrongField";
    for family in Family::ALL {
        let mut wrong = call.clone().named(typed).set("password", "CanaryWrongPassword!");
        wrong.path = tenant.login(family).path;
        app.send(wrong.request()).await.expect(401);
    }
    app.fail(&call.clone().named(typed), 2).await;
    assert_eq!(app.send(call.clone().named(typed).request()).await.json["message"], "Account locked");
    app.send(call.clone().set("tenantSecret", "CanaryWrongSecret").request()).await.expect(403);
    app.send(call.header("authorization", "Bearer CanaryBearerToken").request()).await.expect(200);

    let all = app.everything_stored().await;
    let found = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(found("test-agent/1") && found(tenant.id.as_str()), "the dump reads what is stored");
    for canary in [
        typed,
        "SecurePass123!",
        "CanaryWrongPassword!",
        "CanaryWrongSecret",
        "CanaryBearerToken",
        &tenant.secret,
        &tenant.backend_secret,
    ] {
        assert_nowhere(&all, canary);
    }
    let token = answer.field("token");
    let (_, signature) = token.rsplit_once('.').unwrap();
    let refresh = answer.field("refreshToken").strip_prefix("vrt1.").unwrap();
    let refresh_mac = from_base64url(refresh).unwrap().split_off(refresh.len() * 3 / 4 - 32);
    for bytes in [token.as_bytes(), signature.as_bytes(), refresh.as_bytes(), &refresh_mac] {
        assert!(!all.windows(bytes.len()).any(|window| window == bytes));
    }
}

#[tokio::test]
async fn R140_without_its_event_no_login_happens() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.script("alter table events rename to events_away").await;
    for password in ["SecurePass123!", "wrong"] {
        let call = tenant.login(INDIVIDUAL).set("password", password);
        assert_eq!(app.send(call.request()).await.expect(500).error_type(), "INTERNAL");
    }
    app.script("alter table events_away rename to events").await;
    assert_eq!(app.number_of("sessions").await, 0);
    assert_eq!(app.number_of("devices").await, 0);
    assert_eq!(app.number_of("users where last_login_at is not null").await, 0);
    assert_eq!(app.failures(person).await, 0, "the failure and its event are one change");
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(200);
}

#[tokio::test]
async fn R140_without_its_session_no_event_is_written() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.script("alter table sessions rename to sessions_away").await;
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(500);
    app.script("alter table sessions_away rename to sessions").await;
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    assert_eq!(app.number_of("users where last_login_at is not null").await, 0);
}
