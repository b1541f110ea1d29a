//! Whether a password may be set: the rules, and the operator's file of breached ones.

use anyhow::{Context, anyhow};
use secrecy::SecretString;

use crate::app::App;
use crate::error::Error;
use crate::password_rules::{self, KnownWords};

/// Holds a new password to the rules (R030–R033). `field` is what the caller calls it, `min_length` the
/// tenant's. The file of breached passwords is asked last, and what it cannot answer is 503, never a yes.
pub async fn check_new_password(
    app: &App,
    field: &'static str,
    password: &SecretString,
    min_length: usize,
    known: &KnownWords<'_>,
) -> Result<(), Error> {
    let problems = password_rules::check(field, password, min_length, known);
    if !problems.is_empty() {
        return Err(Error::Validation(problems));
    }
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
