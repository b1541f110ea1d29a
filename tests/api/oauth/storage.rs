//! Where the database does not answer: an error that says so, and never "revoked" (R101; CVE-2020-15223 was this).

use std::time::Duration;

use vestibule::db::Database;
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::tenants::Family;

use super::{INTROSPECT, REVOKE, is_active, revoke, start, with_token};
use crate::support::app::{TestApp, Wanted};
use crate::support::holding::hold_table;
use crate::support::login::{beside, until};

#[tokio::test]
async fn R101_with_the_database_away_nothing_is_said_of_a_token() {
    let (app, tenant, opened) = start().await;
    app.database.close().await;
    for path in [INTROSPECT, REVOKE] {
        for token in [opened.token.as_str(), &opened.refresh, "garbage"] {
            let answer = app.call(with_token(path, &tenant, token)).await.expect(503);
            assert_eq!(answer.json["error"], "temporarily_unavailable", "{}", answer.text);
            assert_eq!(answer.headers["retry-after"], "2");
            assert!(answer.json.get("active").is_none());
        }
    }
}

#[tokio::test]
async fn R101_a_revocation_that_was_not_written_is_503_and_the_token_stays_active() {
    let key = MasterKeys::generate().to_string();
    let app = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let mut options = app.database.options.clone();
    options.wait_within = Duration::from_millis(300);
    options.write_within = Duration::from_millis(300);
    let hasty = public_router(&beside(&app, &key, Database::open(&options).await.unwrap()));
    let opened = app.open(&tenant, Family::Individual).await;
    let release = hold_table(&app, "sessions").await;
    for token in [&opened.token, &opened.refresh] {
        let answer = app.send_to(&hasty, with_token(REVOKE, &tenant, token).request()).await.expect(503);
        assert_eq!(answer.json["error"], "temporarily_unavailable", "{}", answer.text);
        assert_eq!(answer.headers["retry-after"], "2");
        // Who reads is not held up, and is told the truth.
        let asked = app.send_to(&hasty, with_token(INTROSPECT, &tenant, token).request()).await.expect(200);
        assert_eq!(asked.json["active"], true);
    }
    release();
    // Tried again, it is done. What PostgreSQL was given up on may arrive late, and then it has been done.
    until("it can be revoked", async || {
        app.send_to(&hasty, with_token(REVOKE, &tenant, &opened.token).request()).await.status == 200
    })
    .await;
    assert!(!is_active(&app, &tenant, &opened.token).await);
    revoke(&app, &tenant, &opened.refresh).await;
}
