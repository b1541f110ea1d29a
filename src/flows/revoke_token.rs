//! A backend ends the session that a token is of (RFC 7009): tokens of either kind go with their session.

use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::events::Actor;
use crate::ids::TenantKeyId;
use crate::sessions::EndReason;
use crate::tenants::Tenant;

use super::token_session::{TokenSession, find_by_token};
use super::{Ending, end_session};

/// Ends the session of an access token or of a refresh token, of whatever age; its first ending stays. What is not the
/// tenant's, or not a token, is as good as revoked (RFC 7009 §2.2); that it could not be looked up is an error (R101).
pub async fn revoke_token(
    app: &App,
    tenant: Tenant,
    key: &TenantKeyId,
    client: &Client,
    token: &str,
) -> Result<(), Error> {
    let Some(found) = find_by_token(app, tenant, token).await? else { return Ok(()) };
    let TokenSession { tenant, user, session, .. } = found;
    let (actor, reason) = (Actor::Backend(key), EndReason::EndedByBackend);
    let wanted = Ending { actor, reason, client: Some(client), rule: None, note: None };
    match end_session(app, &tenant, &user, &session, &wanted).await {
        // Its row went meanwhile, with its tenant.
        Ok(_) | Err(Error::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}
