//! `vestibule restored`, on a database that went back to an older state by other means.

use serde_json::{Value, json};
use vestibule::db::{Database, Statement};
use vestibule::flows::{Author, store_restored};
use vestibule::tenants::Family;

use super::{Held, number};
use crate::commands::init::Installation;
use crate::support::app::TestApp;
use crate::support::program::{Ended, Server};

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
async fn R163_a_session_that_a_node_with_a_faster_clock_had_opened_ends_with_a_restore_as_well() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.clock.advance(5_000);
    let opened = app.open(&tenant, Family::Individual).await;
    app.clock.advance(-5_000);
    app.view(&tenant, &opened).await.expect(200);
    store_restored(&app.database, Author::TERMINAL, app.clock.now()).await.unwrap();
    let over = app.view(&tenant, &opened).await.expect(401);
    assert_eq!((over.error_type(), over.field("endReason")), ("SESSION_ENDED", "store_restored"));
    app.clock.advance(6_000);
    let over = app.view(&tenant, &opened).await.expect(401);
    assert_eq!((over.error_type(), over.field("endReason")), ("SESSION_ENDED", "store_restored"));
    // Its end is on the feed by itself: the tenant's instant does not reach it.
    let ends = app.all_revocations(&tenant).await;
    assert!(ends.iter().any(|end| end["sessionId"] == *opened.session), "{ends:?}");
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

/// What the tenant's backend is answered by its feed: the status, and the data.
async fn feed(server: &Server, made: &Installation, query: &str) -> (u16, Value) {
    let (key, secret) = (made.printed("tenantKey")[1], made.printed("tenantSecret")[1]);
    let request = reqwest::Client::new().get(format!("{}/t/acme/revocations{query}", server.public));
    let answer = request.basic_auth(key, Some(secret)).send().await.unwrap();
    (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["data"].take())
}

/// The feed's cursor once it has shown so many endings.
async fn cursor_after(server: &Server, made: &Installation, endings: usize) -> String {
    for _ in 0..500 {
        let (_, data) = feed(server, made, "").await;
        if data["revocations"].as_array().unwrap().len() >= endings && data["behindMs"].as_u64() < Some(1_000)
        {
            return data["cursor"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the feed does not show {endings} endings");
}

/// Logs the session's user out everywhere.
async fn end_all(server: &Server, held: &Held) {
    let url = held.url(server);
    let request = reqwest::Client::new().delete(url.rsplit_once('/').unwrap().0);
    let answer = request.header("x-tenant-id", "acme").bearer_auth(&held.access).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn R163_in_a_real_older_copy_nothing_lives_whatever_ended_it_since_and_whatever_key_it_was_made_with() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    // What an instant of the user's row had ended before the copy.
    let ended_before = Held::open(&server, &made).await;
    end_all(&server, &ended_before).await;
    let mut alive = Vec::new();
    for _ in 0..3 {
        alive.push(Held::open(&server, &made).await);
    }
    let early = cursor_after(&server, &made, 1).await;
    server.stop();
    let copy = made.database.copy().await;

    // What ends after it: one by one, by an instant of the user's, by one of the tenant's.
    let server = made.folder.serve(&[]);
    let (_, body) = alive[0].refresh(&server).await;
    let successor = Held::of(&body);
    alive[1].logout(&server).await;
    end_all(&server, &alive[2]).await;
    made.run(&["signing-keys", "rotate", "acme", "--now"]);
    made.run(&["keys", "rotate-master"]);
    let of_new_keys = Held::open(&server, &made).await;
    made.run(&["tenant", "end-sessions", "acme"]);
    let late = cursor_after(&server, &made, 4).await;
    server.stop();

    let here = [("VESTIBULE_DATABASE_URL", copy.url.as_str())];
    let mut restored = made.folder.command(&["restored", "--json"]);
    let told: Value = serde_json::from_str(&Ended::of(restored.envs(here)).well()).unwrap();
    assert_eq!(told["tenants"], 1, "{told}");
    let server = made.folder.serve(&here);
    for held in alive.iter().chain([&ended_before, &successor, &of_new_keys]) {
        held.is_refused(&server).await;
    }
    for held in &alive {
        held.is_over(&server).await;
    }
    // No cursor goes on, however many events there are by now.
    for turn in 0..2 {
        for cursor in [&early, &late] {
            assert_eq!(feed(&server, &made, &format!("?after={cursor}")).await.0, 400, "{turn}");
        }
        for _ in 0..20 {
            Held::open(&server, &made).await;
        }
        cursor_after(&server, &made, 2).await;
    }
    let positions = "select max(position) as number from events";
    assert!(number(&copy, positions).await > number(&made.database.open_again().await, positions).await);
    let (_, begun) = feed(&server, &made, "").await;
    let ends = begun["revocations"].as_array().unwrap().iter();
    let until =
        ends.filter(|end| end["reason"] == "store_restored").map(|end| end["openedUntil"].as_u64().unwrap());
    let opened = u64::from_str_radix(&of_new_keys.session.replace('-', "")[..12], 16).unwrap();
    assert!(until.collect::<Vec<_>>()[..].iter().all(|until| *until > opened), "also what no row knows of");
    server.stop();
}
