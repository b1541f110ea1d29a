//! A server that is killed while it ends many leaves no half of it, and the next one goes on.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::db::{Database, Statement};
use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::dice::Dice;
use crate::support::login::until;
use crate::support::program::Server;

const SESSIONS: usize = 2_500;
const KILLS: u64 = 3;

/// Asks the API with a tenant's token.
async fn ask(server: &Server, token: &str, method: Method, path: &str, body: Option<Value>) -> Option<Value> {
    let url = format!("{}/api/v2.1/admin{path}", server.public);
    let mut request =
        reqwest::Client::new().request(method, url).bearer_auth(token).header("x-tenant-id", "acme");
    if let Some(body) = body {
        request = request.json(&body);
    }
    request.send().await.ok()?.json().await.ok()
}

async fn number(database: &Database, from: &'static str) -> i64 {
    let sql = &*format!("select count(*) as number from {from}").leak();
    database.list(Statement::new(sql)).await.unwrap()[0].int("number").unwrap()
}

/// Copies of the one session there is, on another platform.
fn crowd() -> String {
    format!(
        "insert into sessions (tenant_id, id, user_id, customer_id, family, platform, client_ip, client_ip_reason, \
         signing_kid, amr, created_at, idle_expires_at, expires_at, generation, salt, refresh_key_id, change_id) \
         select tenant_id, substr(id, 1, 23) || '-' || (100000000000 + n), user_id, customer_id, family, 'crowd', \
         client_ip, client_ip_reason, signing_kid, amr, created_at, idle_expires_at, expires_at, 1, salt, \
         refresh_key_id, change_id from (select * from sessions order by id limit 1) s, \
         (with recursive n(n) as (select 1 union all select n + 1 from n where n < {SESSIONS}) select n from n) n"
    )
}

#[tokio::test]
async fn R154_a_server_killed_while_it_ends_many_is_gone_on_for_and_each_ends_once_with_one_event() {
    let made = Installation::new().await;
    let mut server = made.folder.serve(&[]);
    let login = async |server: &Server| {
        let (status, answer) = server.login(Family::Admin, "acme", &made.login()).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"]["token"].as_str().unwrap().to_owned()
    };
    let token = login(&server).await;
    let database = made.database.open_again().await;
    database.execute_script(&crowd()).await.unwrap();
    let left = "sessions where platform = 'crowd' and ended_at is null";
    let asked = tokio::spawn({
        let (public, token) = (server.public.clone(), token.clone());
        async move {
            let url = format!("{public}/api/v2.1/admin/sessions/end");
            let body = json!({ "filter": { "platform": "crowd" }, "reason": "drill" });
            let request = reqwest::Client::new().post(url).bearer_auth(token).header("x-tenant-id", "acme");
            let _ = request.json(&body).send().await;
        }
    });
    let mut dice = Dice::new(65);
    let mut cut_short = 0;
    for _ in 0..KILLS {
        let before = number(&database, left).await;
        until("it gets on", async || number(&database, left).await < before).await;
        tokio::time::sleep(Duration::from_micros(dice.below(20_000))).await;
        server.kill();
        let now = number(&database, left).await;
        cut_short += i32::from(now > 0);
        // What is done is done whole: as many events as sessions.
        let told = number(&database, "events where name = 'session_expired'").await;
        let ended = number(&database, "sessions where platform = 'crowd' and ended_at is not null").await;
        if database.is_sqlite() {
            assert_eq!(told, ended);
        }
        server = made.folder.serve(&[]);
        if now == 0 {
            break;
        }
    }
    asked.await.unwrap();
    assert!(cut_short > 0, "no kill came in the middle");
    until("all have ended", async || number(&database, left).await == 0).await;
    let total = i64::try_from(SESSIONS).unwrap();
    assert_eq!(number(&database, "events where name = 'session_expired'").await, total);
    let twice = "(select session_id from events where name = 'session_expired' group by session_id \
                 having count(*) > 1) twice";
    assert_eq!(number(&database, twice).await, 0);
    let token = login(&server).await;
    until("it says so", async || {
        let rows = database.list(Statement::new("select id from session_operations")).await.unwrap();
        let path = format!("/session-operations/{}", rows[0].text("id").unwrap());
        let seen = ask(&server, &token, Method::GET, &path, None).await.unwrap();
        seen["data"]["state"] == "settling" && seen["data"]["ended"] == total
    })
    .await;
    server.stop();
}
