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
    let entries = entries.filter(|path| !path.ends_with("node_modules"));
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { code_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs" || extension == "mjs"))
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
    let folders =
        ["src", "tests/api", "tests/interop", "verifier/src", "verifier/tests", "audit/src", "audit/tests"];
    let folders = folders.into_iter().map(|folder| root.join(folder)).filter(|folder| folder.is_dir());
    for file in folders.flat_map(|folder| code_files(&folder)) {
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

/// A line of `docs/requirements.txt`.
struct Requirement<'a> {
    number: &'a str,
    /// P0, P1 or P2: P0 must be proven by a test.
    priority: &'a str,
    text: &'a str,
}

impl<'a> Requirement<'a> {
    fn parse(line: &'a str) -> Self {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next().unwrap_or_else(|| panic!("{line}: number, priority, text"));
        let [number, priority, text] = std::array::from_fn(|_| next());
        assert!(["P0", "P1", "P2"].contains(&priority), "{line}: P0, P1 or P2 behind the number");
        Self { number, priority, text }
    }

    /// How it is proven; or what fulfils it, or why it does not apply yet.
    fn proof(&self, found: Option<&Found>) -> String {
        let quoted = |names: &BTreeSet<String>| -> Vec<String> {
            names.iter().map(|name| format!("`{name}`")).collect()
        };
        match found {
            Some(found) if !found.tests.is_empty() => quoted(&found.tests).join("<br>"),
            _ if self.text.starts_with("(later)") => "does not apply yet".to_owned(),
            _ if self.text.starts_with("(document)") => "by the document".to_owned(),
            _ if self.text.starts_with("(scripts/test)") => "by a step of `scripts/test`".to_owned(),
            Some(found) => format!("see {}", quoted(&found.places).join(", ")),
            None => "none yet".to_owned(),
        }
    }

    fn needs_a_test(&self) -> bool {
        self.priority == "P0" && !self.text.starts_with('(')
    }
}

fn requirements() -> Vec<Requirement<'static>> {
    TEXTS.lines().filter(|line| line.starts_with('R')).map(Requirement::parse).collect()
}

fn made() -> String {
    let found = found();
    let mut out = "# Requirements\n\n\
         Made by a test from `docs/requirements.txt` and the names of the tests (`UPDATE_DOCS=1 cargo test --test api documents`\n\
         writes it anew); do not edit. A test that bears on a requirement begins with its number; that one is listed does\n\
         not say that it covers every clause. P0 must be proven by a test, or CI fails. Where no test has the number, the\n\
         files are named that mention it. `scripts/requirements` prints this, with a sum.\n"
        .to_owned();
    for line in TEXTS.lines() {
        if let Some(section) = line.strip_prefix("## ") {
            write!(
                out,
                "\n## {section}\n\n| number | priority | requirement | tests |\n| --- | --- | --- | --- |\n"
            )
            .unwrap();
        } else if line.starts_with('R') {
            let row = Requirement::parse(line);
            let proof = row.proof(found.get(row.number));
            writeln!(out, "| {} | {} | {} | {proof} |", row.number, row.priority, row.text).unwrap();
        }
    }
    out
}

#[test]
fn every_requirement_of_the_first_priority_has_a_test_and_every_number_a_line() {
    let found = found();
    let mut numbers = BTreeSet::new();
    for row in requirements() {
        assert!(
            numbers.insert(row.number.to_owned()),
            "{} stands twice in docs/requirements.txt",
            row.number
        );
        let has_test = found.get(row.number).is_some_and(|found| !found.tests.is_empty());
        assert!(has_test || !row.needs_a_test(), "no test is named {}_…: {}", row.number, row.text);
    }
    let missing: Vec<_> = found.keys().filter(|number| !numbers.contains(*number)).collect();
    assert!(missing.is_empty(), "say in docs/requirements.txt what {missing:?} stand for");
    assert!(numbers.len() >= 170, "the requirements were not found");
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
