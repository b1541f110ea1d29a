//! A session after its login: looked at, ended, timed out, taken away (contract.md §2).

use serde_json::{Value, json};
use vestibule::customers::{self, CustomerStatus};
use vestibule::db::Statement;
use vestibule::ids::SessionId;
use vestibule::tenants::{self, Family, Settings};
use vestibule::users;

use crate::support::app::{NIL, START, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::forge::{Forger, claims, malleated};

const MINUTE: i64 = 60_000;

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_session_is_shown_with_exactly_the_documented_fields() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let person = tenant.person(family);
        app.clock.advance(1_000);
        let shown = app.view(&tenant, &opened).await.expect(200);
        app.clock.advance(-1_000);
        assert_eq!(shown.json["code"], 200);
        assert_eq!(shown.json["message"], "Success");
        let expected = json!({
            "success": true, "message": "Session found", "errorType": "NONE",
            "sessionId": opened.session, "userId": person.id, "customerId": person.customer,
            "tenantId": tenant.id, "roles": [if family == Family::Admin { "ADMIN" } else { "USER" }],
            "deviceId": "device-1",
            "sessionMetadata": {
                "clientIp": "127.0.0.1", "clientPlatform": "mobile", "userAgent": "test-agent/1",
                "createdAt": START.to_string(),
            },
            "lastRefreshedAt": null,
            "sessionIdleExpiresAt": START.plus_seconds(30 * 60).to_string(),
            "sessionExpiresAt": START.plus_seconds(12 * 3600).to_string(),
            "endedAt": null, "endReason": null, "current": true,
        });
        assert_eq!(*shown.data(), expected);
        assert_eq!(shown.data()["sessionMetadata"], opened.data["sessionMetadata"]);
        assert_eq!(shown.data()["sessionExpiresAt"], opened.data["sessionExpiresAt"]);
        assert_eq!(shown.data()["sessionIdleExpiresAt"], opened.data["sessionIdleExpiresAt"]);
        // No profile, no token, and nothing else that the login told.
        for secret in [&opened.token, &opened.refresh, &person.email] {
            assert!(!shown.text.contains(secret.as_str()));
        }
        assert!(shown.text.starts_with(r#"{"code":200,"data":{"success":true,"#));
    }
}

#[tokio::test]
async fn an_ended_session_is_told_with_exactly_the_documented_fields() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let ended = app.end(&tenant, &opened).await.expect(200);
        let expected = json!({
            "success": true, "message": "Session ended", "errorType": "NONE", "sessionId": opened.session,
            "endedAt": START.to_string(), "endReason": "logout",
        });
        assert_eq!(*ended.data(), expected);
        assert!(ended.text.starts_with(r#"{"code":200,"data":{"success":true,"#));
    }
}

#[tokio::test]
async fn only_the_bearer_and_the_tenant_are_needed_after_the_login() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let path = session_path(Family::Individual, NIL, NIL, &opened.session);
    for name in [tenant.slug.as_str(), tenant.id.as_str(), &tenant.id.as_str().to_uppercase()] {
        app.call(Call::get(&path).tenant(name).bearer(&opened.token)).await.expect(200);
    }
    // The scheme's case means nothing (RFC 9110 §11.1).
    let call = Call::get(&path).tenant("acme").and("authorization", format!("bEaReR {}", opened.token));
    app.call(call).await.expect(200);
    // Without a tenant it is the request that is wrong, not the token.
    let missing = app.call(Call::get(&path).bearer(&opened.token)).await.expect(400);
    assert_eq!(missing.error_type(), "MISSING_HEADERS");
    assert_eq!(missing.data()["errors"][0]["field"], "X-Tenant-ID");
    for empty in ["", " "] {
        let answer = app.call(Call::get(&path).tenant(empty).bearer(&opened.token)).await.expect(400);
        assert_eq!(answer.error_type(), "MISSING_HEADERS");
    }
}

#[tokio::test]
async fn R047_a_tenant_that_is_not_the_tokens_is_403_whoever_it_is() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let suspended = app.tenant("suspended").await;
    app.change(tenants::store::suspend(&suspended.id, START)).await;
    let opened = app.open(&tenant, Family::Individual).await;
    let path = session_path(Family::Individual, NIL, NIL, &opened.session);
    let mut bodies = Vec::new();
    for other in [
        "globex",
        globex.id.as_str(),
        "suspended",
        "absent",
        "system",
        NIL,
        "null",
        "0",
        "*",
        "ACME",
        "acme ,globex",
        "acme/",
        "%61cme",
    ] {
        for method in ["GET", "DELETE"] {
            let call = Call::new(method, &path).tenant(other).bearer(&opened.token);
            let answer = app.call(call).await.expect(403);
            assert_eq!(answer.error_type(), "TENANT", "{other}");
            bodies.push(answer.without_request_id());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn another_session_of_ones_own_can_be_viewed_and_ended() {
    let (app, tenant) = start().await;
    let mine = app.open(&tenant, Family::Individual).await;
    app.clock.advance(1_000);
    let other = app.open(&tenant, Family::Individual).await;
    let by_mine =
        |method: &str| session_call(method, &tenant, Family::Individual, &other.session, &mine.token);
    let shown = app.call(by_mine("GET")).await.expect(200);
    assert_eq!(shown.field("sessionId"), other.session);
    assert_eq!(shown.data()["current"], false);
    assert_eq!(shown.data()["endedAt"], Value::Null);
    assert_eq!(app.view(&tenant, &other).await.expect(200).data()["current"], true);

    app.clock.advance(1_000);
    let ended = app.call(by_mine("DELETE")).await.expect(200);
    assert_eq!(ended.field("endReason"), "logout");
    app.view(&tenant, &other).await.expect(401);
    app.view(&tenant, &mine).await.expect(200);
    // It is still there to be looked at, and its first ending stays.
    app.clock.advance(5_000);
    let shown = app.call(by_mine("GET")).await.expect(200);
    assert_eq!(shown.data()["endedAt"], ended.data()["endedAt"]);
    assert_eq!(shown.field("endReason"), "logout");
    assert_eq!(app.call(by_mine("DELETE")).await.expect(200).data(), ended.data());
    // An ended session's token ends no other.
    let by_other = session_call("DELETE", &tenant, Family::Individual, &mine.session, &other.token);
    app.call(by_other).await.expect(401);
    app.view(&tenant, &mine).await.expect(200);
}

#[tokio::test]
async fn R063_after_a_logout_the_token_is_dead_at_once_and_the_logout_can_be_repeated() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let first = app.end(&tenant, &opened).await.expect(200);
        let refused = app.view(&tenant, &opened).await.expect(401);
        assert_eq!(refused.error_type(), "TOKEN");
        assert_eq!(refused.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        for seconds in [0, 1, 3600, 100 * 24 * 3600] {
            app.clock.advance(seconds * 1_000);
            assert_eq!(app.end(&tenant, &opened).await.expect(200).text, first.text, "after {seconds} s");
            app.clock.advance(-seconds * 1_000);
        }
        let events = app.events_named(tenant.id.as_str(), "session_expired").await;
        let of_it: Vec<_> =
            events.iter().filter(|row| row.text("session_id").unwrap() == opened.session).collect();
        assert_eq!(of_it.len(), 1, "one ending, one event");
        assert_eq!(of_it[0].text("reason").unwrap(), "logout");
        assert_eq!(of_it[0].text("actor_id").unwrap(), tenant.person(family).id.as_str());
        assert_eq!(
            of_it[0].text("actor_kind").unwrap(),
            if family == Family::Admin { "staff" } else { "user" }
        );
        assert!(of_it[0].text("personal").unwrap().contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn logouts_at_the_same_time_have_one_answer_and_one_event() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let app = std::sync::Arc::new(app);
    let call = session_call("DELETE", &tenant, Family::Individual, &opened.session, &opened.token);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (app, call) = (app.clone(), call.clone());
            tokio::spawn(async move { app.call(call).await.expect(200).text })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 1);
}

/// The access token outlives the limits here, so that it is the session that is tested.
fn short_sessions() -> Settings {
    let limits = Settings {
        access_seconds: Some(60),
        idle_seconds: Some(120),
        absolute_seconds: Some(120),
        ..Settings::default()
    };
    limits.check().unwrap();
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
        app.change(users::store::suspend(&tenant.id, &tenant.person(opened.family).id, now)).await;
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
        app.change(users::store::suspend(&tenant.id, &tenant.person(family).id, at)).await;
        app.view(&tenant, &opened).await.expect(401);
    }
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(1_000);
    let person = tenant.person(Family::Individual);
    app.change(users::store::suspend(&tenant.id, &person.id, app.clock.now())).await;
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
            app.change(users::store::suspend(&tenant.id, &person.id, now)).await;
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
            app.change(customers::store::set_status(&tenant.id, &person.customer, status, now)).await;
            app.view(&tenant, &opened).await.expect(seen);
        }
        // The first ending is the session's; once answered, and once the customer is back, it stays ended.
        let ended = app.end(&tenant, &opened).await.expect(200);
        assert_eq!(ended.field("endReason"), "customer_suspended");
        app.clock.advance(1_000);
        let now = app.clock.now();
        app.change(customers::store::set_status(&tenant.id, &person.customer, CustomerStatus::Active, now))
            .await;
        app.view(&tenant, &opened).await.expect(401);
        assert_eq!(app.end(&tenant, &opened).await.expect(200).text, ended.text);
        let again = app.open(&tenant, family).await;
        app.view(&tenant, &again).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_that_the_tenant_no_longer_lists_signs_nothing_not_even_a_logout() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.view(&tenant, &opened).await.expect(200);
    let set = |kids: String| {
        Statement::new("update tenants set valid_kids = $2 where id = $1 returning id")
            .bind(&tenant.id)
            .bind(kids)
    };
    app.change(set("[\"another\"]".to_owned())).await;
    app.view(&tenant, &opened).await.expect(401);
    app.end(&tenant, &opened).await.expect(401);
    let jwks = app.call(Call::get("/t/acme/.well-known/jwks.json")).await.expect(200);
    assert_eq!(jwks.json, json!({ "keys": [] }));
    // It was nothing else that was wrong.
    let kid = Forger::of(&app, &tenant).await.kid;
    app.change(set(json!([kid]).to_string())).await;
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn a_session_whose_row_is_gone_is_401_also_for_a_logout() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.end(&tenant, &opened).await.expect(200);
    let gone = Statement::new("delete from sessions where tenant_id = $1 and id = $2 returning id");
    app.change(gone.bind(&tenant.id).bind(opened.session.as_str())).await;
    app.view(&tenant, &opened).await.expect(401);
    app.end(&tenant, &opened).await.expect(401);
}

#[tokio::test]
async fn a_path_id_that_is_none_is_told_and_one_in_capitals_is_the_same() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let person = tenant.person(Family::Individual);
    let ask = |path: String| app.call(Call::get(path).tenant("acme").bearer(&opened.token));
    let path =
        |owner: &str, user: &str, session: &str| session_path(Family::Individual, owner, user, session);
    let upper =
        [person.customer.as_str(), person.id.as_str(), opened.session.as_str()].map(str::to_uppercase);
    ask(path(&upper[0], &upper[1], &upper[2])).await.expect(200);
    let long = "a".repeat(65);
    for (bad, field) in [
        (path(NIL, NIL, &long), "sessionId"),
        (path(NIL, &long, &opened.session), "userId"),
        (path(&long, NIL, &opened.session), "customerId"),
        (path(NIL, "a.b", &opened.session), "userId"),
        (path(NIL, "*", &opened.session), "userId"),
    ] {
        let answer = ask(bad).await.expect(400);
        assert_eq!(answer.error_type(), "VALIDATION");
        assert_eq!(answer.data()["errors"][0]["field"], field);
    }
    ask(path(NIL, NIL, NIL)).await.expect(404);
    ask(path(NIL, NIL, SessionId::at(app.clock.now()).as_str())).await.expect(404);
}

/// Every way of asking with a token that is not good: 401, and the session lives on.
async fn refused(app: &TestApp, tenant: &TestTenant, opened: &Opened, token: &str, what: &str) {
    for method in ["GET", "DELETE"] {
        let call = session_call(method, tenant, opened.family, &opened.session, token);
        let answer = app.call(call).await;
        assert_eq!(answer.status.as_u16(), 401, "{method} with {what}: {}", answer.text);
        assert_eq!(answer.error_type(), "TOKEN", "{what}");
    }
}

#[tokio::test]
async fn R072_a_claim_that_is_missing_or_of_another_type_is_refused_however_well_signed() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let forger = Forger::of(&app, &tenant).await;
    let good = claims(&opened.token);
    let copy = Opened { token: forger.token(&good), ..opened.clone() };
    app.view(&tenant, &copy).await.expect(200);
    assert_eq!(keys(&good).len(), 16);
    for name in keys(&good) {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(name);
        refused(&app, &tenant, &opened, &forger.token(&without), &format!("no {name}")).await;
        for other in [json!(null), json!(1.5), json!({}), json!([1]), json!(true), json!([["x"]])] {
            let mut retyped = good.clone();
            retyped[name] = other.clone();
            refused(&app, &tenant, &opened, &forger.token(&retyped), &format!("{name} {other}")).await;
        }
    }
    let text = good.to_string();
    let header = forger.header().to_string();
    let exp = good["exp"].to_string();
    for (odd, what) in [
        (text.replacen(&format!("\"exp\":{exp}"), &format!("\"exp\":\"{exp}\""), 1), "exp as text"),
        (text.replacen(&format!("\"exp\":{exp}"), "\"exp\":1e99", 1), "exp too large for a float"),
        (
            text.replacen(&format!("\"exp\":{exp}"), "\"exp\":99999999999999999999", 1),
            "exp too large for an integer",
        ),
        (text.replacen('{', "{\"exp\":9999999999,", 1), "exp twice"),
        (text.replacen('{', "{\"scope\":\"all\",", 1), "an unknown claim"),
        (format!("{text} {{}}"), "something after the claims"),
        (format!("[{text}]"), "an array of claims"),
    ] {
        assert_ne!(odd, text);
        refused(&app, &tenant, &opened, &forger.sign(&header, &odd), what).await;
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn R071_R073_what_is_not_an_access_token_is_not_taken_for_one() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let forger = Forger::of(&app, &tenant).await;
    let good = claims(&opened.token).to_string();
    let jwks = app.call(Call::get("/t/acme/.well-known/jwks.json")).await;
    for (name, value) in [
        ("typ", json!("secevent+jwt")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!("refresh+jwt")),
        ("typ", json!("jwt")),
        ("typ", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("kid", json!("' or 1=1 --")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("a\r\nb")),
        ("kid", json!("k".repeat(5_000))),
        ("kid", json!("")),
        ("crit", json!(["exp"])),
        ("jwk", jwks.json["keys"][0].clone()),
        ("jku", json!("https://id.example.test/t/acme/.well-known/jwks.json")),
        ("zip", json!("DEF")),
    ] {
        let mut header = forger.header();
        header[name] = value.clone();
        refused(&app, &tenant, &opened, &forger.sign(&header.to_string(), &good), &format!("{name} {value}"))
            .await;
    }
    let mut parts = opened.token.split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    for (token, what) in [
        (opened.refresh.clone(), "a refresh token"),
        (format!("{header}.{claims}."), "an empty signature"),
        (format!("{header}.{claims}"), "no signature"),
        (format!("{}=", opened.token), "padding"),
        (format!("{}.", opened.token), "a dot more"),
        (format!("{0}.{0}", opened.token), "two tokens"),
        (opened.token.replace('.', ","), "commas"),
        ("a".repeat(20_000), "20,000 letters"),
    ] {
        refused(&app, &tenant, &opened, &token, what).await;
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn R076_a_token_from_the_future_is_refused_beyond_ten_seconds() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let forger = Forger::of(&app, &tenant).await;
    let now = START.as_seconds();
    for (iat, exp, seen) in [
        (now, now + 1, 200),
        (now, now, 401),
        (now, now - 1, 401),
        (now - 61, now + 60, 200),
        (now + 10, now + 60, 200),
        (now + 11, now + 60, 401),
        (now + 61, now + 90, 401),
    ] {
        let mut changed = claims(&opened.token);
        (changed["iat"], changed["exp"]) = (json!(iat), json!(exp));
        let token = forger.token(&changed);
        let call = session_call("GET", &tenant, Family::Individual, &opened.session, &token);
        let answer = app.call(call).await;
        assert_eq!(answer.status.as_u16(), seen, "iat {} exp {}", iat - now, exp - now);
    }
    // What is not yet issued does not log out either.
    let mut changed = claims(&opened.token);
    changed["iat"] = json!(now + 11);
    let call = session_call("DELETE", &tenant, Family::Individual, &opened.session, &forger.token(&changed));
    app.call(call).await.expect(401);
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn R077_issuer_audience_and_subject_are_exact() {
    let (app, tenant) = start().await;
    app.tenant("globex").await;
    let opened = app.open(&tenant, Family::Individual).await;
    let forger = Forger::of(&app, &tenant).await;
    let good = claims(&opened.token);
    let issuer = good["iss"].as_str().unwrap().to_owned();
    assert_eq!(issuer, "https://id.example.test/t/acme");
    let others = [
        json!("https://id.example.test/t/globex"),
        json!("https://id.example.test/t/acme/"),
        json!("https://id.example.test/t/acm"),
        json!("https://id.example.test/t/ACME"),
        json!("http://id.example.test/t/acme"),
        json!("https://id.example.test"),
        json!(""),
        json!([issuer]),
        json!([]),
        json!([issuer, "other"]),
    ];
    for name in ["iss", "aud"] {
        for other in &others {
            let mut changed = good.clone();
            changed[name] = other.clone();
            refused(&app, &tenant, &opened, &forger.token(&changed), &format!("{name} {other}")).await;
        }
    }
    let users = app.another(&tenant, Family::Individual, "second@example.test").await;
    for (name, other) in [
        ("sub", users.id.as_str()),
        ("sub", ""),
        ("sid", ""),
        ("sid", "absent"),
        ("tenantId", "absent"),
        ("tenantId", NIL),
        ("tenantId", tenant.slug.as_str()),
    ] {
        let mut changed = good.clone();
        changed[name] = json!(other);
        refused(&app, &tenant, &opened, &forger.token(&changed), &format!("{name} {other}")).await;
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn R077_a_tenants_own_audience_is_the_one_that_counts() {
    let app = TestApp::start().await;
    let settings = Settings { audience: Some("bff-clients".to_owned()), ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let opened = app.open(&tenant, Family::Individual).await;
    assert_eq!(claims(&opened.token)["aud"], "bff-clients");
    app.view(&tenant, &opened).await.expect(200);
    let mut changed = claims(&opened.token);
    changed["aud"] = changed["iss"].clone();
    let token = Forger::of(&app, &tenant).await.token(&changed);
    refused(&app, &tenant, &opened, &token, "the issuer as audience").await;
}

#[tokio::test]
async fn R079_the_other_spelling_of_a_signature_does_not_bring_an_ended_session_back() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let other = Opened { token: malleated(&opened.token), ..opened.clone() };
    assert_ne!(other.token, opened.token);
    // ECDSA has two signatures for one; both are the same token for us, alive and dead.
    app.view(&tenant, &other).await.expect(200);
    app.end(&tenant, &opened).await.expect(200);
    app.view(&tenant, &other).await.expect(401);
    app.view(&tenant, &opened).await.expect(401);
}

#[tokio::test]
async fn R127_two_authorizations_or_two_tenants_are_a_bad_request() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    for method in ["GET", "DELETE"] {
        let call = || session_call(method, &tenant, Family::Individual, &opened.session, &opened.token);
        for doubled in [
            call().bearer(&opened.token),
            call().bearer("other"),
            call().and("authorization", "Basic YTpi"),
            call().tenant("acme"),
            call().tenant("globex"),
            call().and("x_tenant_id", "globex"),
            call().and("connection", "close, Authorization"),
            call().and("connection", "x-tenant-id"),
        ] {
            let answer = app.call(doubled).await.expect(400);
            assert_eq!(answer.error_type(), "MALFORMED_REQUEST");
        }
        // Another scheme is no bearer.
        let path = session_path(Family::Individual, NIL, NIL, &opened.session);
        for value in ["Basic YTpi", "Bearer", "Bearer ", "", "Token x", &opened.token, "DPoP x"] {
            let call = Call::new(method, &path).tenant("acme").and("authorization", value);
            app.call(call).await.expect(401);
        }
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn a_logout_that_was_answered_is_written_whatever_had_ended_the_session() {
    let (app, tenant) = start().await;
    let person = tenant.person(Family::Individual);
    let opened = app.open(&tenant, Family::Individual).await;
    // A status set by other hands than ours, which says nothing of sessions.
    let set = |status: &str| format!("update users set status = '{status}' where id = '{}'", person.id);
    app.script(&set("suspended")).await;
    let ended = app.end(&tenant, &opened).await.expect(200);
    assert_eq!(ended.field("endReason"), "user_disabled");
    app.clock.advance(5_000);
    assert_eq!(app.end(&tenant, &opened).await.expect(200).text, ended.text);
    app.script(&set("active")).await;
    app.view(&tenant, &opened).await.expect(401);
}

#[tokio::test]
async fn lines_of_x_forwarded_for_are_joined_from_a_trusted_proxy_and_refused_from_others() {
    use crate::support::app::{TestApp, Wanted};
    for (trusted, status) in [(vec!["127.0.0.1"], 200), (Vec::new(), 400)] {
        let app = TestApp::start_with(Wanted { trusted_proxies: trusted, ..Wanted::default() }).await;
        let tenant = app.tenant("acme").await;
        let mut call = tenant.login(Family::Individual).header("x-forwarded-for", "10.9.9.9");
        call.headers.push(("x-forwarded-for".to_owned(), b"198.51.100.7".to_vec()));
        let answer = app.send(call.request()).await.expect(status);
        if status == 200 {
            assert_eq!(answer.data()["sessionMetadata"]["clientIp"], "198.51.100.7");
        }
    }
}
