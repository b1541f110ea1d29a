//! Any request, put together by hand, and sessions to send it for.

use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use serde_json::Value;
use vestibule::customers;
use vestibule::customers::CustomerKind;
use vestibule::customers::store::NewCustomer;
use vestibule::db::Statement;
use vestibule::events::Actor;
use vestibule::flows::create_user;
use vestibule::ids::OperatorId;
use vestibule::operators;
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;
use vestibule::tenants::Family;

use super::app::{Answer, NIL, PASSWORD, Person, TestApp, TestTenant, password_hash, prefix};

/// A request that is being put together.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// Adds a header; one of that name that is there already stays.
    pub fn and(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// For a tenant, by whatever names it.
    pub fn tenant(self, name: &str) -> Self {
        self.and("x-tenant-id", name)
    }

    pub fn bearer(self, token: &str) -> Self {
        self.and("authorization", format!("Bearer {token}"))
    }

    /// With a tenant's backend key, by HTTP Basic; the key names the tenant.
    pub fn backend(self, tenant: &TestTenant) -> Self {
        self.basic(&tenant.backend_key, &tenant.backend_secret)
    }

    pub fn basic(self, name: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{name}:{password}"));
        self.and("authorization", format!("Basic {credentials}"))
    }

    /// With a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.and("content-type", "application/json").body(body.to_string())
    }

    /// With a form as its body.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let body = form.extend_pairs(fields).finish();
        self.and("content-type", "application/x-www-form-urlencoded").body(body)
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method.clone()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_slice());
        }
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

/// The path of one session; nil ids mean whoever the token says.
pub fn session_path(family: Family, owner: &str, user: &str, session: &str) -> String {
    format!("{}/users/{user}/sessions/{session}", prefix(family, owner))
}

/// A call of one session with its bearer, by nil ids.
pub fn session_call(method: &str, tenant: &TestTenant, family: Family, session: &str, token: &str) -> Call {
    Call::new(method, session_path(family, NIL, NIL, session)).tenant(&tenant.slug).bearer(token)
}

/// A session that a login opened.
#[derive(Clone, Debug)]
pub struct Opened {
    pub family: Family,
    pub session: String,
    pub token: String,
    pub refresh: String,
    pub data: Value,
}

impl Opened {
    /// What a login or a refresh has answered.
    pub fn of(family: Family, answer: &Answer) -> Self {
        Self {
            family,
            session: answer.field("sessionId").to_owned(),
            token: answer.field("token").to_owned(),
            refresh: answer.field("refreshToken").to_owned(),
            data: answer.data().clone(),
        }
    }
}

impl TestApp {
    pub async fn call(&self, call: Call) -> Answer {
        self.send(call.request()).await
    }

    /// Logs the family's person in.
    pub async fn open(&self, tenant: &TestTenant, family: Family) -> Opened {
        self.open_as(tenant, family, &tenant.person(family).email).await
    }

    /// Logs somebody in.
    pub async fn open_as(&self, tenant: &TestTenant, family: Family, name: &str) -> Opened {
        Opened::of(family, &self.send(tenant.login(family).named(name).request()).await.expect(200))
    }

    /// Logs the family's person in from a device, a second later than whatever was before.
    pub async fn open_on(&self, tenant: &TestTenant, family: Family, device: &str, platform: &str) -> Opened {
        self.clock.advance(1_000);
        let login = tenant.login(family).header("deviceid", device).header("platform", platform);
        Opened::of(family, &self.send(login.request()).await.expect(200))
    }

    pub async fn view(&self, tenant: &TestTenant, of: &Opened) -> Answer {
        self.call(session_call("GET", tenant, of.family, &of.session, &of.token)).await
    }

    pub async fn end(&self, tenant: &TestTenant, of: &Opened) -> Answer {
        self.call(session_call("DELETE", tenant, of.family, &of.session, &of.token)).await
    }

    /// Another user in a family of a tenant, with a customer of their own (staff: of the house).
    pub async fn another(&self, tenant: &TestTenant, family: Family, email: &str) -> Person {
        let mut person = Person::new(family, email);
        let now = self.clock.now();
        if family == Family::Admin {
            person.customer = tenant.person(Family::Admin).customer.clone();
        } else {
            let individual = family == Family::Individual;
            let kind = if individual { CustomerKind::Individual } else { CustomerKind::Organization };
            let customer = NewCustomer::new(&person.customer, kind, "Another customer");
            self.database.apply(customers::store::insert(&tenant.id, &customer, now)).await.unwrap();
        }
        let hash = password_hash(PASSWORD);
        create_user(&self.database, &tenant.id, &person.as_new(&hash), Actor::Operator(None), now)
            .await
            .unwrap();
        person
    }

    /// A member of the tenant's staff with these roles, logged in.
    pub async fn staff(&self, tenant: &TestTenant, roles: &[&str]) -> Opened {
        let email = format!("staff-{}@example.test", vestibule::ids::random_uuid());
        let person = self.another(tenant, Family::Admin, &email).await;
        let roles = serde_json::to_string(roles).unwrap();
        let sql = "update users set roles = $3 where tenant_id = $1 and id = $2 returning id";
        self.change(Statement::new(sql).bind(&tenant.id).bind(&person.id).bind(roles)).await;
        self.open_as(tenant, Family::Admin, &email).await
    }

    /// An operator's token.
    pub async fn operator(&self) -> String {
        let token = operators::new_token();
        let id = OperatorId::random();
        let digest = operators::token_digest(&token);
        let now = self.clock.now();
        let new = operators::store::insert(&id, "an operator", &digest, None, now);
        self.database.apply(new).await.unwrap();
        token.expose_secret().to_owned()
    }

    /// Sends a request to the operator's listener.
    pub async fn operator_call(&self, call: Call) -> Answer {
        let router = operator_router(&self.app, metrics());
        self.send_to(&router, call.request()).await
    }

    /// Changes one row, past the API.
    pub async fn change(&self, statement: Statement) {
        self.database.apply(statement.must_change("the row that a test changes")).await.unwrap();
    }

    /// All events of a tenant of one name.
    pub async fn events_named(&self, tenant: &str, name: &str) -> Vec<vestibule::db::Row> {
        let statement = Statement::new(
            "select session_id, reason, actor_kind, actor_id, details, personal from events \
             where tenant_id = $1 and name = $2 order by id",
        );
        self.database.list(statement.bind(tenant).bind(name)).await.unwrap()
    }
}
