//! What operators do, through their router: themselves, tenants, settings, keys.

mod deletion;
mod key_load;
mod key_schedule;
mod keys;
mod listener;
mod people;
mod settings;
mod signing_keys;
mod tenants;

use axum::Router;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use vestibule::db::Row;
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, TestApp, prefix};
use crate::support::calls::Call;
use crate::support::login::answer;

/// An operator with a good token.
struct Operator<'a> {
    app: &'a TestApp,
    router: Router,
    token: String,
}

impl<'a> Operator<'a> {
    async fn of(app: &'a TestApp) -> Self {
        Self { app, router: operator_router(&app.app, metrics()), token: app.operator().await }
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, format!("/operator/v1{path}")).bearer(&self.token)
    }

    async fn send(&self, call: Call) -> Answer {
        self.app.send_to(&self.router, call.request()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(self.call("GET", path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.call("POST", path).json(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.call("PATCH", path).json(&body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(self.call("DELETE", path)).await
    }

    async fn delete_tenant(&self, slug: &str) -> Answer {
        self.send(self.call("DELETE", &format!("/tenants/{slug}")).json(&json!({ "slug": slug }))).await
    }

    /// Sends the calls at the same time; their statuses, sorted.
    async fn at_once(&self, calls: Vec<Call>) -> Vec<u16> {
        let mut tasks = JoinSet::new();
        for call in calls {
            tasks.spawn(answer(self.router.clone(), call.request()));
        }
        let mut statuses: Vec<_> =
            tasks.join_all().await.into_iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        statuses
    }
}

/// Whether a login key opens the tenant's door: a name that nobody has is told 401 behind it, and 403 before it.
async fn door(app: &TestApp, slug: &str, key: &str, secret: &str) -> u16 {
    let path = format!("{}/users/{NIL}/sessions", prefix(Family::Individual, NIL));
    let call = Call::new("POST", path).tenant(slug).and("x-forwarded-for", "127.0.0.1");
    let call = call.and("x-forwarded-from", "app").and("platform", "web").and("deviceid", "d");
    let body = json!({
        "username": format!("{}@x.test", vestibule::ids::random_uuid()), "password": "wrong",
        "tenantKey": key, "tenantSecret": secret,
    });
    app.call(call.json(&body)).await.status.as_u16()
}

fn details(event: &Row) -> Value {
    serde_json::from_str(&event.text("details").unwrap()).unwrap()
}
