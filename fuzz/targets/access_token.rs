//! Access tokens: what we did not sign is never believed, however it is spelled (R070, R078).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::access_tokens::{Algorithm, Claims, SigningKey, TokenType, Unverified, VerifiedTokens};
use vestibule::secrets::base64url;
use vestibule_fuzz::altered;

/// Of Ed25519: its signatures are the same each time, so that what is found is found again.
static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    // A private key in PKCS #8 (RFC 8410 §7), of a seed that is no secret.
    let mut pkcs8 = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    pkcs8.extend_from_slice(&[7; 32]);
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key")
});

static TOKEN: LazyLock<String> = LazyLock::new(|| {
    let text = |text: &str| text.to_owned();
    let claims = Claims {
        iss: text("https://id.example.test/t/a"),
        aud: text("https://id.example.test/t/a"),
        sub: text("u"),
        exp: 2_000,
        iat: 1_000,
        tenant_id: text("t"),
        customer_id: text("c"),
        user_id: text("u"),
        user_type: text("CONSUMER"),
        roles: vec![text("USER")],
        jti: text("j"),
        sid: text("s"),
        auth_time: 1_000,
        acr: text("aal1"),
        amr: vec![text("pwd")],
        client_id: text("k"),
        metadata: None,
    };
    KEY.sign(TokenType::Jwt, &claims).expect("a token")
});

/// Of all inputs: what was verified once must not let anything else in.
static VERIFIED: LazyLock<VerifiedTokens> = LazyLock::new(VerifiedTokens::default);

fn is_believed(token: &str) -> bool {
    Unverified::parse(token).and_then(|token| token.verify(&KEY, &VERIFIED)).is_some()
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 3 {
        // A text, as it came.
        0 => {
            if let Ok(text) = std::str::from_utf8(rest) {
                assert!(!is_believed(text) || text == *TOKEN);
            }
        }
        // Our own token, altered.
        1 => {
            if let Some(text) = altered(&TOKEN, rest) {
                assert_eq!(is_believed(&text), text == *TOKEN, "{text}");
            }
        }
        // A header and claims of the fuzzer's own, for what is behind base64, under a signature of ours.
        _ => {
            let mut parts = rest.splitn(2, |byte| *byte == 0);
            let (header, claims) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let signature = TOKEN.rsplit('.').next().expect("three parts");
            let text = format!("{}.{}.{signature}", base64url(header), base64url(claims));
            if let Some(unverified) = Unverified::parse(&text) {
                let _read = (unverified.kid().len(), unverified.claimed_tenant().len());
            }
            assert!(!is_believed(&text) || text == *TOKEN);
        }
    }
});
