//! The sealed log's checkpoint, which rides in the feed.

use serde_json::Value;
use vestibule::tenants::Family;
use vestibule_audit::{Checkpoint, Digest, Hash, VerifierKey, verify_consistency};

use super::path;
use super::waiting::Reading;
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Call;

/// What was told, its signature checked, and the proof.
fn read(told: &Value, tenant: &TestTenant) -> (Checkpoint, Vec<Hash>) {
    let key: VerifierKey = told["verifierKey"].as_str().unwrap().parse().unwrap();
    assert_eq!(key.name(), format!("id.example.test/t/{}", tenant.slug));
    let checkpoint = Checkpoint::verify(told["note"].as_str().unwrap(), &key).unwrap();
    assert_eq!(checkpoint.origin, key.name());
    let proof: Vec<Digest> = serde_json::from_value(told["consistencyProof"].clone()).unwrap();
    (checkpoint, proof.into_iter().map(|hash| hash.0).collect())
}

fn goes_on(held: &Checkpoint, (newer, proof): &(Checkpoint, Vec<Hash>)) -> bool {
    verify_consistency(held.size, &held.root, newer.size, &newer.root, proof)
}

#[tokio::test]
async fn R139_the_feed_carries_the_newest_checkpoint_and_the_proof_from_the_one_that_is_held() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    let told = async |tenant: &TestTenant, size: u64| {
        app.revocations(tenant, &format!("?checkpoint={size}")).await.expect(200).data()["checkpoint"].clone()
    };
    assert_eq!(told(&tenant, 0).await, Value::Null, "nothing is sealed yet");
    let mut held = Vec::new();
    for _ in 0..5 {
        app.login(&tenant, Family::Individual).await.expect(200);
        app.seal_events().await;
        let (first, nothing) = read(&told(&tenant, 0).await, &tenant);
        assert!(nothing.is_empty(), "from nothing there is nothing to prove");
        held.push(first);
    }
    app.login(&other, Family::Individual).await.expect(200);
    app.seal_events().await;
    for one in &held {
        let newest = read(&told(&tenant, one.size).await, &tenant);
        assert_eq!(Some(&newest.0), held.last());
        assert!(goes_on(one, &newest));
        let fork = Checkpoint { root: [7; 32], ..one.clone() };
        assert!(!goes_on(&fork, &newest));
    }
    // Whoever holds a greater one is told what there is, and nothing that would prove it.
    let (newest, proof) = read(&told(&tenant, 1_000).await, &tenant);
    assert!(Some(&newest) == held.last() && proof.is_empty());
    assert_ne!(read(&told(&other, 0).await, &other).0.root, newest.root);
    // Nobody who does not ask is told.
    let plain = app.revocations(&tenant, "").await.expect(200);
    assert!(plain.data().get("checkpoint").is_none());
    for bad in ["-1", "x", "", "1.5", "9223372036854775808"] {
        let answer = app.revocations(&tenant, &format!("?checkpoint={bad}")).await.expect(400);
        assert_eq!(answer.data()["errors"][0]["field"], "checkpoint", "{bad}");
    }
}

#[tokio::test]
async fn R139_a_stream_begins_with_the_checkpoint_and_shows_it_again_when_it_has_grown() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    let mut stream = Reading::open(&app.router, &tenant, "?checkpoint=0", None).await;
    let first = stream.next().await.unwrap();
    let held = read(&first.data["checkpoint"], &tenant).0;
    app.login(&tenant, Family::Individual).await.expect(200);
    app.seal_events().await;
    // It looks every five seconds.
    let mut grown = Value::Null;
    for _ in 0..12 {
        let message = stream.next().await.unwrap();
        if let Some(told) = message.data.get("checkpoint") {
            grown = told.clone();
            break;
        }
    }
    let newer = read(&grown, &tenant);
    assert!(newer.0.size > held.size && goes_on(&held, &newer));
    let mut plain = Reading::open(&app.router, &tenant, "", None).await;
    assert!(plain.next().await.unwrap().data.get("checkpoint").is_none());
    let refused = Call::get(format!("{}?checkpoint=x", path(&tenant))).backend(&tenant);
    app.call(refused.and("accept", "text/event-stream")).await.expect(400);
}
