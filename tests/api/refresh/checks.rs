//! What a refresh re-checks (R091), each cause by itself.

use serde_json::{Value, json};
use vestibule::customers::CustomerStatus;
use vestibule::db::Statement;
use vestibule::flows::{Author, delete_tenant, end_tenant_sessions, resume_tenant, suspend_tenant};
use vestibule::tenants::{Family, Settings, TenantName};

use super::{INDIVIDUAL, SECOND, ended, refresh_call, start};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::directory::{CUSTOMERS, USERS};
use crate::support::forge::claims;

/// Refreshes once, lets `cause` happen, and sees that nothing of the session refreshes for the reason, not even in the
/// grace, and for ever.
async fn ends(
    app: &TestApp,
    tenant: &TestTenant,
    family: Family,
    reason: &str,
    cause: impl AsyncFnOnce(&Opened),
) -> Opened {
    let first = app.open(tenant, family).await;
    app.clock.advance(SECOND);
    let second = app.refreshed(tenant, &first).await;
    app.refreshed(tenant, &first).await;
    app.clock.advance(SECOND);
    cause(&second).await;
    let told = ended(app.refresh(tenant, &second).await, reason);
    let lost = ended(app.refresh(tenant, &first).await, reason);
    assert_eq!(told.field("endedAt"), lost.field("endedAt"));
    app.view(tenant, &second).await.expect(401);
    app.clock.advance(SECOND);
    let later = ended(app.refresh(tenant, &second).await, reason);
    assert_eq!(later.field("endedAt"), told.field("endedAt"));
    second
}

fn acme() -> TenantName {
    TenantName::Slug("acme".to_owned())
}

#[tokio::test]
async fn R054_R091_a_suspended_tenants_sessions_do_not_refresh_and_resuming_revives_none() {
    let (app, tenant) = start().await;
    let opened = ends(&app, &tenant, INDIVIDUAL, "tenant_suspended", async |_| {
        let now = app.clock.now();
        suspend_tenant(&app.database, Author::TERMINAL, &acme(), None, now).await.unwrap();
    })
    .await;
    let now = app.clock.now();
    resume_tenant(&app.database, Author::TERMINAL, &acme(), None, now).await.unwrap();
    ended(app.refresh(&tenant, &opened).await, "tenant_suspended");
    let again = app.open(&tenant, INDIVIDUAL).await;
    app.refreshed(&tenant, &again).await;
}

#[tokio::test]
async fn R091_a_deleted_tenants_sessions_do_not_refresh() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    delete_tenant(&app.database, Author::TERMINAL, &acme(), "acme", app.clock.now()).await.unwrap();
    app.refresh(&tenant, &opened).await.expect(401);
}

#[tokio::test]
async fn R064_R091_a_suspended_or_closed_users_sessions_do_not_refresh() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let user = tenant.person(family).id.as_str();
        if family == Family::Admin {
            // Another ADMIN, so that this one may go.
            app.staff(&tenant, &["ADMIN"]).await;
        }
        let opened = ends(&app, &tenant, family, "user_disabled", async |_| {
            app.act(&tenant, USERS, user, "suspend").await.expect(200);
        })
        .await;
        app.act(&tenant, USERS, user, "resume").await.expect(200);
        ended(app.refresh(&tenant, &opened).await, "user_disabled");
        ends(&app, &tenant, family, "user_disabled", async |_| {
            app.act(&tenant, USERS, user, "close").await.expect(200);
        })
        .await;
    }
}

#[tokio::test]
async fn R091_a_suspended_or_closed_customers_sessions_do_not_refresh() {
    let (app, tenant) = start().await;
    for family in [Family::Individual, Family::Organization] {
        let customer = &tenant.person(family).customer;
        let now = || app.clock.now();
        app.set_customer_status(&tenant, customer, CustomerStatus::Active, now()).await;
        let opened = ends(&app, &tenant, family, "customer_suspended", async |_| {
            app.act(&tenant, CUSTOMERS, customer.as_str(), "suspend").await.expect(200);
        })
        .await;
        app.act(&tenant, CUSTOMERS, customer.as_str(), "resume").await.expect(200);
        ended(app.refresh(&tenant, &opened).await, "customer_suspended");
        ends(&app, &tenant, family, "customer_closed", async |_| {
            app.act(&tenant, CUSTOMERS, customer.as_str(), "close").await.expect(200);
        })
        .await;
    }
}

#[tokio::test]
async fn R042_R091_a_password_that_was_set_ends_refreshes_and_ones_own_change_spares_its_session() {
    let (app, tenant) = start().await;
    let person = tenant.person(INDIVIDUAL);
    let set = |password: &str| {
        let body = json!({ "newPassword": password, "matchingPassword": password });
        Call::new("PUT", format!("{USERS}/{}/credentials", person.id)).backend(&tenant).json(&body)
    };
    ends(&app, &tenant, INDIVIDUAL, "password_changed", async |_| {
        app.call(set("ten green bottles")).await.expect(200);
    })
    .await;
    let login = || tenant.login(INDIVIDUAL).set("password", "ten green bottles");
    let open = async || {
        let answer = app.send(login().request()).await.expect(200);
        let field = |name: &str| answer.field(name).to_owned();
        let (session, token, refresh) = (field("sessionId"), field("token"), field("refreshToken"));
        Opened { family: INDIVIDUAL, session, token, refresh, data: answer.data().clone() }
    };
    app.clock.advance(SECOND);
    let (other, own) = (open().await, open().await);
    app.clock.advance(SECOND);
    let change = crate::credentials::change(&tenant, &own, "ten green bottles", "nine green bottles");
    app.call(change).await.expect(200);
    ended(app.refresh(&tenant, &other).await, "password_changed");
    app.refreshed(&tenant, &own).await;
}

#[tokio::test]
async fn R091_a_logout_and_an_operators_end_of_all_hold_for_refreshes() {
    let (app, tenant) = start().await;
    ends(&app, &tenant, INDIVIDUAL, "logout", async |opened| {
        app.end(&tenant, opened).await.expect(200);
    })
    .await;
    ends(&app, &tenant, INDIVIDUAL, "ended_by_operator", async |_| {
        let now = app.clock.now();
        end_tenant_sessions(&app.database, Author::TERMINAL, &acme(), None, now).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn R091_a_status_that_other_hands_have_set_holds_too() {
    let (app, tenant) = start().await;
    let person = tenant.person(INDIVIDUAL);
    for (set, unset, reason) in [
        (
            format!("update users set status = 'suspended' where id = '{}'", person.id),
            format!("update users set status = 'active' where id = '{}'", person.id),
            "user_disabled",
        ),
        (
            format!("update customers set status = 'suspended' where id = '{}'", person.customer),
            format!("update customers set status = 'active' where id = '{}'", person.customer),
            "customer_suspended",
        ),
        (
            "update tenants set status = 'suspended' where slug = 'acme'".to_owned(),
            "update tenants set status = 'active' where slug = 'acme'".to_owned(),
            "tenant_suspended",
        ),
    ] {
        let opened = app.open(&tenant, INDIVIDUAL).await;
        app.script(&set).await;
        ended(app.refresh(&tenant, &opened).await, reason);
        app.script(&unset).await;
    }
}

#[tokio::test]
async fn R091_the_end_of_the_tenant_key_that_opened_it_ends_a_session_at_its_next_refresh() {
    for set in ["revoked_at = $2", "expires_at = $2"] {
        let (app, tenant) = start().await;
        let sql = format!("update tenant_keys set {set} where tenant_key = $1 returning id");
        let opened = ends(&app, &tenant, INDIVIDUAL, "tenant_key_revoked", async |_| {
            let statement = Statement::new(sql.leak()).bind(tenant.key.as_str());
            app.change(statement.bind(app.clock.now())).await;
        })
        .await;
        assert_eq!(app.end_reason(&opened).await.as_deref(), Some("tenant_key_revoked"));
        let events = app.events_named(tenant.id.as_str(), "session_expired").await;
        assert_eq!(events.len(), 1, "written once");
        assert_eq!(events[0].text("reason").unwrap(), "tenant_key_revoked");
        assert_eq!(events[0].text("actor_kind").unwrap(), "system");
        assert_eq!(app.ends_of(&tenant, "session_expired").await, ["session"]);
        // A backend's key is not what opened it.
        let body = json!({ "refreshToken": opened.refresh, "tenantKey": tenant.backend_key,
            "tenantSecret": tenant.backend_secret });
        ended(app.call(super::refresh_with(&tenant, &opened, &body)).await, "tenant_key_revoked");
    }
    // A key of the session's own that will end, and one of another's that has ended, do not matter.
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let sql = "update tenant_keys set expires_at = $2 where tenant_key = $1 returning id";
    let ends = |key: &str, at| app.change(Statement::new(sql).bind(key).bind(at));
    ends(&tenant.key, app.clock.now().plus_millis(1)).await;
    ends(&tenant.backend_key, app.clock.now()).await;
    app.refreshed(&tenant, &opened).await;
    app.clock.advance(1);
    ended(app.refresh(&tenant, &opened).await, "tenant_key_revoked");
}

#[tokio::test]
async fn R091_a_user_of_another_customer_or_family_has_left_the_sessions_of_the_old_one() {
    for moved in [
        "update users set customer_id = (select id from customers where name = 'Another customer') where id = ",
        "update users set kind = 'staff' where id = ",
    ] {
        let (app, tenant) = start().await;
        app.another(&tenant, INDIVIDUAL, "second@example.test").await;
        let opened = app.open(&tenant, INDIVIDUAL).await;
        app.script(&format!("{moved}'{}'", tenant.person(INDIVIDUAL).id)).await;
        ended(app.refresh(&tenant, &opened).await, "user_disabled");
        assert_eq!(app.end_reason(&opened).await.as_deref(), Some("user_disabled"));
        assert_eq!(app.ends_of(&tenant, "session_expired").await, ["session"]);
    }
}

#[tokio::test]
async fn R091_a_refresh_takes_roles_metadata_and_settings_as_they_are_now() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let user = tenant.person(INDIVIDUAL).id.as_str();
    let metadata = json!({ "metadata": { "tier": "gold" }, "roles": ["USER", "TRADER"] });
    app.backend(&tenant, "PATCH", &format!("{USERS}/{user}"), &metadata).await.expect(200);
    let settings = Settings {
        metadata_claims: vec!["tier".to_owned()],
        audience: Some("bff-clients".to_owned()),
        access_seconds: Some(60),
        ..Settings::default()
    };
    app.set_settings(&tenant, &settings).await;
    let next = app.refreshed(&tenant, &opened).await;
    let now = claims(&next.token);
    assert_eq!(now["roles"], json!(["USER", "TRADER"]));
    assert_eq!(next.data["roles"], json!(["USER", "TRADER"]));
    assert_eq!(now["metadata"], json!({ "tier": "gold" }));
    assert_eq!(now["aud"], "bff-clients");
    assert_eq!(next.data["expiresIn"], 60);
    app.view(&tenant, &next).await.expect(200);
}

#[tokio::test]
async fn R081_a_refresh_signs_with_the_tenants_signing_key_of_now() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let operator = app.operator().await;
    let rotate = Call::new("POST", "/operator/v1/tenants/acme/signing-keys").bearer(&operator);
    app.operator_call(rotate.json(&json!({ "now": true }))).await.expect(200);
    let next = app.refreshed(&tenant, &opened).await;
    let kid = |of: &Opened| -> Value {
        let header = of.token.split('.').next().unwrap();
        let header = vestibule::secrets::from_base64url(header).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    assert_ne!(kid(&next), kid(&opened));
    app.view(&tenant, &next).await.expect(200);
}

#[tokio::test]
async fn an_ended_session_is_told_before_any_replay_is_looked_for() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    let third = app.refreshed(&tenant, &second).await;
    app.end(&tenant, &third).await.expect(200);
    for opened in [&first, &second, &third] {
        ended(app.refresh(&tenant, opened).await, "logout");
    }
    assert!(app.events_named(tenant.id.as_str(), "authn_token_reuse").await.is_empty());
    // From another device too.
    ended(app.call(refresh_call(&tenant, &third).on_device(Some("other"))).await, "logout");
}
