//! Ids as tokens and the feed name them.

/// An id; the shape of a UUID takes sixteen bytes, and one spelling for all.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Id {
    Uuid([u8; 16]),
    Text(Box<str>),
}

impl Id {
    pub fn new(text: &str) -> Self {
        uuid(text).map_or_else(|| Self::Text(text.into()), Self::Uuid)
    }

    /// The time in a UUID of version 7, in Unix milliseconds (RFC 9562 §5.7); `None` for any other id.
    pub fn made_at(&self) -> Option<i64> {
        match self {
            Self::Uuid(bytes) if bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10 => {
                Some(bytes[..6].iter().fold(0, |time, byte| time << 8 | i64::from(*byte)))
            }
            _ => None,
        }
    }
}

/// The bytes of a UUID in its usual spelling, hyphens and all.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut digits = text.iter().enumerate().filter(|(at, _)| ![8, 13, 18, 23].contains(at));
    for byte in &mut bytes {
        for _ in 0..2 {
            let digit = char::from(*digits.next()?.1).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_id_is_that_of_a_version_7_and_of_no_other() {
        // RFC 9562, appendix A.6: 2022-02-22T19:22:22.000Z.
        assert_eq!(Id::new("017F22E2-79B0-7CC3-98C4-DC0C0C07398F").made_at(), Some(1_645_557_742_000));
        for other in [
            "017F22E2-79B0-4CC3-98C4-DC0C0C07398F",
            "017F22E2-79B0-7CC3-D8C4-DC0C0C07398F",
            "017F22E279B07CC398C4DC0C0C07398F",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398",
            "017F22E2-79B0-7CC3-98C4-DC0C0C07398G",
            "017F22E2-79B0-7CC3-98C4DDC0C0C07398F",
            "é17F22E2-79B0-7CC3-98C4-DC0C0C07398",
            "",
        ] {
            assert_eq!(Id::new(other).made_at(), None, "{other}");
        }
    }

    #[test]
    fn an_id_is_itself_and_a_uuid_has_one_spelling() {
        assert_eq!(
            Id::new("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
            Id::new("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
        );
        assert_ne!(
            Id::new("017f22e2-79b0-7cc3-98c4-dc0c0c07398f"),
            Id::new("017f22e2-79b0-7cc3-98c4-dc0c0c07398e")
        );
        assert_ne!(Id::new("user"), Id::new("User"));
    }
}
