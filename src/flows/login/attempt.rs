//! A login's attempt: verified, and concluded with a session.

use std::sync::Arc;

use serde_json::json;

use crate::access_tokens::SigningKey;
use crate::app::SharedApp;
use crate::clock::Timestamp;
use crate::db::Change;
use crate::error::Error;
use crate::events::{self, Actor, Event, EventName};
use crate::flows::access_claims::{OfSession, access_claims};
use crate::flows::password_attempt::PasswordAttempt;
use crate::flows::source_attempt::SourceAttempt;
use crate::ids::{AttemptId, ChangeId};
use crate::passwords::{Presence, Ticket, Verdict};
use crate::refresh_tokens::{self, Binding};
use crate::sessions::{self, NewSession};
use crate::throttles::{Proof, Subject};
use crate::{devices, users};

use super::proof::networks_with;
use super::read::{Found, NamedUser};
use super::{LoggedIn, Login, limits, rehash};

/// One attempt, with everything that was read for it.
pub(super) struct Attempt {
    pub(super) app: SharedApp,
    pub(super) request: Login,
    pub(super) found: Found,
    /// What a success is signed with.
    pub(super) key: Arc<SigningKey>,
    /// What the caller has shown of having been let in before.
    pub(super) proof: Proof,
    pub(super) subject: Subject,
    /// Where its failure is counted as one of the source's; `None` where no limit applies.
    pub(super) source: Option<SourceAttempt>,
    pub(super) id: AttemptId,
    /// The instant at which the truth was read; the session begins with it.
    pub(super) now: Timestamp,
}

impl Attempt {
    /// Drives the attempt to its end: exactly one hash, unless it never came to that.
    pub(super) async fn drive(self, ticket: Ticket, presence: Presence) -> Result<LoggedIn, Error> {
        let _place = match &self.source {
            Some(source) => Some(source.enter(&self.app, &self.found.tenant.id, ticket.deadline()).await?),
            None => None,
        };
        let stored = self.found.hash().cloned();
        let password = self.request.password.clone();
        let verdict = self.attempt().verify(ticket, &presence, password, stored).await?;
        self.conclude(verdict).await
    }

    fn attempt(&self) -> PasswordAttempt<'_> {
        PasswordAttempt {
            app: &self.app,
            tenant: &self.found.tenant,
            user: self.found.user().map(|user| &user.id),
            session: None,
            proof: self.proof,
            subject: &self.subject,
            source: self.source.as_ref(),
            id: &self.id,
            family: self.request.family,
            client: &self.request.client,
            failure: EventName::AuthnLoginFail,
        }
    }

    /// The user who may have a session now, or why there is none: for the event, never for the answer.
    fn admitted(&self, verdict: Verdict) -> Result<&NamedUser, &'static str> {
        let Some(named) = &self.found.named else { return Err("unknown_user") };
        let NamedUser { user, password, .. } = named;
        let reasons = [
            (password.hash.is_none(), "no_password"),
            (!verdict.matches, "wrong_password"),
            (!user.active, "user_disabled"),
            (!user.customer_status.admits(), "customer_disabled"),
            (user.family() != self.request.family, "other_family"),
            (!self.request.customer.means(&user.customer_id), "other_customer_in_path"),
            (!self.request.user.means(&user.id), "other_user_in_path"),
        ];
        match reasons.into_iter().find(|(holds, _)| *holds) {
            Some((_, reason)) => Err(reason),
            None => Ok(named),
        }
    }

    async fn conclude(self, verdict: Verdict) -> Result<LoggedIn, Error> {
        let named = match self.admitted(verdict) {
            Ok(named) => named,
            Err(reason) => return Err(self.attempt().fail(reason).await),
        };
        let logged_in = self.succeed(named).await?;
        if let Some(old) = named.password.hash.clone().filter(|_| verdict.needs_rehash) {
            rehash::later(&self.app, &logged_in, old, self.request.password);
        }
        Ok(logged_in)
    }

    async fn succeed(&self, named: &NamedUser) -> Result<LoggedIn, Error> {
        let Self { app, request, found, key, now, .. } = self;
        let NamedUser { user, profile, .. } = named;
        let tenant = &found.tenant;
        let tenant_key = found.key.as_ref().map(|key| key.id.clone());
        // One for the row and the token: another may become current meanwhile.
        let master = app.master.current();
        let session =
            NewSession::open(tenant, user, profile.last_login_at, tenant_key, key.kid(), &master, *now);
        let of_session = OfSession {
            id: &session.id,
            tenant_key: session.tenant_key_id.as_ref(),
            opened_at: session.created_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
        };
        let claims = access_claims(app, tenant, user, &profile.metadata, of_session, *now);
        let access_token = match key.sign(tenant.settings.token_type, &claims) {
            Ok(token) => token,
            // The password was right and the fault is ours: it must not count.
            Err(error) => {
                self.attempt().give_back().await;
                return Err(error.into());
            }
        };
        let binding = Binding {
            tenant: &tenant.id,
            session: &session.id,
            device: request.client.device_id.as_deref(),
            salt: &session.salt,
        };
        let refresh_token = refresh_tokens::compute(&master, &binding, 1);
        self.attempt().succeed(self.success(named, &session), Some(key.kid())).await?;
        Ok(LoggedIn {
            access_token,
            refresh_token,
            claims,
            tenant: tenant.clone(),
            user: user.clone(),
            profile: profile.clone(),
            session,
            client: request.client.clone(),
        })
    }

    /// Everything that becomes true with a success: user → session → throttle → attempt.
    fn success(&self, named: &NamedUser, session: &NewSession) -> Change {
        let NamedUser { user, password, .. } = named;
        let Self { request, found, key, now, .. } = self;
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
            json!({
                "family": session.family.as_str(), "amr": ["pwd"], "tenantKey": session.tenant_key_id,
                "proof": self.proof.as_str(),
            }),
        );
        // Made before what else is told of the login, and so before that in the session's timeline.
        let opened = events::store::insert(tenant, &success, *now);
        let device = request.client.device_id.as_deref();
        let noted = device.map(|device| {
            let platform = request.client.platform.as_deref();
            let read = found.device.as_ref().map_or("[]", |device| device.networks.as_str());
            let networks = (read, networks_with(found.device.as_ref(), request));
            devices::store::note_login(tenant, &user.id, device, platform, networks, &change, *now)
        });
        let first = event(EventName::AuthnLoginNewDevice, json!({ "firstDevice": true }));
        let others = json!({ "firstDevice": false });
        let told = device.map(|device| {
            events::store::insert_if_device_is_new(tenant, &first, &others, device, &change, *now)
        });
        Change::new()
            .with(users::store::note_login(tenant, &user.id, password.version, key.kid(), *now))
            .with_all(noted)
            // What ends by this login ends now, not when the login began.
            .with_all(limits::make_room(&found.tenant, user, &request.client, self.app.clock.now()))
            .with(sessions::store::insert(tenant, session, &request.client, &change))
            .with_all(self.attempt().success(&change, *now))
            .with(opened)
            .with_all(told)
    }
}
