//! A tenant's signing keys are rotated and retired (R080, R081). Which of them signs is decided when a token is signed,
//! from the tenant's row; that row changes only if it is still the one that was read.

use serde_json::json;

use crate::access_tokens::Algorithm;
use crate::clock::{Readings, Timestamp};
use crate::db::{Change, Database, DbError};
use crate::error::Error;
use crate::events::{self, Event, EventName};
use crate::ids::TenantId;
use crate::secrets::MasterKeys;
use crate::signing_keys::{self, KEPT_SECONDS, ListedSigningKey, MAX_VALID_KIDS, PUBLISHED_SECONDS};
use crate::tenants::{self, Signing, Tenant, TenantName};

use super::Author;
use super::get_tenant::{demand_settings, find_standing_tenant, find_tenant};

/// How often a retirement is tried anew because the keys became others meanwhile.
const TRIES: usize = 5;

/// All the tenant's keys, newest first; those that no longer count too.
pub async fn list_signing_keys(
    db: &Database,
    tenant: &TenantName,
    now: Timestamp,
) -> Result<Vec<ListedSigningKey>, Error> {
    let tenant = find_tenant(db, tenant).await?;
    let rows = db.list(signing_keys::store::list(&tenant.id)).await?;
    Ok(ListedSigningKey::from_rows(&rows, &tenant, now)?)
}

/// When a rotation's key begins to sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// Once every verifier has fetched it: after [`PUBLISHED_SECONDS`] (R081).
    Published,
    /// At once: the one that is published already, if there is one. Verifiers that keep a key set refuse its tokens until
    /// they fetch it anew.
    Now,
}

/// Makes the tenant's next signing key, for the algorithm of its settings. The key whose place it takes counts on until
/// its last token is dead. Of two rotations at once one is refused.
pub async fn rotate_signing_key(
    db: &Database,
    master: &MasterKeys,
    author: Author<'_>,
    tenant: &TenantName,
    begin: Begin,
    now: Timestamp,
) -> Result<ListedSigningKey, Error> {
    let read = find_standing_tenant(db, tenant).await?;
    let (kid, change) = match (read.signing.pending(now), begin) {
        (Some((kid, from)), Begin::Published) => {
            let remedy = "let it sign now, or retire it first";
            let problem = format!("{kid} is the next one and signs from {from}; {remedy}");
            return Err(Error::conflict("signingKey", problem));
        }
        (Some((kid, _)), Begin::Now) => (kid.to_owned(), hasten(author, &read, kid, now)),
        (None, _) => add(master, author, &read, begin, now).await?,
    };
    match db.apply(change).await {
        Ok(_) => get(db, tenant, &kid, now).await,
        Err(DbError::Refused("signing keys")) => Err(Error::conflict(
            "signingKey",
            "was set by somebody else at the same moment; look at the keys",
        )),
        Err(error) => Err(error.into()),
    }
}

/// The next key, which is published already, signs from now on.
fn hasten(author: Author<'_>, read: &Tenant, kid: &str, now: Timestamp) -> Change {
    let event = Event {
        details: json!({ "signingKid": { "from": read.signing.kid, "to": kid } }),
        ..author.event(EventName::TenantUpdated)
    };
    let signing = Signing { kid: Some(kid.to_owned()), next: None };
    let replaced = read.signing.kid.iter();
    Change::new()
        .with(tenants::store::set_signing(&read.id, read, &signing, &read.valid_kids, now))
        .with(signing_keys::store::set_signs_from(&read.id, kid, now))
        .with_all(replaced.map(|old| signing_keys::store::set_replaced(&read.id, old, Some(now))))
        .with(events::store::insert(&read.id, &event, now))
}

/// A new key signs now, or once it has been published for long enough.
pub(super) async fn add(
    master: &MasterKeys,
    author: Author<'_>,
    read: &Tenant,
    begin: Begin,
    now: Timestamp,
) -> Result<(String, Change), Error> {
    if read.valid_kids.len() >= MAX_VALID_KIDS {
        let problem = format!("there are {MAX_VALID_KIDS} that count already; retire one first");
        return Err(Error::conflict("signingKey", problem));
    }
    demand_settings(read)?;
    let new = signing_keys::generate(&read.id, read.settings.algorithm, master).await?;
    let current = read.signing_kid(now).map(str::to_owned);
    let signs_from = match begin {
        Begin::Published => now.plus_seconds(PUBLISHED_SECONDS),
        Begin::Now => now,
    };
    let signing = match begin {
        Begin::Published => Signing { kid: current.clone(), next: Some((new.kid.clone(), signs_from)) },
        Begin::Now => Signing { kid: Some(new.kid.clone()), next: None },
    };
    let mut valid = read.valid_kids.clone();
    valid.push(new.kid.clone());
    let event = created(author, &new.kid, new.algorithm, signs_from);
    let change = Change::new()
        .with(tenants::store::set_signing(&read.id, read, &signing, &valid, now))
        .with(signing_keys::store::insert(&read.id, &new, signs_from, now))
        .with_all(
            current.iter().map(|old| signing_keys::store::set_replaced(&read.id, old, Some(signs_from))),
        )
        .with(events::store::insert(&read.id, &event, now));
    Ok((new.kid, change))
}

fn created<'a>(author: Author<'a>, kid: &str, algorithm: Algorithm, signs_from: Timestamp) -> Event<'a> {
    Event {
        details: json!({ "kid": kid, "algorithm": algorithm, "signsFrom": signs_from.to_string() }),
        ..author.event(EventName::SigningKeyCreated)
    }
}

/// Retires a key at once: what it has signed is refused from the next request on, by us; by others once they fetch the
/// key set anew. If it is the one that signs, the next one does so at once, or a new one. One that is retired stays so.
pub async fn retire_signing_key(
    db: &Database,
    master: &MasterKeys,
    author: Author<'_>,
    tenant: &TenantName,
    kid: &str,
    now: Timestamp,
) -> Result<ListedSigningKey, Error> {
    for _ in 0..TRIES {
        let read = find_standing_tenant(db, tenant).await?;
        let key = get(db, tenant, kid, now).await?;
        if !read.valid_kids.iter().any(|valid| valid == kid) {
            return Ok(key);
        }
        match db.apply(retire(master, author, &read, kid, now).await?).await {
            Ok(_) => return get(db, tenant, kid, now).await,
            Err(DbError::Refused("signing keys")) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::conflict("signingKey", "is being set by others all the time; try again"))
}

async fn retire(
    master: &MasterKeys,
    author: Author<'_>,
    read: &Tenant,
    kid: &str,
    now: Timestamp,
) -> Result<Change, Error> {
    let current = read.signing_kid(now).map(str::to_owned);
    let pending = read.signing.pending(now).map(|(next, from)| (next.to_owned(), from));
    let mut valid: Vec<_> = read.valid_kids.iter().filter(|valid| *valid != kid).cloned().collect();
    let event = Event {
        details: json!({ "kid": kid, "atOnce": true }),
        ..author.event(EventName::SigningKeyRetired)
    };
    let event = events::store::insert(&read.id, &event, now);
    let nothing = signing_keys::nothing_sealed(&read.id, kid, master)?;
    let gone = signing_keys::store::retire(&read.id, kid, &nothing, now);
    let set = |signing: &Signing, valid: &[String]| {
        tenants::store::set_signing(&read.id, read, signing, valid, now)
    };
    if current.as_deref() != Some(kid) {
        // The next one, which now never comes, or one that has been replaced.
        let is_next = pending.as_ref().is_some_and(|(next, _)| next == kid);
        let stays = current.iter().filter(|_| is_next);
        let stays: Vec<_> =
            stays.map(|current| signing_keys::store::set_replaced(&read.id, current, None)).collect();
        let signing = Signing { kid: current, next: pending.filter(|(next, _)| next != kid) };
        return Ok(Change::new().with(set(&signing, &valid)).with(gone).with_all(stays).with(event));
    }
    let replaced = signing_keys::store::set_replaced(&read.id, kid, Some(now));
    if let Some((next, _)) = pending {
        let signing = Signing { kid: Some(next.clone()), next: None };
        let begins = signing_keys::store::set_signs_from(&read.id, &next, now);
        return Ok(Change::new()
            .with(set(&signing, &valid))
            .with(replaced)
            .with(gone)
            .with(begins)
            .with(event));
    }
    demand_settings(read)?;
    let new = signing_keys::generate(&read.id, read.settings.algorithm, master).await?;
    valid.push(new.kid.clone());
    let signing = Signing { kid: Some(new.kid.clone()), next: None };
    let made = created(author, &new.kid, new.algorithm, now);
    Ok(Change::new()
        .with(set(&signing, &valid))
        .with(signing_keys::store::insert(&read.id, &new, now, now))
        .with(replaced)
        .with(gone)
        .with(event)
        .with(events::store::insert(&read.id, &made, now)))
}

/// Retires the keys whose last token is dead: those that were replaced [`KEPT_SECONDS`] ago.
pub async fn retire_replaced_signing_keys(
    db: &Database,
    master: &MasterKeys,
    at: impl Into<Readings>,
) -> Result<(), Error> {
    let Readings { now, cautious } = at.into();
    let due = db.list(signing_keys::store::find_replaced(cautious.plus_seconds(-KEPT_SECONDS))).await?;
    let mut outcome = Ok(());
    for row in due {
        let tenant = TenantId::from_stored(row.text("tenant_id")?);
        outcome = outcome.and(retire_replaced(db, master, tenant, &row.text("kid")?, now).await);
    }
    outcome
}

async fn retire_replaced(
    db: &Database,
    master: &MasterKeys,
    tenant: TenantId,
    kid: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let read = find_tenant(db, &TenantName::Id(tenant)).await?;
    // Not listed: another node was first.
    let is_valid = read.valid_kids.iter().any(|valid| valid == kid);
    if read.deleted || read.signing_kid(now).is_some_and(|signing| signing == kid) || !is_valid {
        return Ok(());
    }
    let valid: Vec<_> = read.valid_kids.iter().filter(|valid| *valid != kid).cloned().collect();
    let pending = read.signing.pending(now).map(|(next, from)| (next.to_owned(), from));
    let signing = Signing { kid: read.signing_kid(now).map(str::to_owned), next: pending };
    let event = Event {
        details: json!({ "kid": kid, "atOnce": false }),
        ..Author::SYSTEM.event(EventName::SigningKeyRetired)
    };
    let nothing = signing_keys::nothing_sealed(&read.id, kid, master)?;
    let change = Change::new()
        .with(tenants::store::set_signing(&read.id, &read, &signing, &valid, now))
        .with(signing_keys::store::retire(&read.id, kid, &nothing, now))
        .with(events::store::insert(&read.id, &event, now));
    match db.apply(change).await {
        // Another node, or an operator, was first: the next time finds what is left.
        Ok(_) | Err(DbError::Refused("signing keys")) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn get(
    db: &Database,
    tenant: &TenantName,
    kid: &str,
    now: Timestamp,
) -> Result<ListedSigningKey, Error> {
    let keys = list_signing_keys(db, tenant, now).await?;
    keys.into_iter().find(|key| key.kid == kid).ok_or(Error::NotFound)
}
