//! Introspection of refresh tokens: which generation is good, and that asking changes nothing.

use serde_json::json;
use vestibule::db::Statement;
use vestibule::tenants::{Family, Settings};

use super::{introspect, is_active, start};
use crate::isolation::{Rows, unchanged};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Opened;
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
    app.clock.advance(59_999);
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
