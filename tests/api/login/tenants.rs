//! The tenant at the door: one 403 for whatever is wrong there, before any hash.

use vestibule::tenants::{Family, Settings};

use crate::support::app::{LoginCall, NIL, TestApp, TestTenant};

/// Everything that keeps a login outside.
fn refused(tenant: &TestTenant, other: &TestTenant, family: Family) -> Vec<(&'static str, LoginCall)> {
    let call = tenant.login(family);
    let header = |value: &str| call.clone().set("tenantId", ()).header("x-tenant-id", value);
    let key = |key: &str, secret: &str| call.clone().set("tenantKey", key).set("tenantSecret", secret);
    vec![
        ("unknown slug", header("nobody")),
        ("unknown id", header("99999999-2222-4333-8444-555555555555")),
        ("no name at all", header("*")),
        ("the slug in another case", header("ACME")),
        ("the system tenant by slug", header("system")),
        ("the system tenant by id", header(NIL)),
        ("the system tenant in the body", call.clone().set("tenantId", NIL)),
        ("another tenant in the body", call.clone().set("tenantId", other.id.as_str())),
        ("another tenant in the header", call.clone().header("x-tenant-id", &other.slug)),
        ("unknown key", key("nobody", &tenant.secret)),
        ("wrong secret", key(&tenant.key, "wrong")),
        ("the secret of the other purpose", key(&tenant.key, &tenant.backend_secret)),
        ("key of another tenant", key(&other.key, &other.secret)),
        ("no key", call.clone().set("tenantKey", ()).set("tenantSecret", ())),
        ("no secret", call.clone().set("tenantSecret", ())),
        ("no key but a secret", call.clone().set("tenantKey", ())),
        ("an empty key", key("", "")),
        ("an origin nobody lists", call.clone().header("origin", "https://evil.test")),
    ]
}

#[tokio::test]
async fn R045_every_reason_at_the_door_is_one_403_without_hash_event_or_throttle() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("other").await);
    let mut answers = Vec::new();
    for family in Family::ALL {
        for (reason, call) in refused(&tenant, &other, family) {
            for call in [call.clone(), call.clone().set("password", "wrong"), call.named("nobody@x.test")] {
                let (answer, hashes) = app.hashes_of(&call).await;
                assert_eq!(hashes, 0, "{reason}");
                answers.push((reason, answer.expect(403).fingerprint()));
            }
        }
    }
    for (reason, answer) in &answers {
        assert_eq!(*answer, answers[0].1, "{reason}");
    }
    assert!(answers[0].1.contains("Invalid tenant"));
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    assert_eq!(app.event_names(&other).await, [""; 0]);
    assert_eq!(app.number_of("throttles").await, 0);
}

#[tokio::test]
async fn the_system_tenant_is_unknown_even_if_its_row_asks_for_no_key() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.script(
        r#"update tenants set settings = '{"version":1,"keyOptional":["individual","organization","admin"]}'
           where slug = 'system'"#,
    )
    .await;
    for family in Family::ALL {
        let call = tenant.login(family).set("tenantKey", ()).set("tenantSecret", ()).set("tenantId", ());
        for name in ["system", NIL] {
            let (answer, hashes) = app.hashes_of(&call.clone().header("x-tenant-id", name)).await;
            answer.expect(403);
            assert_eq!(hashes, 0);
        }
    }
    assert_eq!(app.number_of("throttles").await, 0);
}

#[tokio::test]
async fn R054_a_suspended_or_deleted_tenant_is_refused_like_an_unknown_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(Family::Individual);
    let unknown = call.clone().set("tenantId", ()).header("x-tenant-id", "nobody");
    let unknown = app.send(unknown.request()).await.expect(403).fingerprint();
    for status in ["suspended", "deleted"] {
        app.script(&format!("update tenants set status = '{status}' where slug = 'acme'")).await;
        let (answer, hashes) = app.hashes_of(&call).await;
        assert_eq!((answer.expect(403).fingerprint(), hashes), (unknown.clone(), 0), "{status}");
    }
    app.script("update tenants set status = 'active' where slug = 'acme'").await;
    app.send(call.request()).await.expect(200);
}

#[tokio::test]
async fn R046_a_revoked_or_expired_key_is_dead_on_the_next_request() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(Family::Individual);
    let wrong = app.send(call.clone().set("tenantSecret", "wrong").request()).await.expect(403).fingerprint();
    let now = app.clock.now().as_millis();
    for (set, status) in [
        (format!("revoked_at = {now}"), 403),
        ("revoked_at = null".to_owned(), 200),
        (format!("expires_at = {now}"), 403),
        (format!("expires_at = {}", now - 1), 403),
        (format!("expires_at = {}", now + 1), 200),
    ] {
        app.script(&format!("update tenant_keys set {set} where purpose = 'login'")).await;
        let answer = app.send(call.request()).await.expect(status);
        if status == 403 {
            assert_eq!(answer.fingerprint(), wrong, "{set}");
        }
    }
    app.clock.advance(1);
    app.send(call.request()).await.expect(403);
    // The other key goes on.
    let call = call.set("tenantKey", tenant.backend_key.as_str());
    app.send(call.set("tenantSecret", tenant.backend_secret.as_str()).request()).await.expect(200);
}

#[tokio::test]
async fn a_key_is_optional_only_on_the_families_that_the_tenant_says_and_a_key_that_is_sent_is_checked() {
    let app = TestApp::start().await;
    let settings = Settings { key_optional: vec![Family::Admin], ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    for family in Family::ALL {
        let call = tenant.login(family);
        let without = call.clone().set("tenantKey", ()).set("tenantSecret", ());
        let status = if family == Family::Admin { 200 } else { 403 };
        let answer = app.send(without.request()).await.expect(status);
        if status == 200 {
            assert_eq!(
                answer.claims()["client_id"],
                tenant.id.as_str(),
                "the tenant's id in place of a key's"
            );
            assert_eq!(app.number_of("sessions where tenant_key_id is null").await, 1);
        }
        for (key, secret) in [
            (Some("nobody"), Some("x")),
            (Some(tenant.key.as_str()), Some("x")),
            (Some(&tenant.key), None),
            (None, Some("x")),
        ] {
            let call = without.clone().set("tenantKey", key).set("tenantSecret", secret);
            app.send(call.request()).await.expect(403);
        }
        app.send(call.request()).await.expect(200);
    }
}

#[tokio::test]
async fn R053_one_name_in_two_tenants_has_two_passwords_two_locks_and_two_users() {
    let app = TestApp::start().await;
    let (one, two) = (app.tenant("one").await, app.tenant("two").await);
    let family = Family::Individual;
    app.set_hash(two.person(family), &crate::support::app::password_hash("AnotherPass123!")).await;
    app.send(two.login(family).request()).await.expect(401);
    app.send(one.login(family).set("password", "AnotherPass123!").request()).await.expect(401);
    app.fail(&one.login(family), 4).await;
    app.fail(&one.login(family).named("nobody@x.test"), 5).await;
    let locked = app.send(one.login(family).request()).await.expect(401);
    assert_eq!(locked.json["message"], "Account locked");
    let answer = app.send(two.login(family).set("password", "AnotherPass123!").request()).await.expect(200);
    assert_eq!(answer.field("userId"), two.person(family).id.as_str());
    app.fail(&two.login(family).named("nobody@x.test"), 1).await;
}

#[tokio::test]
async fn a_web_app_logs_in_only_where_its_tenant_lists_its_origin() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("other").await);
    let origin = "https://app.example.test";
    app.script(&format!(
        "insert into tenant_origins (tenant_id, origin) values ('{}', '{origin}')",
        tenant.id
    ))
    .await;
    let call = |tenant: &TestTenant, origin: &str| tenant.login(Family::Individual).header("origin", origin);
    let answer = app.send(call(&tenant, origin).request()).await.expect(200);
    assert_eq!(answer.headers["access-control-allow-origin"], origin);
    app.send(call(&tenant, "https://id.example.test").request()).await.expect(200);
    for (tenant, origin) in
        [(&other, origin), (&tenant, "https://app.example.test.evil.test"), (&tenant, "null")]
    {
        let answer = app.send(call(tenant, origin).request()).await.expect(403);
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
    }
}
