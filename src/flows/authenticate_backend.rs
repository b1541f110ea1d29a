//! Whose backend key is this?

use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::db::Statement;
use crate::error::Error;
use crate::ids::TenantKeyId;
use crate::tenants::keys::store::tenant_key_columns;
use crate::tenants::store::tenant_columns;
use crate::tenants::{KeyPurpose, Tenant, TenantKey, no_key_opens};

/// The tenant of a backend key: one read. Whatever is wrong with key, secret, purpose or tenant is one answer, and
/// a key that nobody has costs the same comparison (R044, R045).
pub async fn authenticate_backend(
    app: &App,
    key: &str,
    secret: &SecretString,
) -> Result<(Tenant, TenantKeyId), Error> {
    let statement = Statement::new(concat!(
        "select ",
        tenant_columns!(),
        ", ",
        tenant_key_columns!(),
        " from tenant_keys k join tenants t on t.id = k.tenant_id where k.tenant_key = $1 and t.slug <> 'system'"
    ))
    .bind(key);
    let rows = app.db.fetch(statement).await?;
    let found = rows.first().map(|row| Ok::<_, Error>((Tenant::from_row(row)?, TenantKey::from_row(row)?)));
    let Some((tenant, Some(key))) = found.transpose()? else {
        no_key_opens(secret.expose_secret());
        return Err(Error::BackendKey);
    };
    let opens = key.opens(secret.expose_secret(), app.clock.now());
    if !opens || key.purpose != KeyPurpose::Backend || !tenant.active {
        return Err(Error::BackendKey);
    }
    Ok((tenant, key.id))
}
