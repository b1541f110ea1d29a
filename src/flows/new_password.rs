//! Whether a password may be set: the rules, and the operator's file of breached ones.

use anyhow::{Context, anyhow};
use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::password_rules::{self, KnownWords};
use crate::passwords::{Overloaded, PasswordHash, Presence, Ticket};
use crate::tenants::Tenant;

use super::password_attempt::not_hashed;

/// Holds a new password to the rules and to the file of breached ones (R030–R033). `field` is what the caller calls
/// it, `min_length` the tenant's.
pub async fn check_new_password(
    app: &App,
    field: &'static str,
    password: &SecretString,
    min_length: usize,
    known: &KnownWords<'_>,
) -> Result<(), Error> {
    check_rules(field, password, min_length, known)?;
    check_breached(app, field, password).await
}

/// The rules alone: no waiting, no reading.
pub(super) fn check_rules(
    field: &'static str,
    password: &SecretString,
    min_length: usize,
    known: &KnownWords<'_>,
) -> Result<(), Error> {
    let problems = password_rules::check(field, password, min_length, known);
    if problems.is_empty() { Ok(()) } else { Err(Error::Validation(problems)) }
}

/// The file of breached passwords, if the operator has one. What it cannot answer is 503, never a yes.
pub(super) async fn check_breached(
    app: &App,
    field: &'static str,
    password: &SecretString,
) -> Result<(), Error> {
    let Some(file) = app.breached_passwords.clone() else { return Ok(()) };
    let password = password.clone();
    // It reads a disk, which nobody else should wait for.
    let checked = tokio::task::spawn_blocking(move || {
        file.check(field, &password)
            .with_context(|| format!("breached_passwords_file {}", file.path().display()))
    });
    let found = checked.await.map_err(|_| anyhow!("the search for a breached password panicked"))?;
    match found.map_err(Error::Unavailable)? {
        Some(problem) => Err(Error::Validation(vec![problem])),
        None => Ok(()),
    }
}

/// A place in the queue in which `stored` is verified, or 503 now.
pub(super) fn ticket(app: &App, tenant: &Tenant, stored: Option<&PasswordHash>) -> Result<Ticket, Error> {
    app.passwords.ticket_for(tenant.id.as_str(), stored).map_err(overloaded)
}

/// The answer to whoever cannot be hashed in time.
pub(super) fn overloaded(Overloaded { retry_after }: Overloaded) -> Error {
    Error::Overloaded { retry_after: retry_after.as_secs().max(1) }
}

/// The hash to store of a new password.
pub(super) async fn hash_new(
    app: &App,
    tenant: &Tenant,
    password: SecretString,
    presence: &Presence,
) -> Result<PasswordHash, Error> {
    let ticket = ticket(app, tenant, None)?;
    app.passwords.hash(ticket, password, presence).await.map_err(not_hashed)
}
