//! Keys come, go, and are asked for by garbage.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use vestibule_verifier::{Error, Invalid, Verifier};

use crate::issuer::{Issuer, Mood, claims, session, until};
use crate::signer::Signer;

#[tokio::test]
async fn a_new_keys_first_token_is_taken_and_a_removed_keys_last_is_not() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let next = Signer::new("EdDSA", "key-2");
    let (old, new) = (issuer.token(&session()), next.token(&claims(&session())));
    assert!(verifier.verify(&old).await.is_ok());
    // Published and used at once, as after an emergency: nobody had the time to fetch it.
    issuer.set_keys(&[&issuer.signer, &next]);
    assert!(verifier.verify(&new).await.is_ok());
    assert!(verifier.verify(&old).await.is_ok());
    // Once the set is fetched again, here because of a kid that nobody has, a key that left it counts no more.
    issuer.set_keys(&[&next]);
    let nobodys = Signer::new("ES256", "key-3").token(&claims(&session()));
    assert_eq!(verifier.verify(&nobodys).await.unwrap_err(), Error::Invalid(Invalid::UnknownKey));
    assert_eq!(verifier.verify(&old).await.unwrap_err(), Error::Invalid(Invalid::UnknownKey));
    assert!(verifier.verify(&new).await.is_ok());
}

#[tokio::test]
async fn R073_a_flood_of_unknown_kids_fetches_the_keys_once_in_two_seconds_and_hinders_nobody() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let good = issuer.token(&session());
    let before = issuer.calls("jwks.json");
    let began = Instant::now();
    let garbage = Signer::new("ES256", "unused");
    let mut flood = JoinSet::new();
    for number in 0..400 {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": format!("made-up-{number}") });
        let token = garbage.sign(&header.to_string(), &claims(&session()).to_string());
        let verifier = verifier.clone();
        flood.spawn(async move { verifier.verify(&token).await.unwrap_err() });
    }
    for _ in 0..20 {
        let asked = Instant::now();
        assert!(verifier.verify(&good).await.is_ok());
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = flood.join_all().await;
    let waited = refused.iter().filter(|error| **error == Error::Invalid(Invalid::UnknownKey)).count();
    let turned_away = refused.iter().filter(|error| **error == Error::Unavailable).count();
    assert_eq!(waited + turned_away, 400);
    assert!((1..=128).contains(&waited), "{waited}");
    let fetches = issuer.calls("jwks.json") - before;
    let most = 1 + usize::try_from(began.elapsed().as_millis() / 2_000).unwrap();
    assert!((1..=most).contains(&fetches), "{fetches} in {:?}", began.elapsed());
}

#[tokio::test]
async fn tokens_of_others_and_dead_tokens_of_retired_keys_fetch_no_keys() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let retired = Signer::new("ES256", "retired");
    let before = issuer.calls("jwks.json");
    for (name, value) in
        [("iss", json!("https://id.example.test/t/b")), ("exp", json!(1)), ("aud", json!("x"))]
    {
        let mut dead = claims(&session());
        dead[name] = value;
        assert!(matches!(verifier.verify(&retired.token(&dead)).await, Err(Error::Invalid(_))));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(issuer.calls("jwks.json"), before);
}

#[tokio::test]
async fn while_the_keys_cannot_be_fetched_the_old_ones_count_and_unknown_ones_are_refused() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    for mood in [Mood::Refusing, Mood::Silent] {
        issuer.set_mood("jwks.json", mood);
        let unknown = Signer::new("ES256", "key-9").token(&claims(&session()));
        let asked = Instant::now();
        assert_eq!(verifier.verify(&unknown).await.unwrap_err(), Error::Invalid(Invalid::UnknownKey));
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert!(verifier.verify(&issuer.token(&session())).await.is_ok());
    }
}

#[tokio::test]
async fn a_set_that_is_none_takes_no_keys_away() {
    let issuer = Issuer::start().await;
    let strange = Verifier::start(issuer.options()).await.unwrap();
    issuer.set_keys(&[&issuer.signer; 33]);
    let unknown = Signer::new("ES256", "key-9").token(&claims(&session()));
    assert!(strange.verify(&unknown).await.is_err());
    assert!(strange.verify(&issuer.token(&session())).await.is_ok());
    // An empty set takes them all.
    issuer.set_keys(&[]);
    until(&strange, &unknown, |answer| *answer.as_ref().unwrap_err() == Error::Invalid(Invalid::UnknownKey))
        .await;
    assert_eq!(
        strange.verify(&issuer.token(&session())).await.unwrap_err(),
        Error::Invalid(Invalid::UnknownKey)
    );
}
