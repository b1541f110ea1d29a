//! Secrets: the master key file and what is derived from it, random bytes, digests, sealing.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The length of a master key and of every key derived from it, in bytes: 256 bits.
pub const KEY_LENGTH: usize = 32;

/// What the documentation shows; a server that finds it refuses to start (R145).
pub const EXAMPLE_KEY: &str = "ZXhhbXBsZS1rZXktZG8tbm90LXVzZS1pdC1hbnl3aGU";

/// What to do about a master key that is not there.
pub const RESTORE_KEY: &str = "restore its copy; only a new installation makes one, with `vestibule init`";

/// What a line of the master key file is.
const KEY_LINE: &str = "`id:key`: an id of 1 to 16 letters and digits, a colon, and 32 random bytes in base64url (43 characters)";

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

/// The lines of the master key file: the first is current, the others only read what they once wrote.
#[derive(Debug)]
pub struct MasterKeys {
    keys: Vec<MasterKey>,
}

/// One line of the master key file, as the keys derived from it (HKDF-SHA-256, RFC 5869), one a purpose.
pub struct MasterKey {
    id: String,
    refresh_mac: hmac::Key,
    name_mac: hmac::Key,
    cursor_mac: hmac::Key,
    columns: RandomizedNonceKey,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({}, …)", self.id)
    }
}

impl MasterKeys {
    /// Reads a master key file, and refuses one that others may read or whose keys are not keys.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let metadata = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                bail!("master_key_file {shown}: is not there; {RESTORE_KEY}")
            }
            other => other.with_context(|| format!("master_key_file {shown}: cannot be read"))?,
        };
        ensure!(!metadata.is_dir(), "master_key_file {shown}: is a folder; name the file that holds the key");
        let mode = metadata.permissions().mode() & 0o777;
        ensure!(
            mode.trailing_zeros() >= 6,
            "master_key_file {shown}: its mode is {mode:04o}, so others may read it; run `chmod 600 {shown}`"
        );
        let text = Zeroizing::new(
            fs::read_to_string(path).with_context(|| format!("master_key_file {shown}: cannot be read"))?,
        );
        Self::parse(&text).with_context(|| format!("master_key_file {shown}"))
    }

    /// Reads lines of `id:base64url(32 bytes)`; empty lines and lines that begin with `#` are passed over.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys: Vec<MasterKey> = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = MasterKey::parse_line(line).with_context(|| format!("line {number}"))?;
            ensure!(
                keys.iter().all(|other| other.id != key.id),
                "line {number}: id {} is there twice",
                key.id
            );
            keys.push(key);
        }
        ensure!(!keys.is_empty(), "it holds no key; {RESTORE_KEY}");
        Ok(Self { keys })
    }

    /// The text of a new master key file with one line.
    #[must_use]
    pub fn generate() -> Zeroizing<String> {
        let key = Zeroizing::new(random::<KEY_LENGTH>());
        let id = format!("{:08x}", u32::from_be_bytes(random()));
        Zeroizing::new(format!(
            "# Vestibule's master key: keep it secret, keep a copy, use the same file on every node.\n\
             # The first line is current; older lines below it only read what they once wrote.\n\
             {id}:{}\n",
            base64url(&*key)
        ))
    }

    /// The key that new things are made with.
    #[must_use]
    pub fn current(&self) -> &MasterKey {
        &self.keys[0]
    }

    /// The key that something was made with; `None` once it is out of the file.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Encrypts a column (AES-256-GCM) under the current key. `place` says which row and column it is
    /// for, so that it opens nowhere else.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<String> {
        let key = self.current();
        let mut sealed = plain.to_vec();
        let nonce = key
            .columns
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| anyhow::anyhow!("encrypting {place} failed"))?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.extend_from_slice(&sealed);
        Ok(format!("v1.{}.{}", key.id, base64url(&bytes)))
    }

    /// The id of the master key that a column is sealed under.
    #[must_use]
    pub fn id_in(sealed: &str) -> Option<&str> {
        sealed.split('.').nth(1)
    }

    /// Decrypts what [`MasterKeys::seal`] made for the same place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let [version, id, body] = sealed.split('.').collect::<Vec<_>>()[..] else {
            bail!("{place}: not a sealed column")
        };
        ensure!(version == "v1", "{place}: unknown sealing {version}");
        let key = self.find(id).with_context(|| {
            format!("{place}: sealed under master key {id}, which the file no longer has")
        })?;
        let mut bytes = Zeroizing::new(from_base64url(body).context("not base64url")?);
        ensure!(bytes.len() > NONCE_LEN, "{place}: too short");
        let nonce = Nonce::try_assume_unique_for_key(&bytes[..NONCE_LEN])
            .map_err(|_| anyhow::anyhow!("{place}: no nonce"))?;
        let plain = key
            .columns
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut bytes[NONCE_LEN..])
            .map_err(|_| anyhow::anyhow!("{place}: does not open: another key, another place, or altered"))?;
        Ok(Zeroizing::new(plain.to_vec()))
    }
}

impl MasterKey {
    fn parse_line(line: &str) -> Result<Self> {
        let (id, key) = line.split_once(':').with_context(|| format!("expected {KEY_LINE}"))?;
        ensure!(
            (1..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "the id must be 1 to 16 letters and digits; a line is {KEY_LINE}"
        );
        ensure!(key != EXAMPLE_KEY, "that is the documentation's example key; {RESTORE_KEY}");
        let bytes = from_base64url(key)
            .with_context(|| format!("the key is not base64url without padding; a line is {KEY_LINE}"))?;
        let bytes = Zeroizing::new(bytes);
        ensure!(
            bytes.len() == KEY_LENGTH,
            "the key has {} bytes and must have {KEY_LENGTH} random ones; a line is {KEY_LINE}",
            bytes.len()
        );
        let distinct = bytes.iter().collect::<std::collections::HashSet<_>>().len();
        // 32 random bytes have at least 20 distinct values, but for one file in 10^10.
        ensure!(distinct >= 16, "the key is not random: only {distinct} of its 32 bytes differ");
        Self::derive(id, &bytes)
    }

    fn derive(id: &str, bytes: &[u8]) -> Result<Self> {
        let root = Salt::new(HKDF_SHA256, b"vestibule/1").extract(bytes);
        let derive = |label: &'static str| -> Result<Zeroizing<[u8; KEY_LENGTH]>> {
            let mut out = Zeroizing::new([0; KEY_LENGTH]);
            root.expand(&[label.as_bytes()], Length)
                .and_then(|okm| okm.fill(&mut *out))
                .map_err(|_| anyhow::anyhow!("deriving {label} failed"))?;
            Ok(out)
        };
        Ok(Self {
            id: id.to_owned(),
            refresh_mac: hmac::Key::new(hmac::HMAC_SHA256, &*derive("refresh-token")?),
            name_mac: hmac::Key::new(hmac::HMAC_SHA256, &*derive("throttled-name")?),
            cursor_mac: hmac::Key::new(hmac::HMAC_SHA256, &*derive("cursor")?),
            columns: RandomizedNonceKey::new(&AES_256_GCM, &*derive("sealed-column")?)
                .map_err(|_| anyhow::anyhow!("the column key is refused"))?,
        })
    }

    /// The line's id: it stands in refresh tokens and sealed columns.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// HMAC-SHA-256 under the refresh tokens' key.
    #[must_use]
    pub fn refresh_mac(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.refresh_mac, message)
    }

    /// Whether the tag is the one of the message, in constant time.
    #[must_use]
    pub fn refresh_mac_holds(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.refresh_mac, message, tag).is_ok()
    }

    /// HMAC-SHA-256 under the cursors' key (R056).
    #[must_use]
    pub fn cursor_mac(&self, message: &[u8]) -> hmac::Tag {
        hmac::sign(&self.cursor_mac, message)
    }

    /// Whether the tag is the one of the message, in constant time.
    #[must_use]
    pub fn cursor_mac_holds(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.cursor_mac, message, tag).is_ok()
    }

    /// What stands in the database for a name that nobody has: people type passwords there (R143).
    #[must_use]
    pub fn name_digest(&self, name: &str) -> String {
        base64url(&hmac::sign(&self.name_mac, name.as_bytes()).as_ref()[..16])
    }
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        format!("{:#}", MasterKeys::parse(text).unwrap_err())
    }

    #[test]
    fn R145_a_key_that_is_short_or_an_example_or_not_random_is_refused() {
        assert!(refusal("").contains("no key"));
        assert!(refusal("a:c2hvcnQ").contains("has 5 bytes and must have 32"));
        assert!(refusal(&format!("a:{EXAMPLE_KEY}")).contains("example key"));
        assert!(refusal(&format!("a:{}", base64url(&[7; 32]))).contains("not random"));
        assert!(refusal(&format!("a b:{}", random_text())).contains("the id must be"));
        assert!(refusal(&random_text()).contains("expected `id:key`"));
        let line = format!("a:{}", random_text());
        assert!(refusal(&format!("{line}\n{line}")).contains("line 2: id a is there twice"));
    }

    #[test]
    fn R145_a_key_file_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        fs::write(&path, MasterKeys::generate().as_bytes()).unwrap();
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let message = format!("{:#}", MasterKeys::load(&path).unwrap_err());
            assert!(message.contains("chmod 600"), "{message}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        MasterKeys::load(&path).unwrap();
        let folder = format!("{:#}", MasterKeys::load(dir.path()).unwrap_err());
        assert!(folder.contains("is a folder"), "{folder}");
    }

    #[test]
    fn a_sealed_column_opens_only_in_its_own_place_and_after_a_rotation() {
        let old = format!("a:{}", random_text());
        let before = MasterKeys::parse(&old).unwrap();
        let sealed = before.seal("t1/k1", b"private").unwrap();
        let after = MasterKeys::parse(&format!("b:{}\n{old}", random_text())).unwrap();
        assert_eq!(&**after.open("t1/k1", &sealed).unwrap(), b"private");
        assert!(after.open("t2/k1", &sealed).is_err());
        let stranger = MasterKeys::parse(&format!("a:{}", random_text())).unwrap();
        assert!(stranger.open("t1/k1", &sealed).is_err());
    }

    #[test]
    fn R149_a_master_key_is_not_shown() {
        let text = random_text();
        let keys = MasterKeys::parse(&format!("a:{text}")).unwrap();
        assert!(!format!("{keys:?}").contains(&text));
    }
}
