//! Django's spellings (`django.contrib.auth.hashers`): a name, and what belongs to it, between dollar signs.
//! Salts are text and go in as they stand.

use super::{argon2, from_base64};
use crate::passwords::argon2id::Kind;
use crate::passwords::schemes::{
    Digest, InvalidHash, Scheme, bcrypt_scheme, decimal, parts, pbkdf2_scheme, scrypt_scheme,
};

pub(super) fn scheme(text: &str) -> Result<Scheme, InvalidHash> {
    let (name, rest) = text.split_once('$').ok_or(InvalidHash::Malformed)?;
    match name {
        "pbkdf2_sha256" => pbkdf2(Digest::Sha256, rest),
        "pbkdf2_sha1" => pbkdf2(Digest::Sha1, rest),
        // Not Django's own, but spelled so by those who extend it.
        "pbkdf2_sha512" => pbkdf2(Digest::Sha512, rest),
        "argon2" => {
            let mut fields = rest.split('$');
            let kind = fields.next().and_then(Kind::parse).ok_or(InvalidHash::Malformed)?;
            argon2(kind, &fields.collect::<Vec<_>>())
        }
        "bcrypt" => bcrypt_scheme(false, bcrypt_fields(rest)?),
        "bcrypt_sha256" => bcrypt_scheme(true, bcrypt_fields(rest)?),
        "scrypt" => {
            let [n, salt, r, p, tag] = parts(rest.split('$'))?;
            let n = decimal(n)?;
            // scrypt is defined for powers of two only (RFC 7914 §2).
            let log_n = if n.is_power_of_two() { n.ilog2() } else { return Err(InvalidHash::Malformed) };
            let cost = [log_n.into(), decimal(r)?, decimal(p)?];
            scrypt_scheme(cost, salt.as_bytes().to_vec(), from_base64(tag)?)
        }
        _ => Err(InvalidHash::UnknownScheme),
    }
}

fn pbkdf2(digest: Digest, rest: &str) -> Result<Scheme, InvalidHash> {
    let [iterations, salt, tag] = parts(rest.split('$'))?;
    pbkdf2_scheme(digest, decimal(iterations)?, salt.as_bytes().to_vec(), from_base64(tag)?)
}

/// The string of bcrypt's own that stands behind the name.
fn bcrypt_fields(rest: &str) -> Result<impl Iterator<Item = &str>, InvalidHash> {
    Ok(rest.strip_prefix('$').ok_or(InvalidHash::Malformed)?.split('$'))
}
