//! `docs/requirements.md`: what the R-numbers mean, and which tests prove each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::is_current;

const TEXTS: &str = include_str!("../../../docs/requirements.txt");

/// The requirement numbers in a text: an R with three digits that is not the tail of a word.
pub fn numbers(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('R').filter_map(|(at, _)| {
        let number = text.get(at..at + 4)?;
        let digit = |character: char| character.is_ascii_digit();
        let alone = !text[..at].ends_with(char::is_alphanumeric) && !text[at + 4..].starts_with(digit);
        (alone && number[1..].chars().all(digit)).then_some(number)
    })
}

fn code_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { code_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

/// What the code says of one requirement.
#[derive(Default)]
struct Found {
    tests: BTreeSet<String>,
    /// The files that name it otherwise.
    places: BTreeSet<String>,
}

fn found() -> BTreeMap<String, Found> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for file in
        ["src", "tests", "audit", "verifier"].into_iter().flat_map(|folder| code_files(&root.join(folder)))
    {
        let place = file.strip_prefix(root).unwrap().display().to_string();
        for line in fs::read_to_string(&file).unwrap().lines() {
            // Where names are held to lower case, a test's number is too.
            let test = line.trim_start().trim_start_matches("async ").strip_prefix("fn ");
            let test =
                test.filter(|name| numbers(&name[..4.min(name.len())].to_uppercase()).next().is_some());
            let test = test.map(|name| name.split(['(', '<']).next().unwrap());
            let line = test.map_or_else(|| line.to_owned(), str::to_uppercase);
            for number in numbers(&line) {
                let entry = found.entry(number.to_owned()).or_default();
                match &test {
                    Some(test) => entry.tests.insert((*test).to_owned()),
                    None => entry.places.insert(place.clone()),
                };
            }
        }
    }
    found
}

fn made() -> String {
    let found = found();
    let mut out = "# Requirements\n\n\
         Made by a test from `docs/requirements.txt` and the names of the tests (`UPDATE_DOCS=1 cargo test --test api documents`\n\
         writes it anew); do not edit. A test that bears on a requirement begins with its number; that one is listed does\n\
         not say that it covers every clause. Where no test has the number, the files are named that mention it.\n"
        .to_owned();
    let mut texts = BTreeSet::new();
    for line in TEXTS.lines() {
        if let Some(section) = line.strip_prefix("## ") {
            write!(out, "\n## {section}\n\n| number | requirement | tests |\n| --- | --- | --- |\n").unwrap();
        } else if line.starts_with('R') {
            let (number, text) = line.split_once(' ').unwrap();
            assert!(texts.insert(number.to_owned()), "{number} stands twice in docs/requirements.txt");
            let unused = "is named nowhere any more: take it out of docs/requirements.txt";
            let Found { tests, places } = found.get(number).unwrap_or_else(|| panic!("{number} {unused}"));
            let quoted = |names: &BTreeSet<String>| -> Vec<String> {
                names.iter().map(|name| format!("`{name}`")).collect()
            };
            let proof = if tests.is_empty() {
                format!("see {}", quoted(places).join(", "))
            } else {
                quoted(tests).join("<br>")
            };
            writeln!(out, "| {number} | {text} | {proof} |").unwrap();
        }
    }
    let used: BTreeSet<_> = found.into_keys().collect();
    let missing: Vec<_> = used.difference(&texts).collect();
    assert!(missing.is_empty(), "say in docs/requirements.txt what {missing:?} stand for");
    out
}

#[test]
fn docs_requirements_md_says_which_tests_prove_what() {
    is_current("requirements.md", &made());
}

#[test]
fn a_requirement_number_is_an_r_with_three_digits() {
    let text = format!("{0}123, ({0}001) fn {0}060_{0}062_x US{0}456 {0}12 {0}1234", 'R');
    assert_eq!(
        numbers(&text).collect::<Vec<_>>(),
        ["123", "001", "060", "062"].map(|digits| format!("R{digits}"))
    );
}
