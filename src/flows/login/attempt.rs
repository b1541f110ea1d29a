//! One attempt at a password: reserved, hashed, concluded.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::json;

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
use crate::tenants::Tenant;
use crate::throttles::{self, Reservation, Subject};
use crate::users::{self, User};
use crate::{devices, flows::login::read::Found};

use super::{LoggedIn, Login};

/// How often a full throttle is asked again for a free slot (design.md §1).
const RETRY_EVERY: Duration = Duration::from_millis(25);

pub(super) struct Attempt {
    app: SharedApp,
    request: Login,
    found: Found,
    subject: Subject,
    id: AttemptId,
    /// The instant at which the truth was read; the session begins with it.
    now: Timestamp,
    deadline: Instant,
}

impl Attempt {
    pub(super) fn new(
        app: &SharedApp,
        request: Login,
        found: Found,
        subject: Subject,
        now: Timestamp,
        deadline: Instant,
    ) -> Self {
        Self { app: app.clone(), request, found, subject, id: AttemptId::random(), now, deadline }
    }

    /// Drives the attempt to its end: exactly one hash, unless it never came to that.
    pub(super) async fn drive(self, ticket: Ticket, presence: Presence) -> Result<LoggedIn, Error> {
        match self.reserve(&presence).await? {
            Reservation::Reserved => {}
            Reservation::Locked { until } => {
                spend_a_dummy_hash(&self.app, ticket, &self.request, &presence).await?;
                return Err(locked(&self.found.tenant, until));
            }
            Reservation::Busy => return Err(Error::Overloaded { retry_after: 1 }),
        }
        let stored = self.found.user.as_ref().and_then(|user| user.password_hash.clone());
        let verified =
            self.app.passwords.verify(ticket, self.request.password.clone(), stored, &presence).await;
        match verified {
            Ok(verdict) => self.conclude(verdict).await,
            Err(why) => {
                self.give_back().await?;
                Err(not_hashed(why))
            }
        }
    }

    /// Reserves the attempt, waiting for a slot while honest logins of the same user are in flight.
    async fn reserve(&self, presence: &Presence) -> Result<Reservation, Error> {
        loop {
            let (tenant, subject) = (&self.found.tenant.id, &self.subject);
            let (change, now) = (ChangeId::random(), self.app.clock.now());
            let lock = self.failure_event(EventName::AuthnLoginLock, "too_many_failures");
            let lock = events::store::insert_if_dead_attempts_locked(tenant, &lock, subject, &change, now);
            let statements = throttles::store::reserve(tenant, subject, &self.id, &change, now, lock);
            let applied = self.app.db.apply(Change::new().with_all(statements)).await?;
            let reservation = Reservation::from_applied(&applied)?;
            let over = presence.is_gone() || Instant::now() + RETRY_EVERY > self.deadline;
            if reservation != Reservation::Busy || over {
                return Ok(reservation);
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    async fn give_back(&self) -> Result<(), Error> {
        let statement = throttles::store::give_back(&self.found.tenant.id, &self.subject, &self.id);
        self.app.db.apply(statement).await?;
        Ok(())
    }

    /// The user who may have a session now, if the hash said so and nothing else speaks against it.
    fn admitted(&self, verdict: Verdict) -> Option<&User> {
        let user = self.found.user.as_ref()?;
        let fits = verdict.matches
            && user.may_log_in()
            && user.family() == self.request.family
            && self.request.customer.means(&user.customer_id)
            && self.request.user.means(&user.id);
        fits.then_some(user)
    }

    async fn conclude(self, verdict: Verdict) -> Result<LoggedIn, Error> {
        let Some(user) = self.admitted(verdict).cloned() else { return self.fail().await };
        match self.succeed(user).await {
            // Suspended, or another password, since the reading: what was right is no longer (R091).
            Err(Concluded::Refused("user")) => self.fail().await,
            Err(Concluded::Refused(what)) => {
                Err(Error::Unavailable(anyhow!("the {what} was gone at the conclusion")))
            }
            Err(Concluded::Failed(error)) => Err(error),
            Ok(logged_in) => Ok(logged_in),
        }
    }

    async fn succeed(&self, user: User) -> Result<LoggedIn, Concluded> {
        let Self { app, request, found, now, .. } = self;
        let tenant = &found.tenant;
        let key = self.signing_key().await?;
        let tenant_key = found.key.as_ref().map(|key| key.id.clone());
        let session = NewSession::open(tenant, &user, tenant_key, key.kid(), &app.master, *now);
        let claims = self.claims(&user, &session);
        let access_token = key.sign(tenant.settings.token_type, &claims).map_err(Error::from)?;
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
        let event = Event {
            user: Some(&user.id),
            session: Some(&session.id),
            client: Some(&request.client),
            details: json!({ "family": session.family.as_str(), "amr": ["pwd"], "tenantKey": session.tenant_key_id }),
            ..Event::new(EventName::AuthnLoginSuccess, actor(user))
        };
        let device = request.client.device_id.as_deref().map(|device| {
            devices::store::note_login(tenant, &user.id, device, request.client.platform.as_deref(), *now)
        });
        Change::new()
            .with(users::store::note_login(tenant, &user.id, user.password_hash.as_ref(), *now))
            .with_all(device)
            .with(sessions::store::insert(tenant, session, &request.client, &change))
            .with(throttles::store::clear(tenant, subject, &change, *now))
            .with(throttles::store::conclude(tenant, subject, &self.id))
            .with(events::store::insert(tenant, &event, *now))
    }

    /// Counts the failure. Everything that could tell one reason from another is the same here.
    async fn fail(&self) -> Result<LoggedIn, Error> {
        let tenant = &self.found.tenant;
        let applied = match self.app.db.apply(self.failure()).await {
            Err(DbError::Refused(what)) => {
                return Err(Error::Unavailable(anyhow!("the {what} was gone at the conclusion")));
            }
            other => other?,
        };
        let failures = applied.rows(0).first().map(|row| row.int("failures")).transpose()?;
        Err(Error::Authentication { attempts: failures.filter(|_| tenant.settings.show_attempts) })
    }

    fn failure(&self) -> Change {
        let tenant = &self.found.tenant.id;
        let change = ChangeId::random();
        // A lock begins when the failure is known, not when the request came.
        let now = self.app.clock.now();
        let fail = self.failure_event(EventName::AuthnLoginFail, "wrong_credentials");
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

    async fn signing_key(&self) -> Result<std::sync::Arc<SigningKey>, Error> {
        let Self { app, found, .. } = self;
        let missing = || Error::Internal(anyhow!("tenant {} has no signing key", found.tenant.slug));
        let kid = found.tenant.signing_kid.as_deref().ok_or_else(missing)?;
        app.signing_keys.find(&app.db, &app.master, &found.tenant.id, kid).await?.ok_or_else(missing)
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
        }
    }
}

/// How a success could not be concluded.
enum Concluded {
    Refused(&'static str),
    Failed(Error),
}

impl From<DbError> for Concluded {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Refused(what) => Self::Refused(what),
            other => Self::Failed(other.into()),
        }
    }
}

impl From<Error> for Concluded {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn actor(user: &User) -> Actor<'_> {
    match user.kind {
        users::UserKind::Staff => Actor::Staff(&user.id),
        users::UserKind::Customer => Actor::User(&user.id),
    }
}

/// A locked name costs one hash like any other, of nobody's password (R002).
pub(super) async fn spend_a_dummy_hash(
    app: &SharedApp,
    ticket: Ticket,
    request: &Login,
    presence: &Presence,
) -> Result<(), Error> {
    app.passwords.verify(ticket, request.password.clone(), None, presence).await.map_err(not_hashed)?;
    Ok(())
}

/// The answer to a locked name; a tenant may hide it.
pub(super) fn locked(tenant: &Tenant, until: Timestamp) -> Error {
    if tenant.settings.hide_lock { Error::Authentication { attempts: None } } else { Error::Locked { until } }
}

fn not_hashed(why: NotHashed) -> Error {
    match why {
        NotHashed::Abandoned | NotHashed::DeadlinePassed => Error::Overloaded { retry_after: 1 },
        other => Error::Unavailable(anyhow!("the password was not hashed: {other:?}")),
    }
}
