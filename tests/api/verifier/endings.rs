//! Ways in which sessions end, and which go on.

use reqwest::Method;
use serde_json::json;
use vestibule_verifier::Error;

use super::{Bank, PASSWORD, SOON, ends_soon, until};

#[tokio::test]
async fn R102_a_token_is_taken_until_its_session_is_logged_out_and_refused_within_a_second() {
    let bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let (one, other) = (bank.log_in().await, bank.log_in().await);
    let token = verifier.verify(&one.token).await.unwrap();
    assert_eq!(token.session_id(), one.id);
    assert_eq!((token.user_id(), token.customer_id()), (&*bank.user, &*bank.customer));
    assert_eq!((token.user_type(), token.has_role("USER")), ("CONSUMER", true));
    assert!(token.expires_at() > token.issued_at() && token.issued_at() >= token.authenticated_at());
    bank.in_session(Method::DELETE, &one, &format!("/sessions/{}", one.id), None).await;
    ends_soon(&verifier, &one, "logout").await;
    assert!(verifier.verify(&other.token).await.is_ok());
    assert!(verifier.health().fresh);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_keeps_the_one_it_was_made_in() {
    let bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let (kept, other) = (bank.log_in().await, bank.log_in().await);
    let new = "seven blue bottles";
    let body = json!({ "currentPassword": PASSWORD, "newPassword": new, "matchingPassword": new });
    bank.in_session(Method::PUT, &kept, "/credentials", Some(body)).await;
    ends_soon(&verifier, &other, "password_changed").await;
    assert!(verifier.verify(&kept.token).await.is_ok());
}

#[tokio::test]
async fn a_suspended_users_and_customers_sessions_end_and_later_ones_do_not() {
    let bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let first = bank.log_in().await;
    assert!(verifier.verify(&first.token).await.is_ok());
    let of_user = |act: &str| format!("/api/v2.1/admin/users/{}/{act}", bank.user);
    bank.backend(Method::POST, &of_user("suspend"), Some(json!({ "reason": "lost-phone" }))).await;
    ends_soon(&verifier, &first, "user_disabled").await;
    bank.backend(Method::POST, &of_user("resume"), Some(json!({}))).await;
    let second = bank.log_in().await;
    assert!(verifier.verify(&second.token).await.is_ok());
    assert!(matches!(verifier.verify(&first.token).await, Err(Error::Ended { .. })), "nothing revives");
    let of_customer = format!("/api/v2.1/admin/customers/{}/suspend", bank.customer);
    bank.backend(Method::POST, &of_customer, Some(json!({ "reason": "inquiry" }))).await;
    let after = until(&verifier, &second.token, |answer| matches!(answer, Err(Error::Ended { .. }))).await;
    assert!(after < SOON, "{after:?}");
}

#[tokio::test]
async fn a_suspended_tenants_tokens_are_refused_within_a_second_and_those_after_it_was_resumed_are_taken() {
    let bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let old = bank.log_in().await;
    assert!(verifier.verify(&old.token).await.is_ok());
    bank.made.folder.run(&["tenant", "suspend", "acme", "--reason", "contract ended"]).well();
    // The feed tells it, or does not let us in any more.
    let after = until(&verifier, &old.token, Result::is_err).await;
    assert!(after < SOON, "{after:?}");
    bank.made.folder.run(&["tenant", "resume", "acme"]).well();
    let new = bank.log_in().await;
    until(&verifier, &new.token, Result::is_ok).await;
    assert!(matches!(verifier.verify(&old.token).await, Err(Error::Ended { .. })), "nothing revives");
}

#[tokio::test]
async fn a_signing_key_that_signs_at_once_is_fetched_for_its_first_token() {
    let bank = Bank::open().await;
    let verifier = bank.verifier().await;
    let old = bank.log_in().await;
    assert!(verifier.verify(&old.token).await.is_ok());
    bank.made.folder.run(&["signing-keys", "rotate", "acme", "--now"]).well();
    let new = bank.log_in().await;
    assert!(verifier.verify(&new.token).await.is_ok());
    assert!(verifier.verify(&old.token).await.is_ok(), "the old key counts until its last token is dead");
}
