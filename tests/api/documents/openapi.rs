//! What the OpenAPI document says, and that it is so.

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::error::Error;
use vestibule::http::bare;
use vestibule::tenants::Family;

use super::{document, documents, fits, operations};
use crate::support::app::{NIL, TestApp, prefix};
use crate::support::calls::{Call, Opened, session_call};

#[test]
fn the_documents_are_of_openapi_3_1_with_an_id_for_every_operation() {
    let [tenants, operators] = documents();
    assert!(tenants["components"]["securitySchemes"]["accessToken"].is_object());
    assert!(operators["components"]["securitySchemes"]["operatorToken"].is_object());
    for document in [tenants, operators] {
        is_complete(&document);
    }
}

#[track_caller]
fn is_complete(document: &Value) {
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let operations = operations(document);
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
}

#[test]
fn every_operation_has_an_example_of_its_success_that_fits_its_schema() {
    for document in documents() {
        for (name, operation) in operations(&document) {
            let success = &operation["responses"]["200"];
            // Whatever is revoked, there is nothing to say of it.
            if operation["operationId"] == "revokeToken" {
                assert!(success["content"].is_null());
            } else {
                let content = &success["content"]["application/json"];
                assert!(content["example"].is_object(), "{name} has no example");
                fits(&document, &content["schema"], &content["example"], &name);
            }
            if let Some(body) = operation.get("requestBody") {
                let (_, content) = body["content"].as_object().unwrap().iter().next().unwrap();
                assert!(content["example"].is_object(), "{name}'s body has no example");
                fits(&document, &content["schema"], &content["example"], &name);
            }
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
                if name.contains(" /oauth2/") {
                    fits(&document, &content["schema"], body, &format!("{name} {status}"));
                    let known = Error::catalogue().into_iter().any(|(error, _)| {
                        bare::parts(&error).0.to_string() == *status && bare::body(&error) == *body
                    });
                    assert!(known, "{name} {status}: {body}");
                    continue;
                }
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
        let call = |method: &str, opened: &Opened| {
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
            let prefix = prefix(*family, "{");
            path.starts_with(&prefix)
        });
        let opened = app.open(&tenant, family.unwrap_or(Family::Individual)).await;
        let fill = |session: &str, slug: &str| {
            let ids = path.replace("{customerId}", NIL);
            let ids = ids.replace("{organizationId}", NIL);
            let ids = ids.replace("{userId}", NIL);
            ids.replace("{operationId}", "absent").replace("{sessionId}", session).replace("{slug}", slug)
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
