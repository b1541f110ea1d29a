//! The names users log in with, in their one canonical spelling.

use crate::spelling::canonical;

/// The longest login name, in bytes of UTF-8 (an e-mail address has at most 254, RFC 5321 §4.5.3.1.3).
pub const MAX_NAME_BYTES: usize = 256;

/// A login name in canonical form: what is stored, looked up and throttled.
///
/// Compatibility characters are folded (NFKC), case is mapped, and both are repeated until nothing
/// changes, so that the form of the form is the form (R005; the idea of RFC 8265 `UsernameCaseMapped`,
/// whose profile is not idempotent for all of Unicode). Two spellings that look alike may thus be one
/// name; two names are never one user.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LoginName(String);

impl LoginName {
    /// Reads a name as typed; the error says what is wrong with it.
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        if typed.is_empty() {
            return Err("must not be empty");
        }
        if typed.len() > MAX_NAME_BYTES {
            return Err("may have 256 bytes at most");
        }
        if typed.chars().any(is_unfit) {
            return Err("must not have control, formatting or invisible characters");
        }
        let canonical = canonical(typed);
        // Folding can make one character many (U+FDFA: eighteen), or bring out a space.
        if canonical.len() > 2 * MAX_NAME_BYTES || canonical.chars().any(is_unfit) {
            return Err("is spelled with characters that have no plain form");
        }
        if canonical.chars().any(char::is_whitespace) {
            return Err("must not have spaces");
        }
        Ok(Self(canonical))
    }

    /// Reads an e-mail address to log in with: one that has the look of one, for only a message that arrives would
    /// prove more. 254 bytes at most (RFC 5321 §4.5.3.1.3).
    pub fn parse_email(typed: &str) -> Result<Self, &'static str> {
        let name = Self::parse(typed)?;
        let parts: Vec<_> = typed.split('@').collect();
        if typed.len() > 254 {
            Err("may have 254 bytes at most")
        } else if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) {
            Err("must be an e-mail address, like ada@example.com")
        } else {
            Ok(name)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that may hide in a name or turn it round (R006): controls, line separators, bidirectional
/// marks, zero-width and tag characters.
#[must_use]
pub fn is_unfit(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(typed: &str) -> String {
        LoginName::parse(typed).unwrap().0
    }

    #[test]
    fn R005_spellings_of_one_name_are_one_name() {
        assert_eq!(name("Customer.Login@Example.TEST"), "customer.login@example.test");
        assert_eq!(name("ᴮᴵᴳᴮᴵᴿᴰ"), name("bigbird"));
        assert_eq!(name("\u{212A}elvin"), name("kelvin"), "the Kelvin sign is a K");
        assert_eq!(name("ｆｕｌｌ"), name("full"));
        assert_eq!(name("e\u{301}lan"), name("ÉLAN"));
        assert_eq!(name("STRASSE"), "strasse");
        assert_ne!(name("straße"), name("strasse"), "ß is a letter of its own");
        assert_ne!(name("mıke"), name("mike"), "a dotless i is a letter of its own");
        assert_eq!(name("ẞ"), name("ß"));
    }

    #[test]
    fn R006_names_with_invisible_or_turning_characters_are_refused() {
        for typed in
            ["a\0b", "a\u{1b}b", "a\u{85}b", "a\u{202e}b", "a\u{200d}b", "a\u{feff}b", "a b", "a\u{a0}b", ""]
        {
            assert!(LoginName::parse(typed).is_err(), "{typed:?}");
        }
        assert!(LoginName::parse(&"x".repeat(256)).is_ok());
        assert!(LoginName::parse(&"x".repeat(257)).is_err());
    }

    #[test]
    fn R005_the_canonical_form_of_every_character_is_stable() {
        for character in (0..=0x0010_FFFF).filter_map(char::from_u32) {
            for typed in [character.to_string(), format!("a{character}\u{301}")] {
                let once = canonical(&typed);
                assert_eq!(canonical(&once), once, "U+{:04X}", u32::from(character));
            }
        }
    }

    #[test]
    fn an_email_looks_like_one() {
        assert_eq!(LoginName::parse_email("Ada@Example.TEST").unwrap().as_str(), "ada@example.test");
        let long = format!("{}@example.test", "x".repeat(250));
        for bad in ["ada", "@example.test", "ada@", "a@b@c", "ada @example.test", "", &long] {
            assert!(LoginName::parse_email(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn R005_the_canonical_form_is_idempotent(typed in "\\PC{0,40}") {
            if let Ok(once) = LoginName::parse(&typed) {
                let twice = LoginName::parse(once.as_str());
                prop_assert_eq!(twice, Ok(once));
            }
        }
    }
}
