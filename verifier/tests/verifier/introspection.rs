//! Asking instead of refusing, while the feed is stale.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use vestibule_verifier::{Error, Verifier, WhenStale};

use crate::issuer::{Issuer, Mood, claims, session, until};
use crate::signer::Signer;

async fn asking(issuer: &Issuer) -> Verifier {
    Verifier::start(issuer.options().when_stale(WhenStale::Introspect)).await.unwrap()
}

/// Waits until the feed, which is cut, is too old.
async fn stale(verifier: &Verifier) {
    while verifier.health().fresh {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn while_the_feed_is_stale_the_issuer_is_asked_about_each_token_and_before_and_after_about_none() {
    let issuer = Issuer::start().await;
    let verifier = asking(&issuer).await;
    let (good, ended) = (session(), session());
    issuer.set_inactive(&ended);
    assert!(verifier.verify(&issuer.token(&good)).await.is_ok());
    assert_eq!(issuer.calls("/introspect"), 0, "while it is fresh nobody is asked");
    issuer.set_mood("/revocations", Mood::Refusing);
    stale(&verifier).await;
    for times in 1..=3 {
        assert!(verifier.verify(&issuer.token(&good)).await.is_ok());
        assert_eq!(issuer.calls("/introspect"), times, "each time anew");
    }
    assert_eq!(verifier.verify(&issuer.token(&ended)).await.unwrap_err(), Error::Ended { reason: None });
    // What does not hold by itself is not asked about.
    let asked = issuer.calls("/introspect");
    let forged = Signer::new("ES256", "key-1").token(&claims(&good));
    assert!(matches!(verifier.verify(&forged).await, Err(Error::Invalid(_))));
    assert_eq!(issuer.calls("/introspect"), asked);
    for mood in [Mood::Refusing, Mood::Silent] {
        issuer.set_mood("/introspect", mood);
        let began = Instant::now();
        assert_eq!(verifier.verify(&issuer.token(&good)).await.unwrap_err(), Error::Stale);
        assert!(began.elapsed() < Duration::from_secs(4));
    }
    issuer.set_mood("/introspect", Mood::Well);
    issuer.set_mood("/revocations", Mood::Well);
    while !verifier.health().fresh {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = issuer.calls("/introspect");
    assert!(verifier.verify(&issuer.token(&good)).await.is_ok());
    assert_eq!(issuer.calls("/introspect"), asked);
}

#[tokio::test]
async fn an_endpoint_that_is_not_the_issuers_never_sees_the_key() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    for endpoint in [
        format!("{}/oauth2/introspect", other.address),
        "https://evil.example.test/oauth2/introspect".to_owned(),
        "http://id.example.test/oauth2/introspect".to_owned(),
        "https://id.example.test:8443/oauth2/introspect".to_owned(),
        "/oauth2/introspect".to_owned(),
    ] {
        issuer.set_introspection_endpoint(&endpoint);
        issuer.set_mood("/revocations", Mood::Refusing);
        let verifier = asking(&issuer).await;
        let answer = verifier.verify(&issuer.token(&session())).await;
        assert_eq!(answer.unwrap_err(), Error::Stale, "{endpoint}");
    }
    assert_eq!((issuer.calls("/introspect"), other.calls("/introspect")), (0, 0));
}

#[tokio::test]
async fn many_tokens_at_once_are_asked_about_and_none_waits_for_ever() {
    let issuer = Issuer::start().await;
    issuer.set_mood("/revocations", Mood::Refusing);
    let verifier = asking(&issuer).await;
    let token = issuer.token(&session());
    until(&verifier, &token, Result::is_ok).await;
    issuer.set_mood("/introspect", Mood::Silent);
    let began = Instant::now();
    let mut many = JoinSet::new();
    for _ in 0..200 {
        let (verifier, token) = (verifier.clone(), token.clone());
        many.spawn(async move { verifier.verify(&token).await });
    }
    assert!(many.join_all().await.iter().all(|answer| matches!(answer, Err(Error::Stale))));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}
