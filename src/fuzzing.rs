//! Readers of hostile bytes that are private to their modules, for the targets of `fuzz/` and for nobody else.

use std::path::Path;

use crate::error::Error;
use crate::imports::{Line, Premises};
use crate::users::LoginName;

/// The name that a login's body logs in, or what the body is refused with.
pub fn name_in_login(body: &[u8]) -> Result<LoginName, Error> {
    crate::sessions_api::name_in_login(body)
}

/// Reads and judges a file to import, whose format its name may tell.
pub fn import(
    name: &Path,
    text: Vec<u8>,
    premises: &Premises,
    take: &mut dyn FnMut(Line),
) -> anyhow::Result<()> {
    crate::commands::judge_import(name, text, premises, take)
}
