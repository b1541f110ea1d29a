//! The compact JWS, read to the letter: what Vestibule could not have written is refused (R070–R073, R078).

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::Invalid;
use crate::keys::{Algorithm, Key};
use crate::token::Claims;

/// The longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest `kid` that is looked up, in characters.
const MAX_KID_LENGTH: usize = 64;

/// The header's `typ`: as documented, or as RFC 9068 has it.
#[derive(Deserialize)]
enum TokenType {
    #[serde(rename = "JWT")]
    Jwt,
    #[serde(rename = "at+jwt")]
    AccessToken,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    #[expect(dead_code, reason = "that it is one of the two is all there is to know")]
    typ: TokenType,
    kid: String,
}

/// A token that is shaped like Vestibule's, and not yet believed in anything.
pub struct Unverified<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    header: Header,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    pub fn parse(token: &'a str) -> Result<Self, Invalid> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Invalid::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(Invalid::Shape)?;
        let header: Header = serde_json::from_slice(&from_base64url(header)?).map_err(|_| Invalid::Shape)?;
        let kid = &header.kid;
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if kid.is_empty() || kid.len() > MAX_KID_LENGTH || !kid.bytes().all(good) {
            return Err(Invalid::Shape);
        }
        let signature = from_base64url(signature)?;
        let claims = from_base64url(claims)?;
        let NoTwins = serde_json::from_slice(&claims).map_err(|_| Invalid::Claims)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Invalid::Claims)?;
        Ok(Self { signed, signature, header, claims })
    }

    /// Which key it says it is signed with: enough to look one up, no more.
    pub fn kid(&self) -> &str {
        &self.header.kid
    }

    /// What it says, which proves nothing: enough to refuse it by.
    pub const fn claimed(&self) -> &Claims {
        &self.claims
    }

    /// The claims, once the signature holds under this key and its algorithm.
    pub fn verify(self, key: &Key) -> Result<Claims, Invalid> {
        if key.algorithm() == self.header.alg && key.has_signed(self.signed.as_bytes(), &self.signature) {
            Ok(self.claims)
        } else {
            Err(Invalid::Signature)
        }
    }
}

/// Canonical and without padding: one text for one value.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, Invalid> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Shape)
}

/// Any JSON in which no object names a member twice, at any depth.
struct NoTwins;

impl<'de> Deserialize<'de> for NoTwins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for NoTwins {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a name twice")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name twice"));
            }
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn R078_no_text_makes_the_reader_panic(text in ".{0,300}") {
            prop_assert!(Unverified::parse(&text).is_err());
        }

        #[test]
        fn R078_nor_three_parts_of_anything(a in "[ -~]{0,80}", b in "[ -~]{0,80}", c in "[ -~]{0,80}") {
            let [a, b, c] = [a, b, c].map(|part| URL_SAFE_NO_PAD.encode(part));
            prop_assert!(Unverified::parse(&[a, b, c].join(".")).is_err());
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_found_at_any_depth() {
        for (text, good) in [
            (r#"{"a":1,"b":[{"a":null},{"a":1.5}]}"#, true),
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":1}"#, false),
            (r#"{"a":{"b":true,"b":true}}"#, false),
            (r#"[[{"a":"x","a":-1}]]"#, false),
        ] {
            assert_eq!(serde_json::from_str::<NoTwins>(text).is_ok(), good, "{text}");
        }
    }
}
