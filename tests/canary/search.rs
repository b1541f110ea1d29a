//! A search for very many needles at once: the first eight bytes at every place are looked up.

use std::collections::{BTreeMap, HashMap};

use crate::SHORTEST;
use crate::forms::forms;

/// Bits that say which beginnings no needle has: most places are left by one look.
const BITS: usize = 1 << 26;

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Needle {
    pub bytes: Vec<u8>,
    pub form: &'static str,
    pub what: String,
    pub secret: Vec<u8>,
}

#[derive(Debug)]
pub struct Search {
    needles: Vec<Needle>,
    /// By the first eight bytes.
    beginnings: HashMap<[u8; 8], Vec<usize>>,
    bits: Vec<u64>,
}

impl Search {
    /// For all secrets that are long enough, in all forms; each with what it is.
    #[must_use]
    pub fn new(secrets: &BTreeMap<Vec<u8>, String>) -> Self {
        let long = secrets.iter().filter(|(secret, _)| secret.len() >= SHORTEST);
        let needles = long.flat_map(|(secret, what)| {
            forms(secret).map(move |(form, bytes)| Needle {
                bytes,
                form,
                what: what.clone(),
                secret: secret.clone(),
            })
        });
        let needles: Vec<_> = needles.collect();
        let mut beginnings: HashMap<[u8; 8], Vec<usize>> = HashMap::new();
        let mut bits = vec![0; BITS / 64];
        for (index, needle) in needles.iter().enumerate() {
            let beginning = *needle.bytes.first_chunk().unwrap();
            let bit = bit_of(u64::from_le_bytes(beginning));
            bits[bit >> 6] |= 1 << (bit & 63);
            beginnings.entry(beginning).or_default().push(index);
        }
        Self { needles, beginnings, bits }
    }

    /// How many forms of secrets are searched for.
    #[must_use]
    pub fn forms(&self) -> usize {
        self.needles.len()
    }

    /// Every needle that stands in the text, with its place.
    #[must_use]
    pub fn all_in(&self, text: &[u8]) -> Vec<(&Needle, usize)> {
        let mut found = Vec::new();
        // The last eight bytes that were passed.
        let mut window = 0_u64;
        for (end, byte) in text.iter().enumerate() {
            window = (window >> 8) | (u64::from(*byte) << 56);
            let bit = bit_of(window);
            if (self.bits[bit >> 6] >> (bit & 63)) & 1 == 0 || end < 7 {
                continue;
            }
            let at = end - 7;
            for index in self.beginnings.get(&window.to_le_bytes()).into_iter().flatten() {
                let needle = &self.needles[*index];
                if text[at..].starts_with(&needle.bytes) {
                    found.push((needle, at));
                }
            }
        }
        found
    }
}

/// Which of [`BITS`] stands for a beginning.
fn bit_of(beginning: u64) -> usize {
    usize::try_from(beginning.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 38).unwrap()
}

#[cfg(test)]
#[expect(non_snake_case, reason = "a test that proves a requirement begins with its number")]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn R137_the_search_finds_a_secret_in_every_form_wherever_it_stands() {
        let secret = "pass \"word\"/é+42";
        let (raw, another) = (b"0\x01\xffrandom bytes of a token\x80\x7f\x00.", [0xA5; 32]);
        let other = URL_SAFE_NO_PAD.encode(raw);
        let secrets: BTreeMap<Vec<u8>, String> =
            [secret, &other].map(|secret| (secret.as_bytes().to_vec(), "a secret".to_owned())).into();
        let search = Search::new(&secrets);
        let written = [
            secret.to_owned(),
            serde_json::to_string(secret).unwrap(),
            hex::encode(secret),
            hex::encode_upper(secret),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            hex::encode(secret)
                .as_bytes()
                .chunks(2)
                .fold(String::new(), |text, pair| text + "%" + str::from_utf8(pair).unwrap()),
            other.clone(),
            hex::encode(raw),
        ];
        for text in &written {
            for place in [text.clone(), format!("a line with {text}, and more")] {
                assert!(!search.all_in(place.as_bytes()).is_empty(), "{place}");
            }
        }
        for before in ["", "u", "us", "user:"] {
            let clear = format!("{before}{secret} and more");
            for engine in [STANDARD, URL_SAFE] {
                assert!(!search.all_in(engine.encode(&clear).as_bytes()).is_empty(), "{clear}");
            }
        }
        assert!(
            !search.all_in(&[&b"..."[..], raw, b"..."].concat()).is_empty(),
            "its bytes, as a column holds them"
        );
        for text in ["", "a line with nothing in it", &URL_SAFE_NO_PAD.encode(another), &secret[..9]] {
            assert!(search.all_in(text.as_bytes()).is_empty(), "{text}");
        }
    }
}
