//! Tenant keys: made, listed, revoked (R043, R046).

use serde_json::{Value, json};

use super::{Operator, details, door};
use crate::support::app::TestApp;

fn key(answer: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["key"]["id"]), text(&answer["key"]["tenantKey"]), text(&answer["tenantSecret"]))
}

#[tokio::test]
async fn R046_a_key_takes_anothers_place_without_a_failed_request_and_is_dead_once_revoked() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let founded = olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    let (old_id, old, old_secret) = key(&founded.data()["keys"][0]);
    let new =
        olga.post("/tenants/acme/keys", json!({ "purpose": "login", "name": "2026" })).await.expect(200);
    let (_, new, new_secret) = key(new.data());
    assert_eq!((new.len(), new_secret.len()), (28, 43));
    for _ in 0..3 {
        assert_eq!(door(&app, "acme", &old, &old_secret).await, 401);
        assert_eq!(door(&app, "acme", &new, &new_secret).await, 401);
    }
    let revoked = olga.delete(&format!("/tenants/acme/keys/{old_id}")).await.expect(200);
    assert_eq!(revoked.field("state"), "revoked");
    assert_eq!(door(&app, "acme", &old, &old_secret).await, 403);
    assert_eq!(door(&app, "acme", &new, &new_secret).await, 401);
    // Again, and by many at once: it stays as it is, with one event.
    app.clock.advance(5_000);
    let again = (0..8).map(|_| olga.call("DELETE", &format!("/tenants/acme/keys/{old_id}"))).collect();
    assert_eq!(olga.at_once(again).await, [200; 8]);
    let same = olga.delete(&format!("/tenants/acme/keys/{old_id}")).await.expect(200);
    assert_eq!(same.data()["revokedAt"], revoked.data()["revokedAt"]);
    let tenant = founded.data()["tenant"]["id"].as_str().unwrap();
    let events = app.events_named(tenant, "tenant_key_revoked").await;
    assert_eq!(events.len(), 1);
    assert_eq!(details(&events[0])["keyId"], json!(old_id));
    let events = app.events_named(tenant, "tenant_key_created").await;
    assert_eq!(events.len(), 1);
    assert_eq!(details(&events[0])["purpose"], json!("login"));
    let list = olga.get("/tenants/acme/keys").await.expect(200);
    let states: Vec<_> =
        list.data()["items"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!((states.len(), states.iter().filter(|state| **state == "revoked").count()), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R046_two_keys_of_a_purpose_are_valid_at_a_time_however_many_are_asked_for_at_once() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    let create = |purpose: &str| olga.call("POST", "/tenants/acme/keys").json(&json!({ "purpose": purpose }));
    let valid = |purpose: &str| {
        let keys = format!("tenant_keys where revoked_at is null and purpose = '{purpose}'");
        async { app.number_of(&{ keys }).await }
    };
    for purpose in ["login", "backend"] {
        for round in 1..=5 {
            let statuses = olga.at_once((0..24).map(|_| create(purpose)).collect()).await;
            assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{round}: {statuses:?}");
            assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
            assert_eq!(valid(purpose).await, 2);
            let list = olga.get("/tenants/acme/keys").await.expect(200);
            let keys = list.data()["items"].as_array().unwrap();
            let newest =
                keys.iter().find(|key| key["purpose"] == purpose && key["state"] == "valid").unwrap();
            let id = newest["id"].as_str().unwrap();
            olga.delete(&format!("/tenants/acme/keys/{id}")).await.expect(200);
        }
        olga.send(create(purpose)).await.expect(200);
    }
    assert_eq!(app.number_of("events where name = 'tenant_key_created'").await, 12);
    let refused = olga.post("/tenants/acme/keys", json!({ "purpose": "login" })).await.expect(409);
    assert!(refused.field("details").contains("revoke one first"), "{}", refused.text);
}

#[tokio::test]
async fn R046_a_key_that_is_over_or_revoked_makes_room() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    let end = app.clock.now().plus_seconds(60).to_string();
    let short = json!({ "purpose": "login", "expiresAt": end });
    let (id, short_key, secret) = key(olga.post("/tenants/acme/keys", short).await.expect(200).data());
    let more = || olga.post("/tenants/acme/keys", json!({ "purpose": "login" }));
    more().await.expect(409);
    assert_eq!(door(&app, "acme", &short_key, &secret).await, 401);
    app.clock.advance(60_000);
    assert_eq!(door(&app, "acme", &short_key, &secret).await, 403);
    let list = olga.get("/tenants/acme/keys").await.expect(200);
    let over = list.data()["items"].as_array().unwrap().iter().find(|key| key["id"] == json!(id)).unwrap();
    assert_eq!(over["state"], "expired");
    let (id, ..) = key(more().await.expect(200).data());
    more().await.expect(409);
    olga.delete(&format!("/tenants/acme/keys/{id}")).await.expect(200);
    more().await.expect(200);
}

#[tokio::test]
async fn a_key_is_brought_along_whole_within_bounds_and_is_nobody_elses() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    for slug in ["acme", "globex"] {
        olga.post("/tenants", json!({ "slug": slug, "name": slug, "keys": [] })).await.expect(200);
    }
    // As long as the documented ones.
    let (name, secret) = ("b1B2c3D4e5F6g7H8i9J0kLmNopQr", "t3Cr3tKeyXyZpQwErTyUiOpAsDfGh");
    let brought = json!({ "purpose": "login", "tenantKey": name, "tenantSecret": secret });
    olga.post("/tenants/acme/keys", brought.clone()).await.expect(200);
    assert_eq!(door(&app, "acme", name, secret).await, 401);
    for slug in ["acme", "globex"] {
        let refused = olga.post(&format!("/tenants/{slug}/keys"), brought.clone()).await.expect(409);
        assert_eq!(refused.field("field"), "tenantKey");
    }
    let founding = json!({ "slug": "third", "name": "Third", "keys": [brought] });
    assert_eq!(olga.post("/tenants", founding).await.expect(409).field("field"), "tenantKey");
    olga.get("/tenants/third").await.expect(404);

    let good_key = "0123456789abcdef";
    let good_secret = "0123456789abcdefghijkl";
    for (body, fields) in [
        (json!({ "tenantKey": good_key }), vec!["tenantSecret"]),
        (json!({ "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": &good_key[1..], "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": "x".repeat(129), "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": "0123456789:abcdef", "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": "0123456789 abcdef", "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": "0123456789é0abcdef", "tenantSecret": good_secret }), vec!["tenantKey"]),
        (json!({ "tenantKey": good_key, "tenantSecret": &good_secret[1..] }), vec!["tenantSecret"]),
        (json!({ "tenantKey": good_key, "tenantSecret": "x".repeat(257) }), vec!["tenantSecret"]),
        (json!({ "tenantKey": good_key, "tenantSecret": "0123456789abcdefghijk\n" }), vec!["tenantSecret"]),
        (json!({ "tenantKey": good_secret, "tenantSecret": good_secret }), vec!["tenantSecret"]),
        (
            json!({ "tenantKey": good_key, "tenantSecret": "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh" }),
            vec!["tenantSecret"],
        ),
        (
            json!({ "tenantKey": good_key, "tenantSecret": "b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh" }),
            vec!["tenantSecret"],
        ),
        (json!({ "tenantKey": "", "tenantSecret": "" }), vec!["tenantKey", "tenantSecret"]),
        (json!({ "name": "" }), vec!["name"]),
        (json!({ "name": "x".repeat(101) }), vec!["name"]),
        (json!({ "expiresAt": app.clock.now().to_string(), "name": "" }), vec!["name", "expiresAt"]),
        (json!({ "expiresAt": "2026-13-01" }), vec!["expiresAt"]),
        (json!({ "purpose": "admin" }), vec!["purpose"]),
    ] {
        let mut whole = json!({ "purpose": "backend" });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = olga.post("/tenants/acme/keys", whole).await.expect(400);
        assert_eq!(answer.complaints(), fields, "{body}");
        for value in
            body.as_object().unwrap().values().filter_map(Value::as_str).filter(|text| text.len() > 20)
        {
            assert!(!answer.text.contains(value), "a secret in an answer: {}", answer.text);
        }
    }
    for body in [
        json!({}),
        json!({ "purpose": "login", "id": "x" }),
        json!({ "purpose": "login", "secretDigest": "x" }),
    ] {
        olga.post("/tenants/acme/keys", body).await.expect(400);
    }
    olga.post("/tenants/nobody/keys", json!({ "purpose": "login" })).await.expect(404);
    olga.delete("/tenants/acme/keys/nobody").await.expect(404);
    assert_eq!(app.number_of("tenant_keys").await, 1);
}

#[tokio::test]
async fn R049_another_tenants_key_is_absent() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    let theirs = olga.post("/tenants", json!({ "slug": "globex", "name": "Globex" })).await.expect(200);
    let (id, name, secret) = key(&theirs.data()["keys"][0]);
    let absent = olga.delete("/tenants/acme/keys/00000000-0000-4000-8000-000000000000").await.expect(404);
    let answer = olga.delete(&format!("/tenants/acme/keys/{id}")).await.expect(404);
    assert_eq!(answer.without_request_id(), absent.without_request_id());
    assert_eq!(door(&app, "globex", &name, &secret).await, 401);
}

#[tokio::test]
async fn R043_no_secret_is_listed_or_stored() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let founded = olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    let canary = "Canary-s3cret-0123456789-Canary";
    let brought =
        json!({ "purpose": "backend", "tenantKey": "canary-key-0123456789", "tenantSecret": canary });
    olga.post("/tenants/acme/keys", brought).await.expect(200);
    let mut secrets = vec![canary.to_owned(), olga.token.clone(), olga.token[5..].to_owned()];
    secrets.extend(founded.data()["keys"].as_array().unwrap().iter().map(|made| key(made).2));
    assert_eq!(secrets.len(), 5);
    let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
    assert!(stored.contains("canary-key-0123456789"), "the stored is searched");
    let lists = [
        olga.get("/tenants/acme/keys").await.expect(200).text,
        olga.get("/tenants/acme").await.expect(200).text,
        olga.get("/tenants").await.expect(200).text,
        olga.get("/operators").await.expect(200).text,
        olga.get("/tenants/acme/signing-keys").await.expect(200).text,
    ];
    for secret in &secrets {
        assert!(!stored.contains(secret.as_str()), "{secret} is stored");
        assert!(lists.iter().all(|list| !list.contains(secret.as_str())), "{secret} is listed");
    }
    assert!(lists.iter().all(|list| !list.contains("private") && !list.contains("igest")));
}
