//! The fields of stored hashes: strict, so that each hash has one spelling.

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::InvalidHash;

/// `m=19456`: the PHC format's decimal, which has neither sign nor leading zeros.
pub(super) fn number(field: &str, name: &str) -> Result<u64, InvalidHash> {
    decimal(field.strip_prefix(name).ok_or(InvalidHash::Malformed)?)
}

/// A decimal with neither sign nor leading zeros. What is too large for 64 bits is too large for every cap.
pub(in crate::passwords) fn decimal(digits: &str) -> Result<u64, InvalidHash> {
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
        && !digits.is_empty();
    if canonical { Ok(digits.parse().unwrap_or(u64::MAX)) } else { Err(InvalidHash::Malformed) }
}

/// Exactly so many parts between separators.
pub(in crate::passwords) fn parts<'a, const N: usize>(
    mut parts: impl Iterator<Item = &'a str>,
) -> Result<[&'a str; N], InvalidHash> {
    let mut all = [""; N];
    for part in &mut all {
        *part = parts.next().ok_or(InvalidHash::Malformed)?;
    }
    if parts.next().is_none() { Ok(all) } else { Err(InvalidHash::Malformed) }
}

/// A number that is within its bounds, or which bounds it is not in.
pub(super) fn within(what: &'static str, is: u64, bounds: RangeInclusive<u32>) -> Result<u32, InvalidHash> {
    let (least, most) = bounds.into_inner();
    match u32::try_from(is) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(InvalidHash::OutOfBounds { what, is, least: least.into(), most: most.into() }),
    }
}

/// How many bytes something has is within its bounds.
pub(super) fn length(
    what: &'static str,
    bytes: &[u8],
    bounds: RangeInclusive<u32>,
) -> Result<(), InvalidHash> {
    within(what, bytes.len() as u64, bounds).map(drop)
}

/// Standard base64 without padding, and without stray bits at its end.
pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, InvalidHash> {
    STANDARD_NO_PAD.decode(text).map_err(|_| InvalidHash::Malformed)
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes)
}
