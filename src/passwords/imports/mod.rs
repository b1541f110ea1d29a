//! Password hashes as other systems spell them, read into the one spelling in which we store each.
//!
//! Known are PHC strings, with passlib's liberties, and what Django and Keycloak store. The password itself is
//! needed for none of it: a hash is taken over as it is, and replaced at its owner's next login (R035).

mod django;
mod keycloak;

pub use keycloak::keycloak;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::argon2id::{Kind, Variant, Version};
use super::schemes::{
    Digest, InvalidHash, PasswordHash, Scheme, argon2_scheme, bcrypt_scheme, decimal, parts, pbkdf2_scheme,
    scrypt_scheme, seasoned, take_pepper,
};

/// Longer than any that is within the bounds.
const MAX_BYTES: usize = 1024;

/// Base64 with or without padding: encoders differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Schemes that we know and do not verify, by how their strings begin.
const UNSUPPORTED: [(&str, &str); 20] = [
    ("$1$", "md5-crypt"),
    ("$apr1$", "Apache's md5-crypt"),
    ("$2$", "bcrypt 2"),
    ("$2x$", "bcrypt 2x"),
    ("$5$", "sha256-crypt"),
    ("$6$", "sha512-crypt"),
    ("$7$", "scrypt in crypt's spelling"),
    ("$y$", "yescrypt"),
    ("$gy$", "gost-yescrypt"),
    ("$P$", "phpass"),
    ("$H$", "phpass"),
    ("$S$", "Drupal's sha512"),
    ("$bcrypt-sha256$", "passlib's bcrypt-sha256"),
    ("$scram$", "scram"),
    ("{", "LDAP's {…}"),
    ("md5$", "Django's md5"),
    ("sha1$", "Django's sha1"),
    ("unsalted_", "Django's unsalted ones"),
    ("crypt$", "Django's crypt"),
    ("!", "Django's unusable password"),
];

/// Reads a hash as PHC, passlib, bcrypt or Django spell it. The error tells whoever imports it what is wrong.
pub fn hash(text: &str) -> Result<PasswordHash, InvalidHash> {
    if let Some((_, name)) = UNSUPPORTED.iter().find(|(prefix, _)| text.starts_with(prefix)) {
        return Err(InvalidHash::Unsupported(name));
    }
    if text.len() > MAX_BYTES || !text.is_ascii() {
        return Err(InvalidHash::Malformed);
    }
    let scheme = match text.strip_prefix('$') {
        Some(rest) => phc(rest),
        None => django::scheme(text),
    };
    scheme.map(PasswordHash::from)
}

/// What stands after the first `$` of a PHC string.
fn phc(text: &str) -> Result<Scheme, InvalidHash> {
    let mut fields = text.split('$');
    let name = fields.next().unwrap_or_default();
    if let Some(kind) = Kind::parse(name) {
        argon2(kind, &fields.collect::<Vec<_>>())
    } else if name == "scrypt" {
        let [cost, salt, tag] = parts(fields)?;
        scrypt_scheme(parameters(cost, ["ln", "r", "p"])?, from_base64(salt)?, from_base64(tag)?)
    } else if let Some(digest) = pbkdf2_digest(name) {
        pbkdf2(digest, fields)
    } else if name.len() == 2 && name.starts_with('2') {
        bcrypt_scheme(false, text.split('$'))
    } else {
        // Our own spellings that nobody else has.
        PasswordHash::parse(&format!("${text}")).map(|hash| hash.scheme().clone())
    }
}

fn argon2(kind: Kind, fields: &[&str]) -> Result<Scheme, InvalidHash> {
    let (version, fields) = match fields {
        [version, fields @ ..] if version.starts_with("v=") => (*version, fields),
        // The first version's strings did not name it.
        fields => ("v=16", fields),
    };
    let version = match version {
        "v=16" => Version::V16,
        "v=19" => Version::V19,
        _ => return Err(InvalidHash::UnknownScheme),
    };
    let [cost, salt, tag] = parts(fields.iter().copied())?;
    // Ours alone, from an installation with the same pepper.
    let (cost, pepper) = take_pepper(cost)?;
    let cost = parameters(cost, ["m", "t", "p"])?;
    seasoned(argon2_scheme(Variant { kind, version }, cost, from_base64(salt)?, from_base64(tag)?)?, pepper)
}

/// passlib calls the oldest by the bare name.
fn pbkdf2_digest(name: &str) -> Option<Digest> {
    match name {
        "pbkdf2" => Some(Digest::Sha1),
        _ => Digest::ALL.into_iter().find(|digest| digest.name() == name),
    }
}

/// `i=600000,l=32` as PHC has it, or the bare number and an alphabet with a dot of passlib.
fn pbkdf2<'a>(digest: Digest, fields: impl Iterator<Item = &'a str>) -> Result<Scheme, InvalidHash> {
    let [cost, salt, tag] = parts(fields)?;
    if cost.starts_with("i=") {
        let tag = from_base64(tag)?;
        let [iterations, bytes] = if cost.contains(',') {
            parameters(cost, ["i", "l"])?
        } else {
            let [iterations] = parameters(cost, ["i"])?;
            [iterations, tag.len() as u64]
        };
        if tag.len() as u64 != bytes {
            return Err(InvalidHash::Malformed);
        }
        pbkdf2_scheme(digest, iterations, from_base64(salt)?, tag)
    } else {
        let [salt, tag] = [salt, tag].map(|text| from_base64(&text.replace('.', "+")));
        pbkdf2_scheme(digest, decimal(cost)?, salt?, tag?)
    }
}

/// `a=1,b=2`, in this order.
fn parameters<const N: usize>(text: &str, names: [&str; N]) -> Result<[u64; N], InvalidHash> {
    let fields: [&str; N] = parts(text.split(','))?;
    let mut numbers = [0; N];
    for ((number, field), name) in numbers.iter_mut().zip(fields).zip(names) {
        let digits = field.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        *number = decimal(digits.ok_or(InvalidHash::Malformed)?)?;
    }
    Ok(numbers)
}

fn from_base64(text: &str) -> Result<Vec<u8>, InvalidHash> {
    BASE64.decode(text).map_err(|_| InvalidHash::Malformed)
}

#[cfg(test)]
mod tests;
