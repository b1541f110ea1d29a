//! What a view and a logout answer, and what they need to be asked.

use serde_json::{Value, json};
use vestibule::ids::SessionId;
use vestibule::tenants::{self, Family};

use super::start;
use crate::support::app::{NIL, START};
use crate::support::calls::{Call, session_call, session_path};

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
            "lastClientIp": null, "lastRefreshedAt": null,
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
