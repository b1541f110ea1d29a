//! Keys of all algorithms, and tokens that only their holder could make.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "PS256", "RS256"];

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

pub struct Signer {
    pair: Pair,
    pub kid: String,
    pub algorithm: &'static str,
    pub jwk: Value,
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub fn new(algorithm: &'static str, kid: &str) -> Self {
        let (pair, mut jwk) = match algorithm {
            "ES256" => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y) });
                (Pair::Ecdsa(pair), jwk)
            }
            "EdDSA" => {
                let pair = Ed25519KeyPair::generate().unwrap();
                let jwk =
                    json!({ "kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref()) });
                (Pair::Ed25519(pair), jwk)
            }
            _ => {
                let der: aws_lc_rs::encoding::Pkcs8V1Der<'static> =
                    rsa::KeyPair::generate(KeySize::Rsa3072).unwrap().as_der().unwrap();
                let pair = RsaKeyPair::from_pkcs8(der.as_ref()).unwrap();
                let public = pair.public_key();
                let jwk = json!({
                    "kty": "RSA",
                    "n": base64url(public.modulus().big_endian_without_leading_zero()),
                    "e": base64url(public.exponent().big_endian_without_leading_zero()),
                });
                let encoding: &'static dyn RsaEncoding =
                    if algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                (Pair::Rsa(pair, encoding), jwk)
            }
        };
        jwk["alg"] = json!(algorithm);
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        Self { pair, kid: kid.to_owned(), algorithm, jwk }
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.kid })
    }

    /// Signs any texts as header and claims.
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims));
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", base64url(signature))
    }

    /// Signs claims under the usual header.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    fn signature(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair, encoding) => {
                let mut out = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &rng, message, &mut out).unwrap();
                out
            }
        }
    }
}
