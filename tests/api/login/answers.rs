//! What costs no hash, what costs one, and what of a login is never adopted. `telltale` has the refusals.

use vestibule::tenants::Family;

use crate::support::app::{NIL, TestApp};

#[tokio::test]
async fn R002_what_is_not_well_formed_costs_no_hash_and_leaves_no_event() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for name in [tenant.person(Family::Individual).email.as_str(), "nobody@x.test"] {
        let call = tenant.login(Family::Individual).named(name);
        let mut answers = Vec::new();
        for (what, call) in [
            ("a long password", call.clone().set("password", "x".repeat(1_025))),
            ("no password", call.clone().set("password", ())),
            ("a field nobody knows", call.clone().set("otp", "1")),
            ("no name", call.clone().set("username", ()).set("value", ())),
            ("another kind", call.clone().set("credentialType", "OTP")),
            ("no JSON", call.clone().raw("{")),
            ("no device", call.clone().without("deviceid")),
            ("a malformed id", call.clone().at(Family::Individual, "a.b", NIL)),
        ] {
            let (answer, hashes) = app.hashes_of(&call).await;
            assert_eq!((answer.status.as_u16(), hashes), (400, 0), "{what}: {}", answer.text);
            answers.push(answer.without_request_id());
        }
        assert!(answers.iter().all(|answer| !answer.contains("SecurePass")));
    }
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    assert_eq!(app.number_of("throttles").await, 0);
}

#[tokio::test]
async fn a_success_costs_exactly_one_hash_as_well() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let (answer, hashes) = app.hashes_of(&tenant.login(family)).await;
        answer.expect(200);
        assert_eq!(hashes, 1);
    }
}

#[tokio::test]
async fn R009_no_id_that_a_client_sends_is_ever_adopted() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let chosen = "01900000-0000-7000-8000-000000000001";
    let call = tenant.login(Family::Individual);
    for field in ["sessionId", "session_id", "sid", "id", "jti", "refreshToken"] {
        app.send(call.clone().set(field, chosen).request()).await.expect(400);
    }
    let call = call
        .header("x-session-id", chosen)
        .header("sessionid", chosen)
        .header("cookie", format!("sessionId={chosen}; sid={chosen}"))
        .header("x-request-id", chosen)
        .header("deviceid", chosen);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let answer = app.send(call.request()).await.expect(200);
        for id in [answer.field("sessionId"), answer.claims()["jti"].as_str().unwrap()] {
            assert_ne!(id, chosen);
            assert!(seen.insert(id.to_owned()), "{id} twice");
        }
        assert!(seen.insert(answer.field("refreshToken").to_owned()), "a refresh token twice");
    }
}

#[tokio::test]
async fn R009_authorization_on_a_login_is_ignored_and_ends_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let first = app.login(&tenant, family).await.expect(200);
    let bearer = format!("Bearer {}", first.field("token"));
    for value in [bearer.as_str(), "Bearer x", "Basic Og==", "garbage", "", "\u{e9}", "Bearer"] {
        let call = tenant.login(family).header("authorization", value);
        let answer = app.send(call.request()).await.expect(200);
        assert_ne!(answer.field("sessionId"), first.field("sessionId"));
    }
    let (session, token) = (first.field("sessionId"), first.field("token"));
    let shown = app.session_call(axum::http::Method::GET, &tenant, family, session, token).await.expect(200);
    assert_eq!(shown.data()["endedAt"], serde_json::Value::Null);
    // A good bearer opens nothing by itself either.
    let call = tenant.login(family).header("authorization", bearer).set("password", "wrong");
    app.send(call.request()).await.expect(401);
}
