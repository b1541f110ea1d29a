//! Access tokens: compact JWS (RFC 7515) with one algorithm per key, written and read here only.
//!
//! We read only what we wrote ourselves, so reading is strict to the letter: three parts of canonical
//! base64url, a header with exactly `alg`, `typ` and `kid`, claims with exactly our names and types.
//! Nothing in the header chooses a key or an algorithm; it only has to agree with the key that the
//! tenant lists under that kid (R070, R073, R078; RFC 8725 §3.1).

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::secrets::{base64url, from_base64url, sha256};

/// The longest token we look at, in bytes (R078).
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How far ahead of our clock a token's `iat` may be, in seconds (FAPI 2.0 §5.3.2.1 (13); R076).
pub const CLOCK_SKEW_SECONDS: i64 = 10;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). HMAC is not among them: whoever verifies
/// would be able to sign (R074).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Algorithm {
    ES256,
    #[serde(rename = "EdDSA")]
    EdDsa,
    PS256,
    RS256,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::ES256, Self::EdDsa, Self::PS256, Self::RS256];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::PS256 => "PS256",
            Self::RS256 => "RS256",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

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

/// The claims, in the documented order (contract.md §1) with ours after them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The user's id.
    pub sub: String,
    /// Seconds since the epoch, as all times in claims.
    pub exp: i64,
    pub iat: i64,
    #[serde(rename = "tenantId")]
    pub tenant_id: String,
    /// The organization's id on the organization and admin families.
    #[serde(rename = "customerId")]
    pub customer_id: String,
    #[serde(rename = "userId")]
    pub user_id: String,
    /// `CONSUMER` or `ADMIN`; permission comes from `roles`, never from it.
    #[serde(rename = "userType")]
    pub user_type: String,
    pub roles: Vec<String>,
    pub jti: String,
    /// The session's id.
    pub sid: String,
    pub auth_time: i64,
    pub acr: String,
    pub amr: Vec<String>,
    /// The id of the tenant key that opened the session; the tenant's id where none was needed.
    pub client_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: TokenType,
    kid: String,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A tenant's signing key, parsed once: both halves.
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
    public: ParsedPublicKey,
    jwk: Value,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, {})", self.algorithm.as_str(), self.kid)
    }
}

impl SigningKey {
    /// Makes a new private key, as PKCS #8. RSA keys have 3,072 bits (128-bit strength, R074).
    pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>> {
        let failed = |_| anyhow!("making a key for {} failed", algorithm.as_str());
        let rng = SystemRandom::new();
        let pkcs8 = match algorithm {
            Algorithm::ES256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng)
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng).map_err(failed)?.as_ref().to_vec(),
            Algorithm::PS256 | Algorithm::RS256 => {
                let pair = rsa::KeyPair::generate(KeySize::Rsa3072).map_err(failed)?;
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> = pair.as_der().map_err(failed)?;
                der.as_ref().to_vec()
            }
        };
        Ok(Zeroizing::new(pkcs8))
    }

    /// Reads a private key. Its kid is the public key's thumbprint (RFC 7638), so it is unique and says nothing.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self> {
        let (pair, public, members) = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
                    .map_err(|error| anyhow!("not an ES256 key: {error}"))?;
                let point = pair.public_key().as_ref().to_vec();
                // An uncompressed point: 0x04, x, y (SEC 1 §2.3.3).
                let (x, y) = point.get(1..).context("no public point")?.split_at(32);
                let members = json!({ "crv": "P-256", "kty": "EC", "x": base64url(x), "y": base64url(y) });
                let public = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point);
                (Pair::Ecdsa(pair), public, members)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8)
                    .map_err(|error| anyhow!("not an Ed25519 key: {error}"))?;
                let public = pair.public_key().as_ref().to_vec();
                let members = json!({ "crv": "Ed25519", "kty": "OKP", "x": base64url(&public) });
                (Pair::Ed25519(pair), ParsedPublicKey::new(&ED25519, &public), members)
            }
            Algorithm::PS256 | Algorithm::RS256 => {
                let pair =
                    RsaKeyPair::from_pkcs8(pkcs8).map_err(|error| anyhow!("not an RSA key: {error}"))?;
                let public = pair.public_key();
                let members = json!({
                    "e": base64url(public.exponent().big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": base64url(public.modulus().big_endian_without_leading_zero()),
                });
                let accepts = if algorithm == Algorithm::PS256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                let parsed = ParsedPublicKey::new(accepts, public.as_ref());
                (Pair::Rsa(pair), parsed, members)
            }
        };
        let public = public.map_err(|error| anyhow!("the public key is refused: {error}"))?;
        // The members above are the required ones in lexical order, as RFC 7638 §3.2 wants them hashed.
        let kid = base64url(&sha256(members.to_string().as_bytes()));
        let mut jwk = members;
        jwk["alg"] = json!(algorithm);
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        Ok(Self { kid, algorithm, pair, public, jwk })
    }

    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half as a JWK (RFC 7517): public members only.
    #[must_use]
    pub const fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Signs claims into a compact JWS.
    pub fn sign(&self, typ: TokenType, claims: &Claims) -> Result<String> {
        let header = Header { alg: self.algorithm, typ, kid: self.kid.clone() };
        let mut token = base64url(&serde_json::to_vec(&header)?);
        token.push('.');
        token.push_str(&base64url(&serde_json::to_vec(claims)?));
        let signature = self.sign_bytes(token.as_bytes())?;
        token.push('.');
        token.push_str(&base64url(&signature));
        Ok(token)
    }

    fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>> {
        let failed = |_| anyhow!("signing failed");
        let rng = SystemRandom::new();
        Ok(match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&rng, message).map_err(failed)?.as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let encoding: &'static dyn signature::RsaEncoding =
                    if self.algorithm == Algorithm::PS256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &rng, message, &mut out).map_err(failed)?;
                out
            }
        })
    }
}

/// A token that is shaped like one of ours, and not yet believed in anything.
#[derive(Debug)]
pub struct Unverified<'a> {
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

    /// The claims, once the signature holds under this key and its algorithm. Times, issuer, audience
    /// and the session are the caller's to check.
    #[must_use]
    pub fn verify(self, key: &SigningKey) -> Option<Claims> {
        let fits = key.kid == self.kid && key.algorithm == self.algorithm;
        (fits && key.public.verify_sig(self.signed.as_bytes(), &self.signature).is_ok())
            .then_some(self.claims)
    }
}

impl Claims {
    /// Whether the token's own times hold: not expired, and not from the future.
    #[must_use]
    pub fn in_time(&self, now: Timestamp) -> bool {
        self.exp > now.as_seconds() && self.issued_in_time(now)
    }

    /// Whether it is not from the future.
    #[must_use]
    pub fn issued_in_time(&self, now: Timestamp) -> bool {
        self.iat <= now.as_seconds() + CLOCK_SKEW_SECONDS
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            iss: "https://example.test/t/a".into(),
            aud: "https://example.test/t/a".into(),
            sub: "u1".into(),
            exp: 2_000,
            iat: 1_000,
            tenant_id: "t1".into(),
            customer_id: "c1".into(),
            user_id: "u1".into(),
            user_type: "CONSUMER".into(),
            roles: vec!["USER".into()],
            jti: "j1".into(),
            sid: "s1".into(),
            auth_time: 1_000,
            acr: "aal1".into(),
            amr: vec!["pwd".into()],
            client_id: "k1".into(),
        }
    }

    #[test]
    fn R070_every_algorithm_signs_and_verifies_under_its_own_key_only() {
        let keys = Algorithm::ALL.map(key);
        for signer in &keys {
            let token = signer.sign(TokenType::Jwt, &claims()).unwrap();
            for verifier in &keys {
                let verified = Unverified::parse(&token).unwrap().verify(verifier);
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
            let verified = Unverified::parse(&forged).and_then(|token| token.verify(&key));
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
        Unverified::parse(token).and_then(|token| token.verify(key)).is_some()
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

    #[test]
    fn R076_times_are_held_to_ten_seconds_of_skew() {
        let now = Timestamp::from_millis(1_500_000);
        for (ahead, good) in [(-61, true), (0, true), (10, true), (11, false), (61, false)] {
            let claims = Claims { iat: 1_500 + ahead, ..claims() };
            assert_eq!(claims.in_time(now), good, "{ahead}");
        }
        assert!(Claims { exp: 1_501, ..claims() }.in_time(now));
        assert!(!Claims { exp: 1_500, ..claims() }.in_time(now));
    }

    #[test]
    fn R080_a_jwk_shows_public_members_only_and_its_thumbprint_is_its_kid() {
        for algorithm in Algorithm::ALL {
            let key = key(algorithm);
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.jwk().get(private).is_none());
            }
            assert_eq!(key.jwk()["kid"], json!(key.kid()));
            assert_eq!(key.jwk()["alg"], json!(algorithm.as_str()));
        }
    }

    proptest! {
        #[test]
        fn R078_no_text_makes_the_reader_panic(text in ".{0,300}") {
            prop_assert!(Unverified::parse(&text).is_none());
        }
    }
}
