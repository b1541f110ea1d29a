//! The hash of a new password, before the change that stores it.

use anyhow::anyhow;
use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::ids::TenantId;
use crate::passwords::{NotHashed, PasswordHash, Presence};

/// Hashes a password that has been checked. What cannot be hashed in time is refused at once (R037).
pub async fn hash_password(
    app: &App,
    tenant: &TenantId,
    password: SecretString,
) -> Result<PasswordHash, Error> {
    let ticket = app
        .passwords
        .ticket(tenant.as_str())
        .map_err(|overloaded| Error::Overloaded { retry_after: overloaded.retry_after.as_secs().max(1) })?;
    // Held by the caller's own future: whoever goes leaves the queue.
    let (presence, _guard) = Presence::new();
    app.passwords.hash(ticket, password, &presence).await.map_err(|why| match why {
        NotHashed::Abandoned | NotHashed::DeadlinePassed => Error::Overloaded { retry_after: 1 },
        other => Error::Unavailable(anyhow!("the password was not hashed: {other:?}")),
    })
}
