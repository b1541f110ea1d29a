//! What a new password must be.

use secrecy::{ExposeSecret, SecretString};

use crate::passwords::{MAX_PASSWORD_BYTES, normalise};
use crate::tenants::Tenant;

use super::fields::Fields;

/// Reads a password that is typed twice. `about` is what is known of whose it is to be, which it should not repeat.
pub(super) fn new_password(
    fields: &mut Fields,
    tenant: &Tenant,
    password: Option<&SecretString>,
    matching: Option<&SecretString>,
    about: &[Option<&str>],
) -> Option<SecretString> {
    let password = password.filter(|password| !password.expose_secret().is_empty());
    let matches = matching.map(ExposeSecret::expose_secret) == password.map(ExposeSecret::expose_secret);
    if (password.is_some() || matching.is_some()) && !matches {
        fields.wrong("matchingPassword", "must repeat the password");
    }
    let password = password?;
    for problem in problems(tenant, password, about) {
        fields.wrong("password", problem);
    }
    Some(password.clone())
}

/// The length rules (NIST SP 800-63B-4 §3.1.1.2), in code points.
fn problems(tenant: &Tenant, password: &SecretString, _about: &[Option<&str>]) -> Vec<String> {
    if password.expose_secret().len() > MAX_PASSWORD_BYTES {
        return vec![format!("may have {MAX_PASSWORD_BYTES} bytes at most")];
    }
    let least = tenant.settings.password_min_length;
    let characters = normalise(password.expose_secret()).expose_secret().chars().count();
    if characters < least { vec![format!("must have {least} characters at least")] } else { Vec::new() }
}
