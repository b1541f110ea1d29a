//! What staff and backend do: set a password, or take it away.

use serde_json::json;
use vestibule::tenants::Family;

use super::{NEW, RESET, message, old_password_works, redeem, reset, set};
use crate::support::app::{PASSWORD, TestApp};
use crate::support::calls::Call;

#[tokio::test]
async fn a_password_that_backend_or_staff_set_ends_all_sessions_and_lifts_the_lock() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let admin = app.staff(&tenant, &["ADMIN"]).await;
    for family in [Family::Individual, Family::Organization] {
        let person = tenant.person(family);
        let passwords = [NEW, "ten green bottles"];
        for (password, by_staff) in passwords.into_iter().zip([false, true]) {
            let before = app.number_of("events where name = 'authn_password_change'").await;
            let last = if by_staff { NEW } else { PASSWORD };
            let opened = app.login_with(&tenant, family, last).await.expect(200);
            app.fail(&tenant.login(family), 5).await;
            let call = set(&person.id, password);
            let call =
                if by_staff { call.tenant("acme").bearer(&admin.token) } else { call.backend(&tenant) };
            let answer = app.call(call).await.expect(200);
            assert_eq!(answer.field("userId"), person.id.as_str());
            assert_eq!(answer.field("passwordChangedAt"), app.clock.now().to_string());
            let path = format!(
                "{}/users/{}/sessions/{}",
                crate::support::app::prefix(family, person.customer.as_str()),
                person.id,
                opened.field("sessionId")
            );
            app.call(Call::get(path).tenant("acme").bearer(opened.field("token"))).await.expect(401);
            app.login_with(&tenant, family, last).await.expect(401);
            app.login_with(&tenant, family, password).await.expect(200);
            assert_eq!(app.number_of("events where name = 'authn_password_change'").await, before + 1);
        }
        let events = app.events_named(tenant.id.as_str(), "authn_password_change").await;
        let kinds: Vec<_> = events.iter().map(|event| event.text("actor_kind").unwrap()).collect();
        assert_eq!(kinds[kinds.len() - 2..], ["backend", "staff"]);
    }
}

#[tokio::test]
async fn staff_do_not_get_round_the_password_in_force_for_themselves() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Admin;
    let admin = app.open(&tenant, family).await;
    let own = &tenant.person(family).id;
    for call in [set(own, NEW), reset(own)] {
        let answer = app.call(call.clone().tenant("acme").bearer(&admin.token)).await.expect(403);
        assert_eq!(answer.error_type(), "FORBIDDEN");
        // Ids are folded at the edge, so no spelling of it helps.
        let upper = Call { path: call.path.replace(own.as_str(), &own.as_str().to_uppercase()), ..call };
        app.call(upper.tenant("acme").bearer(&admin.token)).await.expect(403);
    }
    assert!(old_password_works(&app, &tenant, family).await);
    app.call(set(own, NEW).backend(&tenant)).await.expect(200);
    assert!(!old_password_works(&app, &tenant, family).await);
}

#[tokio::test]
async fn a_reset_takes_the_password_away_at_once_and_gives_a_secret_for_a_new_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let person = tenant.person(family);
    let opened = app.open(&tenant, family).await;
    app.fail(&tenant.login(family), 5).await;
    app.clock.advance(1);
    let answer = app.call(reset(&person.id).backend(&tenant)).await.expect(200);
    assert_eq!(answer.data().as_object().unwrap().len(), 3);
    assert_eq!(answer.field("userId"), person.id.as_str());
    assert_eq!(answer.field("expiresAt"), app.clock.now().plus_seconds(1_800).to_string());
    app.view(&tenant, &opened).await.expect(401);
    let refused = app.login_with(&tenant, family, PASSWORD).await.expect(401);
    assert_eq!(message(&refused), "Authentication failed", "the lock is lifted, and there is no password");
    let stored = app.passwords_now().await;
    assert_eq!(stored.iter().filter(|row| row[0].is_none()).count(), 1);
    app.call(redeem(&tenant, answer.field("resetSecret"), NEW)).await.expect(200);
    app.login_with(&tenant, family, NEW).await.expect(200);
    let events = app.events_named(tenant.id.as_str(), "authn_password_reset_request").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("actor_kind").unwrap(), "backend");
}

#[tokio::test]
async fn why_a_password_was_set_or_taken_away_goes_with_the_person() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let user = &tenant.person(Family::Individual).id;
    app.call(reset(user).backend(&tenant)).await.expect(200);
    let body =
        json!({ "newPassword": NEW, "matchingPassword": NEW, "reason": "the phone was stolen, again" });
    app.call(set(user, NEW).body(body.to_string()).backend(&tenant)).await.expect(200);
    for (name, why) in [
        ("authn_password_reset_request", "the phone was stolen"),
        ("authn_password_change", "the phone was stolen, again"),
    ] {
        let events = app.events_named(tenant.id.as_str(), name).await;
        let sql = "select reason, personal from events where tenant_id = $1 and name = $2";
        let statement = vestibule::db::Statement::new(sql).bind(&tenant.id).bind(name);
        let row = &app.database.list(statement).await.unwrap()[0];
        let personal: serde_json::Value = serde_json::from_str(&row.text("personal").unwrap()).unwrap();
        assert_eq!((events.len(), row.maybe_text("reason").unwrap()), (1, None), "{name}");
        assert_eq!(personal["reason"], why);
        assert!(personal["clientIp"].is_string());
    }
    let erase = Call::new("POST", format!("/api/v2.1/admin/users/{user}/erase")).backend(&tenant);
    app.call(erase).await.expect(200);
    assert!(!String::from_utf8_lossy(&app.everything_stored().await).contains("phone was stolen"));
}

#[tokio::test]
async fn what_is_wrong_with_a_reset_or_a_set_is_told_by_field() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let user = &tenant.person(Family::Individual).id;
    let before = app.passwords_now().await;
    let long = "q".repeat(201);
    for (body, fields) in [
        (json!({}), vec!["userId", "reason"]),
        (json!({ "userId": user }), vec!["reason"]),
        (json!({ "userId": "a b", "reason": "x" }), vec!["userId"]),
        (json!({ "userId": user, "reason": "" }), vec!["reason"]),
        (json!({ "userId": user, "reason": long }), vec!["reason"]),
        (json!({ "userId": user, "reason": "a\u{202e}b" }), vec!["reason"]),
    ] {
        let call = Call::new("POST", RESET).backend(&tenant).json(&body);
        assert_eq!(app.call(call).await.expect(400).complaints(), fields, "{body}");
    }
    for (body, fields) in [
        (json!({}), vec!["newPassword", "matchingPassword"]),
        (json!({ "newPassword": NEW }), vec!["matchingPassword"]),
        (json!({ "newPassword": NEW, "matchingPassword": "else" }), vec!["matchingPassword"]),
        (json!({ "newPassword": NEW, "matchingPassword": NEW, "reason": long }), vec!["reason"]),
    ] {
        let call = set(user, NEW).body(body.to_string()).backend(&tenant);
        assert_eq!(app.call(call).await.expect(400).complaints(), fields, "{body}");
    }
    app.call(set(user, NEW).body(r#"{"currentPassword":"x"}"#).backend(&tenant)).await.expect(400);
    assert_eq!(app.passwords_now().await, before);
}
