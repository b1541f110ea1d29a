//! A secret with which a user sets a new password: asked for by the tenant's backend for whoever forgot theirs, or
//! made by staff in place of a password that must no longer work.

use secrecy::SecretString;
use serde_json::json;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{ChangeId, UserId};
use crate::password_resets::{self, new_secret, secret_digest};
use crate::sessions::EndReason;
use crate::tenants::Tenant;
use crate::throttles;
use crate::users::{self, LoginName};

use super::Deed;
use super::end_sessions::{end_newer_sessions, keep_earlier_endings};
use super::password_owner::{self, By, PasswordOwner};

/// A reset secret: the one moment it is known.
#[derive(Debug)]
pub struct ResetStarted {
    pub secret: SecretString,
    pub expires_at: Timestamp,
}

/// A secret for whoever has this name. For a name that nobody has, or whose owner may not log in, the answer and
/// the work are the same, and the secret opens nothing (R041).
pub async fn start_reset(
    app: &App,
    tenant: &Tenant,
    deed: &Deed<'_>,
    name: &LoginName,
    valid_seconds: i64,
) -> Result<ResetStarted, Error> {
    let owner = password_owner::find(app, &tenant.id, By::Name(name)).await?;
    let owner = owner.as_ref().filter(|owner| owner.user.may_log_in());
    let now = app.clock.now();
    let started = ResetStarted { secret: new_secret(), expires_at: now.plus_seconds(valid_seconds) };
    let kept = |owner: Option<&PasswordOwner>| {
        let digest = secret_digest(&started.secret);
        let user = owner.map(|owner| &owner.user.id);
        let event = Event {
            user,
            customer: owner.map(|owner| &owner.user.customer_id),
            details: json!({ "validSeconds": valid_seconds, "passwordRemoved": false }),
            ..deed.event(EventName::AuthnPasswordResetRequest)
        };
        Change::new()
            .with_all(owner.map(|owner| users::store::hold(&tenant.id, &owner.user.id, owner.revision)))
            .with(password_resets::store::insert(&tenant.id, &digest, user, started.expires_at, now))
            .with(events::store::insert(&tenant.id, &event, now))
    };
    match app.db.apply(kept(owner)).await {
        Ok(_) => (),
        // Another name or status since the reading: the secret is nobody's, like one for a name that nobody has.
        Err(DbError::Refused("user revision")) => drop(app.db.apply(kept(None)).await?),
        Err(error) => return Err(error.into()),
    }
    Ok(started)
}

/// Takes a user's password away, ends their sessions, forgets their failures, and makes a secret for a new one.
pub async fn reset_login(
    app: &App,
    tenant: &Tenant,
    deed: &Deed<'_>,
    user: &UserId,
) -> Result<ResetStarted, Error> {
    let owner = password_owner::find(app, &tenant.id, By::Id(user)).await?.ok_or(Error::NotFound)?;
    let now = app.clock.now();
    let valid_seconds = password_resets::DEFAULT_SECONDS;
    let started = ResetStarted { secret: new_secret(), expires_at: now.plus_seconds(valid_seconds) };
    let digest = secret_digest(&started.secret);
    let event = Event {
        details: json!({ "validSeconds": valid_seconds, "passwordRemoved": true }),
        ends: Some(Ends::User { until: now, but: None }),
        ..deed.user_event(EventName::AuthnPasswordResetRequest, user, &owner.user.customer_id)
    };
    let change = Change::new()
        .with_all(keep_earlier_endings(&tenant.id, user))
        .with(users::store::set_password(&tenant.id, user, None, now))
        .with_all(end_newer_sessions(&tenant.id, &event, EndReason::PasswordChanged, now))
        .with(password_resets::store::insert(&tenant.id, &digest, Some(user), started.expires_at, now))
        .with(throttles::store::clear_all(&tenant.id, user, &ChangeId::random(), now))
        .with(events::store::insert(&tenant.id, &event, now));
    match app.db.apply(change).await {
        Ok(_) => Ok(started),
        Err(DbError::Refused("user")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}
