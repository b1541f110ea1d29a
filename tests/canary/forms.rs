//! The forms in which a secret may be written.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::SHORTEST;

/// Every form once, by its bytes; shorter ones are left out.
pub fn forms(secret: &[u8]) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let mut forms = BTreeMap::new();
    let mut add = |name, bytes: Vec<u8>| {
        forms.entry(bytes).or_insert(name);
    };
    add("plain", secret.to_vec());
    for before in 0..3 {
        add("base64", inner_base64(&STANDARD, secret, before));
        add("base64url", inner_base64(&URL_SAFE, secret, before));
    }
    add("hexadecimal", hex::encode(secret).into_bytes());
    add("hexadecimal", hex::encode_upper(secret).into_bytes());
    add("URL form", url::form_urlencoded::byte_serialize(secret).collect::<String>().into_bytes());
    for digits in [hex::encode(secret), hex::encode_upper(secret)] {
        add("URL form", digits.as_bytes().chunks(2).flat_map(|pair| [b"%", pair].concat()).collect());
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        add("JSON", json.trim_matches('"').as_bytes().to_vec());
        // A random secret as text: its bytes, as a column or a key would hold them.
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(text)
            && bytes.len() >= 16
        {
            add("hexadecimal of its bytes", hex::encode(&bytes).into_bytes());
            add("bytes", bytes);
        }
    }
    forms.into_iter().filter(|(bytes, _)| bytes.len() >= SHORTEST).map(|(bytes, name)| (name, bytes))
}

/// The characters of base64 that depend on the secret alone, where so many bytes, modulo three, stand before it.
fn inner_base64(engine: &impl Engine, secret: &[u8], before: usize) -> Vec<u8> {
    let all = [&[0].repeat(before)[..], secret].concat();
    let text = engine.encode(&all);
    let first = (before * 8).div_ceil(6);
    let last = all.len() * 8 / 6;
    text.as_bytes()[first..last].to_vec()
}
