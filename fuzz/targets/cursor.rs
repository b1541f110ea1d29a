//! Cursors: only the one that was given out for this very list is taken (R056).
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::http::paging::List;
use vestibule::ids::TenantId;
use vestibule::secrets::{MasterKeys, base64url};
use vestibule_fuzz::{altered, master_key_line};

static KEYS: LazyLock<MasterKeys> = LazyLock::new(|| MasterKeys::parse(&master_key_line()).expect("a key"));
static TENANT: LazyLock<TenantId> =
    LazyLock::new(|| TenantId::parse("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b").expect("an id"));

fuzz_target!(|input: &[u8]| {
    let list = List { master: &KEYS, tenant: &TENANT, query: "users status=active".to_owned() };
    let check = |text: &str| {
        if let Some(position) = list.position(text) {
            assert_eq!(list.cursor(&position), text, "a cursor has one spelling");
        }
    };
    let Some((kind, rest)) = input.split_first() else { return };
    match kind % 3 {
        0 => {
            if let Ok(text) = std::str::from_utf8(rest) {
                check(text);
                let cursor = list.cursor(text);
                assert_eq!(list.position(&cursor).as_deref(), Some(text));
                let other = List { query: text.to_owned(), ..list };
                assert!(text == "users status=active" || other.position(&cursor).is_none());
            }
        }
        1 => {
            let ours = list.cursor("0190a1b2-c3d4-7e5f-8a6b-000000000001");
            if let Some(text) = altered(&ours, rest) {
                assert_eq!(list.position(&text).is_some(), text == ours, "{text}");
            }
        }
        _ => check(&format!("vpc1.k1.{}.{}", base64url(rest), base64url(&[0; 16]))),
    }
});
