//! Ten failed logins a minute and a hundred an hour from one address, whoever they are for (R021).

use serde_json::{Value, json};
use vestibule::flows::{delete_old_sources, summarise_refusals};
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, fail_from, from, limiting, one, stranger, told};
use crate::support::app::{Answer, LoginCall, TestApp, TestTenant, Wanted};

const HERE: &str = "203.0.113.9";
const ELSEWHERE: &str = "203.0.113.10";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// The documented login with the right password, from an address.
async fn right(app: &TestApp, tenant: &TestTenant, address: &str) -> Answer {
    app.send(from(address, tenant.login(INDIVIDUAL).request())).await
}

#[tokio::test]
async fn R021_R025_the_eleventh_failure_in_a_minute_is_429_and_whoever_waits_as_told_gets_in() {
    let (app, tenant) = one().await;
    fail_from(&app, &tenant, HERE, 0..1).await;
    app.clock.advance(20_500);
    fail_from(&app, &tenant, HERE, 1..10).await;
    let (hashes, events) = (app.app.passwords.evaluations(), app.number_of("events").await);
    // Names that exist and that do not, right passwords and wrong ones: the limit knows neither.
    let wrong = tenant.login(INDIVIDUAL).set("password", "wrong");
    let answers = [
        app.send(from(HERE, stranger(&tenant, 10).request())).await,
        app.send(from(HERE, wrong.request())).await,
        right(&app, &tenant, HERE).await,
    ];
    for answer in &answers {
        assert_eq!(told(answer, "login-minute"), 40, "half a second is a second");
        assert_eq!(answer.fingerprint(), answers[0].fingerprint());
    }
    insta::assert_snapshot!(answers[0].without_request_id(), @r#"{"code":429,"data":{"details":"The limit \"login-minute\" lets 10 through in 60 seconds, and they are used up.","error":"Too many requests","errorType":"TOO_MANY_REQUESTS","field":null,"requestId":"(id)","success":false,"suggestions":["Try again after the seconds in Retry-After."]},"message":"Too many requests"}"#);
    assert_eq!(app.app.passwords.evaluations(), hashes, "a 429 costs no hash");
    assert_eq!(app.number_of("events").await, events, "and no event");
    right(&app, &tenant, ELSEWHERE).await.expect(200);
    app.clock.advance(39_499);
    told(&right(&app, &tenant, HERE).await, "login-minute");
    app.clock.advance(501);
    right(&app, &tenant, HERE).await.expect(200);
    // There was room for one failure, and there are nine of a half a minute ago.
    fail_from(&app, &tenant, HERE, 20..21).await;
    told(&right(&app, &tenant, HERE).await, "login-minute");
}

#[tokio::test]
async fn R021_successes_cost_nothing_and_failures_are_not_forgotten_by_them() {
    let (app, tenant) = one().await;
    for _ in 0..15 {
        right(&app, &tenant, HERE).await.expect(200);
    }
    assert_eq!(app.number_of("source_attempts").await, 0);
    fail_from(&app, &tenant, HERE, 0..10).await;
    told(&right(&app, &tenant, HERE).await, "login-minute");
}

#[tokio::test]
async fn R021_a_hundred_failures_in_an_hour_are_the_most_at_whatever_pace() {
    let app = TestApp::start_with(limiting()).await;
    let tenant = app.tenant_with("acme", Settings { spray_pairs: 0, ..Settings::default() }).await;
    for tens in 0..10 {
        fail_from(&app, &tenant, HERE, tens * 10..tens * 10 + 10).await;
        app.clock.advance(MINUTE);
    }
    let refused = right(&app, &tenant, HERE).await;
    let seconds = told(&refused, "login-hour");
    assert_eq!(seconds, 50 * 60, "until the first ten are an hour old");
    right(&app, &tenant, ELSEWHERE).await.expect(200);
    app.clock.advance(seconds * 1_000 - 1);
    told(&right(&app, &tenant, HERE).await, "login-hour");
    app.clock.advance(1);
    right(&app, &tenant, HERE).await.expect(200);
    fail_from(&app, &tenant, HERE, 100..110).await;
    told(&right(&app, &tenant, HERE).await, "login-hour");
}

#[tokio::test]
async fn R021_R134_the_addresses_of_one_64_are_one_source_and_mapped_ipv4_is_ipv4() {
    let (app, tenant) = one().await;
    for number in 0..10 {
        fail_from(&app, &tenant, &format!("2001:db8:1:2:{number}::{number}"), number..number + 1).await;
    }
    told(&right(&app, &tenant, "2001:db8:1:2:abcd::1").await, "login-minute");
    right(&app, &tenant, "2001:db8:1:3::1").await.expect(200);
    for number in 0..10 {
        let address = if number % 2 == 0 { "::ffff:198.51.100.7" } else { "198.51.100.7" };
        fail_from(&app, &tenant, address, number + 20..number + 21).await;
    }
    told(&right(&app, &tenant, "::ffff:198.51.100.7").await, "login-minute");
    told(&right(&app, &tenant, "198.51.100.7").await, "login-minute");
}

#[tokio::test]
async fn R131_what_a_client_says_of_its_address_moves_no_limit() {
    let (app, tenant) = one().await;
    let lying = |call: LoginCall, number: usize| {
        let said = format!("198.51.100.{number}");
        call.header("x-forwarded-for", &said)
            .header("x-real-ip", &said)
            .header("forwarded", format!("for={said}"))
            .header("true-client-ip", &said)
    };
    for number in 0..10 {
        app.send(from(HERE, lying(stranger(&tenant, number), number).request())).await.expect(401);
    }
    let call = lying(tenant.login(INDIVIDUAL), 99);
    told(&app.send(from(HERE, call.request())).await, "login-minute");
    assert_eq!(app.number_of(&format!("login_sources where source = '{HERE}'")).await, 1);
    assert_eq!(app.number_of("login_sources").await, 1);
    // The victim whose address was named is not touched.
    right(&app, &tenant, "198.51.100.3").await.expect(200);
    for event in app.login_events(&tenant).await.iter().filter(|event| event.reason.is_some()) {
        assert_eq!(event.personal["clientIp"], HERE, "{:?}", event.personal);
    }
}

#[tokio::test]
async fn R021_behind_a_trusted_proxy_its_customers_are_told_apart() {
    let trusting = Wanted { trusted_proxies: vec!["10.0.0.0/8"], ..limiting() };
    let app = TestApp::start_with(trusting).await;
    let tenant = app.tenant("acme").await;
    for number in 0..10 {
        let call = stranger(&tenant, number).header("x-forwarded-for", format!("6.6.6.{number}, {HERE}"));
        app.send(from("10.0.0.1", call.request())).await.expect(401);
    }
    let by_proxy =
        |client: &str| from("10.0.0.1", tenant.login(INDIVIDUAL).header("x-forwarded-for", client).request());
    told(&app.send(by_proxy(HERE)).await, "login-minute");
    app.send(by_proxy(ELSEWHERE)).await.expect(200);
}

#[tokio::test]
async fn R021_a_backend_hides_its_users_addresses_unless_its_tenant_believes_what_it_forwards() {
    let app = TestApp::start_with(limiting()).await;
    let hiding = app.tenant("hiding").await;
    let settings = Settings { trust_backend_address: true, ..Settings::default() };
    let telling = app.tenant_with("telling", settings).await;
    let by_backend = |tenant: &TestTenant, call: LoginCall, client: &str| {
        let call = call.set("tenantKey", &*tenant.backend_key).set("tenantSecret", &*tenant.backend_secret);
        from("192.0.2.1", call.header("x-forwarded-for", client).request())
    };
    for number in 0..20 {
        app.send(by_backend(&hiding, stranger(&hiding, number), HERE)).await.expect(401);
    }
    assert_eq!(app.number_of(&format!("login_sources where tenant_id = '{}'", hiding.id)).await, 0);
    for number in 0..10 {
        app.send(by_backend(&telling, stranger(&telling, number), HERE)).await.expect(401);
    }
    told(&app.send(by_backend(&telling, telling.login(INDIVIDUAL), HERE)).await, "login-minute");
    app.send(by_backend(&telling, telling.login(INDIVIDUAL), ELSEWHERE)).await.expect(200);
    // The same user by an app with a login key, which vouches for nothing.
    right(&app, &telling, "192.0.2.1").await.expect(200);
}

#[tokio::test]
async fn R021_R130_a_backend_behind_a_proxy_that_appends_it_has_its_users_told_apart_as_well() {
    let app = TestApp::start_with(Wanted { trusted_proxies: vec!["10.0.0.0/8"], ..limiting() }).await;
    let settings = Settings { trust_backend_address: true, ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let by_backend = |call: LoginCall, chain: &str| {
        let call = call.set("tenantKey", &*tenant.backend_key).set("tenantSecret", &*tenant.backend_secret);
        app.send(from("10.0.0.1", call.header("x-forwarded-for", chain).request()))
    };
    let behind = |client: &str| format!("{client}, 192.0.2.1");
    for number in 0..10 {
        by_backend(stranger(&tenant, number), &behind(HERE)).await.expect(401);
    }
    told(&by_backend(tenant.login(INDIVIDUAL), &behind(HERE)).await, "login-minute");
    let told_apart = by_backend(tenant.login(INDIVIDUAL), &behind(ELSEWHERE)).await.expect(200);
    let personal = app.event_of(&tenant, &told_apart).await.personal;
    assert_eq!((&personal["clientIp"], &personal["clientIpReason"]), (&json!(ELSEWHERE), &json!("vouched")));
    // Where it says nothing of its users it vouches for none, and no user's failures are another's.
    for number in 20..40 {
        by_backend(stranger(&tenant, number), "192.0.2.1").await.expect(401);
    }
    let hidden = by_backend(tenant.login(INDIVIDUAL), "192.0.2.1").await.expect(200);
    let personal = app.event_of(&tenant, &hidden).await.personal;
    assert_eq!(
        (&personal["clientIp"], &personal["clientIpReason"]),
        (&json!("192.0.2.1"), &json!("forwarded"))
    );
}

#[tokio::test]
async fn R021_whoever_proves_to_be_the_owner_gets_in_from_a_source_that_is_used_up() {
    let (app, tenant) = one().await;
    let token = right(&app, &tenant, HERE).await.expect(200).field("refreshToken").to_owned();
    fail_from(&app, &tenant, HERE, 0..10).await;
    told(&right(&app, &tenant, HERE).await, "login-minute");
    let proving = tenant.login(INDIVIDUAL).header("x-device-proof", &token);
    app.send(from(HERE, proving.request())).await.expect(200);
    // Another's proof is none.
    let other = stranger(&tenant, 50).header("x-device-proof", &token);
    told(&app.send(from(HERE, other.request())).await, "login-minute");
}

#[tokio::test]
async fn R021_each_tenant_counts_for_itself_and_may_set_or_switch_off_the_limits() {
    let app = TestApp::start_with(limiting()).await;
    let strict = Settings { source_failures_per_minute: 2, ..Settings::default() };
    let strict = app.tenant_with("strict", strict).await;
    let off = Settings { source_failures_per_minute: 0, source_failures_per_hour: 1, ..Settings::default() };
    let off = app.tenant_with("off", off).await;
    fail_from(&app, &strict, HERE, 0..2).await;
    told(&right(&app, &strict, HERE).await, "login-minute");
    fail_from(&app, &off, HERE, 0..30).await;
    right(&app, &off, HERE).await.expect(200);
}

#[tokio::test]
async fn R021_refusals_of_a_locked_name_count_as_failures_too() {
    let (app, tenant) = one().await;
    let wrong = tenant.login(INDIVIDUAL).set("password", "wrong");
    for _ in 0..10 {
        app.send(from(HERE, wrong.request())).await.expect(401);
    }
    told(&app.send(from(HERE, wrong.request())).await, "login-minute");
}

#[tokio::test]
async fn R028_what_nobody_counts_any_more_is_deleted_and_what_counts_is_kept() {
    let (app, tenant) = one().await;
    fail_from(&app, &tenant, HERE, 0..3).await;
    app.clock.advance(2 * HOUR);
    fail_from(&app, &tenant, HERE, 3..5).await;
    fail_from(&app, &tenant, ELSEWHERE, 5..6).await;
    right(&app, &tenant, "203.0.113.11").await.expect(200);
    app.clock.advance(HOUR + 1);
    delete_old_sources(&app.app).await.unwrap();
    assert_eq!(app.number_of("source_attempts").await, 3);
    assert_eq!(app.number_of("login_sources").await, 3);
    app.clock.advance(2 * HOUR);
    delete_old_sources(&app.app).await.unwrap();
    assert_eq!(app.number_of("source_attempts").await, 0);
    assert_eq!(app.number_of("login_sources").await, 0);
}

#[tokio::test]
async fn R028_upkeep_looks_at_a_source_when_it_is_due_and_another_login_does_not_move_that() {
    let (app, tenant) = one().await;
    let (came, due_in) = (app.clock.now().as_millis(), 3 * HOUR);
    let is_due = async |source: &str, at: i64| {
        app.number_of(&format!("login_sources where source = '{source}' and due_at = {at}")).await == 1
    };
    right(&app, &tenant, ELSEWHERE).await.expect(200);
    fail_from(&app, &tenant, HERE, 0..10).await;
    assert!(is_due(ELSEWHERE, came + due_in).await && is_due(HERE, came + due_in).await);
    app.clock.advance(MINUTE);
    right(&app, &tenant, ELSEWHERE).await.expect(200);
    assert!(is_due(ELSEWHERE, came + due_in).await, "no update touches its index");
    // The fifteenth guess shuts it out.
    fail_from(&app, &tenant, HERE, 10..15).await;
    assert!(is_due(HERE, came + MINUTE + 24 * HOUR).await);
}

#[tokio::test]
async fn an_attempt_that_died_is_no_place_for_ever() {
    let (app, tenant) = one().await;
    fail_from(&app, &tenant, HERE, 0..1).await;
    let at = app.clock.now().as_millis();
    for number in 0..9 {
        app.script(&format!(
            "insert into source_attempts (tenant_id, source, id, reserved_at) values ('{}', '{HERE}', 'dead-{number}', {at})",
            tenant.id
        ))
        .await;
    }
    app.clock.advance(MINUTE);
    fail_from(&app, &tenant, HERE, 20..30).await;
    told(&right(&app, &tenant, HERE).await, "login-minute");
}

#[tokio::test]
async fn R025_refusals_are_counted_for_the_minutes_summary() {
    let (app, tenant) = one().await;
    fail_from(&app, &tenant, HERE, 0..10).await;
    for _ in 0..3 {
        told(&right(&app, &tenant, HERE).await, "login-minute");
    }
    summarise_refusals(&app.app).await.unwrap();
    let sql = "select details from events where name = 'input_refusals_summary'";
    let rows = app.database.list(vestibule::db::Statement::new(sql)).await.unwrap();
    let details: Value = serde_json::from_str(&rows[0].text("details").unwrap()).unwrap();
    assert_eq!(details["limited"], 3);
}
