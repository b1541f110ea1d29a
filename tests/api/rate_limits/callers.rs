//! What one caller may do has limits of its own, and so has what a tenant may ask in all (R023, R026).

use serde_json::json;
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, told};
use crate::credentials;
use crate::support::app::{Answer, NIL, TestApp, TestTenant, Wanted, prefix};
use crate::support::calls::{Call, Opened};

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start_with(Wanted { request_limits: true, ..Wanted::default() }).await;
    let tenant = app.tenant_with("acme", Settings { requests_per_second: 0, ..Settings::default() }).await;
    (app, tenant)
}

/// Sends so many, which are all answered so.
async fn send(app: &TestApp, call: &Call, times: usize, status: u16) {
    for _ in 0..times {
        app.call(call.clone()).await.expect(status);
    }
}

fn refresh(tenant: &TestTenant, of: &Opened, token: &str) -> Call {
    let path = format!("{}/users/{NIL}/sessions", prefix(of.family, NIL));
    let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1");
    call.json(&json!({ "refreshToken": token }))
}

/// The same with another MAC.
fn forged(token: &str) -> String {
    let (head, last) = token.split_at(token.len() - 8);
    format!("{head}{}", if last == "AAAAAAAA" { "BBBBBBBB" } else { "AAAAAAAA" })
}

/// A refusal under `/oauth2/`, which has the RFCs' format.
fn told_bare(answer: &Answer, policy: &str) {
    assert_eq!((answer.status.as_u16(), answer.error_type()), (429, "temporarily_unavailable"));
    assert_eq!(answer.headers["ratelimit-policy"], policy);
    assert_eq!(answer.headers["retry-after"], "1");
}

#[tokio::test]
async fn R026_a_session_is_refreshed_sixty_times_a_minute_and_another_is_not_touched() {
    let (app, tenant) = start().await;
    let [mine, other] = [app.open(&tenant, INDIVIDUAL).await, app.open(&tenant, INDIVIDUAL).await];
    let first = app.call(refresh(&tenant, &mine, &mine.refresh)).await.expect(200);
    // The answer was lost, and lost again.
    send(&app, &refresh(&tenant, &mine, &mine.refresh), 59, 200).await;
    let newest = refresh(&tenant, &mine, first.field("refreshToken"));
    let seconds = told(&app.call(newest.clone()).await, "refresh");
    app.call(refresh(&tenant, &other, &other.refresh)).await.expect(200);
    app.clock.advance(seconds * 1_000);
    app.call(newest).await.expect(200);
}

#[tokio::test]
async fn R026_refresh_tokens_are_made_up_six_hundred_times_a_minute_from_one_source_and_refuse_none_that_holds()
 {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let made_up = refresh(&tenant, &opened, "vrt1.made-up");
    send(&app, &made_up, 600, 401).await;
    let no_session = refresh(&tenant, &opened, &forged(&opened.refresh));
    for call in [made_up, no_session] {
        told(&app.call(call).await, "refused-refresh");
    }
    let before = app.call(refresh(&tenant, &opened, &opened.refresh)).await.expect(200);
    app.call(refresh(&tenant, &opened, before.field("refreshToken"))).await.expect(200);
}

#[tokio::test]
async fn R026_introspections_and_revocations_have_limits_of_their_own() {
    let (app, tenant) = start().await;
    let ask = |path: &str| Call::new("POST", path).backend(&tenant).form(&[("token", "made up")]);
    send(&app, &ask("/oauth2/revoke"), 200, 200).await;
    told_bare(&app.call(ask("/oauth2/revoke")).await, "\"revocation\";q=200;w=1");
    send(&app, &ask("/oauth2/introspect"), 2_000, 200).await;
    told_bare(&app.call(ask("/oauth2/introspect")).await, "\"introspection\";q=2000;w=1");
    app.clock.advance(1_000);
    send(&app, &ask("/oauth2/revoke"), 1, 200).await;
    send(&app, &ask("/oauth2/introspect"), 1, 200).await;
}

#[tokio::test]
async fn R026_a_session_changes_the_password_ten_times_in_ten_minutes_and_keeps_no_other_from_it() {
    let (app, tenant) = start().await;
    let [stolen, own] = [app.open(&tenant, INDIVIDUAL).await, app.open(&tenant, INDIVIDUAL).await];
    let change = credentials::change(&tenant, &stolen, "SecurePass123!", "short");
    send(&app, &change, 10, 400).await;
    assert_eq!(told(&app.call(change.clone()).await, "password-change"), 60);
    app.clock.advance(60_000);
    send(&app, &change, 1, 400).await;
    told(&app.call(change).await, "password-change");
    let change = credentials::change(&tenant, &own, "SecurePass123!", "nine green bottles");
    app.call(change).await.expect(200);
}

#[tokio::test]
async fn R023_a_tenant_over_its_quota_is_refused_and_another_is_not_touched() {
    let (app, quiet) = start().await;
    let settings = Settings { requests_per_second: 5, ..Settings::default() };
    let noisy = app.tenant_with("noisy", settings).await;
    let opened = app.open(&noisy, INDIVIDUAL).await;
    let of_quiet = app.open(&quiet, INDIVIDUAL).await;
    // Strangers, who have no key, spend nothing of it.
    let stranger = Call::get("/api/v2.1/events").basic(&noisy.backend_key, "wrong");
    send(&app, &stranger, 20, 401).await;
    for _ in 0..5 {
        app.view(&noisy, &opened).await.expect(200);
    }
    // Its apps and its backends spend the same.
    told(&app.view(&noisy, &opened).await, "tenant");
    told(&app.call(Call::get("/api/v2.1/events").backend(&noisy)).await, "tenant");
    told(&app.call(refresh(&noisy, &opened, &opened.refresh)).await, "tenant");
    for _ in 0..20 {
        app.view(&quiet, &of_quiet).await.expect(200);
    }
    app.clock.advance(1_000);
    app.view(&noisy, &opened).await.expect(200);
}

#[tokio::test]
async fn R023_logins_have_a_quota_beside_the_rest_of_what_the_tenant_asks() {
    let (app, quiet) = start().await;
    let noisy = app.tenant_with("noisy", Settings { requests_per_second: 5, ..Settings::default() }).await;
    let opened = app.open(&noisy, INDIVIDUAL).await;
    for _ in 0..4 {
        app.login(&noisy, INDIVIDUAL).await.expect(200);
    }
    let hashes = app.app.passwords.evaluations();
    told(&app.login(&noisy, INDIVIDUAL).await, "tenant");
    assert_eq!(app.app.passwords.evaluations(), hashes);
    app.login(&quiet, INDIVIDUAL).await.expect(200);
    // Its key is as public as the app: who floods logins signs nobody out.
    for _ in 0..3 {
        app.view(&noisy, &opened).await.expect(200);
    }
    app.call(Call::get("/api/v2.1/events").backend(&noisy)).await.expect(200);
    app.call(refresh(&noisy, &opened, &opened.refresh)).await.expect(200);
    told(&app.view(&noisy, &opened).await, "tenant");
    app.clock.advance(1_000);
    app.login(&noisy, INDIVIDUAL).await.expect(200);
}

#[tokio::test]
async fn R023_what_is_refused_by_its_source_spends_nothing_of_the_tenants_quota() {
    let wanted = Wanted { request_limits: true, ..super::limiting() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant_with("acme", Settings { requests_per_second: 12, ..Settings::default() }).await;
    super::fail_from(&app, &tenant, "198.51.100.66", 0..10).await;
    for number in 0..100 {
        let call = super::stranger(&tenant, number);
        told(&app.send(super::from("198.51.100.66", call.request())).await, "login-minute");
    }
    app.send(super::from("203.0.113.9", tenant.login(INDIVIDUAL).request())).await.expect(200);
}
