//! Sessions found, looked at and ended by their users, a tenant's staff and backend.

mod crashes;
mod ends;
mod lists;
mod operations;
pub mod plans;
mod search;

use serde_json::Value;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened};

const SESSIONS: &str = "/api/v2.1/admin/sessions";
const OPERATIONS: &str = "/api/v2.1/admin/session-operations";

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}

/// The path of a user's sessions, for staff and backend.
fn of_user(user: &str) -> String {
    format!("/api/v2.1/admin/users/{user}/sessions")
}

/// The path of the caller's own sessions.
fn own(family: Family) -> String {
    format!("{}/users/{NIL}/sessions", prefix(family, NIL))
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.data()["items"].as_array().unwrap_or_else(|| panic!("no items in {}", answer.text));
    items.iter().map(|item| item["sessionId"].as_str().unwrap().to_owned()).collect()
}

/// The ids on all pages of so many, as `ask` answers them.
async fn all(path: &str, limit: usize, ask: impl AsyncFn(String) -> Answer) -> Vec<String> {
    let join = if path.contains('?') { '&' } else { '?' };
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let answer = ask(format!("{path}{join}limit={limit}{after}")).await.expect(200);
        let page = ids(&answer);
        assert!(page.len() <= limit);
        found.extend(page);
        match answer.data()["nextCursor"].as_str() {
            Some(cursor) => after = format!("&cursor={cursor}"),
            None => return found,
        }
    }
}

impl TestApp {
    /// Logs the family's person in a millisecond later than whoever came before.
    async fn later(&self, tenant: &TestTenant, family: Family) -> Opened {
        self.clock.advance(1);
        self.open(tenant, family).await
    }

    async fn own_list(&self, tenant: &TestTenant, of: &Opened, query: &str) -> Answer {
        let path = format!("{}{query}", own(of.family));
        self.call(Call::get(path).tenant(&tenant.slug).bearer(&of.token)).await
    }

    /// What the backend begins to end, or counts.
    async fn end_matching(&self, tenant: &TestTenant, body: &Value) -> Answer {
        self.backend(tenant, "POST", &format!("{SESSIONS}/end"), body).await
    }

    /// The endings that were told as events: session and reason, sorted.
    async fn told(&self, tenant: &TestTenant) -> Vec<(String, String)> {
        let rows = self.events_named(tenant.id.as_str(), "session_expired").await;
        let mut told: Vec<_> =
            rows.iter().map(|row| (row.text("session_id").unwrap(), row.text("reason").unwrap())).collect();
        told.sort();
        told
    }
}
