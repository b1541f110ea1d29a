//! The feed of revocations: what verifiers of access tokens follow.

mod checkpoints;
mod endings;
mod feed;
mod history;
mod nodes;
mod waiting;

use serde_json::Value;
use uuid::Uuid;

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::Call;

/// Where a tenant's feed is.
pub fn path(tenant: &TestTenant) -> String {
    format!("/t/{}/revocations", tenant.slug)
}

/// When a session was opened, in Unix milliseconds: its id says so.
fn opened_at(session: &str) -> u64 {
    let (seconds, nanos) = Uuid::parse_str(session).unwrap().get_timestamp().unwrap().to_unix();
    seconds * 1_000 + u64::from(nanos) / 1_000_000
}

/// Whether a token with these claims is over by these entries: a verifier's whole rule.
pub fn is_revoked(claims: &Value, entries: &[Value]) -> bool {
    let sid = claims["sid"].as_str().unwrap();
    entries.iter().any(|entry| {
        let names = |field: &str, claim: &str| entry.get(field).is_some_and(|id| *id == claims[claim]);
        let until = entry["openedUntil"].as_u64();
        names("sessionId", "sid")
            || until.is_some_and(|until| opened_at(sid) <= until)
                && (names("userId", "sub") && entry["exceptSessionId"] != sid
                    || names("customerId", "customerId")
                    || names("tenantId", "tenantId"))
    })
}

/// The entries of an answer.
pub fn entries(answer: &Answer) -> Vec<Value> {
    answer.data()["revocations"].as_array().unwrap().clone()
}

impl TestApp {
    /// An answer of the tenant's feed, to its backend.
    pub async fn revocations(&self, tenant: &TestTenant, query: &str) -> Answer {
        self.call(Call::get(format!("{}{query}", path(tenant))).backend(tenant)).await
    }

    /// Everything that is on the feed, page by page, once all events have their numbers.
    pub async fn all_revocations(&self, tenant: &TestTenant) -> Vec<Value> {
        self.number_events().await;
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let page = self.revocations(tenant, &query).await.expect(200);
            all.extend(entries(&page));
            if page.data()["more"] == false {
                return all;
            }
            query = format!("?after={}", page.field("cursor"));
        }
    }
}
