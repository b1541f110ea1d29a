//! What a new password may be (NIST SP 800-63B-4 §3.1.1.2): long enough, none that many have, and not made of
//! what anybody knows of its owner.
//!
//! There are no rules of composition and no expiry (R032). A login never asks here: what was set stays good.

mod breached;
mod common;
mod known_words;
mod shape;
#[cfg(test)]
mod tests;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

pub use breached::BreachedPasswords;
pub use known_words::KnownWords;

use crate::error::FieldError;
use crate::passwords::{MAX_PASSWORD_BYTES, normalise};

/// From this many code points on, a password is not looked at for its shape (R031).
const LONG: usize = 64;

/// Holds a new password to the rules: all that is wrong with it, or nothing. Microseconds, and no reading.
///
/// `field` is what the caller calls it; `min_length` is in code points after NFC, the tenant's
/// `passwordMinLength`. [`BreachedPasswords::check`] comes after it, where there is such a file.
#[must_use]
pub fn check(
    field: &str,
    password: &SecretString,
    min_length: usize,
    known: &KnownWords<'_>,
) -> Vec<FieldError> {
    let received = password.expose_secret();
    if received.len() > MAX_PASSWORD_BYTES {
        return vec![FieldError::new(field, format!("may have {MAX_PASSWORD_BYTES} bytes at most"))];
    }
    let normal = normalise(received);
    let length = normal.expose_secret().chars().count();
    let folded = fold(normal.expose_secret());
    let mut problems = Vec::new();
    if length < min_length {
        problems.push(format!("must have {min_length} characters at least and has {length}"));
    }
    if common::is_common(&folded) {
        problems.push(
            "is one of the most common passwords, as it is or with digits and signs around it; choose another"
                .to_owned(),
        );
    }
    problems.extend(known.problem(&folded, min_length));
    if length < LONG && shape::is_plain(&folded, min_length) {
        problems.push("mostly repeats itself or counts up or down; choose another".to_owned());
    }
    problems.into_iter().map(|problem| FieldError::new(field, problem)).collect()
}

/// Case and compatibility characters folded (NFKC), so that a word is the same however it is written. Only
/// for comparing: what is hashed keeps both.
fn fold(text: &str) -> Zeroizing<String> {
    // A buffer that never moves leaves no copy behind. NFKC makes eleven bytes of one at most, lower case
    // one and a half.
    let mut folded = Zeroizing::new(String::with_capacity(if text.is_ascii() { 1 } else { 18 } * text.len()));
    folded.extend(text.nfkc().flat_map(char::to_lowercase));
    folded
}

/// The usual replacements undone: `p4$$w0rd` is `password`. A 1 can be an i or an l.
fn without_replacements(text: &str, one: char) -> Zeroizing<String> {
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    plain.extend(text.chars().map(|character| match character {
        '0' => 'o',
        '1' | '!' | '|' => one,
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }));
    plain
}
