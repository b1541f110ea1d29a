//! Staff see why somebody is locked, and unlock.

use serde_json::json;
use vestibule::tenants::Family;

use super::{INDIVIDUAL, is_locked, phone, proven, start, stranger};
use crate::support::calls::Call;

fn path(user: impl std::fmt::Display, what: &str) -> String {
    format!("/api/v2.1/admin/users/{user}/{what}")
}

#[tokio::test]
async fn R016_staff_see_who_locked_a_user_and_from_where() {
    let (app, tenant) = start().await;
    let user = &tenant.person(INDIVIDUAL).id;
    let opened = app.on_the_phone(&tenant).await;
    let staff = app.staff(&tenant, &["VIEWER"]).await;
    let look =
        async || app.call(Call::get(path(user, "locks")).tenant(&tenant.slug).bearer(&staff.token)).await;
    assert_eq!(look().await.expect(200).data()["items"], json!([]));
    app.fail(&stranger(&tenant), 5).await;
    app.clock.advance(1_000);
    assert!(is_locked(&app.send(stranger(&tenant).request()).await));
    app.fail(&proven(phone(&tenant), &opened.refresh), 2).await;
    let answer = look().await.expect(200);
    let items = answer.data()["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    let mut locked = items[0].clone();
    let failures = locked["lastFailures"].take();
    assert_eq!(
        locked,
        json!({
            "id": "none", "proof": "none", "device": null, "deviceId": null, "deviceName": null, "failures": 5, "failuresInAll": 5, "locked": true,
            "forGood": false, "lockedSince": "2026-03-16T19:49:32.000Z", "lockedUntil": "2026-03-16T20:19:32.000Z",
            "lastFailures": null,
        })
    );
    assert_eq!(failures.as_array().unwrap().len(), 5);
    assert_eq!(
        failures[0],
        json!({ "at": "2026-03-16T19:49:33.000Z", "attempt": "login", "reason": "locked", "clientIp": "198.51.100.7" })
    );
    assert_eq!(failures[1]["reason"], "wrong_password");
    let own = &items[1];
    assert_eq!((&own["proof"], &own["failures"], &own["locked"]), (&json!("full"), &json!(2), &json!(false)));
    assert_eq!(own["deviceId"], "phone");
    assert_eq!(own["id"].as_str().unwrap(), format!("full-{}", own["device"].as_str().unwrap()));
    assert_eq!(own["lastFailures"][0]["clientIp"], "203.0.113.9");
    assert_eq!((&own["lockedSince"], &own["lockedUntil"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn R016_a_botnet_that_knocks_at_a_locked_name_hides_nothing_of_what_locked_the_owner() {
    let (app, tenant) = start().await;
    let user = &tenant.person(INDIVIDUAL).id;
    let opened = app.on_the_phone(&tenant).await;
    app.fail(&proven(phone(&tenant), &opened.refresh), 5).await;
    let locked_at = app.clock.now().to_string();
    app.clock.advance(1_000);
    app.fail(&stranger(&tenant), 5).await;
    app.clock.advance(1_000);
    for _ in 0..220 {
        assert!(is_locked(&app.send(stranger(&tenant).request()).await));
    }
    let answer = app.call(Call::get(path(user, "locks")).backend(&tenant)).await.expect(200);
    let items = answer.data()["items"].as_array().unwrap();
    let own = items.iter().find(|item| item["proof"] == "full").unwrap();
    assert_eq!(own["lockedSince"], locked_at);
    let failures = own["lastFailures"].as_array().unwrap();
    assert_eq!(failures.len(), 5, "{failures:?}");
    assert!(failures.iter().all(|one| one["clientIp"] == "203.0.113.9" && one["reason"] == "wrong_password"));
    let strangers = items.iter().find(|item| item["proof"] == "none").unwrap();
    assert!(strangers["lastFailures"].as_array().unwrap().iter().all(|one| one["reason"] == "locked"));
    assert!(strangers["lockedSince"].is_string());
}

#[tokio::test]
async fn R016_an_unlock_clears_what_is_asked_for_and_is_an_event() {
    let (app, tenant) = start().await;
    let user = &tenant.person(INDIVIDUAL).id;
    let opened = app.on_the_phone(&tenant).await;
    let full = proven(phone(&tenant), &opened.refresh);
    let unlock = |body: serde_json::Value| {
        app.call(Call::new("POST", path(user, "unlock")).backend(&tenant).json(&body))
    };
    app.fail(&stranger(&tenant), 5).await;
    app.fail(&full, 5).await;
    app.script("update throttles set total = 100 where total > 0 and subject not like '%/%'").await;
    let answer = unlock(json!({ "lock": "none", "reason": "Identity confirmed by phone" })).await.expect(200);
    assert_eq!((answer.field("userId"), answer.field("lock")), (user.as_str(), "none"));
    app.send(stranger(&tenant).request()).await.expect(200);
    assert!(is_locked(&app.send(full.request()).await), "that was not asked for");
    unlock(json!({ "lock": "none" })).await.expect(404);
    app.call(Call::new("POST", path(user, "unlock")).backend(&tenant)).await.expect(200);
    app.send(full.request()).await.expect(200);
    let events = app.events_named(tenant.id.as_str(), "authn_login_unlock").await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].text("details").unwrap(), r#"{"lock":"none"}"#);
    assert!(events[0].text("personal").unwrap().contains("Identity confirmed by phone"));
    assert_eq!(events[0].text("actor_kind").unwrap(), "backend");
    assert_eq!(events[1].text("details").unwrap(), r#"{"lock":null}"#);
    for lock in ["half", "none-1", "full-", "half-a b", "FULL", ""] {
        let answer = unlock(json!({ "lock": lock })).await.expect(400);
        assert_eq!(answer.complaints(), ["lock"], "{lock}");
    }
}

#[tokio::test]
async fn R014_staff_do_not_unlock_themselves_or_a_stolen_session_would_guess_for_ever() {
    let (app, tenant) = start().await;
    let own = app.open(&tenant, Family::Admin).await;
    let unlock = |user: &vestibule::ids::UserId| {
        app.call(Call::new("POST", path(user, "unlock")).tenant(&tenant.slug).bearer(&own.token))
    };
    unlock(&tenant.person(Family::Admin).id).await.expect(403);
    unlock(&tenant.person(INDIVIDUAL).id).await.expect(200);
}

#[tokio::test]
async fn R049_another_tenants_user_has_no_locks() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let user = &globex.person(INDIVIDUAL).id;
    app.fail(&stranger(&globex), 5).await;
    app.call(Call::get(path(user, "locks")).backend(&tenant)).await.expect(404);
    app.call(Call::new("POST", path(user, "unlock")).backend(&tenant)).await.expect(404);
    assert!(is_locked(&app.send(stranger(&globex).request()).await));
}
