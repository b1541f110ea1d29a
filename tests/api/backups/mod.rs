//! Copies of the database, and what a restored one must not bring back to life.

mod copies;
mod restored;
mod withdrawn;

use serde_json::{Value, json};
use vestibule::db::{Database, DatabaseOptions, Statement};
use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::app::{NIL, prefix};
use crate::support::program::Server;

/// A session of the installation's administrator.
#[derive(Clone, Debug)]
struct Held {
    session: String,
    access: String,
    refresh: String,
}

impl Held {
    async fn open(server: &Server, made: &Installation) -> Self {
        let (status, body) = server.login(Family::Admin, "acme", &made.login()).await;
        assert_eq!(status, 200, "{body}");
        Self::of(&body)
    }

    fn of(body: &Value) -> Self {
        let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
        Self { session: text("sessionId"), access: text("accessToken"), refresh: text("refreshToken") }
    }

    fn url(&self, server: &Server) -> String {
        format!("{}{}/users/{NIL}/sessions/{}", server.public, prefix(Family::Admin, NIL), self.session)
    }

    async fn look(&self, server: &Server) -> u16 {
        let request = reqwest::Client::new().get(self.url(server)).header("x-tenant-id", "acme");
        request.bearer_auth(&self.access).send().await.unwrap().status().as_u16()
    }

    async fn logout(&self, server: &Server) {
        let request = reqwest::Client::new().delete(self.url(server)).header("x-tenant-id", "acme");
        assert_eq!(request.bearer_auth(&self.access).send().await.unwrap().status(), 200);
    }

    /// Refreshes: the status, and the answer.
    async fn refresh(&self, server: &Server) -> (u16, Value) {
        let request = reqwest::Client::new().put(self.url(server)).header("x-tenant-id", "acme");
        let request =
            request.header("deviceid", "device-demo-001").json(&json!({ "refreshToken": self.refresh }));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// That its tokens are nothing, whether or not the row knows of them.
    async fn is_refused(&self, server: &Server) {
        assert_eq!(self.refresh(server).await.0, 401);
        assert_eq!(self.look(server).await, 401);
    }

    /// That it has ended by the restore.
    async fn is_over(&self, server: &Server) {
        let (status, body) = self.refresh(server).await;
        let told = (status, body["data"]["errorType"].as_str(), body["data"]["endReason"].as_str());
        assert_eq!(told, (401, Some("SESSION_ENDED"), Some("store_restored")), "{body}");
        assert_eq!(self.look(server).await, 401);
    }
}

/// The numbers that a query finds in a database.
async fn number(database: &Database, sql: &'static str) -> i64 {
    database.list(Statement::new(sql)).await.unwrap()[0].int("number").unwrap()
}

async fn open(url: &str) -> Database {
    Database::open(&DatabaseOptions::new(url)).await.unwrap()
}
