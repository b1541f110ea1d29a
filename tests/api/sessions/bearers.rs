//! Which tokens are taken for a session's, and which are not, however well they are signed.

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::{Family, Settings};

use super::start;
use crate::support::app::{NIL, START, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call};
use crate::support::forge::{Forger, claims, malleated};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
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
