//! What the tests of the login need beside [`TestApp`]: more people, slow hashes, a look into the tables.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use secrecy::SecretString;
use serde_json::Value;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use vestibule::app::SharedApp;
use vestibule::clock::Timestamp;
use vestibule::customers::store::NewCustomer;
use vestibule::customers::{self, CustomerKind};
use vestibule::db::{Database, Row, Statement};
use vestibule::events::Actor;
use vestibule::flows::create_user;
use vestibule::passwords::{Cost, Floor, Options, PasswordHash, hash_blocking};
use vestibule::secrets::from_base64url;
use vestibule::server::public_router;
use vestibule::tenants::Family;

use super::app::{Answer, LoginCall, PASSWORD, Person, TestApp, TestTenant, Wanted, password_hash};
use super::canary;

/// What docs/contract-notes.md says that an access token tells.
pub const CLAIMS: [&str; 16] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "iat",
    "tenantId",
    "customerId",
    "userId",
    "userType",
    "roles",
    "jti",
    "sid",
    "auth_time",
    "acr",
    "amr",
    "client_id",
];

/// The most that a stored hash may cost: it keeps a thread busy for most of a second.
const SLOW: Cost = Cost { memory_kib: 65_536, passes: 10, lanes: 1 };

/// Everybody's password, hashed slowly.
pub static SLOW_HASH: LazyLock<PasswordHash> = LazyLock::new(|| {
    let options = Options { cost: SLOW, floor: Floor::TestsOnly, ..Options::default() };
    hash_blocking(&options, &SecretString::from(PASSWORD)).unwrap()
});

/// One hash thread, so that what runs keeps everything else waiting.
pub fn one_thread() -> Wanted {
    let mut wanted = Wanted::default();
    wanted.passwords.threads = 1;
    wanted
}

/// Sends a request to a router.
pub async fn answer(router: Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.oneshot(canary::sent(request).await).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let answer = Answer {
        status: parts.status,
        headers: parts.headers,
        json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    };
    canary::answered(&answer);
    answer
}

/// Waits until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_secs(20), "still not: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Two instances of the service on one database, as behind a balancer.
pub async fn two_instances() -> (TestApp, Router) {
    let key = vestibule::secrets::MasterKeys::generate().to_string();
    let first = TestApp::start_with(Wanted { master_key: Some(key.clone()), ..Wanted::default() }).await;
    let other = beside(&first, &key, first.database.open_again().await);
    (first, public_router(&other))
}

/// One more instance beside another, with the same master key and clock, on its own handle of the database.
pub fn beside(first: &TestApp, master_key: &str, db: Database) -> SharedApp {
    std::sync::Arc::new(vestibule::app::App {
        db,
        clock: first.clock.clone(),
        master: vestibule::secrets::MasterKeys::parse(master_key).unwrap(),
        passwords: vestibule::passwords::Passwords::start(Wanted::default().passwords).unwrap(),
        breached_passwords: None,
        signing_keys: vestibule::signing_keys::SigningKeys::default(),
        verified_tokens: vestibule::access_tokens::VerifiedTokens::default(),
        passed_doors: vestibule::tenants::PassedDoors::default(),
        options: first.app.options.clone(),
        request_limits: vestibule::request_limits::RequestLimits::default(),
        source_gates: vestibule::source_limits::Gates::default(),
        early_gates: vestibule::source_limits::Gates::default(),
        refused_sources: vestibule::source_limits::RefusedSources::default(),
        revocations: vestibule::revocation_watch::RevocationWatch::new(*first.app.revocations.options()),
        refusals: vestibule::app::Refusals::default(),
    })
}

/// An event's row.
#[derive(Debug)]
pub struct Event {
    pub name: String,
    pub outcome: String,
    pub occurred_at: Timestamp,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub user_id: Option<String>,
    pub session_id: Option<String>,
    pub reason: Option<String>,
    pub request_id: Option<String>,
    pub details: Value,
    pub personal: Value,
    pub salt: Vec<u8>,
}

impl Event {
    fn from_row(row: &Row) -> Self {
        let json =
            |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
        Self {
            name: row.text("name").unwrap(),
            outcome: row.text("outcome").unwrap(),
            occurred_at: row.instant("occurred_at").unwrap(),
            actor_kind: row.text("actor_kind").unwrap(),
            actor_id: row.maybe_text("actor_id").unwrap(),
            user_id: row.maybe_text("user_id").unwrap(),
            session_id: row.maybe_text("session_id").unwrap(),
            reason: row.maybe_text("reason").unwrap(),
            request_id: row.maybe_text("request_id").unwrap(),
            details: json(row.maybe_text("details").unwrap()),
            personal: json(row.maybe_text("personal").unwrap()),
            salt: row.bytes("salt").unwrap(),
        }
    }
}

fn statement(sql: String) -> Statement {
    Statement::new(sql.leak())
}

impl TestApp {
    /// Runs a script in the migrations' SQL.
    pub async fn script(&self, sql: &str) {
        self.database.execute_script(sql).await.unwrap();
    }

    /// How many rows there are `from` (a table, and a condition perhaps).
    pub async fn number_of(&self, from: &str) -> i64 {
        let rows =
            self.database.fetch(statement(format!("select count(*) as number from {from}"))).await.unwrap();
        rows[0].int("number").unwrap()
    }

    /// The login's events of a tenant, but for what a new device adds (`events_named` has it). Those of one
    /// millisecond are in no order.
    pub async fn login_events(&self, tenant: &TestTenant) -> Vec<Event> {
        let sql = "select name, outcome, occurred_at, actor_kind, actor_id, user_id, session_id, reason, \
                   request_id, details, personal, salt from events \
                   where tenant_id = $1 and name like 'authn%' and name <> 'authn_login_new_device' order by id";
        let rows = self.database.list(Statement::new(sql).bind(&tenant.id)).await.unwrap();
        rows.iter().map(Event::from_row).collect()
    }

    /// The names of those events, sorted.
    pub async fn event_names(&self, tenant: &TestTenant) -> Vec<String> {
        let mut names: Vec<_> = self.login_events(tenant).await.into_iter().map(|event| event.name).collect();
        names.sort();
        names
    }

    /// The one event of the request that was answered like this.
    pub async fn event_of(&self, tenant: &TestTenant, answer: &Answer) -> Event {
        let id = answer.headers["x-request-id"].to_str().unwrap();
        let events = self.login_events(tenant).await.into_iter();
        let mut events: Vec<_> = events.filter(|event| event.request_id.as_deref() == Some(id)).collect();
        assert_eq!(events.len(), 1, "one event of one request");
        events.remove(0)
    }

    /// Every value of every column of every table, one after the other.
    pub async fn everything_stored(&self) -> Vec<u8> {
        let columns = if self.database.is_sqlite() {
            "select m.name as t, p.name as c from sqlite_master m join pragma_table_info(m.name) p \
             where m.type = 'table'"
        } else {
            "select table_name::text as t, column_name::text as c from information_schema.columns \
             where table_schema = 'public'"
        };
        let columns = self.database.list(Statement::new(columns)).await.unwrap();
        assert!(columns.len() > 50, "the catalogue lists all columns");
        let mut all = Vec::new();
        for row in columns {
            let (table, column) = (row.text("t").unwrap(), row.text("c").unwrap());
            let values =
                self.database.list(statement(format!("select {column} as v from {table}"))).await.unwrap();
            for value in values {
                if let Ok(Some(text)) = value.maybe_text("v") {
                    all.extend(text.into_bytes());
                } else if let Ok(Some(bytes)) = value.maybe_bytes("v") {
                    all.extend(bytes);
                }
                all.push(b'\n');
            }
        }
        all
    }

    /// How many hashes one answer cost.
    pub async fn hashes_of(&self, call: &LoginCall) -> (Answer, u64) {
        let before = self.app.passwords.evaluations();
        let answer = self.send(call.request()).await;
        (answer, self.app.passwords.evaluations() - before)
    }

    /// Sends a login without waiting for its answer.
    pub fn send_apart(&self, call: &LoginCall) -> JoinHandle<Answer> {
        tokio::spawn(answer(self.router.clone(), call.request()))
    }

    /// Waits until so many hashes have begun.
    pub async fn begun(&self, hashes: u64) {
        until("the hash has begun", async || self.app.passwords.evaluations() >= hashes).await;
    }

    /// Sends `times` logins with a wrong password.
    pub async fn fail(&self, call: &LoginCall, times: usize) {
        for _ in 0..times {
            let answer = self.send(call.clone().set("password", "wrong").request()).await.expect(401);
            assert_eq!(answer.json["message"], "Authentication failed");
        }
    }

    /// One more person in a family, for a customer of their own.
    pub async fn add_person(&self, tenant: &TestTenant, family: Family, email: &str) -> Person {
        static HASH: LazyLock<PasswordHash> = LazyLock::new(|| password_hash(PASSWORD));
        self.add_person_with(tenant, family, email, &HASH).await
    }

    /// One more person, with a hash that was made elsewhere.
    pub async fn add_person_with(
        &self,
        tenant: &TestTenant,
        family: Family,
        email: &str,
        hash: &PasswordHash,
    ) -> Person {
        let person = Person::new(family, email);
        let kind =
            if family == Family::Individual { CustomerKind::Individual } else { CustomerKind::Organization };
        let customer = NewCustomer::new(&person.customer, kind, "Another customer");
        let now = self.clock.now();
        self.database.apply(customers::store::insert(&tenant.id, &customer, now)).await.unwrap();
        create_user(&self.database, &tenant.id, &person.as_new(hash), Actor::Operator(None), now)
            .await
            .unwrap();
        person
    }

    /// Gives a person another stored hash.
    pub async fn set_hash(&self, person: &Person, hash: &PasswordHash) {
        self.update_user(person, &format!("password_hash = '{}'", hash.as_str())).await;
    }

    pub async fn update_user(&self, person: &Person, set: &str) {
        self.script(&format!("update users set {set} where id = '{}'", person.id)).await;
    }

    pub async fn update_customer(&self, person: &Person, set: &str) {
        self.script(&format!("update customers set {set} where id = '{}'", person.customer)).await;
    }

    /// The failures counted for a person, whatever their callers had proven.
    pub async fn failures(&self, person: &Person) -> i64 {
        let sql = "select failures from throttles where user_id = $1";
        let rows = self.database.fetch(Statement::new(sql).bind(&person.id)).await.unwrap();
        rows.iter().map(|row| row.int("failures").unwrap()).sum()
    }

    /// Puts an attempt in flight that began so many milliseconds ago.
    pub async fn attempt_in_flight(&self, tenant: &TestTenant, person: &Person, id: &str, age: i64) {
        let at = self.clock.now().as_millis();
        let (tenant, user) = (&tenant.id, &person.id);
        self.script(&format!(
            "insert into throttles (tenant_id, subject, user_id, failures, updated_at, change_id) \
             values ('{tenant}', 'user:{user}', '{user}', 0, {at}, 'test') on conflict do nothing; \
             insert into attempts (tenant_id, subject, id, reserved_at) \
             values ('{tenant}', 'user:{user}', '{id}', {})",
            at - age
        ))
        .await;
    }
}

impl Answer {
    /// Everything of it that could tell two answers apart: all but the date and the request id.
    pub fn fingerprint(&self) -> String {
        let mut headers: Vec<String> = self
            .headers
            .iter()
            .filter(|(name, _)| *name != "date" && *name != "x-request-id")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        assert!(self.headers.contains_key("x-request-id"), "every answer has a request id");
        headers.sort();
        format!("{} {headers:?} {} bytes\n{}", self.status, self.text.len(), self.without_request_id())
    }

    /// The access token's header and payload, as they were written.
    pub fn token_parts(&self) -> (String, String) {
        let mut parts = self.field("token").split('.').map(|part| {
            from_base64url(part).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap()
        });
        (parts.next().unwrap(), parts.next().unwrap())
    }

    pub fn claims(&self) -> Value {
        serde_json::from_str(&self.token_parts().1).unwrap()
    }

    /// The fields that a 400 complains of, in its order.
    pub fn complaints(&self) -> Vec<&str> {
        let errors = self.data()["errors"].as_array().unwrap_or_else(|| panic!("no errors in {}", self.text));
        errors.iter().map(|error| error["field"].as_str().unwrap()).collect()
    }
}
