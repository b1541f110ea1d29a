//! A password that somebody else sets: the tenant's staff or backend, for a user who does not have one in force.

use secrecy::SecretString;
use serde_json::json;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{ChangeId, UserId};
use crate::password_resets;
use crate::passwords::Presence;
use crate::sessions::EndReason;
use crate::tenants::Tenant;
use crate::throttles;
use crate::users;

use super::Deed;
use super::end_sessions::{end_newer_sessions, keep_earlier_endings};
use super::new_password::{check_new_password, hash_new};
use super::password_owner::{self, By};

/// A password as it is to be set.
#[derive(Debug)]
pub struct SetPassword {
    pub user: UserId,
    pub new: SecretString,
}

/// Sets it and answers since when it holds. All of the user's sessions end, failures are forgotten, and a reset
/// secret that is out opens nothing.
pub async fn set_password(
    app: &App,
    tenant: &Tenant,
    deed: &Deed<'_>,
    request: SetPassword,
) -> Result<Timestamp, Error> {
    let SetPassword { user, new } = request;
    let owner = password_owner::find(app, &tenant.id, By::Id(&user)).await?.ok_or(Error::NotFound)?;
    let least = tenant.settings.password_min_length;
    check_new_password(app, "newPassword", &new, least, &owner.known(tenant)).await?;
    let (presence, _guard) = Presence::new();
    let hash = hash_new(app, tenant, new, &presence).await?;
    let now = app.clock.now();
    let event = Event {
        details: json!({ "family": owner.user.family().as_str() }),
        ends: Some(Ends::User { until: now, but: None }),
        ..deed.user_event(EventName::AuthnPasswordChange, &user, &owner.user.customer_id)
    };
    let change = Change::new()
        .with_all(keep_earlier_endings(&tenant.id, &user))
        .with(users::store::set_password(&tenant.id, &user, Some(&hash), now))
        .with_all(end_newer_sessions(&tenant.id, &event, EndReason::PasswordChanged, now))
        .with(password_resets::store::delete_of(&tenant.id, &user))
        .with(throttles::store::clear_all(&tenant.id, &user, &ChangeId::random(), now))
        .with(events::store::insert(&tenant.id, &event, now));
    match app.db.apply(change).await {
        Ok(_) => Ok(now),
        Err(DbError::Refused("user")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}
