//! Requests that wait, and streams.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use vestibule::db::Statement;
use vestibule::revocation_watch::WatchOptions;
use vestibule::tenants::Family;

use super::{entries, path};
use crate::support::app::{Answer, TestApp, TestTenant, Wanted};
use crate::support::calls::Call;
use crate::support::login::{answer, until};

/// How long what comes at once may take on a busy machine.
const SOON: Duration = Duration::from_secs(10);

/// A message of a stream.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub data: Value,
}

impl Message {
    fn parse(text: &str) -> Self {
        let lines: Vec<_> = text.lines().filter_map(|line| line.split_once(": ")).collect();
        assert_eq!(lines.iter().map(|line| line.0).collect::<Vec<_>>(), ["id", "event", "data"], "{text:?}");
        assert_eq!(lines[1].1, "revocations");
        let data: Value = serde_json::from_str(lines[2].1).unwrap();
        assert_eq!(data["cursor"], lines[0].1);
        Self { id: lines[0].1.to_owned(), data }
    }

    pub fn entries(&self) -> &[Value] {
        self.data["revocations"].as_array().unwrap()
    }
}

/// A stream that is being read.
pub struct Reading {
    body: BodyDataStream,
    text: String,
}

impl Reading {
    /// Opens the tenant's feed as a stream, or is refused.
    pub async fn open(router: &Router, tenant: &TestTenant, query: &str, last: Option<&str>) -> Self {
        Self::by(router, Call::get(format!("{}{query}", path(tenant))).backend(tenant), last).await
    }

    async fn by(router: &Router, call: Call, last: Option<&str>) -> Self {
        let call = call.and("accept", "text/html, Text/Event-Stream;q=0.9");
        let call = last.map_or_else(|| call.clone(), |last| call.clone().and("last-event-id", last));
        let response = router.clone().oneshot(call.request()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { body: Body::into_data_stream(response.into_body()), text: String::new() }
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let message = self.text.drain(..end + 2).collect::<String>();
                return Some(Message::parse(message.trim_end()));
            }
            let chunk = tokio::time::timeout(SOON, self.body.next()).await.expect("a message in time")?;
            self.text += std::str::from_utf8(&chunk.unwrap()).unwrap();
        }
    }

    /// The next message that has revocations.
    pub async fn news(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if !message.entries().is_empty() {
                return message;
            }
        }
    }

    /// Reads to the end, which must come soon.
    async fn end(&mut self) {
        let began = Instant::now();
        while self.next().await.is_some() {
            assert!(began.elapsed() < SOON, "the stream goes on");
        }
    }
}

impl TestApp {
    fn wait_apart(&self, tenant: &TestTenant, query: &str) -> tokio::task::JoinHandle<Answer> {
        let call = Call::get(format!("{}{query}", path(tenant))).backend(tenant);
        tokio::spawn(answer(self.router.clone(), call.request()))
    }

    async fn waiting(&self, number: usize) {
        until("so many wait", async || self.app.revocations.waiting().0 == number).await;
    }
}

#[tokio::test]
async fn a_wait_ends_when_something_comes_and_else_when_its_time_is_over() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.number_events().await;
    let first = app.revocations(&tenant, "").await.expect(200).field("cursor").to_owned();
    let (query, began) = (format!("?after={first}&wait=25"), Instant::now());
    let waits: Vec<_> = (0..20).map(|_| app.wait_apart(&tenant, &query)).collect();
    app.waiting(20).await;
    assert_eq!(app.app.revocations.waiting(), (20, 1), "one looks for all of them");
    // What ends nothing ends no wait.
    app.login(&tenant, Family::Individual).await.expect(200);
    app.number_events().await;
    app.end(&tenant, &opened).await.expect(200);
    assert_eq!(app.app.revocations.waiting().0, 20, "what has no number yet is not seen");
    app.number_events().await;
    for wait in waits {
        let page = wait.await.unwrap().expect(200);
        assert_eq!(entries(&page), [json!({ "sessionId": opened.session, "reason": "logout" })]);
    }
    assert!(began.elapsed() < SOON);
    assert_eq!(app.app.revocations.waiting(), (0, 0), "nobody looks when nobody waits");
    // What is there already is not waited for.
    let began = Instant::now();
    assert_eq!(entries(&app.revocations(&tenant, &query).await.expect(200)).len(), 1);
    assert!(began.elapsed() < SOON);

    let end = app.revocations(&tenant, &query).await.field("cursor").to_owned();
    let (began, query) = (Instant::now(), format!("?after={end}&wait=1"));
    let wait = app.wait_apart(&tenant, &query);
    app.login(&tenant, Family::Individual).await.expect(200);
    app.number_events().await;
    let page = wait.await.unwrap().expect(200);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(1) && took < SOON, "{took:?}");
    assert_eq!(page.data()["revocations"], json!([]));
    // Whatever else happened is not looked through again.
    assert_ne!(page.field("cursor"), end);
    let behind = app.revocations(&tenant, "?wait=0").await.expect(200);
    assert_eq!(behind.data()["behindMs"], 0);
}

#[tokio::test]
async fn a_stream_shows_what_comes_a_heartbeat_a_second_and_resumes_where_it_was() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let [first, second, third] = [
        app.open(&tenant, Family::Individual).await,
        app.open(&tenant, Family::Organization).await,
        app.open(&tenant, Family::Admin).await,
    ];
    app.end(&tenant, &first).await.expect(200);
    app.number_events().await;
    let mut stream = Reading::open(&app.router, &tenant, "", None).await;
    let shown = stream.next().await.unwrap();
    assert_eq!(shown.entries(), [json!({ "sessionId": first.session, "reason": "logout" })]);
    for field in ["more", "asOf", "behindMs", "keepSeconds"] {
        assert!(!shown.data[field].is_null(), "{field}");
    }
    let began = Instant::now();
    for _ in 0..3 {
        let heartbeat = stream.next().await.unwrap();
        assert_eq!((heartbeat.entries(), &heartbeat.id), (&[][..], &shown.id));
    }
    let took = began.elapsed();
    assert!(took > Duration::from_secs(2) && took < SOON, "{took:?}");
    app.end(&tenant, &second).await.expect(200);
    app.number_events().await;
    let news = stream.news().await;
    assert_eq!(news.entries(), [json!({ "sessionId": second.session, "reason": "logout" })]);
    drop(stream);
    app.waiting(0).await;

    app.end(&tenant, &third).await.expect(200);
    app.number_events().await;
    // A browser begins where its address says, and resumes by the header, which is the newer one.
    let begun_at = format!("?after={}&wait=5", shown.id);
    let mut resumed = Reading::open(&app.router, &tenant, &begun_at, Some(&news.id)).await;
    assert_eq!(
        resumed.next().await.unwrap().entries(),
        [json!({ "sessionId": third.session, "reason": "logout" })]
    );
    let mut again = Reading::open(&app.router, &tenant, &begun_at, None).await;
    assert_eq!(again.next().await.unwrap().entries().len(), 2);
    // Without Accept the header means nothing.
    let call = Call::get(path(&tenant)).backend(&tenant).and("last-event-id", &news.id);
    assert_eq!(entries(&app.call(call).await.expect(200)).len(), 3);
}

#[tokio::test]
async fn more_than_there_is_room_for_are_told_to_come_back_and_leave_others_theirs() {
    let wanted = Wanted { watch: WatchOptions { seats: 8, ..WatchOptions::default() }, ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let mut tenants = Vec::new();
    for slug in ["a", "b", "c", "d", "e"] {
        tenants.push(app.tenant(slug).await);
    }
    let (a, e) = (&tenants[0], &tenants[4]);
    let stream = Reading::open(&app.router, a, "", None).await;
    let wait = app.wait_apart(a, "?wait=25");
    app.waiting(2).await;
    let refused = async |tenant: &TestTenant| {
        let stream = Call::get(path(tenant)).backend(tenant).and("accept", "text/event-stream");
        for answer in [app.revocations(tenant, "?wait=1").await, app.call(stream).await] {
            let answer = answer.expect(503);
            assert_eq!(
                (answer.error_type(), &answer.headers["retry-after"]),
                ("UNAVAILABLE", &"2".parse().unwrap())
            );
        }
        // Whoever does not wait needs no room.
        app.revocations(tenant, "").await.expect(200);
    };
    refused(a).await;
    let mut streams = vec![stream];
    for tenant in tenants[1..4].iter().flat_map(|tenant| [tenant, tenant]) {
        streams.push(Reading::open(&app.router, tenant, "", None).await);
    }
    assert_eq!(app.app.revocations.waiting(), (8, 4));
    refused(e).await;
    wait.abort();
    app.waiting(7).await;
    let last = Reading::open(&app.router, e, "", None).await;
    streams.push(last);
    assert_eq!(app.app.revocations.waiting(), (8, 5));
    drop(streams);
    app.waiting(0).await;
    assert_eq!(app.app.revocations.waiting().1, 0);
}

#[tokio::test]
async fn a_stream_ends_with_its_key_its_tenant_and_its_time() {
    let options = |believed, lasts| WatchOptions {
        believed: Duration::from_millis(believed),
        lasts: Duration::from_millis(lasts),
        ..WatchOptions::default()
    };
    let start = async |watch| TestApp::start_with(Wanted { watch, ..Wanted::default() }).await;
    let app = start(options(100, 600_000)).await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let mut streams = [
        Reading::open(&app.router, &acme, "", None).await,
        Reading::open(&app.router, &globex, "", None).await,
    ];
    for stream in &mut streams {
        for _ in 0..3 {
            stream.next().await.expect("a good key keeps it open");
        }
    }
    // Form-encoded (RFC 6749 §2.3.1), the key opens it and keeps it open too.
    let encoded = |text: &str| text.replace('-', "%2D");
    let call = Call::get(path(&acme)).basic(&encoded(&acme.backend_key), &encoded(&acme.backend_secret));
    let mut as_form = Reading::by(&app.router, call, None).await;
    for _ in 0..3 {
        as_form.next().await.expect("a good key keeps it open, however it is spelled");
    }
    drop(as_form);
    let revoked =
        "update tenant_keys set revoked_at = 1 where tenant_id = $1 and purpose = 'backend' returning id";
    app.change(Statement::new(revoked).bind(&acme.id)).await;
    streams[0].end().await;
    let suspended = "update tenants set status = 'suspended' where id = $1 returning id";
    streams[1].next().await.expect("another's key is another's");
    app.change(Statement::new(suspended).bind(&globex.id)).await;
    streams[1].end().await;

    let app = start(options(600_000, 1_000)).await;
    let acme = app.tenant("acme").await;
    let began = Instant::now();
    Reading::open(&app.router, &acme, "", None).await.end().await;
    assert!(began.elapsed() > Duration::from_secs(1));
    assert_eq!(app.app.revocations.waiting(), (0, 0));
}

#[tokio::test]
async fn while_the_database_is_away_a_stream_says_how_old_it_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    let mut stream = Reading::open(&app.router, &tenant, "", None).await;
    let first = stream.next().await.unwrap();
    app.clock.advance(1_000);
    until("what is seen gets newer", async || {
        stream.next().await.unwrap().data["asOf"].as_i64() == first.data["asOf"].as_i64().map(|at| at + 1_000)
    })
    .await;
    app.database.close().await;
    app.clock.advance(60_000);
    let behind = stream.next().await.unwrap();
    let behind = if behind.data["behindMs"] == 0 { stream.next().await.unwrap() } else { behind };
    assert_eq!(behind.data["behindMs"], 60_000);
    assert_eq!(behind.data["asOf"], first.data["asOf"].as_i64().unwrap() + 1_000);
}

#[tokio::test]
async fn a_server_that_stops_ends_all_waiting_at_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let mut stream = Reading::open(&app.router, &tenant, "", None).await;
    let wait = app.wait_apart(&tenant, "?wait=25");
    app.waiting(2).await;
    let began = Instant::now();
    app.app.revocations.stop();
    stream.end().await;
    assert_eq!(wait.await.unwrap().expect(200).data()["revocations"], json!([]));
    // What comes then does not wait.
    assert_eq!(app.revocations(&tenant, "?wait=25").await.expect(200).data()["revocations"], json!([]));
    Reading::open(&app.router, &tenant, "", None).await.end().await;
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn a_stream_of_a_database_that_became_older_ends_and_resuming_is_refused() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    let mut stream = Reading::open(&app.router, &tenant, "", None).await;
    let seen = stream.next().await.unwrap();
    let back = "update event_heads set position = 2 where tenant_id = $1 returning position";
    app.change(Statement::new(back).bind(&tenant.id)).await;
    stream.end().await;
    let call = Call::get(path(&tenant)).backend(&tenant).and("accept", "text/event-stream");
    let answer = app.call(call.and("last-event-id", &seen.id)).await.expect(400);
    assert_eq!(answer.complaints(), ["after"]);
}

#[tokio::test]
async fn R079_a_reader_that_is_slower_than_the_looks_loses_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let (first, second) =
        (app.open(&tenant, Family::Individual).await, app.open(&tenant, Family::Organization).await);
    app.number_events().await;
    let mut slow = Reading::open(&app.router, &tenant, "", None).await;
    slow.next().await.unwrap();
    // Each ending is seen by a look of its own while the slow one reads nothing.
    let mut fast = Reading::open(&app.router, &tenant, "", None).await;
    for opened in [&first, &second] {
        app.end(&tenant, opened).await.expect(200);
        app.number_events().await;
        assert_eq!(fast.news().await.entries()[0]["sessionId"], opened.session.as_str());
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.extend(slow.next().await.unwrap().entries().iter().map(|entry| entry["sessionId"].clone()));
    }
    assert_eq!(seen, [json!(first.session), json!(second.session)]);
}
