//! Who shows a good credential at other tenants is told of to its own (R057).

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::INDIVIDUAL;
use crate::support::app::{NIL, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, session_call};

async fn alerts(app: &TestApp, tenant: &TestTenant) -> Vec<Value> {
    app.details_of(tenant, "authz_fail").await
}

#[tokio::test]
async fn R057_the_third_attempt_in_a_minute_is_an_event_of_the_credentials_tenant_once_a_minute() {
    let app = TestApp::start().await;
    let [own, other] = [app.tenant("own").await, app.tenant("other").await];
    let opened = app.open(&own, INDIVIDUAL).await;
    let refresh = Call::new("PUT", format!("{}/users/{NIL}/sessions", prefix(INDIVIDUAL, NIL)))
        .tenant(&other.slug)
        .and("deviceid", "device-1")
        .json(&json!({ "refreshToken": opened.refresh }));
    let calls = [
        ("access_token", session_call("GET", &other, INDIVIDUAL, &opened.session, &opened.token)),
        ("backend_key", Call::get("/api/v2.1/events").backend(&own).tenant(&other.slug)),
        ("refresh_token", refresh),
    ];
    let mut told = 0;
    for (credential, call) in calls {
        for attempt in 1..=12 {
            app.call(call.clone()).await.expect(403);
            told += usize::from(attempt == 3);
            assert_eq!(alerts(&app, &own).await.len(), told, "{credential}, attempt {attempt}");
        }
        let newest = alerts(&app, &own).await.pop().unwrap();
        assert_eq!((&newest["credential"], &newest["attempts"]), (&json!(credential), &json!(3)));
        app.clock.advance(60_000);
    }
    assert!(alerts(&app, &other).await.is_empty(), "it learns nothing of others' credentials");
    let event = &app.events_named(own.id.as_str(), "authz_fail").await[0];
    let user = own.person(Family::Individual).id.as_str();
    assert_eq!(event.maybe_text("actor_id").unwrap().as_deref(), Some(user));
}

#[tokio::test]
async fn R057_two_attempts_and_slow_ones_are_told_to_nobody() {
    let app = TestApp::start().await;
    let [own, other] = [app.tenant("own").await, app.tenant("other").await];
    let opened = app.open(&own, INDIVIDUAL).await;
    for _ in 0..6 {
        for _ in 0..2 {
            app.call(session_call("GET", &other, INDIVIDUAL, &opened.session, &opened.token))
                .await
                .expect(403);
        }
        app.clock.advance(60_000);
    }
    assert!(alerts(&app, &own).await.is_empty());
}
