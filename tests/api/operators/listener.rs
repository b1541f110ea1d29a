//! The operator's listener and the public one: what opens one is worth nothing at the other (R058).

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::tenants::Family;

use super::Operator;
use crate::support::app::{NIL, TestApp};
use crate::support::calls::Call;

/// Method, path and operation of a document's operations.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            all.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    all
}

fn operator_operations() -> Vec<(String, String, Value)> {
    operations(&serde_json::to_value(vestibule::server::operator_openapi()).unwrap())
}

fn asks_for_a_credential(operation: &Value) -> bool {
    operation["security"].as_array().is_some_and(|schemes| !schemes.is_empty())
}

/// Ids of things that are there.
fn filled(path: &str, operator: &str, key: &str, kid: &str) -> String {
    path.replace("{tenant}", "acme")
        .replace("{operatorId}", operator)
        .replace("{keyId}", key)
        .replace("{kid}", kid)
}

fn with_body(call: Call, operation: &Value) -> Call {
    match operation["requestBody"]["content"]["application/json"].get("example") {
        Some(example) => call.json(example),
        None => call,
    }
}

#[tokio::test]
async fn R058_no_tenants_credential_and_no_dead_token_opens_the_operators_routes() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let staff = app.staff(&acme, &["ADMIN", "OPERATOR"]).await;
    let [revoked, expired] = [app.operator().await, app.operator().await];
    for (token, set) in [
        (&revoked, "update operators set revoked_at = 1 where token_digest = $1 returning id"),
        (&expired, "update operators set expires_at = 1 where token_digest = $1 returning id"),
    ] {
        let digest = vestibule::secrets::sha256(token.as_bytes());
        app.change(Statement::new(set).bind(digest.as_slice())).await;
    }
    let operators = olga.get("/operators").await.expect(200);
    let operator = operators.data()["items"][0]["id"].as_str().unwrap().to_owned();
    let keys = olga.get("/tenants/acme/keys").await.expect(200);
    let key = keys.data()["items"][0]["id"].as_str().unwrap().to_owned();
    let kids = olga.get("/tenants/acme/signing-keys").await.expect(200);
    let kid = kids.data()["items"][0]["kid"].as_str().unwrap().to_owned();
    let before = app.everything_stored().await;
    let mut asked = 0;
    for (method, path, operation) in operator_operations() {
        if !asks_for_a_credential(&operation) {
            assert!(["/healthz", "/readyz"].contains(&path.as_str()), "{path} takes anybody");
            continue;
        }
        asked += 1;
        let call =
            || with_body(Call::new(&method, filled(&path, &operator, &key, &kid)).tenant("acme"), &operation);
        let half = &olga.token[..olga.token.len() - 1];
        let mut bodies = BTreeSet::new();
        for (whose, call) in [
            ("a user's access token", call().bearer(&staff.token)),
            ("a refresh token", call().bearer(&staff.refresh)),
            ("a session id", call().bearer(&staff.session)),
            ("a backend secret", call().bearer(&acme.backend_secret)),
            ("a revoked token", call().bearer(&revoked)),
            ("an expired token", call().bearer(&expired)),
            ("a token cut short", call().bearer(half)),
            ("a token and more", call().bearer(&format!("{}x", olga.token))),
            ("a token in other letters", call().bearer(&olga.token.to_uppercase())),
            ("a digest", call().bearer(&hex::encode(vestibule::secrets::sha256(olga.token.as_bytes())))),
        ] {
            let answer = olga.send(call).await;
            assert_eq!(answer.status.as_u16(), 401, "{method} {path} by {whose}: {}", answer.text);
            bodies.insert(answer.without_request_id());
        }
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        for (whose, call) in [
            ("nobody", call()),
            ("a backend key", call().backend(&acme)),
            ("a login key", call().basic(&acme.key, &acme.secret)),
            ("an operator token as a password", call().basic("operator", &olga.token)),
            ("an empty bearer", call().and("authorization", "Bearer ")),
            ("another scheme", call().and("authorization", format!("Token {}", olga.token))),
        ] {
            let answer = olga.send(call).await;
            assert_eq!(answer.status.as_u16(), 401, "{method} {path} by {whose}: {}", answer.text);
        }
    }
    assert_eq!(asked, 19);
    assert!(app.everything_stored().await == before, "nobody changed anything");
}

#[tokio::test]
async fn R058_an_operators_token_is_nobodys_on_the_public_listener_and_its_routes_are_not_there() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let opened = app.open(&acme, Family::Individual).await;
    let public = serde_json::to_value(vestibule::server::openapi()).unwrap();
    for (method, path, operation) in operations(&public) {
        if !asks_for_a_credential(&operation) {
            continue;
        }
        let ids = path.replace("{sessionId}", &opened.session);
        let mut place = String::new();
        for part in ids.split('/').skip(1) {
            place.push('/');
            place.push_str(if part.starts_with('{') { NIL } else { part });
        }
        let call = || with_body(Call::new(&method, &place).tenant("acme"), &operation);
        for call in [
            call().bearer(&olga.token),
            call().basic(&olga.token, &olga.token),
            call().basic("operator", &olga.token),
        ] {
            let answer = app.call(call).await;
            assert_eq!(answer.status.as_u16(), 401, "{method} {path}: {}", answer.text);
        }
    }
    for (method, path, operation) in operator_operations() {
        if asks_for_a_credential(&operation) {
            let call = with_body(Call::new(&method, filled(&path, "x", "x", "x")), &operation);
            app.call(call.bearer(&olga.token)).await.expect(404);
        }
    }
    app.view(&acme, &opened).await.expect(200);
}

#[tokio::test]
async fn R123_no_operators_route_answers_a_status_that_it_does_not_declare() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    app.tenant("acme").await;
    for (method, path, operation) in operator_operations() {
        let bare = |path: String| Call::new(&method, path);
        let good = || bare(filled(&path, NIL, NIL, "x")).bearer(&olga.token);
        let json = |body: &str| good().and("content-type", "application/json").body(body);
        for call in [
            bare(filled(&path, "x", "x", "x")),
            good(),
            json("{"),
            json("[]"),
            json("{}"),
            json(r#"{"x":1}"#),
            json(&" ".repeat(70_000)),
            json(
                r#"{"slug":"\u0000","name":"\u0000","purpose":"\u0000","reason":"\u0000","settings":{"audience":"\u0000"}}"#,
            ),
            good().and("content-type", "text/plain").body("x"),
            bare(format!("{}?x=1", filled(&path, NIL, NIL, "x"))).bearer(&olga.token),
            bare(path.replace('{', "").replace('}', ".")).bearer(&olga.token),
            bare(filled(&path, "nobody", "nobody", &"x".repeat(300)).replace("acme", "nobody"))
                .bearer(&olga.token),
        ] {
            let answer = olga.send(call.clone()).await;
            let status = answer.status.as_u16();
            assert!(
                operation["responses"][status.to_string()].is_object(),
                "{method} {path}: {status}, {call:?}"
            );
            assert!(status < 500, "{method} {path}: {}", answer.text);
        }
    }
}
