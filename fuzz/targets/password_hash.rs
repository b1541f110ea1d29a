//! Password hashes, our own and those that other systems made: none panics, none has two spellings, and none is
//! beyond what we are willing to compute (R036).
#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::passwords::{PasswordHash, imports};

fn check(hash: &PasswordHash) {
    assert_eq!(PasswordHash::parse(hash.as_str()).as_ref(), Ok(hash), "it is stored as it is read");
    assert_eq!(imports::hash(hash.as_str()).as_ref(), Ok(hash), "our own spelling can be imported");
    assert!(hash.as_str().is_ascii() && hash.as_str().len() <= 256);
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(hash) = PasswordHash::parse(text) {
        assert_eq!(hash.as_str(), text, "a stored hash has one spelling");
        check(&hash);
    }
    if let Ok(hash) = imports::hash(text) {
        check(&hash);
    }
    // A Keycloak credential is two documents.
    if let Some((secret, parameters)) = text.split_once('\n')
        && let Ok(hash) = imports::keycloak(secret, parameters)
    {
        check(&hash);
    }
});
