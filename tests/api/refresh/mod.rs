//! Refreshes: what they answer, what they re-check, and what becomes of a token that comes again.

mod answers;
mod bindings;
mod checks;
mod concurrency;
mod keys;
mod limits;
mod networks;
mod replays;

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::refresh_tokens::{self, Binding};
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, NIL, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened, session_path};

const INDIVIDUAL: Family = Family::Individual;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

async fn start() -> (TestApp, TestTenant) {
    start_with(Settings::default()).await
}

async fn start_with(settings: Settings) -> (TestApp, TestTenant) {
    assert_eq!(settings.problems(), []);
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", settings).await;
    (app, tenant)
}

/// A refresh by the path with the session's id, from the device of the login.
fn refresh_call(tenant: &TestTenant, of: &Opened) -> Call {
    refresh_with(tenant, of, &json!({ "refreshToken": of.refresh }))
}

fn refresh_with(tenant: &TestTenant, of: &Opened, body: &Value) -> Call {
    let path = session_path(of.family, NIL, NIL, &of.session);
    Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1").json(body)
}

/// The same by the path without an id.
fn refresh_without_id(tenant: &TestTenant, of: &Opened) -> Call {
    let call = refresh_call(tenant, of);
    Call { path: format!("{}/users/{NIL}/sessions", prefix(of.family, NIL)), ..call }
}

impl Call {
    fn on_device(mut self, device: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| name != "deviceid");
        match device {
            Some(device) => self.and("deviceid", device),
            None => self,
        }
    }

    fn for_tenant(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != "x-tenant-id");
        self.tenant(name)
    }
}

impl Opened {
    /// The same session with the tokens of a refresh.
    fn next(&self, answer: &Answer) -> Self {
        Self {
            token: answer.field("token").to_owned(),
            refresh: answer.field("refreshToken").to_owned(),
            data: answer.data().clone(),
            ..self.clone()
        }
    }

    fn generation(&self) -> u64 {
        refresh_tokens::parse(&self.refresh).unwrap().generation
    }
}

impl TestApp {
    async fn refresh(&self, tenant: &TestTenant, of: &Opened) -> Answer {
        self.call(refresh_call(tenant, of)).await
    }

    async fn refreshed(&self, tenant: &TestTenant, of: &Opened) -> Opened {
        of.next(&self.refresh(tenant, of).await.expect(200))
    }

    /// A token of the session's that we made, of any generation.
    async fn token_of(&self, tenant: &TestTenant, of: &Opened, generation: u64) -> Opened {
        let sql = "select salt, device_id, refresh_key_id from sessions where tenant_id = $1 and id = $2";
        let statement = Statement::new(sql).bind(&tenant.id).bind(of.session.as_str());
        let row = self.database.fetch(statement).await.unwrap().remove(0);
        let (salt, device) = (row.bytes("salt").unwrap(), row.maybe_text("device_id").unwrap());
        let session = vestibule::ids::SessionId::from_stored(of.session.clone());
        let binding =
            Binding { tenant: &tenant.id, session: &session, device: device.as_deref(), salt: &salt };
        let key = &self.app.master.find(&row.text("refresh_key_id").unwrap()).unwrap();
        Opened { refresh: refresh_tokens::compute(key, &binding, generation), ..of.clone() }
    }

    /// All of a session's row that a refresh may change.
    async fn row_of(&self, of: &Opened) -> Vec<Option<String>> {
        let sql = "select generation || '' as generation, refreshed_at || '' as refreshed_at, \
                   idle_expires_at || '' as idle_expires_at, expires_at || '' as expires_at, last_client_ip, networks, \
                   change_id, ended_at || '' as ended_at, end_reason from sessions where id = $1";
        let row = self.database.fetch(Statement::new(sql).bind(of.session.as_str())).await.unwrap().remove(0);
        let columns = [
            "generation",
            "refreshed_at",
            "idle_expires_at",
            "expires_at",
            "last_client_ip",
            "networks",
            "change_id",
            "ended_at",
            "end_reason",
        ];
        columns.map(|column| row.maybe_text(column).unwrap()).to_vec()
    }

    async fn set_settings(&self, tenant: &TestTenant, settings: &Settings) {
        assert_eq!(settings.problems(), []);
        let sql = "update tenants set settings = $2 where id = $1 returning id";
        self.change(Statement::new(sql).bind(&tenant.id).bind(settings.stored())).await;
    }

    /// What the events of a name have ended.
    async fn ends_of(&self, tenant: &TestTenant, name: &str) -> Vec<String> {
        let sql =
            "select coalesce(ends, '') as ends from events where tenant_id = $1 and name = $2 order by id";
        let rows = self.database.list(Statement::new(sql).bind(&tenant.id).bind(name)).await.unwrap();
        rows.iter().map(|row| row.text("ends").unwrap()).collect()
    }

    /// A session's ending, as its row has it.
    async fn end_reason(&self, of: &Opened) -> Option<String> {
        let statement =
            Statement::new("select end_reason from sessions where id = $1").bind(of.session.as_str());
        self.database.fetch(statement).await.unwrap()[0].maybe_text("end_reason").unwrap()
    }

    /// That the session is over, by all its ways in, and why.
    async fn is_over(&self, tenant: &TestTenant, of: &Opened, reason: &str) {
        let answer = self.refresh(tenant, of).await.expect(401);
        assert_eq!((answer.error_type(), answer.field("endReason")), ("SESSION_ENDED", reason));
        self.view(tenant, of).await.expect(401);
    }
}

/// A 401 that tells nothing.
#[track_caller]
fn refused(answer: Answer) -> Answer {
    let answer = answer.expect(401);
    assert_eq!(answer.error_type(), "REFRESH_TOKEN", "{}", answer.text);
    answer
}

/// A 401 that tells how the session ended.
#[track_caller]
fn ended(answer: Answer, reason: &str) -> Answer {
    let answer = answer.expect(401);
    assert_eq!(answer.error_type(), "SESSION_ENDED", "{}", answer.text);
    assert_eq!(answer.field("endReason"), reason);
    answer
}
