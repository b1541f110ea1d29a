//! What the targets share.

/// The line of a master key file, of a key that looks random enough to be let in.
#[must_use]
pub fn master_key_line() -> String {
    let key: Vec<u8> = (0..32_u8).map(|at| at.wrapping_mul(151) ^ 0x5A).collect();
    format!("k1:{}", vestibule::secrets::base64url(&key))
}

/// Alters a text, as the rest of a fuzzer's input says: pairs of a position and what to put there, where NUL
/// takes the byte away and what is above 127 puts another one before it. `None` where no text comes of it.
#[must_use]
pub fn altered(text: &str, edits: &[u8]) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits.chunks_exact(3).take(16) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (bytes.len() + 1);
        match edit[2] {
            0 if at < bytes.len() => drop(bytes.remove(at)),
            byte if byte > 127 => bytes.insert(at, byte & 127),
            byte if at < bytes.len() => bytes[at] = byte,
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}
