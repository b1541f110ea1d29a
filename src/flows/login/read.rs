//! What a login must know, in one query: tenant, key, user, customer, origin. The throttle is the
//! reservation's to read, under its lock.

use crate::app::SharedApp;
use crate::client::WebOrigin;
use crate::db::Statement;
use crate::error::Error;
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{Tenant, TenantKey, TenantName};
use crate::users::User;
use crate::users::store::user_columns;

use super::Login;

/// What was found. The tenant is there; all else may be missing.
#[derive(Debug)]
pub struct Found {
    pub tenant: Tenant,
    pub key: Option<TenantKey>,
    pub user: Option<User>,
    pub origin_listed: bool,
}

macro_rules! reading {
    ($where:literal) => {
        concat!(
            "select ",
            tenant_columns!(),
            ", ",
            tenant_key_columns!(),
            ", ",
            user_columns!(),
            ", exists (select 1 from tenant_origins o where o.tenant_id = t.id and o.origin = $4) \
             as origin_listed \
             from tenants t \
             left join tenant_keys k on k.tenant_id = t.id and k.tenant_key = $2 \
             left join login_names n on n.tenant_id = t.id and n.name = $3 \
             left join users u on u.tenant_id = n.tenant_id and u.id = n.user_id \
             left join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
             where ",
            $where,
            " and t.slug <> 'system'"
        )
    };
}

/// Reads it; `None` if no tenant is called that.
pub async fn find(app: &SharedApp, request: &Login) -> Result<Option<Found>, Error> {
    let statement = match &request.tenant {
        TenantName::Slug(slug) => Statement::new(reading!("t.slug = $1")).bind(slug.as_str()),
        TenantName::Id(id) => Statement::new(reading!("t.id = $1")).bind(id),
    }
    .bind(request.key.tenant_key.as_deref())
    .bind(request.name.as_str())
    .bind(request.client.web_origin.as_ref().map(WebOrigin::as_str));
    let rows = app.db.fetch(statement).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Found {
        tenant: Tenant::from_row(row)?,
        key: TenantKey::from_row(row)?,
        user: User::from_row(row)?,
        origin_listed: row.bool("origin_listed")?,
    }))
}
