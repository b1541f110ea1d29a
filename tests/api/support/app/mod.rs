//! The application as tests start it: a real router, an empty database of its own, a clock that stands
//! still, the cheapest hashes.

mod messages;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use secrecy::SecretString;
use serde_json::json;
use vestibule::access_tokens::VerifiedTokens;
use vestibule::app::{App, AppOptions, Proxies, Refusals, SharedApp};
use vestibule::clock::{Clock, Timestamp};
use vestibule::customers::CustomerKind;
use vestibule::customers::store::NewCustomer;
use vestibule::events::Actor;
use vestibule::flows::{CreateUser, NewTenant, create_tenant};
use vestibule::ids::{CustomerId, TenantId, UserId};
use vestibule::password_rules::BreachedPasswords;
use vestibule::passwords::{Cost, Floor, Options, PasswordHash, Passwords, hash_blocking};
use vestibule::request_limits::RequestLimits;
use vestibule::revocation_watch::{RevocationWatch, WatchOptions};
use vestibule::secrets::MasterKeys;
use vestibule::server::public_router;
use vestibule::signing_keys::SigningKeys;
use vestibule::source_limits::{Gates, RefusedSources};
use vestibule::tenants::{Family, KeyPurpose, NewTenantKey, Settings};
use vestibule::users::store::NewUser;
use vestibule::users::{LoginName, UserKind};

pub use messages::{Answer, LoginCall};

use super::login::answer;
use super::{TestDatabase, canary};

/// Where the tests' clock stands at first: 2026-03-16T19:49:32.000Z.
pub const START: Timestamp = Timestamp::from_millis(1_773_690_572_000);

/// The nil UUID: "whoever the username says".
pub const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// Everybody's password.
pub const PASSWORD: &str = "SecurePass123!";

/// Hashes that cost next to nothing.
pub const TINY: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

pub struct TestApp {
    pub app: SharedApp,
    pub router: Router,
    pub clock: Clock,
    /// Removed when this is dropped.
    pub database: TestDatabase,
}

/// What a test may want otherwise.
pub struct Wanted {
    pub passwords: Options,
    pub public_url: &'static str,
    pub public_docs: bool,
    pub trusted_proxies: Vec<&'static str>,
    pub proxy_header: &'static str,
    pub master_key: Option<String>,
    pub breached_passwords: Option<BreachedPasswords>,
    /// Off where limits are not what is tested: everybody comes from one address there.
    pub source_limits: bool,
    pub request_limits: bool,
    pub watch: WatchOptions,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            passwords: Options {
                threads: 2,
                deadline: Duration::from_secs(20),
                cost: TINY,
                floor: Floor::TestsOnly,
                ..Options::default()
            },
            public_url: "https://id.example.test",
            public_docs: true,
            trusted_proxies: Vec::new(),
            proxy_header: "X-Forwarded-For",
            master_key: None,
            breached_passwords: None,
            source_limits: false,
            request_limits: false,
            watch: WatchOptions::default(),
        }
    }
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(Wanted::default()).await
    }

    pub async fn start_with(wanted: Wanted) -> Self {
        let database = super::migrated_database().await;
        Self::on(database, wanted)
    }

    pub fn on(database: TestDatabase, wanted: Wanted) -> Self {
        canary::begin();
        let clock = Clock::fixed(START);
        let key = wanted.master_key.unwrap_or_else(|| MasterKeys::generate().to_string());
        canary::key_file(&key);
        let app = Arc::new(App {
            db: database.clone(),
            clock: clock.clone(),
            master: MasterKeys::parse(&key).unwrap(),
            passwords: Passwords::start(wanted.passwords).unwrap(),
            breached_passwords: wanted.breached_passwords,
            signing_keys: SigningKeys::default(),
            verified_tokens: VerifiedTokens::default(),
            passed_doors: vestibule::tenants::PassedDoors::default(),
            options: AppOptions {
                public_url: wanted.public_url.to_owned(),
                proxies: Proxies {
                    trusted: wanted.trusted_proxies.iter().map(|text| text.parse().unwrap()).collect(),
                    header: wanted.proxy_header.parse().unwrap(),
                },
                public_docs: wanted.public_docs,
                https: true,
                source_limits: wanted.source_limits,
                request_limits: wanted.request_limits,
                body_timeout: Duration::from_secs(10),
            },
            request_limits: RequestLimits::default(),
            source_gates: Gates::default(),
            early_gates: Gates::default(),
            refused_sources: RefusedSources::default(),
            revocations: RevocationWatch::new(wanted.watch),
            refusals: Refusals::default(),
        });
        Self { router: public_router(&app), app, clock, database }
    }

    /// A tenant with one user in each family, the given settings and both kinds of keys.
    pub async fn tenant_with(&self, slug: &str, settings: Settings) -> TestTenant {
        let tenant = TestTenant::new(slug);
        let hash = password_hash(PASSWORD);
        let kinds = [CustomerKind::Individual, CustomerKind::Organization];
        let customers: Vec<_> = tenant.people[..2]
            .iter()
            .zip(kinds)
            .map(|(person, kind)| NewCustomer::new(&person.customer, kind, "A customer"))
            .collect();
        let users: Vec<_> = tenant.people.iter().map(|person| person.as_new(&hash)).collect();
        let new = NewTenant {
            id: tenant.id.clone(),
            slug,
            name: slug,
            settings,
            keys: &[
                NewTenantKey::brought_along(KeyPurpose::Login, tenant.key.clone(), tenant.secret.clone()),
                NewTenantKey::brought_along(
                    KeyPurpose::Backend,
                    tenant.backend_key.clone(),
                    tenant.backend_secret.clone(),
                ),
            ],
            house: &tenant.people[2].customer,
            customers: &customers,
            users: &users,
            also: Vec::new(),
            actor: Actor::Operator(None),
            client: None,
        };
        create_tenant(&self.database, &self.app.master, new, self.clock.now()).await.unwrap();
        tenant
    }

    pub async fn tenant(&self, slug: &str) -> TestTenant {
        self.tenant_with(slug, Settings::default()).await
    }

    /// Sends a request through the whole router.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.send_to(&self.router, request).await
    }

    /// Sends a request through another router of the same application.
    pub async fn send_to(&self, router: &Router, request: Request<Body>) -> Answer {
        answer(router.clone(), request).await
    }

    /// The documented login.
    pub async fn login(&self, tenant: &TestTenant, family: Family) -> Answer {
        self.send(tenant.login(family).request()).await
    }

    /// A session's call with its bearer.
    pub async fn session_call(
        &self,
        method: Method,
        tenant: &TestTenant,
        family: Family,
        session: &str,
        token: &str,
    ) -> Answer {
        let path = format!("{}/users/{NIL}/sessions/{session}", prefix(family, NIL));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("x-tenant-id", &tenant.slug);
        self.send(request.body(Body::empty()).unwrap()).await
    }
}

/// A family's path up to `/users`.
pub fn prefix(family: Family, owner: &str) -> String {
    match family {
        Family::Individual => format!("/api/v2.1/customer/individual/{owner}"),
        Family::Organization => format!("/api/v2.1/customer/organization/{owner}"),
        Family::Admin => format!("/api/v2.1/admin/organization/{owner}"),
    }
}

pub fn password_hash(password: &str) -> PasswordHash {
    let options = Options { cost: TINY, floor: Floor::TestsOnly, ..Options::default() };
    hash_blocking(&options, &SecretString::from(password)).unwrap()
}

/// A tenant that a test made, with all its secrets.
pub struct TestTenant {
    pub id: TenantId,
    pub slug: String,
    pub key: String,
    pub secret: String,
    pub backend_key: String,
    pub backend_secret: String,
    /// One in each family, in the order of [`Family::ALL`].
    pub people: [Person; 3],
}

pub struct Person {
    pub family: Family,
    pub customer: CustomerId,
    pub id: UserId,
    pub email: String,
    roles: [String; 1],
    name: LoginName,
}

impl Person {
    pub fn new(family: Family, email: &str) -> Self {
        let role = if family == Family::Admin { "ADMIN" } else { "USER" };
        Self {
            family,
            customer: CustomerId::random(),
            id: UserId::random(),
            email: email.to_owned(),
            roles: [role.to_owned()],
            name: LoginName::parse(email).unwrap(),
        }
    }

    pub fn as_new<'a>(&'a self, hash: &'a PasswordHash) -> CreateUser<'a> {
        let kind = if self.family == Family::Admin { UserKind::Staff } else { UserKind::Customer };
        CreateUser {
            username: None,
            email_name: Some(self.name.clone()),
            user: NewUser {
                password_hash: Some(hash),
                roles: &self.roles,
                email: Some(&self.email),
                first_name: Some("Ada"),
                last_name: Some("Example"),
                ..NewUser::new(&self.id, &self.customer, kind)
            },
        }
    }
}

impl TestTenant {
    fn new(slug: &str) -> Self {
        Self {
            id: TenantId::random(),
            slug: slug.to_owned(),
            key: format!("{slug}-login-key"),
            secret: format!("{slug}-login-secret"),
            backend_key: format!("{slug}-backend-key"),
            backend_secret: format!("{slug}-backend-secret"),
            people: [
                Person::new(Family::Individual, "individual@example.test"),
                Person::new(Family::Organization, "organization@example.test"),
                Person::new(Family::Admin, "staff@example.test"),
            ],
        }
    }

    pub fn person(&self, family: Family) -> &Person {
        self.people.iter().find(|person| person.family == family).unwrap()
    }

    /// The documented login of the family's person, to be changed before it is sent.
    pub fn login(&self, family: Family) -> LoginCall {
        let name = &self.person(family).email;
        LoginCall {
            path: format!("{}/users/{NIL}/sessions", prefix(family, NIL)),
            headers: [
                ("content-type", "application/json"),
                ("x-tenant-id", &self.slug),
                ("x-forwarded-for", "127.0.0.1"),
                ("x-forwarded-from", "client-app"),
                ("platform", "mobile"),
                ("deviceid", "device-1"),
                ("user-agent", "test-agent/1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .to_vec(),
            body: json!({
                "username": name, "password": PASSWORD, "tenantKey": self.key, "tenantSecret": self.secret,
                "credentialType": "PASSWORD", "value": name, "tenantId": self.id,
            }),
            raw: None,
        }
    }
}
