//! A start while the server is away.

use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use vestibule_verifier::{Error, Options, Verifier, WhenStale};

use crate::issuer::{ISSUER, Issuer, Mood, session, until};
use crate::signer::Signer;

#[tokio::test]
async fn a_start_without_the_server_lets_nothing_pass_until_it_comes() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for then in [WhenStale::Refuse, WhenStale::Introspect] {
        let options = Options::new(ISSUER, "backend-key", "backend-secret").when_stale(then);
        let began = Instant::now();
        let verifier = Verifier::start(options.reach_at(format!("http://127.0.0.1:{port}"))).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let health = verifier.health();
        assert!(!health.fresh && health.feed_age.is_none() && health.keys_age.is_none());
        let early = Signer::new("ES256", "key-1").token(&crate::issuer::claims(&session()));
        let asked = Instant::now();
        let error = verifier.verify(&early).await.unwrap_err();
        assert_eq!((error.clone(), error.status()), (Error::Unavailable, 503));
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        if then == WhenStale::Introspect {
            let issuer = Issuer::start_on(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
            let token = issuer.token(&session());
            let after = until(&verifier, &token, Result::is_ok).await;
            assert!(after < Duration::from_secs(6), "{after:?}");
            assert!(verifier.verify(&early).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_start_waits_for_a_silent_server_three_seconds_and_no_longer() {
    let issuer = Issuer::start().await;
    for path in ["jwks.json", "/revocations"] {
        issuer.set_mood(path, Mood::Silent);
    }
    let began = Instant::now();
    let verifier = issuer.verifier().await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let token = issuer.token(&session());
    assert_eq!(verifier.verify(&token).await.unwrap_err(), Error::Unavailable);
    issuer.set_mood("jwks.json", Mood::Well);
    until(&verifier, &token, |answer| matches!(answer, Err(Error::Stale))).await;
    issuer.set_mood("/revocations", Mood::Well);
    until(&verifier, &token, Result::is_ok).await;
}
