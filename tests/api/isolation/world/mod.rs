//! Two tenants with everything alike.

mod requests;

use axum::Router;
use serde_json::json;
use vestibule::db::Statement;
use vestibule::ids::{SessionId, random_uuid};
use vestibule::refresh_tokens::{Binding, compute};
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;
use vestibule::tenants::Family;

use super::callers::Party;
use super::rows::Rows;
use super::{Operation, Permission};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::directory::{CUSTOMERS, new_user};

pub struct World {
    pub app: TestApp,
    pub acme: TestTenant,
    pub globex: TestTenant,
    /// An operator's token.
    pub operator: String,
    pub rows: Rows,
    operators: Router,
    /// Acme's sessions that only their neighbours name, and globex's; in the order of the families.
    neighbours: Vec<Opened>,
    theirs: Vec<Opened>,
    /// What else is globex's.
    their_things: Own,
}

/// What a caller may reach at an operation, by the names of its places.
#[derive(Clone, Default, Debug)]
pub struct Own {
    pub customer: String,
    pub user: String,
    pub session: String,
    /// The user's login name.
    pub name: String,
    pub reset_secret: String,
    pub refresh_token: String,
    /// An access token.
    pub token: String,
    /// That of the session.
    pub family: Option<Family>,
    /// The only one that somebody logs in from.
    pub device: String,
    /// An operation that ends sessions.
    pub operation: String,
    /// A tenant's slug.
    pub tenant: String,
    pub key: String,
    pub kid: String,
    pub operator: String,
    /// A device, as paths name it.
    pub device_in_path: String,
}

impl Own {
    fn of(opened: &Opened) -> Self {
        let field = |name: &str| opened.data[name].as_str().unwrap().to_owned();
        Self {
            customer: field("customerId"),
            user: field("userId"),
            session: opened.session.clone(),
            refresh_token: opened.refresh.clone(),
            token: opened.token.clone(),
            family: Some(opened.family),
            ..Self::default()
        }
    }
}

fn fresh_email() -> String {
    format!("{}@example.test", random_uuid())
}

impl World {
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
        let (operator, rows) = (app.operator().await, Rows::new(&app).await);
        let operators = operator_router(&app.app, metrics());
        let (neighbours, theirs, their_things) = (Vec::new(), Vec::new(), Own::default());
        let mut world =
            Self { app, acme, globex, operator, rows, operators, neighbours, theirs, their_things };
        for family in Family::ALL {
            let neighbour = world.person(family).await;
            world.neighbours.push(neighbour);
            let theirs = world.app.open(&world.globex, family).await;
            world.theirs.push(theirs);
            // Without whom a list of them has no second page.
            world.app.open(&world.globex, family).await;
            let neighbour = world.neighbours.last().unwrap().data["user"]["email"].as_str().unwrap();
            world.app.open_as(&world.acme, family, neighbour).await;
        }
        let World { app, globex, .. } = &world;
        let email = fresh_email();
        let (customer, user) = app.organization(globex, &email).await;
        world.second_user(globex, &customer).await;
        let device = format!("device-{}", random_uuid());
        let session = world.open_on(globex, &email, &device).await;
        app.open_as(globex, Family::Organization, &email).await;
        let operation = world.operation(globex).await;
        let reset_secret = world.reset_secret(globex, &globex.person(Family::Individual).email).await;
        let token = world.theirs[0].token.clone();
        let device_in_path = world.device_of(&user).await;
        let of_tenant = world.of_tenant(&globex.slug).await;
        world.their_things = Own {
            customer,
            user,
            session,
            reset_secret,
            token,
            device,
            operation,
            device_in_path,
            ..of_tenant
        };
        world
    }

    /// A new user of acme in a family, logged in.
    pub async fn person(&self, family: Family) -> Opened {
        let email = fresh_email();
        self.app.another(&self.acme, family, &email).await;
        self.app.open_as(&self.acme, family, &email).await
    }

    /// What is whose session this is.
    async fn of(&self, opened: &Opened) -> Own {
        let own = Own::of(opened);
        Own { device_in_path: self.device_of(&own.user).await, ..own }
    }

    async fn of_family(&self, all: &[Opened], family: Family) -> Own {
        self.of(all.iter().find(|opened| opened.family == family).unwrap()).await
    }

    /// One of a user's devices.
    async fn device_of(&self, user: &str) -> String {
        let sql = "select change_id from devices where user_id = $1 order by last_seen_at limit 1";
        let devices = self.app.database.fetch(Statement::new(sql).bind(user)).await.unwrap();
        devices[0].text("change_id").unwrap()
    }

    /// Without whom a list of them has no second page.
    async fn second_user(&self, tenant: &TestTenant, customer: &str) {
        let (path, body) = (format!("{CUSTOMERS}/{customer}/users"), new_user(&fresh_email(), &["USER"]));
        self.app.backend(tenant, "POST", &path, &body).await.expect(200);
    }

    /// Logs an organization's user in from a device: the session's id.
    async fn open_on(&self, tenant: &TestTenant, name: &str, device: &str) -> String {
        let login = tenant.login(Family::Organization).named(name).header("deviceid", device);
        self.app.send(login.request()).await.expect(200).field("sessionId").to_owned()
    }

    /// An operation that ends the sessions of nobody.
    async fn operation(&self, tenant: &TestTenant) -> String {
        let body = json!({ "filter": { "deviceId": "nobody's" } });
        let answer =
            self.app.backend(tenant, "POST", "/api/v2.1/admin/sessions/end", &body).await.expect(200);
        answer.field("operationId").to_owned()
    }

    async fn reset_secret(&self, tenant: &TestTenant, name: &str) -> String {
        let body = json!({ "username": name });
        let answer = self.app.backend(tenant, "POST", "/api/v2.1/password-resets", &body).await.expect(200);
        answer.field("resetSecret").to_owned()
    }

    /// Well made, and of a session that is not there.
    fn refresh_token_of_nobody(&self) -> String {
        let session = SessionId::at(self.app.clock.now());
        let binding =
            Binding { tenant: &self.acme.id, session: &session, device: Some("device-1"), salt: &[0; 16] };
        compute(&self.app.app.master.current(), &binding, 1)
    }

    /// What operators see of a tenant.
    async fn of_tenant(&self, slug: &str) -> Own {
        let first = async |path: String, field: &str| {
            let call = Call::get(format!("/operator/v1/tenants/{slug}/{path}")).bearer(&self.operator);
            let answer = self.app.send_to(&self.operators, call.request()).await.expect(200);
            answer.data()["items"][0][field].as_str().unwrap().to_owned()
        };
        let (key, kid) =
            (first("keys".to_owned(), "id").await, first("signing-keys".to_owned(), "kid").await);
        Own { tenant: slug.to_owned(), key, kid, ..Own::default() }
    }

    /// Things that a caller may reach at an operation, used by nobody before.
    pub async fn own(&self, operation: &Operation, party: &Party) -> Own {
        let Self { app, acme, .. } = self;
        match operation.permission() {
            Permission::Read | Permission::Manage | Permission::ManageSessions | Permission::Backend => {
                let email = fresh_email();
                let (customer, user) = app.organization(acme, &email).await;
                let (mut session, mut operation_id) = (String::new(), String::new());
                let device = format!("device-{}", random_uuid());
                let mut device_in_path = String::new();
                if ["/sessions", "/devices", "/events"].iter().any(|part| operation.path.contains(part)) {
                    session = self.open_on(acme, &email, &device).await;
                    device_in_path = self.device_of(&user).await;
                }
                match operation.id.as_str() {
                    "resumeCustomer" => {
                        app.act(acme, CUSTOMERS, &customer, "suspend").await.expect(200);
                    }
                    "listCustomerUsers" => self.second_user(acme, &customer).await,
                    "listUserDevices" => drop(self.open_on(acme, &email, "device-2").await),
                    "listUserSessions" => drop(self.open_on(acme, &email, &device).await),
                    "getSessionOperation" => operation_id = self.operation(acme).await,
                    // There is evidence of what is sealed.
                    "getUserSessionEvidence" => drop(app.seal_events().await),
                    _ => (),
                }
                let (tenant, operation) = (acme.slug.clone(), operation_id);
                Own { customer, user, session, device, operation, tenant, device_in_path, ..Own::default() }
            }
            Permission::Client => {
                let opened = self.person(Family::Individual).await;
                Own { token: opened.token.clone(), ..Own::of(&opened) }
            }
            Permission::Own(family) => match &party.opened {
                Some(opened) if party.caller.family().is_some() => {
                    if operation.id.starts_with("listSessions") {
                        let name = opened.data["user"]["email"].as_str().unwrap();
                        app.open_as(acme, opened.family, name).await;
                    }
                    self.of(opened).await
                }
                // Somebody who has nothing here: the ids of somebody who has.
                _ => self.of_family(&self.neighbours, family).await,
            },
            Permission::Login(family) => {
                let name = fresh_email();
                let person = app.another(acme, family, &name).await;
                let (customer, user) = (person.customer.to_string(), person.id.to_string());
                Own { customer, user, name, ..Own::default() }
            }
            Permission::Refresh(family) => Own::of(&self.person(family).await),
            Permission::Secret => {
                let name = fresh_email();
                app.individual(acme, &name).await;
                Own { reset_secret: self.reset_secret(acme, &name).await, ..Own::default() }
            }
            Permission::Operator => {
                let slug = format!("t-{}", &random_uuid()[..13]);
                app.tenant(&slug).await;
                let new = Call::new("POST", "/operator/v1/operators").bearer(&self.operator);
                let new = new.json(&json!({ "name": "Another" })).request();
                let answer = app.send_to(&self.operators, new).await.expect(200);
                let operator = answer.data()["operator"]["id"].as_str().unwrap().to_owned();
                Own { operator, ..self.of_tenant(&slug).await }
            }
            Permission::Open | Permission::Public => Own { tenant: acme.slug.clone(), ..Own::default() },
        }
    }

    /// Gives globex a user with the ids, names and sessions of one of acme's, as an import may: whoever forgets the
    /// tenant reaches them as well.
    pub async fn twin(&self, own: &Own) {
        if own.user.is_empty() {
            return;
        }
        let Self { acme, globex, their_things, .. } = self;
        let (tenant, kid) = (format!("'{}'", globex.id), format!("'{}'", their_things.kid));
        let set = [
            ("tenant_id", tenant.as_str()),
            ("signing_kid", kid.as_str()),
            ("tenant_key_id", "null"),
            ("house", "false"),
        ];
        let tables = [
            ("customers", "id", &own.customer),
            ("users", "id", &own.user),
            ("login_names", "user_id", &own.user),
            ("user_phones", "user_id", &own.user),
            ("devices", "user_id", &own.user),
            ("sessions", "user_id", &own.user),
            ("session_operations", "id", &own.operation),
        ];
        let copy = |(table, key, id): (&str, &str, &String)| self.rows.copy(table, key, id, &acme.id, &set);
        self.app.script(&tables.map(copy).concat()).await;
    }
}
