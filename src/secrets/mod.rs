//! Secrets: the master key file and what is derived from it, random bytes, digests, sealing.

pub mod key_file;
mod master;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

pub use key_file::{EXAMPLE_KEY, KEY_LENGTH};
pub use master::{MasterKey, MasterKeys, RESTORE_KEY};

/// Random bytes from the operating system's generator (R146).
///
/// # Panics
/// If the operating system has no randomness, there is nothing safe left to do.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Has the generator gather its entropy beside whatever else happens at the start: some thirty milliseconds of AWS-LC's
/// timing of the processor. Whoever needs randomness meanwhile waits for that, as they would have by themselves.
pub fn warm_up_randomness() {
    // Best effort: without the thread the first who needs it does it.
    let _ = std::thread::Builder::new().name("randomness".into()).spawn(random::<1>);
}

/// A new secret of 256 bits as 43 characters of base64url.
#[must_use]
pub fn random_text() -> String {
    base64url(&random::<KEY_LENGTH>())
}

/// base64url without padding (RFC 4648 §5, as RFC 7515 §2 has it).
#[must_use]
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding; anything but the one canonical spelling is `None` (R078).
#[must_use]
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// SHA-256. Enough for a secret of 256 random bits: there is nothing to guess.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Whether two digests are equal, in time that does not depend on where they differ (R147).
#[must_use]
pub fn digests_equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
