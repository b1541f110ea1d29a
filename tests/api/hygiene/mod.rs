//! What no request may do, whatever it is about: bodies, headers, methods, paths, answers.

mod answers;
mod bodies;
mod http2;
mod panics;
mod paths;
mod slow;
mod sockets;

use serde_json::Value;
use vestibule::error::Error;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, session_path};

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}

/// The words that `data.errorType` may be.
fn error_types() -> Vec<(u16, &'static str)> {
    Error::catalogue().iter().map(|(error, _)| error.parts()).collect()
}

/// An error in the envelope, with a word of the catalogue, its request's id, and nothing inner.
#[track_caller]
fn in_the_envelope(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    assert_eq!(answer.json["code"], status, "{what}: {}", answer.text);
    let names: Vec<_> = answer.json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names.len(), 3, "{what}: {names:?}");
    let order = ["{\"code\":", ",\"data\":{", "},\"message\":\""].map(|part| answer.text.find(part));
    assert!(order.is_sorted() && order[0] == Some(0), "{what}: {}", answer.text);
    assert!(answer.json["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}");
    assert_eq!(answer.data()["success"], Value::Bool(false), "{what}");
    assert!(error_types().contains(&(status, answer.error_type())), "{what}: {}", answer.text);
    assert_eq!(answer.field("requestId"), answer.headers["x-request-id"], "{what}");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8", "{what}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{what}");
    assert!(status != 405 || answer.headers.contains_key("allow"), "{what}");
    assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{what}");
    nothing_inner(answer, what);
}

/// An error as the OAuth RFCs have it (RFC 6749 §5.2), and nothing inner.
#[track_caller]
fn in_the_rfcs_format(answer: &Answer, what: &str) {
    let status = answer.status.as_u16();
    let names: Vec<_> = answer.json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["error", "error_description"], "{what}: {}", answer.text);
    assert!(answer.headers.contains_key("x-request-id"), "{what}");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8", "{what}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
    assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{what}");
    assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{what}");
    nothing_inner(answer, what);
}

/// Nothing that only a developer should see (R123).
#[track_caller]
fn nothing_inner(answer: &Answer, what: &str) {
    let text = answer.text.to_lowercase();
    for word in [
        "panicked",
        "backtrace",
        ".rs:",
        "src/",
        "sqlite",
        "postgres",
        "select ",
        "insert ",
        "sqlstate",
        "/home/",
        "/tmp/",
        "tokio",
        "axum",
        "serde",
        "$argon2",
        "anyhow",
        "unwrap",
        "rusqlite",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(!text.contains(word), "{what}: {word} in {}", answer.text);
    }
    for name in ["server", "x-powered-by", "via"] {
        assert!(!answer.headers.contains_key(name), "{what}: {name}");
    }
}

/// One call for each kind of refusal and answer, with what it should answer.
async fn one_of_each(app: &TestApp, tenant: &TestTenant) -> Vec<(&'static str, u16, Call)> {
    let opened = app.open(tenant, Family::Individual).await;
    let login = |change: fn(Call) -> Call| {
        let call = tenant.login(Family::Individual);
        let headers = call.headers.clone();
        let call = Call { headers, ..Call::new("POST", call.path.clone()).body(call.body.to_string()) };
        change(call)
    };
    let without = |mut call: Call, name: &str| {
        call.headers.retain(|(other, _)| other != name);
        call
    };
    let path = session_path(Family::Individual, NIL, NIL, &opened.session);
    let nobody = tenant.login(Family::Individual).named("nobody@example.test").set("tenantKey", "wrong");
    vec![
        ("a login", 200, login(|call| call)),
        ("a session", 200, Call::get(&path).tenant("acme").bearer(&opened.token)),
        ("health", 200, Call::get("/healthz")),
        ("readiness", 200, Call::get("/readyz")),
        ("keys", 200, Call::get("/t/acme/.well-known/jwks.json")),
        ("metadata", 200, Call::get("/.well-known/oauth-authorization-server/t/acme")),
        ("metadata too", 200, Call::get("/t/acme/.well-known/openid-configuration")),
        ("the document", 200, Call::get("/openapi.json")),
        ("the page", 200, Call::get("/docs/index.html")),
        ("the page's address", 308, Call::get("/docs")),
        ("a preflight", 204, {
            let call = Call::new("OPTIONS", &path).and("origin", "https://app.example.test");
            call.and("access-control-request-method", "GET")
        }),
        ("missing headers", 400, without(login(|call| call), "deviceid")),
        ("broken JSON", 400, login(|call| call.body("{"))),
        ("nothing to log in with", 400, login(|call| call.body("{}"))),
        ("a query", 400, Call::get(format!("{path}?access_token=x"))),
        ("no token", 401, Call::get(&path).tenant("acme")),
        ("a bad token", 401, Call::get(&path).tenant("acme").bearer("x")),
        ("a wrong password", 401, {
            let call = tenant.login(Family::Individual).set("password", "wrong");
            Call { headers: call.headers.clone(), ..Call::new("POST", call.path.clone()) }
                .body(call.body.to_string())
        }),
        ("an unknown tenant", 403, Call::get(&path).tenant("nobody").bearer(&opened.token)),
        ("a wrong key", 403, {
            Call { headers: nobody.headers.clone(), ..Call::new("POST", nobody.path.clone()) }
                .body(nobody.body.to_string())
        }),
        ("an unknown route", 404, Call::get("/nothing/here")),
        ("an unknown session", 404, {
            let path = session_path(Family::Individual, NIL, NIL, "nothing");
            Call::get(path).tenant("acme").bearer(&opened.token)
        }),
        ("an unknown issuer", 404, Call::get("/t/nobody/.well-known/jwks.json")),
        ("an unknown asset", 404, Call::get("/docs/nothing.js")),
        ("a wrong method", 405, Call::new("PATCH", &path)),
        ("a large body", 413, login(|call| call.body(vec![b' '; 16 * 1024 + 1]))),
        ("another media type", 415, {
            without(login(|call| call), "content-type").and("content-type", "text/plain")
        }),
    ]
}
