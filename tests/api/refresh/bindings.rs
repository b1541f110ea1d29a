//! What a refresh token is bound to, and how little is told to whoever does not hold it.

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::ids::{SessionId, TenantId};
use vestibule::refresh_tokens::{Binding, compute};
use vestibule::secrets::{MasterKeys, base64url, from_base64url};
use vestibule::tenants::{self, Family, KeyPurpose, NewTenantKey, Settings};

use super::{
    INDIVIDUAL, MINUTE, ended, refresh_call, refresh_with, refresh_without_id, refused, start, start_with,
};
use crate::isolation::rows::{Rows, unchanged};
use crate::support::app::{NIL, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened, session_path};

/// Tokens that look like `opened`'s and are not.
async fn forgeries(app: &TestApp, tenant: &TestTenant, opened: &Opened) -> Vec<(&'static str, String)> {
    let token = &opened.refresh;
    let bytes = from_base64url(token.strip_prefix("vrt1.").unwrap()).unwrap();
    let spelled = |bytes: &[u8]| format!("vrt1.{}", base64url(bytes));
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        spelled(&bytes)
    };
    let session = SessionId::from_stored(opened.session.clone());
    let absent = SessionId::at(app.clock.now());
    let other_tenant = TenantId::random();
    let key = &app.app.master.current();
    let with = |tenant: &TenantId, session: &SessionId, salt: &[u8]| {
        compute(key, &Binding { tenant, session, device: Some("device-1"), salt }, 1)
    };
    let stranger = MasterKeys::parse(&format!("{}:{}", key.id(), vestibule::secrets::random_text())).unwrap();
    let salt = "select salt from sessions where tenant_id = $1 and id = $2";
    let statement = Statement::new(salt).bind(&tenant.id).bind(&session);
    let salt = app.database.fetch(statement).await.unwrap()[0].bytes("salt").unwrap();
    let binding = Binding { tenant: &tenant.id, session: &session, device: Some("device-1"), salt: &salt };
    vec![
        ("empty", String::new()),
        ("a word", "null".to_owned()),
        ("its prefix", "vrt1.".to_owned()),
        ("another prefix", token.replacen("vrt1", "vrt2", 1)),
        ("an access token", opened.token.clone()),
        ("longer", format!("{token}A")),
        ("padded", format!("{token}=")),
        ("with a space", format!("{token} ")),
        ("shorter", token[..token.len() - 4].to_owned()),
        ("cut to 80", token[..80].to_owned()),
        ("very long", format!("vrt1.{}", "A".repeat(8_000))),
        ("another key id", flipped(2)),
        ("another generation", flipped(bytes.len() - 33)),
        ("another MAC", flipped(bytes.len() - 1)),
        ("the first byte of the MAC", flipped(bytes.len() - 32)),
        ("an absent session", with(&tenant.id, &absent, &salt)),
        ("an absent tenant", with(&other_tenant, &session, &salt)),
        ("the system tenant", with(&TenantId::from_stored(NIL.to_owned()), &session, &salt)),
        ("another salt", with(&tenant.id, &session, &[0; 16])),
        ("another device", compute(key, &Binding { device: Some("device-2"), ..binding }, 1)),
        ("no device", compute(key, &Binding { device: None, ..binding }, 1)),
        ("another master key", compute(&stranger.current(), &binding, 1)),
    ]
}

#[tokio::test]
async fn R097_whatever_is_no_refresh_token_of_ours_is_answered_with_the_same_bytes_and_leaves_no_trace() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let gone = app.open(&tenant, INDIVIDUAL).await;
    let delete = Statement::new("delete from sessions where tenant_id = $1 and id = $2 returning id");
    app.change(delete.bind(&tenant.id).bind(gone.session.as_str())).await;
    let mut tokens = forgeries(&app, &tenant, &opened).await;
    tokens.push(("of a session that is gone", gone.refresh.clone()));
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await;
    let mut seen: Option<String> = None;
    for (what, token) in &tokens {
        let body = json!({ "refreshToken": token });
        // Whatever tenant is named, there or not, and whatever else is wrong.
        for name in ["acme", "globex", globex.id.as_str(), "absent", NIL] {
            for call in [refresh_with(&tenant, &opened, &body), refresh_without_id(&tenant, &opened)] {
                let call = Call { body: body.to_string().into(), ..call }.for_tenant(name);
                let answer = refused(app.call(call).await);
                assert_eq!(answer.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
                let print = answer.fingerprint();
                assert_eq!(print, *seen.get_or_insert(print.clone()), "{what} for {name}");
            }
        }
        let wrong_key = json!({ "refreshToken": token, "tenantKey": "nobody's", "tenantSecret": "x" });
        let answer = refused(app.call(refresh_with(&tenant, &opened, &wrong_key)).await);
        assert_eq!(Some(answer.fingerprint()), seen, "{what}, with a wrong key");
    }
    unchanged(&before, &rows.all(&app).await, "a token that is none");
    // So is one that holds and is refused, though an event says why.
    let elsewhere = app.call(refresh_call(&tenant, &opened).on_device(Some("device-2"))).await;
    assert_eq!(Some(refused(elsewhere).fingerprint()), seen);
    let ahead = app.token_of(&tenant, &opened, 7).await;
    assert_eq!(Some(refused(app.refresh(&tenant, &ahead).await).fingerprint()), seen);
    app.refreshed(&tenant, &opened).await;
}

#[tokio::test]
async fn R047_R050_a_token_that_holds_is_403_for_every_other_tenant_and_nothing_happens() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let suspended = app.tenant("suspended").await;
    app.change(tenants::store::suspend(&suspended.id, app.clock.now())).await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await;
    let mut seen: Option<String> = None;
    for name in
        ["globex", globex.id.as_str(), "suspended", "absent", "system", NIL, "ACME", "*", "acme,globex"]
    {
        let answer = app.call(refresh_call(&tenant, &opened).for_tenant(name)).await.expect(403);
        assert_eq!(answer.error_type(), "TENANT");
        assert_eq!(answer.fingerprint(), *seen.get_or_insert(answer.fingerprint()), "{name}");
    }
    // With another tenant's key it is no better.
    for (key, secret) in [(&globex.key, &globex.secret), (&globex.backend_key, &globex.backend_secret)] {
        for name in ["acme", "globex"] {
            let body = json!({ "refreshToken": opened.refresh, "tenantKey": key, "tenantSecret": secret });
            let call = refresh_with(&tenant, &opened, &body).for_tenant(name);
            assert_eq!(Some(app.call(call).await.expect(403).fingerprint()), seen);
        }
    }
    unchanged(&before, &rows.all(&app).await, "a refresh for another tenant");
    app.refreshed(&tenant, &opened).await;
}

#[tokio::test]
async fn R050_nothing_that_another_tenant_issued_refreshes() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let (ours, theirs) = (app.open(&tenant, INDIVIDUAL).await, app.open(&globex, INDIVIDUAL).await);
    for (word, status) in [
        (&theirs.refresh, 403),
        (&theirs.token, 401),
        (&theirs.session, 401),
        (&globex.secret, 401),
        (&ours.token, 401),
        (&ours.session, 401),
        (&tenant.backend_secret, 401),
    ] {
        app.call(refresh_with(&tenant, &ours, &json!({ "refreshToken": word }))).await.expect(status);
    }
    // At home it reaches nothing of ours.
    let body = json!({ "refreshToken": theirs.refresh });
    app.call(refresh_with(&globex, &ours, &body)).await.expect(404);
    app.refreshed(&tenant, &ours).await;
    app.refreshed(&globex, &theirs).await;
}

#[tokio::test]
async fn R049_a_path_that_is_not_the_sessions_own_is_absent_and_nothing_happens() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let other = app.open(&tenant, family).await;
        let person = tenant.person(family);
        let (customer, user) = (person.customer.as_str(), person.id.as_str());
        let elsewhere = Family::ALL.into_iter().find(|other| *other != family).unwrap();
        let rows = Rows::new(&app).await;
        let before = rows.all(&app).await;
        for path in [
            session_path(family, "nobody", user, &opened.session),
            session_path(family, customer, "nobody", &opened.session),
            session_path(family, NIL, NIL, &other.session),
            session_path(family, NIL, NIL, NIL),
            session_path(elsewhere, NIL, NIL, &opened.session),
            format!("{}/users/nobody/sessions", prefix(family, customer)),
            format!("{}/users/{NIL}/sessions", prefix(elsewhere, NIL)),
        ] {
            let call = Call { path, ..refresh_call(&tenant, &opened) };
            assert_eq!(app.call(call).await.expect(404).error_type(), "NOT_FOUND");
        }
        unchanged(&before, &rows.all(&app).await, "a refresh by another path");
        let mut current = opened.clone();
        for (owner, id) in [(customer, user), (NIL, user), (customer, NIL)] {
            let by_id = session_path(family, owner, id, &opened.session);
            let without = format!("{}/users/{id}/sessions", prefix(family, owner));
            for path in [by_id, without] {
                let call = Call { path, ..refresh_call(&tenant, &current) };
                current = current.next(&app.call(call).await.expect(200));
            }
        }
    }
}

#[tokio::test]
async fn R067_R092_another_device_is_refused_with_an_event_and_the_session_lives() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    for device in ["device-2", "DEVICE-1", "device-1x"] {
        refused(app.call(refresh_call(&tenant, &first).on_device(Some(device))).await);
    }
    // Whoever tries again and again is told of once a minute.
    let events = app.events_named(tenant.id.as_str(), "authn_refresh_fail").await;
    assert_eq!(events.len(), 1);
    app.clock.advance(MINUTE);
    refused(app.call(refresh_call(&tenant, &first).on_device(Some("device-3"))).await);
    assert_eq!(app.events_named(tenant.id.as_str(), "authn_refresh_fail").await.len(), 2);
    assert_eq!(events[0].text("reason").unwrap(), "other_device");
    assert_eq!(events[0].text("session_id").unwrap(), first.session);
    assert_eq!(events[0].text("actor_kind").unwrap(), "unknown");
    let details: Value = serde_json::from_str(&events[0].text("details").unwrap()).unwrap();
    assert_eq!(details, json!({ "generation": 1 }));
    assert!(events[0].text("personal").unwrap().contains("device-2"));
    app.view(&tenant, &first).await.expect(200);
    let second = app.refreshed(&tenant, &first).await;
    // What was used up is no repetition from there, even in the grace.
    app.refreshed(&tenant, &first).await;
    ended(app.call(refresh_call(&tenant, &first).on_device(Some("device-2"))).await, "refresh_reuse");
    app.is_over(&tenant, &second, "refresh_reuse").await;
}

/// Another key of the tenant's.
async fn another_key(
    app: &TestApp,
    tenant: &TestTenant,
    purpose: KeyPurpose,
    name: &str,
) -> (String, String) {
    let (key, secret) = (format!("{name}-another-key-1"), format!("{name}-another-secret-000001"));
    let new = NewTenantKey::brought_along(purpose, key.clone(), secret.clone());
    let insert = tenants::keys::store::insert(&tenant.id, &new, app.clock.now());
    app.database.apply(insert).await.unwrap();
    (key, secret)
}

fn with_key(tenant: &TestTenant, of: &Opened, key: &str, secret: &str) -> Call {
    let body = json!({ "refreshToken": of.refresh, "tenantKey": key, "tenantSecret": secret });
    refresh_with(tenant, of, &body)
}

#[tokio::test]
async fn R092_another_apps_key_is_refused_with_an_event_and_the_sessions_own_or_a_backends_is_good() {
    let (app, tenant) = start().await;
    let (other, other_secret) = another_key(&app, &tenant, KeyPurpose::Login, "login").await;
    let mut current = app.open(&tenant, INDIVIDUAL).await;
    refused(app.call(with_key(&tenant, &current, &other, &other_secret)).await);
    let events = app.events_named(tenant.id.as_str(), "authn_refresh_fail").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("reason").unwrap(), "other_tenant_key");
    for (key, secret) in [(&tenant.key, &tenant.secret), (&tenant.backend_key, &tenant.backend_secret)] {
        let call = with_key(&tenant, &current, key, secret);
        current = current.next(&app.call(call).await.expect(200));
    }
    // The client stays that of the login.
    let claims = crate::support::forge::claims(&current.token);
    let statement =
        Statement::new("select id from tenant_keys where tenant_key = $1").bind(tenant.key.as_str());
    let rows = app.database.fetch(statement).await.unwrap();
    assert_eq!(claims["client_id"], rows[0].text("id").unwrap());
}

#[tokio::test]
async fn R045_a_key_that_is_not_good_is_the_tenants_403_and_nothing_happens() {
    let (app, tenant) = start().await;
    let (expired, expired_secret) = another_key(&app, &tenant, KeyPurpose::Backend, "expired").await;
    let sql = "update tenant_keys set expires_at = $2 where tenant_key = $1 returning id";
    app.change(Statement::new(sql).bind(expired.as_str()).bind(app.clock.now())).await;
    let (revoked, revoked_secret) = another_key(&app, &tenant, KeyPurpose::Login, "revoked").await;
    let sql = "update tenant_keys set revoked_at = $2 where tenant_key = $1 returning id";
    app.change(Statement::new(sql).bind(revoked.as_str()).bind(app.clock.now())).await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let refresh = opened.refresh.as_str();
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await;
    let mut seen: Option<String> = None;
    for body in [
        json!({ "refreshToken": refresh, "tenantKey": tenant.key, "tenantSecret": "wrong" }),
        json!({ "refreshToken": refresh, "tenantKey": tenant.key, "tenantSecret": tenant.backend_secret }),
        json!({ "refreshToken": refresh, "tenantKey": "absent", "tenantSecret": tenant.secret }),
        json!({ "refreshToken": refresh, "tenantKey": "", "tenantSecret": "" }),
        json!({ "refreshToken": refresh, "tenantKey": tenant.key }),
        json!({ "refreshToken": refresh, "tenantSecret": tenant.secret }),
        json!({ "refreshToken": refresh, "tenantKey": expired, "tenantSecret": expired_secret }),
        json!({ "refreshToken": refresh, "tenantKey": revoked, "tenantSecret": revoked_secret }),
    ] {
        let answer = app.call(refresh_with(&tenant, &opened, &body)).await.expect(403);
        assert_eq!(answer.error_type(), "TENANT");
        assert_eq!(answer.fingerprint(), *seen.get_or_insert(answer.fingerprint()), "{body}");
    }
    unchanged(&before, &rows.all(&app).await, "a refresh with a bad key");
    app.refreshed(&tenant, &opened).await;
}

#[tokio::test]
async fn R130_a_backend_key_vouches_for_an_address_where_the_tenant_believes_it() {
    for believes in [true, false] {
        let settings = Settings { trust_backend_address: believes, ..Settings::default() };
        let (app, tenant) = start_with(settings).await;
        let opened = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(MINUTE);
        let login = with_key(&tenant, &opened, &tenant.key, &tenant.secret);
        let opened = opened.next(&app.call(login.and("x-forwarded-for", "198.51.100.7")).await.expect(200));
        assert_eq!(app.row_of(&opened).await[4], None, "a login key vouches for nothing");
        let backend = with_key(&tenant, &opened, &tenant.backend_key, &tenant.backend_secret);
        app.call(backend.and("x-forwarded-for", "198.51.100.7")).await.expect(200);
        let address = app.row_of(&opened).await[4].clone();
        assert_eq!(address.as_deref(), believes.then_some("198.51.100.7"));
    }
}
