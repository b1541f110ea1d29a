//! Metadata, and what of it travels in the token.

use serde_json::{Value, json};
use vestibule::access_tokens::MAX_TOKEN_BYTES;
use vestibule::db::Statement;
use vestibule::tenants::{Family, Settings};

use super::start;
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::directory::USERS;
use crate::support::login::CLAIMS;

async fn set(app: &TestApp, tenant: &TestTenant, metadata: &Value) {
    let path = format!("{USERS}/{}", tenant.person(Family::Individual).id);
    app.backend(tenant, "PATCH", &path, &json!({ "metadata": metadata })).await.expect(200);
}

fn with_claims(keys: &[&str]) -> Settings {
    Settings { metadata_claims: keys.iter().map(|key| (*key).to_owned()).collect(), ..Settings::default() }
}

#[track_caller]
fn is_documented(answer: &Answer) {
    let claims = answer.claims();
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let mut documented = CLAIMS.to_vec();
    names.sort_unstable();
    documented.sort_unstable();
    assert_eq!(names, documented);
}

#[tokio::test]
async fn without_the_setting_or_without_the_keys_a_token_is_as_documented() {
    let (app, acme) = start().await;
    set(&app, &acme, &json!({ "tier": "gold" })).await;
    is_documented(&app.login(&acme, Family::Individual).await.expect(200));
    let globex = app.tenant_with("globex", with_claims(&["tier"])).await;
    is_documented(&app.login(&globex, Family::Individual).await.expect(200));
    set(&app, &globex, &json!({ "other": 1 })).await;
    is_documented(&app.login(&globex, Family::Individual).await.expect(200));
}

#[tokio::test]
async fn exactly_the_listed_keys_travel_and_the_token_is_taken() {
    let app = TestApp::start().await;
    let acme = app.tenant_with("acme", with_claims(&["tier", "limits", "absent"])).await;
    let limits = json!({ "daily": 5_000, "in": ["EUR"] });
    set(&app, &acme, &json!({ "secret": "x", "limits": limits, "tier": "gold" })).await;
    let answer = app.login(&acme, Family::Individual).await.expect(200);
    assert_eq!(answer.claims()["metadata"], json!({ "tier": "gold", "limits": limits }));
    let opened = app.open(&acme, Family::Individual).await;
    app.view(&acme, &opened).await.expect(200);
    // Nobody else's token has it.
    is_documented(&app.login(&acme, Family::Organization).await.expect(200));
}

#[tokio::test]
async fn a_number_that_would_become_another_one_is_refused_by_its_key() {
    let (app, acme) = start().await;
    let path = format!("{USERS}/{}", acme.person(Family::Individual).id);
    let put = |number: &str| {
        let body = format!(r#"{{"metadata":{{"limits":{{"most":{number}}}}}}}"#);
        Call::new("PATCH", &path).backend(&acme).and("content-type", "application/json").body(body)
    };
    for good in ["18446744073709551615", "-9223372036854775808", "9007199254740993", "0.25", "1e3"] {
        let answer = app.call(put(good)).await.expect(200);
        assert!(good.contains('e') || answer.text.contains(good), "{}", answer.text);
    }
    for bad in ["18446744073709551616", "-9223372036854775809", "1e300"] {
        let answer = app.call(put(bad)).await.expect(400);
        assert_eq!(answer.complaints(), ["metadata"], "{}", answer.text);
        assert!(answer.text.contains("number in most"), "{}", answer.text);
    }
    // One that was kept before stays readable: its owner logs in.
    let sql = r#"update users set metadata = '{"most":1e300}' where tenant_id = $1 and id = $2 returning id"#;
    let person = acme.person(Family::Individual);
    app.change(Statement::new(sql).bind(&acme.id).bind(&person.id)).await;
    app.login(&acme, Family::Individual).await.expect(200);
    app.look(&acme, &path).await.expect(200);
}

#[tokio::test]
async fn R082_a_key_that_is_called_like_a_claim_takes_no_claims_place() {
    let reserved = [&CLAIMS[..], &["nbf", "metadata", "scope", "typ", "alg", "kid", "cnf", "azp"]].concat();
    let (app, plain) = start().await;
    let expected = app.login(&plain, Family::Individual).await.expect(200).claims();
    for (number, keys) in reserved.chunks(8).enumerate() {
        let tenant = app.tenant_with(&format!("tenant-{number}"), with_claims(keys)).await;
        let metadata: Value = keys.iter().map(|key| ((*key).to_owned(), json!("forged"))).collect();
        set(&app, &tenant, &metadata).await;
        let answer = app.login(&tenant, Family::Individual).await.expect(200);
        let claims = answer.claims();
        assert_eq!(claims["metadata"], metadata);
        for claim in CLAIMS {
            assert_ne!(claims[claim], "forged", "{claim}");
            assert_eq!(claims[claim].is_string(), expected[claim].is_string(), "{claim}");
        }
        assert_eq!(claims.as_object().unwrap().len(), CLAIMS.len() + 1);
        let opened = app.open(&tenant, Family::Individual).await;
        app.view(&tenant, &opened).await.expect(200);
    }
}

#[tokio::test]
async fn a_token_with_the_most_of_everything_is_still_taken() {
    let app = TestApp::start().await;
    let keys: Vec<_> = (0..8).map(|number| format!("{number}{}", "k".repeat(63))).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let settings = Settings {
        algorithm: vestibule::access_tokens::Algorithm::RS256,
        audience: Some("a".repeat(256)),
        ..with_claims(&keys)
    };
    let acme = app.tenant_with(&"s".repeat(64), settings).await;
    let roles: Vec<_> = (0..20).map(|number| format!("{number:0>2}{}", "R".repeat(62))).collect();
    let metadata: Value = keys.iter().map(|key| ((*key).to_owned(), json!("\"".repeat(180)))).collect();
    set(&app, &acme, &metadata).await;
    let path = format!("{USERS}/{}", acme.person(Family::Individual).id);
    app.backend(&acme, "PATCH", &path, &json!({ "roles": roles })).await.expect(200);
    let opened = app.open(&acme, Family::Individual).await;
    assert!(opened.token.len() > 4_000 && opened.token.len() < MAX_TOKEN_BYTES, "{}", opened.token.len());
    app.view(&acme, &opened).await.expect(200);
}
