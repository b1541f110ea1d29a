//! What an access token says, at a login and at every refresh after it alike.

use crate::access_tokens::Claims;
use crate::app::App;
use crate::clock::Timestamp;
use crate::ids::{SessionId, TenantKeyId, random_uuid};
use crate::sessions::client_id;
use crate::tenants::Tenant;
use crate::users::{Metadata, User};

/// The session's part in its access tokens.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfSession<'a> {
    pub(super) id: &'a SessionId,
    pub(super) tenant_key: Option<&'a TenantKeyId>,
    /// When the credentials were checked: no refresh does that (R069).
    pub(super) opened_at: Timestamp,
    pub(super) idle_expires_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// The claims of a token that is signed now: of the session as its login left it, of the user as they are.
pub(super) fn access_claims(
    app: &App,
    tenant: &Tenant,
    user: &User,
    metadata: &Metadata,
    session: OfSession<'_>,
    now: Timestamp,
) -> Claims {
    let public_url = &app.options.public_url;
    let iat = now.as_seconds();
    // Never past the session's own end.
    let ends = session.idle_expires_at.min(session.expires_at).as_seconds();
    Claims {
        iss: tenant.issuer(public_url),
        aud: tenant.audience(public_url),
        sub: user.id.to_string(),
        exp: (iat + tenant.settings.lifetimes().access_seconds).min(ends),
        iat,
        tenant_id: tenant.id.to_string(),
        customer_id: user.customer_id.to_string(),
        user_id: user.id.to_string(),
        user_type: user.user_type().to_owned(),
        roles: user.roles.clone(),
        jti: random_uuid(),
        sid: session.id.to_string(),
        auth_time: session.opened_at.as_seconds(),
        acr: "aal1".to_owned(),
        amr: vec!["pwd".to_owned()],
        client_id: client_id(&tenant.id, session.tenant_key),
        metadata: metadata.claim(&tenant.settings.metadata_claims),
    }
}
