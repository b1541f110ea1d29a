//! Wrong keys: ten a minute from one source at one key, and nobody else is held back (R024).

use serde_json::json;
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;

use super::{INDIVIDUAL, from, limiting, one, told};
use crate::support::app::{Answer, LoginCall, NIL, TestApp, TestTenant, Wanted, prefix};
use crate::support::calls::Call;

const GUESSER: &str = "198.51.100.66";
const ELSEWHERE: &str = "198.51.100.67";

async fn log_in(app: &TestApp, address: &str, call: LoginCall) -> Answer {
    app.send(from(address, call.request())).await
}

fn with_secret(tenant: &TestTenant, secret: &str) -> LoginCall {
    tenant.login(INDIVIDUAL).set("tenantSecret", secret)
}

#[tokio::test]
async fn R024_the_eleventh_wrong_secret_in_a_minute_is_429_and_so_is_the_right_one_from_there_alone() {
    let (app, tenant) = one().await;
    for number in 0..10 {
        log_in(&app, GUESSER, with_secret(&tenant, &format!("guess {number}"))).await.expect(403);
        app.clock.advance(1_000);
    }
    assert_eq!(told(&log_in(&app, GUESSER, with_secret(&tenant, "guess")).await, "wrong-keys"), 50);
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");
    // The tenant is not locked: neither elsewhere nor for another key of its own.
    log_in(&app, ELSEWHERE, tenant.login(INDIVIDUAL)).await.expect(200);
    let other = tenant.login(INDIVIDUAL).set("tenantKey", &*tenant.backend_key);
    log_in(&app, GUESSER, other.set("tenantSecret", &*tenant.backend_secret)).await.expect(200);
    app.clock.advance(50_000);
    log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await.expect(200);
}

#[tokio::test]
async fn R024_R045_keys_that_nobody_has_and_tenants_that_nobody_knows_are_counted_alike() {
    let (app, tenant) = one().await;
    let made_up = tenant.login(INDIVIDUAL).set("tenantKey", "no-such-key");
    for _ in 0..10 {
        log_in(&app, GUESSER, made_up.clone()).await.expect(403);
    }
    told(&log_in(&app, GUESSER, made_up).await, "wrong-keys");
    for number in 0..10 {
        let call = tenant.login(INDIVIDUAL).header("x-tenant-id", format!("nobody-{number}"));
        log_in(&app, GUESSER, call).await.expect(403);
    }
    let call = tenant.login(INDIVIDUAL).header("x-tenant-id", "nobody-else");
    told(&log_in(&app, GUESSER, call).await, "wrong-keys");
    log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await.expect(200);
}

#[tokio::test]
async fn R024_secrets_are_guessed_at_refreshes_and_by_basic_no_faster() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let refresh = |secret: &str| {
        let path = format!("{}/users/{NIL}/sessions", prefix(INDIVIDUAL, NIL));
        let body = json!({ "refreshToken": opened.refresh, "tenantKey": tenant.key, "tenantSecret": secret });
        let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1").json(&body);
        from(GUESSER, call.request())
    };
    for _ in 0..10 {
        app.send(refresh("wrong")).await.expect(403);
    }
    told(&app.send(refresh(&tenant.secret)).await, "wrong-keys");
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");
    let events = |secret: &str| {
        from(GUESSER, Call::get("/api/v2.1/events").basic(&tenant.backend_key, secret).request())
    };
    for _ in 0..10 {
        app.send(events("wrong")).await.expect(401);
    }
    told(&app.send(events(&tenant.backend_secret)).await, "wrong-keys");
    app.send(from(ELSEWHERE, Call::get("/api/v2.1/events").backend(&tenant).request())).await.expect(200);
    app.clock.advance(60_000);
    app.send(events(&tenant.backend_secret)).await.expect(200);
}

#[tokio::test]
async fn R024_operator_tokens_are_not_guessed_either_and_an_operators_own_is_let_in_from_there() {
    let (app, _) = one().await;
    let token = app.operator().await;
    let router = operator_router(&app.app, metrics());
    let ask = |token: &str| from(GUESSER, Call::get("/operator/v1/tenants").bearer(token).request());
    for _ in 0..10 {
        app.send_to(&router, ask("vop1.wrong")).await.expect(401);
    }
    told(&app.send_to(&router, ask("vop1.wrong")).await, "wrong-keys");
    app.send_to(&router, ask(&token)).await.expect(200);
}

#[tokio::test]
async fn R131_a_guesser_who_says_to_be_elsewhere_is_held_back_all_the_same() {
    let app = TestApp::start_with(Wanted { trusted_proxies: vec!["10.0.0.0/8"], ..limiting() }).await;
    let tenant = app.tenant("acme").await;
    for number in 0..10 {
        let call = with_secret(&tenant, "wrong").header("x-forwarded-for", format!("192.0.2.{number}"));
        log_in(&app, GUESSER, call).await.expect(403);
    }
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");
    let by_proxy = tenant.login(INDIVIDUAL).header("x-forwarded-for", GUESSER);
    told(&log_in(&app, "10.0.0.1", by_proxy).await, "wrong-keys");
}
