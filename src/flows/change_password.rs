//! A user's own change of password, by the one that is in force: behind the login's throttle (R014, R042).

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::time::Instant;

use crate::app::SharedApp;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::Change;
use crate::error::Error;
use crate::events::{self, Actor, Ends, Event, EventName};
use crate::ids::{AttemptId, ChangeId, DeviceId};
use crate::passwords::{PasswordHash, Presence, Ticket, normalise};
use crate::request_limits::PASSWORD_CHANGE;
use crate::sessions::{EndReason, Session};
use crate::tenants::Tenant;
use crate::throttles::{self, Proof, Subject};
use crate::users::{self, StoredPassword, User};
use crate::{devices, password_resets};

use super::end_sessions::{end_newer_sessions, keep_earlier_endings};
use super::new_password::{check_new_password, hash_new, ticket};
use super::password_attempt::{PasswordAttempt, tells_of_the_hash};
use super::password_owner::{self, By};
use super::request_limits::take;

/// A change as asked for, by a user in a session that lives.
#[derive(Debug)]
pub struct ChangePassword {
    pub tenant: Tenant,
    pub user: User,
    /// The one session that lives on.
    pub session: Session,
    pub client: Client,
    pub current: SecretString,
    pub new: SecretString,
}

/// Changes it and answers since when it holds. The rules come first: what they refuse is no attempt at the
/// password in force. All other sessions end.
pub async fn change_password(app: &SharedApp, request: ChangePassword) -> Result<Timestamp, Error> {
    // Of the session, not of the user: a stolen one is not to keep the owner from it. What is compared the throttle bounds.
    take(app, PASSWORD_CHANGE, (&request.tenant.id, &request.session.id))?;
    let tenant = &request.tenant;
    let owner = password_owner::find(app, &tenant.id, By::Id(&request.user.id)).await?;
    let owner = owner.ok_or(Error::NotFound)?;
    // The change goes by the user as read here, with the password: what has ended the session since its own check is not
    // to be taken for what was there before.
    if let Some((at, reason)) = request.session.ending(tenant, &owner.user, app.clock.now()) {
        return Err(Error::SessionEnded { at, reason });
    }
    let least = tenant.settings.password_min_length;
    check_new_password(app, "newPassword", &request.new, least, &owner.known(tenant)).await?;
    if normalise(request.new.expose_secret()).expose_secret()
        == normalise(request.current.expose_secret()).expose_secret()
    {
        return Err(Error::invalid("newPassword", "is the same as currentPassword; choose another"));
    }
    let no_failure_before = Instant::now() + tenant.failure_floor;
    let outcome = attempt(app, ChangePassword { user: owner.user, ..request }, owner.password).await;
    // As at the login (R004).
    if outcome.as_ref().err().is_some_and(tells_of_the_hash) {
        tokio::time::sleep_until(no_failure_before).await;
    }
    outcome
}

/// An attempt from its place in the hash queue to its end.
async fn attempt(
    app: &SharedApp,
    request: ChangePassword,
    stored: StoredPassword,
) -> Result<Timestamp, Error> {
    // Whoever has the session is on its device: a stranger's failures are not theirs.
    let subject = subject(app, &request).await?;
    let ticket = ticket(app, &request.tenant, stored.hash.as_ref())?;
    let (presence, _guard) = Presence::new();
    let changing = Changing { app: app.clone(), request, stored, subject, id: AttemptId::random() };
    // The task outlives this future: an attempt that was reserved is concluded or given back.
    tokio::spawn(changing.drive(ticket, presence))
        .await
        .map_err(|_| Error::Internal(anyhow::anyhow!("the password change's task panicked")))?
}

/// The budget of a proven caller on the session's device, which is also that of a login with proof (R014).
async fn subject(app: &SharedApp, request: &ChangePassword) -> Result<Subject, Error> {
    let user = &request.user.id;
    let Some(device) = &request.session.device_id else { return Ok(Subject::proven(user, None)) };
    let rows = app.db.fetch(devices::store::find_id(&request.tenant.id, user, device)).await?;
    let id = rows.first().map(|row| row.text("change_id")).transpose()?.map(DeviceId::from_stored);
    Ok(Subject::proven(user, id.as_ref()))
}

struct Changing {
    app: SharedApp,
    request: ChangePassword,
    /// What the password that is in force is held against.
    stored: StoredPassword,
    subject: Subject,
    id: AttemptId,
}

impl Changing {
    async fn drive(self, ticket: Ticket, presence: Presence) -> Result<Timestamp, Error> {
        let Self { app, request, stored, .. } = &self;
        let attempt = self.attempt();
        let verdict = attempt.verify(ticket, &presence, request.current.clone(), stored.hash.clone()).await?;
        if !verdict.matches {
            return Err(attempt.fail("wrong_password").await);
        }
        let hash = match hash_new(app, &request.tenant, request.new.clone(), &presence).await {
            Ok(hash) => hash,
            // The password was right: it must not count.
            Err(error) => {
                attempt.give_back().await;
                return Err(error);
            }
        };
        let now = app.clock.now();
        attempt.succeed(self.change(&hash, now), None).await?;
        Ok(now)
    }

    fn attempt(&self) -> PasswordAttempt<'_> {
        let ChangePassword { tenant, user, session, client, .. } = &self.request;
        PasswordAttempt {
            app: &self.app,
            tenant,
            user: Some(&user.id),
            session: Some(&session.id),
            proof: Proof::Full,
            subject: &self.subject,
            source: None,
            id: &self.id,
            family: user.family(),
            client,
            failure: EventName::AuthnPasswordChangeFail,
        }
    }

    /// Everything that becomes true with it: user → throttle → attempt.
    fn change(&self, hash: &PasswordHash, now: Timestamp) -> Change {
        let ChangePassword { tenant, user, session, client, .. } = &self.request;
        let event = Event {
            user: Some(&user.id),
            customer: Some(&user.customer_id),
            session: Some(&session.id),
            client: Some(client),
            details: json!({ "family": user.family().as_str() }),
            ends: Some(Ends::User { until: now, but: Some(&session.id) }),
            ..Event::new(EventName::AuthnPasswordChange, Actor::of(user))
        };
        Change::new()
            .with_all(keep_earlier_endings(&tenant.id, &user.id))
            .with(users::store::change_password(
                &tenant.id,
                user,
                self.stored.version,
                hash,
                &session.id,
                now,
            ))
            .with_all(end_newer_sessions(&tenant.id, &event, EndReason::PasswordChanged, now))
            .with(password_resets::store::delete_of(&tenant.id, &user.id))
            .with(throttles::store::clear_all(&tenant.id, &user.id, &ChangeId::random(), now))
            .with_all(self.attempt().success(&ChangeId::random(), now))
            .with(events::store::insert(&tenant.id, &event, now))
    }
}
