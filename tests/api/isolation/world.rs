//! Two tenants with everything alike, and the requests of every operation, made of its document's examples.

use axum::Router;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::http::paging::List;
use vestibule::ids::{SessionId, TenantId, UserId, random_uuid};
use vestibule::password_resets::new_secret;
use vestibule::refresh_tokens::{Binding, compute};
use vestibule::server::operator_router;
use vestibule::telemetry::metrics;
use vestibule::tenants::Family;

use super::callers::Party;
use super::places::{Naming, Place, Whose};
use super::rows::Rows;
use super::{Operation, Permission};
use crate::support::app::{Answer, NIL, TestApp, TestTenant};
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
        compute(self.app.app.master.current(), &binding, 1)
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
                if ["/sessions", "/devices"].iter().any(|part| operation.path.contains(part)) {
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

    /// What stands at a place.
    async fn id(&self, operation: &Operation, own: &Own, place: &Place, whose: Whose) -> String {
        let Self { acme, globex, .. } = self;
        let permission = operation.permission();
        let named = |of: &Own, tenant: &TestTenant| match place.name() {
            "customerId" | "organizationId" => of.customer.clone(),
            "userId" => of.user.clone(),
            "sessionId" => of.session.clone(),
            "resetSecret" => of.reset_secret.clone(),
            "device" => of.device_in_path.clone(),
            "deviceId" => of.device.clone(),
            "operationId" => of.operation.clone(),
            "refreshToken" => of.refresh_token.clone(),
            "token" => of.token.clone(),
            "slug" | "tenant" => of.tenant.clone(),
            "keyId" => of.key.clone(),
            "kid" => of.kid.clone(),
            "operatorId" => of.operator.clone(),
            "tenantId" => tenant.id.to_string(),
            "tenantKey" => tenant.key.clone(),
            name => panic!("{} names a thing at {name}: what is it?", operation.id),
        };
        let is_cursor = ["cursor", "after"].contains(&place.name());
        match (whose, permission) {
            // Somebody of another family has none of their own here.
            (Whose::Own, Permission::Own(family)) if is_cursor && own.family != Some(family) => {
                self.cursor(operation, acme, &self.of_family(&self.neighbours, family).await).await
            }
            (Whose::Own, _) if is_cursor => self.cursor(operation, acme, own).await,
            (Whose::Anothers, Permission::Own(family)) if is_cursor => {
                self.cursor(operation, globex, &self.of_family(&self.theirs, family).await).await
            }
            (Whose::Anothers, _) if is_cursor => self.cursor(operation, globex, &self.their_things).await,
            (Whose::Own, _) => named(own, acme),
            (
                Whose::Neighbours,
                Permission::Own(family) | Permission::Login(family) | Permission::Refresh(family),
            ) => named(&self.of_family(&self.neighbours, family).await, acme),
            (
                Whose::Anothers,
                Permission::Own(family) | Permission::Login(family) | Permission::Refresh(family),
            ) => named(&self.of_family(&self.theirs, family).await, globex),
            (Whose::Neighbours, _) => panic!("{place:?} of {} has no neighbours", operation.id),
            (Whose::Anothers, _) => named(&self.their_things, globex),
            (Whose::Absent, _) => match place.name() {
                "sessionId" => SessionId::at(self.app.clock.now()).to_string(),
                "tenantId" => TenantId::random().to_string(),
                "resetSecret" => new_secret().expose_secret().to_owned(),
                "refreshToken" => self.refresh_token_of_nobody(),
                "slug" | "tenant" | "tenantKey" => "absent".to_owned(),
                "kid" => own.kid.chars().rev().collect(),
                "cursor" | "after" => "vpc1.a.MA.AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
                _ => UserId::random().to_string(),
            },
            (Whose::Nil, _) => NIL.to_owned(),
            (Whose::Odd, _) => "a.b".to_owned(),
        }
    }

    /// The cursor of an operation's second page, for a tenant's backend; of operators' lists for an operator.
    async fn cursor(&self, operation: &Operation, tenant: &TestTenant, of: &Own) -> String {
        if let Permission::Own(_) = operation.permission()
            && !operation.id.starts_with("listSessions")
        {
            // Nobody has a second page of these; what is in a cursor is no secret.
            let (query, position) = match operation.id.as_str() {
                id if id.starts_with("listDevices") => (format!("devices {}", of.user), "9000000000000:a"),
                id if id.starts_with("listSessionEvents") => {
                    (format!("session events {}", of.session), "0:a")
                }
                id => panic!("{id}: what is its list called?"),
            };
            return List { master: &self.app.app.master, tenant: &tenant.id, query }.cursor(position);
        }
        let path = operation.path.replace("{customerId}", &of.customer).replace("{slug}", &tenant.slug);
        let path = path.replace("{organizationId}", &of.customer).replace("{userId}", &of.user);
        let path = path.replace("{sessionId}", &of.session);
        // What is followed has no size of a page, and a cursor always.
        let (query, field) =
            if operation.id == "getRevocations" { ("", "cursor") } else { ("?limit=1", "nextCursor") };
        let first = Call::get(format!("{path}{query}"));
        let answer = if let Permission::Own(_) = operation.permission() {
            self.app.call(first.tenant(&tenant.slug).bearer(&of.token)).await
        } else if !operation.for_operators {
            self.app.call(first.backend(tenant)).await
        } else if tenant.slug == self.acme.slug {
            self.send(operation, first.bearer(&self.operator)).await
        } else {
            // No tenant has operators' lists: one of its own.
            self.app.call(Call::get(format!("{CUSTOMERS}?limit=1")).backend(tenant)).await
        };
        answer.expect(200).field(field).to_owned()
    }

    /// An operation's request, by nobody yet.
    pub async fn request(&self, operation: &Operation, own: &Own, naming: &Naming) -> Call {
        let whose = |place: &Place| {
            naming.iter().find(|(named, _)| named == place).map_or(Whose::Own, |(_, whose)| *whose)
        };
        let (mut path, mut body) = (operation.path.clone(), operation.body.clone());
        self.complete(operation, own, &mut body);
        for place in operation.places() {
            match &place {
                Place::Path(name) => {
                    let id = self.id(operation, own, &place, whose(&place)).await;
                    path = path.replace(&format!("{{{name}}}"), &id);
                }
                Place::Query(name) => {
                    if let Some((_, whose)) = naming.iter().find(|(named, _)| *named == place) {
                        let id = self.id(operation, own, &place, *whose).await;
                        path = format!("{path}?{name}={id}");
                    }
                }
                Place::Body(name) => {
                    let id = self.id(operation, own, &place, whose(&place)).await;
                    put(&mut body, name, &id);
                }
            }
        }
        let call = Call::new(&operation.method, path)
            .and("x-forwarded-for", "127.0.0.1")
            .and("x-forwarded-from", "client-app")
            .and("platform", "mobile")
            .and("deviceid", "device-1")
            .and("user-agent", "test-agent/1");
        match body.as_object() {
            None => call,
            Some(fields) if operation.is_form => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
                call.form(&fields)
            }
            Some(_) => call.json(&body),
        }
    }

    /// Puts into an example what must be somebody's own, or new.
    fn complete(&self, operation: &Operation, own: &Own, body: &mut Value) {
        put(body, "email", &fresh_email());
        if let Permission::Login(_) = operation.permission() {
            put(body, "username", &own.name);
            put(body, "value", &own.name);
            put(body, "tenantSecret", &self.acme.secret);
        }
        match operation.id.as_str() {
            "createTenant" => put(body, "slug", &format!("t-{}", random_uuid())),
            "deleteTenant" => put(body, "slug", &own.tenant),
            _ => (),
        }
    }

    /// Sends a call to the listener that serves the operation.
    pub async fn send(&self, operation: &Operation, call: Call) -> Answer {
        let router = if operation.for_operators { &self.operators } else { &self.app.router };
        self.app.send_to(router, call.request()).await
    }
}

/// Sets a field wherever the body has it.
fn put(body: &mut Value, name: &str, value: &str) {
    for (field, inner) in body.as_object_mut().into_iter().flatten() {
        if field == name {
            *inner = Value::from(value);
        } else {
            put(inner, name, value);
        }
    }
}
