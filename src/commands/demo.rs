//! `vestibule demo`: the documented call works, on this machine, a moment later.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use secrecy::SecretString;
use serde_json::json;

use super::Global;
use super::files;
use super::first_tenant::explain;
use super::login_call::LoginCall;
use super::start::{check_master, open_app, open_database, password_options, runtime, serve, telemetry};
use crate::access_tokens::TokenType;
use crate::clock::Clock;
use crate::config::{self, Config, Origin};
use crate::customers::CustomerKind;
use crate::customers::store::NewCustomer;
use crate::db::{Access, Change, Database, DbError};
use crate::events::{self, Actor, Event, EventName};
use crate::flows::{CreateUser, NewTenant, create_tenant};
use crate::ids::{CustomerId, TenantId, UserId};
use crate::installation;
use crate::listeners::{Listeners, stop_signals};
use crate::passwords::{PasswordHash, hash_blocking};
use crate::secrets::{self, MasterKeys};
use crate::tenants::keys::DOCUMENTED_SECRETS;
use crate::tenants::{self, Family, KeyPurpose, NewTenantKey, Profile, Settings};
use crate::users::store::NewUser;
use crate::users::{LoginName, Phone, UserKind};

/// The documented example. Everybody knows these: they are for the demo alone.
const SLUG: &str = "tenant-demo-001";
const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const TENANT_KEY: &str = "a1B2c3D4e5F6g7H8i9J0kLmNopQr";
const TENANT_SECRET: &str = DOCUMENTED_SECRETS[0];
const BACKEND_KEY: &str = "b4Ck3nDk3YaBcDeFgHiJkLmNoPqR";
const BACKEND_SECRET: &str = DOCUMENTED_SECRETS[1];
const PASSWORD: &str = "SecurePass123!";
/// Whom the printed registration makes.
const NEW_EMAIL: &str = "ada.lovelace@example.test";
const NEW_PASSWORD: &str = "correct horse battery";

/// Who can log in to the demo.
struct Person {
    family: Family,
    customer: &'static str,
    customer_name: &'static str,
    user: &'static str,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    role: &'static str,
}

const PEOPLE: [Person; 3] = [
    Person {
        family: Family::Individual,
        customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d001",
        customer_name: "Ada Customer",
        user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
        email: "customer.login.123456@example.test",
        first_name: "Ada",
        last_name: "Customer",
        role: "USER",
    },
    Person {
        family: Family::Organization,
        customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d002",
        customer_name: "Example Trading Ltd",
        user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d002",
        email: "business.login.123456@example.test",
        first_name: "Bo",
        last_name: "Business",
        role: "USER",
    },
    Person {
        family: Family::Admin,
        customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d003",
        customer_name: "Demo Tenant",
        user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d003",
        email: "staff.login.123456@example.test",
        first_name: "Sam",
        last_name: "Staff",
        role: "ADMIN",
    },
];

/// What `demo` takes.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where the demo keeps its data
    #[arg(long, value_name = "DIR", default_value = "vestibule-demo")]
    data: PathBuf,
    /// Where customers' apps reach it: an address of this machine alone
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080", value_parser = config::address)]
    listen: SocketAddr,
    /// Where the operator reaches it
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081", value_parser = config::address)]
    operator_listen: SocketAddr,
}

pub(super) fn run(demo: &Demo, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    secrets::warm_up_randomness();
    if global.config.is_some() {
        let remedy = match std::env::var_os("VESTIBULE_CONFIG") {
            Some(_) => "unset VESTIBULE_CONFIG",
            None => "leave --config out",
        };
        bail!("the demo has a configuration of its own; {remedy}");
    }
    for (name, address) in [("--listen", demo.listen), ("--operator-listen", demo.operator_listen)] {
        ensure!(
            address.ip().is_loopback(),
            "{name} {address}: the demo's secrets are known to everybody, so it listens on 127.0.0.1 or [::1] only"
        );
    }
    let mut config = demo.configuration()?;
    let metrics = telemetry(&config)?;
    runtime()?.block_on(async {
        // Before anything is made: a port may be taken, and a free one is known only now.
        let listeners = Listeners::bind(&config).map_err(|error| name_options(&error))?;
        config.public_url = Some(origin(&listeners.public_base())?);
        demo.prepare_folder()?;
        let master = MasterKeys::load(&demo.key_file())?;
        let db = open_database(&config, Access::Create).await?;
        db.migrate().await?;
        let fresh = furnish(&db, &master, &config).await?;
        check_master(&db, &master).await.with_context(|| {
            let folder = demo.data.display();
            format!("--data {folder}: its master key is not its database's; remove the folder to begin anew")
        })?;
        let app = open_app(&config, master, db)?;
        let stop = stop_signals()?;
        demo.print(out, fresh, &listeners.public_base(), &listeners.operator_base())?;
        out.flush()?;
        serve(app, listeners, metrics, stop).await
    })
}

/// The listeners' error names keys of a configuration; here they are options.
fn name_options(error: &anyhow::Error) -> anyhow::Error {
    let text = error.to_string().replacen("operator_listen:", "operator-listen:", 1);
    anyhow!("{}", error.root_cause()).context(format!("--{text}"))
}

/// The origin of an address that is listened on; a URL does not spell the usual port out.
fn origin(base: &str) -> anyhow::Result<Origin> {
    base.strip_suffix(":80").unwrap_or(base).parse().map_err(anyhow::Error::msg)
}

impl Demo {
    fn key_file(&self) -> PathBuf {
        self.data.join("master.key")
    }

    fn prepare_folder(&self) -> anyhow::Result<()> {
        let shown = self.data.display();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.data)
            .with_context(|| format!("--data {shown}: cannot be made"))?;
        let key_file = self.key_file();
        if !key_file.exists() {
            files::create(&key_file, 0o600, &MasterKeys::generate())
                .with_context(|| format!("--data {shown}: {} cannot be written", key_file.display()))?;
        }
        Ok(())
    }

    fn configuration(&self) -> anyhow::Result<Config> {
        let settings = [
            ("DATABASE_URL", format!("sqlite:{}", self.data.join("vestibule.db").display())),
            ("MASTER_KEY_FILE", self.key_file().display().to_string()),
            ("LISTEN", self.listen.to_string()),
            ("OPERATOR_LISTEN", self.operator_listen.to_string()),
            ("PUBLIC_DOCS", "true".to_owned()),
            // Whoever tries it does so from one address, and is to see how each failure is answered.
            ("SOURCE_LIMITS", "false".to_owned()),
            ("REQUEST_LIMITS", "false".to_owned()),
            ("LOG_FORMAT", "human".to_owned()),
        ];
        let settings = settings.into_iter().map(|(key, value)| (format!("VESTIBULE_{key}"), value));
        Ok(Config::load(None, settings)?)
    }

    fn print(&self, out: &mut dyn Write, fresh: bool, public: &str, operator: &str) -> std::io::Result<()> {
        let word = if fresh { "new, in" } else { "found in" };
        writeln!(out, "Vestibule's demo is ready; its data is {word} {}.\n", self.data.display())?;
        writeln!(out, "Log in:\n\n{}\n", documented_call(public))?;
        writeln!(
            out,
            "Register an individual, as the tenant's backend does:\n\n{}\n",
            registration_call(public)
        )?;
        writeln!(out, "{NEW_EMAIL} then logs in like the first, with the password {NEW_PASSWORD:?}.\n")?;
        writeln!(out, "Who can log in (password {PASSWORD}):")?;
        for person in &PEOPLE {
            let Person { family, customer, user, email, .. } = person;
            writeln!(
                out,
                "  {:<13} {email}\n                customer {customer}\n                user     {user}",
                family.as_str()
            )?;
        }
        writeln!(out, "\nThe tenant is {SLUG}, {TENANT}.\n\nWhat to try next:")?;
        let pages = [
            (format!("{public}/docs"), "every call, to try in the browser"),
            (format!("{public}/t/{SLUG}/.well-known/jwks.json"), "the keys that verify the token"),
            (format!("{operator}/metrics"), "what Prometheus sees"),
        ];
        let width = pages.iter().map(|(page, _)| page.len()).max().unwrap_or(0);
        for (page, what) in pages {
            writeln!(out, "  {page:<width$}   {what}")?;
        }
        writeln!(
            out,
            "  GET and DELETE …/sessions/<sessionId> with `Authorization: Bearer <token>` and X-Tenant-ID\n  \
             five wrong passwords: the name is locked for 30 minutes, and so is one that nobody has\n\n\
             Everybody knows these secrets: this is a demo. A real installation begins with `vestibule init`.\n\
             Stop with Ctrl-C."
        )
    }
}

/// The documented call, ready to paste.
fn documented_call(base: &str) -> LoginCall<'_> {
    LoginCall {
        base,
        family: Family::Individual,
        tenant_slug: SLUG,
        tenant_id: TENANT,
        tenant_key: TENANT_KEY,
        tenant_secret: TENANT_SECRET,
        email: PEOPLE[0].email,
        password: PASSWORD,
        device: "device-demo-001",
        platform: "mobile",
    }
}

/// A registration by the backend key, ready to paste. The documented call shows the same person.
fn registration_call(base: &str) -> String {
    format!(
        "curl --request POST \\\n  \
         --url {base}/api/v2.1/customer/individual/registration \\\n  \
         --user '{BACKEND_KEY}:{BACKEND_SECRET}' \\\n  \
         --header 'Content-Type: application/json' \\\n  \
         --data '{{ \"firstName\": \"Ada\", \"lastName\": \"Lovelace\", \"email\": \"{NEW_EMAIL}\",\n            \
         \"password\": \"{NEW_PASSWORD}\", \"matchingPassword\": \"{NEW_PASSWORD}\" }}'"
    )
}

fn backend_key() -> NewTenantKey {
    NewTenantKey::brought_along(KeyPurpose::Backend, BACKEND_KEY.to_owned(), BACKEND_SECRET.to_owned())
}

/// Gives a demo of before its backend key. Where the key is, has been revoked or has no room, all stays as it is.
async fn add_backend_key(db: &Database, tenant: &TenantId) -> anyhow::Result<()> {
    let (key, now) = (backend_key(), Clock::system().now());
    let event = Event {
        details: json!({ "keyId": key.id, "purpose": key.purpose.as_str(), "broughtAlong": true }),
        ..Event::new(EventName::TenantKeyCreated, Actor::Operator(None))
    };
    let change = Change::new()
        .with(tenants::store::hold(tenant, now))
        .with(tenants::keys::store::demand_room(tenant, key.purpose, now))
        .with(tenants::keys::store::insert(tenant, &key, now))
        .with(events::store::insert(tenant, &event, now));
    match db.apply(change).await {
        Ok(_) | Err(DbError::Refused(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes the demo's tenant and people, unless they are there: whether they are new.
async fn furnish(db: &Database, master: &MasterKeys, config: &Config) -> anyhow::Result<bool> {
    let tenant = TenantId::from_stored(TENANT.to_owned());
    if installation::is_demo(db).await? {
        add_backend_key(db, &tenant).await?;
        return Ok(false);
    }
    ensure!(
        db.fetch(installation::store::find_any_tenant()).await?.is_empty(),
        "the database in --data has tenants and is not a demo's; choose another folder"
    );
    let hash = hash_blocking(&password_options(config)?, &SecretString::from(PASSWORD))?;
    let login_key =
        NewTenantKey::brought_along(KeyPurpose::Login, TENANT_KEY.to_owned(), TENANT_SECRET.to_owned());
    let people: Vec<Furnished> =
        PEOPLE.iter().map(Furnished::new).collect::<Option<_>>().context("demo ids")?;
    let customers: Vec<_> = people.iter().filter_map(Furnished::customer).collect();
    let users: Vec<_> = people.iter().map(|person| person.user(&hash)).collect();
    let new = NewTenant {
        id: tenant,
        slug: SLUG,
        name: "Demo Tenant",
        settings: Settings {
            profile: Profile::Compatible,
            key_optional: vec![Family::Admin],
            token_type: TokenType::Jwt,
            password_min_length: 8,
            ..Settings::default()
        },
        keys: &[login_key, backend_key()],
        house: &people[2].customer_id,
        customers: &customers,
        users: &users,
        also: vec![installation::store::mark_demo()],
        actor: Actor::Operator(None),
        client: None,
    };
    create_tenant(db, master, new, Clock::system().now()).await.map_err(explain)?;
    Ok(true)
}

/// A person with what their rows borrow.
struct Furnished {
    person: &'static Person,
    customer_id: CustomerId,
    user_id: UserId,
    name: LoginName,
    roles: [String; 1],
    phones: [Phone; 1],
}

impl Furnished {
    fn new(person: &'static Person) -> Option<Self> {
        Some(Self {
            person,
            customer_id: CustomerId::parse(person.customer)?,
            user_id: UserId::parse(person.user)?,
            name: LoginName::parse(person.email).ok()?,
            roles: [person.role.to_owned()],
            phones: [Phone {
                phone_type: "MOBILE".to_owned(),
                encoding: "E164".to_owned(),
                number: "+37060000000".to_owned(),
            }],
        })
    }

    /// The customer to make; the staff's is the house, which is made with the tenant.
    fn customer(&self) -> Option<NewCustomer<'_>> {
        let kind = match self.person.family {
            Family::Individual => CustomerKind::Individual,
            Family::Organization => CustomerKind::Organization,
            Family::Admin => return None,
        };
        let name = self.person.customer_name;
        Some(NewCustomer::new(&self.customer_id, kind, name))
    }

    fn user<'a>(&'a self, hash: &'a PasswordHash) -> CreateUser<'a> {
        let kind = if self.person.family == Family::Admin { UserKind::Staff } else { UserKind::Customer };
        CreateUser {
            username: None,
            email_name: Some(self.name.clone()),
            user: NewUser {
                password_hash: Some(hash),
                roles: &self.roles,
                email: Some(self.person.email),
                first_name: Some(self.person.first_name),
                last_name: Some(self.person.last_name),
                phones: &self.phones,
                ..NewUser::new(&self.user_id, &self.customer_id, kind)
            },
        }
    }
}
