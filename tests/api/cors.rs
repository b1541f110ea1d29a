//! Cross-origin calls (R124): none until a tenant lists exactly that origin, and then only that tenant's.

use vestibule::tenants::{self, Family};

use crate::support::app::{Answer, LoginCall, NIL, START, TestApp, TestTenant};
use crate::support::calls::{Call, session_call, session_path};

const APP: &str = "https://app.example.test";
const ALLOW: &str = "access-control-allow-origin";

async fn start() -> (TestApp, TestTenant, TestTenant) {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    list(&app, &acme, APP).await;
    (app, acme, globex)
}

async fn list(app: &TestApp, tenant: &TestTenant, origin: &str) {
    app.database.apply(tenants::store::insert_origin(&tenant.id, origin)).await.unwrap();
}

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    let path = session_path(Family::Individual, NIL, NIL, "x");
    let call = Call::new("OPTIONS", path).and("origin", origin);
    let call = call.and("access-control-request-method", "DELETE");
    app.call(call.and("access-control-request-headers", "authorization,x-tenant-id")).await.expect(204)
}

#[track_caller]
fn allowed(answer: &Answer, origin: &str) {
    assert_eq!(answer.headers[ALLOW], origin, "{}", answer.text);
    assert_eq!(answer.headers["vary"], "Origin");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    assert_eq!(answer.headers.get_all(ALLOW).iter().count(), 1);
}

#[track_caller]
fn not_allowed(answer: &Answer) {
    let cors: Vec<_> =
        answer.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
    assert!(cors.is_empty(), "{cors:?}");
}

fn from(call: LoginCall, origin: &str) -> LoginCall {
    call.header("origin", origin)
}

/// What is not `APP`, however like it.
const OTHERS: [&str; 18] = [
    "null",
    "",
    "*",
    "https://app.example.test/",
    "https://app.example.test:443",
    "https://app.example.test:8443",
    "http://app.example.test",
    "https://APP.example.test",
    "HTTPS://app.example.test",
    "https://app.example.test.evil.test",
    "https://evil-app.example.test",
    "https://evil.test/?https://app.example.test",
    "https://evil.test#https://app.example.test",
    "https://app.example.tes",
    "https://app_example.test",
    "https://sub.app.example.test",
    "https://app.example.test https://evil.test",
    "file://",
];

#[tokio::test]
async fn R124_no_origin_is_allowed_by_default() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for origin in [APP, "null", "https://other.test"] {
        not_allowed(&preflight(&app, origin).await);
        let answer = app.send(from(tenant.login(Family::Individual), origin).request()).await.expect(403);
        assert_eq!(answer.error_type(), "TENANT");
        not_allowed(&answer);
    }
    // Without an origin it is no browser's web app.
    let answer = app.login(&tenant, Family::Individual).await.expect(200);
    not_allowed(&answer);
    assert!(!answer.headers.contains_key("vary"));
}

#[tokio::test]
async fn R124_a_preflight_is_allowed_for_exactly_what_an_active_tenant_lists() {
    let (app, acme, globex) = start().await;
    let answer = preflight(&app, APP).await;
    allowed(&answer, APP);
    let methods = answer.headers["access-control-allow-methods"].to_str().unwrap();
    for method in ["GET", "POST", "PUT", "DELETE"] {
        assert!(methods.split(", ").any(|allowed| allowed == method), "{methods}");
    }
    let headers = answer.headers["access-control-allow-headers"].to_str().unwrap();
    for name in [
        "authorization",
        "content-type",
        "x-tenant-id",
        "x-forwarded-for",
        "x-forwarded-from",
        "platform",
        "deviceid",
        "x-device-id",
        "device-id",
        "x-request-id",
        "x-correlation-id",
    ] {
        assert!(headers.split(", ").any(|allowed| allowed == name), "{name} in {headers}");
    }
    assert!(!headers.contains('*') && !methods.contains('*'));
    assert!(answer.text.is_empty());
    for other in OTHERS {
        not_allowed(&preflight(&app, other).await);
    }
    // Two tenants may list it; it is allowed while one of them is active.
    list(&app, &globex, APP).await;
    app.change(tenants::store::suspend(&acme.id, START)).await;
    allowed(&preflight(&app, APP).await, APP);
    app.change(tenants::store::suspend(&globex.id, START)).await;
    not_allowed(&preflight(&app, APP).await);
    // Our own origin always is.
    allowed(&preflight(&app, "https://id.example.test").await, "https://id.example.test");
}

#[tokio::test]
async fn R124_OPTIONS_that_is_no_preflight_is_an_ordinary_method() {
    let (app, ..) = start().await;
    let path = session_path(Family::Individual, NIL, NIL, "x");
    app.call(Call::new("OPTIONS", &path)).await.expect(405);
    not_allowed(&app.call(Call::new("OPTIONS", &path).and("origin", APP)).await.expect(405));
    let call = Call::new("OPTIONS", &path).and("access-control-request-method", "GET");
    not_allowed(&app.call(call).await.expect(405));
    // Two origins are none.
    let call = Call::new("OPTIONS", &path).and("origin", APP).and("origin", "https://evil.test");
    let answer = app.call(call.and("access-control-request-method", "GET")).await;
    assert_ne!(answer.headers.get(ALLOW).map(|value| value.to_str().unwrap()), Some("https://evil.test"));
}

#[tokio::test]
async fn R124_a_login_is_allowed_where_its_own_tenant_lists_the_origin() {
    let (app, acme, globex) = start().await;
    for family in Family::ALL {
        let answer = app.send(from(acme.login(family), APP).request()).await.expect(200);
        allowed(&answer, APP);
        assert!(answer.headers["access-control-expose-headers"].to_str().unwrap().contains("X-Request-ID"));
        // The preflight could not know the tenant; the call does.
        let answer = app.send(from(globex.login(family), APP).request()).await.expect(403);
        assert_eq!(answer.error_type(), "TENANT");
        not_allowed(&answer);
        let ours = "https://id.example.test";
        allowed(&app.send(from(globex.login(family), ours).request()).await.expect(200), ours);
    }
    for other in OTHERS {
        let answer = app.send(from(acme.login(Family::Individual), other).request()).await.expect(403);
        not_allowed(&answer);
    }
}

#[tokio::test]
async fn R124_an_error_after_the_tenant_is_known_can_be_read_by_the_web_app() {
    let (app, acme, _) = start().await;
    let wrong = from(acme.login(Family::Individual).set("password", "wrong"), APP);
    let answer = app.send(wrong.request()).await.expect(401);
    allowed(&answer, APP);
    assert_eq!(answer.error_type(), "AUTHENTICATION");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    // Before it is known there is nobody to allow anything.
    not_allowed(&app.send(from(acme.login(Family::Individual).raw("{"), APP).request()).await.expect(400));
    let unknown = from(acme.login(Family::Individual).set("tenantKey", "wrong"), APP);
    not_allowed(&app.send(unknown.request()).await.expect(403));

    let opened = app.open(&acme, Family::Individual).await;
    let call = |method: &str, session: &str| {
        session_call(method, &acme, Family::Individual, session, &opened.token).and("origin", APP)
    };
    allowed(&app.call(call("GET", &opened.session)).await.expect(200), APP);
    allowed(&app.call(call("GET", "nothing")).await.expect(404), APP);
    allowed(&app.call(call("DELETE", "nothing")).await.expect(404), APP);
    allowed(&app.call(call("DELETE", &opened.session)).await.expect(200), APP);
    allowed(&app.call(call("GET", &opened.session)).await.expect(401), APP);
}

#[tokio::test]
async fn R124_a_foreign_origin_is_refused_before_any_hash_or_write() {
    let (app, acme, globex) = start().await;
    let opened = app.open(&globex, Family::Individual).await;
    let tables = ["events", "sessions", "attempts", "throttles where failures > 0"];
    let mut before = Vec::new();
    for table in tables {
        before.push(app.number_of(table).await);
    }
    let hashes = app.app.passwords.evaluations();
    for origin in ["https://evil.test", APP, "null"] {
        let login = globex.login(Family::Individual);
        let mut bodies = Vec::new();
        for call in
            [login.clone(), login.clone().set("password", "wrong"), login.named("nobody@example.test")]
        {
            bodies.push(app.send(from(call, origin).request()).await.expect(403).without_request_id());
        }
        for method in ["GET", "DELETE"] {
            let call = session_call(method, &globex, Family::Individual, &opened.session, &opened.token);
            let answer = app.call(call.and("origin", origin)).await.expect(403);
            not_allowed(&answer);
            bodies.push(answer.without_request_id());
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "one 403 for all");
    }
    assert_eq!(app.app.passwords.evaluations(), hashes);
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(app.number_of(table).await, before, "{table}");
    }
    app.view(&globex, &opened).await.expect(200);
    drop(acme);
}

#[tokio::test]
async fn R124_what_everybody_may_read_is_not_touched_by_an_origin() {
    let (app, ..) = start().await;
    for path in [
        "/t/acme/.well-known/jwks.json",
        "/t/acme/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server/t/acme",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ] {
        let plain = app.call(Call::get(path)).await.expect(200);
        for origin in [APP, "https://evil.test", "null"] {
            let answer = app.call(Call::get(path).and("origin", origin)).await.expect(200);
            assert_eq!(answer.text, plain.text, "{path}");
            assert_ne!(answer.headers.get(ALLOW).map(|value| value.to_str().unwrap()), Some("*"));
            not_allowed(&answer);
        }
    }
}

#[tokio::test]
async fn R124_a_backend_key_in_a_foreign_web_app_opens_nothing() {
    let (app, acme, globex) = start().await;
    for path in ["/api/v2.1/events", "/api/v2.1/admin/users"] {
        let call = |tenant, origin| Call::get(path).backend(tenant).and("origin", origin);
        allowed(&app.call(call(&acme, APP)).await.expect(200), APP);
        for (tenant, origins) in [(&acme, OTHERS.as_slice()), (&globex, &[APP, "https://evil.test", "null"])]
        {
            for origin in origins {
                let answer = app.call(call(tenant, origin)).await.expect(403);
                assert_eq!(answer.error_type(), "TENANT", "{origin}");
                not_allowed(&answer);
            }
        }
        app.call(Call::get(path).backend(&globex)).await.expect(200);
    }
}
