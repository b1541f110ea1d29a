//! Wrong keys: ten a minute from one source at one key, and nobody else is held back (R024).

use serde_json::json;
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;
use vestibule::tenants::{Family, Settings};

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

/// The owner's refresh with a secret, from the guesser's address.
fn refresh(tenant: &TestTenant, refresh_token: &str, secret: &str) -> axum::http::Request<axum::body::Body> {
    let path = format!("{}/users/{NIL}/sessions", prefix(INDIVIDUAL, NIL));
    let body = json!({ "refreshToken": refresh_token, "tenantKey": tenant.key, "tenantSecret": secret });
    let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1").json(&body);
    from(GUESSER, call.request())
}

#[tokio::test]
async fn R020_R024_who_guesses_at_the_owners_own_address_keeps_neither_the_phone_nor_its_session_out() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let proving = |call: LoginCall| call.header("x-device-proof", &opened.refresh);
    for _ in 0..10 {
        log_in(&app, GUESSER, with_secret(&tenant, "guess")).await.expect(403);
    }
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");
    log_in(&app, GUESSER, proving(tenant.login(INDIVIDUAL))).await.expect(200);
    let refreshed = app.send(refresh(&tenant, &opened.refresh, &tenant.secret)).await.expect(200);
    // Nothing else speaks for anybody: no half a proof, another's or a forged token, and none beside a wrong password.
    let mut forged = opened.refresh.clone();
    forged.replace_range(60..61, if &forged[60..61] == "A" { "B" } else { "A" });
    for call in [
        tenant.login(INDIVIDUAL).header("x-device-proof", &forged),
        proving(tenant.login(INDIVIDUAL).header("deviceid", "device-2")),
        proving(tenant.login(Family::Organization)),
        proving(tenant.login(INDIVIDUAL).named("nobody@x.test")),
        proving(with_secret(&tenant, "guess")),
    ] {
        told(&log_in(&app, GUESSER, call).await, "wrong-keys");
    }
    log_in(&app, GUESSER, proving(tenant.login(INDIVIDUAL)).set("password", "wrong")).await.expect(401);
    assert_ne!(refreshed.field("refreshToken"), opened.refresh);
}

#[tokio::test]
async fn R024_an_account_of_ones_own_gives_ten_guesses_more_and_no_word_of_which_was_right() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let proving = |call: LoginCall| call.header("x-device-proof", &opened.refresh);
    for _ in 0..10 {
        log_in(&app, GUESSER, with_secret(&tenant, "guess")).await.expect(403);
    }
    for _ in 0..5 {
        told(&log_in(&app, GUESSER, proving(with_secret(&tenant, "guess"))).await, "wrong-keys");
        told(&app.send(refresh(&tenant, &opened.refresh, "guess")).await, "wrong-keys");
    }
    told(&log_in(&app, GUESSER, proving(tenant.login(INDIVIDUAL))).await, "wrong-keys");
    told(&app.send(refresh(&tenant, &opened.refresh, &tenant.secret)).await, "wrong-keys");
    app.clock.advance(60_000);
    log_in(&app, GUESSER, proving(tenant.login(INDIVIDUAL))).await.expect(200);
    app.send(refresh(&tenant, &opened.refresh, &tenant.secret)).await.expect(200);
}

#[tokio::test]
async fn R024_a_right_key_from_an_origin_that_nobody_lists_is_told_from_a_wrong_one_by_nobody_who_guesses() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    for _ in 0..10 {
        log_in(&app, GUESSER, with_secret(&tenant, "guess")).await.expect(403);
    }
    for call in [tenant.login(INDIVIDUAL), with_secret(&tenant, "guess")] {
        let call = call.header("x-device-proof", &opened.refresh).header("origin", "https://evil.test");
        told(&log_in(&app, GUESSER, call).await, "wrong-keys");
    }
}

#[tokio::test]
async fn R024_of_fifty_guesses_at_once_ten_are_answered_and_the_right_one_is_not_among_the_rest() {
    let (app, tenant) = one().await;
    let by_basic = |secret: &str| {
        from(GUESSER, Call::get("/api/v2.1/events").basic(&tenant.backend_key, secret).request())
    };
    let statuses = async |requests: Vec<_>| {
        let answers = requests.into_iter().map(|request| app.send(request));
        let answers = futures_util::future::join_all(answers).await;
        answers.iter().map(|answer| answer.status.as_u16()).collect::<Vec<_>>()
    };
    let last = |right: axum::http::Request<axum::body::Body>, wrong: Vec<_>| {
        wrong.into_iter().chain([right]).collect::<Vec<_>>()
    };
    let guesses = (0..50).map(|_| from(GUESSER, with_secret(&tenant, "guess").request())).collect();
    let seen = statuses(last(from(GUESSER, tenant.login(INDIVIDUAL).request()), guesses)).await;
    assert_eq!(seen.iter().filter(|status| **status == 403).count(), 10, "{seen:?}");
    assert!(seen.iter().all(|status| [403, 429].contains(status)), "{seen:?}");
    let guesses = (0..50).map(|_| by_basic("guess")).collect();
    let seen = statuses(last(by_basic(&tenant.backend_secret), guesses)).await;
    assert_eq!(seen.iter().filter(|status| **status == 401).count(), 10, "{seen:?}");
    assert!(seen.iter().all(|status| [401, 429].contains(status)), "{seen:?}");
}

#[tokio::test]
async fn R024_who_needs_no_key_is_not_refused_for_whoever_shows_none_where_one_is_needed() {
    let app = TestApp::start_with(limiting()).await;
    let settings = Settings { key_optional: vec![INDIVIDUAL], ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let without = |family| tenant.login(family).set("tenantKey", ()).set("tenantSecret", ());
    for _ in 0..10 {
        log_in(&app, GUESSER, without(Family::Organization)).await.expect(403);
    }
    told(&log_in(&app, GUESSER, without(Family::Organization)).await, "wrong-keys");
    log_in(&app, GUESSER, without(INDIVIDUAL)).await.expect(200);
}

#[tokio::test]
async fn R024_R088_a_replay_ends_its_session_also_where_too_much_was_guessed() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let newest = app.send(refresh(&tenant, &opened.refresh, &tenant.secret)).await.expect(200);
    let newest = newest.field("refreshToken");
    app.clock.advance(61_000);
    for _ in 0..20 {
        let status = app.send(refresh(&tenant, newest, "guess")).await.status.as_u16();
        assert!(status == 403 || status == 429, "{status}");
    }
    told(&app.send(refresh(&tenant, newest, &tenant.secret)).await, "wrong-keys");
    app.send(refresh(&tenant, &opened.refresh, "guess")).await.expect(401);
    assert_eq!(app.number_of("sessions where end_reason = 'refresh_reuse'").await, 1);
}

#[tokio::test]
async fn R024_R028_beyond_six_hundred_wrong_keys_from_one_source_all_that_is_wrong_is_429_and_who_guessed_nothing_gets_in()
 {
    let (app, tenant) = one().await;
    let suspended = app.tenant("suspended").await;
    app.script("update tenants set status = 'suspended' where slug = 'suspended'").await;
    let made_up = |number: usize| tenant.login(INDIVIDUAL).set("tenantKey", format!("no-such-key-{number}"));
    for number in 0..600 {
        log_in(&app, GUESSER, made_up(number)).await.expect(403);
    }
    let wrong = [
        made_up(600),
        suspended.login(INDIVIDUAL),
        tenant
            .login(INDIVIDUAL)
            .set("tenantId", ())
            .header("x-tenant-id", "nobody")
            .set("tenantKey", "no-such-key"),
        tenant.login(INDIVIDUAL).set("tenantKey", ()).set("tenantSecret", ()),
        tenant.login(INDIVIDUAL).set("tenantId", suspended.id.as_str()).set("tenantKey", "no-such-key-x"),
    ];
    let mut seen = Vec::new();
    for call in wrong {
        let answer = log_in(&app, GUESSER, call).await;
        told(&answer, "wrong-keys");
        seen.push(answer.fingerprint());
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await.expect(200);
    told(&log_in(&app, GUESSER, with_secret(&tenant, "guess")).await, "wrong-keys");
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");
    log_in(&app, ELSEWHERE, with_secret(&tenant, "guess")).await.expect(403);
}

#[tokio::test]
async fn R024_one_secret_is_guessed_ten_times_a_minute_wherever_its_key_is_shown_and_however_it_is_spelled() {
    let (app, tenant) = one().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    for _ in 0..10 {
        app.send(refresh(&tenant, &opened.refresh, "wrong")).await.expect(403);
    }
    told(&log_in(&app, GUESSER, tenant.login(INDIVIDUAL)).await, "wrong-keys");

    let by_basic =
        |key: &str, secret: &str| from(GUESSER, Call::get("/api/v2.1/events").basic(key, secret).request());
    let key = tenant.backend_key.clone();
    let encoded = |at: usize| format!("{}%{:02X}{}", &key[..at], key.as_bytes()[at], &key[at + 1..]);
    let by_login = |tenant_name: &str| {
        let call = tenant.login(INDIVIDUAL).header("x-tenant-id", tenant_name);
        log_in(&app, GUESSER, call.set("tenantKey", &*key).set("tenantSecret", "wrong"))
    };
    for at in 0..6 {
        app.send(by_basic(&encoded(at), "wrong")).await.expect(401);
    }
    app.send(by_basic(&key, "wrong")).await.expect(401);
    app.send(by_basic(&key, "%77rong")).await.expect(401);
    by_login(&tenant.slug).await.expect(403);
    by_login(tenant.id.as_str()).await.expect(403);
    for spelled in [key.clone(), encoded(7)] {
        told(&app.send(by_basic(&spelled, &tenant.backend_secret)).await, "wrong-keys");
    }
    told(&by_login(&tenant.slug).await, "wrong-keys");
    app.send(from(ELSEWHERE, Call::get("/api/v2.1/events").backend(&tenant).request())).await.expect(200);
    app.clock.advance(60_000);
    app.send(by_basic(&encoded(7), &tenant.backend_secret)).await.expect(200);
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
