//! The master keys: what they derive, sign and seal, and how a running server learns of another line.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::key_file::{KEY_LENGTH, KeyFile, KeyLine, new_line};
use super::{base64url, digests_equal, from_base64url};

/// What to do about a master key that is not there.
pub const RESTORE_KEY: &str = "restore its copy; only a new installation makes one, with `vestibule init`";

const FILE: KeyFile = KeyFile { setting: "master_key_file", remedy: RESTORE_KEY };

/// The lines of the master key file: the first is current, the others only read what they once wrote.
///
/// They can be exchanged while requests are answered, so each is handed out shared: whoever makes two things that must
/// be of one line asks for it once.
#[derive(Debug)]
pub struct MasterKeys {
    /// Where they were read; `None`: from a text.
    file: Option<PathBuf>,
    lines: RwLock<Arc<[Arc<MasterKey>]>>,
    /// What digests names; it outlives the line that it came from.
    names: OnceLock<hmac::Key>,
}

/// One line of the master key file, as the keys derived from it (HKDF-SHA-256, RFC 5869), one a purpose.
pub struct MasterKey {
    id: String,
    refresh_mac: hmac::Key,
    name_mac: Zeroizing<[u8; KEY_LENGTH]>,
    cursor_mac: hmac::Key,
    pair_mac: hmac::Key,
    columns: RandomizedNonceKey,
    /// Tells this line from another of the same id.
    fingerprint: Zeroizing<[u8; KEY_LENGTH]>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({}, …)", self.id)
    }
}

impl MasterKeys {
    /// Reads a master key file, and refuses one that others may read or whose keys are not keys.
    pub fn load(path: &Path) -> Result<Self> {
        let lines = FILE.load(path)?;
        let keys = Self::of(&lines).with_context(|| format!("master_key_file {}", path.display()))?;
        Ok(Self { file: Some(path.to_owned()), ..keys })
    }

    /// Reads lines of `id:base64url(32 bytes)`; empty lines and lines that begin with `#` are passed over.
    pub fn parse(text: &str) -> Result<Self> {
        Self::of(&FILE.parse(text)?)
    }

    fn of(lines: &[KeyLine]) -> Result<Self> {
        let keys = lines.iter().map(|line| Ok(Arc::new(MasterKey::derive(line)?)));
        Ok(Self { file: None, lines: RwLock::new(keys.collect::<Result<_>>()?), names: OnceLock::new() })
    }

    /// The text of a new master key file with one line.
    #[must_use]
    pub fn generate() -> Zeroizing<String> {
        Zeroizing::new(format!(
            "# Vestibule's master key: keep it secret, keep a copy, use the same file on every node.\n\
             # The first line is current; older lines below it only read what they once wrote.\n\
             {}",
            *new_line().1
        ))
    }

    fn lines(&self) -> Arc<[Arc<MasterKey>]> {
        Arc::clone(&self.lines.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that new things are made with.
    #[must_use]
    pub fn current(&self) -> Arc<MasterKey> {
        Arc::clone(&self.lines()[0])
    }

    /// The ids of all lines, the current one first.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.lines().iter().map(|key| key.id.clone()).collect()
    }

    /// The key that something was made with, as a caller says; `None` once it is out of the file.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<MasterKey>> {
        self.lines().iter().find(|key| key.id == id).cloned()
    }

    /// The key that a row of the database names. One that is not known is looked for in the file at once: another node
    /// may have made it current a moment ago (R152). Not for an id that a caller sent: it reads a file.
    #[must_use]
    pub fn find_stored(&self, id: &str) -> Option<Arc<MasterKey>> {
        self.find(id).or_else(|| {
            // Whatever is wrong with the file is told by its next regular reading.
            if let Ok(Some(there)) = self.reread() {
                self.learn(&there);
            }
            self.find(id)
        })
    }

    /// Takes in lines that are new, for reading alone: which one is current does not change here.
    fn learn(&self, there: &Self) {
        let mut lines = self.lines.write().unwrap_or_else(PoisonError::into_inner);
        let new: Vec<_> =
            there.lines().iter().filter(|key| !lines.iter().any(|old| old.id == key.id)).cloned().collect();
        let (first, others) = lines.split_at(1);
        *lines = [first, &new, others].concat().into();
    }

    /// What the file holds now; `None` where that is what is in use, or where there is no file.
    ///
    /// # Errors
    /// As [`MasterKeys::load`], and if an id has another key than it had.
    pub fn reread(&self) -> Result<Option<Self>> {
        let Some(path) = &self.file else { return Ok(None) };
        let there = Self::load(path)?;
        let (was, is) = (self.lines(), there.lines());
        for key in is.iter() {
            let other = was.iter().find(|old| old.id == key.id).filter(|old| !old.is_same(key));
            ensure!(
                other.is_none(),
                "master_key_file {}: id {} has another key than before; give the new key a new id",
                path.display(),
                key.id
            );
        }
        Ok((!was.iter().map(|key| &key.id).eq(is.iter().map(|key| &key.id))).then_some(there))
    }

    /// Uses these lines from now on. Whoever calls this has proved that they open the database.
    pub fn adopt(&self, new: &Self) {
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = new.lines();
    }

    /// What stands in the database for a name that nobody has: people type passwords there (R143).
    #[must_use]
    pub fn name_digest(&self, name: &str) -> String {
        let tag = match self.names.get() {
            Some(key) => hmac::sign(key, name.as_bytes()),
            None => hmac::sign(&hmac_key(&*self.current().name_mac), name.as_bytes()),
        };
        base64url(&tag.as_ref()[..16])
    }

    /// The current line's key for names, sealed for the place where all nodes keep the one they use.
    ///
    /// # Errors
    /// Encrypting failed.
    pub fn seal_name_key(&self, place: &str) -> Result<String> {
        self.seal(place, &*self.current().name_mac)
    }

    /// Digests names from now on by this key, whichever line is current: a new one forgets no failures.
    ///
    /// # Errors
    /// As [`MasterKeys::open`].
    pub fn use_name_key(&self, place: &str, sealed: &str) -> Result<()> {
        let key = hmac_key(&self.open(place, sealed)?);
        let _ = self.names.set(key);
        Ok(())
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
        Ok(format!("{}{}", Self::sealed_prefix(&key.id), base64url(&bytes)))
    }

    /// What every column begins with that is sealed under this line.
    #[must_use]
    pub fn sealed_prefix(id: &str) -> String {
        format!("v1.{id}.")
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
        let key = self.find_stored(id).with_context(|| {
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
    fn derive(line: &KeyLine) -> Result<Self> {
        let root = Salt::new(HKDF_SHA256, b"vestibule/1").extract(&*line.key);
        let derive = |label: &'static str| -> Result<Zeroizing<[u8; KEY_LENGTH]>> {
            let mut out = Zeroizing::new([0; KEY_LENGTH]);
            root.expand(&[label.as_bytes()], Length)
                .and_then(|okm| okm.fill(&mut *out))
                .map_err(|_| anyhow::anyhow!("deriving {label} failed"))?;
            Ok(out)
        };
        Ok(Self {
            id: line.id.clone(),
            refresh_mac: hmac_key(&*derive("refresh-token")?),
            name_mac: derive("throttled-name")?,
            cursor_mac: hmac_key(&*derive("cursor")?),
            pair_mac: hmac_key(&*derive("failed-pair")?),
            columns: RandomizedNonceKey::new(&AES_256_GCM, &*derive("sealed-column")?)
                .map_err(|_| anyhow::anyhow!("the column key is refused"))?,
            fingerprint: derive("fingerprint")?,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        digests_equal(&*self.fingerprint, &*other.fingerprint)
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

    /// What tells one failed guess from another: of whom (in parts), and by which password. So few bits that even with
    /// this key they single out no password: of a million guesses they leave some for every wrong one.
    #[must_use]
    pub fn pair_digest(&self, who: [&str; 2], password: &str) -> [u8; 3] {
        let mut context = hmac::Context::with_key(&self.pair_mac);
        for part in who.into_iter().chain([password]) {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 3];
        digest.copy_from_slice(&context.sign().as_ref()[..3]);
        digest
    }
}

fn hmac_key(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
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
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::{EXAMPLE_KEY, random_text};
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
    fn R152_a_line_that_another_node_added_is_learnt_for_reading_and_taken_up_at_the_next_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let write = |text: &str| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let (old, new) = (format!("a:{}\n", random_text()), format!("b:{}\n", random_text()));
        write(&old);
        let keys = MasterKeys::load(&path).unwrap();
        let (digest, kept) = (keys.name_digest("nobody"), keys.seal_name_key("names").unwrap());
        keys.use_name_key("names", &kept).unwrap();
        assert_eq!(keys.name_digest("nobody"), digest, "the one that there was before any was kept");
        assert!(keys.reread().unwrap().is_none());
        write(&format!("{new}{old}"));
        assert!(keys.find("b").is_none(), "what a caller names reads no file");
        let elsewhere = MasterKeys::load(&path).unwrap();
        let sealed = elsewhere.seal("place", b"secret").unwrap();
        assert_eq!(&**keys.open("place", &sealed).unwrap(), b"secret");
        assert_eq!(keys.ids(), ["a", "b"], "for reading alone");
        keys.adopt(&keys.reread().unwrap().unwrap());
        assert_eq!((keys.ids(), keys.current().id()), (vec!["b".to_owned(), "a".to_owned()], "b"));
        assert_eq!(keys.name_digest("nobody"), digest, "a new line forgets no failures");
        elsewhere.use_name_key("names", &kept).unwrap();
        assert_eq!(elsewhere.name_digest("nobody"), digest, "on any node");
        write(&format!("b:{}\n{old}", random_text()));
        let message = format!("{:#}", keys.reread().unwrap_err());
        assert!(message.contains("id b has another key than before"), "{message}");
        assert!(MasterKeys::parse(&old).unwrap().reread().unwrap().is_none());
    }

    #[test]
    fn R149_a_master_key_is_not_shown() {
        let text = random_text();
        let keys = MasterKeys::parse(&format!("a:{text}")).unwrap();
        assert!(!format!("{keys:?}").contains(&text));
    }
}
