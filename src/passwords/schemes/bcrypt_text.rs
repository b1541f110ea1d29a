//! bcrypt in its own spelling, `$2b$12$` and 53 characters; and what Django makes of it.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

use super::fields::{parts, within};
use super::{Foreign, Function, InvalidHash, Scheme};

/// bcrypt's base64. The last characters of salt and tag have bits to spare, which some have set and nobody reads.
const STRICT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);
const LENIENT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

const SALT_BYTES: usize = 16;
/// bcrypt computes 24 bytes and everybody stores 23.
const TAG_BYTES: usize = 23;
const SALT_CHARACTERS: usize = 22;
const CHARACTERS: usize = 53;

/// Which bcrypt: the letter after the 2, all of which mean the same for passwords of 72 bytes at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::passwords) enum Minor {
    A,
    B,
    Y,
}

impl Minor {
    const ALL: [Self; 3] = [Self::A, Self::B, Self::Y];

    const fn name(self) -> &'static str {
        match self {
            Self::A => "2a",
            Self::B => "2b",
            Self::Y => "2y",
        }
    }

    /// `2a`, `2b` or `2y`. Not `2x`, which is bcrypt with a mistake in it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|minor| minor.name() == name)
    }
}

/// The fields after `$2b`: two digits of cost, salt and tag in one.
pub(super) fn parse<'a>(
    minor: Minor,
    prehashed: bool,
    fields: impl Iterator<Item = &'a str>,
) -> Result<Scheme, InvalidHash> {
    read(minor, prehashed, fields, &STRICT)
}

/// The same, from elsewhere: with the spare bits in any state.
pub(in crate::passwords) fn parse_lenient<'a>(
    prehashed: bool,
    mut fields: impl Iterator<Item = &'a str>,
) -> Result<Scheme, InvalidHash> {
    let minor = match fields.next() {
        Some("2x") => return Err(InvalidHash::Unsupported("bcrypt 2x")),
        name => name.and_then(Minor::parse).ok_or(InvalidHash::Malformed)?,
    };
    read(minor, prehashed, fields, &LENIENT)
}

fn read<'a>(
    minor: Minor,
    prehashed: bool,
    fields: impl Iterator<Item = &'a str>,
    base64: &GeneralPurpose,
) -> Result<Scheme, InvalidHash> {
    let [cost, rest] = parts(fields)?;
    // Exact shape and ASCII first: the crate has panicked on less (RUSTSEC-2026-0199), and never sees the string.
    let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || rest.len() != CHARACTERS || !rest.is_ascii() {
        return Err(InvalidHash::Malformed);
    }
    let cost = cost.parse().map_err(|_| InvalidHash::Malformed)?;
    let cost = within("bcrypt cost", cost, 4..=14)?;
    let (salt, tag) = rest.split_at(SALT_CHARACTERS);
    let decode = |text: &str| base64.decode(text).map_err(|_| InvalidHash::Malformed);
    let salt: [u8; SALT_BYTES] = decode(salt)?.try_into().map_err(|_| InvalidHash::Malformed)?;
    let tag = decode(tag)?;
    if tag.len() != TAG_BYTES {
        return Err(InvalidHash::Malformed);
    }
    Ok(Scheme::Foreign(Foreign { function: Function::Bcrypt { minor, cost, salt, prehashed }, tag }))
}

pub(super) fn spell(minor: Minor, cost: u32, salt: &[u8], prehashed: bool, tag: &[u8]) -> String {
    let prefix = if prehashed { DJANGO_PREFIX } else { "" };
    let (salt, tag) = (STRICT.encode(salt), STRICT.encode(tag));
    format!("{prefix}${}${cost:02}${salt}{tag}", minor.name())
}

/// Before the spelling of a bcrypt of the SHA-256, in hex, of the password.
pub(super) const DJANGO_NAME: &str = "django-bcrypt-sha256";
const DJANGO_PREFIX: &str = "$django-bcrypt-sha256";
