//! Whose access token is this, and what of its session is true right now?

use std::sync::Arc;

use crate::access_tokens::{Claims, SigningKey, Unverified};
use crate::app::App;
use crate::client::{Client, WebOrigin};
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::error::{Error, TenantProblem, TokenProblem};
use crate::events::Actor;
use crate::ids::{SessionId, TenantId};
use crate::sessions::Session;
use crate::sessions::store::session_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{Tenant, TenantName};
use crate::users::User;
use crate::users::store::user_columns;

use super::other_tenants::refuse_other_tenant;
use super::request_limits::take_tenants;

/// A token whose signature holds, with the truth about its session, which may have ended.
#[derive(Debug)]
pub struct Authenticated {
    pub tenant: Tenant,
    pub user: User,
    pub session: Session,
    /// When and why the session ended, if it has.
    pub ending: Option<(Timestamp, String)>,
    /// Whether the token's own times hold.
    pub in_time: bool,
}

/// Verifies a token and reads its session: one signature, one read.
pub async fn authenticate(
    app: &App,
    token: &str,
    tenant: &TenantName,
    client: &Client,
) -> Result<Authenticated, Error> {
    const INVALID: Error = Error::Token(TokenProblem::Invalid);
    let signed = verify(app, token).await?.ok_or(INVALID)?;
    let found = read(app, &signed.tenant, &signed.claims, client).await?.ok_or(INVALID)?;
    if !signed.counts(app, &found.tenant) || !signed.agrees(app, &found.tenant, &found.user, &found.session) {
        return Err(INVALID);
    }
    let claims = signed.claims;
    client.tenant.see(&found.tenant.id);
    if !tenant.names(&found.tenant) {
        let actor = Actor::of(&found.user);
        return Err(refuse_other_tenant(app, &found.tenant.id, actor, "access_token", client).await);
    }
    if !client.origin_is_admitted(found.origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    take_tenants(app, &found.tenant)?;
    let now = app.clock.now();
    if !claims.issued_in_time(now) {
        return Err(INVALID);
    }
    Ok(Authenticated {
        ending: found.session.ending(&found.tenant, &found.user, now),
        in_time: claims.in_time(now),
        tenant: found.tenant,
        user: found.user,
        session: found.session,
    })
}

/// A token whose signature holds under the key that it names, and of which no row has been read.
pub(super) struct Signed {
    pub tenant: TenantId,
    pub claims: Claims,
    key: Arc<SigningKey>,
}

/// Verifies a token's signature; `None` for what no key of the tenant that it names has signed.
pub(super) async fn verify(app: &App, token: &str) -> Result<Option<Signed>, Error> {
    match Unverified::parse(token) {
        Some(unverified) => verify_parsed(app, unverified).await,
        None => Ok(None),
    }
}

/// [`verify`], of a token that was taken apart before.
pub(super) async fn verify_parsed(app: &App, unverified: Unverified<'_>) -> Result<Option<Signed>, Error> {
    let Some(tenant) = TenantId::parse(unverified.claimed_tenant()) else { return Ok(None) };
    let key = app.signing_keys.find(&app.db, &app.master, &tenant, unverified.kid()).await?;
    let Some(key) = key else { return Ok(None) };
    Ok(unverified.verify(&key, &app.verified_tokens).map(|claims| Signed { tenant, claims, key }))
}

impl Signed {
    /// Whether the tenant's row lists the key still; one that it does not list is dropped from memory.
    pub fn counts(&self, app: &App, tenant: &Tenant) -> bool {
        let kid = self.key.kid();
        let counts = tenant.valid_kids.iter().any(|valid| valid == kid);
        if !counts {
            app.signing_keys.forget(&self.tenant, kid);
        }
        counts
    }

    /// Whether the claims say what the rows say (R077): issuer, audience, subject.
    pub fn agrees(&self, app: &App, tenant: &Tenant, user: &User, session: &Session) -> bool {
        self.claims.iss == tenant.issuer(&app.options.public_url)
            && self.claims.aud == tenant.audience(&app.options.public_url)
            && self.claims.sub == user.id.as_str()
            && self.claims.sid == session.id.as_str()
    }
}

struct Found {
    tenant: Tenant,
    user: User,
    session: Session,
    origin_listed: bool,
}

async fn read(
    app: &App,
    tenant: &TenantId,
    claims: &Claims,
    client: &Client,
) -> Result<Option<Found>, Error> {
    let Some(session) = SessionId::parse(&claims.sid) else { return Ok(None) };
    let statement = Statement::new(concat!(
        "select ",
        tenant_columns!(),
        ", ",
        user_columns!(),
        ", ",
        session_columns!(),
        ", exists (select 1 from tenant_origins o where o.tenant_id = t.id and o.origin = $3) as origin_listed \
         from sessions s join tenants t on t.id = s.tenant_id \
         join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         where s.tenant_id = $1 and s.id = $2"
    ))
    .bind(tenant)
    .bind(&session)
    .bind(client.web_origin.as_ref().map(WebOrigin::as_str));
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
    Ok(Some(Found {
        tenant: Tenant::from_row(row)?,
        user: User::from_row(row)?.ok_or_else(broken)?,
        session: Session::from_row(row)?,
        origin_listed: row.bool("origin_listed")?,
    }))
}
