//! Telephone numbers in E.164.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most numbers of one user.
pub const MAX_PHONES: usize = 10;

/// What a number may be.
pub const PHONE_TYPES: [&str; 3] = ["MOBILE", "HOME", "WORK"];

/// One telephone number.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Phone {
    /// `MOBILE`, `HOME` or `WORK`.
    #[schema(example = "MOBILE")]
    pub phone_type: String,
    /// `E164`.
    #[schema(example = "E164")]
    pub encoding: String,
    /// The number in E.164.
    #[schema(example = "+37060000000")]
    pub number: String,
}

impl Phone {
    /// A number of a kind out of [`PHONE_TYPES`].
    #[must_use]
    pub fn new(phone_type: &str, number: String) -> Self {
        Self { phone_type: phone_type.to_owned(), encoding: "E164".to_owned(), number }
    }
}

/// Reads a number in E.164 (ITU-T: `+`, then at most 15 digits, the first not 0), without the spaces, dashes, dots
/// and brackets that people write in between. `None` for anything else.
#[must_use]
pub fn e164(typed: &str) -> Option<String> {
    let number: String =
        typed.chars().filter(|letter| !matches!(letter, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = number.strip_prefix('+')?;
    let fits = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    (fits && typed.len() <= 64).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_without_what_stands_between_its_digits() {
        for (typed, read) in [
            ("+37060000000", Some("+37060000000")),
            ("+370 600-00.000", Some("+37060000000")),
            ("+1 (202) 555-0100", Some("+12025550100")),
            ("+123456789012345", Some("+123456789012345")),
            ("+1234567890123456", None),
            ("+123456", None),
            ("+0370600000", None),
            ("37060000000", None),
            ("0037060000000", None),
            ("+3706000000a", None),
            ("+٣٧٠٦٠٠٠٠٠٠٠", None),
            ("+", None),
            ("", None),
        ] {
            assert_eq!(e164(typed).as_deref(), read, "{typed}");
        }
        assert_eq!(e164(&format!("+37060000000{}", " ".repeat(60))), None);
    }
}
