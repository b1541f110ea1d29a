//! What a refresh must know, in one query: the session with its user, customer, tenant and key, the key that is shown,
//! and whether the origin is listed.

use tracing::error;

use crate::app::App;
use crate::client::WebOrigin;
use crate::clock::Timestamp;
use crate::db::{DbError, Statement};
use crate::error::Error;
use crate::refresh_tokens::{Binding, RefreshToken};
use crate::sessions::Session;
use crate::sessions::store::session_columns;
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{Tenant, TenantKey};
use crate::users::store::{user_columns, user_profile_columns};
use crate::users::{User, UserProfile};

use super::Refresh;
use super::decide::OpeningKey;

/// The session that a token holds for, and what stands around it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) tenant: Tenant,
    pub(super) user: User,
    pub(super) profile: UserProfile,
    /// As its row has it.
    pub(super) session: Session,
    pub(super) salt: Vec<u8>,
    /// The master key of its refresh tokens.
    pub(super) master_key_id: String,
    /// The networks it was used from beside the login's.
    pub(super) networks: Vec<String>,
    pub(super) previous_login_at: Option<Timestamp>,
    pub(super) opening_key: OpeningKey,
    /// The key of the body, if there is one of that name.
    pub(super) shown_key: Option<TenantKey>,
    pub(super) origin_listed: bool,
}

/// Reads it; `None` unless the token is one that we made for this very row.
pub(super) async fn find(app: &App, request: &Refresh, token: &RefreshToken) -> Result<Option<Found>, Error> {
    let statement = Statement::new(concat!(
        "select ",
        session_columns!(),
        ", s.salt as session_salt, s.refresh_key_id as session_refresh_key_id, s.networks as session_networks, \
         s.previous_login_at as session_previous_login_at, \
         o.revoked_at as opening_key_revoked_at, o.expires_at as opening_key_expires_at, ",
        tenant_columns!(),
        ", ",
        user_columns!(),
        ", ",
        user_profile_columns!(),
        ", ",
        tenant_key_columns!(),
        ", exists (select 1 from tenant_origins w where w.tenant_id = t.id and w.origin = $3) as origin_listed \
         from sessions s join tenants t on t.id = s.tenant_id \
         join users u on u.tenant_id = s.tenant_id and u.id = s.user_id \
         join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
         left join tenant_keys o on o.tenant_id = s.tenant_id and o.id = s.tenant_key_id \
         left join tenant_keys k on k.tenant_id = s.tenant_id and k.tenant_key = $4 \
         where s.tenant_id = $1 and s.id = $2"
    ))
    .bind(&token.tenant)
    .bind(&token.session)
    .bind(request.client.web_origin.as_ref().map(WebOrigin::as_str))
    .bind(request.key.tenant_key.as_deref());
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
    let networks = serde_json::from_str(&row.text("session_networks")?)
        .map_err(|error| DbError::Failed(format!("sessions.networks: {error}")))?;
    let found = Found {
        tenant: Tenant::from_row(row)?,
        user: User::from_row(row)?.ok_or_else(broken)?,
        profile: UserProfile::from_row(row)?,
        session: Session::from_row(row)?,
        salt: row.bytes("session_salt")?,
        master_key_id: row.text("session_refresh_key_id")?,
        networks,
        previous_login_at: row.maybe_instant("session_previous_login_at")?,
        opening_key: OpeningKey {
            revoked_at: row.maybe_instant("opening_key_revoked_at")?,
            expires_at: row.maybe_instant("opening_key_expires_at")?,
        },
        shown_key: TenantKey::from_row(row)?,
        origin_listed: row.bool("origin_listed")?,
    };
    Ok(holds(app, token, &found).then_some(found))
}

/// What the MAC of the session's tokens covers.
pub(super) fn binding<'a>(tenant: &'a Tenant, session: &'a Session, salt: &'a [u8]) -> Binding<'a> {
    Binding { tenant: &tenant.id, session: &session.id, device: session.device_id.as_deref(), salt }
}

/// Whether we made the token for this row, under the key that the session began with.
fn holds(app: &App, token: &RefreshToken, found: &Found) -> bool {
    let Found { tenant, session, salt, master_key_id, .. } = found;
    if token.key_id != *master_key_id {
        return false;
    }
    if app.master.find_stored(master_key_id).is_none() {
        error!(key = master_key_id, session = %session.id, "a session's refresh tokens need a master key that the file does not have");
        return false;
    }
    token.holds(&app.master, &binding(tenant, session, salt))
}
