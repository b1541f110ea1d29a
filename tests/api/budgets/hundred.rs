//! A hundred failures in a row, at whatever pace, shut out for good (R019).

use futures_util::future::join_all;
use serde_json::json;

use super::{DAY, INDIVIDUAL, MINUTE, from, is_locked, phone, proven, start, stranger, wrong};
use crate::credentials::change;
use crate::support::app::{LoginCall, PASSWORD, TestApp, TestTenant};
use crate::support::calls::Call;

const NEW: &str = "nine green bottles";

/// Fails so often, one failure in 31 minutes.
async fn slowly(app: &TestApp, call: &LoginCall, times: usize) {
    for _ in 0..times {
        app.fail(call, 1).await;
        app.clock.advance(31 * MINUTE);
    }
}

/// As if so many failures had been, the last one just now.
async fn as_if(app: &TestApp, tenant: &TestTenant, total: i64) {
    app.fail(&stranger(tenant), 1).await;
    let user = &tenant.person(INDIVIDUAL).id;
    app.script(&format!("update throttles set total = {total}, failures = 0 where subject = 'user:{user}'"))
        .await;
}

#[tokio::test]
async fn R019_at_one_failure_in_31_minutes_the_hundred_and_first_is_never_compared() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    let (call, nobody) = (stranger(&tenant), stranger(&tenant).named("nobody@x.test"));
    for round in 0..100 {
        let known = app.send(wrong(&call).request()).await.expect(401);
        let unknown = app.send(nobody.request()).await.expect(401);
        assert_eq!(known.fingerprint(), unknown.fingerprint(), "{round}");
        assert!(!is_locked(&known), "{round}");
        app.clock.advance(31 * MINUTE);
    }
    assert_eq!(app.compared(&tenant).await, 100);
    for wait in [0, 31 * MINUTE, DAY, 300 * DAY] {
        app.clock.advance(wait);
        for call in [call.clone(), wrong(&call), from(&tenant, "192.0.2.5", "phone")] {
            let (answer, hashes) = app.hashes_of(&call).await;
            let unknown = app.send(nobody.request()).await;
            assert!(is_locked(&answer), "after {wait}");
            assert_eq!((answer.fingerprint(), hashes), (unknown.fingerprint(), 1));
            let until = app.clock.now().plus_millis(30 * MINUTE).to_string();
            assert_eq!(answer.field("lockoutTime"), until, "no word on that it is for good");
        }
    }
    assert_eq!(app.compared(&tenant).await, 100, "none of these");
    // Whoever has proven anything is not shut out.
    app.send(phone(&tenant).request()).await.expect(200);
    app.send(proven(from(&tenant, "192.0.2.5", "phone"), &opened.refresh).request()).await.expect(200);
    // And opens nothing for others by that.
    assert!(is_locked(&app.send(call.request()).await));
}

#[tokio::test]
async fn R019_a_success_begins_to_count_anew() {
    let (app, tenant) = start().await;
    let call = stranger(&tenant);
    for _ in 0..2 {
        as_if(&app, &tenant, 99).await;
        app.send(call.request()).await.expect(200);
        app.script("delete from devices").await;
    }
}

#[tokio::test]
async fn R019_of_many_at_once_no_more_than_the_hundred_are_compared() {
    let (app, tenant) = start().await;
    as_if(&app, &tenant, 98).await;
    let before = app.compared(&tenant).await;
    let calls = (0..50).map(|_| app.send_apart(&wrong(&stranger(&tenant))));
    let answers: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(app.compared(&tenant).await - before, 2);
    assert_eq!(answers.iter().filter(|answer| is_locked(answer)).count(), 48);
    assert_eq!(app.number_of("throttles where total = 100").await, 1);
}

#[tokio::test]
async fn R019_attempts_that_died_count_to_the_hundred() {
    let (app, tenant) = start().await;
    as_if(&app, &tenant, 98).await;
    for id in ["one", "two"] {
        app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), id, MINUTE + 1).await;
    }
    assert!(is_locked(&app.send(stranger(&tenant).request()).await));
    let locks = app.events_named(tenant.id.as_str(), "authn_login_lock").await;
    assert_eq!(locks.len(), 1);
    assert_eq!(locks[0].text("reason").unwrap(), "too_many_failures_in_all");
}

#[tokio::test]
async fn R016_the_tenant_is_warned_before_a_name_is_shut_for_good_and_told_of_it() {
    let (app, tenant) = start().await;
    as_if(&app, &tenant, 88).await;
    let warnings = async || app.events_named(tenant.id.as_str(), "authn_login_fail_max").await.len();
    slowly(&app, &stranger(&tenant), 1).await;
    assert_eq!(warnings().await, 0, "89");
    slowly(&app, &stranger(&tenant), 10).await;
    assert_eq!(warnings().await, 10, "90 to 99");
    slowly(&app, &stranger(&tenant), 1).await;
    assert_eq!(warnings().await, 10);
    let locks = app.events_named(tenant.id.as_str(), "authn_login_lock").await;
    let reasons: Vec<_> = locks.iter().map(|event| event.text("reason").unwrap()).collect();
    assert_eq!(reasons, ["too_many_failures", "too_many_failures", "too_many_failures_in_all"]);
    let user = tenant.person(INDIVIDUAL).id.as_str();
    assert!(locks[2].text("details").unwrap().contains(user));
}

#[tokio::test]
async fn R019_a_password_that_is_set_anew_opens_again() {
    let (app, tenant) = start().await;
    let user = tenant.person(INDIVIDUAL).id.clone();
    let opened = app.on_the_phone(&tenant).await;
    let with = |password: &str| stranger(&tenant).set("password", password);
    let admin = "/api/v2.1/admin/users";

    as_if(&app, &tenant, 100).await;
    assert!(is_locked(&app.send(with(PASSWORD).request()).await));
    app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(200);
    app.send(with(NEW).request()).await.expect(200);

    app.script("delete from devices").await;
    as_if(&app, &tenant, 100).await;
    assert!(is_locked(&app.send(with(NEW).request()).await));
    let set = json!({ "newPassword": "ten green bottles", "matchingPassword": "ten green bottles" });
    app.call(Call::new("PUT", format!("{admin}/{user}/credentials")).backend(&tenant).json(&set))
        .await
        .expect(200);
    app.send(with("ten green bottles").request()).await.expect(200);

    app.script("delete from devices").await;
    as_if(&app, &tenant, 100).await;
    let reset = json!({ "userId": user, "reason": "asked by phone" });
    let reset =
        app.call(Call::new("POST", format!("{admin}/login/reset")).backend(&tenant).json(&reset)).await;
    let secret = reset.expect(200).field("resetSecret").to_owned();
    as_if(&app, &tenant, 100).await;
    let redeem = json!({ "resetSecret": secret, "newPassword": NEW, "matchingPassword": NEW });
    let redeem = Call::new("POST", "/api/v2.1/password-resets/redeem").tenant(&tenant.slug).json(&redeem);
    app.call(redeem).await.expect(200);
    app.send(with(NEW).request()).await.expect(200);
}

#[tokio::test]
async fn R019_a_proof_that_has_seen_a_hundred_failures_is_none_any_more() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    let full = proven(phone(&tenant), &opened.refresh);
    for proof in ["full", "half", "none"] {
        for _ in 0..100 {
            let answer = app.send(wrong(&full).request()).await.expect(401);
            assert_eq!(answer.json["message"], "Authentication failed");
            app.clock.advance(31 * MINUTE);
        }
        let budgets = app.budgets(&tenant.person(INDIVIDUAL).id).await;
        assert!(budgets.iter().any(|(of, _, total)| of == proof && *total == 100), "{budgets:?}");
    }
    assert!(is_locked(&app.send(full.request()).await));
    assert_eq!(app.compared(&tenant).await, 300);
}
