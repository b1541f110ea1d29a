//! The door of a login: tenant, key and origin, and how often somebody may be wrong about them.

use secrecy::ExposeSecret;

use crate::app::App;
use crate::clock::Timestamp;
use crate::error::{Error, TenantProblem};
use crate::flows::request_limits::KeyGuess;
use crate::flows::shown_key::vouch;
use crate::ids::system_tenant;
use crate::refresh_tokens::RefreshToken;
use crate::tenants::{Shown, Tenant, TenantName};
use crate::throttles::{Proof, Subject};

use super::Login;
use super::proof::proven;
use super::read::Found;

/// A login before the door, with what has been guessed from its source.
pub(super) struct Guessing {
    guess: KeyGuess,
    /// The answer to whoever has guessed too often.
    refused: Option<Error>,
}

impl Guessing {
    /// Refuses at once, right or wrong, who has guessed too often and shows nothing that could be a proof: a stranger at
    /// the owner's address is not to keep the owner out.
    pub(super) fn begin(app: &App, request: &Login, token: Option<&RefreshToken>) -> Result<Self, Error> {
        let guess = KeyGuess::of_shown(app, &request.client, &request.tenant, &request.key);
        match guess.check(app) {
            // Where no key is shown none is guessed: the tenant may need none.
            Err(refused) if token.is_none() && request.key.tenant_key.is_some() => Err(refused),
            checked => Ok(Self { guess, refused: checked.err() }),
        }
    }

    /// Opens the door and says what the caller has proven. All that may be wrong with tenant or key is counted alike
    /// (R045), and where too much has been, nothing tells who proves nothing that they were right this time (R024).
    pub(super) fn enter(
        self,
        app: &App,
        request: &mut Login,
        token: Option<&RefreshToken>,
        found: &Found,
        now: Timestamp,
    ) -> Result<(Proof, Subject), Error> {
        let Self { guess, refused } = self;
        // Of many at once ten may have been counted while this one was read.
        let refused = refused.or_else(|| guess.check(app).err());
        let opened = open(app, request, found, now);
        let is_wrong = matches!(&opened, Err(Error::Tenant(problem)) if *problem != TenantProblem::Origin);
        let Some(refused) = refused else {
            if is_wrong {
                guess.count(app)?;
            }
            opened?;
            return Ok(proven(app, request, token, found));
        };
        if opened.is_ok() && request.key.tenant_key.is_none() {
            return Ok(proven(app, request, token, found));
        }
        let (proof, subject) = proven(app, request, token, found);
        let Some(user) = subject.user_id().filter(|_| proof == Proof::Full) else { return Err(refused) };
        guess.on_own_account(app, (&found.tenant.id, user), opened.is_err(), refused)?;
        Ok((proof, subject))
    }
}

/// All of a login that decides whether the door opens to it.
pub(super) fn shown(request: &Login) -> Shown {
    let Login { tenant, tenant_in_body, key, family, .. } = request;
    Shown::of(&[
        Some(tenant.as_str()),
        tenant_in_body.as_ref().map(TenantName::as_str),
        key.tenant_key.as_deref(),
        key.tenant_secret.as_ref().map(ExposeSecret::expose_secret),
        Some(family.as_str()),
    ])
}

/// Remembers that the door has opened to it, if all of the tenant's users wait in one queue: a hash that another system
/// made waits in another.
pub(super) fn note_passed(app: &App, shown: Shown, tenant: &Tenant) {
    if tenant.failure_floor.is_zero() {
        app.passed_doors.remember(shown, &tenant.id);
    } else {
        app.passed_doors.forget(shown);
    }
}

/// Forgets it where tenant or key is what the door is shut for: not where anybody could have it forgotten.
pub(super) fn forget_passed(app: &App, shown: Shown, refused: &Error) {
    if matches!(refused, Error::Tenant(problem) if *problem != TenantProblem::Origin) {
        app.passed_doors.forget(shown);
    }
}

/// Checks tenant, key and origin; whatever is wrong there has one answer and costs no hash (R045).
fn open(app: &App, request: &mut Login, found: &Found, now: Timestamp) -> Result<(), Error> {
    let Found { tenant, key, origin_listed, .. } = found;
    let key_problem = match request.key.check(key.as_ref(), now) {
        None if tenant.settings.key_optional.contains(&request.family) => None,
        None => Some(TenantProblem::KeyMissing),
        Some(checked) => checked.err(),
    };
    let same_tenant = request.tenant_in_body.as_ref().is_none_or(|name| name.names(tenant));
    let problem = if tenant.id == system_tenant() {
        Some(TenantProblem::Unknown)
    } else if !tenant.active {
        Some(TenantProblem::Inactive)
    } else if !same_tenant {
        Some(TenantProblem::Mismatch)
    } else {
        key_problem
    };
    if let Some(problem) = problem {
        return Err(Error::Tenant(problem));
    }
    request.client.tenant.see(&tenant.id);
    if !request.client.origin_is_admitted(*origin_listed, &app.options.public_url) {
        return Err(Error::Tenant(TenantProblem::Origin));
    }
    vouch(app, tenant, key.as_ref(), &mut request.client);
    Ok(())
}
