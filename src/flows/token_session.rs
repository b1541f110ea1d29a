//! Whose session is this token of? For a tenant's backends, who show tokens of either kind.

use crate::access_tokens::Claims;
use crate::app::App;
use crate::db::Statement;
use crate::error::Error;
use crate::ids::SessionId;
use crate::refresh_tokens::{self, Binding};
use crate::sessions::Session;
use crate::sessions::store::session_columns;
use crate::tenants::Tenant;
use crate::tenants::store::tenant_standing_columns;
use crate::users::User;
use crate::users::store::user_columns;

use super::authenticate::verify;
use super::refresh::OpeningKey;

/// A token that we made for a session of the tenant, with the truth about that session, which may have ended.
#[derive(Debug)]
pub(super) struct TokenSession {
    pub tenant: Tenant,
    pub user: User,
    /// The user's login name, or else the e-mail.
    pub username: Option<String>,
    pub session: Session,
    pub opening_key: OpeningKey,
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
///
/// The tenant is its sender's, read when the request began: by its names and settings the request is judged, as any
/// other. How the tenant stands is read anew with the session, for the body may have taken its time.
pub(super) async fn find_by_token(
    app: &App,
    tenant: Tenant,
    token: &str,
) -> Result<Option<TokenSession>, Error> {
    if let Some(token) = refresh_tokens::parse(token) {
        let Some(found) = read(app, tenant, &token.session).await? else { return Ok(None) };
        let binding = Binding {
            tenant: &found.tenant.id,
            session: &found.session.id,
            device: found.session.device_id.as_deref(),
            salt: &found.salt,
        };
        let is_ours = token.key_id == found.master_key_id
            && app.master.find_stored(&found.master_key_id).is_some()
            && token.holds(&app.master, &binding);
        return Ok(is_ours.then(|| found.shown_by(ShownToken::Refresh { generation: token.generation })));
    }
    let signed = verify(app, token).await?.filter(|signed| signed.tenant == tenant.id);
    let Some(signed) = signed else { return Ok(None) };
    let Some(session) = SessionId::parse(&signed.claims.sid) else { return Ok(None) };
    let Some(found) = read(app, tenant, &session).await? else { return Ok(None) };
    if !signed.counts(app, &found.tenant) {
        return Ok(None);
    }
    let agrees = signed.agrees(app, &found.tenant, &found.user, &found.session);
    Ok(Some(found.shown_by(ShownToken::Access { claims: Box::new(signed.claims), agrees })))
}

struct Found {
    tenant: Tenant,
    user: User,
    username: Option<String>,
    session: Session,
    opening_key: OpeningKey,
    salt: Vec<u8>,
    /// The master key of its refresh tokens.
    master_key_id: String,
}

impl Found {
    fn shown_by(self, token: ShownToken) -> TokenSession {
        let Self { tenant, user, username, session, opening_key, .. } = self;
        TokenSession { tenant, user, username, session, opening_key, token }
    }
}

/// The session with all that decides whether it lives, and its part in the refresh token.
async fn read(app: &App, tenant: Tenant, session: &SessionId) -> Result<Option<Found>, Error> {
    let statement = Statement::new(concat!(
        "select ",
        tenant_standing_columns!(),
        ", ",
        user_columns!(),
        ", coalesce(u.username, u.email) as shown_username, ",
        session_columns!(),
        ", k.revoked_at as opening_key_revoked_at, k.expires_at as opening_key_expires_at, \
         s.salt as session_salt, s.refresh_key_id as session_refresh_key_id \
         from sessions s join tenants t on t.id = s.tenant_id \
         join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         left join tenant_keys k on k.tenant_id = s.tenant_id and k.id = s.tenant_key_id \
         where s.tenant_id = $1 and s.id = $2"
    ))
    .bind(&tenant.id)
    .bind(session);
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
    Ok(Some(Found {
        tenant: tenant.as_it_stands(row)?,
        user: User::from_row(row)?.ok_or_else(broken)?,
        username: row.maybe_text("shown_username")?,
        session: Session::from_row(row)?,
        opening_key: OpeningKey {
            revoked_at: row.maybe_instant("opening_key_revoked_at")?,
            expires_at: row.maybe_instant("opening_key_expires_at")?,
        },
        salt: row.bytes("session_salt")?,
        master_key_id: row.text("session_refresh_key_id")?,
    }))
}
