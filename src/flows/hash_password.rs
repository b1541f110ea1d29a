//! The hash of a new password, before the change that stores it.

use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::passwords::{PasswordHash, Presence};
use crate::tenants::Tenant;

use super::new_password::{check_breached, hash_new};

/// Hashes a password that the rules have let through, unless it is in the file of breached ones. `field` is what the
/// caller calls it. What cannot be hashed in time is refused at once (R037).
pub async fn hash_password(
    app: &App,
    field: &'static str,
    tenant: &Tenant,
    password: SecretString,
) -> Result<PasswordHash, Error> {
    check_breached(app, field, &password).await?;
    // Held by the caller's own future: whoever goes leaves the queue.
    let (presence, _guard) = Presence::new();
    hash_new(app, tenant, password, &presence).await
}
