//! A password whose hash costs another amount than today's is hashed anew, after its login was answered
//! (R035). If there is no room for that now, the next login does it.

use secrecy::SecretString;
use tracing::warn;

use crate::app::SharedApp;
use crate::passwords::{PasswordHash, Presence};
use crate::users;

use super::LoggedIn;

/// Begins it in a task of its own; nobody waits for it.
pub(super) fn later(app: &SharedApp, logged_in: &LoggedIn, old: PasswordHash, password: SecretString) {
    let (app, tenant, user) = (app.clone(), logged_in.tenant.id.clone(), logged_in.user.id.clone());
    tokio::spawn(async move {
        let Some(new) = hash(&app, tenant.as_str(), password).await else { return };
        // Not if the password was changed meanwhile: then this hash is of the wrong one.
        let replaced = users::store::replace_hash(&tenant, &user, &old, &new);
        if let Err(error) = app.db.apply(replaced).await {
            warn!(tenant = %tenant, cause = %error, "a password's new hash was not stored; its next login tries again");
        }
    });
}

async fn hash(app: &SharedApp, tenant: &str, password: SecretString) -> Option<PasswordHash> {
    let ticket = app.passwords.ticket(tenant).ok()?;
    app.passwords.hash(ticket, password, &Presence::always()).await.ok()
}
