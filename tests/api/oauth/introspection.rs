//! `POST /oauth2/introspect` for access tokens: what is told, and that nothing is told of what is not good now.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use futures_util::stream::once;
use serde_json::{Value, json};
use tokio::join;
use tokio::sync::oneshot;
use vestibule::customers::CustomerStatus;
use vestibule::db::Statement;
use vestibule::tenants::{self, Family, Settings, SettingsChange};

use super::{INACTIVE, INTROSPECT, introspect, is_active, revoke, start, with_token};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::forge::{Forger, claims, malleated};

#[tokio::test]
async fn R100_of_an_active_access_token_all_is_told() {
    let app = TestApp::start().await;
    let settings = Settings { metadata_claims: vec!["tier".to_owned()], ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let keyless = Settings { key_optional: vec![Family::Admin], ..Settings::default() };
    let other = app.tenant_with("globex", keyless).await;
    app.update_user(tenant.person(Family::Individual), "metadata = '{\"tier\":\"gold\",\"x\":1}'").await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let told = introspect(&app, &tenant, &opened.token).await;
        assert_eq!(told.headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(told.headers["cache-control"], "no-store");
        let claims = claims(&opened.token);
        let person = tenant.person(family);
        let mut expected = json!({
            "active": true, "token_type": "Bearer", "iss": "https://id.example.test/t/acme",
            "sub": person.id, "aud": "https://id.example.test/t/acme", "username": person.email,
            "sid": opened.session, "acr": "aal1", "amr": ["pwd"], "tenantId": tenant.id, "customerId": person.customer,
            "userId": person.id, "userType": if family == Family::Admin { "ADMIN" } else { "CONSUMER" },
            "roles": [if family == Family::Admin { "ADMIN" } else { "USER" }],
        });
        for name in ["exp", "iat", "jti", "auth_time", "client_id"] {
            expected[name] = claims[name].clone();
        }
        if family == Family::Individual {
            expected["metadata"] = json!({ "tier": "gold" });
        }
        assert_eq!(told.json, expected, "{family:?}");
    }
    // A login name is told before the e-mail, and a session that no key opened has the tenant for its client.
    app.update_user(other.person(Family::Admin), "username = 'Sam'").await;
    let keyless =
        other.login(Family::Admin).set("tenantKey", None::<String>).set("tenantSecret", None::<String>);
    let opened = app.send(keyless.request()).await.expect(200);
    let told = introspect(&app, &other, opened.field("token")).await;
    assert_eq!((&told.json["username"], &told.json["client_id"]), (&json!("Sam"), &json!(other.id)));
    app.update_user(other.person(Family::Admin), "username = null, email = null").await;
    let told = introspect(&app, &other, opened.field("token")).await;
    assert_eq!(told.json.get("username"), None, "{}", told.text);
}

/// Everything that is no active token of acme's.
async fn inactive(app: &TestApp, acme: &TestTenant, globex: &TestTenant) -> Vec<(&'static str, String)> {
    let opened = app.open(acme, Family::Individual).await;
    let theirs = app.open(globex, Family::Individual).await;
    let Opened { token, refresh, session, .. } = opened.clone();
    let forger = Forger::of(app, acme).await;
    let theirs_forger = Forger::of(app, globex).await;
    let real = claims(&token);
    let changed = |name: &str, value: Value| {
        let mut claims = real.clone();
        claims[name] = value;
        claims
    };
    let signed_elsewhere = theirs_forger.sign(&forger.header().to_string(), &real.to_string());
    let (iat, exp) = (real["iat"].as_i64().unwrap(), real["exp"].as_i64().unwrap());
    // In the middle, where the ids are, and in the MAC at its end.
    let altered = |at: usize| {
        let mut token = refresh.clone();
        token.replace_range(at..=at, if &token[at..=at] == "A" { "B" } else { "A" });
        token
    };
    let (middle, end) = (altered(refresh.len() / 2), altered(refresh.len() - 8));
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    let ended = app.open(acme, Family::Individual).await;
    app.end(acme, &ended).await.expect(200);
    let revoked = app.open(acme, Family::Individual).await;
    revoke(app, acme, &revoked.refresh).await;
    vec![
        ("garbage", "x".to_owned()),
        ("a space", " ".to_owned()),
        ("NUL", "\0".to_owned()),
        ("many dots", ".".repeat(8_000)),
        ("a long token", format!("{token}{}", "A".repeat(9_000))),
        ("a session id", session),
        ("another tenant's access token", theirs.token),
        ("another tenant's refresh token", theirs.refresh),
        ("the tenant's own secret", acme.backend_secret.clone()),
        ("an operator's token", app.operator().await),
        ("a token of a session that was logged out", ended.token),
        ("its refresh token", ended.refresh),
        ("a token of a session that was revoked", revoked.token),
        ("its refresh token", revoked.refresh),
        ("a token with a space behind it", format!("{token} ")),
        ("an unsigned token", unsigned),
        ("a token signed with another tenant's key", signed_elsewhere),
        ("the claims of a tenant under another's key", theirs_forger.token(&real)),
        ("an expired token", forger.token(&changed("exp", json!(iat)))),
        ("a token of the future", forger.token(&changed("iat", json!(exp + 3_600)))),
        ("another issuer", forger.token(&changed("iss", json!("https://id.example.test/t/globex")))),
        ("another audience", forger.token(&changed("aud", json!("others")))),
        ("another subject", forger.token(&changed("sub", json!(acme.person(Family::Admin).id)))),
        ("a session that never was", forger.token(&changed("sid", json!("absent")))),
        ("no session id", forger.token(&changed("sid", json!("a b")))),
        ("another tenant's id", forger.token(&changed("tenantId", json!(globex.id)))),
        ("a refresh token with another character", middle),
        ("a refresh token with another MAC", end),
        ("half a refresh token", refresh[..refresh.len() / 2].to_owned()),
        ("an unknown refresh token", "vrt1.AAAA".to_owned()),
    ]
}

#[tokio::test]
async fn R099_whatever_is_not_active_is_answered_with_the_same_bytes() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let mut seen = BTreeSet::new();
    for (what, token) in inactive(&app, &acme, &globex).await {
        for hint in [None, Some("access_token"), Some("refresh_token"), Some("nonsense")] {
            let mut fields = vec![("token", token.as_str())];
            fields.extend(hint.map(|hint| ("token_type_hint", hint)));
            let call = Call::new("POST", INTROSPECT).backend(&acme).form(&fields);
            let answer = app.call(call).await.expect(200);
            assert_eq!(answer.text, INACTIVE, "{what}");
            seen.insert(answer.fingerprint());
        }
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    // The other signature of the same token that verifies is as good as the first; nothing is lost by it.
    let opened = app.open(&acme, Family::Individual).await;
    assert!(is_active(&app, &acme, &malleated(&opened.token)).await);
}

/// Calls whose form is refused where the key is good.
fn bad_forms(token: &str) -> [(&'static str, Call); 5] {
    let call = || Call::new("POST", INTROSPECT);
    [
        ("another type", call().body("{").and("content-type", "application/json")),
        ("too much", call().form(&[("token", &"a".repeat(20_000))])),
        ("a parameter twice", call().form(&[("token", token), ("token", token)])),
        ("a secret in the body", call().form(&[("token", token), ("client_secret", "x")])),
        ("no token", call().form(&[("x", "y")])),
    ]
}

#[tokio::test]
async fn R099_what_refuses_the_caller_comes_before_what_is_wrong_with_the_form() {
    let (app, acme, opened) = start().await;
    app.tenant("globex").await;
    for (what, form) in bad_forms(&opened.token) {
        let good = app.call(form.clone().backend(&acme)).await;
        assert!([400, 413, 415].contains(&good.status.as_u16()), "{what}: {}", good.text);
        for (header, value) in [("x-tenant-id", "globex"), ("origin", "https://nobodys.test")] {
            let answer = app.call(form.clone().backend(&acme).and(header, value)).await;
            assert_eq!(answer.status, 403, "{what}, {header}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn an_introspection_asks_the_database_once() {
    let (app, tenant, opened) = start().await;
    assert!(is_active(&app, &tenant, &opened.token).await, "its signing key is in memory then");
    for token in [&opened.token, &opened.refresh] {
        let before = app.database.work().calls;
        assert!(is_active(&app, &tenant, token).await);
        assert_eq!(app.database.work().calls - before, 1);
    }
}

#[tokio::test]
async fn R099_no_token_is_told_of_before_the_caller_is_known() {
    let (app, acme, opened) = start().await;
    let globex = app.tenant("globex").await;
    let good = || with_token(INTROSPECT, &acme, &opened.token);
    let bare = || Call {
        headers: good().headers.into_iter().filter(|(name, _)| name != "authorization").collect(),
        ..good()
    };
    let in_the_body = [
        ("token", opened.token.as_str()),
        ("client_id", &acme.backend_key),
        ("client_secret", &acme.backend_secret),
    ];
    let mut seen = BTreeSet::new();
    for (what, call) in [
        ("nobody", bare()),
        ("a wrong secret", bare().basic(&acme.backend_key, "wrong")),
        ("an unknown key", bare().basic("unknown", &acme.backend_secret)),
        ("another tenant's secret", bare().basic(&acme.backend_key, &globex.backend_secret)),
        ("a login key", bare().basic(&acme.key, &acme.secret)),
        ("the token itself", bare().bearer(&opened.token)),
        ("garbage", bare().and("authorization", "Basic %%%")),
        ("no name", bare().basic("", &acme.backend_secret)),
        ("another scheme", bare().and("authorization", "Digest x")),
        ("credentials in the body", Call::new("POST", INTROSPECT).form(&in_the_body)),
        (
            "nobody, with no form",
            Call::new("POST", INTROSPECT).body("{").and("content-type", "application/json"),
        ),
        ("nobody, with too much", Call::new("POST", INTROSPECT).body(vec![b'a'; 20_000])),
    ]
    .into_iter()
    .chain(bad_forms(&opened.token).into_iter().flat_map(|(what, form)| {
        [
            (what, form.clone().basic(&acme.backend_key, "wrong")),
            (what, form.clone().basic("unknown", &acme.backend_secret)),
            (what, form.basic(&acme.key, &acme.secret)),
        ]
    })) {
        let answer = app.call(call).await;
        assert_eq!(answer.status.as_u16(), 401, "{what}: {}", answer.text);
        assert_eq!(answer.json["error"], "invalid_client", "{what}");
        assert_eq!(
            answer.headers["www-authenticate"], "Basic realm=\"vestibule\", charset=\"UTF-8\"",
            "{what}"
        );
        seen.insert(answer.fingerprint());
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    // Two ways at once are one too many (RFC 6749 §2.3).
    let both = Call::new("POST", INTROSPECT).backend(&acme).form(&in_the_body);
    let answer = app.call(both).await.expect(400);
    assert_eq!(answer.json["error"], "invalid_request");
    assert!(answer.json["error_description"].as_str().unwrap().contains("client_secret"), "{}", answer.text);
    app.call(good()).await.expect(200);
}

/// Sets a state that admits nobody, asks, and sets it back.
async fn flipped(app: &TestApp, tenant: &TestTenant, opened: &Opened, table: &str, id: &str, status: &str) {
    let set = async |status: &str| {
        app.script(&format!("update {table} set status = '{status}' where id = '{id}'")).await;
    };
    set(status).await;
    for token in [&opened.token, &opened.refresh] {
        assert!(!is_active(app, tenant, token).await, "{table} {status}");
    }
    set("active").await;
    for token in [&opened.token, &opened.refresh] {
        assert!(is_active(app, tenant, token).await, "{table} {status}, and back");
    }
}

#[tokio::test]
async fn R100_every_state_counts_at_the_moment_of_asking() {
    let (app, tenant, opened) = start().await;
    let person = tenant.person(Family::Individual);
    flipped(&app, &tenant, &opened, "users", person.id.as_str(), "suspended").await;
    flipped(&app, &tenant, &opened, "users", person.id.as_str(), "closed").await;
    flipped(&app, &tenant, &opened, "customers", person.customer.as_str(), "suspended").await;
    flipped(&app, &tenant, &opened, "customers", person.customer.as_str(), "closed").await;
    // What ends all sessions of one row ends this one, and the next is active.
    for ending in ["user", "customer", "tenant"] {
        let now = app.clock.now();
        let opened = app.open(&tenant, Family::Individual).await;
        assert!(is_active(&app, &tenant, &opened.token).await);
        match ending {
            "user" => app.suspend_user(&tenant, &person.id, now).await,
            "customer" => {
                app.set_customer_status(&tenant, &person.customer, CustomerStatus::Suspended, now).await;
            }
            _ => app.change(tenants::store::end_sessions(&tenant.id, "ended_by_operator", now)).await,
        }
        app.update_user(person, "status = 'active'").await;
        app.update_customer(person, "status = 'active'").await;
        for token in [&opened.token, &opened.refresh] {
            assert!(!is_active(&app, &tenant, token).await, "{ending}");
        }
        app.clock.advance(1);
    }
    // A tenant that is suspended gets no answer at all.
    app.change(tenants::store::suspend(&tenant.id, app.clock.now())).await;
    let answer = app.call(with_token(INTROSPECT, &tenant, &opened.token)).await.expect(401);
    assert_eq!(answer.json["error"], "invalid_client");
}

#[tokio::test]
async fn R100_a_token_is_active_to_the_second_of_its_end_and_its_sessions() {
    let (app, tenant, opened) = start().await;
    app.clock.advance(299_000);
    assert!(is_active(&app, &tenant, &opened.token).await);
    app.clock.advance(1_000);
    assert!(!is_active(&app, &tenant, &opened.token).await);
    // The refresh token is good for as long as the session.
    app.clock.advance(1_499_000);
    assert!(is_active(&app, &tenant, &opened.refresh).await);
    let told = introspect(&app, &tenant, &opened.refresh).await;
    assert_eq!(told.json["exp"], app.clock.now().plus_seconds(1).as_seconds());
    app.clock.advance(1_000);
    assert!(!is_active(&app, &tenant, &opened.refresh).await);
}

#[tokio::test]
async fn R100_settings_and_keys_count_at_the_moment_of_asking() {
    let (app, tenant, opened) = start().await;
    let olga = app.operator().await;
    let set = async |audience: Value| {
        let settings = json!({ "settings": { "audience": audience } });
        let call = Call::new("PATCH", "/operator/v1/tenants/acme").bearer(&olga).json(&settings);
        app.operator_call(call).await.expect(200);
    };
    assert_eq!(SettingsChange::default().with("audience", "apis").alone(), Ok(()));
    set(json!("apis")).await;
    assert!(!is_active(&app, &tenant, &opened.token).await);
    assert!(is_active(&app, &tenant, &opened.refresh).await, "a refresh makes a token of the new audience");
    set(Value::Null).await;
    assert!(is_active(&app, &tenant, &opened.token).await);
    // A signing key that is retired takes its tokens with it, and no refresh token.
    let kid = Forger::of(&app, &tenant).await.kid;
    let retire = Call::new("DELETE", format!("/operator/v1/tenants/acme/signing-keys/{kid}")).bearer(&olga);
    app.operator_call(retire).await.expect(200);
    assert!(!is_active(&app, &tenant, &opened.token).await);
    assert!(is_active(&app, &tenant, &opened.refresh).await);
    // The tenant key that opened the session counts at a refresh, so it does for the refresh token.
    for (set, after, active) in [
        ("revoked_at = $2", 0, false),
        ("revoked_at = null, expires_at = $2", 0, false),
        ("expires_at = $2", 1, true),
    ] {
        let sql =
            format!("update tenant_keys set {set} where tenant_id = $1 and purpose = 'login' returning id");
        let at = app.clock.now().plus_millis(after);
        app.change(Statement::new(sql.leak()).bind(&tenant.id).bind(at)).await;
        assert_eq!(is_active(&app, &tenant, &opened.refresh).await, active, "{set}");
    }
}

#[tokio::test]
async fn R100_how_the_tenant_stands_counts_when_the_body_has_come_and_not_when_the_request_began() {
    for (set, status) in [
        ("sessions_not_before = $2, sessions_end_reason = 'x'", 200),
        ("valid_kids = '[]'", 200),
        // Its keys open nothing then.
        ("status = 'suspended'", 401),
    ] {
        let (app, tenant, opened) = start().await;
        let (begun, has_begun) = oneshot::channel();
        let (come, has_come) = oneshot::channel::<()>();
        let (parts, body) = with_token(INTROSPECT, &tenant, &opened.token).request().into_parts();
        let slow = once(async move {
            begun.send(()).unwrap();
            has_come.await.unwrap();
            to_bytes(body, usize::MAX).await
        });
        let change = async {
            has_begun.await.unwrap();
            let sql =
                format!("update tenants set {set} where id = $1 and cast($2 as bigint) > 0 returning id");
            app.change(Statement::new(sql.leak()).bind(&tenant.id).bind(app.clock.now())).await;
            come.send(()).unwrap();
        };
        let (answer, ()) = join!(app.send(Request::from_parts(parts, Body::from_stream(slow))), change);
        let answer = answer.expect(status);
        assert!(status == 401 || answer.text == INACTIVE, "{set}: {}", answer.text);
    }
}

#[tokio::test]
async fn R102_roles_are_told_as_they_are_now() {
    let (app, tenant, opened) = start().await;
    app.update_user(tenant.person(Family::Individual), "roles = '[\"ACCOUNT_OWNER\"]'").await;
    for token in [&opened.token, &opened.refresh] {
        let told = introspect(&app, &tenant, token).await;
        assert_eq!(told.json["roles"], json!(["ACCOUNT_OWNER"]));
    }
    assert_eq!(claims(&opened.token)["roles"], json!(["USER"]));
}
