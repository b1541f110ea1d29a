//! Whose backend key is this?

use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::client::{Client, WebOrigin};
use crate::db::Statement;
use crate::error::{Error, TenantProblem};
use crate::ids::TenantKeyId;
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{KeyPurpose, Tenant, TenantKey, no_key_opens};

use super::request_limits::take_tenants;

/// The tenant of a backend key: one read. Whatever is wrong with key, secret, purpose or tenant is one answer, and
/// a key that nobody has costs the same comparison (R044, R045). A web app with it is refused like any other whose
/// origin the tenant does not list.
pub async fn authenticate_backend(
    app: &App,
    key: &str,
    secret: &SecretString,
    client: &Client,
) -> Result<(Tenant, TenantKeyId), Error> {
    let statement = Statement::new(concat!(
        "select ",
        tenant_columns!(),
        ", ",
        tenant_key_columns!(),
        ", exists (select 1 from tenant_origins o where o.tenant_id = t.id and o.origin = $1) as origin_listed \
         from tenant_keys k join tenants t on t.id = k.tenant_id where k.tenant_key = $2 and t.slug <> 'system'"
    ))
    .bind(client.web_origin.as_ref().map(WebOrigin::as_str))
    .bind(key);
    let rows = app.db.fetch(statement).await?;
    let found = rows.first().map(|row| {
        Ok::<_, Error>((Tenant::from_row(row)?, TenantKey::from_row(row)?, row.bool("origin_listed")?))
    });
    let Some((tenant, Some(key), origin_listed)) = found.transpose()? else {
        no_key_opens(secret.expose_secret());
        return Err(Error::BackendKey);
    };
    let opens = key.opens(secret.expose_secret(), app.clock.now());
    if !opens || key.purpose != KeyPurpose::Backend || !tenant.active {
        return Err(Error::BackendKey);
    }
    client.tenant.see(&tenant.id);
    if !client.origin_is_admitted(origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    take_tenants(app, &tenant)?;
    Ok((tenant, key.id))
}
