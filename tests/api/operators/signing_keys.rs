//! A tenant's signing keys: rotated on a plan, retired at once (R080, R081).

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::flows::retire_replaced_signing_keys;
use vestibule::signing_keys::{KEPT_SECONDS, PUBLISHED_SECONDS};
use vestibule::tenants::{Family, Settings};

use super::{Operator, details};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::login::{SLOW_HASH, until};

pub(super) async fn published(app: &TestApp, slug: &str) -> Vec<String> {
    let set = app.call(Call::get(format!("/t/{slug}/.well-known/jwks.json"))).await.expect(200);
    let mut kids: Vec<_> = set.json["keys"]
        .as_array()
        .unwrap()
        .iter()
        .inspect(|key| {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        })
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect();
    kids.sort();
    kids
}

/// The key that a login's token is signed with.
pub(super) async fn signed_with(app: &TestApp, tenant: &TestTenant) -> (String, Opened) {
    let opened = app.open(tenant, Family::Individual).await;
    let header = opened.token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&vestibule::secrets::from_base64url(header).unwrap()).unwrap();
    (header["kid"].as_str().unwrap().to_owned(), opened)
}

/// States by kid.
async fn states(olga: &Operator<'_>) -> Vec<(String, String)> {
    let list = olga.get("/tenants/acme/signing-keys").await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.data()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| (text(&key["kid"]), text(&key["state"])))
        .collect()
}

pub(super) async fn state_of(olga: &Operator<'_>, kid: &str) -> String {
    states(olga).await.into_iter().find(|(other, _)| other == kid).unwrap().1
}

async fn with_long_sessions(app: &TestApp) -> TestTenant {
    let profile = vestibule::tenants::Profile::Consumer;
    app.tenant_with("acme", Settings { profile, access_seconds: Some(3_600), ..Settings::default() }).await
}

fn sorted(mut kids: Vec<String>) -> Vec<String> {
    kids.sort();
    kids
}

#[tokio::test]
async fn R080_R081_a_planned_rotation_is_published_before_it_signs_and_refuses_no_token() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = with_long_sessions(&app).await;
    let (old, _) = signed_with(&app, &acme).await;
    let next = olga.post("/tenants/acme/signing-keys", json!({})).await.expect(200);
    assert_eq!(next.field("state"), "next");
    assert_eq!(next.field("signsFrom"), app.clock.now().plus_seconds(PUBLISHED_SECONDS).to_string());
    let new = next.field("kid").to_owned();
    assert_eq!(published(&app, "acme").await, sorted(vec![old.clone(), new.clone()]));
    // One next key at a time.
    let refused = olga.post("/tenants/acme/signing-keys", json!({ "now": false })).await.expect(409);
    assert!(refused.field("details").contains(&new), "{}", refused.text);

    app.clock.advance(PUBLISHED_SECONDS * 1000 - 1);
    let (kid, last) = signed_with(&app, &acme).await;
    assert_eq!(kid, old, "the old one signs until the very instant");
    app.clock.advance(1);
    let (kid, first) = signed_with(&app, &acme).await;
    assert_eq!(kid, new);
    assert_eq!(state_of(&olga, &old).await, "retiring");
    assert_eq!(state_of(&olga, &new).await, "signing");
    let replaced_at = app.clock.now();
    for opened in [&last, &first] {
        app.view(&acme, opened).await.expect(200);
    }
    // Until its last token is dead the old key counts, whatever the upkeep does meanwhile.
    app.clock.advance(3_598_000);
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
    app.view(&acme, &last).await.expect(200);
    app.clock.advance(replaced_at.plus_seconds(KEPT_SECONDS).as_millis() - app.clock.now().as_millis() - 1);
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
    assert_eq!(published(&app, "acme").await.len(), 2);
    app.clock.advance(1);
    for _ in 0..2 {
        retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
    }
    assert_eq!(published(&app, "acme").await, [new.as_str()]);
    assert_eq!(state_of(&olga, &old).await, "retired");
    let (kid, opened) = signed_with(&app, &acme).await;
    assert_eq!(kid, new);
    app.view(&acme, &opened).await.expect(200);
    let events = app.events_named(acme.id.as_str(), "signing_key_retired").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("actor_kind").unwrap(), "system");
    assert_eq!(details(&events[0])["kid"], json!(old));
    // The next rotation finds the one that signs now.
    let third = olga.post("/tenants/acme/signing-keys", json!({})).await.expect(200);
    app.clock.advance(PUBLISHED_SECONDS * 1000);
    assert_eq!(signed_with(&app, &acme).await.0, third.field("kid"));
    assert_eq!(state_of(&olga, &new).await, "retiring");
    assert_eq!(app.events_named(acme.id.as_str(), "signing_key_created").await.len(), 2);
}

#[tokio::test]
async fn R081_a_key_that_is_retired_at_once_is_refused_on_the_next_request() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = with_long_sessions(&app).await;
    let (first, opened) = signed_with(&app, &acme).await;
    // The one that signs, with no next one: a new one is made and signs at once.
    let retired = olga.delete(&format!("/tenants/acme/signing-keys/{first}")).await.expect(200);
    assert_eq!(retired.field("state"), "retired");
    assert_eq!(format!("{:?}", app.app.signing_keys), "SigningKeys(1 held)");
    app.view(&acme, &opened).await.expect(401);
    assert_eq!(format!("{:?}", app.app.signing_keys), "SigningKeys(0 held)", "it is not kept in memory");
    app.end(&acme, &opened).await.expect(401);
    let (second, opened) = signed_with(&app, &acme).await;
    assert_ne!(second, first);
    app.view(&acme, &opened).await.expect(200);
    assert_eq!(published(&app, "acme").await, [second.as_str()]);
    // Nobody signs with it again, not even who has the database and the master key.
    let sql = "select private_key from signing_keys where tenant_id = $1 and kid = $2";
    let rows = app.database.fetch(Statement::new(sql).bind(&acme.id).bind(first.as_str())).await.unwrap();
    // It opens: the version before this one opens what it finds when it starts. And there is nothing in it.
    let place = format!("signing_keys/{}/{first}/private_key", acme.id);
    let left = app.app.master.open(&place, &rows[0].text("private_key").unwrap()).unwrap();
    assert!(left.is_empty());
    // The master key that sealed it may go.
    let gone =
        "update signing_keys set private_key = 'v1.k0.AAAA' where tenant_id = $1 and kid = $2 returning kid";
    app.change(Statement::new(gone).bind(&acme.id).bind(first.as_str())).await;
    vestibule::signing_keys::check_master(&app.database, &app.app.master).await.unwrap();
    // A node that does not hold it in memory does not find it either.
    let cold = vestibule::signing_keys::SigningKeys::default();
    let found = cold.find(&app.database, &app.app.master, &acme.id, &first).await.unwrap();
    assert!(found.is_none());

    // The one that signs, with a next one: that one signs at once.
    let next = olga.post("/tenants/acme/signing-keys", json!({})).await.expect(200).field("kid").to_owned();
    olga.delete(&format!("/tenants/acme/signing-keys/{second}")).await.expect(200);
    let (third, _) = signed_with(&app, &acme).await;
    assert_eq!(third, next);
    assert_eq!(published(&app, "acme").await, [third.as_str()]);

    // The next one, before its turn: the one that signs goes on, and is not on its way out.
    let never = olga.post("/tenants/acme/signing-keys", json!({})).await.expect(200).field("kid").to_owned();
    let gone = olga.delete(&format!("/tenants/acme/signing-keys/{never}")).await.expect(200);
    assert_eq!(gone.data()["signsFrom"], Value::Null);
    app.clock.advance(2 * PUBLISHED_SECONDS * 1000);
    assert_eq!(signed_with(&app, &acme).await.0, third);
    app.clock.advance(KEPT_SECONDS * 1000);
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
    assert_eq!(state_of(&olga, &third).await, "signing");

    // One that was replaced: the one that signs goes on.
    let fourth = olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
    assert_eq!(fourth.field("state"), "signing");
    let (kid, opened) = signed_with(&app, &acme).await;
    assert_eq!(kid, fourth.field("kid"));
    olga.delete(&format!("/tenants/acme/signing-keys/{third}")).await.expect(200);
    app.view(&acme, &opened).await.expect(200);
    assert_eq!(signed_with(&app, &acme).await.0, fourth.field("kid"));

    // What is retired stays so, and what is not there is absent.
    for kid in [&first, &second, &third, &never] {
        assert_eq!(
            olga.delete(&format!("/tenants/acme/signing-keys/{kid}")).await.expect(200).field("state"),
            "retired"
        );
    }
    olga.delete("/tenants/acme/signing-keys/none").await.expect(404);
    let events = app.events_named(acme.id.as_str(), "signing_key_retired").await;
    assert_eq!(events.len(), 4);
    assert_eq!(events[0].text("actor_kind").unwrap(), "operator");
    assert_eq!(published(&app, "acme").await.len(), 1);
}

#[tokio::test]
async fn R081_with_now_the_key_that_is_published_already_signs_at_once() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = with_long_sessions(&app).await;
    let (old, opened) = signed_with(&app, &acme).await;
    let next = olga.post("/tenants/acme/signing-keys", json!({})).await.expect(200).field("kid").to_owned();
    app.clock.advance(10_000);
    let hastened = olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
    assert_eq!((hastened.field("kid"), hastened.field("state")), (next.as_str(), "signing"));
    assert_eq!(hastened.field("signsFrom"), app.clock.now().to_string());
    assert_eq!(signed_with(&app, &acme).await.0, next);
    app.view(&acme, &opened).await.expect(200);
    assert_eq!(state_of(&olga, &old).await, "retiring");
    app.clock.advance(KEPT_SECONDS * 1000);
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
    assert_eq!(states(&olga).await.len(), 2);
    assert_eq!(state_of(&olga, &old).await, "retired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R081_of_rotations_at_once_one_succeeds_and_a_key_is_retired_once() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let rotate = || olga.call("POST", "/tenants/acme/signing-keys").json(&json!({}));
    assert_eq!(olga.at_once((0..6).map(|_| rotate()).collect()).await, [200, 409, 409, 409, 409, 409]);
    assert_eq!(app.number_of("signing_keys").await, 2, "nothing is left of those that were refused");
    assert_eq!(published(&app, "acme").await.len(), 2);
    let (kid, _) = signed_with(&app, &acme).await;
    let retire = || olga.call("DELETE", &format!("/tenants/acme/signing-keys/{kid}"));
    assert_eq!(olga.at_once((0..6).map(|_| retire()).collect()).await, [200; 6]);
    assert_eq!(app.number_of("events where name = 'signing_key_retired'").await, 1);
    assert_eq!(published(&app, "acme").await.len(), 1);
    // The upkeep of two nodes at once.
    olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
    app.clock.advance(KEPT_SECONDS * 1000);
    let other = app.database.open_again().await;
    let now = app.clock.now();
    let (left, right) = tokio::join!(
        retire_replaced_signing_keys(&app.database, &app.app.master, now),
        retire_replaced_signing_keys(&other, &app.app.master, now)
    );
    left.unwrap();
    right.unwrap();
    assert_eq!(app.number_of("events where name = 'signing_key_retired'").await, 2);
    assert_eq!(published(&app, "acme").await.len(), 1);
}

#[tokio::test]
async fn R152_another_algorithm_begins_with_the_next_key() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = with_long_sessions(&app).await;
    let (_, before) = signed_with(&app, &acme).await;
    for algorithm in ["EdDSA", "PS256", "RS256", "ES256"] {
        olga.patch("/tenants/acme", json!({ "settings": { "algorithm": algorithm } })).await.expect(200);
        let (old, opened) = signed_with(&app, &acme).await;
        let made = olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
        assert_eq!(made.field("algorithm"), algorithm);
        let (kid, new) = signed_with(&app, &acme).await;
        assert_ne!(kid, old);
        for opened in [&opened, &new, &before] {
            app.view(&acme, opened).await.expect(200);
        }
    }
    assert_eq!(published(&app, "acme").await.len(), 5);
    // A key set has its bound.
    for _ in 0..3 {
        olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
    }
    let refused = olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(409);
    assert!(refused.field("details").contains("retire one"), "{}", refused.text);
    for body in [json!({ "now": "yes" }), json!({ "algorithm": "RS256" }), json!({ "kid": "x" })] {
        olga.post("/tenants/acme/signing-keys", body).await.expect(400);
    }
}

#[tokio::test]
async fn R049_another_tenants_signing_key_is_absent() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let (_, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let (theirs, opened) = signed_with(&app, &globex).await;
    let absent = olga.delete("/tenants/acme/signing-keys/none").await.expect(404);
    let answer = olga.delete(&format!("/tenants/acme/signing-keys/{theirs}")).await.expect(404);
    assert_eq!(answer.without_request_id(), absent.without_request_id());
    app.view(&globex, &opened).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R081_a_login_whose_key_is_retired_meanwhile_is_to_be_tried_again_and_no_failure() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let kid = published(&app, "acme").await.remove(0);
    app.set_hash(acme.person(Family::Individual), &SLOW_HASH).await;
    let login = app.send_apart(&acme.login(Family::Individual));
    until("the attempt is reserved", async || app.number_of("attempts").await == 1).await;
    olga.delete(&format!("/tenants/acme/signing-keys/{kid}")).await.expect(200);
    let answer = login.await.unwrap().expect(503);
    assert_eq!(answer.headers["retry-after"], "2");
    assert_eq!(app.number_of("sessions").await, 0);
    assert_eq!(app.number_of("attempts").await, 0);
    assert_eq!(app.failures(acme.person(Family::Individual)).await, 0);
    app.login(&acme, Family::Individual).await.expect(200);
}

#[tokio::test]
async fn a_key_that_cannot_be_retired_keeps_no_other_tenants_from_it() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    for slug in ["acme", "globex"] {
        app.tenant(slug).await;
        olga.post(&format!("/tenants/{slug}/signing-keys"), json!({ "now": true })).await.expect(200);
        app.clock.advance(1_000);
    }
    app.script("update tenants set valid_kids = 'not JSON' where slug = 'acme'").await;
    app.clock.advance((KEPT_SECONDS + 1) * 1_000);
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap_err();
    assert_eq!(app.number_of("signing_keys where retired_at is not null").await, 1);
}
