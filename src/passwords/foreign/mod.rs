//! Hashes that other systems made: computed as they did. No other module may call these functions (R014).

#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use anyhow::Context as _;
use aws_lc_rs::{digest, pbkdf2};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::argon2id::{Engine, Inputs};
use super::schemes::{Digest, Foreign, Function, MAX_TAG_BYTES, ScryptCost};

/// The most that bcrypt looks at, in bytes.
const BCRYPT_BYTES: usize = 72;

/// Whether this is the password, by exactly one evaluation.
///
/// The password is taken as received: the other system hashed what its clients sent, and only ours brings it
/// into one form (R007). What the function does not take whole matches nobody.
pub(super) fn verify(
    engine: &mut Engine,
    foreign: &Foreign,
    password: &SecretString,
) -> anyhow::Result<bool> {
    let password = password.expose_secret().as_bytes();
    let mut buffer = Zeroizing::new([0; MAX_TAG_BYTES as usize]);
    let tag = buffer.get_mut(..foreign.tag.len()).context("a tag that is too long")?;
    evaluate(engine, &foreign.function, password, tag)?;
    Ok(bool::from(foreign.tag.ct_eq(tag)) & is_taken_whole(&foreign.function, password))
}

/// Whether no other password is the same to the function.
fn is_taken_whole(function: &Function, password: &[u8]) -> bool {
    match function {
        Function::Argon2 { .. } | Function::Bcrypt { prehashed: true, .. } => true,
        // It stops after 72 bytes, and repeats a shorter password with a NUL between.
        Function::Bcrypt { .. } => password.len() <= BCRYPT_BYTES && !password.contains(&0),
        // HMAC fills a key up with zeros (RFC 2104 §2); scrypt begins with PBKDF2.
        Function::Scrypt { .. } | Function::Pbkdf2 { .. } => !password.ends_with(&[0]),
    }
}

fn evaluate(engine: &mut Engine, function: &Function, password: &[u8], tag: &mut [u8]) -> anyhow::Result<()> {
    match function {
        Function::Argon2 { variant, cost, salt } => {
            let inputs = Inputs { variant: *variant, cost: *cost, password, salt, key: &[], data: &[] };
            Ok(engine.tag(inputs, tag)?)
        }
        Function::Bcrypt { cost, salt, prehashed: false, .. } => bcrypt_tag(*cost, *salt, password, tag),
        Function::Bcrypt { cost, salt, prehashed: true, .. } => {
            let mut hex = Zeroizing::new([0; 2 * digest::SHA256_OUTPUT_LEN]);
            hex::encode_to_slice(digest::digest(&digest::SHA256, password), hex.as_mut())?;
            bcrypt_tag(*cost, *salt, hex.as_ref(), tag)
        }
        Function::Scrypt { cost, salt } => scrypt_tag(*cost, salt, password, tag),
        Function::Pbkdf2 { digest, iterations, salt } => {
            let algorithm = match digest {
                Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
            };
            let iterations = NonZeroU32::new(*iterations).context("no iterations")?;
            pbkdf2::derive(algorithm, iterations, salt, password, tag);
            Ok(())
        }
    }
}

/// bcrypt of the first 72 bytes of a password and its terminator.
fn bcrypt_tag(cost: u32, salt: [u8; 16], password: &[u8], tag: &mut [u8]) -> anyhow::Result<()> {
    let mut key = Zeroizing::new([0; BCRYPT_BYTES]);
    for (to, from) in key.iter_mut().zip(password) {
        *to = *from;
    }
    let used = BCRYPT_BYTES.min(password.len() + 1);
    let all = Zeroizing::new(bcrypt::bcrypt(cost, salt, key.get(..used).context("72 bytes at most")?));
    tag.copy_from_slice(all.get(..tag.len()).context("a bcrypt tag has 23 bytes")?);
    Ok(())
}

fn scrypt_tag(cost: ScryptCost, salt: &[u8], password: &[u8], tag: &mut [u8]) -> anyhow::Result<()> {
    // The crate would end the process if there were no room.
    Vec::<u8>::new().try_reserve_exact(cost.memory_bytes())?;
    let params = scrypt::Params::new(cost.log_n, cost.r, cost.p)?;
    Ok(scrypt::scrypt(password, salt, &params, tag)?)
}
