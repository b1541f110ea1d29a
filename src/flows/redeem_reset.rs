//! A new password by a reset secret: of many at once exactly one wins (R041).

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::app::App;
use crate::client::{Client, WebOrigin};
use crate::clock::Timestamp;
use crate::db::{Change, DbError, Statement};
use crate::error::{Error, TenantProblem};
use crate::events::{self, Actor, Ends, Event, EventName};
use crate::ids::{ChangeId, UserId};
use crate::password_resets::{self, secret_digest};
use crate::password_rules::KnownWords;
use crate::passwords::Presence;
use crate::sessions::EndReason;
use crate::tenants::store::tenant_columns;
use crate::tenants::{Tenant, TenantName};
use crate::throttles;
use crate::users;

use super::end_sessions::{end_newer_sessions, keep_earlier_endings};
use super::new_password::{check_breached, check_rules, hash_new};
use super::password_owner::{PasswordOwner, owner_columns};

/// A redemption as asked for, by nobody we know.
#[derive(Debug)]
pub struct RedeemReset {
    pub tenant: TenantName,
    pub secret: SecretString,
    pub new: SecretString,
    pub client: Client,
}

/// A redemption that is durable.
#[derive(Debug)]
pub struct Redeemed {
    pub user: UserId,
    pub at: Timestamp,
}

/// Sets the password, ends all sessions, forgets the failures and spends the secret, in one change. A secret that
/// nobody was given, is used, over, replaced or another tenant's has one answer.
pub async fn redeem_reset(app: &App, request: RedeemReset) -> Result<Redeemed, Error> {
    let RedeemReset { tenant, secret, new, client } = request;
    let digest = secret_digest(&secret);
    let found = find(app, &tenant, &digest, &client).await?.ok_or(Error::Tenant(TenantProblem::Unknown))?;
    let Found { tenant, owner, expires_at, origin_listed } = &found;
    if !tenant.active {
        return Err(Error::Tenant(TenantProblem::Inactive));
    }
    client.tenant.see(&tenant.id);
    if !client.origin_is_admitted(*origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    let now = app.clock.now();
    let is_good = expires_at.is_some_and(|end| now < end);
    let owner = owner.as_ref().filter(|owner| is_good && owner.user.may_log_in());
    // The rules come first and cost the same whatever the secret is. A file is read, and a password hashed, only
    // for whoever has one.
    let of_nobody =
        KnownWords { tenant_slug: &tenant.slug, tenant_name: &tenant.name, ..KnownWords::default() };
    let known = owner.map_or(of_nobody, |owner| owner.known(tenant));
    let least = tenant.settings.password_min_length;
    check_rules("newPassword", &new, least, &known)?;
    if new.expose_secret() == secret.expose_secret() {
        return Err(Error::invalid("newPassword", "must not be the reset secret itself; choose another"));
    }
    let owner = owner.ok_or_else(not_good)?;
    check_breached(app, "newPassword", &new).await?;
    let user = &owner.user.id;
    let (presence, _guard) = Presence::new();
    let hash = hash_new(app, tenant, new, &presence).await?;
    let now = app.clock.now();
    let event = Event {
        user: Some(user),
        customer: Some(&owner.user.customer_id),
        client: Some(&client),
        reason: Some("reset_secret"),
        details: json!({ "family": owner.user.family().as_str() }),
        ends: Some(Ends::User { until: now, but: None }),
        ..Event::new(EventName::AuthnPasswordChange, Actor::of(&owner.user))
    };
    let change = Change::new()
        .with_all(keep_earlier_endings(&tenant.id, user))
        .with(users::store::redeem_password(&tenant.id, user, &hash, now))
        .with_all(end_newer_sessions(&tenant.id, &event, EndReason::PasswordChanged, now))
        .with(password_resets::store::spend(&tenant.id, &digest, user, now))
        .with(throttles::store::clear_all(&tenant.id, user, &ChangeId::random(), now))
        .with(events::store::insert(&tenant.id, &event, now));
    match app.db.apply(change).await {
        Ok(_) => Ok(Redeemed { user: user.clone(), at: now }),
        Err(DbError::Refused("user" | "reset secret")) => Err(not_good()),
        Err(error) => Err(error.into()),
    }
}

fn not_good() -> Error {
    Error::invalid("resetSecret", "is not good, or no longer; ask for a new one")
}

struct Found {
    tenant: Tenant,
    /// Whose secret it is.
    owner: Option<PasswordOwner>,
    /// `None` when it is used.
    expires_at: Option<Timestamp>,
    origin_listed: bool,
}

macro_rules! reading {
    ($where:literal) => {
        concat!(
            "select ",
            tenant_columns!(),
            ", ",
            owner_columns!(),
            ", case when r.used_at is null then r.expires_at end as reset_expires_at, \
             exists (select 1 from tenant_origins o where o.tenant_id = t.id and o.origin = $3) as origin_listed \
             from tenants t \
             left join password_resets r on r.tenant_id = t.id and r.secret_digest = $2 \
             left join users u on u.tenant_id = r.tenant_id and u.id = r.user_id \
             left join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
             where ",
            $where,
            " and t.slug <> 'system'"
        )
    };
}

/// The tenant, and whose secret it is there; `None` if no tenant is called that.
async fn find(
    app: &App,
    tenant: &TenantName,
    digest: &[u8],
    client: &Client,
) -> Result<Option<Found>, Error> {
    let statement = match tenant {
        TenantName::Slug(slug) => Statement::new(reading!("t.slug = $1")).bind(slug.as_str()),
        TenantName::Id(id) => Statement::new(reading!("t.id = $1")).bind(id),
    }
    .bind(digest)
    .bind(client.web_origin.as_ref().map(WebOrigin::as_str));
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        tenant: Tenant::from_row(row)?,
        owner: PasswordOwner::from_row(row)?,
        expires_at: row.maybe_instant("reset_expires_at")?,
        origin_listed: row.bool("origin_listed")?,
    }))
}
