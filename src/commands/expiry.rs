//! How long a token or key is good for, as it is asked for: `90d`, `12h`, `30m`.

use crate::clock::Timestamp;

/// The longest, in seconds: ten years.
const MOST: i64 = 3_650 * 86_400;

/// A time from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ExpiresIn {
    seconds: i64,
}

impl ExpiresIn {
    pub fn from(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.seconds)
    }
}

impl std::str::FromStr for ExpiresIn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "must be a number of days, hours or minutes up to ten years, like 90d, 12h or 30m";
        let unit = match text.bytes().last() {
            Some(b'd') => 86_400,
            Some(b'h') => 3_600,
            Some(b'm') => 60,
            _ => return Err(wrong),
        };
        let count = &text[..text.len() - 1];
        let count = Some(count).filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()));
        let count = count.and_then(|count| count.parse::<u32>().ok()).ok_or(wrong)?;
        let seconds = i64::from(count) * unit;
        if (1..=MOST).contains(&seconds) { Ok(Self { seconds }) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit_up_to_ten_years() {
        for (text, seconds) in [("90d", 7_776_000), ("12h", 43_200), ("1m", 60), ("3650d", MOST)] {
            assert_eq!(text.parse(), Ok(ExpiresIn { seconds }));
        }
        for bad in ["", "d", "0d", "-1d", "+1d", "1", "1.5h", "1w", "90 d", "3651d", "99999999999d", "1ü"] {
            bad.parse::<ExpiresIn>().unwrap_err();
        }
    }
}
