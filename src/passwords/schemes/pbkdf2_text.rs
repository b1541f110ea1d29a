//! PBKDF2 in its PHC spelling: `$pbkdf2-sha256$i=600000,l=32$salt$tag`.

use super::fields::{from_base64, length, number, parts, to_base64, within};
use super::{Foreign, Function, InvalidHash, MAX_SALT_BYTES, MAX_TAG_BYTES, MIN_TAG_BYTES, Scheme};

/// The most iterations a stored hash may ask for (R036).
const MAX_ITERATIONS: u32 = 2_000_000;
/// The longest tag that another system may have stored, in bytes: Keycloak's of old.
const MAX_STORED_TAG_BYTES: u32 = 128;

/// The hash function inside of HMAC inside of PBKDF2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::passwords) enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    pub(in crate::passwords) const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The scheme's name.
    pub(in crate::passwords) const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "pbkdf2-sha1",
            Self::Sha256 => "pbkdf2-sha256",
            Self::Sha512 => "pbkdf2-sha512",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.name() == name)
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The fields after the name: `i=…,l=…` in this order, salt, tag.
pub(super) fn parse<'a>(
    digest: Digest,
    fields: impl Iterator<Item = &'a str>,
) -> Result<Scheme, InvalidHash> {
    let [cost, salt, tag] = parts(fields)?;
    let [iterations, bytes] = parts(cost.split(','))?;
    let (iterations, bytes) = (number(iterations, "i=")?, number(bytes, "l=")?);
    let tag = from_base64(tag)?;
    if tag.len() as u64 != bytes || tag.len() > digest.bytes() {
        return Err(InvalidHash::Malformed);
    }
    scheme(digest, iterations, from_base64(salt)?, tag)
}

/// PBKDF2 of these parts, if it is within the caps.
///
/// Each block of a tag costs all iterations anew, and whoever guesses needs the first one only: so it is
/// the first one that is kept.
pub(in crate::passwords) fn scheme(
    digest: Digest,
    iterations: u64,
    salt: Vec<u8>,
    mut tag: Vec<u8>,
) -> Result<Scheme, InvalidHash> {
    let iterations = within("number of PBKDF2 iterations", iterations, 1..=MAX_ITERATIONS)?;
    length("salt's length in bytes", &salt, 1..=MAX_SALT_BYTES)?;
    length("tag's length in bytes", &tag, MIN_TAG_BYTES..=MAX_STORED_TAG_BYTES)?;
    tag.truncate(digest.bytes());
    debug_assert!(tag.len() <= MAX_TAG_BYTES as usize);
    Ok(Scheme::Foreign(Foreign { function: Function::Pbkdf2 { digest, iterations, salt }, tag }))
}

pub(super) fn spell(digest: Digest, iterations: u32, salt: &[u8], tag: &[u8]) -> String {
    let (name, bytes) = (digest.name(), tag.len());
    format!("${name}$i={iterations},l={bytes}${}${}", to_base64(salt), to_base64(tag))
}
