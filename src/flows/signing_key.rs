//! The key that a tenant's access tokens are signed with now.

use std::sync::Arc;

use crate::access_tokens::SigningKey;
use crate::app::App;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::tenants::Tenant;

/// The tenant's key whose turn it is, from memory or opened.
pub(super) async fn signing_key(
    app: &App,
    tenant: &Tenant,
    now: Timestamp,
) -> Result<Arc<SigningKey>, Error> {
    let missing = || Error::Internal(anyhow::anyhow!("tenant {} has no signing key", tenant.slug));
    let kid = tenant.signing_kid(now).ok_or_else(missing)?;
    app.signing_keys.find(&app.db, &app.master, &tenant.id, kid).await?.ok_or_else(missing)
}
