//! What a login must know, in one query: tenant, key, user, customer, origin, device, the session of its proof, and what
//! has failed from its source. The throttle is the reservation's to read, under its lock.

use crate::app::SharedApp;
use crate::client::WebOrigin;
use crate::clock::Timestamp;
use crate::db::{DbError, Row, Statement};
use crate::error::Error;
use crate::passwords::PasswordHash;
use crate::refresh_tokens::RefreshToken;
use crate::source_limits::store::failure_columns;
use crate::source_limits::{Failures, Source, bind_failures};
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{Tenant, TenantKey, TenantName};
use crate::users::store::{user_columns, user_password_columns, user_profile_columns};
use crate::users::{StoredPassword, User, UserProfile};

use super::Login;
use super::proof::{KnownDevice, ShownSession};

/// What was found. The tenant is there; all else may be missing.
#[derive(Debug)]
pub struct Found {
    pub tenant: Tenant,
    pub key: Option<TenantKey>,
    pub named: Option<NamedUser>,
    pub origin_listed: bool,
    pub device: Option<KnownDevice>,
    pub shown_session: Option<ShownSession>,
    /// Of which source `failures` are; a key that vouches may show that the login comes from another.
    pub source: Source,
    pub failures: Failures,
}

/// The user who has the name.
#[derive(Debug)]
pub struct NamedUser {
    pub user: User,
    pub profile: UserProfile,
    pub password: StoredPassword,
}

impl NamedUser {
    /// `None` where the join found nobody.
    fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(user) = User::from_row(row)? else { return Ok(None) };
        let password = StoredPassword::from_row(row, &user.id)?;
        Ok(Some(Self { user, profile: UserProfile::from_row(row)?, password }))
    }
}

impl Found {
    /// Who has the name, if anybody does.
    pub fn user(&self) -> Option<&User> {
        self.named.as_ref().map(|named| &named.user)
    }

    /// The hash that the password is held against; `None` where there is none.
    pub fn hash(&self) -> Option<&PasswordHash> {
        self.named.as_ref().and_then(|named| named.password.hash.as_ref())
    }
}

macro_rules! reading {
    ($column:literal) => {
        concat!(
            "select ",
            tenant_columns!(),
            ", ",
            tenant_key_columns!(),
            ", ",
            user_columns!(),
            ", ",
            user_profile_columns!(),
            ", ",
            user_password_columns!(),
            ", exists (select 1 from tenant_origins o where o.tenant_id = t.id and o.origin = $4) \
             as origin_listed, d.change_id as known_device_id, d.first_seen_at as known_device_first_seen_at, \
             d.networks as known_device_networks, \
             coalesce((select h.total from throttles h where h.tenant_id = d.tenant_id \
             and h.subject = 'user:' || d.user_id || '/half:' || d.change_id), 0) as half_failures, \
             coalesce((select f.total from throttles f where f.tenant_id = d.tenant_id \
             and f.subject = 'user:' || d.user_id || '/full:' || d.change_id), 0) as full_failures, \
             s.id as shown_session_id, s.user_id as shown_session_user_id, s.device_id as shown_session_device_id, \
             s.salt as shown_session_salt, s.refresh_key_id as shown_session_key_id, \
             s.created_at as shown_session_created_at, ",
            failure_columns!("$7", "$8", "$9"),
            " from tenants t \
             left join tenant_keys k on k.tenant_id = t.id and k.tenant_key = $2 \
             left join login_names n on n.tenant_id = t.id and n.name = $3 \
             left join users u on u.tenant_id = n.tenant_id and u.id = n.user_id \
             left join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
             left join devices d on d.tenant_id = u.tenant_id and d.user_id = u.id and d.device_id = $5 \
             and d.change_id is not null \
             left join sessions s on s.tenant_id = t.id and s.id = $6 \
             where t.id = coalesce((select a.id from tenants a where a.",
            $column,
            " = $1 and a.slug <> 'system'), '00000000-0000-0000-0000-000000000000')"
        )
    };
}

/// Reads it. Where no tenant is called that, the system tenant stands in, whom nobody may name: what is read and done for
/// an unknown tenant is what is for any other, and takes as long (R045).
pub async fn find(
    app: &SharedApp,
    request: &Login,
    token: Option<&RefreshToken>,
    now: Timestamp,
) -> Result<Option<Found>, Error> {
    let source = Source::of(request.client.address.ip);
    let statement = match &request.tenant {
        TenantName::Slug(slug) => Statement::new(reading!("slug")).bind(slug.as_str()),
        TenantName::Id(id) => Statement::new(reading!("id")).bind(id),
    }
    .bind(request.key.tenant_key.as_deref())
    .bind(request.name.as_str())
    .bind(request.client.web_origin.as_ref().map(WebOrigin::as_str))
    .bind(request.client.device_id.as_deref())
    // By the token and not by the name: the same work whoever has the name.
    .bind(token.map(|token| &token.session));
    let rows = app.db.fetch(bind_failures(statement, &source, now)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        tenant: Tenant::from_row(row)?,
        key: TenantKey::from_row(row)?,
        named: NamedUser::from_row(row)?,
        origin_listed: row.bool("origin_listed")?,
        device: KnownDevice::from_row(row)?,
        shown_session: ShownSession::from_row(row)?,
        source,
        failures: Failures::from_row(row)?,
    }))
}
