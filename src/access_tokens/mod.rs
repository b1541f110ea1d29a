//! Access tokens: compact JWS (RFC 7515) with one algorithm per key, written and read here only.
//!
//! We read only what we wrote ourselves, so reading is strict to the letter: three parts of canonical
//! base64url, a header with exactly `alg`, `typ` and `kid`, claims with exactly our names and types.
//! Nothing in the header chooses a key or an algorithm; it only has to agree with the key that the
//! tenant lists under that kid (R070, R073, R078; RFC 8725 §3.1).

mod claims;
mod jws;
mod keys;
mod verified;

pub use claims::{CLOCK_SKEW_SECONDS, Claims};
pub use jws::{MAX_TOKEN_BYTES, TokenType, Unverified};
pub use keys::{Algorithm, SigningKey};
pub use verified::VerifiedTokens;

/// What the tests of every part begin with.
#[cfg(test)]
mod samples {
    use super::{Algorithm, Claims, SigningKey};

    pub fn key(algorithm: Algorithm) -> SigningKey {
        SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm).unwrap()).unwrap()
    }

    pub fn claims() -> Claims {
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
            metadata: None,
        }
    }
}
