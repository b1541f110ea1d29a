//! What the database holds before anything is measured: tenants, users and sessions, written as the server writes them.

use std::sync::Arc;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use secrecy::SecretString;
use serde_json::Value;
use vestibule::client::{Client, SeenTenant};
use vestibule::client_address::{AddressReason, ClientAddress};
use vestibule::clock::{Clock, Timestamp};
use vestibule::customers::CustomerKind;
use vestibule::customers::store::NewCustomer;
use vestibule::db::{Change, Database, Statement};
use vestibule::events::Actor;
use vestibule::flows::{CreateUser, NewTenant, create_tenant};
use vestibule::ids::{ChangeId, CustomerId, SessionId, TenantId, TenantKeyId, UserId};
use vestibule::passwords::{Options, PasswordHash, hash_blocking};
use vestibule::refresh_tokens::{self, Binding};
use vestibule::secrets::{MasterKeys, random};
use vestibule::sessions::{self, EndReason, NewSession};
use vestibule::signing_keys;
use vestibule::tenants::{Family, KeyPurpose, NewTenantKey, Profile, Settings};
use vestibule::users::store::NewUser;
use vestibule::users::{LoginName, UserKind};

use crate::installation::{Installation, customer_id, user, user_id, user_name};

/// Everybody's password.
pub const PASSWORD: &str = "kolibri-tango-57-moon";
/// Everybody's device.
pub const DEVICE: &str = "bench-device";
/// The tenant that all is measured in, unless tenants are what is varied.
pub const TENANT: &str = "bench";
/// How long a seeded session lives: longer than any run.
const LIFETIME_SECONDS: i64 = 86_400;
/// Rows that one change writes.
const TOGETHER: usize = 100;
/// Changes under way at a time.
const AT_ONCE: usize = 16;

/// A tenant with its keys.
#[derive(Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub login: Key,
    pub backend: Key,
    /// The signing key that its sessions begin with.
    pub signing_kid: String,
}

/// A tenant key: its id, `tenantKey` and `tenantSecret`.
#[derive(Debug)]
pub struct Key {
    pub id: TenantKeyId,
    pub public: String,
    pub secret: String,
}

/// A user's place in the directory.
#[derive(Clone, Debug)]
pub struct Person {
    pub tenant: Arc<Tenant>,
    pub customer: String,
    pub user: String,
    pub name: String,
}

/// A session that lives.
#[derive(Clone, Debug)]
pub struct Session {
    pub person: Person,
    pub id: String,
    pub refresh_token: String,
}

/// The hash of [`PASSWORD`] at a cost.
pub fn password_hash(options: &Options) -> Result<PasswordHash> {
    hash_blocking(options, &SecretString::from(PASSWORD))
}

/// Makes the tenant by its command, and its users by importing them.
pub async fn tenant_with_users(
    installation: &Installation,
    db: &Database,
    users: usize,
    hash: &str,
) -> Result<Vec<Person>> {
    let made = installation.json_command(&["tenant", "create", TENANT, "profile=compatible"])?;
    let tenant = read_tenant(&made)?;
    let tenant = Arc::new(Tenant { signing_kid: signing_kid(db, &tenant.id).await?, ..tenant });
    installation.import_users(TENANT, (0..users).map(|number| user(number, hash)))?;
    Ok((0..users).map(|number| person(&tenant, number)).collect())
}

fn person(tenant: &Arc<Tenant>, number: usize) -> Person {
    Person {
        tenant: tenant.clone(),
        customer: customer_id(number),
        user: user_id(number),
        name: user_name(number),
    }
}

fn read_tenant(made: &Value) -> Result<Tenant> {
    let text = |value: &Value, name: &str| -> Result<String> {
        Ok(value[name].as_str().with_context(|| format!("no {name} in {made}"))?.to_owned())
    };
    let keys = made["keys"].as_array().context("no keys")?;
    let key = |purpose: &str| -> Result<Key> {
        let found = keys.iter().find(|key| key["key"]["purpose"] == purpose).context("no key")?;
        Ok(Key {
            id: TenantKeyId::from_stored(text(&found["key"], "id")?),
            public: text(&found["key"], "tenantKey")?,
            secret: text(found, "tenantSecret")?,
        })
    };
    let tenant = &made["tenant"];
    Ok(Tenant {
        id: TenantId::from_stored(text(tenant, "id")?),
        slug: text(tenant, "slug")?,
        login: key("login")?,
        backend: key("backend")?,
        signing_kid: String::new(),
    })
}

async fn signing_kid(db: &Database, tenant: &TenantId) -> Result<String> {
    let rows = db.fetch(signing_keys::store::list(tenant)).await?;
    Ok(rows.first().context("a tenant without a signing key")?.text("kid")?)
}

/// Makes so many tenants, each with so many users.
pub async fn tenants(
    db: &Database,
    master: &Arc<MasterKeys>,
    (count, users): (usize, usize),
    hash: &PasswordHash,
    bar: &ProgressBar,
) -> Result<Vec<Vec<Person>>> {
    bar.set_length(count as u64);
    let (db, master, hash, bar) = (db.clone(), Arc::clone(master), hash.clone(), bar.clone());
    let make = move |number: usize| {
        let (db, master, hash, bar) = (db.clone(), master.clone(), hash.clone(), bar.clone());
        async move {
            let people = one_tenant(&db, &master, number, users, &hash).await?;
            bar.inc(1);
            Ok(people)
        }
    };
    together(count, make).await
}

async fn one_tenant(
    db: &Database,
    master: &MasterKeys,
    number: usize,
    users: usize,
    hash: &PasswordHash,
) -> Result<Vec<Person>> {
    let (id, slug) = (TenantId::random(), format!("bench-{number}"));
    let keys = [NewTenantKey::random(KeyPurpose::Login), NewTenantKey::random(KeyPurpose::Backend)];
    let ids: Vec<_> = (0..users)
        .map(|number| {
            let (customer, user) = (customer_id(number), user_id(number));
            (CustomerId::from_stored(customer), UserId::from_stored(user), user_name(number))
        })
        .collect();
    let roles = ["USER".to_owned()];
    let mut new_users = Vec::new();
    for (customer, user, name) in &ids {
        new_users.push(CreateUser {
            username: Some(LoginName::parse(name).map_err(|error| anyhow::anyhow!("{error}"))?),
            email_name: None,
            user: NewUser {
                password_hash: Some(hash),
                roles: &roles,
                username: Some(name),
                ..NewUser::new(user, customer, UserKind::Customer)
            },
        });
    }
    let customers: Vec<_> = ids
        .iter()
        .map(|(customer, ..)| NewCustomer::new(customer, CustomerKind::Individual, "Ada Example"))
        .collect();
    let new = NewTenant {
        id: id.clone(),
        slug: &slug,
        name: &slug,
        settings: Settings { profile: Profile::Compatible, ..Settings::default() },
        keys: &keys,
        house: &CustomerId::random(),
        customers: &customers,
        users: &new_users,
        also: Vec::new(),
        actor: Actor::System,
        client: None,
    };
    create_tenant(db, master, new, Clock::system().now())
        .await
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let [login, backend] =
        keys.map(|key| Key { id: key.id, public: key.tenant_key, secret: key.tenant_secret });
    let signing_kid = signing_kid(db, &id).await?;
    let tenant = Arc::new(Tenant { id, slug, login, backend, signing_kid });
    Ok((0..users).map(|number| person(&tenant, number)).collect())
}

/// Opens so many sessions, evenly over these people, and answers about `sample` of them.
pub async fn sessions(
    db: &Database,
    master: &Arc<MasterKeys>,
    people: &[Person],
    count: usize,
    sample: usize,
    bar: &ProgressBar,
) -> Result<Vec<Session>> {
    let now = Clock::system().now();
    write_sessions(db, master, people, (count, sample), (now, None), bar).await
}

/// Writes so many sessions that ended so many days ago, a day after they were opened.
pub async fn ended_sessions(
    db: &Database,
    master: &Arc<MasterKeys>,
    people: &[Person],
    count: usize,
    days: i64,
    bar: &ProgressBar,
) -> Result<()> {
    let ended = Clock::system().now().plus_seconds(-days * 86_400);
    let opened = ended.plus_seconds(-86_400);
    write_sessions(db, master, people, (count, 1), (opened, Some(ended)), bar).await.map(drop)
}

async fn write_sessions(
    db: &Database,
    master: &Arc<MasterKeys>,
    people: &[Person],
    (count, sample): (usize, usize),
    (opened, ended): (Timestamp, Option<Timestamp>),
    bar: &ProgressBar,
) -> Result<Vec<Session>> {
    bar.set_length(count as u64);
    bar.set_position(0);
    let every = (count / sample.max(1)).max(1);
    let people: Arc<[Person]> = people.into();
    let (db, master, bar) = (db.clone(), Arc::clone(master), bar.clone());
    let statistics_of = db.clone();
    let write = move |slice: usize| {
        let (db, master, people, bar) = (db.clone(), master.clone(), people.clone(), bar.clone());
        async move {
            let (mut change, mut kept) = (Change::new(), Vec::new());
            for number in slice * TOGETHER..((slice + 1) * TOGETHER).min(count) {
                let person = &people[number % people.len()];
                let (statement, session) = open(&master, person, opened);
                change = change.with(statement).with_all(ended.map(|at| end(&session, at)));
                if number % every == 0 {
                    kept.push(session);
                }
                bar.inc(1);
            }
            db.apply(change).await?;
            Ok(kept)
        }
    };
    let sessions = together(count.div_ceil(TOGETHER), write).await?.into_iter().flatten().collect();
    gather_statistics(&statistics_of).await?;
    Ok(sessions)
}

fn open(master: &MasterKeys, person: &Person, now: Timestamp) -> (Statement, Session) {
    let current = master.current();
    let session = NewSession {
        id: SessionId::at(now),
        user_id: UserId::from_stored(person.user.clone()),
        customer_id: CustomerId::from_stored(person.customer.clone()),
        family: Family::Individual,
        tenant_key_id: Some(person.tenant.login.id.clone()),
        signing_kid: person.tenant.signing_kid.clone(),
        created_at: now,
        idle_expires_at: now.plus_seconds(LIFETIME_SECONDS),
        expires_at: now.plus_seconds(LIFETIME_SECONDS),
        salt: random(),
        refresh_key_id: current.id().to_owned(),
        previous_login_at: None,
    };
    let binding = Binding {
        tenant: &person.tenant.id,
        session: &session.id,
        device: Some(DEVICE),
        salt: &session.salt,
    };
    let refresh_token = refresh_tokens::compute(&current, &binding, 1);
    let statement = sessions::store::insert(&person.tenant.id, &session, &client(), &ChangeId::random());
    (statement, Session { person: person.clone(), id: session.id.to_string(), refresh_token })
}

fn end(session: &Session, at: Timestamp) -> Statement {
    let (tenant, id) = (&session.person.tenant.id, SessionId::from_stored(session.id.clone()));
    sessions::store::end(tenant, &id, at, EndReason::ExpiredIdle.as_str(), &ChangeId::random())
}

fn client() -> Client {
    let ip = std::net::IpAddr::from([127, 0, 0, 1]);
    Client {
        peer: ip,
        address: ClientAddress { ip, reason: AddressReason::Peer },
        forwarded_for: Some("203.0.113.7".to_owned()),
        forwarded: None,
        source: Some("bench".to_owned()),
        platform: Some("web".to_owned()),
        device_id: Some(DEVICE.to_owned()),
        user_agent: Some("bench/1".to_owned()),
        request_id: String::new(),
        correlation_id: None,
        tenant: SeenTenant::default(),
        web_origin: None,
    }
}

/// What autovacuum does within a minute of so many new rows: until then PostgreSQL knows nothing of them.
pub async fn gather_statistics(db: &Database) -> Result<()> {
    if !db.is_sqlite() {
        db.execute_script("analyze").await?;
    }
    Ok(())
}

/// Does something for each number, several at a time, and answers in no order.
async fn together<T, F>(count: usize, work: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut tasks = tokio::task::JoinSet::new();
    let mut made = Vec::with_capacity(count);
    for number in 0..count {
        if tasks.len() >= AT_ONCE
            && let Some(one) = tasks.join_next().await
        {
            made.push(one??);
        }
        tasks.spawn(work(number));
    }
    while let Some(one) = tasks.join_next().await {
        made.push(one??);
    }
    Ok(made)
}
