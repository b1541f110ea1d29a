//! The issuer's keys: a JWK Set (RFC 7517), each key with one algorithm.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use serde::Deserialize;
use serde_json::Value;

use crate::jws::from_base64url;

/// The most keys of a set that are kept; Vestibule publishes eight at most.
const MAX_KEYS: usize = 32;

/// The shortest modulus of an RSA key, in bytes: 128-bit strength (R074).
const RSA_BYTES: usize = 3_072 / 8;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). HMAC is not among them: whoever verifies would be able to sign.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Algorithm {
    ES256,
    #[serde(rename = "EdDSA")]
    EdDsa,
    PS256,
    RS256,
}

/// The public half of one signing key, parsed once.
#[derive(Debug)]
pub struct Key {
    algorithm: Algorithm,
    public: ParsedPublicKey,
}

/// A JWK, as far as it is ours. A private half has no business there.
#[derive(Deserialize)]
struct Jwk {
    kid: String,
    kty: String,
    alg: Algorithm,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<Value>,
}

impl Jwk {
    fn parse(&self) -> Option<Key> {
        if self.d.is_some() || self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |member: &Option<String>| from_base64url(member.as_deref()?).ok();
        let kind = (self.alg, self.kty.as_str(), self.crv.as_deref());
        let public = match kind {
            (Algorithm::ES256, "EC", Some("P-256")) => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                // An uncompressed point (SEC 1 §2.3.3).
                let point = [&[4], &*x, &*y].concat();
                (x.len() == 32 && y.len() == 32)
                    .then(|| ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok())??
            }
            (Algorithm::EdDsa, "OKP", Some("Ed25519")) => {
                ParsedPublicKey::new(&ED25519, bytes(&self.x)?).ok()?
            }
            (Algorithm::PS256 | Algorithm::RS256, "RSA", None) => {
                let accepts = if self.alg == Algorithm::PS256 {
                    &RSA_PSS_2048_8192_SHA256
                } else {
                    &RSA_PKCS1_2048_8192_SHA256
                };
                let parts = RsaPublicKeyComponents { n: bytes(&self.n)?, e: bytes(&self.e)? };
                (parts.n.len() >= RSA_BYTES).then(|| parts.to_parsed_public_key(accepts).ok())??
            }
            _ => return None,
        };
        Some(Key { algorithm: self.alg, public })
    }
}

impl Key {
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }
}

/// The keys that count, by kid.
pub type Keys = HashMap<String, Arc<Key>>;

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// Reads a JWK Set; `None` if it is none. A key that is not understood verifies nothing, and harms no other.
pub fn parse_set(body: &[u8]) -> Option<Keys> {
    let set: JwkSet = serde_json::from_slice(body).ok()?;
    if set.keys.len() > MAX_KEYS {
        return None;
    }
    let mut keys = Keys::new();
    for value in &set.keys {
        let key = Jwk::deserialize(value).ok().and_then(|jwk| Some((jwk.parse()?, jwk.kid)));
        if let Some((key, kid)) = key {
            keys.insert(kid, Arc::new(key));
        } else {
            tracing::warn!(kid = %value["kid"], "a key of the issuer's set is not understood");
        }
    }
    Some(keys)
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use serde_json::json;

    use super::*;

    /// RFC 8037, appendix A.2.
    fn good() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "a", "use": "sig",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    fn known(keys: &[Value]) -> Vec<String> {
        let mut kids: Vec<_> =
            parse_set(json!({ "keys": keys }).to_string().as_bytes()).unwrap().into_keys().collect();
        kids.sort();
        kids
    }

    #[test]
    fn R074_a_key_that_is_weak_private_or_not_understood_is_passed_over_and_harms_no_other() {
        let with = |name: &str, value: Value| {
            let mut key = good();
            key["kid"] = json!("b");
            key[name] = value;
            key
        };
        assert_eq!(known(&[good(), with("x5t", json!("ignored"))]), ["a", "b"]);
        for bad in [
            with("d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
            with("use", json!("enc")),
            with("alg", json!("HS256")),
            with("alg", json!("ES256")),
            with("alg", json!(null)),
            with("kty", json!("oct")),
            with("crv", json!("Ed448")),
            with("x", json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")),
            with("x", json!("11qY")),
            with("kid", json!(7)),
            json!("a string"),
            // The modulus of RFC 7515 A.2 has 2,048 bits.
            json!({ "kty": "RSA", "alg": "RS256", "kid": "b", "e": "AQAB", "n": format!("u{}", "A".repeat(341)) }),
            json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "b", "x": "AA".repeat(16), "y": "AA" }),
        ] {
            assert_eq!(known(&[bad.clone(), good()]), ["a"], "{bad}");
        }
    }

    #[test]
    fn a_set_is_bounded() {
        assert!(parse_set(b"{}").is_none() && parse_set(b"{\"keys\":{}}").is_none());
        assert!(parse_set(b"{\"keys\":[]}").is_some_and(|keys| keys.is_empty()));
        let many = json!({ "keys": vec![good(); MAX_KEYS + 1] });
        assert!(parse_set(many.to_string().as_bytes()).is_none());
    }
}
