//! Argon2 in its PHC spelling: `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`, with `,keyid=…` behind the costs where there is a
//! pepper, and its older kinds and version.

use super::fields::{from_base64, length, number, parts, to_base64, within};
use super::{Foreign, Function, InvalidHash, MAX_TAG_BYTES, MIN_TAG_BYTES, SALT_BYTES, Scheme, TAG_BYTES};
use crate::passwords::argon2id::{Kind, Variant, Version};
use crate::passwords::cost::{Cost, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};

/// Argon2id, version 19: what new hashes are.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::passwords) struct Argon2id {
    pub(in crate::passwords) cost: Cost,
    /// The line of the pepper file, if it has any.
    pub(in crate::passwords) pepper: Option<String>,
    pub(in crate::passwords) salt: Vec<u8>,
    pub(in crate::passwords) tag: Vec<u8>,
}

impl Argon2id {
    /// Whether a new hash of the same password would be another kind of hash than this (R035).
    pub(in crate::passwords) fn differs_from(&self, cost: Cost, pepper: Option<&str>) -> bool {
        self.cost != cost
            || self.pepper.as_deref() != pepper
            || self.salt.len() < SALT_BYTES
            || self.tag.len() != TAG_BYTES
    }
}

/// The fields after the kind: `v=19`, `m=…,t=…,p=…` in this order, salt, tag.
pub(super) fn parse<'a>(kind: Kind, fields: impl Iterator<Item = &'a str>) -> Result<Scheme, InvalidHash> {
    let [version, cost, salt, tag] = parts(fields)?;
    let version = match number(version, "v=")? {
        16 => Version::V16,
        19 => Version::V19,
        _ => return Err(InvalidHash::UnknownScheme),
    };
    let (cost, pepper) = take_pepper(cost)?;
    let [memory, passes, lanes] = parts(cost.split(','))?;
    let cost = [number(memory, "m=")?, number(passes, "t=")?, number(lanes, "p=")?];
    seasoned(scheme(Variant { kind, version }, cost, from_base64(salt)?, from_base64(tag)?)?, pepper)
}

/// The costs, and the id of the pepper that may stand behind them.
pub(in crate::passwords) fn take_pepper(cost: &str) -> Result<(&str, Option<&str>), InvalidHash> {
    let Some((cost, id)) = cost.split_once(",keyid=") else { return Ok((cost, None)) };
    let is_id = (1..=11).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id { Ok((cost, Some(id))) } else { Err(InvalidHash::Malformed) }
}

/// A hash with the pepper that its string names. Only ours has one.
pub(in crate::passwords) fn seasoned(scheme: Scheme, pepper: Option<&str>) -> Result<Scheme, InvalidHash> {
    match (scheme, pepper) {
        (Scheme::Argon2id(argon2id), pepper) => {
            Ok(Scheme::Argon2id(Argon2id { pepper: pepper.map(str::to_owned), ..argon2id }))
        }
        (scheme, None) => Ok(scheme),
        (_, Some(_)) => Err(InvalidHash::Malformed),
    }
}

/// Argon2 of these parts (memory in KiB, passes, lanes), if it is within the caps.
pub(in crate::passwords) fn scheme(
    variant: Variant,
    [memory, passes, lanes]: [u64; 3],
    salt: Vec<u8>,
    tag: Vec<u8>,
) -> Result<Scheme, InvalidHash> {
    let lanes = within("number of Argon2 lanes", lanes, 1..=MAX_LANES)?;
    let cost = Cost {
        memory_kib: within("Argon2 memory in KiB", memory, 8 * lanes..=MAX_MEMORY_KIB)?,
        passes: within("number of Argon2 passes", passes, 1..=MAX_PASSES)?,
        lanes,
    };
    // The shortest salt that Argon2 takes (RFC 9106 §3.1).
    length("salt's length in bytes", &salt, 8..=64)?;
    length("tag's length in bytes", &tag, MIN_TAG_BYTES..=MAX_TAG_BYTES)?;
    Ok(match variant {
        Variant::ARGON2ID => Scheme::Argon2id(Argon2id { cost, pepper: None, salt, tag }),
        _ => Scheme::Foreign(Foreign { function: Function::Argon2 { variant, cost, salt }, tag }),
    })
}

pub(super) fn spell(variant: Variant, cost: Cost, pepper: Option<&str>, salt: &[u8], tag: &[u8]) -> String {
    let version = match variant.version {
        Version::V16 => 16,
        Version::V19 => 19,
    };
    let (salt, tag) = (to_base64(salt), to_base64(tag));
    let pepper = pepper.map(|id| format!(",keyid={id}")).unwrap_or_default();
    format!("${}$v={version}${cost}{pepper}${salt}${tag}", variant.kind.name())
}
