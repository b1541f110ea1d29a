//! A refresh: read → decide → write → answer.
//!
//! The refresh token names its session's row; one query reads it with all that must be known, and the token counts
//! only if its MAC holds under that row. What becomes of it is decided from what was read (`decide.rs`), and a decision
//! that writes is one conditional change (`write.rs`): whoever was slower reads again and decides anew. So of many
//! refreshes at once with one token one makes its successor, and within the grace the others get the same.

mod decide;
mod networks;
mod read;
mod write;

use metrics::counter;
use secrecy::{ExposeSecret, SecretString};

use crate::access_tokens::Claims;
use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::error::{Error, TenantProblem};
use crate::events::Actor;
use crate::ids::{CustomerId, SessionId, UserId};
use crate::refresh_tokens;
use crate::request_limits::{REFRESH, REFUSED_REFRESH};
use crate::sessions::Session;
use crate::source_limits::Source;
use crate::tenants::{Family, Tenant, TenantName};
use crate::users::{User, UserProfile};

use super::access_claims::{OfSession, access_claims};
use super::login::PathId;
use super::other_tenants::refuse_other_tenant;
use super::request_limits::{KeyGuess, take, take_tenants};
use super::shown_key::ShownKey;
use super::signing_key::signing_key;
use decide::{Decision, decide};
pub(super) use decide::{OpeningKey, ends_now, held_to_settings, in_grace};
use read::Found;
use write::Written;

/// How often a decision is made anew because another request has changed the session meanwhile.
const TRIES: usize = 16;

/// A refresh as asked for: validated, and nothing of it believed.
#[derive(Debug)]
pub struct Refresh {
    /// X-Tenant-ID.
    pub tenant: TenantName,
    pub family: Family,
    pub customer: PathId<CustomerId>,
    pub user: PathId<UserId>,
    /// The path's; `None` for clients that did not keep it.
    pub session: Option<SessionId>,
    pub refresh_token: SecretString,
    /// None is needed; one that is shown must be good.
    pub key: ShownKey,
    pub client: Client,
}

/// A refresh that succeeded: durable, and everything its answer tells.
#[derive(Debug)]
pub struct Refreshed {
    pub access_token: String,
    pub refresh_token: String,
    pub claims: Claims,
    pub tenant: Tenant,
    pub user: User,
    /// `last_login_at` is the login before the session's, as that one told.
    pub profile: UserProfile,
    /// As it is now, held to the tenant's limits.
    pub session: Session,
}

/// Refreshes a session. Whatever is no refresh token of ours has one answer (R097); whoever holds one of an ended
/// session is told how it ended.
pub async fn refresh(app: &App, mut request: Refresh) -> Result<Refreshed, Error> {
    let mut outcome = "";
    let refreshed = run(app, &mut request, &mut outcome).await;
    let word = match &refreshed {
        Ok(_) => outcome,
        Err(Error::SessionEnded { .. }) if outcome == "replayed" => outcome,
        Err(Error::RefreshToken) => "refused",
        Err(Error::SessionEnded { .. }) => "ended",
        Err(Error::Tenant(_)) => "tenant_refused",
        Err(Error::TooManyRequests(_)) => "rate_limited",
        Err(Error::Unavailable(_)) => "unavailable",
        Err(Error::NotFound | Error::MissingHeaders(_)) => "malformed",
        Err(_) => "error",
    };
    counter!("vestibule_refreshes_total", "outcome" => word).increment(1);
    refreshed
}

async fn run(app: &App, request: &mut Refresh, outcome: &mut &'static str) -> Result<Refreshed, Error> {
    let refreshed = run_unlimited(app, request, outcome).await;
    if matches!(refreshed, Err(Error::RefreshToken)) {
        // Not before: others at the same address have tokens that hold, which are a proof.
        take(app, REFUSED_REFRESH, Source::of(request.client.address.ip))?;
    }
    refreshed
}

async fn run_unlimited(
    app: &App,
    request: &mut Refresh,
    outcome: &mut &'static str,
) -> Result<Refreshed, Error> {
    let token = refresh_tokens::parse(request.refresh_token.expose_secret()).ok_or(Error::RefreshToken)?;
    let guess = request.key.tenant_key.as_deref().map(|key| KeyGuess::at_key(app, &request.client, key));
    let mut is_counted = false;
    for _ in 0..TRIES {
        let now = app.clock.now();
        let found = read::find(app, request, &token).await?.ok_or(Error::RefreshToken)?;
        if !is_counted {
            take(app, REFRESH, (&found.tenant.id, &found.session.id))?;
            take_tenants(app, &found.tenant)?;
            is_counted = true;
        }
        let decided = decide(app, request, &token, &found, now);
        let decision = match hold_to_guesses(app, guess.as_ref(), &found, decided) {
            Err(Error::Tenant(TenantProblem::Mismatch)) => {
                let actor = Actor::of(&found.user);
                let own = &found.tenant.id;
                return Err(refuse_other_tenant(app, own, actor, "refresh_token", &request.client).await);
            }
            decided => decided?,
        };
        *outcome = decision.outcome();
        let written = match decision {
            Decision::Refuse(refusal) => write::refused(app, request, &token, &found, &refusal, now).await?,
            Decision::End(end) => write::ended(app, request, &found, &end).await?,
            Decision::Replay => write::replayed(app, request, &token, &found, now).await?,
            Decision::Repeat => {
                let session = held_to_settings(&found.session, &found.tenant);
                return answer(app, found, session, now).await;
            }
            Decision::Advance => {
                let session = write::advanced(&found, request, now);
                // Whatever is wrong with its key is our fault: then nothing has happened.
                let refreshed = answer(app, found.clone(), session, now).await?;
                if write::advance(app, request, &found, &refreshed.session, now).await? {
                    return Ok(refreshed);
                }
                Written::TooLate
            }
        };
        if let Written::Answered(error) = written {
            return Err(error);
        }
    }
    Err(Error::Unavailable(anyhow::anyhow!(
        "a session was changed by others {TRIES} times while it was refreshed"
    )))
}

/// Counts a wrong key, and refuses where too many were shown (R024). Nobody else's count: a token that holds is a proof. A
/// replay is one whatever comes with it.
fn hold_to_guesses(
    app: &App,
    guess: Option<&KeyGuess>,
    found: &Found,
    decided: Result<Decision, Error>,
) -> Result<Decision, Error> {
    let Some(guess) = guess.filter(|_| !matches!(decided, Ok(Decision::Replay))) else { return decided };
    let is_wrong = matches!(decided, Err(Error::Tenant(TenantProblem::KeyWrong)));
    match guess.check(app) {
        Ok(()) if is_wrong => guess.count(app)?,
        Ok(()) => (),
        Err(refused) => {
            guess.on_own_account(app, (&found.tenant.id, &found.user.id), is_wrong, refused)?;
        }
    }
    decided
}

/// The tokens of the session's generation as it is given, with everything their answer tells.
async fn answer(app: &App, found: Found, session: Session, now: Timestamp) -> Result<Refreshed, Error> {
    let Found { tenant, user, profile, master_key_id, previous_login_at, salt, .. } = found;
    let key = signing_key(app, &tenant, now).await?;
    let of_session = OfSession {
        id: &session.id,
        tenant_key: session.tenant_key_id.as_ref(),
        opened_at: session.created_at,
        idle_expires_at: session.idle_expires_at,
        expires_at: session.expires_at,
    };
    let claims = access_claims(app, &tenant, &user, &profile.metadata, of_session, now);
    let access_token = key.sign(tenant.settings.token_type, &claims)?;
    let binding = read::binding(&tenant, &session, &salt);
    // The key that its login took: another one that is current now signs nobody out.
    let master = app.master.find(&master_key_id).ok_or(Error::RefreshToken)?;
    let refresh_token = refresh_tokens::compute(&master, &binding, generation(&session));
    let profile = UserProfile { last_login_at: previous_login_at, ..profile };
    Ok(Refreshed { access_token, refresh_token, claims, tenant, user, profile, session })
}

/// Which refresh token is the session's current one; the row counts from 1.
fn generation(session: &Session) -> u64 {
    session.generation.unsigned_abs()
}
