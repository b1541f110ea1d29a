//! Files that are written once: whole or not at all, and never over another.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Makes a file with this text and mode; fails with `AlreadyExists` if there is one. A crash leaves the
/// whole file or none: an empty master key file would be taken for a lost one.
pub(super) fn create(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}", std::process::id()));
    let draft = Path::new(&draft);
    write(draft, mode, text)?;
    let linked = fs::hard_link(draft, path);
    fs::remove_file(draft)?;
    linked?;
    // The name must be as durable as the text, before anything is sealed under a key that only it holds.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn write(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
}
