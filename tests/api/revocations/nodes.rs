//! The feed of several nodes: nothing is lost between them, and nothing takes long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use serde_json::{Value, json};
use vestibule::db::{Database, Statement};
use vestibule::flows::number_events;
use vestibule::tenants::Family;

use super::path;
use super::waiting::Reading;
use crate::commands::init::Installation;
use crate::support::app::{NIL, TestTenant, prefix};
use crate::support::calls::{Call, Opened, session_call};
use crate::support::dice::Dice;
use crate::support::login::{answer, two_instances};
use crate::support::on_postgres;
use crate::support::program::Server;

/// Which sessions have ended, in the order of the numbers.
async fn in_order(database: &Database, tenant: &TestTenant) -> Vec<Value> {
    let sql = "select session_id from events where tenant_id = $1 and ends = 'session' order by position";
    let rows = database.list(Statement::new(sql).bind(&tenant.id)).await.unwrap();
    rows.iter().map(|row| json!(row.text("session_id").unwrap())).collect()
}

/// Follows the feed on whichever node, by short and long answers and by streams, and falls back now and then to where it
/// was before, as a process that died does.
async fn follow(
    nodes: &[Router; 2],
    tenant: &TestTenant,
    mut dice: Dice,
    over: &AtomicBool,
) -> (Vec<Value>, usize) {
    let (mut seen, mut cursor, mut restarts) = (Vec::new(), None::<String>, 0);
    let mut kept = (0, None);
    loop {
        let last = over.load(Ordering::SeqCst);
        let node = &nodes[usize::from(dice.below(2) == 1)];
        let ask = async |query: String| {
            let call = Call::get(format!("{}{query}", path(tenant))).backend(tenant);
            answer(node.clone(), call.request()).await.expect(200)
        };
        let after = cursor.as_ref().map(|cursor| format!("?after={cursor}")).unwrap_or_default();
        let of = |data: &Value| -> Vec<Value> {
            let entries = data["revocations"].as_array().unwrap().iter();
            entries.map(|entry| entry["sessionId"].clone()).collect()
        };
        match dice.below(3) {
            0 => {
                let wait = if after.is_empty() { "?wait=1".to_owned() } else { format!("{after}&wait=1") };
                let page = ask(wait).await;
                seen.extend(of(page.data()));
                cursor = Some(page.field("cursor").to_owned());
            }
            1 => {
                let mut stream = Reading::open(node, tenant, "", cursor.as_deref()).await;
                for _ in 0..=dice.below(4) {
                    let message = stream.next().await.unwrap();
                    seen.extend(of(&message.data));
                    cursor = Some(message.id);
                }
            }
            _ => {
                let page = ask(after).await;
                seen.extend(of(page.data()));
                cursor = Some(page.field("cursor").to_owned());
                if last && page.data()["more"] == false {
                    return (seen, restarts);
                }
            }
        }
        match dice.below(4) {
            0 => kept = (seen.len(), cursor.clone()),
            1 if !last => {
                restarts += 1;
                seen.truncate(kept.0);
                cursor.clone_from(&kept.1);
            }
            _ => (),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R079_readers_of_two_nodes_miss_nothing_and_see_it_in_order_whenever_they_begin_again() {
    let (app, second) = two_instances().await;
    let seed = 79;
    let tenant = app.tenant("acme").await;
    let mut sessions = Vec::new();
    for index in 0..40 {
        let email = format!("user{index}@example.test");
        app.another(&tenant, Family::Individual, &email).await;
        sessions.push(app.open_as(&tenant, Family::Individual, &email).await);
    }
    let nodes = [app.router.clone(), second];
    let over = AtomicBool::new(false);
    let write = async |mine: &[Opened], mut dice: Dice| {
        for opened in mine {
            let router: Router = nodes[usize::from(dice.below(2) == 1)].clone();
            let end = session_call("DELETE", &tenant, opened.family, &opened.session, &opened.token);
            answer(router, end.request()).await.expect(200);
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        }
    };
    let beside = app.database.open_again().await;
    let number = async |database: &Database| {
        while !over.load(Ordering::SeqCst) {
            number_events(database, None, app.clock.now()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let writers = async {
        let (one, two) = sessions.split_at(20);
        tokio::join!(write(one, Dice::new(seed + 1)), write(two, Dice::new(seed + 2)));
        while app.number_of("events where position is null").await > 0 {
            app.number_events().await;
        }
        over.store(true, Ordering::SeqCst);
    };
    let ((), (), (), first, other, third) = tokio::join!(
        writers,
        number(&app.database),
        number(&beside),
        follow(&nodes, &tenant, Dice::new(seed + 3), &over),
        follow(&nodes, &tenant, Dice::new(seed + 4), &over),
        follow(&nodes, &tenant, Dice::new(seed + 5), &over),
    );
    let expected = in_order(&app.database, &tenant).await;
    assert_eq!(expected.len(), sessions.len());
    let mut restarts = 0;
    for (seen, restarted) in [first, other, third] {
        assert_eq!(seen, expected);
        restarts += restarted;
    }
    assert!(restarts > 0, "nobody began again");
}

/// The backend's stream of a server that runs, message by message.
struct Feed(reqwest::Response, String);

impl Feed {
    async fn open(server: &Server, made: &Installation) -> Self {
        let (key, secret) = (made.printed("tenantKey")[1], made.printed("tenantSecret")[1]);
        let request = reqwest::Client::new().get(format!("{}/t/acme/revocations", server.public));
        let request = request.basic_auth(key, Some(secret)).header("accept", "text/event-stream");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        Self(answer, String::new())
    }

    /// The next message's data.
    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.1.find("\n\n") {
                let message = self.1.drain(..end + 2).collect::<String>();
                let data = message.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                return serde_json::from_str(data).unwrap();
            }
            let chunk = self.0.chunk().await.unwrap().expect("the stream goes on");
            self.1 += std::str::from_utf8(&chunk).unwrap();
        }
    }

    async fn until_ended(&mut self, session: &str) {
        loop {
            let data = self.next().await;
            let mut entries = data["revocations"].as_array().unwrap().iter();
            if entries.any(|entry| entry["sessionId"] == session) {
                return;
            }
        }
    }
}

/// Logs a session of staff out: its answer has come when this is over.
async fn log_out(server: &Server, data: &Value) {
    let (session, token) = (data["sessionId"].as_str().unwrap(), data["token"].as_str().unwrap());
    let url = format!("{}{}/users/{NIL}/sessions/{session}", server.public, prefix(Family::Admin, NIL));
    let request = reqwest::Client::new().delete(url).bearer_auth(token).header("x-tenant-id", "acme");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R102_what_is_ended_on_one_node_is_on_anothers_feed_within_a_second() {
    let made = Installation::new().await;
    let first = made.folder.serve(&[]);
    // On SQLite one process has the database.
    let second = on_postgres().then(|| made.folder.serve(&[]));
    let other = second.as_ref().unwrap_or(&first);
    let mut feed = Feed::open(other, &made).await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let (status, opened) = first.login(Family::Admin, "acme", &made.login()).await;
        assert_eq!(status, 200, "{opened}");
        let began = Instant::now();
        log_out(&first, &opened["data"]).await;
        feed.until_ended(opened["data"]["sessionId"].as_str().unwrap()).await;
        took.push(began.elapsed());
    }
    took.sort();
    let (median, worst) = (took[10], took[19]);
    assert!(median <= Duration::from_secs(1) && worst <= Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_waits_and_streams_stops_at_once_and_answers_them() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let mut feed = Feed::open(&server, &made).await;
    feed.next().await;
    let (key, secret) = (made.printed("tenantKey")[1], made.printed("tenantSecret")[1]);
    let url = format!("{}/t/acme/revocations?wait=25", server.public);
    let wait = reqwest::Client::new().get(url).basic_auth(key, Some(secret)).send();
    let stop = async {
        // Two heartbeats on the wait has been there for long.
        for _ in 0..3 {
            feed.next().await;
        }
        server.terminate();
        Instant::now()
    };
    let (answer, began) = tokio::join!(wait, stop);
    let answer = answer.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["data"]["revocations"], json!([]));
    while feed.0.chunk().await.unwrap().is_some() {}
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(!said.contains("requests are cut"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_is_answered_and_a_stream_goes_on_where_connections_are_soon_idle() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[("VESTIBULE_IDLE_TIMEOUT_SECONDS", "5")]);
    let (key, secret) = (made.printed("tenantKey")[1], made.printed("tenantSecret")[1]);
    let url = format!("{}/t/acme/revocations?wait=25", server.public);
    let mut feed = Feed::open(&server, &made).await;
    let began = Instant::now();
    let answer = reqwest::Client::new().get(url).basic_auth(key, Some(secret)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(began.elapsed() >= Duration::from_secs(3), "it waited as long as it could");
    while began.elapsed() < Duration::from_secs(7) {
        assert_eq!(feed.next().await["revocations"], json!([]));
    }
}

#[tokio::test]
async fn R102_a_cursor_of_one_node_is_good_on_another() {
    let (app, second) = two_instances().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.number_events().await;
    let cursor = app.revocations(&tenant, "").await.expect(200).field("cursor").to_owned();
    app.end(&tenant, &opened).await.expect(200);
    app.number_events().await;
    let call = Call::get(format!("{}?after={cursor}", path(&tenant))).backend(&tenant);
    let page = answer(second, call.request()).await.expect(200);
    assert_eq!(page.data()["revocations"], json!([{ "sessionId": opened.session, "reason": "logout" }]));
}
