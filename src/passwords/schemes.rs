//! Stored password hashes: what their strings say, and which of them we are willing to compute.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::cost::Cost;

/// The salt of a new hash, in bytes (RFC 9106 §3.1 recommends 16).
pub(super) const SALT_BYTES: usize = 16;
/// The tag of a new hash, in bytes.
pub(super) const TAG_BYTES: usize = 32;
/// The longest tag that a stored hash may have, in bytes.
pub(super) const MAX_TAG_BYTES: usize = 64;

/// RFC 9106 §3.1 allows a tag of 4 bytes: a guess in four thousand million would match it.
const MIN_TAG_BYTES: usize = 16;
const MIN_SALT_BYTES: usize = 8;
const MAX_SALT_BYTES: usize = 64;
/// Longer than the longest string within the bounds above.
const MAX_PHC_BYTES: usize = 256;

/// A stored password hash, as a PHC string, that has been checked to be within our caps (R036).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    phc: String,
    scheme: Scheme,
}

/// How a stored hash is computed.
///
/// Imported schemes (argon2i, bcrypt, scrypt, PBKDF2) become variants here; [`PasswordHash::parse`]
/// tells them apart by prefix, and a thread of their own verifies them, so that an import can neither
/// starve the logins nor add its memory once per hash thread.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Scheme {
    Argon2id(Argon2id),
}

/// Argon2id, version 19.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Argon2id {
    pub(super) cost: Cost,
    pub(super) salt: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

/// Why a string cannot be a stored password hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidHash {
    /// It is no PHC string, or one with a field missing, doubled or not as the format has it.
    #[error("not a well-formed password hash")]
    Malformed,
    /// It names a scheme, or a version of one, that we do not verify.
    #[error("a password hash of an unknown scheme or version")]
    UnknownScheme,
    /// Computing it would cost more than we are willing to spend, or its salt or tag is too short.
    #[error("a password hash with parameters out of bounds")]
    OutOfBounds,
}

impl PasswordHash {
    /// Reads a stored hash; what is outside the caps is refused here, before anything is allocated.
    pub fn parse(phc: &str) -> Result<Self, InvalidHash> {
        if phc.len() > MAX_PHC_BYTES || !phc.is_ascii() {
            return Err(InvalidHash::Malformed);
        }
        let mut fields = phc.split('$');
        if fields.next() != Some("") {
            return Err(InvalidHash::Malformed);
        }
        let scheme = match fields.next() {
            Some("argon2id") => Scheme::Argon2id(Argon2id::parse(fields)?),
            Some("") | None => return Err(InvalidHash::Malformed),
            Some(_) => return Err(InvalidHash::UnknownScheme),
        };
        Ok(Self { phc: phc.to_owned(), scheme })
    }

    /// The string to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.phc
    }

    pub(super) const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    pub(super) const fn memory_kib(&self) -> u32 {
        let Scheme::Argon2id(argon2id) = &self.scheme;
        argon2id.cost.memory_kib
    }
}

impl From<Argon2id> for PasswordHash {
    fn from(argon2id: Argon2id) -> Self {
        let salt = STANDARD_NO_PAD.encode(&argon2id.salt);
        let tag = STANDARD_NO_PAD.encode(&argon2id.tag);
        let phc = format!("$argon2id$v=19${}${salt}${tag}", argon2id.cost);
        Self { phc, scheme: Scheme::Argon2id(argon2id) }
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

impl Argon2id {
    /// The fields after `$argon2id`: `v=19`, `m=…,t=…,p=…` in this order, salt, tag.
    fn parse<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<Self, InvalidHash> {
        let (Some(version), Some(cost), Some(salt), Some(tag), None) =
            (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(InvalidHash::Malformed);
        };
        if number(version, "v=")? != 19 {
            return Err(InvalidHash::UnknownScheme);
        }
        let mut parameters = cost.split(',');
        let (Some(memory), Some(passes), Some(lanes), None) =
            (parameters.next(), parameters.next(), parameters.next(), parameters.next())
        else {
            return Err(InvalidHash::Malformed);
        };
        let cost = Cost {
            memory_kib: number(memory, "m=")?,
            passes: number(passes, "t=")?,
            lanes: number(lanes, "p=")?,
        };
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| InvalidHash::Malformed)?;
        let tag = STANDARD_NO_PAD.decode(tag).map_err(|_| InvalidHash::Malformed)?;
        let in_bounds = cost.is_within_caps()
            && (MIN_SALT_BYTES..=MAX_SALT_BYTES).contains(&salt.len())
            && (MIN_TAG_BYTES..=MAX_TAG_BYTES).contains(&tag.len());
        if in_bounds { Ok(Self { cost, salt, tag }) } else { Err(InvalidHash::OutOfBounds) }
    }

    /// Whether a new hash of the same password would be another kind of hash than this (R035).
    pub(super) fn differs_from(&self, cost: Cost) -> bool {
        self.cost != cost || self.salt.len() < SALT_BYTES || self.tag.len() != TAG_BYTES
    }
}

/// `m=19456`: the PHC format's decimal, which has neither sign nor leading zeros.
fn number(field: &str, name: &str) -> Result<u32, InvalidHash> {
    let digits = field.strip_prefix(name).ok_or(InvalidHash::Malformed)?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
        && !digits.is_empty();
    if !canonical {
        return Err(InvalidHash::Malformed);
    }
    digits.parse().map_err(|_| InvalidHash::OutOfBounds)
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: &str = "c29tZXNhbHQ";
    const TAG: &str = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

    fn phc(prefix: &str) -> String {
        format!("{prefix}${SALT}${TAG}")
    }

    #[test]
    fn R034_a_hash_reads_back_as_it_was_written() {
        let text = phc("$argon2id$v=19$m=256,t=2,p=1");
        let hash = PasswordHash::parse(&text).expect("well-formed");
        let Scheme::Argon2id(argon2id) = hash.scheme();
        assert_eq!(argon2id.cost, Cost { memory_kib: 256, passes: 2, lanes: 1 });
        assert_eq!(argon2id.salt, b"somesalt");
        assert_eq!(argon2id.tag.len(), 32);
        assert_eq!(hash.as_str(), text);
        assert_eq!(PasswordHash::from(argon2id.clone()), hash);
        assert_eq!(format!("{hash:?}"), "PasswordHash([REDACTED])");
    }

    #[test]
    fn R036_hostile_and_broken_hashes_are_errors() {
        use InvalidHash::{Malformed, OutOfBounds, UnknownScheme};
        let good = phc("$argon2id$v=19$m=256,t=2,p=1");
        for (text, error) in [
            (phc("$argon2id$v=19$m=4294967295,t=1,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=4294967296,t=1,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=99999999999999999999999,t=1,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=65537,t=1,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=64,t=11,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=64,t=4294967295,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=64,t=0,p=1"), OutOfBounds),
            (phc("$argon2id$v=19$m=64,t=1,p=5"), OutOfBounds),
            (phc("$argon2id$v=19$m=64,t=1,p=4294967295"), OutOfBounds),
            (phc("$argon2id$v=19$m=16,t=1,p=4"), OutOfBounds),
            (format!("$argon2id$v=19$m=64,t=1,p=1$c2FsdA${TAG}"), OutOfBounds),
            (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAAAA"), OutOfBounds),
            (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}$"), OutOfBounds),
            (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}${}", "A".repeat(88)), OutOfBounds),
            (phc("$argon2id$v=16$m=64,t=1,p=1"), UnknownScheme),
            (phc("$argon2i$v=19$m=64,t=1,p=1"), UnknownScheme),
            (phc("$argon2d$v=19$m=64,t=1,p=1"), UnknownScheme),
            (phc("$ARGON2ID$v=19$m=64,t=1,p=1"), UnknownScheme),
            ("$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234".to_owned(), UnknownScheme),
            (phc("$argon2id$m=64,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=64,t=1"), Malformed),
            (phc("$argon2id$v=19$m=64,t=1,p=1,p=1"), Malformed),
            (phc("$argon2id$v=19$t=1,m=64,p=1"), Malformed),
            (phc("$argon2id$v=19$m=+64,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=064,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=-64,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m= 64,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=６４,t=1,p=1"), Malformed),
            (phc("argon2id$v=19$m=64,t=1,p=1"), Malformed),
            (phc("$argon2id$v=19$m=64,t=1,p=1") + "=", Malformed),
            (phc("$argon2id$v=19$m=64,t=1,p=1") + "\n", Malformed),
            (phc("$argon2id$v=19$m=64,t=1,p=1") + "$", Malformed),
            (phc("$argon2id$v=19$m=64,t=1,p=1") + "é", Malformed),
            (format!("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHR${TAG}"), Malformed),
            (format!("$argon2id$v=19$m=64,t=1,p=1$c29t\0XNhbHQ${TAG}"), Malformed),
            (good.replace('/', "_"), Malformed),
            ("A".repeat(1_000_000), Malformed),
            (String::new(), Malformed),
            ("$".to_owned(), Malformed),
            ("$$$$$".to_owned(), Malformed),
        ] {
            assert_eq!(PasswordHash::parse(&text), Err(error), "{text:.120}");
        }
        for end in 0..good.len() {
            let cut = PasswordHash::parse(&good[..end]);
            // A tag cut to 16 bytes or more is a shorter tag, not a broken string.
            assert!(
                cut.is_err()
                    || cut.is_ok_and(|hash| matches!(hash.scheme(), Scheme::Argon2id(a) if a.tag.len() < 32))
            );
        }
    }

    proptest! {
        #[test]
        fn R036_no_string_panics(text in ".{0,300}") {
            PasswordHash::parse(&text).ok();
        }

        #[test]
        fn R036_no_string_that_looks_like_a_hash_panics(
            text in "\\$argon2id\\$v=1[69]\\$m=[0-9]{0,11},t=[0-9]{0,3},p=[0-9é]{0,3}\\$[A-Za-z0-9+/=]{0,24}\\$[A-Za-z0-9+/=$]{0,90}"
        ) {
            if let Ok(hash) = PasswordHash::parse(&text) {
                prop_assert!(hash.memory_kib() <= 65_536);
                prop_assert_eq!(hash.as_str(), text);
            }
        }

        #[test]
        fn R034_what_is_written_is_read(
            memory_kib in 32_u32..=65_536, passes in 1_u32..=10, lanes in 1_u32..=4,
            salt in proptest::collection::vec(any::<u8>(), 8..=64),
            tag in proptest::collection::vec(any::<u8>(), 16..=64),
        ) {
            let hash = PasswordHash::from(Argon2id { cost: Cost { memory_kib, passes, lanes }, salt, tag });
            prop_assert_eq!(PasswordHash::parse(hash.as_str()), Ok(hash));
        }
    }
}
