//! One attempt at a password: reserved, hashed, concluded. Whatever checks a password does it by this, and so
//! behind one throttle (R014).

use std::time::{Duration, Instant};

use anyhow::anyhow;
use secrecy::SecretString;
use serde_json::json;
use tracing::warn;

use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::{Applied, Change, DbError, Statement};
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::{AttemptId, ChangeId, SessionId, UserId};
use crate::passwords::{NotHashed, PasswordHash, Presence, Ticket, Verdict};
use crate::source_limits;
use crate::tenants::{Family, Tenant, TenantName};
use crate::throttles::{self, Proof, Reservation, Subject};

use super::get_tenant::find_tenant;
use super::source_attempt::SourceAttempt;

/// How long a conclusion waits for others to share its commit while passwords wait to be hashed: two or three are hashed
/// meanwhile, each of which ends in one.
const SHARED_WITHIN: Duration = Duration::from_millis(10);

/// How often a full throttle is asked again for a free slot.
const RETRY_EVERY: Duration = Duration::from_millis(25);

/// The reasons of a lock.
const LOCKED: &str = "too_many_failures";
const LOCKED_FOR_GOOD: &str = "too_many_failures_in_all";

/// One attempt, by what its throttle and its events need.
pub(super) struct PasswordAttempt<'a> {
    pub(super) app: &'a App,
    pub(super) tenant: &'a Tenant,
    /// `None`: nobody has the name.
    pub(super) user: Option<&'a UserId>,
    /// In which session it is asked for; `None` for a login.
    pub(super) session: Option<&'a SessionId>,
    /// What the caller has shown of having been let in before.
    pub(super) proof: Proof,
    pub(super) subject: &'a Subject,
    /// Where a failure is also counted as one of the source's; `None` where it is not.
    pub(super) source: Option<&'a SourceAttempt>,
    pub(super) id: &'a AttemptId,
    pub(super) family: Family,
    pub(super) client: &'a Client,
    /// What a failure is called.
    pub(super) failure: EventName,
}

impl PasswordAttempt<'_> {
    /// Verifies the password with exactly one hash, unless it never comes to that. With a verdict the attempt is
    /// still to be concluded; without one it is over.
    pub(super) async fn verify(
        &self,
        ticket: Ticket,
        presence: &Presence,
        password: SecretString,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, Error> {
        // It waits for a slot for as long as its place in the hash queue is good.
        let locked_until = match self.reserve(presence, ticket.deadline()).await? {
            Reservation::Reserved => None,
            Reservation::Locked { until } => Some(until),
            Reservation::Busy => return Err(Error::Overloaded { retry_after: 1 }),
        };
        // A locked name costs a hash like any other, of nobody's password.
        let stored = stored.filter(|_| locked_until.is_none());
        match (self.app.passwords.verify(ticket, password, stored, presence).await, locked_until) {
            (Ok(verdict), None) => Ok(verdict),
            (Ok(_), Some(until)) => Err(self.refuse_locked(until).await),
            (Err(why), _) => {
                self.give_back().await;
                Err(not_hashed(why))
            }
        }
    }

    /// The answer to a locked name, with its event; a tenant may hide the lock.
    async fn refuse_locked(&self, until: Timestamp) -> Error {
        let event = self.failure_event(self.failure, "locked");
        let now = self.app.clock.now();
        let written = Change::new()
            .with(events::store::insert(&self.tenant.id, &event, now))
            .with_all(self.failed_at_source(&ChangeId::random(), now));
        match self.apply_with_others(written).await {
            Err(error) => error.into(),
            Ok(_) if self.tenant.settings.hide_lock => Error::Authentication { attempts: None },
            Ok(_) => Error::Locked { until },
        }
    }

    /// Reserves the attempt, waiting for a slot while honest logins of the same user, or from the same source, are in
    /// flight.
    async fn reserve(&self, presence: &Presence, deadline: Instant) -> Result<Reservation, Error> {
        // Whether it has its mark at the source: while it waits for the user's slot it keeps it.
        let mut is_marked = self.source.is_none();
        loop {
            let (tenant, subject) = (&self.tenant.id, self.subject);
            let (change, now) = (ChangeId::random(), self.app.clock.now());
            let instants = (now, self.app.clock.cautious());
            let lock = self.failure_event(EventName::AuthnLoginLock, LOCKED);
            let lock = events::locks::store::insert_if_dead_attempts_locked(
                tenant,
                &lock,
                LOCKED_FOR_GOOD,
                subject,
                &change,
                now,
            );
            let statements = throttles::store::reserve(tenant, subject, self.id, &change, instants, lock);
            let mark_at = statements.len() + 1;
            let source = self.source.filter(|_| !is_marked);
            let marking = source.map(|source| source.reserve(tenant, self.id, &change, now));
            // Nobody learns anything of a password before the conclusion is durable, and with it the reservation.
            let reserving =
                Change::new().with_all(statements).with_all(marking.into_iter().flatten()).asynchronous();
            let applied = self.app.db.apply(reserving).await?;
            let mut reservation = Reservation::from_applied(&applied, now)?;
            if let Some(source) = source {
                is_marked = !applied.rows(mark_at).is_empty();
                if !is_marked {
                    self.give_back().await;
                    source.of.admit_now(self.app, tenant, now).await?;
                    reservation = Reservation::Busy;
                }
            }
            let over = presence.is_gone() || Instant::now() + RETRY_EVERY > deadline;
            if reservation != Reservation::Busy {
                return Ok(reservation);
            }
            if over {
                if self.source.is_some() && is_marked {
                    self.give_back().await;
                }
                return Ok(reservation);
            }
            tokio::time::sleep(RETRY_EVERY).await;
        }
    }

    /// Makes true what an attempt ends in, whatever it is, at the pace of all.
    async fn apply_with_others(&self, change: Change) -> Result<Applied, DbError> {
        let patience = if self.app.passwords.is_busy() { SHARED_WITHIN } else { Duration::ZERO };
        self.app.db.apply(change.patient(patience)).await
    }

    /// Gives the attempt back; if that fails it will count as one that died, which the log says.
    pub(super) async fn give_back(&self) {
        if let Err(error) = self.apply_with_others(self.given_back()).await {
            warn!(tenant = %self.tenant.id, cause = %error, "an attempt was not given back");
        }
    }

    fn given_back(&self) -> Change {
        let source = self.source.map(|source| source.give_back(&self.tenant.id, self.id));
        Change::new()
            .with(throttles::store::give_back(&self.tenant.id, self.subject, self.id))
            .with_all(source)
    }

    /// What a success's change has of the throttle, after the user's and the session's rows. It clears its own budget and
    /// no other.
    pub(super) fn success(&self, change: &ChangeId, now: Timestamp) -> Vec<Statement> {
        let source = self.source.map(|source| source.give_back(&self.tenant.id, self.id));
        let throttle = [
            throttles::store::clear(&self.tenant.id, self.subject, change, now),
            throttles::store::conclude(&self.tenant.id, self.subject, self.id),
        ];
        throttle.into_iter().chain(source).collect()
    }

    /// Makes a success true. If what was right is no longer ("user" is refused), it is a failure like any, unless
    /// `kid`, the key that signs it, was retired meanwhile: then it is ours.
    pub(super) async fn succeed(&self, success: Change, kid: Option<&str>) -> Result<(), Error> {
        match self.apply_with_others(success).await {
            Ok(_) => Ok(()),
            Err(DbError::Refused("user")) => match self.is_retired(kid).await {
                // Suspended, or another password, since the reading (R091).
                Ok(false) => Err(self.fail("changed_meanwhile").await),
                retired => {
                    self.give_back().await;
                    Err(retired.err().unwrap_or_else(|| gone("signing key")))
                }
            },
            Err(DbError::Refused("session limit")) => Err(self.refuse_one_more().await),
            Err(DbError::Refused(what)) => Err(gone(what)),
            // It happened, or it did not.
            Err(error @ DbError::UnknownOutcome(_)) => Err(error.into()),
            // The password was right and the fault is ours: it must not count.
            Err(error) => {
                self.give_back().await;
                Err(error.into())
            }
        }
    }

    /// The answer where the user has as many sessions as they may: the attempt is given back, for the password was right.
    async fn refuse_one_more(&self) -> Error {
        let event = self.failure_event(self.failure, "session_limit");
        // Like every answer that tells of the password, only where the reservation is still there.
        let source = self.source.map(|source| source.give_back(&self.tenant.id, self.id));
        let refused = Change::new()
            .with(throttles::store::conclude(&self.tenant.id, self.subject, self.id))
            .with_all(source)
            .with(events::store::insert(&self.tenant.id, &event, self.app.clock.now()));
        match self.apply_with_others(refused).await {
            Ok(_) => Error::SessionLimit { most: self.tenant.settings.max_sessions },
            Err(DbError::Refused(what)) => gone(what),
            Err(error) => error.into(),
        }
    }

    /// Whether the tenant's row no longer lists the key.
    async fn is_retired(&self, kid: Option<&str>) -> Result<bool, Error> {
        let Some(kid) = kid else { return Ok(false) };
        let tenant = find_tenant(&self.app.db, &TenantName::Id(self.tenant.id.clone())).await?;
        Ok(!tenant.deleted && !tenant.valid_kids.iter().any(|valid| valid == kid))
    }

    /// Counts the failure. Everything that could tell one reason from another is the same here.
    pub(super) async fn fail(&self, reason: &'static str) -> Error {
        let failures = match self.apply_with_others(self.failed(reason)).await {
            Err(DbError::Refused(what)) => return gone(what),
            Err(error) => return error.into(),
            Ok(applied) => applied.rows(0).first().map(|row| row.int("failures")).transpose(),
        };
        match failures {
            Ok(failures) => {
                Error::Authentication { attempts: failures.filter(|_| self.tenant.settings.show_attempts) }
            }
            Err(error) => error.into(),
        }
    }

    fn failed(&self, reason: &'static str) -> Change {
        let tenant = &self.tenant.id;
        let change = ChangeId::random();
        // A lock begins when the failure is known, not when the request came.
        let now = self.app.clock.now();
        let fail = self.failure_event(self.failure, reason);
        let warning = self.failure_event(EventName::AuthnLoginFailMax, "few_failures_left");
        let lock = self.failure_event(EventName::AuthnLoginLock, LOCKED);
        let subject = self.subject;
        Change::new()
            .with(throttles::store::count_failure(tenant, self.subject, &change, now))
            .with(throttles::store::conclude(tenant, self.subject, self.id))
            .with(events::store::insert(tenant, &fail, now))
            .with(events::locks::store::insert_if_near_the_last(tenant, &warning, subject, &change, now))
            .with(events::locks::store::insert_if_locked(
                tenant,
                &lock,
                LOCKED_FOR_GOOD,
                subject,
                &change,
                now,
            ))
            .with_all(self.failed_at_source(&change, now))
    }

    /// What a failure's change has of the source, after the throttle; a source that is shut out by it has an event.
    fn failed_at_source(&self, change: &ChangeId, now: Timestamp) -> Vec<Statement> {
        let Some(source) = self.source else { return Vec::new() };
        let tenant = &self.tenant.id;
        let banned = Event {
            reason: Some("spraying"),
            client: Some(self.client),
            details: json!({ "limit": "login-spray", "until": source_limits::ban_end(now).to_string() }),
            ..Event::new(EventName::ExcessRateLimitExceeded, Actor::Unknown)
        };
        let told = events::store::insert_if_banned(tenant, &banned, source.of.source.as_str(), change, now);
        source.fail(tenant, self.id, change, now).into_iter().chain([told]).collect()
    }

    fn failure_event(&self, name: EventName, reason: &'static str) -> Event<'_> {
        Event {
            user: self.user,
            session: self.session,
            reason: Some(reason),
            client: Some(self.client),
            details: json!({ "family": self.family.as_str(), "subject": self.subject.as_str(), "proof": self.proof.as_str() }),
            ..Event::new(name, Actor::Unknown)
        }
    }
}

/// Whether an answer's time could tell what kind of hash was, or would have been, computed: the kinds take different
/// times, and wait in different queues. Where there are imported ones, it waits for the tenant's failure floor.
pub(super) const fn tells_of_the_hash(error: &Error) -> bool {
    matches!(error, Error::Authentication { .. } | Error::Locked { .. } | Error::Overloaded { .. })
}

fn gone(what: &str) -> Error {
    Error::Unavailable(anyhow!("the {what} was gone at the conclusion"))
}

/// Why a password was not hashed, as an answer. Nothing was learned of it.
pub(super) fn not_hashed(why: NotHashed) -> Error {
    match why {
        NotHashed::Abandoned | NotHashed::DeadlinePassed => Error::Overloaded { retry_after: 1 },
        // To come again would not help (R158).
        NotHashed::Panicked => Error::Internal(why.into()),
        NotHashed::ShuttingDown | NotHashed::TooLong | NotHashed::Failed => Error::Unavailable(why.into()),
    }
}
