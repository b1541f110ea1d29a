//! A node that goes and comes, and one that cannot be reached.

use std::time::Duration;

use reqwest::Method;
use vestibule_verifier::{Error, Verifier, WhenStale};

use super::{Bank, ends_soon, until};
use crate::support::proxy::Proxy;

#[tokio::test]
async fn a_verifier_goes_on_from_its_cursor_when_a_node_was_restarted() {
    let mut bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let (one, two, three) = (bank.log_in().await, bank.log_in().await, bank.log_in().await);
    bank.in_session(Method::DELETE, &one, &format!("/sessions/{}", one.id), None).await;
    ends_soon(&verifier, &one, "logout").await;
    let address = bank.server.address().to_owned();
    bank.server.kill();
    bank.server = bank.made.folder.serve(&[("VESTIBULE_LISTEN", &address)]);
    bank.in_session(Method::DELETE, &two, &format!("/sessions/{}", two.id), None).await;
    until(&verifier, &two.token, |answer| matches!(answer, Err(Error::Ended { .. }))).await;
    until(&verifier, &three.token, Result::is_ok).await;
    assert!(matches!(verifier.verify(&one.token).await, Err(Error::Ended { .. })));
}

#[tokio::test]
async fn a_wire_that_is_cut_makes_it_stale_after_five_seconds_and_it_asks_or_refuses_until_it_is_mended() {
    let bank = Bank::open().await;
    let port = bank.server.address().rsplit_once(':').unwrap().1.parse().unwrap();
    let wire = Proxy::to(port);
    let options = bank.options().reach_at(format!("http://127.0.0.1:{}", wire.port()));
    let verifier = Verifier::start(options.clone()).await.unwrap();
    let asking = Verifier::start(options.when_stale(WhenStale::Introspect)).await.unwrap();
    let (session, ended) = (bank.log_in().await, bank.log_in().await);
    for verifier in [&verifier, &asking] {
        assert!(verifier.verify(&session.token).await.is_ok());
    }
    wire.stall();
    bank.in_session(Method::DELETE, &ended, &format!("/sessions/{}", ended.id), None).await;
    let after = until(&verifier, &session.token, |answer| matches!(answer, Err(Error::Stale))).await;
    assert!((Duration::from_millis(2_500)..Duration::from_secs(6)).contains(&after), "{after:?}");
    assert!(matches!(verifier.verify(&ended.token).await, Err(Error::Stale)));
    until(&asking, &session.token, |answer| matches!(answer, Err(Error::Stale))).await;
    wire.forward();
    for verifier in [&verifier, &asking] {
        until(verifier, &session.token, Result::is_ok).await;
        until(verifier, &ended.token, |answer| matches!(answer, Err(Error::Ended { .. }))).await;
    }
}

#[tokio::test]
async fn a_verifier_that_started_before_the_server_takes_tokens_when_it_is_there() {
    let mut bank = Bank::open().await;
    let session = bank.log_in().await;
    let options = bank.options();
    let address = bank.server.address().to_owned();
    bank.server.kill();
    let verifier = Verifier::start(options).await.unwrap();
    assert!(matches!(verifier.verify(&session.token).await, Err(Error::Unavailable)));
    bank.server = bank.made.folder.serve(&[("VESTIBULE_LISTEN", &address)]);
    until(&verifier, &session.token, Result::is_ok).await;
}
