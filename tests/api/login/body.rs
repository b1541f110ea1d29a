//! The body's fields.

use serde_json::json;
use vestibule::passwords::Options;
use vestibule::tenants::Family;

use crate::support::app::{LoginCall, PASSWORD, TINY, TestApp, TestTenant, password_hash};

const INDIVIDUAL: Family = Family::Individual;

async fn one() -> (TestApp, TestTenant, LoginCall) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    (app, tenant, call)
}

#[tokio::test]
async fn value_repeats_the_username_or_stands_in_for_it() {
    let (app, tenant, call) = one().await;
    let email = tenant.person(INDIVIDUAL).email.as_str();
    let upper = email.to_uppercase();
    let none = json!(null);
    for (username, value) in [
        (json!(email), json!(email)),
        (json!(email), json!(upper)),
        (json!(upper), json!(email)),
        (json!("ｉndividual@example.test"), json!(email)),
        (json!(email), none.clone()),
        (json!(email), json!("")),
        (none.clone(), json!(email)),
        (json!(""), json!(email)),
    ] {
        let raw = json!({
            "username": username, "value": value, "password": PASSWORD,
            "tenantKey": tenant.key, "tenantSecret": tenant.secret,
        });
        app.send(call.clone().raw(raw.to_string()).request()).await.expect(200);
    }
    let answer = app.send(call.clone().set("value", "other@example.test").request()).await.expect(400);
    assert_eq!(answer.complaints(), ["value"]);
    for (username, value) in [(none.clone(), none.clone()), (json!(""), json!("")), (none, json!(""))] {
        let raw = json!({ "username": username, "value": value, "password": PASSWORD });
        let answer = app.send(call.clone().raw(raw.to_string()).request()).await.expect(400);
        assert_eq!(answer.complaints(), ["username"]);
    }
}

#[tokio::test]
async fn the_credential_type_is_password_in_any_case_and_any_other_is_told_what_is_supported() {
    let (app, tenant, call) = one().await;
    for kind in [json!("PASSWORD"), json!("password"), json!("Password"), json!(null)] {
        let mut call = call.clone();
        call.body["credentialType"] = kind;
        app.send(call.request()).await.expect(200);
    }
    app.send(call.clone().set("credentialType", ()).request()).await.expect(200);
    for kind in ["OTP", "", "PASSWORD ", "passkey", "PASSWORD\u{0}"] {
        let answer = app.send(call.clone().set("credentialType", kind).request()).await.expect(400);
        assert_eq!(answer.complaints(), ["credentialType"], "{kind:?}");
        assert!(answer.text.contains("supported: PASSWORD"), "{}", answer.text);
    }
    assert_eq!(app.login_events(&tenant).await.len(), 5);
}

#[tokio::test]
async fn R047_slug_and_uuid_stand_in_either_place_and_both_name_one_tenant() {
    let (app, tenant, call) = one().await;
    let other = app.tenant("other").await;
    let (slug, id) = (tenant.slug.as_str(), tenant.id.as_str());
    let upper = id.to_uppercase();
    for header in [slug, id, &upper] {
        for body in [json!(slug), json!(id), json!(upper), json!(null)] {
            let call = call.clone().header("x-tenant-id", header).set("tenantId", body);
            let answer = app.send(call.request()).await.expect(200);
            assert_eq!(answer.field("tenantId"), id);
        }
        for body in ["other", other.id.as_str(), "ACME", "system", "00000000-0000-0000-0000-000000000000"] {
            let call = call.clone().header("x-tenant-id", header).set("tenantId", body);
            app.send(call.request()).await.expect(403);
        }
        for body in ["", " ", "*", "a b", "acme\u{0}"] {
            let call = call.clone().header("x-tenant-id", header).set("tenantId", body);
            assert_eq!(app.send(call.request()).await.expect(400).complaints(), ["tenantId"], "{body:?}");
        }
    }
    app.send(call.clone().header("x-tenant-id", "Acme").request()).await.expect(403);
}

#[tokio::test]
async fn R126_fields_documented_nowhere_are_refused_by_name() {
    let (app, _, call) = one().await;
    for field in ["roles", "Username", "user_name", "isActive", "customerId", "userId", "mfa", "__proto__"] {
        let answer = app.send(call.clone().set(field, "x").request()).await.expect(400);
        assert!(answer.text.contains(field), "{}", answer.text);
        assert_eq!(answer.error_type(), "MALFORMED_REQUEST");
    }
    for raw in [r#"{"username":"a","username":"b"}"#, r#"{"password":"a","password":"a"}"#, "[]", "{} {}"] {
        app.send(call.clone().raw(raw).request()).await.expect(400);
    }
}

#[tokio::test]
async fn the_admin_familys_fields_stand_in_for_headers_there_and_exist_nowhere_else() {
    let (app, tenant, _) = one().await;
    let fields = ["ipAddress", "userAgent", "platform", "deviceId", "role", "organizationType"]
        .map(|name| (name, "x"));
    for (field, value) in fields {
        for family in [Family::Individual, Family::Organization] {
            let answer = app.send(tenant.login(family).set(field, value).request()).await.expect(400);
            assert!(answer.text.contains(field), "{}", answer.text);
        }
        app.send(tenant.login(Family::Admin).set(field, value).request()).await.expect(200);
        let answer = app.send(tenant.login(Family::Admin).set(field, "a\u{0}b").request()).await.expect(400);
        assert_eq!(answer.complaints(), [field]);
    }
    // Neither role nor organizationType grants anything.
    app.update_user(tenant.person(Family::Admin), "roles = '[\"VIEWER\"]'").await;
    let call = tenant.login(Family::Admin).set("role", "ADMIN").set("organizationType", "HOUSE");
    assert_eq!(app.send(call.request()).await.expect(200).data()["roles"], json!(["VIEWER"]));
}

#[tokio::test]
async fn on_the_admin_family_a_header_wins_over_the_field_that_stands_in_for_it() {
    let (app, tenant, _) = one().await;
    let with_fields = tenant
        .login(Family::Admin)
        .set("ipAddress", "198.51.100.7")
        .set("userAgent", "body-agent")
        .set("platform", "body-platform")
        .set("deviceId", "body-device");
    let bare = ["x-forwarded-for", "x-forwarded-from", "platform", "deviceid", "user-agent"]
        .into_iter()
        .fold(with_fields.clone(), LoginCall::without);
    for (call, address, agent, platform, device) in [
        (&with_fields, "127.0.0.1", "test-agent/1", "mobile", "device-1"),
        (&bare, "198.51.100.7", "body-agent", "body-platform", "body-device"),
    ] {
        let answer = app.send(call.request()).await.expect(200);
        let metadata = &answer.data()["sessionMetadata"];
        assert_eq!(metadata["userAgent"], agent);
        assert_eq!(metadata["clientPlatform"], platform);
        assert_eq!(metadata["clientIp"], "127.0.0.1", "a field is believed no more than a header");
        let personal = app.event_of(&tenant, &answer).await.personal;
        assert_eq!((&personal["forwardedFor"], &personal["deviceId"]), (&json!(address), &json!(device)));
    }
}

#[tokio::test]
async fn R031_a_password_of_1024_bytes_is_checked_and_a_longer_one_refused_alike_for_everybody() {
    let (app, tenant, call) = one().await;
    let longest = "p".repeat(1_024);
    app.set_hash(tenant.person(INDIVIDUAL), &password_hash(&longest)).await;
    app.send(call.clone().set("password", longest.as_str()).request()).await.expect(200);
    let mut answers = Vec::new();
    for name in ["individual@example.test", "nobody@x.test"] {
        for password in ["p".repeat(1_025), "😀".repeat(257)] {
            let (answer, hashes) = app.hashes_of(&call.clone().named(name).set("password", password)).await;
            assert_eq!(hashes, 0);
            assert_eq!(answer.complaints(), ["password"]);
            answers.push(answer.expect(400).fingerprint());
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let emoji = "😀".repeat(64);
    app.set_hash(tenant.person(INDIVIDUAL), &password_hash(&emoji)).await;
    app.send(call.clone().set("password", emoji).request()).await.expect(200);
    app.send(call.set("password", "😀".repeat(63)).request()).await.expect(401);
}

#[tokio::test]
async fn R007_a_password_is_verified_whole() {
    let (app, tenant, call) = one().await;
    let person = tenant.person(INDIVIDUAL);
    let long = |end: &str| format!("{}{end}", "x".repeat(1_023));
    let past_bcrypt = |end: &str| format!("{}{end}", "y".repeat(72));
    for (right, wrong) in [
        (PASSWORD.to_owned(), PASSWORD.to_lowercase()),
        (PASSWORD.to_owned(), format!("{PASSWORD} ")),
        (PASSWORD.to_owned(), format!(" {PASSWORD}")),
        (PASSWORD.to_owned(), format!("{PASSWORD}\0")),
        (PASSWORD.to_owned(), format!("{PASSWORD}\n")),
        (format!("{PASSWORD} "), PASSWORD.to_owned()),
        ("before\0after".to_owned(), "before\0other".to_owned()),
        ("before\0after".to_owned(), "before".to_owned()),
        (past_bcrypt("a"), past_bcrypt("b")),
        (past_bcrypt("a"), past_bcrypt("")),
        (long("a"), long("b")),
        ("straße-straße".to_owned(), "strasse-strasse".to_owned()),
        ("ﬁnancial-ﬁnancial".to_owned(), "financial-financial".to_owned()),
    ] {
        app.set_hash(person, &password_hash(&right)).await;
        app.send(call.clone().set("password", wrong.as_str()).request()).await.expect(401);
        app.send(call.clone().set("password", right.as_str()).request()).await.expect(200);
    }
    // The one thing that is done to it: NFC (C9).
    app.set_hash(person, &password_hash("\u{e9}lan-\u{e9}lan-\u{e9}lan")).await;
    app.send(call.set("password", "e\u{301}lan-e\u{301}lan-e\u{301}lan").request()).await.expect(200);
}

#[tokio::test]
async fn R006_hostile_text_in_any_field_is_an_answer_and_never_a_fault() {
    let (app, _, call) = one().await;
    let hostile = [
        "a\0b",
        "\u{1b}[31m",
        "a\u{85}b",
        "a\u{202e}b",
        "a\u{200d}b",
        "\u{feff}a",
        "'; drop table users --",
        "{{7*7}}",
    ];
    for text in hostile {
        for field in
            ["username", "value", "password", "tenantKey", "tenantSecret", "credentialType", "tenantId"]
        {
            let mut call = call.clone();
            if field == "username" || field == "value" {
                call = call.named(text);
            } else {
                call = call.set(field, text);
            }
            let answer = app.send(call.request()).await;
            assert!([400, 401, 403].contains(&answer.status.as_u16()), "{field} {text:?}: {}", answer.text);
        }
    }
    for raw in ["{\"username\":\"\\ud800\"}", "{\"username\":\"\\udc00\\ud800\"}"] {
        app.send(call.clone().raw(raw).request()).await.expect(400);
    }
    app.send(call.raw(b"{\"username\":\"\xff\xfe\"}").request()).await.expect(400);
}

#[tokio::test]
async fn R034_what_is_stored_of_a_password_is_an_argon2id_string_with_a_salt_of_its_own() {
    assert_eq!(Options::default().cost.to_string(), "m=19456,t=2,p=1");
    let (one, two) = (password_hash(PASSWORD), password_hash(PASSWORD));
    assert!(one.as_str().starts_with(&format!("$argon2id$v=19${TINY}$")), "{}", one.as_str());
    assert_ne!(one.as_str(), two.as_str());
}
