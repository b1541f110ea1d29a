//! What a session must survive, and what it must not, with real concurrency, real processes and real kills.
//!
//! `scripts/prove-sessions` runs these at length (`VESTIBULE_RACES=long`); beside all other tests they are bounded.

mod departures;
mod history;
mod kills;
mod logout;
mod phones;
mod storm;

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::app::{NIL, prefix};
use crate::support::program::Server;
use crate::support::{canary, on_postgres};

/// How much of it: little among all tests, much by hand.
pub fn rounds(few: usize, many: usize) -> usize {
    if std::env::var_os("VESTIBULE_RACES").is_some_and(|length| length == "long") { many } else { few }
}

/// Tells figures past the harness, which keeps what a good test says to itself.
pub fn tell(figures: std::fmt::Arguments<'_>) {
    let mut out = std::io::stderr();
    writeln!(out, "races: {figures}").unwrap();
}

/// The server processes on an installation's database: two on PostgreSQL.
pub fn nodes(made: &Installation) -> Vec<Server> {
    (0..if on_postgres() { 2 } else { 1 }).map(|_| made.folder.serve(&[])).collect()
}

/// A session of the installation's administrator, as an app on one device holds it.
#[derive(Clone, Debug)]
pub struct Held {
    http: reqwest::Client,
    device: String,
    session: String,
    access: String,
    pub refresh: String,
}

/// What came back of a refresh; `None`: nothing did.
pub type Refreshed = Option<(u16, Value)>;

impl Held {
    pub async fn open(base: &str, made: &Installation, device: &str) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let url = format!("{base}{}/users/{NIL}/sessions", prefix(Family::Admin, NIL));
        let request = http.post(url).header("x-tenant-id", "acme").header("deviceid", device);
        let answer = request.json(&made.login()).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, 200, "{body}");
        canary::look_at(&body);
        let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
        let (session, access, refresh) = (text("sessionId"), text("accessToken"), text("refreshToken"));
        Self { http, device: device.to_owned(), session, access, refresh }
    }

    fn path(&self) -> String {
        format!("{}/users/{NIL}/sessions/{}", prefix(Family::Admin, NIL), self.session)
    }

    /// Refreshes with a token, which may be any.
    pub async fn refresh_with(&self, base: &str, token: &str) -> Refreshed {
        let request = self.http.put(format!("{base}{}", self.path()));
        let request = request.header("x-tenant-id", "acme").header("deviceid", &self.device);
        let answer = request.json(&json!({ "refreshToken": token })).send().await.ok()?;
        let status = answer.status().as_u16();
        let body = answer.json().await.ok()?;
        canary::look_at(&body);
        Some((status, body))
    }

    /// Refreshes with the current token, and keeps what comes.
    pub async fn refresh(&mut self, base: &str) -> Refreshed {
        let (status, body) = self.refresh_with(base, &self.refresh).await?;
        if status == 200 {
            let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
            (self.access, self.refresh) = (text("accessToken"), text("refreshToken"));
        }
        Some((status, body))
    }

    /// How a look at the session with its access token is answered.
    pub async fn look(&self, base: &str) -> u16 {
        let request = self.http.get(format!("{base}{}", self.path())).header("x-tenant-id", "acme");
        request.bearer_auth(&self.access).send().await.unwrap().status().as_u16()
    }
}

/// That a refresh was refused because the session has ended, and why.
#[track_caller]
fn ended(answer: &Refreshed) -> &str {
    let (status, body) = answer.as_ref().expect("an answer");
    assert_eq!((*status, body["data"]["errorType"].as_str()), (401, Some("SESSION_ENDED")), "{body}");
    body["data"]["endReason"].as_str().unwrap()
}

/// Generation and ending of a session's row.
async fn row(made: &Installation, session: &str) -> (i64, Option<String>) {
    let database = made.database.open_again().await;
    let statement =
        vestibule::db::Statement::new("select generation, end_reason from sessions where id = $1");
    let rows = database.list(statement.bind(session)).await.unwrap();
    let found = (rows[0].int("generation").unwrap(), rows[0].maybe_text("end_reason").unwrap());
    database.close().await;
    found
}
