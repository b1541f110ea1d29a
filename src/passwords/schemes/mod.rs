//! Stored password hashes: what their strings say, and which of them we are willing to compute.

mod argon2_text;
mod bcrypt_text;
mod fields;
mod pbkdf2_text;
mod scrypt_text;

pub(super) use argon2_text::{Argon2id, scheme as argon2_scheme, seasoned, take_pepper};
pub(super) use bcrypt_text::{Minor, parse_lenient as bcrypt_scheme};
pub(super) use fields::{decimal, parts};
pub(super) use pbkdf2_text::{Digest, scheme as pbkdf2_scheme};
pub(super) use scrypt_text::{ScryptCost, scheme as scrypt_scheme};

use super::argon2id::{Kind, Variant};
use super::cost::Cost;

/// The salt of a new hash, in bytes (RFC 9106 §3.1 recommends 16).
pub(super) const SALT_BYTES: usize = 16;
/// The tag of a new hash, in bytes.
pub(super) const TAG_BYTES: usize = 32;
/// The longest tag that a stored hash may have, in bytes.
pub(super) const MAX_TAG_BYTES: u32 = 64;

/// RFC 9106 §3.1 allows a tag of 4 bytes: a guess in four thousand million would match it.
const MIN_TAG_BYTES: u32 = 16;
const MAX_SALT_BYTES: u32 = 64;
/// Longer than the longest string within the bounds.
const MAX_STORED_BYTES: usize = 256;

/// A stored password hash that has been checked to be within our caps (R036).
///
/// Its string is a PHC string, or bcrypt's own, and each hash has one: what other systems write is read
/// by [`super::imports`].
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: String,
    scheme: Scheme,
}

/// How a stored hash is computed: as ours, by the hash threads; or otherwise, by a thread of its own, so
/// that an import can neither starve the logins nor add its memory once per hash thread.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    Argon2id(Argon2id),
    Foreign(Foreign),
}

/// A hash that another system made.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Foreign {
    pub(super) function: Function,
    pub(super) tag: Vec<u8>,
}

/// What another system's tag is computed with.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Function {
    /// Any but Argon2id of version 19.
    Argon2 {
        variant: Variant,
        cost: Cost,
        salt: Vec<u8>,
    },
    /// Prehashed: of the SHA-256 of the password, in hexadecimal.
    Bcrypt {
        minor: Minor,
        cost: u32,
        salt: [u8; 16],
        prehashed: bool,
    },
    Scrypt {
        cost: ScryptCost,
        salt: Vec<u8>,
    },
    Pbkdf2 {
        digest: Digest,
        iterations: u32,
        salt: Vec<u8>,
    },
}

/// Why a string cannot be a stored password hash. Nothing of the string is in it: it may be a password
/// that stands in the wrong column.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidHash {
    /// A field is missing, doubled or not as the format has it.
    #[error("not a well-formed password hash")]
    Malformed,
    /// It names a scheme, or a version of one, that we do not know.
    #[error("a password hash of an unknown scheme or version")]
    UnknownScheme,
    /// It is of a scheme that we know and do not verify.
    #[error("a password hash of the scheme {0}, which is not supported")]
    Unsupported(&'static str),
    /// Computing it would cost more than we are willing to spend, or a part of it is too short or too long.
    #[error("a password hash whose {what} is {is}: from {least} to {most} is allowed")]
    OutOfBounds { what: &'static str, is: u64, least: u64, most: u64 },
}

impl PasswordHash {
    /// Reads a stored hash; what is outside the caps is refused here, before anything is allocated.
    pub fn parse(text: &str) -> Result<Self, InvalidHash> {
        if text.len() > MAX_STORED_BYTES || !text.is_ascii() {
            return Err(InvalidHash::Malformed);
        }
        let mut fields = text.split('$');
        if fields.next() != Some("") {
            return Err(InvalidHash::Malformed);
        }
        let name = fields.next().filter(|name| !name.is_empty()).ok_or(InvalidHash::Malformed)?;
        let scheme = if let Some(kind) = Kind::parse(name) {
            argon2_text::parse(kind, fields)?
        } else if let Some(minor) = Minor::parse(name) {
            bcrypt_text::parse(minor, false, fields)?
        } else if let Some(digest) = Digest::parse(name) {
            pbkdf2_text::parse(digest, fields)?
        } else if name == "scrypt" {
            scrypt_text::parse(fields)?
        } else if name == bcrypt_text::DJANGO_NAME {
            let minor = fields.next().and_then(Minor::parse).ok_or(InvalidHash::Malformed)?;
            bcrypt_text::parse(minor, true, fields)?
        } else {
            return Err(InvalidHash::UnknownScheme);
        };
        Ok(Self { text: text.to_owned(), scheme })
    }

    /// The string to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is of another kind than [`super::Passwords::hash`] makes, at whatever cost.
    #[must_use]
    pub const fn is_imported(&self) -> bool {
        matches!(self.scheme, Scheme::Foreign(_))
    }

    /// The line of the pepper file without which it cannot be verified, if it has a pepper.
    #[must_use]
    pub fn pepper(&self) -> Option<&str> {
        match &self.scheme {
            Scheme::Argon2id(argon2id) => argon2id.pepper.as_deref(),
            Scheme::Foreign(_) => None,
        }
    }

    /// Whether verifying it takes another time than a hash of ours at this cost.
    #[must_use]
    pub fn stands_out(&self, ours: Cost) -> bool {
        match &self.scheme {
            Scheme::Argon2id(argon2id) => argon2id.cost != ours,
            Scheme::Foreign(_) => true,
        }
    }

    /// What the scheme is called in reports.
    #[must_use]
    pub const fn scheme_name(&self) -> &'static str {
        match &self.scheme {
            Scheme::Argon2id(_) => Kind::Id.name(),
            Scheme::Foreign(Foreign { function, .. }) => match function {
                Function::Argon2 { variant, .. } => variant.kind.name(),
                Function::Bcrypt { prehashed: true, .. } => bcrypt_text::DJANGO_NAME,
                Function::Bcrypt { .. } => "bcrypt",
                Function::Scrypt { .. } => "scrypt",
                Function::Pbkdf2 { digest, .. } => digest.name(),
            },
        }
    }

    /// Scheme and cost: the string without salt and tag.
    pub(super) fn cost_name(&self) -> &str {
        let after = match &self.scheme {
            // Both stand in one field.
            Scheme::Foreign(Foreign { function: Function::Bcrypt { .. }, .. }) => 1,
            _ => 2,
        };
        self.text.rsplitn(after + 1, '$').last().unwrap_or_default()
    }

    pub(super) const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The memory that it takes on a hash thread, which foreign hashes never see.
    pub(super) const fn memory_kib(&self) -> u32 {
        match &self.scheme {
            Scheme::Argon2id(argon2id) => argon2id.cost.memory_kib,
            Scheme::Foreign(_) => 0,
        }
    }
}

impl From<Scheme> for PasswordHash {
    fn from(scheme: Scheme) -> Self {
        let text = match &scheme {
            Scheme::Argon2id(Argon2id { cost, pepper, salt, tag }) => {
                argon2_text::spell(Variant::ARGON2ID, *cost, pepper.as_deref(), salt, tag)
            }
            Scheme::Foreign(Foreign { function, tag }) => match function {
                Function::Argon2 { variant, cost, salt } => {
                    argon2_text::spell(*variant, *cost, None, salt, tag)
                }
                Function::Bcrypt { minor, cost, salt, prehashed } => {
                    bcrypt_text::spell(*minor, *cost, salt, *prehashed, tag)
                }
                Function::Scrypt { cost, salt } => scrypt_text::spell(*cost, salt, tag),
                Function::Pbkdf2 { digest, iterations, salt } => {
                    pbkdf2_text::spell(*digest, *iterations, salt, tag)
                }
            },
        };
        Self { text, scheme }
    }
}

impl From<Argon2id> for PasswordHash {
    fn from(argon2id: Argon2id) -> Self {
        Scheme::Argon2id(argon2id).into()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

#[cfg(test)]
mod tests;
