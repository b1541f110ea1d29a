//! The search of the canary run (R137): all that the suite has left in the folder that `VESTIBULE_CANARY` names is searched
//! for every secret of its ledgers, in plain and in every form in which one is written (`scripts/canary`).
#![expect(non_snake_case, reason = "a test that proves a requirement begins with its number")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what it is for")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use vestibule_canary::forms::forms;
use vestibule_canary::search::{Needle, Search};

/// As `tests/api/support/canary.rs` plants it.
const PLANTED: &str = "planted-canary-5d0c7b1e93a24f68";

/// What is shorter is found by chance, or is a word: these are counted and not searched for.
const SHORTEST: usize = 10;

/// As `tests/api/support/canary.rs` calls what is nobody's secret, wherever a test shows it: ids, tenant keys, cursors.
const PUBLIC: &str = "public";

/// Of the project, what everybody may read: a secret that stands there, such as the demo's, is an example.
const PUBLISHED: [&str; 3] = ["docs/openapi.json", "docs/openapi-operator.json", "README.md"];

/// What may be found, by the kind of file and the secret itself; each with the reason. Nothing else.
const EXCEPTIONS: [(&str, &str, &str); 0] = [];

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
    let published = published();
    let is_published = |secret: &[u8]| published.iter().any(|text| stands_in(secret, text));
    secrets.retain(|secret, _| !public.contains(secret) && !is_published(secret));
    secrets
}

fn published() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    PUBLISHED.iter().map(|name| fs::read(root.join(name)).unwrap()).collect()
}

fn stands_in(part: &[u8], text: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn search_for(secrets: &BTreeMap<Vec<u8>, String>) -> Search {
    let long = secrets.iter().filter(|(secret, _)| secret.len() >= SHORTEST);
    Search::new(long.flat_map(|(secret, what)| {
        forms(secret).map(move |(form, bytes)| Needle {
            bytes,
            form,
            what: what.clone(),
            secret: secret.clone(),
        })
    }))
}

#[test]
fn R137_R086_no_secret_of_the_whole_suite_stands_in_logs_answers_errors_metrics_or_databases() {
    let Some(folder) = std::env::var_os("VESTIBULE_CANARY") else { return };
    let folder = Path::new(&folder);
    let secrets = secrets(folder);
    let short = secrets.keys().filter(|secret| secret.len() < SHORTEST).count();
    let search = search_for(&secrets);
    let (mut bytes, mut kinds, mut planted) = (0, BTreeMap::<String, usize>::new(), 0);
    let mut found = BTreeMap::new();
    for file in files(folder).iter().filter(|name| !name.starts_with("ledger-")) {
        let kind = file.split('-').next().unwrap();
        let text = fs::read(folder.join(file)).unwrap();
        bytes += text.len();
        *kinds.entry(kind.to_owned()).or_default() += text.len();
        for (needle, at) in search.all_in(&text) {
            if needle.secret == PLANTED.as_bytes() {
                planted += 1;
                continue;
            }
            let is_excepted = EXCEPTIONS
                .iter()
                .any(|(place, secret, _)| kind == *place && needle.secret == secret.as_bytes());
            if !is_excepted {
                let around = &text[at.saturating_sub(120)..(at + needle.bytes.len() + 60).min(text.len())];
                found.entry((kind.to_owned(), needle.secret.clone())).or_insert_with(|| {
                    let (what, form) = (&needle.what, needle.form);
                    format!(
                        "{file} at {at}: {what} ({form}): …{}…",
                        String::from_utf8_lossy(around).escape_debug()
                    )
                });
            }
        }
    }
    let mut out = std::io::stderr();
    writeln!(
        out,
        "canary: {} secrets ({short} too short to search for) in {} forms, {bytes} bytes searched {kinds:?}, {} found",
        secrets.len(),
        search.len(),
        found.len()
    )
    .unwrap();
    assert!(planted > 0, "the planted secret was not found: the search is blind, or the log is not at TRACE");
    for kind in ["log", "answers", "processes", "metrics"] {
        assert!(kinds.get(kind).is_some_and(|bytes| *bytes > 1_000), "nothing of {kind} is there: {kinds:?}");
    }
    assert!(
        kinds.contains_key("sqlite") || kinds.contains_key("postgres"),
        "no database is there: {kinds:?}"
    );
    assert!(secrets.len() > 100, "the ledgers hold next to nothing");
    let found: Vec<_> = found.into_values().collect();
    assert!(found.is_empty(), "{} secrets stand where none may:\n{}", found.len(), found.join("\n"));
}

#[test]
fn R137_the_search_finds_a_secret_in_every_form_wherever_it_stands() {
    let secret = "pass \"word\"/é+42";
    let (raw, another) = (b"0\x01\xffrandom bytes of a token\x80\x7f\x00.", [0xA5; 32]);
    let other = URL_SAFE_NO_PAD.encode(raw);
    let secrets: BTreeMap<Vec<u8>, String> =
        [secret, &other].map(|secret| (secret.as_bytes().to_vec(), "a secret".to_owned())).into();
    let search = search_for(&secrets);
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
