//! A verifier as the witness of the program's sealed log.

use std::time::{Duration, Instant};

use vestibule::db::Statement;
use vestibule_audit::{Checkpoint, VerifierKey};
use vestibule_verifier::{Error, LogTrouble, Verifier, WitnessedLog};

use super::{Bank, until};

async fn log_until(verifier: &Verifier, wanted: impl Fn(&WitnessedLog) -> bool) -> WitnessedLog {
    let began = Instant::now();
    loop {
        let log = verifier.log().unwrap();
        if wanted(&log) {
            return log;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "still {log:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn R139_a_verifier_follows_the_sealed_log_and_believes_nothing_of_one_that_was_cut_off() {
    let mut bank = Bank::open().await;
    let key = bank.made.folder.run(&["audit", "key", "--tenant", "acme"]).well();
    let pinned = bank.options().log_key(key.trim());
    let verifier = Verifier::start(pinned).await.unwrap();
    let first = log_until(&verifier, |log| log.size > 0).await;
    let session = bank.log_in().await;
    let second = log_until(&verifier, |log| log.size > first.size).await;
    assert_eq!(second.conflict, None);
    assert!(verifier.verify(&session.token).await.is_ok());
    let key: VerifierKey = key.trim().parse().unwrap();
    let checkpoint = Checkpoint::verify(second.checkpoint.as_ref().unwrap(), &key).unwrap();
    assert_eq!(checkpoint.size, second.size);

    // Whoever has the database takes its newest events away, and puts the log's head back to what was signed before.
    let address = bank.server.address().to_owned();
    bank.server.kill();
    let db = &bank.made.database;
    let acme = "(select id from tenants where slug = 'acme')";
    let size = first.size;
    db.execute_script(&format!("delete from events where position > {size} and tenant_id in {acme}"))
        .await
        .unwrap();
    let before = Checkpoint::verify(first.checkpoint.as_ref().unwrap(), &key).unwrap();
    let head = Statement::new(
        "update event_heads set position = $1, sealed = $1, root = $2, checkpoint = $3 \
         where tenant_id in (select id from tenants where slug = 'acme')",
    );
    let head = head.bind(i64::try_from(size).unwrap()).bind(before.root.as_slice());
    db.apply(head.bind(first.checkpoint.as_ref().unwrap().as_str())).await.unwrap();
    bank.server = bank.made.folder.serve(&[("VESTIBULE_LISTEN", &address)]);
    until(&verifier, &session.token, |answer| matches!(answer, Err(Error::Stale))).await;
    let log = log_until(&verifier, |log| log.conflict.is_some()).await;
    assert_eq!(log.conflict.unwrap().trouble, LogTrouble::Smaller { held: second.size, told: size });
    assert_eq!(log.checkpoint, second.checkpoint);
    // What it holds is what finds it.
    bank.made.folder.write("held", second.checkpoint.as_ref().unwrap());
    let checked = bank.made.folder.run(&["audit", "verify", "--checkpoint", "held"]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.out.contains("acme: WRONG"), "{checked:?}");
}
