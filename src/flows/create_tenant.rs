//! A new tenant, whole at once: its row, its house organization, its first signing key, its keys, and
//! whom it begins with.

use serde_json::json;

use crate::client::Client;
use crate::clock::Timestamp;
use crate::customers::store::NewCustomer;
use crate::customers::{self, CustomerKind};
use crate::db::{Change, Database, DbError, Statement};
use crate::error::{Error, FieldError};
use crate::events::{self, Actor, Event, EventName};
use crate::ids::{CustomerId, TenantId};
use crate::secrets::MasterKeys;
use crate::signing_keys;
use crate::tenants::{self, NewTenantKey, Settings, slug};

use super::CreateUser;
use super::create_user::{refusal, statements};

/// A tenant as asked for.
#[derive(Debug)]
pub struct NewTenant<'a> {
    pub id: TenantId,
    pub slug: &'a str,
    pub name: &'a str,
    pub settings: Settings,
    pub keys: &'a [NewTenantKey],
    /// The id of the house organization, which is made with it.
    pub house: &'a CustomerId,
    pub customers: &'a [NewCustomer<'a>],
    pub users: &'a [CreateUser<'a>],
    /// What else becomes true with it.
    pub also: Vec<Statement>,
    /// Who makes it.
    pub actor: Actor<'a>,
    /// From where; `None` for what no request did.
    pub client: Option<&'a Client>,
}

/// Makes a tenant; its first signing key signs from now on.
pub async fn create_tenant(
    db: &Database,
    master: &MasterKeys,
    new: NewTenant<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    check(&new)?;
    let key = signing_keys::generate(&new.id, new.settings.algorithm, master).await?;
    let house =
        NewCustomer { house: true, ..NewCustomer::new(new.house, CustomerKind::Organization, new.name) };
    let keys: Vec<_> =
        new.keys.iter().map(|key| json!({ "id": key.id, "purpose": key.purpose.as_str() })).collect();
    let event = Event {
        client: new.client,
        details: json!({ "slug": new.slug, "settings": new.settings, "keys": keys, "signingKid": key.kid }),
        ..Event::new(EventName::TenantCreated, new.actor)
    };
    let customers = std::iter::once(&house).chain(new.customers);
    let change = Change::new()
        .with(tenants::store::insert(&new.id, new.slug, new.name, &new.settings, now))
        .with(signing_keys::store::insert(&new.id, &key, now, now))
        .with(tenants::store::set_first_signing_key(&new.id, &key.kid, now))
        .with_all(new.keys.iter().map(|key| tenants::keys::store::insert(&new.id, key, now)))
        .with_all(customers.map(|customer| customers::store::insert(&new.id, customer, now)))
        .with_all(new.users.iter().flat_map(|user| statements(&new.id, user, new.actor, now)))
        .with(events::store::insert(&new.id, &event, now))
        .with_all(new.also);
    match db.apply(change).await {
        Ok(_) => Ok(()),
        Err(DbError::Refused("slug")) => {
            let problem = format!("{} is or was another tenant's (or its id is); take another", new.slug);
            Err(Error::conflict("slug", problem))
        }
        Err(DbError::Refused("tenant key")) => {
            Err(Error::conflict("tenantKey", "is another key's; take another"))
        }
        Err(error) => Err(refusal(error)),
    }
}

fn check(new: &NewTenant<'_>) -> Result<(), Error> {
    let mut problems = name_problems(new.slug, new.name);
    problems.extend(new.settings.problems());
    if problems.is_empty() { Ok(()) } else { Err(Error::Validation(problems)) }
}

/// What is wrong with a new tenant's slug and name.
pub(super) fn name_problems(text: &str, name: &str) -> Vec<FieldError> {
    let shape = "must be 1 to 64 letters, digits, - or _, and not look like a UUID: it stands in the issuer";
    let mut problems = Vec::new();
    if slug(text).is_none() {
        problems.push(FieldError::new("slug", shape));
    }
    problems.extend(tenants::name(name).err().map(|problem| FieldError::new("name", problem)));
    problems
}
