//! The RFCs' own formats: forms in, bare JSON out, whatever layer refuses; and how a backend shows its key.

use serde_json::json;
use vestibule::tenants::Family;

use super::{INTROSPECT, REVOKE, start, with_token};
use crate::support::calls::Call;

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn every_refusal_under_oauth2_is_of_the_rfcs_format() {
    let (app, tenant, opened) = start().await;
    app.tenant("globex").await;
    for path in [INTROSPECT, REVOKE] {
        let token = opened.token.as_str();
        let form = |fields: &[(&str, &str)]| Call::new("POST", path).backend(&tenant).form(fields);
        let raw = |media: &str, body: &str| {
            Call::new("POST", path).backend(&tenant).and("content-type", media).body(body)
        };
        let good = || with_token(path, &tenant, token);
        let at = |path: &str| Call { path: path.to_owned(), ..good() };
        for (what, status, error, call) in [
            ("no token", 400, "invalid_request", form(&[])),
            ("an empty token", 400, "invalid_request", form(&[("token", "")])),
            ("another parameter", 400, "invalid_request", form(&[("Token", token)])),
            ("the token twice", 400, "invalid_request", form(&[("token", token), ("token", token)])),
            ("a hint twice", 400, "invalid_request", form(&[("token", token), ("x", "1"), ("x", "1")])),
            ("a secret", 400, "invalid_request", form(&[("token", token), ("client_secret", "x")])),
            ("an assertion", 400, "invalid_request", form(&[("token", token), ("client_assertion", "x")])),
            ("a token in the URL", 400, "invalid_request", at(&format!("{path}?token={token}"))),
            ("a header twice", 400, "invalid_request", good().and("platform", "a").and("platform", "b")),
            ("a tenant that cannot be", 403, "unauthorized_client", good().tenant("*")),
            ("no tenant", 400, "invalid_request", good().tenant("")),
            ("another tenant", 403, "unauthorized_client", good().tenant("globex")),
            ("an origin", 403, "unauthorized_client", good().and("origin", "https://evil.example.test")),
            ("no key", 401, "invalid_client", Call::new("POST", path).and("content-type", FORM)),
            (
                "a token for a key",
                401,
                "invalid_client",
                Call::new("POST", path).tenant("acme").bearer(token),
            ),
            ("no such path", 404, "invalid_request", at(&format!("{path}/"))),
            ("no such call", 404, "invalid_request", at("/oauth2/token")),
            ("an escape", 404, "invalid_request", at("/oauth2/%69ntrospect")),
            ("another method", 405, "invalid_request", Call::new("GET", path).backend(&tenant)),
            ("a large form", 413, "invalid_request", raw(FORM, &format!("token={}", "x".repeat(16_384)))),
            ("JSON", 415, "invalid_request", raw("application/json", &json!({ "token": token }).to_string())),
            (
                "another charset",
                415,
                "invalid_request",
                raw("application/x-www-form-urlencoded; charset=latin1", "token=x"),
            ),
            (
                "no media type",
                415,
                "invalid_request",
                Call::new("POST", path).backend(&tenant).body("token=x"),
            ),
        ] {
            let answer = app.call(call).await;
            assert_eq!(answer.status.as_u16(), status, "{path}, {what}: {}", answer.text);
            let names: Vec<_> = answer.json.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names, ["error", "error_description"], "{path}, {what}: {}", answer.text);
            assert_eq!(answer.json["error"], error, "{path}, {what}");
            let described = answer.json["error_description"].as_str().unwrap();
            assert!(!described.is_empty() && !described.contains(token), "{path}, {what}: {described}");
            assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8", "{what}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
            assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{path}, {what}");
            assert!(answer.headers.contains_key("x-request-id"), "{path}, {what}");
        }
        let other = app.call(Call::new("GET", path)).await.expect(405);
        assert_eq!(other.headers["allow"], "POST");
        // Only what stands under it: the envelope is everybody else's.
        for path in ["/oauth2", "/oauth2x/introspect", "/OAUTH2/introspect"] {
            assert_eq!(app.call(at(path)).await.expect(404).field("errorType"), "NOT_FOUND", "{path}");
        }
    }
    app.view(&tenant, &opened).await.expect(200);
}

#[tokio::test]
async fn what_a_form_may_have_beside_the_token_is_ignored() {
    let (app, tenant, opened) = start().await;
    let token = opened.token.as_str();
    for fields in [
        vec![("token", token), ("unknown", "1"), ("client_id", "x"), ("client_secret", "")],
        vec![("token_type_hint", "pizza"), ("token", token)],
        vec![("token", token), ("", "")],
    ] {
        let call = Call::new("POST", INTROSPECT).backend(&tenant).form(&fields);
        assert_eq!(app.call(call).await.expect(200).json["active"], true, "{fields:?}");
    }
    let spelled = Call::new("POST", INTROSPECT).backend(&tenant);
    let spelled = spelled.and("content-type", "Application/X-WWW-Form-URLencoded; charset=UTF-8");
    let answer = app.call(spelled.body(format!("&&token={token}&"))).await.expect(200);
    assert_eq!(answer.json["active"], true);
    // The tenant may be named beside the key that names it.
    for name in ["acme", tenant.id.as_str()] {
        app.call(with_token(INTROSPECT, &tenant, token).tenant(name)).await.expect(200);
    }
}

#[tokio::test]
async fn a_key_is_shown_as_it_stands_or_encoded_as_the_rfc_has_it() {
    let (app, tenant, opened) = start().await;
    let olga = app.operator().await;
    // Every visible character that a key may have, with some that look encoded.
    let (key, secret) = ("key-with_%2D+&=%~!*'()", "secret %41+:%3a/?#[]@".replace(' ', ""));
    let secret = format!("{secret}&=\"<>`{{}}|");
    let new = json!({ "purpose": "backend", "tenantKey": key, "tenantSecret": secret });
    let made = Call::new("POST", "/operator/v1/tenants/acme/keys").bearer(&olga).json(&new);
    app.operator_call(made).await.expect(200);
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    // As `oauth4webapi` does: everything but letters and digits.
    let fully = |text: &str| {
        text.bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            })
            .collect::<String>()
    };
    let of = |name: &str, password: &str| {
        Call::new("POST", INTROSPECT).basic(name, password).form(&[("token", opened.token.as_str())])
    };
    for (name, password) in [
        (key.to_owned(), secret.clone()),
        (encoded(key), encoded(&secret)),
        (fully(key), fully(&secret)),
        (fully(&tenant.backend_key), fully(&tenant.backend_secret)),
    ] {
        assert_eq!(app.call(of(&name, &password)).await.expect(200).json["active"], true, "{name}");
    }
    for (name, password) in [
        (key.to_owned(), encoded(&secret)),
        (encoded(key), secret.clone()),
        (encoded(&encoded(key)), encoded(&encoded(&secret))),
        (encoded(key), encoded("wrong")),
        ("%".to_owned(), "%".to_owned()),
        ("a+b".to_owned(), "%00".to_owned()),
        (fully(&tenant.key), fully(&tenant.secret)),
    ] {
        app.call(of(&name, &password)).await.expect(401);
    }
    // The same key, at any other call of a backend's.
    for (name, password) in [(key.to_owned(), secret.clone()), (fully(key), fully(&secret))] {
        app.call(Call::get("/api/v2.1/events").basic(&name, &password)).await.expect(200);
        app.call(Call::get("/api/v2.1/admin/users").basic(&name, &password)).await.expect(200);
    }
    app.open(&tenant, Family::Individual).await;
}
