//! The code is held to its own map: the layers of `src/lib.rs`, and who may do what.

mod secrets;
mod stores;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DOMAIN: &str = "// The domain: rules in mod.rs, SQL in store.rs.";
const MADE_OF: &str = "// What the domain is made of.";
const GROUND: &str = "// The ground.";

/// One source file, as far as it is not a test and not a comment.
struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    code: String,
}

impl Source {
    fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How deep the module of this file is: 1 for a module of `lib.rs`.
    fn depth(&self) -> usize {
        let parts = self.path.split('/').count();
        if self.path.ends_with("/mod.rs") { parts - 1 } else { parts }
    }

    fn is_under(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || self.path.starts_with(&format!("{place}/")))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn all_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    all_files(&root(), &mut files);
    files.sort();
    assert!(files.len() > 50, "the sources were not found");
    files
        .into_iter()
        .filter(|file| !file.ends_with("tests.rs"))
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            // Tests stand at a file's foot.
            let text = text.split("\n#[cfg(test)]").next().unwrap();
            let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let path = file.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            Source { path, code: code.join("\n") }
        })
        .collect()
}

/// The map: each group's comment with its modules, from top to bottom.
fn layers() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("lib.rs")).unwrap();
    let mut layers: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if line.starts_with("// ") {
            layers.push((line.to_owned(), Vec::new()));
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            layers.last_mut().expect("a module stands in a group").1.push(name.to_owned());
        }
    }
    layers
}

fn layer_of<'a>(layers: &'a [(String, Vec<String>)], module: &str) -> (usize, &'a str) {
    let found = layers.iter().position(|(_, modules)| modules.iter().any(|name| name == module));
    let index = found.unwrap_or_else(|| panic!("{module} stands in no group of src/lib.rs"));
    (index, &layers[index].0)
}

/// The top-level modules that some code names by `crate::…`, also in braces.
fn used_modules(code: &str) -> BTreeSet<String> {
    let ident = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut used = BTreeSet::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, found)| (at, &code[at + found.len()..])) {
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        used.insert(ident(&item));
                        item.clear();
                        continue;
                    }
                    _ => (),
                }
                item.push(c);
            }
            used.insert(ident(&item));
        } else {
            used.insert(ident(rest));
        }
    }
    used.remove("");
    used
}

/// Which top-level module uses which others. `lib.rs` and `main.rs` stand above all.
fn uses() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut uses: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for source in sources().iter().filter(|source| !source.is_under(&["lib.rs", "main.rs"])) {
        for used in used_modules(&source.code) {
            if used != source.module() {
                uses.entry(source.module().to_owned()).or_default().insert((used, source.path.clone()));
            }
        }
    }
    uses
}

#[test]
fn the_map_names_every_module_and_no_other() {
    let layers = layers();
    let on_map: BTreeSet<_> = layers.iter().flat_map(|(_, modules)| modules.clone()).collect();
    let there: BTreeSet<_> = sources()
        .iter()
        .map(|source| source.module().to_owned())
        .filter(|m| m != "lib" && m != "main")
        .collect();
    assert_eq!(on_map, there);
    for group in [DOMAIN, MADE_OF, GROUND] {
        assert!(layers.iter().any(|(name, _)| name == group), "the tests know a group {group}");
    }
}

#[test]
fn a_module_uses_only_layers_below_its_own() {
    let layers = layers();
    let mut wrong = Vec::new();
    for (module, used) in uses() {
        for (other, file) in used {
            if layer_of(&layers, &other).0 < layer_of(&layers, &module).0 {
                wrong.push(format!("src/{file} uses crate::{other}, which stands above it in src/lib.rs"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn modules_of_one_layer_do_not_go_round_in_circles() {
    let layers = layers();
    let uses = uses();
    for (name, modules) in &layers {
        let within = |module: &str| -> Vec<String> {
            let others = uses.get(module).into_iter().flatten().map(|(other, _)| other.clone());
            others.filter(|other| modules.contains(other)).collect()
        };
        for start in modules {
            let mut seen = BTreeSet::new();
            let mut next = within(start);
            while let Some(module) = next.pop() {
                assert_ne!(&module, start, "{name}: {start} is used by what it uses");
                if seen.insert(module.clone()) {
                    next.extend(within(&module));
                }
            }
        }
    }
}

#[test]
fn nobody_climbs_to_the_root_by_super() {
    for source in sources() {
        let climb = "super::".repeat(source.depth());
        assert!(!source.code.contains(&climb), "src/{}: say crate:: instead of {climb}", source.path);
    }
}

#[test]
fn axum_is_known_at_the_edge_only() {
    let edge = [
        "callers",
        "directory_api",
        "http",
        "listeners",
        "operator_api",
        "public_api",
        "server.rs",
        "sessions_api",
        "token_api",
    ];
    for source in sources().iter().filter(|source| !source.is_under(&edge)) {
        for name in ["axum::", "axum_server", "hyper", "tower_http", "utoipa_axum", "http::Request"] {
            assert!(!source.code.contains(name), "src/{} knows {name}", source.path);
        }
    }
}

#[test]
fn the_domain_takes_now_and_never_sees_the_app() {
    let layers = layers();
    for source in sources().iter().filter(|source| !source.is_under(&["lib.rs", "main.rs"])) {
        let group = layer_of(&layers, source.module()).1;
        if group == DOMAIN {
            for name in [".now()", "Clock", "SharedApp", "&App,", "&App)", "app::"] {
                assert!(!source.code.contains(name), "src/{}: {name} is not for the domain", source.path);
            }
        }
        if [MADE_OF, GROUND].contains(&group) {
            for name in ["SharedApp", "crate::app"] {
                assert!(!source.code.contains(name), "src/{}: {name} is not for it", source.path);
            }
        }
    }
}

#[test]
fn the_time_comes_from_the_clock() {
    for source in sources().iter().filter(|source| source.path != "clock.rs") {
        for name in ["SystemTime", "jiff::", "Utc::now", "Timestamp::now", "UNIX_EPOCH", "current_timestamp"]
        {
            assert!(!source.code.contains(name), "src/{}: {name} belongs into clock.rs", source.path);
        }
        // A clock is made where something starts, and where there is no App to ask.
        let may_make = ["commands", "db/postgres/migrate.rs", "db/sqlite/migrate.rs", "telemetry/metrics.rs"];
        if !source.is_under(&may_make) {
            assert!(!source.code.contains("Clock::system"), "src/{} makes a clock", source.path);
        }
    }
}

#[test]
fn randomness_comes_from_secrets_ids_and_passwords() {
    // Making and using a key needs the library's generator handed to it.
    let may = ["secrets", "ids.rs", "passwords", "access_tokens"];
    for source in sources().iter().filter(|source| !source.is_under(&may)) {
        for name in
            ["rand::", "SystemRandom", "getrandom", "Uuid::new_v", "thread_rng", "RandomState", "random()::"]
        {
            assert!(!source.code.contains(name), "src/{}: {name}", source.path);
        }
    }
}

#[test]
fn a_file_has_400_lines_at_most_and_no_unwrap() {
    for source in sources() {
        let lines = fs::read_to_string(root().join(&source.path)).unwrap();
        let lines = lines.split("\n#[cfg(test)]").next().unwrap().lines().count();
        assert!(lines <= 400, "src/{} has {lines} lines", source.path);
        assert!(!source.code.contains(".unwrap()"), "src/{} unwraps", source.path);
    }
}

/// What verifies tokens and evidence elsewhere knows the server by its wire formats alone, and is held to the same
/// measure.
#[test]
fn what_verifies_elsewhere_is_in_crates_of_its_own() {
    let mut files = Vec::new();
    for name in ["audit", "verifier"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        assert!(!manifest.contains("vestibule = ") && !manifest.contains("path = \"..\""));
        all_files(&folder.join("src"), &mut files);
    }
    assert!(files.len() > 18, "the sources were not found");
    for file in files.iter().filter(|file| !file.ends_with("tests.rs")) {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("\n#[cfg(test)]").next().unwrap();
        assert!(code.lines().count() <= 400, "{} is too long", file.display());
        assert!(!code.contains(".unwrap()"), "{} unwraps", file.display());
    }
}

#[test]
fn the_reader_of_uses_sees_braces_and_plain_paths() {
    let code = "use crate::{a, b::{c, d}, e};\nfn x() { crate::f::g(); }\nuse crate::h::i;";
    assert_eq!(used_modules(code).into_iter().collect::<Vec<_>>(), ["a", "b", "e", "f", "h"]);
}
