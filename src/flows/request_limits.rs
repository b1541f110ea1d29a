//! The limits that each node keeps for itself, where flows ask for them.

use std::hash::Hash;

use crate::app::App;
use crate::client::Client;
use crate::error::Error;
use crate::ids::{TenantId, UserId};
use crate::request_limits::{Rate, WRONG_KEYS, tenant_rate};
use crate::source_limits::Source;
use crate::tenants::{Tenant, TenantName};

use super::shown_key::ShownKey;

/// Counts one of what a caller does, or refuses it (R026).
pub fn take(app: &App, rate: Rate, caller: impl Hash) -> Result<(), Error> {
    if !app.options.request_limits {
        return Ok(());
    }
    app.request_limits.take(rate, caller, app.clock.now()).map_err(Error::TooManyRequests)
}

/// Counts one of a tenant's requests, once it is proven to be one: a stranger's are not (R023).
pub(super) fn take_tenants(app: &App, tenant: &Tenant) -> Result<(), Error> {
    take_of(app, tenant, "other")
}

/// Counts one of a tenant's logins. Their key is as public as the app that it ships in, so they spend nothing of what
/// sessions and backends may ask.
pub(super) fn take_tenants_login(app: &App, tenant: &Tenant) -> Result<(), Error> {
    take_of(app, tenant, "login")
}

fn take_of(app: &App, tenant: &Tenant, what: &str) -> Result<(), Error> {
    let most = tenant.settings.requests_per_second;
    if most == 0 { Ok(()) } else { take(app, tenant_rate(most), (what, &tenant.id)) }
}

/// Who guesses at what: one source at one key, whether or not there is such a key (R024). Other sources are not touched.
#[derive(Clone, Debug)]
pub struct KeyGuess(Option<Guess>);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Guess {
    source: Source,
    at: Target,
    /// Of [`KeyGuess::on_own_account`].
    by: Option<(TenantId, UserId)>,
}

/// What is guessed at: by what is asked and nothing that is read, so that no refusal tells what there is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Target {
    /// A tenant key, wherever it is shown and to whatever tenant.
    Key(String),
    /// A tenant, where no key is shown.
    Tenant(String),
    OperatorToken,
}

impl KeyGuess {
    fn new(app: &App, client: &Client, at: Target) -> Self {
        let guess = || Guess { source: Source::of(client.address.ip), at, by: None };
        Self(app.options.source_limits.then(guess))
    }

    /// At a tenant key.
    #[must_use]
    pub fn at_key(app: &App, client: &Client, key: &str) -> Self {
        Self::new(app, client, Target::Key(key.to_owned()))
    }

    /// At an operator token.
    #[must_use]
    pub fn at_operator_token(app: &App, client: &Client) -> Self {
        Self::new(app, client, Target::OperatorToken)
    }

    /// At what a login shows.
    pub(super) fn of_shown(app: &App, client: &Client, tenant: &TenantName, key: &ShownKey) -> Self {
        let at = match (&key.tenant_key, tenant) {
            (Some(key), _) => Target::Key(key.clone()),
            (None, TenantName::Id(id)) => Target::Tenant(id.to_string()),
            (None, TenantName::Slug(slug)) => Target::Tenant(slug.clone()),
        };
        Self::new(app, client, at)
    }

    /// Refuses whoever has guessed too often, right or wrong this time.
    pub fn check(&self, app: &App) -> Result<(), Error> {
        let Some(guess) = &self.0 else { return Ok(()) };
        let checked = app.request_limits.check_guesses(guess, &guess.source, app.clock.now());
        checked.map_err(Error::TooManyRequests)
    }

    /// Counts a wrong one, and refuses it where it is one too many from its source.
    pub fn count(&self, app: &App) -> Result<(), Error> {
        let Some(guess) = &self.0 else { return Ok(()) };
        let now = app.clock.now();
        app.request_limits.count_guess(guess, now);
        app.request_limits.take(WRONG_KEYS, &guess.source, now).map_err(Error::TooManyRequests)
    }

    /// Lets through who has proven to be this user, and no stranger at the same address refuses, though too much has been
    /// guessed from there (`refused`). They guess on their own account, or whoever has one could guess for ever.
    pub(super) fn on_own_account(
        &self,
        app: &App,
        (tenant, user): (&TenantId, &UserId),
        is_wrong: bool,
        refused: Error,
    ) -> Result<(), Error> {
        let by = Some((tenant.clone(), user.clone()));
        let own = Self(self.0.clone().map(|guess| Guess { by, ..guess }));
        own.check(app)?;
        if is_wrong {
            own.count(app)?;
            return Err(refused);
        }
        Ok(())
    }
}
