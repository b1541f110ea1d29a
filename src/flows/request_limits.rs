//! The limits that each node keeps for itself, where flows ask for them.

use std::hash::Hash;

use crate::app::App;
use crate::client::Client;
use crate::clock::Timestamp;
use crate::error::Error;
use crate::request_limits::{Rate, tenant_rate};
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

/// Refuses whom [`take`] would refuse, before it is known whether there is anything to count.
pub(super) fn check(app: &App, rate: Rate, caller: impl Hash) -> Result<(), Error> {
    if !app.options.request_limits {
        return Ok(());
    }
    app.request_limits.check(rate, caller, app.clock.now()).map_err(Error::TooManyRequests)
}

/// Counts one of a tenant's requests, once it is proven to be one: a stranger's are not (R023).
pub(super) fn take_tenants(app: &App, tenant: &Tenant) -> Result<(), Error> {
    let most = tenant.settings.requests_per_second;
    if most == 0 { Ok(()) } else { take(app, tenant_rate(most), &tenant.id) }
}

/// Who guesses at what: one source at one key, whether or not there is such a key (R024). Other sources are not touched.
#[derive(Debug)]
pub struct KeyGuess<'a>(Option<(Source, &'a str, &'a str)>);

impl<'a> KeyGuess<'a> {
    /// At a key, or at a token where it is always the same word.
    #[must_use]
    pub fn new(app: &App, client: &Client, of: &'a str, key: &'a str) -> Self {
        Self(app.options.source_limits.then(|| (Source::of(client.address.ip), of, key)))
    }

    /// At the key that a login or a refresh shows; where it shows none there is nothing to guess.
    pub(super) fn of_shown(app: &App, client: &Client, tenant: &'a TenantName, key: &'a ShownKey) -> Self {
        let of = match tenant {
            TenantName::Id(id) => id.as_str(),
            TenantName::Slug(slug) => slug.as_str(),
        };
        key.tenant_key.as_deref().map_or(Self(None), |key| Self::new(app, client, of, key))
    }

    /// Refuses whoever has guessed too often, right or wrong this time.
    pub fn check(&self, app: &App, now: Timestamp) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |guess| {
            app.request_limits.check_guesses(guess, now).map_err(Error::TooManyRequests)
        })
    }

    /// Counts a wrong one.
    pub fn count(&self, app: &App, now: Timestamp) {
        if let Some(guess) = &self.0 {
            app.request_limits.count_guess(guess, now);
        }
    }
}
