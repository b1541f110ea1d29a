//! A new password that is typed twice.

use secrecy::{ExposeSecret, SecretString};

use crate::password_rules::{self, KnownWords};
use crate::tenants::Tenant;

use super::fields::Fields;

/// Reads it and holds it to the rules; the file of breached ones is the flow's to ask. `known` is what is known of whose
/// it is to be.
pub(super) fn new_password(
    fields: &mut Fields,
    tenant: &Tenant,
    password: Option<&SecretString>,
    matching: Option<&SecretString>,
    known: &KnownWords<'_>,
) -> Option<SecretString> {
    let password = password.filter(|password| !password.expose_secret().is_empty());
    let matches = matching.map(ExposeSecret::expose_secret) == password.map(ExposeSecret::expose_secret);
    if (password.is_some() || matching.is_some()) && !matches {
        fields.wrong("matchingPassword", "must repeat the password");
    }
    let password = password?;
    for problem in password_rules::check("password", password, tenant.settings.password_min_length, known) {
        fields.wrong(&problem.field, problem.message);
    }
    Some(password.clone())
}
