//! Methods and paths: what is listed is answered, all else is refused by name.

use std::collections::BTreeMap;

use vestibule::tenants::Family;

use super::{in_the_envelope, in_the_rfcs_format, start};
use crate::support::app::{NIL, prefix};
use crate::support::calls::{Call, session_path};

/// Each route with its methods, from the OpenAPI document, its parameters filled in.
fn routes() -> BTreeMap<String, Vec<String>> {
    let document = serde_json::to_value(vestibule::server::openapi()).unwrap();
    let fill = |path: &str| {
        path.replace("{slug}", "acme")
            .replace("{sessionId}", "019cf818-6d1e-7c3e-9b1a-5d0f6f1e2a3b")
            .replace("{customerId}", NIL)
            .replace("{organizationId}", NIL)
            .replace("{userId}", NIL)
    };
    let mut routes = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = ["get", "put", "post", "delete", "patch", "head", "options", "trace"];
        let methods = methods.into_iter().filter(|name| item[*name].is_object());
        routes.insert(fill(path), methods.map(str::to_uppercase).collect());
    }
    routes
}

#[tokio::test]
async fn R118_a_method_that_a_route_does_not_have_is_405_with_those_it_has() {
    let (app, _) = start().await;
    let mut routes = routes();
    assert!(routes.len() >= 19, "the routes were not found");
    for page in ["/openapi.json", "/docs/index.html"] {
        routes.insert(page.to_owned(), vec!["GET".to_owned()]);
    }
    let methods = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get",
        "GETX",
    ];
    for (path, listed) in routes {
        for method in methods {
            let has = |name: &str| listed.iter().any(|listed| listed == name);
            // HEAD is GET without a body (RFC 9110 §9.3.2).
            if has(method) || (method == "HEAD" && has("GET")) {
                continue;
            }
            // An X-HTTP-Method-Override changes nothing.
            let call =
                |path: &str| Call::new(method, path).and("x-http-method-override", "GET").tenant("acme");
            let answer = app.call(call(&path)).await;
            assert_eq!(answer.status.as_u16(), 405, "{method} {path}: {}", answer.text);
            if path.starts_with("/api/") {
                app.call(call(&format!("{path}?limit=1"))).await.expect(405);
            }
            let allow = answer.headers["allow"].to_str().unwrap();
            for name in &listed {
                assert!(allow.split(',').any(|allowed| allowed.trim() == name), "{method} {path}: {allow}");
            }
            assert!(!allow.contains("TRACE") && !allow.contains("CONNECT"), "{allow}");
            assert_eq!(answer.headers.get_all("allow").iter().count(), 1);
            if method == "HEAD" {
                continue;
            }
            if path.starts_with("/oauth2/") {
                in_the_rfcs_format(&answer, &format!("{method} {path}"));
                assert_eq!(answer.error_type(), "invalid_request");
            } else {
                in_the_envelope(&answer, &format!("{method} {path}"));
                assert_eq!(answer.error_type(), "METHOD_NOT_ALLOWED");
            }
        }
    }
}

#[tokio::test]
async fn a_head_takes_the_query_that_its_get_takes() {
    let (app, tenant) = start().await;
    for (query, status) in [("?limit=1", 200), ("?limits=1", 400)] {
        let path = format!("/api/v2.1/admin/customers{query}");
        app.call(Call::new("HEAD", &path).backend(&tenant)).await.expect(status);
    }
}

#[tokio::test]
async fn R128_a_path_that_is_not_exactly_a_route_is_404_and_never_another_route() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let path = session_path(Family::Individual, NIL, NIL, &opened.session);
    let session = opened.session.as_str();
    let base = format!("{}/users/{NIL}/sessions", prefix(Family::Individual, NIL));
    let first = &session[..1];
    let escaped = format!("%{:02x}{}", first.as_bytes()[0], &session[1..]);
    for odd in [
        format!("{path}/"),
        format!("{path}//"),
        format!("{path}/x.css"),
        format!("{path};x=1"),
        format!("{path};.css"),
        format!("{path}%2f"),
        format!("{path}%2e"),
        format!("{path}%00"),
        format!("{path}%0a"),
        format!("{path}%20"),
        format!("{path}%3fx"),
        format!("{base}/{escaped}"),
        format!("{base}//{session}"),
        format!("{base}/./{session}"),
        format!("{base}/x/../{session}"),
        format!("{base}/%2e%2e/sessions/{session}"),
        format!("{base}%2f{session}"),
        format!("{base}\\{session}"),
        format!("/{path}"),
        format!("//{path}"),
        format!("/./{}", &path[1..]),
        format!("/x/..{path}"),
        path.replace("/api/", "/API/"),
        path.replace("/api/", "/api//"),
        path.replace("/sessions/", "/Sessions/"),
        path.replace("/v2.1/", "/v2.1;/"),
        path.replace("/v2.1/", "/v2/"),
        path.replace("/v2.1/", "/v2%2e1/"),
        path.replace("/customer/", "/customers/"),
        path.replace("/individual/", "/individual/../individual/"),
        path.replace("/users/", "/users%2f"),
        format!("{path}.json"),
        "/api".to_owned(),
        "/api/".to_owned(),
        "/healthz/".to_owned(),
        "/healthz;x".to_owned(),
        "/HEALTHZ".to_owned(),
        "/healthz%2f".to_owned(),
        "/x/../healthz".to_owned(),
        "/t/acme/.well-known/jwks.json/".to_owned(),
        "/t//acme/.well-known/jwks.json".to_owned(),
        "/t/acme%2f.well-known/jwks.json".to_owned(),
        "/t/acme/.well-known/jwks.json;x".to_owned(),
        "/t/acme;x/.well-known/jwks.json".to_owned(),
        "/t/%61cme/.well-known/jwks.json".to_owned(),
        "/t/acme/%2ewell-known/jwks.json".to_owned(),
        "/t/acme%00/.well-known/jwks.json".to_owned(),
        "/t/../t/acme/.well-known/jwks.json".to_owned(),
        "/docs/../openapi.json".to_owned(),
        "/docs/%2e%2e/openapi.json".to_owned(),
        "/docs/..%2f..%2fetc%2fpasswd".to_owned(),
        "/docs/index.html/x".to_owned(),
        "/metrics".to_owned(),
        "/.git/config".to_owned(),
        "/.env".to_owned(),
    ] {
        let answer = app.call(Call::get(&odd).tenant("acme").bearer(&opened.token)).await;
        // A bad session id in an else good path is told as such.
        let told = odd == format!("{path}.json") && answer.error_type() == "VALIDATION";
        assert_eq!(answer.status.as_u16(), if told { 400 } else { 404 }, "{odd}: {}", answer.text);
        in_the_envelope(&answer, &odd);
        let answer = app.call(Call::new("DELETE", &odd).tenant("acme").bearer(&opened.token)).await;
        assert!([400, 404, 405].contains(&answer.status.as_u16()), "{odd}: {}", answer.text);
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn R010_what_comes_in_the_query_is_refused_and_not_repeated() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let path = session_path(Family::Individual, NIL, NIL, &opened.session);
    for query in ["access_token=S3cret", "password=S3cret", "S3cret", "x=", "%00", "except=current", "?", "&"]
    {
        for method in ["GET", "DELETE"] {
            let call = Call::new(method, format!("{path}?{query}")).tenant("acme").bearer(&opened.token);
            let answer = app.call(call).await.expect(400);
            in_the_envelope(&answer, query);
            assert!(!answer.text.contains("S3cret"));
        }
        let mut login = tenant.login(Family::Individual);
        login.path = format!("{}?{query}", login.path);
        app.send(login.request()).await.expect(400);
    }
    app.view(&tenant, &opened).await.expect(200);
    // An empty query says nothing.
    app.call(Call::get(format!("{path}?")).tenant("acme").bearer(&opened.token)).await.expect(200);
}

#[tokio::test]
async fn R125_metrics_are_not_on_the_public_listener() {
    let (app, _) = start().await;
    for path in ["/metrics", "/debug", "/debug/pprof", "/actuator", "/admin", "/status", "/server-status"] {
        app.call(Call::get(path)).await.expect(404);
    }
}
