//! The committed documents are the code's; what is served of them, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::error::{Error, errors_document};
use vestibule::server::{openapi, operator_router};
use vestibule::telemetry::{METRICS, metrics};
use vestibule::tenants::Family;

use crate::support::app::{TestApp, Wanted};
use crate::support::calls::{Call, session_call};

/// Holds a committed file to what it is made from; `UPDATE_DOCS=1` writes it anew.
fn is_current(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "docs/{name} is not current: UPDATE_DOCS=1 cargo test --test api documents");
}

fn document() -> Value {
    serde_json::to_value(openapi()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let operations = item.as_object().unwrap().iter();
        operations.map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    all.collect()
}

#[test]
fn docs_openapi_json_is_what_the_handlers_say() {
    is_current("openapi.json", &format!("{}\n", openapi().to_pretty_json().unwrap()));
}

#[test]
fn docs_errors_md_is_what_the_catalogue_says() {
    is_current("errors.md", &errors_document());
}

#[test]
fn the_document_is_one_of_openapi_3_1_with_an_id_for_every_operation() {
    let document = document();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(&document);
    let ids: BTreeSet<_> =
        operations.iter().map(|(name, operation)| operation["operationId"].as_str().expect(name)).collect();
    assert_eq!(ids.len(), operations.len(), "an operationId twice");
    for (name, operation) in &operations {
        assert!(operation["summary"].is_string(), "{name} has no summary");
        assert!(operation["description"].is_string(), "{name} has no description");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        // Each id in the path is declared, and no other.
        let declared: BTreeSet<_> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
            .collect();
        let there: BTreeSet<_> =
            name.split('/').filter(|part| part.starts_with('{')).map(str::to_owned).collect();
        assert_eq!(declared, there, "{name}");
    }
    assert!(document["components"]["securitySchemes"]["accessToken"].is_object());
}

#[test]
fn every_operation_has_an_example_of_its_success_that_fits_its_schema() {
    let document = document();
    for (name, operation) in operations(&document) {
        let content = &operation["responses"]["200"]["content"]["application/json"];
        assert!(content["example"].is_object(), "{name} has no example");
        fits(&document, &content["schema"], &content["example"], &name);
        if let Some(body) = operation.get("requestBody") {
            let content = &body["content"]["application/json"];
            assert!(content["example"].is_object(), "{name}'s body has no example");
            fits(&document, &content["schema"], &content["example"], &name);
        }
    }
}

#[test]
fn every_error_has_examples_that_are_its_actual_bodies() {
    let document = document();
    let mut shown = BTreeSet::new();
    for (name, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status == "200" {
                continue;
            }
            let content = &response["content"]["application/json"];
            let examples = content["examples"].as_object().unwrap_or_else(|| panic!("{name} {status}"));
            assert!(!examples.is_empty(), "{name} {status}");
            for example in examples.values() {
                let body = &example["value"];
                assert_eq!(body["code"].to_string(), *status, "{name}");
                fits(&document, &content["schema"], body, &format!("{name} {status}"));
                let mut catalogue = Error::catalogue().into_iter();
                let known = catalogue.any(|(error, _)| vestibule::error::example(&error) == *body);
                assert!(known, "{name} {status}: {body}");
                shown.insert(body["data"]["errorType"].as_str().unwrap().to_owned());
            }
        }
    }
    let all: BTreeSet<_> = Error::catalogue().iter().map(|(error, _)| error.parts().1.to_owned()).collect();
    assert_eq!(shown, all, "every errorType is some operation's");
}

/// Whether a value fits a schema, as far as our document uses JSON Schema.
#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.strip_prefix("#/components/schemas/").unwrap();
        return fits(document, &document["components"]["schemas"][name], value, place);
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        assert!(schema[word].is_null(), "{place}: {word} is not used here");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{place}: a schema without a type: {other}"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&kind), "{place}: {kind} where {types:?} is declared");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value}");
    }
    match value {
        Value::Array(items) => {
            for item in items {
                fits(document, &schema["items"], item, &format!("{place}[]"));
            }
        }
        Value::Object(fields) => {
            let Some(properties) = schema["properties"].as_object() else { return };
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().unwrap()), "{place} lacks {required}");
            }
            for (name, field) in fields {
                let property =
                    properties.get(name).unwrap_or_else(|| panic!("{place}.{name} is not declared"));
                fits(document, property, field, &format!("{place}.{name}"));
            }
        }
        _ => (),
    }
}

#[tokio::test]
async fn what_is_answered_fits_what_is_declared_and_what_may_be_null_says_so() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let document = document();
    let schema = |id: &str, status: u16| -> Value {
        let operations = operations(&document);
        let (name, operation) =
            operations.iter().find(|(_, operation)| operation["operationId"] == id).unwrap();
        let content = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
        assert!(!content.is_null(), "{name} does not declare {status}");
        content.clone()
    };
    for (family, suffix) in Family::ALL.into_iter().zip(["Individual", "Organization", "Staff"]) {
        let call = |method: &str, opened: &crate::support::calls::Opened| {
            session_call(method, &tenant, family, &opened.session, &opened.token)
        };
        let first = app.login(&tenant, family).await.expect(200);
        fits(&document, &schema(&format!("startSession{suffix}"), 200), &first.json, "a login");
        let opened = app.open(&tenant, family).await;
        let (start, get, end) =
            (format!("startSession{suffix}"), format!("getSession{suffix}"), format!("endSession{suffix}"));
        let login = || tenant.login(family);
        for (id, status, answer) in [
            (&get, 200, app.call(call("GET", &opened)).await),
            (&get, 400, app.call(Call { headers: vec![], ..call("GET", &opened) }).await),
            (&get, 401, app.call(call("GET", &opened).and("origin", "x").and("authorization", "")).await),
            (&get, 401, app.call(Call { headers: vec![], ..call("GET", &opened) }.tenant("acme")).await),
            (&get, 403, app.call(call("GET", &opened).and("origin", "x")).await),
            (&start, 400, app.send(login().raw("{").request()).await),
            (&start, 401, app.send(login().set("password", "wrong").request()).await),
            (&start, 403, app.send(login().set("tenantKey", "wrong").request()).await),
            (&start, 413, app.send(login().raw(vec![b' '; 20_000]).request()).await),
            (&start, 415, app.send(login().header("content-type", "text/plain").request()).await),
            (&end, 200, app.call(call("DELETE", &opened)).await),
            (&get, 401, app.call(call("GET", &opened)).await),
        ] {
            let seen = answer.status.as_u16();
            // A header twice is a bad request before all else.
            let status = if seen == 400 && answer.error_type() == "MALFORMED_REQUEST" { 400 } else { status };
            assert_eq!(seen, status, "{id}: {}", answer.text);
            fits(&document, &schema(id, seen), &answer.json, &format!("{id} {seen}"));
        }
    }
    // With everything null that can be.
    let sql = "update sessions set device_id = null, platform = null, user_agent = null where tenant_id = $1 returning id";
    let opened = app.open(&tenant, Family::Admin).await;
    app.change(Statement::new(sql).bind(&tenant.id)).await;
    let sparse = app.view(&tenant, &opened).await.expect(200);
    assert_eq!(sparse.data()["deviceId"], Value::Null);
    assert_eq!(sparse.data()["sessionMetadata"]["userAgent"], Value::Null);
    fits(&document, &schema("getSessionStaff", 200), &sparse.json, "a sparse session");
    let sql = "update users set email = null, first_name = null, last_name = null, full_name = null, gender = null, \
               roles = '[]' where tenant_id = $1 returning id";
    app.change(Statement::new(sql).bind(&tenant.id)).await;
    let sparse = app.login(&tenant, Family::Admin).await.expect(200);
    fits(&document, &schema("startSessionStaff", 200), &sparse.json, "a sparse login");
    for name in ["email", "firstName", "lastName", "fullName", "gender", "role", "phoneNumber"] {
        assert_eq!(sparse.data()["user"][name], Value::Null, "{name}: null, and not left out");
    }
    for (path, id) in [("/healthz", "getHealth"), ("/readyz", "getReadiness")] {
        let answer = app.call(Call::get(path)).await.expect(200);
        fits(&document, &schema(id, 200), &answer.json, id);
    }
    app.database.close().await;
    let away = app.call(Call::get("/readyz")).await.expect(503);
    fits(&document, &schema("getReadiness", 503), &away.json, "not ready");
}

/// Asks each operation in many wrong ways: no status appears that it does not declare.
#[tokio::test]
async fn R123_no_operation_answers_a_status_that_it_does_not_declare() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.tenant("globex").await;
    let document = document();
    let mut seen = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let (method, path) = name.split_once(' ').unwrap();
        let family = Family::ALL.into_iter().find(|family| {
            let prefix = crate::support::app::prefix(*family, "{");
            path.starts_with(&prefix)
        });
        let opened = app.open(&tenant, family.unwrap_or(Family::Individual)).await;
        let fill = |session: &str, slug: &str| {
            let ids = path.replace("{customerId}", crate::support::app::NIL);
            let ids = ids.replace("{organizationId}", crate::support::app::NIL);
            let ids = ids.replace("{userId}", crate::support::app::NIL);
            ids.replace("{sessionId}", session).replace("{slug}", slug)
        };
        let bare = |path: String| Call::new(&method.to_uppercase(), path);
        let good = || bare(fill(&opened.session, "acme"));
        let with_all = || {
            let mut call = good().body(tenant.login(opened.family).body.to_string());
            call.headers = tenant.login(opened.family).headers;
            call
        };
        for call in [
            good(),
            good().tenant("acme"),
            good().tenant("acme").bearer("x"),
            good().tenant("globex").bearer(&opened.token),
            good().tenant("acme").bearer(&opened.token).and("origin", "https://evil.test"),
            good().tenant("acme").tenant("acme"),
            bare(format!("{}?x=1", fill(&opened.session, "acme"))),
            bare(fill("absent", "absent")).tenant("acme").bearer(&opened.token),
            bare(fill("a.b", "a.b")).tenant("acme").bearer(&opened.token),
            bare(fill(&opened.session, "%61")).tenant("acme").bearer(&opened.token),
            with_all().bearer(&opened.token),
            with_all().body("{"),
            with_all().body("{}"),
            with_all().body(vec![b' '; 20_000]),
            with_all().body(vec![b' '; 20_000]).and("platform", "x"),
            Call { headers: vec![], ..with_all() },
            with_all().and("connection", "origin"),
        ] {
            let answer = app.call(call.clone()).await;
            let status = answer.status.as_u16().to_string();
            let declared = &operation["responses"][&status];
            assert!(declared.is_object(), "{name} answers {status}: {call:?}");
            if answer.status.as_u16() >= 400 {
                let schema = &declared["content"]["application/json"]["schema"];
                fits(&document, schema, &answer.json, &format!("{name} {status}"));
            }
            seen.insert(status);
        }
    }
    let all: Vec<_> = seen.iter().map(String::as_str).collect();
    assert_eq!(all, ["200", "400", "401", "403", "404", "413", "415"]);
}

async fn start_with_docs(public_docs: bool) -> TestApp {
    TestApp::start_with(Wanted { public_docs, ..Wanted::default() }).await
}

/// The same app by its operator listener.
fn by_operator(app: TestApp) -> TestApp {
    TestApp { router: operator_router(&app.app, metrics()), ..app }
}

#[tokio::test]
async fn R125_the_documentation_is_public_only_where_it_is_wanted_and_always_the_operators() {
    let paths = ["/openapi.json", "/docs/index.html", "/docs", "/docs/"];
    let served = [200, 200, 308, 308];
    for public_docs in [false, true] {
        let app = start_with_docs(public_docs).await;
        for (path, status) in paths.into_iter().zip(served) {
            app.call(Call::get(path)).await.expect(if public_docs { status } else { 404 });
        }
        app.call(Call::get("/metrics")).await.expect(404);
        let app = by_operator(app);
        for (path, status) in paths.into_iter().zip(served) {
            app.call(Call::get(path)).await.expect(status);
        }
        app.call(Call::get("/metrics")).await.expect(200);
        app.call(Call::get("/healthz")).await.expect(200);
        app.call(Call::get("/readyz")).await.expect(200);
        // Customers' calls are not the operator's.
        app.call(Call::get("/t/acme/.well-known/jwks.json")).await.expect(404);
        let login = crate::support::app::prefix(Family::Individual, "x");
        app.call(Call::new("POST", format!("{login}/users/x/sessions"))).await.expect(404);
    }
}

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_committed() {
    let app = start_with_docs(true).await;
    let public = app.call(Call::get("/openapi.json")).await.expect(200);
    assert_eq!(public.json, document());
    let app = by_operator(app);
    assert_eq!(app.call(Call::get("/openapi.json")).await.expect(200).json, document());
}

/// The values of `src` and `href` in a page.
fn references(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["src=", "href="] {
        for (at, _) in page.match_indices(attribute) {
            let rest = &page[at + attribute.len()..];
            let quote = rest.chars().next().unwrap();
            assert!(['"', '\''].contains(&quote), "an attribute without quotes: {}", &rest[..30]);
            found.push(rest[1..].split(quote).next().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test]
async fn the_documentation_page_loads_nothing_but_what_the_binary_holds() {
    let app = start_with_docs(true).await;
    let page = app.call(Call::get("/docs/index.html")).await.expect(200);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*') && !policy.contains("unsafe-eval"), "{policy}");
    // A script in the page itself would not run under that policy.
    assert!(!page.text.replace(' ', "").contains("<script>"), "{}", page.text);
    let references = references(&page.text);
    assert!(references.len() >= 4, "{references:?}");
    let mut scripts = String::new();
    for reference in references {
        assert!(!reference.contains("://") && !reference.starts_with("//"), "{reference}");
        let path = format!("/docs/{}", reference.trim_start_matches("./"));
        let asset = app.call(Call::get(&path)).await.expect(200);
        let kind = asset.headers["content-type"].to_str().unwrap();
        match path.rsplit('.').next().unwrap() {
            "js" => {
                assert!(kind.contains("javascript"), "{path}: {kind}");
                scripts.push_str(if asset.text.len() < 20_000 { &asset.text } else { "" });
            }
            "css" => {
                assert_eq!(kind, "text/css", "{path}");
                for outside in ["url(http", "url(//", "@import"] {
                    assert!(!asset.text.contains(outside), "{path}: {outside}");
                }
            }
            "png" => assert_eq!(kind, "image/png", "{path}"),
            other => panic!("an asset of another kind: {other}"),
        }
        assert!(!asset.text.is_empty());
    }
    // Swagger UI would ask its makers whether the document is valid.
    assert!(scripts.contains("/openapi.json"), "{scripts}");
    let settings: String = scripts.split_whitespace().collect();
    assert!(
        settings.contains("\"validatorUrl\":\"none\"") || settings.contains("\"validatorUrl\":null"),
        "{scripts}"
    );
    assert!(!settings.contains("http://") && !settings.contains("https://"), "{scripts}");
    for (path, target) in [("/docs", "/docs/index.html"), ("/docs/", "/docs/index.html")] {
        let answer = app.call(Call::get(path)).await.expect(308);
        assert_eq!(answer.headers["location"], target);
    }
}

#[tokio::test]
async fn readiness_is_503_when_the_database_is_away_or_its_migrations_are_not_current() {
    let app = TestApp::start().await;
    let ready = app.call(Call::get("/readyz")).await.expect(200);
    assert_eq!(ready.field("status"), "ready");
    assert_eq!(ready.field("keys"), "ok");

    let database = crate::support::database().await;
    let bare = TestApp::on(database, Wanted::default());
    let answer = bare.call(Call::get("/readyz")).await.expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "2");
    bare.call(Call::get("/healthz")).await.expect(200);

    let forgotten =
        Statement::new("delete from vestibule_migrations where version = 1 returning version as id");
    app.change(forgotten).await;
    app.call(Call::get("/readyz")).await.expect(503);

    let app = TestApp::start().await;
    app.database.close().await;
    let answer = app.call(Call::get("/readyz")).await.expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE");
    assert!(!answer.text.contains("closed"), "{}", answer.text);
    app.call(Call::get("/healthz")).await.expect(200);
}

#[tokio::test]
async fn metrics_have_the_documented_names_and_labels_and_name_nobody() {
    // Recorded from the first call on.
    drop(metrics());
    let app = TestApp::start().await;
    let tenant = app.tenant("metrics-tenant").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.view(&tenant, &opened).await.expect(200);
    app.send(tenant.login(Family::Admin).set("password", "wrong").request()).await.expect(401);
    app.call(Call::get("/metrics-nowhere/S3cret")).await.expect(404);
    app.call(Call::new("METRICSVERB", "/healthz")).await.expect(405);
    app.call(Call::get("/t/metrics-tenant/.well-known/jwks.json")).await.expect(200);
    let app = by_operator(app);
    let answer = app.call(Call::get("/metrics")).await.expect(200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let documented: BTreeMap<_, _> = METRICS.iter().map(|metric| (metric.name, metric.labels)).collect();
    let mut seen = BTreeSet::new();
    for line in answer.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, rest.rsplit_once('}').unwrap().0),
            None => (line.split(' ').next().unwrap(), ""),
        };
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|base| documented.contains_key(base)));
        let name = base.unwrap_or(name);
        let allowed = documented.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let label = label.split('=').next().unwrap();
            assert!(label == "le" || allowed.contains(&label), "{name} has the label {label}");
        }
        seen.insert(name.to_owned());
    }
    for name in [
        "vestibule_http_requests_total",
        "vestibule_http_request_seconds",
        "vestibule_logins_total",
        "vestibule_hash_wait_seconds",
        "vestibule_hash_seconds",
        "vestibule_hash_evaluations_total",
        "vestibule_db_wait_seconds",
        "vestibule_build_info",
    ] {
        assert!(seen.contains(name), "{name} is missing");
    }
    let person = tenant.person(Family::Individual);
    for value in [
        tenant.slug.as_str(),
        tenant.id.as_str(),
        person.id.as_str(),
        person.customer.as_str(),
        &person.email,
        &opened.session,
        "127.0.0.1",
        "device-1",
        "test-agent",
        "S3cret",
        "METRICSVERB",
        &tenant.key,
    ] {
        assert!(!answer.text.contains(value), "a metric names {value}");
    }
    for part in [
        "method=\"OTHER\"",
        "route=\"(none)\"",
        "route=\"/t/{slug}/.well-known/jwks.json\"",
        "vestibule_logins_total{outcome=\"success\"}",
        "vestibule_logins_total{outcome=\"failed\"}",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
}
