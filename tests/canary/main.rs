//! The search of the canary run (R137): all that the suite has left in the folder that is named is searched for every
//! secret of its ledgers, in plain and in every form in which one is written (`scripts/canary`).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "part of the tests: one that panics has failed")]
#![expect(clippy::print_stdout, reason = "it is what it is for")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use vestibule_canary::SHORTEST;
use vestibule_canary::search::Search;

/// As `tests/api/support/canary.rs` plants it.
const PLANTED: &str = "planted-canary-5d0c7b1e93a24f68";

/// As `tests/api/support/canary.rs` calls what is nobody's secret, wherever a test shows it: ids, tenant keys, cursors.
const PUBLIC: &str = "public";

/// Of the project, what everybody may read: a secret that stands there, such as the demo's, is an example.
const PUBLISHED: [&str; 3] = ["docs/openapi.json", "docs/openapi-operator.json", "README.md"];

/// What tests show in a secret's place and may be found: each with the reason. Nothing else.
const EXCEPTIONS: [(&str, &str); 5] = [
    ("abcdefghijklmnop", "letters in their order, as every base64 reader has them"),
    ("acme-login", "cut from a tenant key, which is public"),
    ("acme-login-", "the same"),
    (" SecurePass123!", "the demo's published password, with a blank before it"),
    ("nobody's password", "words in the made-up hash of those who never log in"),
];

/// The secrets of all ledgers, and what each was; without what is public.
fn secrets(folder: &Path) -> BTreeMap<Vec<u8>, String> {
    let (mut secrets, mut public) = (BTreeMap::new(), HashSet::new());
    for file in files(folder).iter().filter(|name| name.starts_with("ledger-")) {
        for line in fs::read_to_string(folder.join(file)).unwrap().lines() {
            let (text, what) = line.split_once('\t').unwrap();
            let bytes = hex::decode(text).unwrap();
            if what == PUBLIC {
                public.insert(bytes);
            } else {
                secrets.insert(bytes, what.to_owned());
            }
        }
    }
    secrets.retain(|secret, _| !public.contains(secret));
    let published = published(&secrets);
    secrets.retain(|secret, _| !published.contains(secret));
    secrets
}

/// Of the secrets, those that stand in what is published, as they are.
fn published(secrets: &BTreeMap<Vec<u8>, String>) -> HashSet<Vec<u8>> {
    let search = Search::new(secrets);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let texts = PUBLISHED.iter().map(|name| fs::read(root.join(name)).unwrap());
    let found = texts.flat_map(|text| {
        let found = search.all_in(&text).into_iter().map(|(needle, _)| needle);
        found.filter(|needle| needle.form == "plain").map(|needle| needle.secret.clone()).collect::<Vec<_>>()
    });
    found.collect()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What was searched, and what was found.
#[derive(Default)]
struct Outcome {
    /// Bytes, by the kind of file.
    kinds: BTreeMap<String, usize>,
    /// How often the planted secret was seen.
    planted: usize,
    /// Each once for its kind of file.
    found: BTreeMap<(String, Vec<u8>), String>,
}

impl Outcome {
    fn look_at(&mut self, file: &str, text: &[u8], search: &Search) {
        let kind = file.split('-').next().unwrap();
        *self.kinds.entry(kind.to_owned()).or_default() += text.len();
        for (needle, at) in search.all_in(text) {
            if needle.secret == PLANTED.as_bytes() {
                self.planted += 1;
            } else if !is_excepted(&needle.secret) {
                let around = &text[at.saturating_sub(120)..(at + needle.bytes.len() + 60).min(text.len())];
                let around = String::from_utf8_lossy(around);
                let (what, form) = (&needle.what, needle.form);
                self.found.entry((kind.to_owned(), needle.secret.clone())).or_insert_with(|| {
                    let shown = String::from_utf8_lossy(&needle.secret);
                    format!("{file} at {at}: {shown:?}, {what} ({form}): …{}…", around.escape_debug())
                });
            }
        }
    }

    /// A search that could have found nothing proves nothing.
    fn must_have_seen_something(&self) {
        let Self { kinds, planted, .. } = self;
        assert!(
            *planted > 0,
            "the planted secret was not found: the search is blind, or the log is not at TRACE"
        );
        for kind in ["log", "answers", "processes", "metrics"] {
            assert!(
                kinds.get(kind).is_some_and(|bytes| *bytes > 1_000),
                "nothing of {kind} is there: {kinds:?}"
            );
        }
        let is_there = |kind| kinds.contains_key(kind);
        assert!(is_there("sqlite") || is_there("postgres"), "no database is there: {kinds:?}");
    }
}

fn is_excepted(secret: &[u8]) -> bool {
    let is_repetition = secret.iter().all(|byte| *byte == secret[0]);
    is_repetition || EXCEPTIONS.iter().any(|(exception, _)| secret == exception.as_bytes())
}

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).expect("the folder to search"));
    let secrets = secrets(&folder);
    assert!(secrets.len() > 100, "the ledgers hold next to nothing");
    let short = secrets.keys().filter(|secret| secret.len() < SHORTEST).count();
    let search = Search::new(&secrets);
    let mut outcome = Outcome::default();
    for file in files(&folder).iter().filter(|name| !name.starts_with("ledger-")) {
        outcome.look_at(file, &fs::read(folder.join(file)).unwrap(), &search);
    }
    outcome.must_have_seen_something();
    for found in outcome.found.values() {
        println!("{found}");
    }
    println!(
        "canary: {} secrets ({short} too short to search for) in {} forms, {} bytes searched {:?}, {} found",
        secrets.len(),
        search.forms(),
        outcome.kinds.values().sum::<usize>(),
        outcome.kinds,
        outcome.found.len()
    );
    assert!(outcome.found.is_empty(), "secrets stand where none may");
}
