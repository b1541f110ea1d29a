//! The tenant key that a login or a refresh shows in its body.

use secrecy::{ExposeSecret, SecretString};

use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::error::TenantProblem;
use crate::tenants::{KeyPurpose, Tenant, TenantKey, no_key_opens};

/// A key and its secret as they were sent: nothing of them is believed.
#[derive(Debug, Default)]
pub struct ShownKey {
    pub tenant_key: Option<String>,
    pub tenant_secret: Option<SecretString>,
}

impl ShownKey {
    /// Whether the key that was found by it may be used now; `None` where neither half was sent.
    pub(super) fn check(
        &self,
        found: Option<&TenantKey>,
        now: Timestamp,
    ) -> Option<Result<(), TenantProblem>> {
        match (&self.tenant_key, &self.tenant_secret) {
            (None, None) => None,
            (Some(_), Some(secret)) if opens(found, secret, now) => Some(Ok(())),
            (Some(_), Some(_)) => Some(Err(TenantProblem::KeyWrong)),
            _ => Some(Err(TenantProblem::KeyMissing)),
        }
    }
}

/// Whether the key exists, is good and the secret its own; an unknown key costs the same digest (R044).
fn opens(key: Option<&TenantKey>, secret: &SecretString, now: Timestamp) -> bool {
    let Some(key) = key else {
        no_key_opens(secret.expose_secret());
        return false;
    };
    key.opens(secret.expose_secret(), now)
}

/// Lets a good key vouch for X-Forwarded-For: a `backend` one, where its tenant believes them.
pub(super) fn vouch(app: &App, tenant: &Tenant, key: Option<&TenantKey>, client: &mut Client) {
    let is_backends = key.is_some_and(|key| key.purpose == KeyPurpose::Backend);
    if is_backends
        && tenant.settings.trust_backend_address
        && let Some(chain) = &client.forwarded_for
    {
        client.address = client.address.vouched(client.peer, chain, |ip| app.options.trusts(ip));
    }
}
