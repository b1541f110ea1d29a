//! A login: validate → tenant and key → ticket → reserve → hash → conclude (ARCHITECTURE.md).
//!
//! The caller has validated. Who has passed the door before takes the ticket first. One query reads all that must be known;
//! what refuses before the reservation costs no hash, what is compared costs exactly one (R002). From the reservation on, a
//! task of its own drives the attempt to its end, whoever has gone.

mod attempt;
mod door;
mod limits;
mod proof;
mod read;
mod rehash;

use metrics::counter;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::access_tokens::Claims;
use crate::app::{App, SharedApp};
use crate::client::Client;
use crate::clock::Timestamp;
use crate::error::{Error, TenantProblem};
use crate::ids::{AttemptId, CustomerId, UserId};
use crate::passwords::{Presence, Ticket};
use crate::sessions::NewSession;
use crate::source_limits::{Place, Source};
use crate::tenants::{Family, Shown, Tenant, TenantName};
use crate::throttles::Proof;
use crate::users::{LoginName, User, UserProfile};

use super::new_password::{overloaded, ticket};
use super::password_attempt::tells_of_the_hash;
use super::request_limits::take_tenants_login;
use super::shown_key::ShownKey;
use super::signing_key::signing_key;
use super::source_attempt::{LimitedSource, SourceAttempt};
use attempt::Attempt;
use door::Guessing;
use read::Found;

/// An id in a path: one user's own, or nil for "whoever the username says".
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PathId<T> {
    Nil,
    Id(T),
}

impl<T: PartialEq> PathId<T> {
    /// Whether this is what the path means.
    pub fn means(&self, id: &T) -> bool {
        match self {
            Self::Nil => true,
            Self::Id(own) => own == id,
        }
    }
}

/// A login as asked for: validated, and nothing of it believed.
#[derive(Debug)]
pub struct Login {
    /// X-Tenant-ID.
    pub tenant: TenantName,
    /// `tenantId` of the body: must name the same tenant.
    pub tenant_in_body: Option<TenantName>,
    pub key: ShownKey,
    pub family: Family,
    pub customer: PathId<CustomerId>,
    pub user: PathId<UserId>,
    pub name: LoginName,
    pub password: SecretString,
    /// An earlier refresh token of the user's and the device's, if the caller shows one: it speaks for the caller.
    pub proof: Option<SecretString>,
    pub client: Client,
}

/// A login that succeeded: durable, and everything its answer tells.
#[derive(Debug)]
pub struct LoggedIn {
    pub access_token: String,
    pub refresh_token: String,
    pub claims: Claims,
    pub tenant: Tenant,
    pub user: User,
    /// As before this login: `last_login_at` is the one before.
    pub profile: UserProfile,
    pub session: NewSession,
    pub client: Client,
}

/// So many of a source hold a ticket before it is known whether the source is let in, and none of one that was refused: what
/// it may not do is to take no more of the tenant's places. Whoever comes beyond that takes theirs later.
const EARLY_OF_A_SOURCE: i64 = 10;

/// A ticket that was taken before the first read.
struct EarlyTicket {
    ticket: Ticket,
    _place: Place,
}

impl EarlyTicket {
    /// The ticket of somebody who was let in.
    fn admitted(self) -> Ticket {
        self.ticket
    }
}

/// Logs in. Every reason a stranger could learn from has one answer and one amount of work (R001–R003).
pub async fn login(app: &SharedApp, request: Login) -> Result<LoggedIn, Error> {
    let outcome = run(app, request).await;
    let word = match &outcome {
        Ok(_) => "success",
        Err(Error::Authentication { .. }) => "failed",
        Err(Error::Locked { .. }) => "locked",
        Err(Error::Tenant(_)) => "tenant_refused",
        Err(Error::SessionLimit { .. }) => "session_limit",
        Err(Error::TooManyRequests(_)) => "rate_limited",
        Err(Error::Overloaded { .. }) => "overloaded",
        Err(Error::Unavailable(_)) => "unavailable",
        Err(_) => "error",
    };
    counter!("vestibule_logins_total", "outcome" => word).increment(1);
    outcome
}

async fn run(app: &SharedApp, mut request: Login) -> Result<LoggedIn, Error> {
    let now = app.clock.now();
    let token = proof::shown_token(&request);
    let guessing = Guessing::begin(app, &request, token.as_ref())?;
    let shown = door::shown(&request);
    let early = early_ticket(app, &request, shown, now)?;
    let unknown = Error::Tenant(TenantProblem::Unknown);
    let found = read::find(app, &request, token.as_ref(), now).await?.ok_or(unknown)?;
    let entered = guessing.enter(app, &mut request, token.as_ref(), &found, now);
    let (proof, subject) = entered.inspect_err(|error| door::forget_passed(app, shown, error))?;
    door::note_passed(app, shown, &found.tenant);
    // Before it spends anything of the tenant's but an early place: what a source may not do costs nobody else (R023).
    let source = admit_source(app, &request, &found, proof, now).await?;
    take_tenants_login(app, &found.tenant)?;
    let early = early.map(EarlyTicket::admitted);
    // Whatever is wrong with it is our fault and nobody's failure, so it comes before the reservation.
    let key = signing_key(app, &found.tenant, now).await?;

    let no_failure_before = Instant::now() + found.tenant.failure_floor;
    let attempt = Attempt {
        app: app.clone(),
        request,
        found,
        key,
        proof,
        subject,
        source,
        id: AttemptId::random(),
        now,
    };
    let outcome = drive(attempt, early).await;
    // An imported hash takes another time than ours, and waits in another queue: no failure tells by it what it was
    // (R004).
    if outcome.as_ref().err().is_some_and(tells_of_the_hash) {
        tokio::time::sleep_until(no_failure_before).await;
    }
    outcome
}

/// A place in the hash queue before anything is read, for who shows what has opened the door: whom there is none for is
/// refused at once, and all that a login does is done for no more of them than can be hashed in time. Where there are four
/// for each that can be, what the others cost is missing from the hashes. Nobody else is refused here, so it tells strangers
/// nothing of a tenant (R045), and neither name nor password is looked at. A browser's call goes the long way: whether its
/// origin may read the answer stands in the database.
fn early_ticket(
    app: &App,
    request: &Login,
    shown: Shown,
    now: Timestamp,
) -> Result<Option<EarlyTicket>, Error> {
    if request.client.web_origin.is_some() {
        return Ok(None);
    }
    let Some(tenant) = app.passed_doors.find(shown) else { return Ok(None) };
    request.client.tenant.see(&tenant);
    let ticket = app.passwords.ticket(tenant.as_str()).map_err(overloaded)?;
    let source = Source::of(request.client.address.ip);
    if app.refused_sources.holds(&tenant, &source, now) {
        return Ok(None);
    }
    let place = app.early_gates.try_enter(&tenant, &source, EARLY_OF_A_SOURCE);
    Ok(place.map(|place| EarlyTicket { ticket, _place: place }))
}

/// Refuses what comes from a source from which too much has failed, before anything is hashed or written (R021, R022);
/// `None` where no limit applies.
async fn admit_source(
    app: &SharedApp,
    request: &Login,
    found: &Found,
    proof: Proof,
    now: Timestamp,
) -> Result<Option<SourceAttempt>, Error> {
    let Found { tenant, key, source, failures, .. } = found;
    let Some(of) = LimitedSource::of(app, tenant, key.as_ref(), &request.client, proof) else {
        return Ok(None);
    };
    if of.source == *source {
        of.admit(app, &tenant.id, failures, now).await?;
    } else {
        of.admit_now(app, &tenant.id, now).await?;
    }
    let who = found.user().map_or(request.name.as_str(), |user| user.id.as_str());
    let pair = app.master.current().pair_digest([tenant.id.as_str(), who], request.password.expose_secret());
    Ok(Some(SourceAttempt { of, pair }))
}

/// An attempt from its place in the hash queue to its end.
async fn drive(attempt: Attempt, early: Option<Ticket>) -> Result<LoggedIn, Error> {
    let Attempt { app, found, .. } = &attempt;
    // Where another system's hashes have come in since, another queue may be the right one.
    let fits = |early: &Ticket| early.is_of(found.tenant.id.as_str()) && found.tenant.failure_floor.is_zero();
    let ticket = match early.filter(fits) {
        Some(early) => early,
        None => ticket(app, &found.tenant, found.hash())?,
    };
    let (presence, _guard) = Presence::new();
    // The task outlives this future: an attempt that was reserved is concluded or given back.
    tokio::spawn(attempt.drive(ticket, presence))
        .await
        // Not the panic's own words, which may hold what caused it; the panic hook has its place.
        .map_err(|_| Error::Internal(anyhow::anyhow!("the login's task panicked")))?
}
