//! The feed beside a restore: the cursors of one history are good in no other (R163).

use std::time::Duration;

use serde_json::json;
use vestibule::flows::{Author, store_restored};
use vestibule::tenants::Family;

use super::waiting::Reading;
use super::{entries, path};
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::login::{answer, until};

impl TestApp {
    /// As `vestibule restored` does it, beside running servers.
    async fn restored(&self) {
        store_restored(&self.database, Author::TERMINAL, self.clock.now()).await.unwrap();
        self.number_events().await;
    }

    /// That a cursor of the feed is refused, also as a stream.
    async fn is_of_another_history(&self, tenant: &TestTenant, cursor: &str) {
        let refused = self.revocations(tenant, &format!("?after={cursor}")).await.expect(400);
        assert_eq!(refused.complaints(), ["after"]);
        assert!(
            refused.text.contains("put back to an older copy of itself; begin without one"),
            "{}",
            refused.text
        );
        let call = Call::get(path(tenant)).backend(tenant).and("accept", "text/event-stream");
        self.call(call.and("last-event-id", cursor)).await.expect(400);
    }
}

fn cursor(answer: &Answer) -> String {
    answer.field("cursor").to_owned()
}

#[tokio::test]
async fn R163_a_cursor_from_before_a_restore_is_refused_however_many_events_have_come_since() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    for of in [&tenant, &other] {
        app.open(of, Family::Individual).await;
    }
    app.number_events().await;
    let mut held = vec![cursor(&app.revocations(&tenant, "").await.expect(200))];
    let of_events = app.feed(&tenant, "").await.expect(200).field("nextCursor").to_owned();
    for turn in 1..3 {
        app.restored().await;
        held.push(cursor(&app.revocations(&tenant, "").await.expect(200)));
        // At the same instant it is another one still.
        app.restored().await;
        app.clock.advance(1);
        for _ in 0..5 {
            app.open(&tenant, Family::Individual).await;
        }
        app.number_events().await;
        for cursor in &held {
            app.is_of_another_history(&tenant, cursor).await;
        }
        let refused = app.feed(&tenant, &format!("?after={of_events}")).await.expect(400);
        assert!(refused.text.contains("begin without one"), "{}", refused.text);
        // Whoever begins anew is told first of what the restore has ended, and goes on.
        let begun = app.revocations(&tenant, "").await.expect(200);
        let restores = entries(&begun).iter().filter(|entry| entry["reason"] == "store_restored").count();
        assert_eq!((restores, begun.data()["more"] == false), (2 * turn, true), "{}", begun.text);
        held.push(cursor(&begun));
        let opened = app.open(&tenant, Family::Individual).await;
        app.end(&tenant, &opened).await.expect(200);
        app.number_events().await;
        let next = app.revocations(&tenant, &format!("?after={}", cursor(&begun))).await.expect(200);
        assert_eq!(entries(&next), [json!({ "sessionId": opened.session, "reason": "logout" })]);
        let all = app.feed(&tenant, "").await.expect(200);
        let next = app.feed(&tenant, &format!("?after={}", all.field("nextCursor"))).await.expect(200);
        assert_eq!(next.data()["items"], json!([]));
    }
}

#[tokio::test]
async fn R163_a_wait_and_a_stream_of_before_a_restore_show_nothing_of_after_it_and_whoever_resumes_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    let before = cursor(&app.revocations(&tenant, "").await.expect(200));
    let mut stream = Reading::open(&app.router, &tenant, "", None).await;
    let mut last = stream.next().await.unwrap();
    let wait = Call::get(format!("{}?after={before}&wait=25", path(&tenant))).backend(&tenant);
    let wait = tokio::spawn(answer(app.router.clone(), wait.request()));
    until("both wait", async || app.app.revocations.waiting().0 == 2).await;
    app.restored().await;
    let waited = tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap().unwrap().expect(200);
    assert_eq!(entries(&waited), Vec::<serde_json::Value>::new());
    while let Some(message) = stream.next().await {
        assert_eq!(message.entries(), Vec::<serde_json::Value>::new());
        last = message;
    }
    for cursor in [&cursor(&waited), &last.id] {
        app.is_of_another_history(&tenant, cursor).await;
    }
}
