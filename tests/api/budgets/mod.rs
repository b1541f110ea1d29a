//! Failures are counted by what their callers have proven, so that a stranger can neither lock an owner out nor spend
//! what is the owner's; and they are counted to a hundred whatever the pace.

mod botnet;
mod hundred;
mod idle;
mod locks;
mod nodes;
mod proofs;

use vestibule::db::Statement;
use vestibule::ids::UserId;
use vestibule::tenants::Family;

use crate::support::app::{Answer, LoginCall, TestApp, TestTenant, Wanted};
use crate::support::calls::Opened;

const INDIVIDUAL: Family = Family::Individual;
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// A tenant whose callers' addresses are what X-Forwarded-For says.
async fn start() -> (TestApp, TestTenant) {
    let wanted = Wanted { trusted_proxies: vec!["127.0.0.1/32"], ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}

/// The individual's login from an address, on a device.
fn from(tenant: &TestTenant, address: &str, device: &str) -> LoginCall {
    tenant.login(INDIVIDUAL).header("x-forwarded-for", address).header("deviceid", device)
}

/// The owner's own phone at home.
fn phone(tenant: &TestTenant) -> LoginCall {
    from(tenant, "203.0.113.9", "phone")
}

/// Somebody else, somewhere else.
fn stranger(tenant: &TestTenant) -> LoginCall {
    from(tenant, "198.51.100.7", "notebook")
}

fn proven(call: LoginCall, refresh_token: &str) -> LoginCall {
    call.header("x-device-proof", refresh_token)
}

fn wrong(call: &LoginCall) -> LoginCall {
    call.clone().set("password", "wrong")
}

fn is_locked(answer: &Answer) -> bool {
    answer.status == 401 && answer.json["message"] == "Account locked"
}

impl TestApp {
    /// The owner logs in on the phone.
    async fn on_the_phone(&self, tenant: &TestTenant) -> Opened {
        Opened::of(INDIVIDUAL, &self.send(phone(tenant).request()).await.expect(200))
    }

    /// Failures in a row of each of a user's budgets that has any, by its proof: the last ones, and in all.
    async fn budgets(&self, user: &UserId) -> Vec<(String, i64, i64)> {
        let sql = "select subject, failures, total from throttles where user_id = $1 and total > 0 order by subject";
        let rows = self.database.list(Statement::new(sql).bind(user)).await.unwrap();
        let word = |subject: String| subject.split('/').nth(1).map_or("none", |proof| &proof[..4]).to_owned();
        rows.iter()
            .map(|row| {
                (word(row.text("subject").unwrap()), row.int("failures").unwrap(), row.int("total").unwrap())
            })
            .collect()
    }

    /// How many attempts were compared with the stored hash and failed.
    async fn compared(&self, tenant: &TestTenant) -> usize {
        let events = self.login_events(tenant).await;
        events.iter().filter(|event| event.reason.as_deref() == Some("wrong_password")).count()
    }

    /// What the event of this answer says was proven.
    async fn proof_of(&self, tenant: &TestTenant, answer: &Answer) -> String {
        let id = answer.headers["x-request-id"].to_str().unwrap();
        let events = self.login_events(tenant).await;
        let event = events.iter().find(|event| event.request_id.as_deref() == Some(id)).unwrap();
        event.details["proof"].as_str().unwrap().to_owned()
    }
}
