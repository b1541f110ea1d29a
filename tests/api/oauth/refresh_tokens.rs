//! Introspection of refresh tokens: which generation is good, and that asking changes nothing.

use serde_json::json;
use vestibule::db::Statement;
use vestibule::tenants::{Family, Settings};

use super::{introspect, is_active, revoke, start};
use crate::isolation::{Rows, unchanged};
use crate::support::app::{NIL, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_path};
use crate::support::forge::claims;

/// Makes the session's row that of a session with this generation, refreshed now.
async fn set_generation(app: &TestApp, tenant: &TestTenant, of: &Opened, generation: i64) {
    let sql = "update sessions set generation = $3, refreshed_at = $4 where tenant_id = $1 and id = $2 returning id";
    let statement = Statement::new(sql).bind(&tenant.id).bind(of.session.as_str());
    app.change(statement.bind(generation).bind(app.clock.now())).await;
}

#[tokio::test]
async fn R100_of_an_active_refresh_token_all_is_told() {
    let (app, tenant, opened) = start().await;
    let person = tenant.person(Family::Individual);
    let now = app.clock.now();
    let mut expected = json!({
        "active": true, "token_type": "refresh_token", "iss": "https://id.example.test/t/acme", "sub": person.id,
        "exp": now.plus_seconds(1_800).as_seconds(), "iat": now.as_seconds(),
        "client_id": claims(&opened.token)["client_id"], "username": person.email, "sid": opened.session,
        "tenantId": tenant.id, "customerId": person.customer, "userId": person.id, "userType": "CONSUMER",
        "roles": ["USER"],
    });
    assert_eq!(introspect(&app, &tenant, &opened.refresh).await.json, expected);
    // As it would stand after a refresh that moved no limit.
    app.clock.advance(7_000);
    set_generation(&app, &tenant, &opened, 1).await;
    expected["iat"] = json!(app.clock.now().as_seconds());
    assert_eq!(introspect(&app, &tenant, &opened.refresh).await.json, expected);
}

#[tokio::test]
async fn R099_only_the_current_refresh_token_is_active_and_the_one_before_it_within_the_grace() {
    let (app, tenant, opened) = start().await;
    app.clock.advance(1_000);
    set_generation(&app, &tenant, &opened, 2).await;
    let told = introspect(&app, &tenant, &opened.refresh).await;
    // No longer than it is answered, and when it was made is not known any more.
    assert_eq!(told.json["exp"], app.clock.now().plus_seconds(60).as_seconds(), "{}", told.text);
    assert_eq!(told.json.get("iat"), None, "{}", told.text);
    app.clock.advance(60_000);
    assert!(is_active(&app, &tenant, &opened.refresh).await);
    app.clock.advance(1);
    assert!(!is_active(&app, &tenant, &opened.refresh).await);
    for (generation, active) in [(3, false), (4, false), (0, false), (-1, false), (2, true), (1, true)] {
        set_generation(&app, &tenant, &opened, generation).await;
        assert_eq!(is_active(&app, &tenant, &opened.refresh).await, active, "{generation}");
    }
    // A tenant without a grace.
    let settings = Settings { refresh_grace_seconds: 0, ..Settings::default() };
    let strict = app.tenant_with("strict", settings).await;
    let opened = app.open(&strict, Family::Individual).await;
    set_generation(&app, &strict, &opened, 2).await;
    assert!(!is_active(&app, &strict, &opened.refresh).await);
}

/// Refreshes with a token: the one after it.
async fn refresh(app: &TestApp, tenant: &TestTenant, of: &Opened, token: &str) -> Opened {
    let call = Call::new("PUT", session_path(of.family, NIL, NIL, &of.session)).tenant(&tenant.slug);
    let call = call.and("deviceid", "device-1").json(&json!({ "refreshToken": token }));
    let answer = app.call(call).await.expect(200);
    Opened {
        token: answer.field("token").to_owned(),
        refresh: answer.field("refreshToken").to_owned(),
        ..of.clone()
    }
}

#[tokio::test]
async fn R099_through_refreshes_what_a_refresh_would_answer_is_active_and_asking_is_no_replay() {
    let (app, tenant, first) = start().await;
    app.clock.advance(100_000);
    let second = refresh(&app, &tenant, &first, &first.refresh).await;
    for token in [&first.token, &first.refresh, &second.token, &second.refresh] {
        assert!(is_active(&app, &tenant, token).await);
    }
    let told = introspect(&app, &tenant, &second.refresh).await;
    assert_eq!(told.json["iat"], app.clock.now().as_seconds());
    assert_eq!(told.json["exp"], app.clock.now().plus_seconds(1_800).as_seconds(), "a refresh is activity");
    let third = refresh(&app, &tenant, &second, &second.refresh).await;
    // Shown here a hundred times, a spent token ends nothing.
    for _ in 0..100 {
        assert!(!is_active(&app, &tenant, &first.refresh).await);
    }
    app.clock.advance(60_001);
    assert!(!is_active(&app, &tenant, &second.refresh).await);
    assert!(is_active(&app, &tenant, &third.refresh).await);
    // Limits that became shorter count, as they will at the refresh.
    let shorter = "update tenants set settings = '{\"idleSeconds\":120,\"accessSeconds\":60}' where id = $1 returning id";
    app.change(Statement::new(shorter).bind(&tenant.id)).await;
    let told = introspect(&app, &tenant, &third.refresh).await;
    assert_eq!(told.json["exp"], app.clock.now().plus_millis(-60_001).plus_seconds(120).as_seconds());
    app.clock.advance(60_000);
    assert!(!is_active(&app, &tenant, &third.refresh).await);
    // Revoked by the very first token, all of them are.
    let opened = app.open(&tenant, Family::Individual).await;
    let next = refresh(&app, &tenant, &opened, &opened.refresh).await;
    let last = refresh(&app, &tenant, &next, &next.refresh).await;
    revoke(&app, &tenant, &opened.refresh).await;
    for token in [&last.token, &last.refresh, &next.token, &next.refresh] {
        assert!(!is_active(&app, &tenant, token).await);
    }
}

#[tokio::test]
async fn R099_a_token_of_another_master_key_than_its_sessions_is_nobodys() {
    let (app, tenant, opened) = start().await;
    let sql = "update sessions set refresh_key_id = 'other' where tenant_id = $1 returning id";
    app.change(Statement::new(sql).bind(&tenant.id)).await;
    assert!(!is_active(&app, &tenant, &opened.refresh).await);
    revoke(&app, &tenant, &opened.refresh).await;
    assert!(is_active(&app, &tenant, &opened.token).await);
}

#[tokio::test]
async fn R068_introspection_changes_nothing_and_is_no_activity() {
    let (app, tenant, opened) = start().await;
    let spent = app.open(&tenant, Family::Individual).await;
    set_generation(&app, &tenant, &spent, 9).await;
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await;
    for _ in 0..3 {
        app.clock.advance(60_000);
        for token in [&opened.token, &opened.refresh, &spent.token] {
            assert!(is_active(&app, &tenant, token).await);
        }
        assert!(!is_active(&app, &tenant, &spent.refresh).await);
    }
    unchanged(&before, &rows.all(&app).await, "introspection");
    app.clock.advance(27 * 60_000 - 1);
    assert!(is_active(&app, &tenant, &opened.refresh).await);
    app.clock.advance(1);
    assert!(!is_active(&app, &tenant, &opened.refresh).await, "nobody refreshed it");
}
