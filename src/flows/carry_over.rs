//! An older copy takes the place of a database that can still be read: what counted no more there counts no more in the
//! copy either.

use std::fmt;

use crate::clock::Timestamp;
use crate::customers::{self, CustomerMove, CustomerRecord, CustomerStatus};
use crate::db::Database;
use crate::error::Error;
use crate::ids::{CustomerId, OperatorId, TenantId, TenantKeyId, UserId};
use crate::secrets::MasterKeys;
use crate::sessions::EndReason;
use crate::signing_keys::KeyState;
use crate::tenants::store::TenantFilter;
use crate::tenants::{TenantName, TenantStatus};
use crate::users::directory::{UserMove, UserRecord};
use crate::users::{self, UserStatus};

use super::{
    Author, Deed, delete_tenant, erase_customer, erase_user, get_customer, get_tenant, get_user,
    list_operators, list_signing_keys, list_tenant_keys, list_tenants, move_customer, move_user,
    retire_signing_key, revoke_operator, revoke_tenant_key, suspend_tenant,
};

/// Rows that are read at a time.
const PAGE: u32 = 500;

/// What was withdrawn from the copy.
#[derive(Default, Debug)]
pub struct CarriedOver {
    pub operators: usize,
    pub tenants: usize,
    pub tenant_keys: usize,
    pub signing_keys: usize,
    pub customers: usize,
    pub users: usize,
    /// What could not be, and why.
    pub refused: Vec<String>,
    /// Why the replaced database could not be read to its end, if it could not.
    pub unread: Option<Error>,
}

/// What counts in the copy, and counted no more in the database that it replaces.
#[derive(Clone, Debug)]
enum Withdrawn {
    Operator(OperatorId),
    Tenant { id: TenantId, slug: String, deleted: bool },
    TenantKey(TenantId, TenantKeyId),
    SigningKey(TenantId, String),
    Customer(TenantId, CustomerId, Standing),
    User(TenantId, UserId, Standing),
}

impl fmt::Display for Withdrawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(id) => write!(f, "operator {id}"),
            Self::Tenant { slug, .. } => write!(f, "tenant {slug}"),
            Self::TenantKey(tenant, id) => write!(f, "tenant key {id} of tenant {tenant}"),
            Self::SigningKey(tenant, kid) => write!(f, "signing key {kid} of tenant {tenant}"),
            Self::Customer(tenant, id, _) => write!(f, "customer {id} of tenant {tenant}"),
            Self::User(tenant, id, _) => write!(f, "user {id} of tenant {tenant}"),
        }
    }
}

/// How far somebody is let in, the furthest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Standing {
    Open,
    Suspended,
    Closed,
    Erased,
}

impl Standing {
    fn of_customer(customer: &CustomerRecord) -> Self {
        match customer.status {
            _ if customer.erased_at.is_some() => Self::Erased,
            CustomerStatus::Closed => Self::Closed,
            CustomerStatus::Suspended => Self::Suspended,
            _ => Self::Open,
        }
    }

    fn of_user(user: &UserRecord) -> Self {
        match user.status {
            _ if user.erased_at.is_some() => Self::Erased,
            UserStatus::Closed => Self::Closed,
            UserStatus::Suspended => Self::Suspended,
            UserStatus::Active => Self::Open,
        }
    }
}

/// Withdraws from `db` what counted no more in `replaced`: operators and tenant keys that are revoked there, signing keys
/// that are retired, tenants, customers and users that are suspended, closed, deleted or erased. Nothing is ever given
/// back: of two copies, whichever is newer, the stricter one is right.
///
/// # Errors
/// Of `db`'s. Where `replaced` cannot be read, what was found until then is carried over, and the rest is told.
pub async fn carry_over(
    replaced: &Database,
    db: &Database,
    master: &MasterKeys,
    author: Author<'_>,
    now: Timestamp,
) -> Result<CarriedOver, Error> {
    let (mut found, mut carried) = (Vec::new(), CarriedOver::default());
    carried.unread = Search { replaced, db, now, found: &mut found }.all().await.err();
    for withdrawn in found {
        match withdraw(db, master, author, &withdrawn, now).await {
            Ok(()) => carried.count(&withdrawn),
            Err(Error::Conflict(why)) => {
                carried.refused.push(format!("{withdrawn}: {} {}", why.field, why.message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(carried)
}

impl CarriedOver {
    fn count(&mut self, withdrawn: &Withdrawn) {
        let number = match withdrawn {
            Withdrawn::Operator(_) => &mut self.operators,
            Withdrawn::Tenant { .. } => &mut self.tenants,
            Withdrawn::TenantKey(..) => &mut self.tenant_keys,
            Withdrawn::SigningKey(..) => &mut self.signing_keys,
            Withdrawn::Customer(..) => &mut self.customers,
            Withdrawn::User(..) => &mut self.users,
        };
        *number += 1;
    }
}

/// Goes through the replaced database, and holds each row against the copy's.
struct Search<'a> {
    replaced: &'a Database,
    db: &'a Database,
    now: Timestamp,
    found: &'a mut Vec<Withdrawn>,
}

impl Search<'_> {
    async fn all(mut self) -> Result<(), Error> {
        self.operators().await?;
        let (mut after, mut tenants) = (None::<String>, Vec::new());
        loop {
            let page = list_tenants(self.replaced, &TenantFilter::default(), after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.tenant.slug.clone());
            tenants.extend(page.into_iter().map(|details| (details.tenant.id, details.tenant.status)));
        }
        for (id, status) in tenants {
            let Some(here) = found(get_tenant(self.db, &TenantName::Id(id.clone())).await)? else { continue };
            let here = here.tenant;
            if here.deleted {
                continue;
            }
            let deleted = status == TenantStatus::Deleted;
            if deleted || status == TenantStatus::Suspended && here.active {
                self.found.push(Withdrawn::Tenant { id: id.clone(), slug: here.slug, deleted });
            }
            if !deleted {
                self.keys(&id, &here.valid_kids).await?;
                self.customers(&id).await?;
                self.users(&id).await?;
            }
        }
        Ok(())
    }

    async fn operators(&mut self) -> Result<(), Error> {
        let here = list_operators(self.db).await?;
        for there in list_operators(self.replaced).await? {
            let counts = here.iter().any(|here| here.id == there.id && here.revoked_at.is_none());
            if there.revoked_at.is_some() && counts {
                self.found.push(Withdrawn::Operator(there.id));
            }
        }
        Ok(())
    }

    async fn keys(&mut self, tenant: &TenantId, valid_kids: &[String]) -> Result<(), Error> {
        let name = TenantName::Id(tenant.clone());
        let here = list_tenant_keys(self.db, &name).await?;
        for there in list_tenant_keys(self.replaced, &name).await? {
            let counts = here.iter().any(|here| here.id == there.id && here.revoked_at.is_none());
            if there.revoked_at.is_some() && counts {
                self.found.push(Withdrawn::TenantKey(tenant.clone(), there.id));
            }
        }
        for there in list_signing_keys(self.replaced, &name, self.now).await? {
            if there.state == KeyState::Retired && valid_kids.contains(&there.kid) {
                self.found.push(Withdrawn::SigningKey(tenant.clone(), there.kid));
            }
        }
        Ok(())
    }

    async fn customers(&mut self, tenant: &TenantId) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let page = customers::store::find_shut(tenant, &after, PAGE.into());
            let page = self.replaced.list(page).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.text("id")?;
            for row in &page {
                let there = CustomerRecord::from_row(row)?;
                let standing = Standing::of_customer(&there);
                let here = found(get_customer(self.db, tenant, &there.id).await)?;
                if here.is_some_and(|here| Standing::of_customer(&here) < standing) {
                    self.found.push(Withdrawn::Customer(tenant.clone(), there.id, standing));
                }
            }
        }
    }

    async fn users(&mut self, tenant: &TenantId) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let page = users::directory::store::find_shut(tenant, &after, PAGE.into());
            let page = self.replaced.list(page).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.text("id")?;
            for row in &page {
                let there = UserRecord::from_row(row)?;
                let standing = Standing::of_user(&there);
                let here = found(get_user(self.db, tenant, &there.id).await)?;
                if here.is_some_and(|here| Standing::of_user(&here) < standing) {
                    self.found.push(Withdrawn::User(tenant.clone(), there.id, standing));
                }
            }
        }
    }
}

/// What is not in the copy was made since.
fn found<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn withdraw(
    db: &Database,
    master: &MasterKeys,
    author: Author<'_>,
    withdrawn: &Withdrawn,
    now: Timestamp,
) -> Result<(), Error> {
    let why = EndReason::StoreRestored.as_str();
    let deed = |tenant| Deed { reason: Some(why), ..Deed::new(tenant, author.actor) };
    let name = |id: &TenantId| TenantName::Id(id.clone());
    match withdrawn {
        Withdrawn::Operator(id) => revoke_operator(db, author, id, now).await.map(drop),
        Withdrawn::Tenant { id, slug, deleted: true } => {
            delete_tenant(db, author, &name(id), slug, now).await.map(drop)
        }
        Withdrawn::Tenant { id, deleted: false, .. } => {
            suspend_tenant(db, author, &name(id), Some(why), now).await.map(drop)
        }
        Withdrawn::TenantKey(tenant, key) => {
            revoke_tenant_key(db, author, &name(tenant), key, now).await.map(drop)
        }
        Withdrawn::SigningKey(tenant, kid) => {
            retire_signing_key(db, master, author, &name(tenant), kid, now).await.map(drop)
        }
        Withdrawn::Customer(tenant, id, Standing::Erased) => {
            erase_customer(db, &deed(tenant), id, now).await.map(drop)
        }
        Withdrawn::Customer(tenant, id, Standing::Suspended) => {
            move_customer(db, &deed(tenant), id, CustomerMove::Suspend, now).await.map(drop)
        }
        Withdrawn::Customer(tenant, id, _) => {
            move_customer(db, &deed(tenant), id, CustomerMove::Close, now).await.map(drop)
        }
        Withdrawn::User(tenant, id, Standing::Erased) => {
            erase_user(db, &deed(tenant), id, now).await.map(drop)
        }
        Withdrawn::User(tenant, id, Standing::Suspended) => {
            move_user(db, &deed(tenant), id, UserMove::Suspend, now).await.map(drop)
        }
        Withdrawn::User(tenant, id, _) => {
            move_user(db, &deed(tenant), id, UserMove::Close, now).await.map(drop)
        }
    }
}
