//! Files that are written whole or not at all: once and never over another, or in place of what they held. Files that hold
//! a secret.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Makes a file with this text and mode; fails with `AlreadyExists` if there is one. A crash leaves the
/// whole file or none: an empty master key file would be taken for a lost one.
pub(super) fn create(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let draft = draft_of(path);
    write(&draft, mode, text)?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(draft)?;
    linked?;
    // The name must be as durable as the text, before anything is sealed under a key that only it holds.
    sync_folder(path)
}

/// The name of what is to be `path` and is not whole yet.
pub(super) fn draft_of(path: &Path) -> PathBuf {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    PathBuf::from(draft)
}

/// Gives a whole draft its name, durably; fails with `AlreadyExists` if it is taken.
pub(super) fn create_from(draft: &Path, path: &Path) -> io::Result<()> {
    fs::File::open(draft)?.sync_all()?;
    fs::hard_link(draft, path)?;
    sync_folder(path)
}

/// Makes the name of a file durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Another text for a file with a secret, whole and durable beside it, with the owner and the mode that the file has, and not
/// in its place yet. Until it is, or is dropped, a second one is refused.
pub(super) struct Draft {
    path: PathBuf,
    beside: PathBuf,
    _lock: fs::File,
}

impl Draft {
    /// Makes the text from the one that is there.
    pub(super) fn of(
        path: &Path,
        edit: impl FnOnce(&str) -> anyhow::Result<Zeroizing<String>>,
    ) -> anyhow::Result<Self> {
        // What a link names is replaced, not the link.
        let path = fs::canonicalize(path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let shown = path.display();
        let mut file = fs::File::open(&path).with_context(|| format!("{shown}: cannot be read"))?;
        let facts = file.metadata()?;
        let is_alone = file.try_lock().is_ok() && fs::metadata(&path)?.ino() == facts.ino();
        ensure!(is_alone, "{shown}: another command is changing it; wait for its end and try again");
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).with_context(|| format!("{shown}: cannot be read"))?;
        let text = edit(&text)?;
        let made = Self { beside: draft_of(&path), path, _lock: file };
        write_as(&made.beside, &facts, &text).with_context(|| made.failed())?;
        Ok(made)
    }

    /// Puts it in the file's place.
    pub(super) fn place(self) -> anyhow::Result<()> {
        let replaced = fs::rename(&self.beside, &self.path).and_then(|()| sync_folder(&self.path));
        replaced.with_context(|| self.failed())
    }

    fn failed(&self) -> String {
        format!("{}: cannot be replaced; run this as the user who owns it", self.path.display())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it is in its place there is nothing under this name.
        let _ = fs::remove_file(&self.beside);
    }
}

fn write_as(path: &Path, facts: &fs::Metadata, text: &str) -> io::Result<()> {
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(facts.mode() & 0o777).open(path)?;
    let made = file.metadata()?;
    if (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
        fchown(&file, Some(facts.uid()), Some(facts.gid()))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The secret in a file that an option names; refused if everybody on the machine may read it.
pub(super) fn read_secret(option: &str, path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let unreadable = || format!("{option} {shown}: cannot be read");
    let mode = fs::metadata(path).with_context(unreadable)?.permissions().mode() & 0o777;
    ensure!(
        mode.trailing_zeros() >= 3,
        "{option} {shown}: its mode is {mode:04o}, so everybody on this machine may read it; run \
         `chmod 600 {shown}`"
    );
    let text = fs::read_to_string(path).with_context(unreadable)?;
    Ok(SecretString::from(without_line_end(&text).to_owned()))
}

/// A text without the line end that editors and `echo` put behind it.
pub(super) fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_whole_with_its_mode_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, 0o600, "one").unwrap();
        assert_eq!(create(&path, 0o600, "two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_is_replaced_whole_with_its_mode_and_by_one_at_a_time() {
        let edit =
            |path: &Path, edit: &dyn Fn(&str) -> anyhow::Result<Zeroizing<String>>| Draft::of(path, edit);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        create(&path, 0o600, "one").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let two = edit(&link, &|text| Ok(Zeroizing::new(format!("two\n{text}")))).unwrap();
        let error = edit(&path, &|_| panic!("somebody else is at it")).err().unwrap();
        assert!(error.to_string().contains("another command"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one", "not yet");
        two.place().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\none");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let other = edit(&path, &|_| anyhow::bail!("not today"));
        assert_eq!(other.err().unwrap().to_string(), "not today");
        drop(edit(&path, &|_| Ok(Zeroizing::new("three".into()))).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\none");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no draft is left");
    }
}
