//! What the feed ends, how soon, and what happens when it is cut.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule_verifier::{Error, StartError, Verifier};

use crate::issuer::{Issuer, Mood, claims, now_millis, session, session_opened_at, until};

fn is_stale<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Stale))
}

fn has_ended<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Ended { .. }))
}

fn logout(session: &str) -> Value {
    json!({ "sessionId": session, "reason": "logout" })
}

#[tokio::test]
async fn R102_an_ended_session_is_refused_within_a_second_and_the_others_go_on() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let other = issuer.token(&session());
    let mut worst = Duration::ZERO;
    for _ in 0..20 {
        let session = session();
        let token = issuer.token(&session);
        assert!(verifier.verify(&token).await.is_ok());
        issuer.revoke(logout(&session));
        worst = worst.max(until(&verifier, &token, has_ended).await);
        let error = verifier.verify(&token).await.unwrap_err();
        assert_eq!(error, Error::Ended { reason: Some("logout".into()) });
        assert_eq!((error.status(), error.www_authenticate()), (401, Some("Bearer error=\"invalid_token\"")));
        assert!(verifier.verify(&other).await.is_ok());
    }
    assert!(worst < Duration::from_secs(1), "{worst:?}");
    // Another token of the session, signed since.
    let session = session();
    issuer.revoke(logout(&session));
    until(&verifier, &issuer.token(&session), has_ended).await;
    let mut again = claims(&session);
    again["jti"] = json!("another");
    assert!(has_ended(&verifier.verify(&issuer.signer.token(&again)).await), "R079");
}

#[tokio::test]
async fn entries_of_a_user_a_customer_and_the_tenant_end_what_was_opened_by_then_but_one() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let now = now_millis();
    let (kept, old, new) =
        (session_opened_at(now - 10), session_opened_at(now - 5), session_opened_at(now + 1));
    issuer.revoke(json!({ "userId": "user-1", "openedUntil": now, "exceptSessionId": kept, "reason": "password_changed" }));
    until(&verifier, &issuer.token(&old), has_ended).await;
    assert!(verifier.verify(&issuer.token(&kept)).await.is_ok());
    assert!(verifier.verify(&issuer.token(&new)).await.is_ok());
    let mut of_another = claims(&session_opened_at(now - 5));
    of_another["sub"] = json!("user-2");
    of_another["userId"] = json!("user-2");
    assert!(verifier.verify(&issuer.signer.token(&of_another)).await.is_ok());
    issuer.revoke(json!({ "customerId": "customer-1", "openedUntil": now, "reason": "customer_closed" }));
    until(&verifier, &issuer.signer.token(&of_another), has_ended).await;
    of_another["customerId"] = json!("customer-2");
    assert!(verifier.verify(&issuer.signer.token(&of_another)).await.is_ok());
    issuer.revoke(json!({ "tenantId": "tenant-1", "openedUntil": now, "reason": "tenant_suspended" }));
    until(&verifier, &issuer.signer.token(&of_another), has_ended).await;
    // Opened since.
    assert!(verifier.verify(&issuer.token(&new)).await.is_ok());
}

#[tokio::test]
async fn what_had_ended_before_the_start_is_known_page_by_page() {
    let issuer = Issuer::start().await;
    issuer.set_page(3);
    let sessions: Vec<_> = (0..10).map(|_| session()).collect();
    for ended in &sessions {
        issuer.revoke(logout(ended));
    }
    let verifier = issuer.verifier().await;
    assert!(issuer.calls("/revocations") >= 4);
    assert_eq!(verifier.health().entries, 10);
    for ended in &sessions {
        assert!(has_ended(&verifier.verify(&issuer.token(ended)).await));
    }
    assert!(verifier.verify(&issuer.token(&session())).await.is_ok());
}

/// The feed is cut off in a way; five seconds later nothing passes, until it is back.
async fn cut(mood: Mood) {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let (token, ended) = (issuer.token(&session()), session());
    let missed = session();
    issuer.revoke(logout(&ended));
    until(&verifier, &issuer.token(&ended), has_ended).await;
    assert!(verifier.health().fresh);
    issuer.set_mood("/revocations", mood);
    issuer.revoke(logout(&missed));
    let after = until(&verifier, &token, is_stale).await;
    // The last answer was asked for up to a second and a bit before the cut.
    assert!((Duration::from_millis(2_500)..Duration::from_secs(6)).contains(&after), "{after:?}");
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!((error.status(), error.www_authenticate()), (503, None));
    assert!(!verifier.health().fresh);
    // What is known to have ended stays so.
    assert!(has_ended(&verifier.verify(&issuer.token(&ended)).await));
    issuer.set_mood("/revocations", Mood::Well);
    let back = until(&verifier, &token, Result::is_ok).await;
    assert!(back < Duration::from_secs(5), "{back:?}");
    assert!(has_ended(&verifier.verify(&issuer.token(&missed)).await), "what ended meanwhile");
}

#[tokio::test]
async fn a_feed_that_fails_makes_it_stale_after_five_seconds_and_fresh_when_it_is_back() {
    cut(Mood::Refusing).await;
}

#[tokio::test]
async fn a_feed_that_says_nothing_makes_it_stale_after_five_seconds_and_fresh_when_it_is_back() {
    cut(Mood::Silent).await;
}

#[tokio::test]
async fn a_feed_that_no_longer_lets_us_in_makes_it_stale_at_once() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok());
    issuer.set_mood("/revocations", Mood::Forbidding);
    let after = until(&verifier, &token, is_stale).await;
    assert!(after < Duration::from_millis(1_800), "{after:?}");
    issuer.set_mood("/revocations", Mood::Well);
    until(&verifier, &token, Result::is_ok).await;
}

#[tokio::test]
async fn a_feed_that_lags_behind_is_as_old_as_it_says() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    issuer.set_behind(6_000);
    until(&verifier, &token, is_stale).await;
    issuer.set_behind(1_000);
    until(&verifier, &token, Result::is_ok).await;
    assert!(verifier.health().feed_age.unwrap() >= Duration::from_secs(1));
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_read_from_its_beginning_and_nothing_revives() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let (first, lost, later) = (session(), session(), session());
    for ended in [&first, &lost] {
        issuer.revoke(logout(ended));
        until(&verifier, &issuer.token(ended), has_ended).await;
    }
    issuer.roll_back(vec![logout(&first), logout(&later)]);
    until(&verifier, &issuer.token(&later), has_ended).await;
    assert!(has_ended(&verifier.verify(&issuer.token(&lost)).await));
    let next = session();
    issuer.revoke(logout(&next));
    until(&verifier, &issuer.token(&next), has_ended).await;
}

#[tokio::test]
async fn an_unknown_cursor_makes_it_stale_at_once_until_it_has_caught_up() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok());
    // Read entry by entry, the new copy takes a while.
    issuer.set_page(1);
    issuer.roll_back((0..500).map(|_| logout(&session())).collect());
    let after = until(&verifier, &token, is_stale).await;
    assert!(after < Duration::from_millis(1_500), "{after:?}");
    until(&verifier, &token, Result::is_ok).await;
    assert!(verifier.health().entries >= 500);
}

#[tokio::test]
async fn an_entry_of_a_later_version_makes_it_stale_and_nothing_is_passed_over() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let (token, ended) = (issuer.token(&session()), session());
    issuer.revoke(json!({ "deviceId": "device-1", "reason": "device_forgotten" }));
    issuer.revoke(logout(&ended));
    until(&verifier, &token, is_stale).await;
    assert!(!has_ended(&verifier.verify(&issuer.token(&ended)).await));
    issuer.roll_back(vec![logout(&ended)]);
    until(&verifier, &token, Result::is_ok).await;
    assert!(has_ended(&verifier.verify(&issuer.token(&ended)).await));
}

#[tokio::test]
async fn more_entries_than_may_be_held_make_it_stale_not_forgetful() {
    let issuer = Issuer::start().await;
    let verifier = Verifier::start(issuer.options().max_entries(3)).await.unwrap();
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok());
    for _ in 0..4 {
        issuer.revoke(logout(&session()));
    }
    until(&verifier, &token, is_stale).await;
    assert!(verifier.health().entries <= 3);
}

#[tokio::test]
async fn a_wrong_backend_key_lets_nothing_pass() {
    let issuer = Issuer::start().await;
    let options = vestibule_verifier::Options::new(crate::issuer::ISSUER, "backend-key", "wrong");
    let verifier = Verifier::start(options.reach_at(&issuer.address)).await.unwrap();
    assert!(is_stale(&verifier.verify(&issuer.token(&session())).await));
}

#[tokio::test]
async fn the_background_task_ends_with_the_last_clone() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let clone = verifier.clone();
    drop(verifier);
    let before = issuer.calls("/revocations");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(issuer.calls("/revocations") > before, "a clone is left");
    assert!(clone.verify(&issuer.token(&session())).await.is_ok());
    drop(clone);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let before = (issuer.calls("/revocations"), issuer.calls("jwks.json"));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!((issuer.calls("/revocations"), issuer.calls("jwks.json")), before);
}

#[tokio::test]
async fn while_nothing_ends_it_asks_about_once_a_second() {
    let issuer = Issuer::start().await;
    let _verifier = issuer.verifier().await;
    let before = issuer.calls("/revocations");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = issuer.calls("/revocations") - before;
    assert!((1..=5).contains(&asked), "{asked}");
}

#[tokio::test]
async fn ages_that_no_feed_keeps_are_refused() {
    for seconds in [0, 2, 61, 3_600] {
        let options = vestibule_verifier::Options::new("https://id.example.test/t/a", "k", "s");
        let started = Verifier::start(options.max_age(Duration::from_secs(seconds))).await;
        assert!(matches!(started, Err(StartError::MaxAge)), "{seconds}");
    }
}
