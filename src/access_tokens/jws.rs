//! The compact JWS itself: written from a header and claims, and read back to the letter.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Algorithm, Claims, SigningKey, VerifiedTokens};
use crate::secrets::{base64url, from_base64url};

/// The longest token we look at, in bytes (R078).
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The header's `typ`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum TokenType {
    /// As documented, and as Spring and others expect.
    #[default]
    #[serde(rename = "JWT")]
    Jwt,
    /// RFC 9068 §2.1.
    #[serde(rename = "at+jwt")]
    AccessToken,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: TokenType,
    kid: String,
}

impl SigningKey {
    /// Signs claims into a compact JWS.
    pub fn sign(&self, typ: TokenType, claims: &Claims) -> Result<String> {
        let header = Header { alg: self.algorithm(), typ, kid: self.kid().to_owned() };
        let mut token = base64url(&serde_json::to_vec(&header)?);
        token.push('.');
        token.push_str(&base64url(&serde_json::to_vec(claims)?));
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }
}

/// A token that is shaped like one of ours, and not yet believed in anything.
#[derive(Debug)]
pub struct Unverified<'a> {
    token: &'a str,
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    kid: String,
    claims: Claims,
}

impl<'a> Unverified<'a> {
    /// Takes a compact JWS apart; `None` for anything that we could not have written.
    #[must_use]
    pub fn parse(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&from_base64url(header)?).ok()?;
        let claims: Claims = serde_json::from_slice(&from_base64url(claims)?).ok()?;
        Some(Self {
            token,
            signed,
            signature: from_base64url(signature)?,
            algorithm: header.alg,
            kid: header.kid,
            claims,
        })
    }

    /// Which key it says it is signed with: enough to look one up, no more.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Which tenant it says it is of: enough to look one up, no more.
    #[must_use]
    pub fn claimed_tenant(&self) -> &str {
        &self.claims.tenant_id
    }

    /// Which session it says it is of: enough to read one, no more.
    #[must_use]
    pub fn claimed_session(&self) -> &str {
        &self.claims.sid
    }

    /// The claims, once the signature holds under this key and its algorithm. Times, issuer, audience
    /// and the session are the caller's to check.
    #[must_use]
    pub fn verify(self, key: &SigningKey, verified: &VerifiedTokens) -> Option<Claims> {
        (self.fits(key) && verified.holds(self.token, || self.is_signed_by(key))).then_some(self.claims)
    }

    /// [`Unverified::verify`] without remembering anything, for the benchmark.
    #[doc(hidden)]
    #[must_use]
    pub fn verify_anew(self, key: &SigningKey) -> Option<Claims> {
        (self.fits(key) && self.is_signed_by(key)).then_some(self.claims)
    }

    fn fits(&self, key: &SigningKey) -> bool {
        key.kid() == self.kid && key.algorithm() == self.algorithm
    }

    fn is_signed_by(&self, key: &SigningKey) -> bool {
        key.has_signed(self.signed.as_bytes(), &self.signature)
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::samples::{claims, key};
    use super::*;

    #[test]
    fn R070_every_algorithm_signs_and_verifies_under_its_own_key_only() {
        let keys = Algorithm::ALL.map(key);
        for signer in &keys {
            let token = signer.sign(TokenType::Jwt, &claims()).unwrap();
            for verifier in &keys {
                let verified =
                    Unverified::parse(&token).unwrap().verify(verifier, &VerifiedTokens::default());
                assert_eq!(verified.is_some(), verifier.kid() == signer.kid());
            }
        }
    }

    #[test]
    fn R070_a_token_whose_header_names_another_algorithm_is_refused() {
        let key = key(Algorithm::ES256);
        let token = key.sign(TokenType::Jwt, &claims()).unwrap();
        let rest = token.split_once('.').unwrap().1;
        for alg in ["none", "None", "HS256", "RS256", "EdDSA", ""] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": key.kid() }).to_string();
            let forged = format!("{}.{rest}", base64url(header.as_bytes()));
            let verified =
                Unverified::parse(&forged).and_then(|token| token.verify(&key, &VerifiedTokens::default()));
            assert_eq!(verified, None, "{alg}");
        }
    }

    /// Signs any header and claims with the real key, as R072's generator needs.
    fn forge(key: &SigningKey, header: &Value, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header.to_string().as_bytes()), base64url(claims.as_bytes()));
        let signature = key.sign_bytes(signed.as_bytes()).unwrap();
        format!("{signed}.{}", base64url(&signature))
    }

    fn accepted(token: &str, key: &SigningKey) -> bool {
        Unverified::parse(token).and_then(|token| token.verify(key, &VerifiedTokens::default())).is_some()
    }

    #[test]
    fn R072_a_claim_that_is_missing_or_of_another_type_is_refused_however_well_signed() {
        let key = key(Algorithm::ES256);
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid() });
        let good = serde_json::to_value(claims()).unwrap();
        assert!(accepted(&forge(&key, &header, &good.to_string()), &key));
        for name in good.as_object().unwrap().keys() {
            let mut without = good.clone();
            without.as_object_mut().unwrap().remove(name);
            assert!(!accepted(&forge(&key, &header, &without.to_string()), &key), "without {name}");
            for other in [json!(null), json!(1.5), json!({}), json!([1]), json!(true), json!([["x"]])] {
                let mut retyped = good.clone();
                retyped[name] = other.clone();
                assert!(!accepted(&forge(&key, &header, &retyped.to_string()), &key), "{name} as {other}");
            }
        }
        let mut text_exp = good.clone();
        text_exp["exp"] = json!("2000");
        assert!(!accepted(&forge(&key, &header, &text_exp.to_string()), &key));
        let overflow = good.to_string().replace("\"exp\":2000", "\"exp\":1e99");
        assert!(!accepted(&forge(&key, &header, &overflow), &key));
        let twice = good.to_string().replacen('{', "{\"exp\":9999,", 1);
        assert!(!accepted(&forge(&key, &header, &twice), &key), "a claim twice");
    }

    #[test]
    fn R073_a_header_that_brings_its_own_key_or_anything_unknown_is_refused() {
        let key = key(Algorithm::ES256);
        let good = serde_json::to_string(&claims()).unwrap();
        for (name, value) in [
            ("jwk", key.jwk().clone()),
            ("jku", json!("https://example.test/keys")),
            ("x5u", json!("https://example.test/cert")),
            ("x5c", json!(["MII"])),
            ("crit", json!(["exp"])),
            ("zip", json!("DEF")),
            ("b64", json!(false)),
        ] {
            let mut header = json!({ "alg": "ES256", "typ": "JWT", "kid": key.kid() });
            header[name] = value;
            assert!(!accepted(&forge(&key, &header, &good), &key), "{name}");
        }
        for typ in ["", "jwt", "secevent+jwt", "dpop+jwt"] {
            let header = json!({ "alg": "ES256", "typ": typ, "kid": key.kid() });
            assert!(!accepted(&forge(&key, &header, &good), &key), "typ {typ}");
        }
    }

    #[test]
    fn R078_only_one_spelling_of_a_token_is_read() {
        let key = key(Algorithm::ES256);
        let token = key.sign(TokenType::Jwt, &claims()).unwrap();
        assert!(accepted(&token, &key));
        for odd in [
            format!("{token}="),
            format!("{token}."),
            format!(".{token}"),
            format!(" {token}"),
            token.replace('.', ".."),
            token[..token.len() - 1].to_owned(),
            ".".repeat(1_000_000),
            String::new(),
        ] {
            assert!(!accepted(&odd, &key));
        }
        // The last character of 64 bytes carries unused bits: another character there decodes alike elsewhere.
        let last = token.chars().last().unwrap();
        for other in ('A'..='Z').chain('a'..='z').filter(|other| *other != last) {
            let changed = format!("{}{other}", &token[..token.len() - 1]);
            assert!(!accepted(&changed, &key), "{other}");
        }
    }

    proptest! {
        #[test]
        fn R078_no_text_makes_the_reader_panic(text in ".{0,300}") {
            prop_assert!(Unverified::parse(&text).is_none());
        }
    }
}
