//! `vestibule restored`, on a database that went back to an older state by other means.

use serde_json::json;
use vestibule::db::{Database, Statement};

use super::{Held, number};
use crate::commands::init::Installation;

/// The rows that a restore brings back, as far as these tests are about them.
async fn roll_back(database: &Database, session: &str) {
    let undo =
        "update sessions set ended_at = null, end_reason = null, generation = 1 where id = $1 returning id";
    database.apply(Statement::new(undo).bind(session).must_change("the session")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn R163_nothing_that_had_ended_lives_again_once_the_database_is_told_that_it_was_restored() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    made.run(&["tenant", "create", "other"]);
    let (ended, open) = (Held::open(&server, &made).await, Held::open(&server, &made).await);
    let (_, body) = ended.refresh(&server).await;
    let successor = Held::of(&body);
    ended.logout(&server).await;
    // A reset secret that was used since is good again.
    let reset = "insert into password_resets (tenant_id, secret_digest, user_id, created_at, expires_at) \
                 select tenant_id, $1, user_id, created_at, $2 from sessions where id = $3 returning tenant_id";
    let reset = Statement::new(reset).bind(vec![7_u8; 32]).bind(9_000_000_000_000_i64).bind(&*ended.session);
    made.database.apply(reset.must_change("the reset")).await.unwrap();
    roll_back(&made.database, &ended.session).await;
    assert_eq!(ended.look(&server).await, 200, "a restore alone revives it");
    // Its newest token is ahead of the row: that is told, and opens nothing.
    let (status, body) = successor.refresh(&server).await;
    assert_eq!((status, body["data"]["errorType"].as_str()), (401, Some("REFRESH_TOKEN")), "{body}");
    assert_eq!(
        number(&made.database, "select count(*) as number from events where name = 'store_rolled_back'")
            .await,
        1
    );

    let told = made.json(&["restored"]);
    assert_eq!((told["tenants"].as_i64(), told["resetSecrets"].as_i64()), (Some(2), Some(1)), "{told}");
    // A server that runs sees it with the next request.
    for held in [&ended, &open] {
        held.is_over(&server).await;
    }
    successor.is_refused(&server).await;
    assert_eq!(number(&made.database, "select count(*) as number from password_resets").await, 0);
    let events = "select count(*) as number from events where name = 'store_restored' and \
                  (ends = 'tenant' or tenant_id = '00000000-0000-0000-0000-000000000000')";
    assert_eq!(number(&made.database, events).await, 3);
    let anew = Held::open(&server, &made).await;
    assert_eq!(anew.look(&server).await, 200);
    assert_eq!(anew.refresh(&server).await.0, 200);
    server.stop();
}

#[tokio::test]
async fn what_was_done_since_an_instant_is_listed_and_nothing_is_changed() {
    let made = Installation::new().await;
    made.run(&["tenant", "suspend", "acme", "--reason", "late bills"]);
    let said = made.run(&["restored", "--since", "2020-01-01T00:00:00.000Z"]);
    for part in
        ["operator_created", "tenant_created", "tenant_status_changed", "acme", "system", "late bills"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let listed = made.json(&["restored", "--since", "2020-01-01T00:00:00.000Z"]);
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().any(|deed| deed["event"] == "tenant_status_changed" && deed["tenant"] == "acme"));
    assert!(listed.iter().all(|deed| deed["event"] != "store_restored"));
    assert_eq!(made.json(&["restored", "--since", "2100-01-01T00:00:00.000Z"]), json!([]));
    assert_eq!(made.json(&["tenant", "show", "acme"])["status"], "suspended");
}
