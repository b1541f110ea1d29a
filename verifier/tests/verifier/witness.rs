//! The witness, against a server that lies about its sealed log.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use vestibule_verifier::{Error, LogConflict, LogTrouble, StartError, Verifier, WitnessedLog};

use crate::issuer::{Issuer, session, until};
use crate::log::{Log, ORIGIN};

fn is_stale<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Stale))
}

async fn log_until(verifier: &Verifier, wanted: impl Fn(&WitnessedLog) -> bool) -> WitnessedLog {
    let began = std::time::Instant::now();
    loop {
        let log = verifier.log().unwrap();
        if wanted(&log) {
            return log;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "still {log:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The verifier holds `held`; then the server says `told`, and nothing that it says is believed until it says `held` or
/// what goes on from there.
async fn refuses(held: Log, told: Log) -> LogConflict {
    let issuer = Issuer::start().await;
    issuer.set_log(held.clone());
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(verifier.log().unwrap().checkpoint, Some(held.note()));
    issuer.set_log(told);
    let after = until(&verifier, &token, is_stale).await;
    assert!(after < Duration::from_millis(1_800), "at once, not when it is old: {after:?}");
    let log = verifier.log().unwrap();
    assert_eq!(log.checkpoint, Some(held.note()), "what is held stays");
    let conflict = log.conflict.unwrap();
    assert_eq!(conflict.held, Some(held.note()));
    // It goes on denying it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_stale(&verifier.verify(&token).await) && !verifier.health().fresh);
    issuer.set_log(held);
    until(&verifier, &token, Result::is_ok).await;
    assert_eq!(verifier.log().unwrap().conflict, None);
    conflict
}

#[tokio::test]
async fn R139_a_log_that_grows_is_followed_and_each_checkpoint_proven_from_the_one_before() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert!(verifier.verify(&token).await.is_ok(), "nothing is sealed yet");
    let nothing = verifier.log().unwrap();
    assert_eq!((nothing.size, nothing.checkpoint, nothing.verifier_key), (0, None, None));
    for size in [1, 2, 7, 256, 300] {
        issuer.set_log(Log::of(size));
        let log = log_until(&verifier, |log| log.size == size).await;
        assert_eq!(log.checkpoint, Some(Log::of(size).note()));
        assert_eq!(log.verifier_key, Some(Log::of(size).key()));
        assert_eq!(log.conflict, None);
        assert!(verifier.verify(&token).await.is_ok());
    }
}

#[tokio::test]
async fn R139_a_log_with_another_past_makes_it_stale_at_once() {
    let conflict = refuses(Log::of(9), Log::of(12).altered(3)).await;
    assert_eq!(conflict.trouble, LogTrouble::Inconsistent { held: 9 });
    assert_eq!(conflict.told, Some(Log::of(12).altered(3).note()), "both notes prove it");
}

#[tokio::test]
async fn R139_two_logs_of_one_size_make_it_stale_at_once() {
    let conflict = refuses(Log::of(9), Log::of(9).altered(8)).await;
    assert_eq!(conflict.trouble, LogTrouble::Inconsistent { held: 9 });
}

#[tokio::test]
async fn R139_a_log_that_was_rolled_back_makes_it_stale_at_once() {
    let conflict = refuses(Log::of(9), Log::of(8)).await;
    assert_eq!(conflict.trouble, LogTrouble::Smaller { held: 9, told: 8 });
}

#[tokio::test]
async fn R139_a_log_that_is_kept_back_makes_it_stale_at_once() {
    let conflict = refuses(Log::of(9), Log::of(9).silent()).await;
    assert_eq!((conflict.trouble, conflict.told), (LogTrouble::Missing, None));
}

#[tokio::test]
async fn R139_a_checkpoint_of_another_key_or_log_makes_it_stale_at_once() {
    let conflict = refuses(Log::of(9), Log::of(10).signed_by(2)).await;
    assert!(matches!(conflict.trouble, LogTrouble::Note(_)), "{conflict:?}");
    let conflict = refuses(Log::of(9), Log::of(10).named("id.example.test/t/other", ORIGIN)).await;
    assert_eq!(conflict.trouble, LogTrouble::OtherLog);
}

#[tokio::test]
async fn R139_a_proof_that_proves_nothing_makes_it_stale_at_once() {
    for proof in [vec![], vec![[0; 32]], vec![[0; 32]; 500]] {
        let conflict = refuses(Log::of(9), Log::of(12).with_proof(proof)).await;
        assert_eq!(conflict.trouble, LogTrouble::Inconsistent { held: 9 });
    }
}

#[tokio::test]
async fn R139_a_pinned_key_is_the_only_one_that_is_trusted_from_the_first_answer_on() {
    let issuer = Issuer::start().await;
    issuer.set_log(Log::of(5).signed_by(2));
    let token = issuer.token(&session());
    let pinned = Verifier::start(issuer.options().log_key(Log::new().key())).await.unwrap();
    assert!(is_stale(&pinned.verify(&token).await));
    assert!(matches!(pinned.log().unwrap().conflict.unwrap().trouble, LogTrouble::Note(_)));
    issuer.set_log(Log::of(5));
    until(&pinned, &token, Result::is_ok).await;
    assert_eq!(pinned.log().unwrap().size, 5);
    // Another log's key, and no key.
    let other = Log::new().named("id.example.test/t/other", "id.example.test/t/other").key();
    for key in [other.as_str(), "", "id.example.test/t/acme+00000000+AAAA"] {
        let started = Verifier::start(issuer.options().log_key(key)).await;
        assert!(matches!(started, Err(StartError::LogKey)), "{key}");
    }
    // Without a pin the first key is trusted, if it is of this log.
    issuer.set_log(Log::of(5).named("id.example.test/t/other", "id.example.test/t/other"));
    let first = issuer.verifier().await;
    assert!(is_stale(&first.verify(&token).await));
    assert_eq!(first.log().unwrap().conflict.unwrap().trouble, LogTrouble::Key);
}

/// A file that is deleted in the end.
struct Kept(PathBuf);

impl Kept {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vestibule-witness-{}-{name}", std::process::id()));
        let _ = fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn R139_a_witness_that_starts_anew_holds_the_server_to_what_it_had_said_before() {
    let issuer = Issuer::start().await;
    let token = issuer.token(&session());
    let kept = Kept::new("restart");
    let options = issuer.options().checkpoint_file(&kept.0);
    issuer.set_log(Log::of(9));
    let verifier = Verifier::start(options.clone()).await.unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    assert_eq!(fs::read_to_string(&kept.0).unwrap(), format!("{}\n{}", Log::of(9).key(), Log::of(9).note()));
    drop(verifier);
    // A key that is trusted on first use is trusted on second use, too.
    for (lie, size) in [(Log::of(12).altered(3), 9), (Log::of(12).signed_by(2), 9), (Log::of(8), 9)] {
        issuer.set_log(lie);
        let verifier = Verifier::start(options.clone()).await.unwrap();
        assert!(is_stale(&verifier.verify(&token).await));
        let log = verifier.log().unwrap();
        assert!(log.size == size && log.conflict.is_some(), "{log:?}");
    }
    issuer.set_log(Log::of(12));
    let verifier = Verifier::start(options.clone()).await.unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    assert!(fs::read_to_string(&kept.0).unwrap().ends_with(&Log::of(12).note()));
    drop(verifier);
    // Restored, and everybody was told so.
    issuer.set_log(Log::of(4));
    let verifier = Verifier::start(options.clone()).await.unwrap();
    assert!(is_stale(&verifier.verify(&token).await));
    verifier.forget_checkpoint();
    until(&verifier, &token, Result::is_ok).await;
    assert_eq!(verifier.log().unwrap().size, 4);
    log_until(&verifier, |_| fs::read_to_string(&kept.0).unwrap().ends_with(&Log::of(4).note())).await;
}

#[tokio::test]
async fn R139_a_checkpoints_file_that_was_altered_keeps_it_from_starting() {
    let issuer = Issuer::start().await;
    let kept = Kept::new("altered");
    let start = async |text: &str, key: Option<&str>| {
        fs::write(&kept.0, text).unwrap();
        let options = issuer.options().checkpoint_file(&kept.0);
        Verifier::start(key.map_or(options.clone(), |key| options.log_key(key))).await
    };
    let (log, other) = (Log::of(9), Log::of(9).named("elsewhere", "elsewhere"));
    let good = format!("{}\n{}", log.key(), log.note());
    assert!(start(&good, Some(&log.key())).await.is_ok());
    let of_another = log.clone().signed_by(2).key();
    for (text, key) in [
        (good.replace("\n9\n", "\n8\n"), None),
        (format!("{}\n{}", of_another, log.note()), None),
        (format!("{}\n{}", other.key(), other.note()), None),
        (good.clone(), Some(of_another.as_str())),
        (String::new(), None),
        (log.key(), None),
    ] {
        let started = start(&text, key).await;
        assert!(matches!(started, Err(StartError::CheckpointFile(_))), "{text}");
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_written_does_not_make_it_stale() {
    let issuer = Issuer::start().await;
    issuer.set_log(Log::of(9));
    let options = issuer.options().checkpoint_file("/nonexistent/folder/checkpoint");
    let verifier = Verifier::start(options).await.unwrap();
    assert!(verifier.verify(&issuer.token(&session())).await.is_ok());
}

#[tokio::test]
async fn without_a_witness_nothing_is_asked_and_nothing_held() {
    let issuer = Issuer::start().await;
    issuer.set_log(Log::of(9).named("elsewhere", "elsewhere"));
    let verifier = Verifier::start(issuer.options().without_witness()).await.unwrap();
    assert!(verifier.verify(&issuer.token(&session())).await.is_ok());
    assert_eq!(verifier.log(), None);
    verifier.forget_checkpoint();
}

#[tokio::test]
async fn what_ended_is_not_forgotten_while_the_log_is_not_believed() {
    let issuer = Issuer::start().await;
    issuer.set_log(Log::of(9));
    let verifier = issuer.verifier().await;
    let (ended, missed) = (session(), session());
    issuer.revoke(json!({ "sessionId": ended, "reason": "logout" }));
    until(&verifier, &issuer.token(&ended), |answer| matches!(answer, Err(Error::Ended { .. }))).await;
    issuer.set_log(Log::of(8));
    issuer.revoke(json!({ "sessionId": missed, "reason": "logout" }));
    until(&verifier, &issuer.token(&missed), is_stale).await;
    assert!(matches!(verifier.verify(&issuer.token(&ended)).await, Err(Error::Ended { .. })));
    issuer.set_log(Log::of(10));
    until(&verifier, &issuer.token(&missed), |answer| matches!(answer, Err(Error::Ended { .. }))).await;
}
