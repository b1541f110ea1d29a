//! No kind of event is forgotten by the tests: its word stands in one, between quotes. What that proves of it is the test's to say.
//! And the word is in the form of the OWASP logging vocabulary.

use std::fs;
use std::path::{Path, PathBuf};

use vestibule::events::EventName;

/// The words that the vocabulary has itself; the others are ours, of what it has no word for.
const OWASP: [&str; 10] = [
    "authn_login_success",
    "authn_login_fail",
    "authn_login_lock",
    "authn_password_change",
    "authn_password_change_fail",
    "authn_token_reuse",
    "session_expired",
    "user_created",
    "user_updated",
    "privilege_permissions_changed",
];

fn texts(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((path.clone(), fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn R136_the_word_of_every_kind_of_event_stands_in_a_test_and_has_the_vocabularys_form() {
    let mut files = Vec::new();
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api"), &mut files);
    files.retain(|(path, _)| !path.ends_with("audit/coverage.rs"));
    assert!(files.len() > 100, "the tests were not found");
    for name in EventName::ALL {
        let word = name.as_str();
        let quoted = [format!("\"{word}\""), format!("'{word}'"), format!("name = '{word}")];
        let looked_at = files.iter().any(|(_, text)| quoted.iter().any(|word| text.contains(word)));
        assert!(looked_at, "no test names {word}");
        let (what, happened) = word.split_once('_').unwrap();
        assert!(!what.is_empty() && !happened.is_empty());
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
    }
    for word in OWASP {
        assert!(EventName::parse(word).is_some(), "{word} was renamed: readers know it by this word");
    }
}
