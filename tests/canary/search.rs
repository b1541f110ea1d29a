//! A search for very many needles at once: the first eight bytes at every place are looked up.

use std::collections::HashMap;

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
    /// Each needle has eight bytes at least.
    pub fn new(needles: impl Iterator<Item = Needle>) -> Self {
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

    pub fn len(&self) -> usize {
        self.needles.len()
    }

    /// Every needle that stands in the text, with its place.
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
