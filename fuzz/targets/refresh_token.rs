//! Refresh tokens: only what we computed is read, and only as it was computed (R078, R086).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::ids::{SessionId, TenantId};
use vestibule::refresh_tokens::{Binding, compute, parse};
use vestibule::secrets::{MasterKeys, base64url};
use vestibule_fuzz::{altered, master_key_line};

static KEYS: LazyLock<MasterKeys> = LazyLock::new(|| MasterKeys::parse(&master_key_line()).expect("a key"));
static TENANT: LazyLock<TenantId> =
    LazyLock::new(|| TenantId::parse("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b").expect("an id"));
static SESSION: LazyLock<SessionId> =
    LazyLock::new(|| SessionId::parse("0190a1b2-c3d4-7e5f-8a6b-000000000001").expect("an id"));

fn binding() -> Binding<'static> {
    Binding { tenant: &TENANT, session: &SESSION, device: Some("phone"), salt: &[3; 16] }
}

fn check(text: &str, ours: &str) {
    let Some(token) = parse(text) else { return assert_ne!(text, ours) };
    assert_eq!(token.holds(&KEYS, &binding()), text == ours, "{text}");
    // What was read is all there is: the token of the same words is as long, and reads the same.
    let again = Binding { tenant: &token.tenant, session: &token.session, ..binding() };
    let written = compute(&KEYS.current(), &again, token.generation);
    let read = parse(&written).expect("our own token is read");
    assert_eq!(
        (&read.tenant, &read.session, read.generation),
        (&token.tenant, &token.session, token.generation)
    );
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let ours = compute(&KEYS.current(), &binding(), u64::from(*kind));
    match kind % 3 {
        0 => {
            if let Ok(text) = std::str::from_utf8(rest) {
                check(text, &ours);
            }
        }
        1 => {
            if let Some(text) = altered(&ours, rest) {
                check(&text, &ours);
            }
        }
        _ => check(&format!("vrt1.{}", base64url(rest)), &ours),
    }
});
