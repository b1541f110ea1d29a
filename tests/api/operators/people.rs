//! Operators come and go.

use serde_json::json;
use vestibule::ids::NIL as SYSTEM;

use super::{Operator, details};
use crate::support::app::TestApp;
use crate::support::calls::Call;

#[tokio::test]
async fn R043_an_operators_token_is_shown_once_and_dead_when_it_is_revoked_or_over() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let made = olga.post("/operators", json!({ "name": "Otto" })).await.expect(200);
    let token = made.field("token").to_owned();
    assert!(token.starts_with("vop1.") && token.len() == 48, "{token}");
    let id = made.data()["operator"]["id"].as_str().unwrap().to_owned();
    let with = |token: &str| Call::get("/operator/v1/operators").bearer(token);
    let list = app.operator_call(with(&token)).await.expect(200);
    assert!(!list.text.contains(&token) && list.text.contains("Otto"));
    let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
    assert!(!stored.contains(&token) && !stored.contains(&token[5..]));

    let in_an_hour = app.clock.now().plus_seconds(3_600).to_string();
    let short =
        olga.post("/operators", json!({ "name": "Short", "expiresAt": in_an_hour })).await.expect(200);
    app.operator_call(with(short.field("token"))).await.expect(200);
    app.clock.advance(3_600_000);
    app.operator_call(with(short.field("token"))).await.expect(401);

    let first = olga.delete(&format!("/operators/{id}")).await.expect(200);
    assert_eq!(first.field("state"), "revoked");
    app.operator_call(with(&token)).await.expect(401);
    // Again, and by many at once: it stays as it is, and there is one event.
    app.clock.advance(5_000);
    let again = (0..8).map(|_| olga.call("DELETE", &format!("/operators/{id}"))).collect();
    assert_eq!(olga.at_once(again).await, [200; 8]);
    let second = olga.delete(&format!("/operators/{id}")).await.expect(200);
    assert_eq!(second.data()["revokedAt"], first.data()["revokedAt"]);
    olga.delete("/operators/nobody").await.expect(404);

    let created = app.events_named(SYSTEM, "operator_created").await;
    assert_eq!(created.len(), 2);
    assert_eq!(details(&created[0])["operatorId"], json!(id));
    assert!(created[0].maybe_text("actor_id").unwrap().is_some());
    let revoked = app.events_named(SYSTEM, "operator_revoked").await;
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].text("actor_kind").unwrap(), "operator");
    assert!(revoked[0].text("personal").unwrap().contains("clientIp"));
}

#[tokio::test]
async fn the_last_good_token_is_its_own_operators_to_revoke() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let own = olga.get("/operators").await.expect(200).data()["items"][0]["id"].as_str().unwrap().to_owned();
    olga.delete(&format!("/operators/{own}")).await.expect(200);
    olga.get("/operators").await.expect(401);
    olga.delete(&format!("/operators/{own}")).await.expect(401);
}

#[tokio::test]
async fn what_cannot_be_an_operator_is_refused_by_name() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    for (body, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "   " }), "name"),
        (json!({ "name": "a\nb" }), "name"),
        (json!({ "name": "x".repeat(201) }), "name"),
        (json!({ "name": "Otto", "expiresAt": "2020-01-01T00:00:00Z" }), "expiresAt"),
        (json!({ "name": "Otto", "expiresAt": "tomorrow" }), "expiresAt"),
        (json!({ "name": "Otto", "expiresAt": app.clock.now().to_string() }), "expiresAt"),
    ] {
        assert_eq!(olga.post("/operators", body.clone()).await.expect(400).complaints(), [field], "{body}");
    }
    for (body, part) in [
        (json!({}), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "name": ["x"] }), "name"),
        (json!({ "name": "Otto", "id": "x" }), "id"),
        (json!({ "name": "Otto", "token": "vop1.x" }), "token"),
        (json!({ "name": "Otto", "revoked_at": 1 }), "revoked_at"),
    ] {
        let answer = olga.post("/operators", body.clone()).await.expect(400);
        assert!(answer.field("details").contains(part), "{body}: {}", answer.text);
    }
    assert_eq!(app.number_of("operators").await, 1);
    assert_eq!(app.events_named(SYSTEM, "operator_created").await.len(), 0);
}
