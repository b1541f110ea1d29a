//! Which tokens are taken, and what they say.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use vestibule_verifier::{Error, Invalid, Verifier};

use crate::issuer::{ISSUER, Issuer, claims, session};
use crate::signer::{ALGORITHMS, Signer, base64url};

async fn refusal(verifier: &Verifier, token: &str) -> Option<Invalid> {
    match verifier.verify(token).await {
        Ok(_) => None,
        Err(Error::Invalid(reason)) => Some(reason),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn R084_a_token_that_passed_every_check_says_what_it_says() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let session = session();
    let mut said = claims(&session);
    said["metadata"] = json!({ "tier": "gold" });
    said["a_claim_of_a_later_version"] = json!([1, { "x": null }]);
    let token = verifier.verify(&issuer.signer.token(&said)).await.unwrap();
    assert_eq!(token.tenant_id(), "tenant-1");
    assert_eq!(token.customer_id(), "customer-1");
    assert_eq!(token.user_id(), "user-1");
    assert_eq!(token.user_type(), "CONSUMER");
    assert_eq!(token.roles(), ["USER"]);
    assert!(token.has_role("USER") && !token.has_role("user") && !token.has_role("ADMIN"));
    assert_eq!(token.session_id(), session);
    assert_eq!(token.token_id(), "token-1");
    assert_eq!(token.client_id(), "key-7");
    assert_eq!((token.acr(), token.amr()), ("aal1", &["pwd".to_owned()][..]));
    let seconds = |name: &str| UNIX_EPOCH + Duration::from_secs(said[name].as_u64().unwrap());
    assert_eq!(token.issued_at(), seconds("iat"));
    assert_eq!(token.authenticated_at(), seconds("auth_time"));
    assert_eq!(token.expires_at(), seconds("exp"));
    assert_eq!(token.metadata().unwrap()["tier"], "gold");
    assert!(!format!("{token:?}").contains("gold"), "metadata may be personal");
}

#[tokio::test]
async fn a_header_has_the_bearer_scheme_in_any_case_and_one_token() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    for good in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER {token}")] {
        assert!(verifier.verify_header(Some(&good)).await.is_ok(), "{good}");
    }
    for missing in [None, Some(""), Some("Bearer"), Some("Basic eDp5"), Some(token.as_str())] {
        let error = verifier.verify_header(missing).await.unwrap_err();
        assert_eq!(error, Error::Invalid(Invalid::Missing), "{missing:?}");
        assert_eq!((error.status(), error.www_authenticate()), (401, Some("Bearer")));
    }
    for odd in [
        format!("Bearer  {token}"),
        format!("Bearer {token} "),
        format!("Bearer {token} {token}"),
        "Bearer ".into(),
    ] {
        let error = verifier.verify_header(Some(&odd)).await.unwrap_err();
        assert_eq!(error, Error::Invalid(Invalid::Shape), "{odd}");
        assert_eq!(error.www_authenticate(), Some("Bearer error=\"invalid_token\""));
    }
}

#[tokio::test]
async fn R070_every_algorithm_verifies_under_its_own_key_only() {
    let issuer = Issuer::start().await;
    let signers = ALGORITHMS.map(|algorithm| Signer::new(algorithm, &format!("key-{algorithm}")));
    issuer.set_keys(&signers.iter().collect::<Vec<_>>());
    let verifier = issuer.verifier().await;
    let claims = claims(&session()).to_string();
    for signer in &signers {
        assert_eq!(refusal(&verifier, &signer.sign(&signer.header().to_string(), &claims)).await, None);
        for other in signers.iter().filter(|other| other.kid != signer.kid) {
            // Signed by one, said to be the other's: by its kid, by its algorithm, by both.
            for (kid, alg) in [
                (&other.kid, signer.algorithm),
                (&signer.kid, other.algorithm),
                (&other.kid, other.algorithm),
            ] {
                let header = json!({ "alg": alg, "typ": "JWT", "kid": kid }).to_string();
                let token = signer.sign(&header, &claims);
                assert_eq!(refusal(&verifier, &token).await, Some(Invalid::Signature), "{header}");
            }
        }
        for alg in ["none", "None", "HS256", "ES384", "es256", ""] {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": signer.kid }).to_string();
            assert_eq!(
                refusal(&verifier, &signer.sign(&header, &claims)).await,
                Some(Invalid::Shape),
                "{alg}"
            );
        }
    }
}

#[tokio::test]
async fn R070_what_was_signed_otherwise_or_not_at_all_is_refused() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let stranger = Signer::new("ES256", &issuer.signer.kid);
    let good = issuer.token(&session());
    assert_eq!(refusal(&verifier, &good).await, None);
    assert_eq!(refusal(&verifier, &stranger.token(&claims(&session()))).await, Some(Invalid::Signature));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut other = claims(&session());
    other["roles"] = json!(["ADMIN"]);
    let swapped = format!("{header}.{}.{signature}", base64url(other.to_string()));
    assert_eq!(refusal(&verifier, &swapped).await, Some(Invalid::Signature));
    assert_eq!(refusal(&verifier, &format!("{signed}.")).await, Some(Invalid::Signature));
    assert_eq!(refusal(&verifier, &format!("{signed}.{}", "A".repeat(86))).await, Some(Invalid::Signature));
}

#[tokio::test]
async fn R072_a_claim_that_is_missing_twice_or_of_another_type_is_refused_however_well_signed() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let header = issuer.signer.header().to_string();
    let good = claims(&session());
    let sign = |claims: &str| issuer.signer.sign(&header, claims);
    assert_eq!(refusal(&verifier, &sign(&good.to_string())).await, None);
    let mut tried = 0;
    for (name, value) in good.as_object().unwrap() {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(
            refusal(&verifier, &sign(&without.to_string())).await,
            Some(Invalid::Claims),
            "without {name}"
        );
        let other_kind = if value.is_string() { json!(1) } else { json!("1773690572") };
        for other in [
            other_kind,
            json!(null),
            json!(1.5),
            json!({}),
            json!([1]),
            json!(true),
            json!([["x"]]),
            json!([null]),
        ] {
            let mut retyped = good.clone();
            retyped[name] = other.clone();
            let refused = refusal(&verifier, &sign(&retyped.to_string())).await;
            assert_eq!(refused, Some(Invalid::Claims), "{name} as {other}");
            tried += 1;
        }
        let text = good.to_string();
        for twice in [
            text.replacen('{', &format!("{{\"{name}\":{value},"), 1),
            format!("{},\"{name}\":{value}}}", text.strip_suffix('}').unwrap()),
        ] {
            assert_eq!(refusal(&verifier, &sign(&twice)).await, Some(Invalid::Claims), "{name} twice");
        }
    }
    assert!(tried > 100);
    for (from, to) in [
        ("\"exp\":1", "\"exp\":1e99,\"x\":1"),
        ("\"iat\":", "\"iat\":-"),
        ("\"exp\":", "\"exp\":99999999999"),
    ] {
        let text = good.to_string().replace(from, to);
        assert_eq!(refusal(&verifier, &sign(&text)).await, Some(Invalid::Claims), "{to}");
    }
    for text in [
        good.to_string().replacen('{', "{\"x\":1,\"x\":1,", 1),
        good.to_string().replacen('{', "{\"x\":{\"y\":1,\"\\u0079\":1},", 1),
        format!("[{good}]"),
        format!("{good} {good}"),
        "null".into(),
        String::new(),
    ] {
        assert_eq!(refusal(&verifier, &sign(&text)).await, Some(Invalid::Claims), "{text}");
    }
    let mut nothing = good.clone();
    nothing["metadata"] = json!(null);
    assert_eq!(refusal(&verifier, &sign(&nothing.to_string())).await, Some(Invalid::Claims));
}

#[tokio::test]
async fn R071_R073_a_header_with_more_less_or_other_is_refused_and_asks_nobody() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let claims = claims(&session()).to_string();
    let asked = issuer.calls("jwks.json");
    for (name, value) in [
        ("jwk", issuer.signer.jwk.clone()),
        ("jku", json!(format!("{}/keys", issuer.address))),
        ("x5u", json!(format!("{}/cert", issuer.address))),
        ("x5c", json!(["MII"])),
        ("crit", json!(["exp"])),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("typ", json!("")),
        ("typ", json!("jwt")),
        ("typ", json!("application/at+jwt")),
        ("typ", json!("secevent+jwt")),
        ("typ", json!(null)),
        ("kid", json!("../key-1")),
        ("kid", json!("key-1\r\nx")),
        ("kid", json!("' or 1=1 --")),
        ("kid", json!("")),
        ("kid", json!("k".repeat(65))),
        ("kid", json!(1)),
        ("alg", json!(["ES256"])),
    ] {
        let mut header = issuer.signer.header();
        header[name] = value.clone();
        let token = issuer.signer.sign(&header.to_string(), &claims);
        assert_eq!(refusal(&verifier, &token).await, Some(Invalid::Shape), "{name}: {value}");
    }
    for name in ["alg", "typ", "kid"] {
        let mut header = issuer.signer.header();
        header.as_object_mut().unwrap().remove(name);
        let token = issuer.signer.sign(&header.to_string(), &claims);
        assert_eq!(refusal(&verifier, &token).await, Some(Invalid::Shape), "without {name}");
    }
    let twice = issuer.signer.header().to_string().replacen('{', "{\"kid\":\"key-1\",", 1);
    assert_eq!(refusal(&verifier, &issuer.signer.sign(&twice, &claims)).await, Some(Invalid::Shape));
    let huge = issuer
        .signer
        .sign(&json!({ "alg": "ES256", "typ": "JWT", "kid": "k".repeat(1 << 20) }).to_string(), &claims);
    assert_eq!(refusal(&verifier, &huge).await, Some(Invalid::TooLong));
    assert_eq!((issuer.calls("jwks.json"), issuer.calls("/keys") + issuer.calls("/cert")), (asked, 0));
    let mut at = issuer.signer.header();
    at["typ"] = json!("at+jwt");
    assert_eq!(refusal(&verifier, &issuer.signer.sign(&at.to_string(), &claims)).await, None);
}

#[tokio::test]
async fn R076_R077_tokens_of_another_time_issuer_or_audience_are_refused() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let now = claims("x")["iat"].as_i64().unwrap();
    for (name, value, refused) in [
        ("iat", json!(now + 8), None),
        ("iat", json!(now + 61), Some(Invalid::Future)),
        ("exp", json!(now), Some(Invalid::Expired)),
        ("exp", json!(now - 1), Some(Invalid::Expired)),
        ("iss", json!("https://id.example.test/t/other"), Some(Invalid::Issuer)),
        ("aud", json!("https://api.example.test"), Some(Invalid::Audience)),
        ("aud", json!([ISSUER]), Some(Invalid::Claims)),
        ("aud", json!([]), Some(Invalid::Claims)),
        // Longer than the feed remembers: what ended it could be forgotten before it dies.
        ("exp", json!(now + 3_601), None),
        ("exp", json!(now + 3_671), Some(Invalid::Lifetime)),
    ] {
        let mut changed = claims(&session());
        changed["iat"] = json!(now);
        changed[name] = value.clone();
        assert_eq!(refusal(&verifier, &issuer.signer.token(&changed)).await, refused, "{name}: {value}");
    }
    let named = Verifier::start(issuer.options().audience("https://api.example.test")).await.unwrap();
    let mut for_it = claims(&session());
    assert_eq!(refusal(&named, &issuer.signer.token(&for_it)).await, Some(Invalid::Audience));
    for_it["aud"] = json!("https://api.example.test");
    assert_eq!(refusal(&named, &issuer.signer.token(&for_it)).await, None);
}

#[tokio::test]
async fn R078_only_one_spelling_of_a_token_is_read() {
    let issuer = Issuer::start().await;
    let verifier = issuer.verifier().await;
    let token = issuer.token(&session());
    assert_eq!(refusal(&verifier, &token).await, None);
    let json = json!({ "payload": "x", "signatures": [] }).to_string();
    for odd in [
        format!("{token}="),
        format!("{token}."),
        format!(".{token}"),
        format!(" {token}"),
        format!("{token}\n"),
        token.replace('.', ".."),
        token.replacen('.', ".\u{200b}", 1),
        token[..token.len() - 1].to_owned(),
        token.replace('.', "="),
        json,
        ".".repeat(8_192),
        String::new(),
        "..".to_owned(),
    ] {
        assert!(refusal(&verifier, &odd).await.is_some(), "{odd}");
    }
    let began = std::time::Instant::now();
    assert_eq!(refusal(&verifier, &".".repeat(1_000_000)).await, Some(Invalid::TooLong));
    assert!(began.elapsed() < Duration::from_millis(50));
    // The last character of 64 bytes carries unused bits: another character there decodes alike elsewhere.
    let last = token.chars().last().unwrap();
    for other in
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain("-_+/=".chars()).filter(|other| *other != last)
    {
        let changed = format!("{}{other}", &token[..token.len() - 1]);
        assert!(refusal(&verifier, &changed).await.is_some(), "{other}");
    }
    // 8 KiB are read, and one byte more is not.
    let mut padded = claims(&session());
    let with = |length: usize, padded: &mut Value| {
        padded["metadata"] = json!({ "x": "x".repeat(length) });
        issuer.signer.token(padded)
    };
    let (mut length, mut longest) = (5_000, with(5_000, &mut padded));
    while with(length + 1, &mut padded).len() <= 8_192 {
        length += 1;
        longest = with(length, &mut padded);
    }
    assert_eq!(refusal(&verifier, &longest).await, None, "{}", longest.len());
    assert_eq!(refusal(&verifier, &with(length + 1, &mut padded)).await, Some(Invalid::TooLong));
}
