//! How a session ends without a logout, and that the first ending is the one that is told.

use serde_json::json;
use vestibule::customers::CustomerStatus;
use vestibule::db::Statement;
use vestibule::tenants::{self, Family, Settings};

use super::start;
use crate::support::app::{PASSWORD, START, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call};
use crate::support::forge::{Forger, claims};

const MINUTE: i64 = 60_000;

/// The access token outlives the limits here, so that it is the session that is tested.
fn short_sessions() -> Settings {
    let limits = Settings {
        access_seconds: Some(60),
        idle_seconds: Some(120),
        absolute_seconds: Some(120),
        ..Settings::default()
    };
    assert_eq!(limits.problems(), []);
    limits
}

/// A token of the session that is good for a day, as a longer-lived setting would have made it.
async fn long_lived(app: &TestApp, tenant: &TestTenant, opened: &Opened) -> Opened {
    let mut claims = claims(&opened.token);
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() + 86_400);
    Opened { token: Forger::of(app, tenant).await.token(&claims), ..opened.clone() }
}

#[tokio::test]
async fn R060_R062_the_idle_limit_ends_a_session_to_the_second_and_no_sweeper_is_needed() {
    let (app, tenant) = start().await;
    let opened = long_lived(&app, &tenant, &app.open(&tenant, Family::Individual).await).await;
    app.clock.advance(30 * MINUTE - 1_000);
    app.view(&tenant, &opened).await.expect(200);
    // Looking at a session is no activity (R068).
    app.clock.advance(999);
    app.view(&tenant, &opened).await.expect(200);
    app.clock.advance(1);
    app.view(&tenant, &opened).await.expect(401);
    app.clock.advance(1_000);
    app.view(&tenant, &opened).await.expect(401);
    let ended = app.end(&tenant, &opened).await.expect(200);
    assert_eq!(ended.field("endReason"), "expired_idle");
    assert_eq!(ended.field("endedAt"), START.plus_seconds(1_800).to_string());
}

#[tokio::test]
async fn R061_R062_the_absolute_limit_ends_a_session_to_the_second() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", short_sessions()).await;
    let opened = long_lived(&app, &tenant, &app.open(&tenant, Family::Individual).await).await;
    app.clock.advance(119_000);
    app.view(&tenant, &opened).await.expect(200);
    app.clock.advance(2_000);
    app.view(&tenant, &opened).await.expect(401);
    let ended = app.end(&tenant, &opened).await.expect(200);
    assert_eq!(ended.field("endReason"), "expired_absolute");
    assert_eq!(ended.field("endedAt"), START.plus_seconds(120).to_string());
}

#[tokio::test]
async fn the_tokens_own_end_holds_for_viewing_and_not_for_the_logout() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let other = app.open(&tenant, Family::Individual).await;
    app.clock.advance(5 * MINUTE - 1_000);
    app.view(&tenant, &opened).await.expect(200);
    app.clock.advance(1_000);
    app.view(&tenant, &opened).await.expect(401);
    // Another session can be ended with a live token only.
    let cross = session_call("DELETE", &tenant, Family::Individual, &other.session, &opened.token);
    app.call(cross).await.expect(401);
    let ended = app.end(&tenant, &opened).await.expect(200);
    assert_eq!(ended.field("endReason"), "logout");
    assert_eq!(ended.field("endedAt"), START.plus_seconds(300).to_string());
}

/// Ends `opened` in some way, after which a logout must tell that ending, for ever.
async fn logout_tells(app: &TestApp, tenant: &TestTenant, opened: &Opened, reason: &str, at: i64) {
    app.view(tenant, opened).await.expect(401);
    let first = app.end(tenant, opened).await.expect(200);
    assert_eq!(first.field("endReason"), reason);
    assert_eq!(first.field("endedAt"), START.plus_millis(at).to_string());
    app.clock.advance(7 * MINUTE);
    assert_eq!(app.end(tenant, opened).await.expect(200).text, first.text, "{reason}, later");
    // What comes after an ending does not change it.
    let now = app.clock.now();
    if reason != "user_disabled" {
        app.suspend_user(tenant, &tenant.person(opened.family).id, now).await;
        let told = app.end(tenant, opened).await.expect(200);
        assert_eq!(told.text, first.text, "{reason}, then the user is suspended");
    }
    if reason != "tenant_suspended" {
        app.change(tenants::store::suspend(&tenant.id, now)).await;
        let told = app.end(tenant, opened).await.expect(200);
        assert_eq!(told.text, first.text, "{reason}, then the tenant is suspended");
    }
    app.clock.advance(24 * 60 * MINUTE);
    assert_eq!(app.end(tenant, opened).await.expect(200).text, first.text, "{reason}, after all limits");
    app.view(tenant, opened).await.expect(401);
    assert!(app.events_named(tenant.id.as_str(), "session_expired").await.len() <= 1);
}

#[tokio::test]
async fn the_first_ending_is_told_for_ever_after_a_logout() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(1_000);
    app.end(&tenant, &opened).await.expect(200);
    logout_tells(&app, &tenant, &opened, "logout", 1_000).await;
}

#[tokio::test]
async fn the_first_ending_is_told_for_ever_after_the_idle_limit() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(31 * MINUTE);
    logout_tells(&app, &tenant, &opened, "expired_idle", 30 * MINUTE).await;
}

#[tokio::test]
async fn the_first_ending_is_told_for_ever_after_the_absolute_limit() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", short_sessions()).await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(3 * MINUTE);
    logout_tells(&app, &tenant, &opened, "expired_absolute", 2 * MINUTE).await;
}

#[tokio::test]
async fn R064_the_first_ending_is_told_for_ever_after_the_users_suspension() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        app.view(&tenant, &opened).await.expect(200);
        let at = app.clock.now();
        app.suspend_user(&tenant, &tenant.person(family).id, at).await;
        app.view(&tenant, &opened).await.expect(401);
    }
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(1_000);
    let person = tenant.person(Family::Individual);
    app.suspend_user(&tenant, &person.id, app.clock.now()).await;
    logout_tells(&app, &tenant, &opened, "user_disabled", 1_000).await;
}

#[tokio::test]
async fn R054_the_first_ending_is_told_for_ever_after_the_tenants_suspension() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(1_000);
    app.change(tenants::store::suspend(&tenant.id, app.clock.now())).await;
    logout_tells(&app, &tenant, &opened, "tenant_suspended", 1_000).await;
}

#[tokio::test]
async fn R054_R064_resuming_does_not_revive_and_lets_in_anew() {
    let (app, tenant) = start().await;
    let person = tenant.person(Family::Individual);
    let resume_user = "update users set status = 'active' where tenant_id = $1 and id = $2 returning id";
    let resume_tenant = "update tenants set status = 'active' where id = $1 returning id";
    for what in ["user", "tenant"] {
        let opened = app.open(&tenant, Family::Individual).await;
        app.view(&tenant, &opened).await.expect(200);
        app.clock.advance(1_000);
        let now = app.clock.now();
        if what == "user" {
            app.suspend_user(&tenant, &person.id, now).await;
            app.view(&tenant, &opened).await.expect(401);
            app.login(&tenant, Family::Individual).await.expect(401);
            app.change(Statement::new(resume_user).bind(&tenant.id).bind(&person.id)).await;
        } else {
            app.change(tenants::store::suspend(&tenant.id, now)).await;
            app.view(&tenant, &opened).await.expect(401);
            app.login(&tenant, Family::Individual).await.expect(403);
            app.change(Statement::new(resume_tenant).bind(&tenant.id)).await;
        }
        app.view(&tenant, &opened).await.expect(401);
        app.clock.advance(1_000);
        app.view(&tenant, &opened).await.expect(401);
        let again = app.open(&tenant, Family::Individual).await;
        app.view(&tenant, &again).await.expect(200);
        app.view(&tenant, &opened).await.expect(401);
    }
}

#[tokio::test]
async fn R064_a_customer_that_may_not_log_in_has_no_sessions_from_the_next_request_on() {
    let (app, tenant) = start().await;
    for family in [Family::Individual, Family::Organization] {
        let person = tenant.person(family);
        let opened = app.open(&tenant, family).await;
        for (status, seen) in [
            (CustomerStatus::PendingVerification, 200),
            (CustomerStatus::RegistrationCompleted, 200),
            (CustomerStatus::PendingActivation, 200),
            (CustomerStatus::Suspended, 401),
            (CustomerStatus::Closed, 401),
        ] {
            let now = app.clock.now();
            app.set_customer_status(&tenant, &person.customer, status, now).await;
            app.view(&tenant, &opened).await.expect(seen);
        }
        // The first ending is the session's; once answered, and once the customer is back, it stays ended.
        let ended = app.end(&tenant, &opened).await.expect(200);
        assert_eq!(ended.field("endReason"), "customer_suspended");
        app.clock.advance(1_000);
        let now = app.clock.now();
        app.set_customer_status(&tenant, &person.customer, CustomerStatus::Active, now).await;
        app.view(&tenant, &opened).await.expect(401);
        assert_eq!(app.end(&tenant, &opened).await.expect(200).text, ended.text);
        let again = app.open(&tenant, family).await;
        app.view(&tenant, &again).await.expect(200);
    }
}

#[tokio::test]
async fn R054_R064_what_ends_all_of_a_customer_or_tenant_ends_what_a_faster_clock_opened_too() {
    let app = TestApp::start().await;
    let operator = app.operator().await;
    for way in ["customer", "suspension", "operator"] {
        let tenant = app.tenant(way).await;
        let family = Family::Individual;
        let slow = app.clock.now();
        app.clock.advance(5_000);
        let (opened, staff) = (app.open(&tenant, family).await, app.open(&tenant, Family::Admin).await);
        app.clock.advance(slow.as_millis() - app.clock.now().as_millis());
        app.view(&tenant, &opened).await.expect(200);
        let by_operator = async |path: &str| {
            let call = Call::new("POST", format!("/operator/v1/tenants/{way}{path}")).bearer(&operator);
            app.operator_call(call).await.expect(200);
        };
        let reason = match way {
            "customer" => {
                let at = format!("/api/v2.1/admin/customers/{}", tenant.person(family).customer);
                for deed in ["suspend", "resume"] {
                    app.call(Call::new("POST", format!("{at}/{deed}")).backend(&tenant)).await.expect(200);
                }
                app.view(&tenant, &staff).await.expect(200);
                "customer_suspended"
            }
            "suspension" => {
                by_operator("/suspend").await;
                by_operator("/resume").await;
                "tenant_suspended"
            }
            _ => {
                by_operator("/sessions/end").await;
                "ended_by_operator"
            }
        };
        let answer = app.view(&tenant, &opened).await.expect(401);
        assert_eq!(answer.field("endReason"), reason, "{way}");
        if way != "customer" {
            app.view(&tenant, &staff).await.expect(401);
        }
        // Whoever opens one afterwards, by the right clock, is not held up by it.
        app.clock.advance(1_000);
        let again = app.open(&tenant, family).await;
        app.view(&tenant, &again).await.expect(200);
    }
}

#[tokio::test]
async fn R042_R064_sessions_that_a_faster_clock_opened_end_with_the_others() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let person = tenant.person(family);
    let at = format!("/api/v2.1/admin/users/{}", person.id);
    for path in ["/suspend", "/credentials"] {
        let slow = app.clock.now();
        app.clock.advance(5_000);
        let opened = app.open(&tenant, family).await;
        app.clock.advance(slow.as_millis() - app.clock.now().as_millis());
        app.view(&tenant, &opened).await.expect(200);
        let call = if path == "/suspend" {
            Call::new("POST", format!("{at}{path}"))
        } else {
            Call::new("PUT", format!("{at}{path}")).json(&serde_json::json!({
                "newPassword": "ten green bottles", "matchingPassword": "ten green bottles",
            }))
        };
        app.call(call.backend(&tenant)).await.expect(200);
        app.view(&tenant, &opened).await.expect(401);
        if path == "/suspend" {
            app.call(Call::new("POST", format!("{at}/resume")).backend(&tenant)).await.expect(200);
            app.view(&tenant, &opened).await.expect(401);
        }
        // Whoever opens one afterwards, by the right clock, is not held up by it.
        app.clock.advance(1_000);
        let password = if path == "/suspend" { PASSWORD } else { "ten green bottles" };
        let login = tenant.login(family).set("password", password);
        let again = app.send(login.request()).await.expect(200);
        let token = again.field("token").to_owned();
        app.session_call(axum::http::Method::GET, &tenant, family, again.field("sessionId"), &token)
            .await
            .expect(200);
    }
}
