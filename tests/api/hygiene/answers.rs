//! What every answer has: the envelope, its headers, its id; and what none has.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::routing::get;
use vestibule::app::App;
use vestibule::flows::summarise_refusals;
use vestibule::http::query::QueryNames;
use vestibule::ids::system_tenant;
use vestibule::server::through_middleware;
use vestibule::tenants::Family;

use super::{in_the_envelope, nothing_inner, one_of_each, start};
use crate::support::app::{NIL, TestApp};
use crate::support::calls::{Call, session_path};

#[tokio::test]
async fn R122_R123_every_kind_of_answer_has_its_headers_and_tells_nothing_inner() {
    let (app, tenant) = start().await;
    for (what, status, call) in one_of_each(&app, &tenant).await {
        let answer = app.call(call).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000", "{what}");
        if status >= 400 {
            in_the_envelope(&answer, what);
            continue;
        }
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{what}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"), "{what}");
        assert!(answer.headers.contains_key("x-request-id"), "{what}");
        assert!(!answer.headers.contains_key("set-cookie"), "{what}");
        if status == 200 {
            let kind = answer.headers["content-type"].to_str().unwrap();
            match what {
                "a login" | "a session" | "health" | "readiness" => {
                    assert_eq!(kind, "application/json; charset=utf-8", "{what}");
                    assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
                    assert!(answer.text.starts_with(r#"{"code":200,"data":{"#), "{what}");
                    // Base64 could spell any word.
                    if what != "a login" {
                        nothing_inner(&answer, what);
                    }
                }
                "keys" | "metadata" | "metadata too" => {
                    assert_eq!(kind, "application/json", "{what}");
                    assert_eq!(answer.headers["cache-control"], "public, max-age=300", "{what}");
                }
                "the document" => assert_eq!(kind, "application/json", "{what}"),
                "the page" => assert_eq!(kind, "text/html", "{what}"),
                other => panic!("what should {other} have?"),
            }
        }
    }
}

#[tokio::test]
async fn R122_where_the_world_does_not_reach_us_by_TLS_no_answer_asks_for_it() {
    let (app, tenant) = start().await;
    let calls = one_of_each(&app, &tenant).await;
    let TestApp { app, router, clock, database } = app;
    drop(router);
    let mut app = Arc::into_inner(app).expect("nobody else holds the app");
    app.options.https = false;
    let app = Arc::new(app);
    let app = TestApp { router: vestibule::server::public_router(&app), app, clock, database };
    for (what, _, call) in calls {
        let answer = app.call(call).await;
        assert!(!answer.headers.contains_key("strict-transport-security"), "{what}");
    }
}

#[tokio::test]
async fn a_requests_id_is_honoured_and_garbage_is_replaced() {
    let (app, _) = start().await;
    for path in ["/healthz", "/nothing"] {
        for id in ["abc-123", "0b8c7e1e-6f0e-4f5d-9d2a-3f6c1f0f9a11", "a.b:c_d", "x", &"y".repeat(128)] {
            let answer = app.call(Call::get(path).and("x-request-id", id)).await;
            assert_eq!(answer.headers["x-request-id"], id);
        }
        for id in ["", " ", "a b", "a\tb", "<script>", "é", "\u{202e}", "a\"b", "{}", "a,b", &"y".repeat(129)]
        {
            let answer = app.call(Call::get(path).and("x-request-id", id)).await;
            let ours = answer.headers["x-request-id"].to_str().unwrap();
            assert!(uuid::Uuid::parse_str(ours).is_ok(), "{id:?} gave {ours}");
        }
        let answer = app.call(Call::get(path).and("x-request-id", b"\xff\xfe")).await;
        assert!(uuid::Uuid::parse_str(answer.headers["x-request-id"].to_str().unwrap()).is_ok());
        // No two requests without an id share one.
        let [one, two] = [app.call(Call::get(path)).await, app.call(Call::get(path)).await];
        assert_ne!(one.headers["x-request-id"], two.headers["x-request-id"]);
    }
    let answer = app.call(Call::get("/nothing").and("x-request-id", "abc-123")).await;
    assert_eq!(answer.field("requestId"), "abc-123");
}

#[tokio::test]
async fn a_correlation_id_is_returned_and_recorded() {
    let (app, tenant) = start().await;
    for path in ["/healthz", "/nothing"] {
        let answer = app.call(Call::get(path).and("x-correlation-id", "flow-7")).await;
        assert_eq!(answer.headers["x-correlation-id"], "flow-7");
        for bad in ["", "a b", "é"] {
            let answer = app.call(Call::get(path).and("x-correlation-id", bad)).await;
            assert!(!answer.headers.contains_key("x-correlation-id"), "{bad:?}");
        }
        assert!(!app.call(Call::get(path)).await.headers.contains_key("x-correlation-id"));
    }
    let call = tenant.login(Family::Individual).header("x-correlation-id", "flow-8");
    let opened = app.send(call.header("x-request-id", "request-9").request()).await.expect(200);
    assert_eq!(opened.headers["x-correlation-id"], "flow-8");
    assert_eq!(
        app.number_of("events where request_id = 'request-9' and name = 'authn_login_success'").await,
        1
    );
}

#[tokio::test]
async fn R158_a_panic_in_a_handler_is_one_500_in_the_envelope() {
    let (app, _) = start().await;
    let routes: Router<Arc<App>> = Router::new()
        .route("/words", get(|| async { panic!("the secret is 42 in src/http.rs:7") as () }))
        .route("/number", get(|| async { std::panic::panic_any(7_u8) as () }))
        .route("/fine", get(|| async { "fine" }));
    let behind = through_middleware(routes, &app.app, QueryNames::default());
    let app = TestApp { router: behind, ..app };
    for path in ["/words", "/number", "/words"] {
        let answer = app.call(Call::get(path).and("x-request-id", "it-was-this")).await.expect(500);
        in_the_envelope(&answer, path);
        assert_eq!(answer.error_type(), "INTERNAL");
        assert_eq!(answer.field("requestId"), "it-was-this");
        assert!(!answer.text.contains("42"));
        app.call(Call::get("/fine")).await.expect(200);
    }
}

/// A host that no configuration knows.
const EVIL: &str = "evil.example.test";

#[tokio::test]
async fn R132_no_output_holds_a_host_that_the_request_made_up() {
    let (app, tenant) = start().await;
    for (what, status, mut call) in one_of_each(&app, &tenant).await {
        for name in ["host", "x-forwarded-host", "x-original-url", "x-rewrite-url", "x-forwarded-server"] {
            call = call.and(name, EVIL);
        }
        call =
            call.and("x-forwarded-proto", "gopher").and("forwarded", "host=evil.example.test;proto=gopher");
        call = call.and("x-forwarded-prefix", "/evil.example.test").and("x-forwarded-port", "6666");
        let answer = app.call(call).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        let headers = format!("{:?}", answer.headers);
        for word in [EVIL, "gopher"] {
            assert!(!answer.text.contains(word) && !headers.contains(word), "{what}: {word}");
        }
        if let Some(token) = answer.data()["token"].as_str() {
            let claims = crate::support::forge::claims(token);
            assert_eq!(claims["iss"], "https://id.example.test/t/acme");
            assert_eq!(claims["aud"], "https://id.example.test/t/acme");
        }
    }
    // Absolute-form targets name a host as well (RFC 9112 §3.2.2).
    let answer = app.call(Call::get(format!("http://{EVIL}/t/acme/.well-known/openid-configuration"))).await;
    assert_eq!(answer.expect(200).json["issuer"], "https://id.example.test/t/acme");
    let events = vestibule::db::Statement::new("select details, personal, request_id from events");
    for row in app.database.list(events).await.unwrap() {
        assert!(!format!("{row:?}").contains(EVIL));
    }
}

#[tokio::test]
async fn what_was_refused_leaves_one_summary_a_minute_and_no_other_event() {
    let (app, tenant) = start().await;
    let path = session_path(Family::Individual, NIL, NIL, "x");
    summarise_refusals(&app.app).await.unwrap();
    let before = app.events_named(system_tenant().as_str(), "input_refusals_summary").await.len();
    assert_eq!(before, 0, "nothing was refused");
    let count = app.number_of("events").await;
    for _ in 0..3 {
        app.call(Call::get(format!("{path}?token=x"))).await.expect(400);
    }
    app.send(tenant.login(Family::Individual).raw("{").request()).await.expect(400);
    app.send(tenant.login(Family::Individual).without("platform").request()).await.expect(400);
    app.send(tenant.login(Family::Individual).header("content-type", "text/plain").request())
        .await
        .expect(415);
    app.send(tenant.login(Family::Individual).raw(vec![b' '; 20_000]).request()).await.expect(413);
    app.send(tenant.login(Family::Individual).set("tenantKey", "wrong").request()).await.expect(403);
    app.send(tenant.login(Family::Individual).header("x-tenant-id", "nobody").request()).await.expect(403);
    // Neither of these is worth counting.
    app.call(Call::get("/nothing")).await.expect(404);
    app.call(Call::get(&path).tenant("acme")).await.expect(401);
    assert_eq!(app.number_of("events").await, count, "a refusal by itself writes nothing");
    assert_eq!(app.app.refusals.malformed.load(Ordering::Relaxed), 7);

    summarise_refusals(&app.app).await.unwrap();
    let events = app.events_named(system_tenant().as_str(), "input_refusals_summary").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("actor_kind").unwrap(), "system");
    let details: serde_json::Value = serde_json::from_str(&events[0].text("details").unwrap()).unwrap();
    assert_eq!(details, serde_json::json!({ "malformed": 7, "tenant": 2, "limited": 0, "unavailable": 0 }));
    // A quiet minute has none.
    summarise_refusals(&app.app).await.unwrap();
    assert_eq!(app.number_of("events").await, count + 1);
}

#[tokio::test]
async fn a_summary_that_could_not_be_written_goes_into_the_next() {
    let (app, _) = start().await;
    app.call(Call::get(format!("{}?x", session_path(Family::Admin, NIL, NIL, "x")))).await.expect(400);
    app.database.close().await;
    summarise_refusals(&app.app).await.unwrap_err();
    assert_eq!(app.app.refusals.malformed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_a_database_calls_are_503_with_retry_after_in_the_envelope() {
    let (app, tenant) = start().await;
    let calls = one_of_each(&app, &tenant).await;
    app.database.close().await;
    let mut away = 0;
    let mut seen = Vec::new();
    for (what, _, call) in calls {
        let answer = app.call(call).await;
        seen.push((what, answer.status.as_u16()));
        if answer.status.as_u16() >= 400 {
            in_the_envelope(&answer, what);
        }
        if answer.status.as_u16() == 503 {
            away += 1;
            assert_eq!(answer.error_type(), "UNAVAILABLE", "{what}");
            assert_eq!(answer.headers["retry-after"], "2", "{what}");
        }
    }
    assert!(away >= 8, "{away}: {seen:?}");
    app.call(Call::get("/healthz")).await.expect(200);
}
