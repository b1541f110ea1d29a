//! Tokens whose signature was found to hold: a signature does not change, so it is checked once.

use quick_cache::sync::Cache;

use crate::secrets::sha256;

/// How many are remembered: 32 bytes each and as much again beside it.
const REMEMBERED: usize = 32_768;

/// The SHA-256 of each token that was verified lately, and nothing else of it. A token names its key by the thumbprint
/// of the key's public half (RFC 7638), so its text alone decides whether its signature holds, whoever asks. What else
/// must be true of it (the key still listed, the times, the session) is asked each time.
pub struct VerifiedTokens(Cache<[u8; 32], ()>);

impl Default for VerifiedTokens {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl std::fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VerifiedTokens({} remembered)", self.0.len())
    }
}

impl VerifiedTokens {
    /// Whether the signature holds: as remembered, or as `verify` finds. Only what holds is remembered.
    pub(super) fn holds(&self, token: &str, verify: impl FnOnce() -> bool) -> bool {
        let digest = sha256(token.as_bytes());
        if self.0.get(&digest).is_some() {
            return true;
        }
        let holds = verify();
        if holds {
            self.0.insert(digest, ());
        }
        holds
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::super::samples::{claims, key};
    use super::super::{Algorithm, TokenType, Unverified};
    use super::*;

    #[test]
    fn a_signature_is_verified_once() {
        let (tokens, mut verified) = (VerifiedTokens::default(), 0);
        for _ in 0..3 {
            assert!(tokens.holds("a", || {
                verified += 1;
                true
            }));
        }
        assert_eq!(verified, 1);
    }

    #[test]
    fn R070_a_signature_that_does_not_hold_is_refused_however_often_it_is_shown() {
        let tokens = VerifiedTokens::default();
        for _ in 0..3 {
            assert!(!tokens.holds("a", || false));
        }
    }

    #[test]
    fn R070_a_token_that_differs_in_one_character_from_one_that_was_verified_is_refused() {
        let (tokens, key) = (VerifiedTokens::default(), key(Algorithm::ES256));
        let good = key.sign(TokenType::Jwt, &claims()).unwrap();
        let accepted = |token: &str| Unverified::parse(token)?.verify(&key, &tokens);
        assert!(accepted(&good).is_some());
        for place in 0..good.len() {
            let mut bytes = good.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(accepted(&String::from_utf8(bytes).unwrap()), None, "character {place}");
        }
        assert!(accepted(&good).is_some());
    }

    #[test]
    fn R070_a_token_that_was_verified_is_refused_under_every_other_key() {
        let (tokens, key) = (VerifiedTokens::default(), key(Algorithm::ES256));
        let token = key.sign(TokenType::Jwt, &claims()).unwrap();
        assert!(Unverified::parse(&token).unwrap().verify(&key, &tokens).is_some());
        let other = super::super::samples::key(Algorithm::ES256);
        assert_eq!(Unverified::parse(&token).unwrap().verify(&other, &tokens), None);
    }
}
