//! Credentials that are not well formed open nothing (R129), though the good one is in them: at every operation that asks
//! for one, in Authorization and in cookies.

use super::callers::{Caller, Party};
use super::rows::unchanged;
use super::world::World;
use super::{Permission, operations};
use crate::support::app::TestTenant;
use crate::support::calls::Call;
use crate::support::dice::Dice;

/// Good credentials, in every dress that is not theirs.
fn malformed(token: &str, tenant: &TestTenant, dice: &mut Dice) -> Vec<Vec<u8>> {
    let good = Call::get("/").basic(&tenant.backend_key, &tenant.backend_secret);
    let basic = String::from_utf8(good.headers[0].1.clone()).unwrap();
    let basic = basic.strip_prefix("Basic ").unwrap();
    let of_parts = |name: &[u8], password: &[u8]| {
        use base64::Engine;
        let text = [name, b":", password].concat();
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
    };
    let (key, secret) = (tenant.backend_key.as_bytes(), tenant.backend_secret.as_bytes());
    let middle = token.len() / 2;
    let mut values: Vec<Vec<u8>> = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic :".to_owned(),
        "Basic Og==".to_owned(),
        token.to_owned(),
        basic.to_owned(),
        format!("Bearer\t{token}"),
        format!("Bearer{token}"),
        format!("Bearer:{token}"),
        format!("Bearer={token}"),
        format!("Token {token}"),
        format!("JWT {token}"),
        format!("Bearers {token}"),
        format!(", Bearer {token}"),
        format!("Bearer {token} x"),
        format!("Bearer {token},"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token}\t{token}"),
        format!("Bearer \"{token}\""),
        format!("Bearer token={token}"),
        format!("Bearer {token}%20"),
        format!("Bearer {token}="),
        format!("Bearer {token}."),
        format!("Bearer .{token}"),
        format!("Bearer {token}\u{a0}"),
        format!("Bearer \u{feff}{token}"),
        format!("Bearer {}", token.to_uppercase()),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Bearer {}", &token[1..]),
        format!("Bearer {} {}", &token[..middle], &token[middle..]),
        format!("Basic {token}"),
        format!("Bearer {basic}"),
        format!("Basic {basic}="),
        format!("Basic {basic}x"),
        format!("Basic =={basic}"),
        format!("Basic {}", basic.to_lowercase()),
        format!("Basic {} {}", &basic[..8], &basic[8..]),
        format!("Basic \"{basic}\""),
        format!("Basic {basic}, Basic {basic}"),
        format!("Basic {}", "A".repeat(8_000)),
        of_parts(key, b""),
        of_parts(b"", secret),
        of_parts(key, &[secret, b" "].concat()),
        of_parts(key, &[secret, b"\0"].concat()),
        of_parts(key, &[secret, b"\n"].concat()),
        of_parts(&[b" ", key].concat(), secret),
        of_parts(&[key, b"\xff"].concat(), secret),
        of_parts(b"\xff\xfe", b"\xff"),
    ]
    .map(String::into_bytes)
    .to_vec();
    // The good one with a byte of it, or of its scheme, made another.
    for good in [format!("Bearer {token}"), format!("Basic {basic}")] {
        for _ in 0..10 {
            let mut bytes = good.clone().into_bytes();
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap();
            // What stands for obs-text, for which nothing of ours has a use (RFC 9110 §5.5).
            bytes[at] = u8::try_from(0x80 + dice.below(0x80)).unwrap();
            values.push(bytes);
        }
    }
    for _ in 0..10 {
        let length = dice.below(64);
        let byte = |dice: &mut Dice| u8::try_from(0x20 + dice.below(0xe0)).unwrap();
        values.push((0..length).map(|_| byte(dice)).filter(|byte| *byte != 0x7f).collect());
    }
    values
}

#[tokio::test]
async fn R129_malformed_credentials_open_no_operation_and_change_nothing() {
    let world = World::new().await;
    let seed = 129;
    let mut dice = Dice::new(seed);
    let mut asked = 0;
    for operation in &operations() {
        let permission = operation.permission();
        let good = match permission {
            // These ask for nothing in Authorization, and read nothing of it.
            Permission::Open
            | Permission::Public
            | Permission::Secret
            | Permission::Login(_)
            | Permission::Refresh(_) => continue,
            Permission::Own(family) => world.person(family).await.token,
            Permission::Operator => world.operator.clone(),
            _ => world.app.staff(&world.acme, &["ADMIN"]).await.token,
        };
        asked += 1;
        let nobody = Party::new(&world, Caller::Nobody).await;
        let own = world.own(operation, &nobody).await;
        let before = world.rows.all(&world.app).await;
        let call = world.request(operation, &own, &Vec::new()).await.tenant(&world.acme.slug);
        for value in malformed(&good, &world.acme, &mut dice) {
            let answer = world.send(operation, call.clone().and("authorization", &value)).await;
            let shown = String::from_utf8_lossy(&value).into_owned();
            let status = answer.status.as_u16();
            assert!(
                [400, 401].contains(&status),
                "{} with {shown:?} (seed {seed}): {status} {}",
                operation.id,
                answer.text
            );
            assert!(!answer.text.contains(&good), "{}: the answer repeats the credential", operation.id);
        }
        // Cookies are nobody's credentials here, whatever is in them, and never instead of a header.
        let cookies = [
            format!("token={good}; accessToken={good}; sessionId={}", own.session),
            format!("Authorization=Bearer {good}"),
            "\u{feff}=; ;;=".to_owned(),
        ];
        for cookie in cookies {
            let answer = world.send(operation, call.clone().and("cookie", &cookie)).await;
            assert_eq!(answer.status.as_u16(), 401, "{} with a cookie: {}", operation.id, answer.text);
            let both = call.clone().and("cookie", &cookie).and("authorization", "Bearer x");
            let answer = world.send(operation, both).await;
            assert_eq!(answer.status.as_u16(), 401, "{} with both: {}", operation.id, answer.text);
        }
        let answer = world.send(operation, call.clone().and("cookie", b"\xff\xfe;\x80")).await;
        assert_eq!(answer.status.as_u16(), 401, "{} with bytes in a cookie: {}", operation.id, answer.text);
        unchanged(&before, &world.rows.all(&world.app).await, &operation.id);
    }
    assert!(asked >= 60, "{asked} operations");
}
