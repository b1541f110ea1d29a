//! The algorithms, and a tenant's signing key with both halves.

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

use crate::secrets::{base64url, sha256};

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1). HMAC is not among them: whoever verifies
/// would be able to sign (R074).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256, the default.
    ES256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA with PSS.
    PS256,
    /// RSA with PKCS #1 v1.5, for verifiers that know nothing else.
    RS256,
}

impl Algorithm {
    pub const ALL: [Self; 4] = [Self::ES256, Self::EdDsa, Self::PS256, Self::RS256];

    /// The name in a header's `alg` and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::PS256 => "PS256",
            Self::RS256 => "RS256",
        }
    }

    /// `None` for any other spelling: names of algorithms have one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
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

    /// The public key's thumbprint (RFC 7638).
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

    pub(super) fn sign_bytes(&self, message: &[u8]) -> Result<Vec<u8>> {
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

    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.verify_sig(message, signature).is_ok()
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::super::samples::key;
    use super::*;

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
}
