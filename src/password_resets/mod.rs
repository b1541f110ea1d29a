//! Password resets: secrets with which a user who forgot the password sets a new one, once and not for long (R041).

pub mod store;

use std::ops::RangeInclusive;

use secrecy::{ExposeSecret, SecretString};

use crate::secrets::{random_text, sha256};

/// What a reset secret begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "vpr1.";

/// How long a secret is good unless one asks otherwise, in seconds.
pub const DEFAULT_SECONDS: i64 = 30 * 60;

/// What one may ask for, in seconds.
pub const SECONDS: RangeInclusive<i64> = 60..=24 * 60 * 60;

/// A new secret: 256 random bits, told once.
#[must_use]
pub fn new_secret() -> SecretString {
    SecretString::from(format!("{PREFIX}{}", random_text()))
}

/// What is stored of a secret. It has 256 random bits, so a plain digest hides it.
#[must_use]
pub fn secret_digest(secret: &SecretString) -> [u8; 32] {
    sha256(secret.expose_secret().as_bytes())
}
