//! The server's database was put back to an older copy of itself.

use serde_json::json;
use vestibule_verifier::Error;

use crate::issuer::{Issuer, now_millis, session, until};
use crate::log::Log;

#[tokio::test]
async fn R163_who_forgets_the_checkpoint_after_a_restore_reads_the_feed_from_its_beginning() {
    let issuer = Issuer::start().await;
    issuer.set_log(Log::of(9));
    issuer.revoke(json!({ "sessionId": session(), "reason": "logout" }));
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok());
    // The restored history begins with the end of all, and is as long as the one that was read.
    issuer.set_log(Log::of(5));
    let all = json!({ "tenantId": "tenant-1", "openedUntil": now_millis(), "reason": "store_restored" });
    issuer.roll_back_unnoticed(vec![all]);
    until(&verifier, &token, |answer| matches!(answer, Err(Error::Stale))).await;
    verifier.forget_checkpoint();
    until(&verifier, &token, |answer| !matches!(answer, Err(Error::Stale))).await;
    let answer = verifier.verify(&token).await;
    assert!(
        matches!(&answer, Err(Error::Ended { reason: Some(why) }) if **why == *"store_restored"),
        "{answer:?}"
    );
}
