//! A tenant's door: whatever is wrong at it has one answer and costs no hash (R044–R046).

use vestibule::db::Statement;
use vestibule::tenants::{self, Family};

use crate::support::app::{START, TestApp};

#[tokio::test]
async fn R044_R045_whatever_is_wrong_with_a_key_has_one_answer_no_hash_and_no_event() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let suspended = app.tenant("suspended").await;
    app.change(tenants::store::suspend(&suspended.id, START)).await;
    let ended = |column: &'static str| Statement::new(column).bind(&acme.id).bind(START);
    let others = [
        (
            "revoked",
            "update tenant_keys set revoked_at = $2 where tenant_id = $1 and purpose = 'backend' returning id",
        ),
        (
            "expired",
            "update tenant_keys set revoked_at = null, expires_at = $2 where tenant_id = $1 and purpose = 'backend' returning id",
        ),
    ];
    let (events, hashes) = (app.number_of("events").await, app.app.passwords.evaluations());
    let mut bodies = Vec::new();
    for family in Family::ALL {
        let login = || acme.login(family);
        let secret = acme.secret.as_str();
        let mut calls = vec![
            ("unknown key", login().set("tenantKey", "unknown")),
            ("no secret", login().set("tenantSecret", None::<String>)),
            ("no key", login().set("tenantKey", None::<String>)),
            ("neither", login().set("tenantKey", None::<String>).set("tenantSecret", None::<String>)),
            ("empty secret", login().set("tenantSecret", "")),
            ("empty both", login().set("tenantKey", "").set("tenantSecret", "")),
            ("a secret longer than the right one", login().set("tenantSecret", format!("{secret}x"))),
            ("a key in another case", login().set("tenantKey", acme.key.to_uppercase())),
            (
                "another tenant's key",
                login().set("tenantKey", globex.key.clone()).set("tenantSecret", globex.secret.clone()),
            ),
            ("another key's secret", login().set("tenantSecret", acme.backend_secret.clone())),
            ("the key as secret", login().set("tenantSecret", acme.key.clone())),
            ("unknown tenant", login().header("x-tenant-id", "nobody").set("tenantId", "nobody")),
            ("system tenant", login().header("x-tenant-id", "system").set("tenantId", None::<String>)),
            ("another tenant in the header", login().header("x-tenant-id", "globex")),
            ("another tenant in the body", login().set("tenantId", "globex")),
            ("suspended tenant", suspended.login(family)),
        ];
        for length in 0..secret.len() {
            calls.push((
                "a wrong secret with a right beginning",
                login().set("tenantSecret", format!("{}~", &secret[..length])),
            ));
            calls.push(("the beginning of a secret", login().set("tenantSecret", &secret[..length])));
        }
        for (what, call) in calls {
            for call in [call.clone(), call.set("password", "wrong")] {
                let answer = app.send(call.request()).await;
                assert_eq!(answer.status.as_u16(), 403, "{what}: {}", answer.text);
                bodies.push(answer.without_request_id());
            }
        }
    }
    for (what, sql) in others {
        app.change(ended(sql)).await;
        let call = acme.login(Family::Individual).set("tenantKey", acme.backend_key.clone());
        let answer = app.send(call.set("tenantSecret", acme.backend_secret.clone()).request()).await;
        assert_eq!(answer.status.as_u16(), 403, "{what}: {}", answer.text);
        bodies.push(answer.without_request_id());
    }
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(app.app.passwords.evaluations(), hashes, "a closed door costs no hash");
    assert_eq!(app.number_of("events").await, events, "what was refused at the door is counted, not written");
    app.login(&acme, Family::Individual).await.expect(200);
}

#[tokio::test]
async fn R046_two_keys_work_at_a_time_and_a_revoked_one_is_dead_on_the_next_request() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let key = vestibule::tenants::NewTenantKey::random(vestibule::tenants::KeyPurpose::Login);
    app.database.apply(tenants::keys::store::insert(&acme.id, &key, START)).await.unwrap();
    let with_new = || {
        acme.login(Family::Individual)
            .set("tenantKey", key.tenant_key.clone())
            .set("tenantSecret", key.tenant_secret.clone())
    };
    app.login(&acme, Family::Individual).await.expect(200);
    app.send(with_new().request()).await.expect(200);
    let revoke =
        "update tenant_keys set revoked_at = $3 where tenant_id = $1 and tenant_key = $2 returning id";
    app.change(Statement::new(revoke).bind(&acme.id).bind(acme.key.as_str()).bind(START)).await;
    app.login(&acme, Family::Individual).await.expect(403);
    app.send(with_new().request()).await.expect(200);
}
