//! scrypt in its PHC spelling: `$scrypt$ln=14,r=8,p=1$salt$tag`.

use super::fields::{from_base64, length, number, parts, to_base64, within};
use super::{Foreign, Function, InvalidHash, MAX_SALT_BYTES, MAX_TAG_BYTES, MIN_TAG_BYTES, Scheme};

/// 2²⁰ blocks of 128 bytes: 128 MiB, which is what the thread that verifies it may take (R036).
const MAX_N_R: u32 = 1 << 20;
/// What one hash may compute: twice what the largest may take in memory, about a second.
const MAX_N_R_P: u32 = 1 << 21;
const MAX_R: u32 = 64;
const MAX_P: u32 = 16;

/// What one scrypt costs (RFC 7914 §2): N = 2^`log_n`, block size, parallelization.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::passwords) struct ScryptCost {
    pub(in crate::passwords) log_n: u8,
    pub(in crate::passwords) r: u32,
    pub(in crate::passwords) p: u32,
}

impl ScryptCost {
    fn new(log_n: u64, r: u64, p: u64) -> Result<Self, InvalidHash> {
        let log_n = within("log2 of scrypt's N", log_n, 1..=20)?;
        let r = within("scrypt r", r, 1..=MAX_R)?;
        let p = within("scrypt p", p, 1..=MAX_P)?;
        // No overflow: 20 + 6 + 4 bits at most.
        within("scrypt N·r", (u64::from(r)) << log_n, 1..=MAX_N_R)?;
        within("scrypt N·r·p", (u64::from(r) * u64::from(p)) << log_n, 1..=MAX_N_R_P)?;
        Ok(Self { log_n: u8::try_from(log_n).map_err(|_| InvalidHash::Malformed)?, r, p })
    }

    /// What it takes, in bytes.
    pub(in crate::passwords) const fn memory_bytes(self) -> usize {
        (128 * self.r as usize) << self.log_n
    }
}

impl std::fmt::Display for ScryptCost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ln={},r={},p={}", self.log_n, self.r, self.p)
    }
}

/// The fields after `$scrypt`: `ln=…,r=…,p=…` in this order, salt, tag.
pub(super) fn parse<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Scheme, InvalidHash> {
    let [cost, salt, tag] = parts(fields)?;
    let [log_n, r, p] = parts(cost.split(','))?;
    scheme([number(log_n, "ln=")?, number(r, "r=")?, number(p, "p=")?], from_base64(salt)?, from_base64(tag)?)
}

/// scrypt of these parts (log₂ N, r, p), if it is within the caps.
pub(in crate::passwords) fn scheme(
    [log_n, r, p]: [u64; 3],
    salt: Vec<u8>,
    tag: Vec<u8>,
) -> Result<Scheme, InvalidHash> {
    let cost = ScryptCost::new(log_n, r, p)?;
    length("salt's length in bytes", &salt, 1..=MAX_SALT_BYTES)?;
    length("tag's length in bytes", &tag, MIN_TAG_BYTES..=MAX_TAG_BYTES)?;
    Ok(Scheme::Foreign(Foreign { function: Function::Scrypt { cost, salt }, tag }))
}

pub(super) fn spell(cost: ScryptCost, salt: &[u8], tag: &[u8]) -> String {
    format!("$scrypt${cost}${}${}", to_base64(salt), to_base64(tag))
}
