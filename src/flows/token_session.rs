//! Whose session is this token of? For a tenant's backends, who show tokens of either kind.

use crate::access_tokens::Claims;
use crate::app::App;
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::error::Error;
use crate::ids::{SessionId, TenantId};
use crate::refresh_tokens::{self, Binding};
use crate::sessions::Session;
use crate::sessions::store::session_columns;
use crate::tenants::Tenant;
use crate::tenants::store::tenant_columns;
use crate::users::User;
use crate::users::store::user_columns;

use super::authenticate::verify;

/// A token that we made for a session of the tenant, with the truth about that session, which may have ended.
#[derive(Debug)]
pub(super) struct TokenSession {
    pub tenant: Tenant,
    pub user: User,
    /// The user's login name, or else the e-mail.
    pub username: Option<String>,
    pub session: Session,
    /// Whether the tenant key that opened the session is good still.
    pub key_stands: bool,
    pub token: ShownToken,
}

/// Which kind of token it is.
#[derive(Debug)]
pub(super) enum ShownToken {
    /// Signed with a key that counts.
    Access {
        claims: Box<Claims>,
        /// Whether the claims say what the rows say (R077).
        agrees: bool,
    },
    /// Its MAC holds.
    Refresh { generation: u64 },
}

/// Reads a token by what it is, whatever its sender takes it for; `None` for all that is not this tenant's. Neither
/// the token's times nor the session's end are held against it.
pub(super) async fn find_by_token(
    app: &App,
    tenant: &TenantId,
    token: &str,
    now: Timestamp,
) -> Result<Option<TokenSession>, Error> {
    if let Some(token) = refresh_tokens::parse(token) {
        let Some((found, salt)) = read(app, tenant, &token.session, now).await? else { return Ok(None) };
        let Found { tenant, user, username, session, key_stands } = found;
        let binding = Binding {
            tenant: &tenant.id,
            session: &session.id,
            device: session.device_id.as_deref(),
            salt: &salt,
        };
        if !token.holds(&app.master, &binding) {
            return Ok(None);
        }
        let token = ShownToken::Refresh { generation: token.generation };
        return Ok(Some(TokenSession { tenant, user, username, session, key_stands, token }));
    }
    let Some(signed) = verify(app, token).await?.filter(|signed| signed.tenant == *tenant) else {
        return Ok(None);
    };
    let Some(session) = SessionId::parse(&signed.claims.sid) else { return Ok(None) };
    let Some((found, _)) = read(app, tenant, &session, now).await? else { return Ok(None) };
    let Found { tenant, user, username, session, key_stands } = found;
    if !signed.counts(app, &tenant) {
        return Ok(None);
    }
    let agrees = signed.agrees(app, &tenant, &user, &session);
    let token = ShownToken::Access { claims: Box::new(signed.claims), agrees };
    Ok(Some(TokenSession { tenant, user, username, session, key_stands, token }))
}

struct Found {
    tenant: Tenant,
    user: User,
    username: Option<String>,
    session: Session,
    key_stands: bool,
}

/// The session with all that decides whether it lives, and its part in the refresh token.
async fn read(
    app: &App,
    tenant: &TenantId,
    session: &SessionId,
    now: Timestamp,
) -> Result<Option<(Found, Vec<u8>)>, Error> {
    let statement = Statement::new(concat!(
        "select ",
        session_columns!(),
        ", ",
        tenant_columns!(),
        ", ",
        user_columns!(),
        ", u.username as shown_username, s.salt as shown_salt, s.tenant_key_id is null or exists ( \
           select 1 from tenant_keys k where k.tenant_id = s.tenant_id and k.id = s.tenant_key_id \
           and k.revoked_at is null and (k.expires_at is null or k.expires_at > $1)) as key_stands \
         from sessions s join tenants t on t.id = s.tenant_id \
         join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         where s.tenant_id = $2 and s.id = $3"
    ))
    .bind(now)
    .bind(tenant)
    .bind(session);
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
    let user = User::from_row(row)?.ok_or_else(broken)?;
    let found = Found {
        tenant: Tenant::from_row(row)?,
        username: row.maybe_text("shown_username")?.or_else(|| user.email.clone()),
        user,
        session: Session::from_row(row)?,
        key_stands: row.bool("key_stands")?,
    };
    Ok(Some((found, row.bytes("shown_salt")?)))
}
