//! What happened to a session, step by step.

use serde_json::{Value, json};
use vestibule::flows::write_down_endings;
use vestibule::tenants::Family;

use crate::support::app::{NIL, PASSWORD, START, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call};
use crate::support::directory::USERS;

const INDIVIDUAL: Family = Family::Individual;
const MINUTE: i64 = 60_000;

/// The timeline of a session, as its own user sees it by the token of a live one.
fn own(tenant: &TestTenant, by: &Opened, session: &str, query: &str) -> Call {
    let mut call = session_call("GET", tenant, by.family, session, &by.token);
    call.path = format!("{}/events{query}", call.path);
    call
}

/// The same, as the tenant's backend sees it.
fn for_backend(tenant: &TestTenant, of: &Opened, query: &str) -> Call {
    let user = of.data["userId"].as_str().unwrap();
    Call::get(format!("{USERS}/{user}/sessions/{}/events{query}", of.session)).backend(tenant)
}

async fn steps(app: &TestApp, call: Call) -> Vec<Value> {
    let answer = app.call(call).await.expect(200);
    assert_eq!(answer.data()["nextCursor"], Value::Null);
    answer.data()["items"].as_array().unwrap().clone()
}

fn words(steps: &[Value]) -> Vec<&str> {
    steps.iter().map(|step| step["type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn R065_a_timeline_tells_each_step_with_time_actor_address_device_and_rule() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let began = app.clock.now();
        let opened = app.open(&tenant, family).await;
        let user = opened.data["userId"].clone();
        let kind = if family == Family::Admin { "staff" } else { "user" };
        let step = |word: &str, at: i64| {
            json!({
                "type": word, "time": began.plus_millis(at).to_string(), "outcome": "success", "reason": null,
                "rule": null, "actor": { "kind": kind, "id": user }, "clientIp": "127.0.0.1",
                "clientIpReason": "peer", "platform": "mobile", "deviceId": "device-1",
                "userAgent": "test-agent/1", "count": null,
            })
        };
        // As three refreshes leave the row, the latest of them from elsewhere.
        let refreshed_at = began.plus_millis(5_000);
        app.script(&format!(
            "update sessions set refreshed_at = {}, generation = 4, last_client_ip = '203.0.113.9' where id = '{}'",
            refreshed_at.as_millis(),
            opened.session
        ))
        .await;
        let mut refreshed = step("session_refreshed", 5_000);
        refreshed["clientIp"] = json!("203.0.113.9");
        for field in ["clientIpReason", "platform", "userAgent"] {
            refreshed[field] = Value::Null;
        }
        refreshed["count"] = json!(3);
        app.clock.advance(10_000);
        let other = app.open(&tenant, family).await;
        app.end(&tenant, &opened).await.expect(200);
        let mut ended = step("session_expired", 10_000);
        ended["reason"] = json!("logout");
        for field in ["platform", "deviceId", "userAgent"] {
            ended[field] = Value::Null;
        }
        let expected = [step("authn_login_success", 0), step("authn_login_new_device", 0), refreshed, ended];
        assert_eq!(steps(&app, own(&tenant, &other, &opened.session, "")).await, expected);
        assert_eq!(steps(&app, for_backend(&tenant, &opened, "")).await, expected);
        // Of the other nothing but its own.
        let others = steps(&app, own(&tenant, &other, &other.session, "")).await;
        assert_eq!(words(&others), ["authn_login_success"]);
        app.call(own(&tenant, &opened, &opened.session, "")).await.expect(401);
    }
}

#[tokio::test]
async fn R065_what_others_did_is_told_to_the_user_without_who_and_from_where() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let staff = app.staff(&tenant, &["ADMIN"]).await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let user = opened.data["userId"].as_str().unwrap();
    app.clock.advance(1_000);
    let at = app.clock.now().to_string();
    let body = json!({ "newPassword": PASSWORD, "matchingPassword": PASSWORD, "reason": "told by phone" });
    let call =
        Call::new("PUT", format!("{USERS}/{user}/credentials")).and("user-agent", "office/1").json(&body);
    app.call(call.tenant("acme").bearer(&staff.token)).await.expect(200);
    app.clock.advance(1_000);
    let again = app.open(&tenant, INDIVIDUAL).await;
    let seen = steps(&app, own(&tenant, &again, &opened.session, "")).await;
    let expected = json!({
        "type": "session_expired", "time": at, "outcome": "success", "reason": "password_changed", "rule": null,
        "actor": { "kind": "staff", "id": null }, "clientIp": null, "clientIpReason": null, "platform": null,
        "deviceId": null, "userAgent": null, "count": null,
    });
    assert_eq!(seen.last().unwrap(), &expected);
    let seen = steps(&app, for_backend(&tenant, &opened, "")).await;
    let mut told = expected.clone();
    told["actor"]["id"] = staff.data["userId"].clone();
    told["clientIp"] = json!("127.0.0.1");
    told["clientIpReason"] = json!("peer");
    told["userAgent"] = json!("office/1");
    assert_eq!(seen.last().unwrap(), &told);
    // It is the same once it is written down, and no other ending is added.
    write_down_endings(&app.database, None, 1_000, app.clock.now()).await.unwrap();
    assert_eq!(steps(&app, for_backend(&tenant, &opened, "")).await.last().unwrap(), &told);
    assert_eq!(seen.iter().filter(|step| step["type"] == "session_expired").count(), 1);

    // A device that staff forget: an event of the session's own, and as little of it.
    let devices = app.look(&tenant, &format!("{USERS}/{user}/devices")).await.expect(200);
    let device = devices.data()["items"][0]["id"].as_str().unwrap();
    let path = format!("{USERS}/{user}/devices/{device}");
    let call = Call::new("DELETE", path).and("user-agent", "office/1").tenant("acme").bearer(&staff.token);
    app.call(call).await.expect(200);
    let last = app.open(&tenant, INDIVIDUAL).await;
    let seen = steps(&app, own(&tenant, &last, &again.session, "")).await;
    let last = seen.last().unwrap();
    assert_eq!((&last["reason"], &last["actor"]["kind"]), (&json!("device_forgotten"), &json!("staff")));
    assert_eq!(
        (&last["actor"]["id"], &last["userAgent"], &last["clientIp"]),
        (&json!(null), &json!(null), &json!(null))
    );
}

#[tokio::test]
async fn R065_whoever_ended_all_of_a_tenant_or_a_customer_is_told_to_the_tenant() {
    for what in ["tenant", "customer"] {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        let opened = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(1_000);
        let (at, reason, kind) = if what == "tenant" {
            let operator = app.operator().await;
            let act =
                |act: &str| Call::new("POST", format!("/operator/v1/tenants/acme/{act}")).bearer(&operator);
            app.operator_call(act("suspend")).await.expect(200);
            let at = app.clock.now();
            app.clock.advance(1_000);
            app.operator_call(act("resume")).await.expect(200);
            (at, "tenant_suspended", "operator")
        } else {
            let customer = opened.data["customerId"].as_str().unwrap();
            let at = app.clock.now();
            app.act(&tenant, "/api/v2.1/admin/customers", customer, "suspend").await.expect(200);
            app.clock.advance(1_000);
            app.act(&tenant, "/api/v2.1/admin/customers", customer, "resume").await.expect(200);
            (at, "customer_suspended", "backend")
        };
        app.clock.advance(1_000);
        let again = app.open(&tenant, INDIVIDUAL).await;
        for call in [own(&tenant, &again, &opened.session, ""), for_backend(&tenant, &opened, "")] {
            let seen = steps(&app, call).await;
            let last = seen.last().unwrap();
            assert_eq!(last["type"], "session_expired");
            assert_eq!((&last["time"], &last["reason"]), (&json!(at.to_string()), &json!(reason)), "{what}");
            assert_eq!(last["actor"]["kind"], kind, "{what}");
        }
        assert_eq!(app.view(&tenant, &opened).await.expect(401).field("endReason"), reason);
    }
}

#[tokio::test]
async fn R060_an_end_by_time_is_told_before_it_is_written_down_and_once_when_it_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(31 * MINUTE);
    let again = app.open(&tenant, INDIVIDUAL).await;
    let seen = steps(&app, own(&tenant, &again, &opened.session, "")).await;
    assert_eq!(words(&seen), ["authn_login_success", "authn_login_new_device", "session_expired"]);
    let end = &seen[2];
    assert_eq!((&end["reason"], &end["actor"]["kind"]), (&json!("expired_idle"), &json!("system")));
    assert_eq!(end["time"], START.plus_millis(30 * MINUTE).to_string());
    write_down_endings(&app.database, None, 1_000, app.clock.now()).await.unwrap();
    let seen = steps(&app, own(&tenant, &again, &opened.session, "")).await;
    assert_eq!(words(&seen), ["authn_login_success", "authn_login_new_device", "session_expired"]);
    assert_eq!((&seen[2]["reason"], &seen[2]["rule"]), (&json!("expired_idle"), &json!("idleSeconds=1800")));
    // The living one has no end.
    let seen = steps(&app, own(&tenant, &again, &again.session, "")).await;
    assert_eq!(words(&seen), ["authn_login_success"]);
}

#[tokio::test]
async fn R056_pages_of_any_size_together_are_the_timeline_and_their_cursors_are_its_own() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let at = START.as_millis();
    // Before, between, with and behind the events, and with an end that no event tells.
    for (refreshed, end) in [(500, 31), (3_000, 31), (4_000, 31), (9_000, 31), (9_000, 0)] {
        app.script(&format!(
            "update sessions set refreshed_at = {}, generation = 2, idle_expires_at = {} where id = '{}'",
            at + refreshed,
            at + end * MINUTE + 10_000,
            opened.session
        ))
        .await;
        app.script("delete from events where name = 'authn_refresh_fail'").await;
        for number in 1..=6 {
            let at = at + 1_000 * number;
            let id = vestibule::ids::EventId::before(vestibule::clock::Timestamp::from_millis(at));
            app.script(&format!(
                "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, session_id, details, salt) \
                 select tenant_id, '{id}', 'authn_refresh_fail', 'failure', {at}, 'unknown', session_id, '{{}}', salt \
                 from events where name = 'authn_login_success' and session_id = '{}'",
                opened.session
            ))
            .await;
        }
        app.clock.advance(at + 20_000 - app.clock.now().as_millis());
        let all = steps(&app, for_backend(&tenant, &opened, "")).await;
        assert_eq!(all.len(), 9 + usize::from(end == 0), "{:?}", words(&all));
        assert!(all.windows(2).all(|pair| pair[0]["time"].as_str() <= pair[1]["time"].as_str()), "{all:#?}");
        for size in 1..=4 {
            let (mut paged, mut query) = (Vec::new(), format!("?limit={size}"));
            loop {
                let page = app.call(for_backend(&tenant, &opened, &query)).await.expect(200);
                let items = page.data()["items"].as_array().unwrap();
                assert!((1..=size).contains(&items.len()), "{size}: {items:#?}");
                paged.extend(items.clone());
                let Some(cursor) = page.data()["nextCursor"].as_str() else { break };
                query = format!("?limit={size}&cursor={cursor}");
            }
            assert_eq!(paged, all, "by {size}, a refresh at {refreshed}, an end after {end} min");
        }
    }
    // A page of another session's.
    let other = app.open(&tenant, INDIVIDUAL).await;
    let first = app.call(for_backend(&tenant, &opened, "?limit=1")).await.expect(200);
    let cursor = first.field("nextCursor");
    let answer = app.call(for_backend(&tenant, &other, &format!("?cursor={cursor}"))).await.expect(400);
    assert_eq!(answer.complaints(), ["cursor"]);
    for (session, status) in [(NIL, 404), ("a.b", 400)] {
        app.call(own(&tenant, &other, session, "")).await.expect(status);
    }
}

#[tokio::test]
async fn what_is_erased_of_a_person_is_gone_from_the_timeline_and_its_steps_stay() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let at = app.clock.now().as_millis();
    app.script(&format!("update sessions set refreshed_at = {at}, generation = 2")).await;
    app.clock.advance(1_000);
    let user = opened.data["userId"].as_str().unwrap();
    app.act(&tenant, USERS, user, "erase").await.expect(200);
    let seen = steps(&app, for_backend(&tenant, &opened, "")).await;
    let expected = ["authn_login_success", "authn_login_new_device", "session_refreshed", "session_expired"];
    assert_eq!(words(&seen), expected);
    for step in &seen {
        for field in ["clientIp", "platform", "deviceId", "userAgent"] {
            assert_eq!(step[field], Value::Null, "{step}");
        }
    }
    assert_eq!(seen[3]["reason"], "user_disabled");
}
