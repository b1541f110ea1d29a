//! One attempt at a password: reserved, hashed, concluded.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::json;
use tracing::warn;

use crate::access_tokens::{Claims, SigningKey};
use crate::app::SharedApp;
use crate::clock::Timestamp;
use crate::db::{Change, DbError};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::{AttemptId, ChangeId, random_uuid};
use crate::passwords::{NotHashed, Presence, Ticket, Verdict};
use crate::refresh_tokens::{self, Binding};
use crate::sessions::{self, NewSession, client_id};
use crate::throttles::{self, Reservation, Subject};
use crate::users::{self, User};
use crate::{devices, flows::login::read::Found};

use super::{LoggedIn, Login, rehash};

/// How often a full throttle is asked again for a free slot.
const RETRY_EVERY: Duration = Duration::from_millis(25);

/// One attempt, with everything that was read for it.
pub(super) struct Attempt {
    pub(super) app: SharedApp,
    pub(super) request: Login,
    pub(super) found: Found,
    /// What a success is signed with.
    pub(super) key: Arc<SigningKey>,
    pub(super) subject: Subject,
    pub(super) id: AttemptId,
    /// The instant at which the truth was read; the session begins with it.
    pub(super) now: Timestamp,
}

impl Attempt {
    /// Drives the attempt to its end: exactly one hash, unless it never came to that.
    pub(super) async fn drive(self, ticket: Ticket, presence: Presence) -> Result<LoggedIn, Error> {
        // It waits for a slot for as long as its place in the hash queue is good.
        let locked_until = match self.reserve(&presence, ticket.deadline()).await? {
            Reservation::Reserved => None,
            Reservation::Locked { until } => Some(until),
            Reservation::Busy => return Err(Error::Overloaded { retry_after: 1 }),
        };
        // A locked name costs a hash like any other, of nobody's password.
        let user = self.found.user.as_ref().filter(|_| locked_until.is_none());
        let stored = user.and_then(|user| user.password_hash.clone());
        let password = self.request.password.clone();
        match (self.app.passwords.verify(ticket, password, stored, &presence).await, locked_until) {
            (Ok(verdict), None) => self.conclude(verdict).await,
            (Ok(_), Some(until)) => self.refuse_locked(until).await,
            (Err(why), _) => {
                self.give_back().await;
                Err(not_hashed(why))
            }
        }
    }

    /// The answer to a locked name, with its event; a tenant may hide the lock.
    async fn refuse_locked(&self, until: Timestamp) -> Result<LoggedIn, Error> {
        let Self { app, found, .. } = self;
        let event = self.failure_event(EventName::AuthnLoginFail, "locked");
        app.db.apply(events::store::insert(&found.tenant.id, &event, app.clock.now())).await?;
        Err(if found.tenant.settings.hide_lock {
            Error::Authentication { attempts: None }
        } else {
            Error::Locked { until }
        })
    }

    /// Reserves the attempt, waiting for a slot while honest logins of the same user are in flight.
    async fn reserve(&self, presence: &Presence, deadline: Instant) -> Result<Reservation, Error> {
        loop {
            let (tenant, subject) = (&self.found.tenant.id, &self.subject);
            let (change, now) = (ChangeId::random(), self.app.clock.now());
            let lock = self.failure_event(EventName::AuthnLoginLock, "too_many_failures");
            let lock = events::store::insert_if_dead_attempts_locked(tenant, &lock, subject, &change, now);
            let statements = throttles::store::reserve(tenant, subject, &self.id, &change, now, lock);
            let applied = self.app.db.apply(Change::new().with_all(statements)).await?;
            let reservation = Reservation::from_applied(&applied)?;
            let over = presence.is_gone() || Instant::now() + RETRY_EVERY > deadline;
            if reservation != Reservation::Busy || over {
                return Ok(reservation);
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    /// Gives the attempt back; if that fails it will count as one that died, which the log says.
    async fn give_back(&self) {
        let statement = throttles::store::give_back(&self.found.tenant.id, &self.subject, &self.id);
        if let Err(error) = self.app.db.apply(statement).await {
            warn!(tenant = %self.found.tenant.id, cause = %error, "an attempt was not given back");
        }
    }

    /// The user who may have a session now, or why there is none: for the event, never for the answer.
    fn admitted(&self, verdict: Verdict) -> Result<&User, &'static str> {
        let Some(user) = &self.found.user else { return Err("unknown_user") };
        let reasons = [
            (user.password_hash.is_none(), "no_password"),
            (!verdict.matches, "wrong_password"),
            (!user.active, "user_disabled"),
            (!user.customer_status.admits(), "customer_disabled"),
            (user.family() != self.request.family, "other_family"),
            (!self.request.customer.means(&user.customer_id), "other_customer_in_path"),
            (!self.request.user.means(&user.id), "other_user_in_path"),
        ];
        match reasons.into_iter().find(|(holds, _)| *holds) {
            Some((_, reason)) => Err(reason),
            None => Ok(user),
        }
    }

    async fn conclude(self, verdict: Verdict) -> Result<LoggedIn, Error> {
        let user = match self.admitted(verdict) {
            Ok(user) => user.clone(),
            Err(reason) => return self.fail(reason).await,
        };
        match self.succeed(user).await {
            Ok(logged_in) => {
                if verdict.needs_rehash {
                    rehash::later(&self.app, &logged_in, self.request.password);
                }
                Ok(logged_in)
            }
            // Suspended, or another password, since the reading: what was right is no longer (R091).
            Err(Concluded::Refused("user")) => self.fail("changed_meanwhile").await,
            Err(Concluded::Refused(what)) => {
                Err(Error::Unavailable(anyhow!("the {what} was gone at the conclusion")))
            }
            Err(Concluded::Unknown(error)) => Err(error),
            // The password was right and the fault is ours: it must not count.
            Err(Concluded::Undone(error)) => {
                self.give_back().await;
                Err(error)
            }
        }
    }

    async fn succeed(&self, user: User) -> Result<LoggedIn, Concluded> {
        let Self { app, request, found, key, now, .. } = self;
        let tenant = &found.tenant;
        let tenant_key = found.key.as_ref().map(|key| key.id.clone());
        let session = NewSession::open(tenant, &user, tenant_key, key.kid(), &app.master, *now);
        let claims = self.claims(&user, &session);
        let access_token =
            key.sign(tenant.settings.token_type, &claims).map_err(|error| Concluded::Undone(error.into()))?;
        let binding = Binding {
            tenant: &tenant.id,
            session: &session.id,
            device: request.client.device_id.as_deref(),
            salt: &session.salt,
        };
        let refresh_token = refresh_tokens::compute(app.master.current(), &binding, 1);
        app.db.apply(self.success(&user, &session)).await?;
        Ok(LoggedIn {
            access_token,
            refresh_token,
            claims,
            tenant: tenant.clone(),
            user,
            session,
            client: request.client.clone(),
        })
    }

    /// Everything that becomes true with a success: user → session → throttle → attempt.
    fn success(&self, user: &User, session: &NewSession) -> Change {
        let Self { request, found, now, subject, .. } = self;
        let tenant = &found.tenant.id;
        let change = ChangeId::random();
        let event = |name, details| Event {
            user: Some(&user.id),
            customer: Some(&user.customer_id),
            session: Some(&session.id),
            client: Some(&request.client),
            details,
            ..Event::new(name, Actor::of(user))
        };
        let success = event(
            EventName::AuthnLoginSuccess,
            json!({ "family": session.family.as_str(), "amr": ["pwd"], "tenantKey": session.tenant_key_id }),
        );
        let device = request.client.device_id.as_deref();
        let noted = device.map(|device| {
            let platform = request.client.platform.as_deref();
            devices::store::note_login(tenant, &user.id, device, platform, &change, *now)
        });
        let first = event(EventName::AuthnLoginNewDevice, json!({ "firstDevice": true }));
        let others = json!({ "firstDevice": false });
        let told = device.map(|device| {
            events::store::insert_if_device_is_new(tenant, &first, &others, device, &change, *now)
        });
        Change::new()
            .with(users::store::note_login(tenant, &user.id, user.password_version, *now))
            .with_all(noted)
            .with(sessions::store::insert(tenant, session, &request.client, &change))
            .with(throttles::store::clear(tenant, subject, &change, *now))
            .with(throttles::store::conclude(tenant, subject, &self.id))
            .with(events::store::insert(tenant, &success, *now))
            .with_all(told)
    }

    /// Counts the failure. Everything that could tell one reason from another is the same here.
    async fn fail(&self, reason: &'static str) -> Result<LoggedIn, Error> {
        let tenant = &self.found.tenant;
        let applied = match self.app.db.apply(self.failure(reason)).await {
            Err(DbError::Refused(what)) => {
                return Err(Error::Unavailable(anyhow!("the {what} was gone at the conclusion")));
            }
            other => other?,
        };
        let failures = applied.rows(0).first().map(|row| row.int("failures")).transpose()?;
        Err(Error::Authentication { attempts: failures.filter(|_| tenant.settings.show_attempts) })
    }

    fn failure(&self, reason: &'static str) -> Change {
        let tenant = &self.found.tenant.id;
        let change = ChangeId::random();
        // A lock begins when the failure is known, not when the request came.
        let now = self.app.clock.now();
        let fail = self.failure_event(EventName::AuthnLoginFail, reason);
        let lock = self.failure_event(EventName::AuthnLoginLock, "too_many_failures");
        Change::new()
            .with(throttles::store::count_failure(tenant, &self.subject, &change, now))
            .with(throttles::store::conclude(tenant, &self.subject, &self.id))
            .with(events::store::insert(tenant, &fail, now))
            .with(events::store::insert_if_locked(tenant, &lock, self.subject.as_str(), &change, now))
    }

    fn failure_event(&self, name: EventName, reason: &'static str) -> Event<'_> {
        Event {
            user: self.found.user.as_ref().map(|user| &user.id),
            reason: Some(reason),
            client: Some(&self.request.client),
            details: json!({ "family": self.request.family.as_str(), "subject": self.subject.as_str() }),
            ..Event::new(name, Actor::Unknown)
        }
    }

    fn claims(&self, user: &User, session: &NewSession) -> Claims {
        let Self { app, found, now, .. } = self;
        let tenant = &found.tenant;
        let public_url = &app.options.public_url;
        let iat = now.as_seconds();
        // Never past the session's own end.
        let exp = (iat + tenant.settings.lifetimes().access_seconds).min(session.expires_at.as_seconds());
        Claims {
            iss: tenant.issuer(public_url),
            aud: tenant.audience(public_url),
            sub: user.id.to_string(),
            exp,
            iat,
            tenant_id: tenant.id.to_string(),
            customer_id: user.customer_id.to_string(),
            user_id: user.id.to_string(),
            user_type: user.user_type().to_owned(),
            roles: user.roles.clone(),
            jti: random_uuid(),
            sid: session.id.to_string(),
            auth_time: iat,
            acr: "aal1".to_owned(),
            amr: vec!["pwd".to_owned()],
            client_id: client_id(&tenant.id, session.tenant_key_id.as_ref()),
            metadata: user.metadata.claim(&tenant.settings.metadata_claims),
        }
    }
}

/// How a success could not be concluded.
enum Concluded {
    /// A statement's demand was not met; nothing happened.
    Refused(&'static str),
    /// It happened, or it did not.
    Unknown(Error),
    /// Nothing happened.
    Undone(Error),
}

impl From<DbError> for Concluded {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Refused(what) => Self::Refused(what),
            DbError::UnknownOutcome(_) => Self::Unknown(error.into()),
            DbError::Unavailable(_) | DbError::Failed(_) => Self::Undone(error.into()),
        }
    }
}

fn not_hashed(why: NotHashed) -> Error {
    match why {
        NotHashed::Abandoned | NotHashed::DeadlinePassed => Error::Overloaded { retry_after: 1 },
        other => Error::Unavailable(anyhow!("the password was not hashed: {other:?}")),
    }
}
