//! The access token of a login: its header, its claims and their order, its signature.

use axum::http::Method;
use serde_json::{Value, json};
use vestibule::access_tokens::{Algorithm, TokenType};
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, session_path};
use crate::support::login::CLAIMS;

/// The payload with what is random in it named.
fn redacted(answer: &Answer, tenant: &TestTenant) -> String {
    let claims = answer.claims();
    let mut text = answer.token_parts().1;
    for name in ["jti", "sid", "client_id", "customerId", "userId"] {
        text = text.replace(claims[name].as_str().unwrap(), &format!("({name})"));
    }
    text.replace(tenant.id.as_str(), "(tenantId)")
}

#[tokio::test]
async fn the_claims_come_in_the_documented_order_with_ours_after_them() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let answer = app.login(&tenant, Family::Individual).await.expect(200);
    insta::assert_snapshot!(redacted(&answer, &tenant), @r#"{"iss":"https://id.example.test/t/acme","aud":"https://id.example.test/t/acme","sub":"(userId)","exp":1773690872,"iat":1773690572,"tenantId":"(tenantId)","customerId":"(customerId)","userId":"(userId)","userType":"CONSUMER","roles":["USER"],"jti":"(jti)","sid":"(sid)","auth_time":1773690572,"acr":"aal1","amr":["pwd"],"client_id":"(client_id)"}"#);
    assert_eq!(answer.field("token"), answer.field("accessToken"));
    let claims = answer.claims();
    assert_eq!(claims["sid"], answer.field("sessionId"));
    assert_ne!(claims["jti"], claims["sid"]);
}

#[tokio::test]
async fn R083_an_access_token_has_the_documented_claims_and_nothing_else_of_anybody() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.script(
        r#"update users set full_name = 'Dr Ada Secret', gender = 'female', metadata = '{"tier":"gold"}', phones =
           '[{"phoneType":"WORK","encoding":"E164","number":"+37060000001"}]'"#,
    )
    .await;
    for family in Family::ALL {
        let login = app.login(&tenant, family).await.expect(200);
        let person = &login.data()["user"];
        let path = session_path(family, NIL, NIL, login.field("sessionId"));
        let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1");
        let body = json!({ "refreshToken": login.field("refreshToken") });
        let refreshed = app.call(call.json(&body)).await.expect(200);
        for answer in [&login, &refreshed] {
            let claims = answer.claims();
            let names: std::collections::BTreeSet<_> = claims.as_object().unwrap().keys().collect();
            assert_eq!(names, CLAIMS.map(str::to_owned).iter().collect(), "{family:?}");
            let payload = answer.token_parts().1;
            for name in ["email", "fullName", "firstName", "lastName", "gender", "phoneNumber"] {
                if let Some(value) = person[name].as_str() {
                    assert!(!payload.contains(value), "{name} in {payload}");
                }
            }
            let secrets = [&tenant.key, &tenant.secret, &tenant.backend_key, &tenant.backend_secret];
            let token = answer.field("refreshToken").to_owned();
            for secret in secrets.into_iter().chain([&token]) {
                assert!(!payload.contains(secret.as_str()), "{payload}");
            }
            assert!(!payload.contains("gold") && !payload.contains("+370"), "{payload}");
        }
    }
}

#[tokio::test]
async fn the_client_is_the_keys_id_and_never_the_key() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (key, secret, purpose) in
        [(&tenant.key, &tenant.secret, "login"), (&tenant.backend_key, &tenant.backend_secret, "backend")]
    {
        let call = tenant
            .login(Family::Individual)
            .set("tenantKey", key.as_str())
            .set("tenantSecret", secret.as_str());
        let answer = app.send(call.request()).await.expect(200);
        let claims = answer.claims();
        let id = claims["client_id"].as_str().unwrap();
        assert_eq!(
            app.number_of(&format!("tenant_keys where id = '{id}' and purpose = '{purpose}'")).await,
            1
        );
        assert_eq!(app.number_of(&format!("sessions where tenant_key_id = '{id}'")).await, 1);
        for text in [answer.token_parts().1.as_str(), answer.text.as_str(), answer.field("refreshToken")] {
            assert!(!text.contains(key.as_str()) && !text.contains(secret.as_str()));
        }
    }
}

#[tokio::test]
async fn the_header_names_the_algorithm_the_tenants_key_and_the_kind() {
    let app = TestApp::start().await;
    for (algorithm, token_type, alg, typ) in [
        (Algorithm::ES256, TokenType::Jwt, "ES256", "JWT"),
        (Algorithm::EdDsa, TokenType::AccessToken, "EdDSA", "at+jwt"),
        (Algorithm::PS256, TokenType::Jwt, "PS256", "JWT"),
        (Algorithm::RS256, TokenType::AccessToken, "RS256", "at+jwt"),
    ] {
        let family = Family::Individual;
        let tenant = app.tenant_with(alg, Settings { algorithm, token_type, ..Settings::default() }).await;
        let answer = app.login(&tenant, family).await.expect(200);
        let header: Value = serde_json::from_str(&answer.token_parts().0).unwrap();
        let kid = header["kid"].as_str().unwrap().to_owned();
        assert_eq!(header, json!({ "alg": alg, "typ": typ, "kid": kid }));
        let listed = format!("tenants where slug = '{alg}' and signing_kid = '{kid}'");
        assert_eq!(app.number_of(&listed).await, 1, "signed by the tenant's own key");
        assert_eq!(app.number_of(&format!("sessions where signing_kid = '{kid}'")).await, 1);
        // The signature holds: the token opens its session.
        let (session, token) = (answer.field("sessionId"), answer.field("token"));
        app.session_call(Method::GET, &tenant, family, session, token).await.expect(200);
        let other = if token.as_bytes()[token.len() - 40] == b'A' { 'B' } else { 'A' };
        let broken = format!("{}{other}{}", &token[..token.len() - 40], &token[token.len() - 39..]);
        app.session_call(Method::GET, &tenant, family, session, &broken).await.expect(401);
    }
}

#[tokio::test]
async fn R077_the_audience_is_the_issuer_unless_the_tenant_sets_it() {
    let app = TestApp::start().await;
    let settings = Settings { audience: Some("bff-clients".to_owned()), ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let claims = app.login(&tenant, Family::Individual).await.expect(200).claims();
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!("https://id.example.test/t/acme"), &json!("bff-clients"))
    );
}

#[tokio::test]
async fn R132_no_header_of_the_request_makes_issuer_or_audience() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-original-url"]
        .into_iter()
        .fold(tenant.login(Family::Individual), |call, name| call.header(name, "evil.test"));
    let answer = app.send(call.request()).await.expect(200);
    assert!(!answer.text.contains("evil.test") && !answer.token_parts().1.contains("evil.test"));
    assert!(!String::from_utf8_lossy(&app.everything_stored().await).contains("evil.test"));
}
