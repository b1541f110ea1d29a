//! Where randomness comes from, and how secrets are compared.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Source, all_files, root};

/// All sources, also behind a file's `mod tests;`, which is where others end.
fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    all_files(&root(), &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let source = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let text = text.split("\nmod tests {").next().unwrap();
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        Source { path, code: code.join("\n") }
    };
    files.iter().filter(|file| !file.ends_with("tests.rs")).map(source).collect()
}

/// Generators that are none for secrets, and every way around ours.
const GENERATORS: [&str; 13] = [
    "rand::",
    "rand_core",
    "fastrand",
    "oorandom",
    "SmallRng",
    "StdRng",
    "ThreadRng",
    "thread_rng",
    "OsRng",
    "getrandom",
    "RandomState",
    "/dev/urandom",
    "random()::",
];

#[test]
fn R146_random_bytes_come_from_the_operating_systems_generator_by_way_of_secrets_and_ids() {
    // Making and using a key needs the library's generator handed to it, and `passwords` stands beside `secrets`.
    let may = ["secrets", "access_tokens", "passwords"];
    for source in sources() {
        for name in GENERATORS {
            let theirs = source.is_under(&may) && name == "rand::";
            assert!(theirs || !source.code.contains(name), "src/{}: {name}", source.path);
        }
        let makes_ids = source.path == "ids.rs";
        assert!(makes_ids || !source.code.contains("Uuid::new_v"), "src/{} makes a UUID", source.path);
        let by_the_library = source.code.contains("aws_lc_rs::rand") || !source.code.contains("rand::");
        assert!(by_the_library || source.code.contains("aws_lc_rs::{"), "src/{}", source.path);
    }
    // With `fast-rng`, UUIDs would come from a generator in the process.
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest.split("[dev-dependencies]").next().unwrap();
    for name in ["fast-rng", "\nrand ", "\nrand_", "\nfastrand", "\ngetrandom", "\noorandom"] {
        assert!(!dependencies.contains(name), "Cargo.toml: {name}");
    }
}

#[test]
fn R146_what_is_secret_is_no_uuid() {
    let names = ["secret", "token", "password", "salt", "nonce", "challenge"];
    for source in sources() {
        for line in
            source.code.lines().filter(|line| line.contains("random_uuid()") || line.contains("::random()"))
        {
            let target = line.split('=').next().unwrap().to_lowercase();
            let binds = !target.contains('(') && names.iter().any(|name| target.contains(name));
            assert!(!binds, "src/{}: {line}", source.path);
        }
    }
}

/// What holds a secret, or what tells a right one from a wrong one.
const SECRETS: [&str; 6] = ["expose_secret()", "digest", "secret", ".tag", ".mac", "hash("];

/// Where two things are compared that the same caller has sent, or an operator sets: what is learned of the one is
/// known of the other.
const OF_ONE_CALLER: [(&str, &str); 7] = [
    ("commands/first_tenant.rs", "password.expose_secret() != again"),
    // A file's, between two readings of it.
    ("commands/user/import.rs", "read == *digest"),
    ("directory_api/credentials.rs", "new.expose_secret() != matching"),
    ("directory_api/new_password.rs", "matching.map"),
    ("flows/change_password.rs", "normalise(request.current"),
    ("flows/redeem_reset.rs", "new.expose_secret() == secret.expose_secret()"),
    ("tenants/keys/mod.rs", "secret == key"),
];

/// Comparisons that name what they compare like a secret and compare none: names of digests, ids, a self-test.
fn compares_a_name(line: &str) -> bool {
    ["name()", "len()", ".is_some()", ".is_none()", "== None", "algorithm", "\"", "'"]
        .iter()
        .any(|word| line.contains(word))
}

#[test]
fn R147_secrets_are_compared_by_the_constant_time_functions_alone() {
    let mut allowed = 0;
    for source in sources() {
        let lines: Vec<_> = source.code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            if !line.contains(" == ") && !line.contains(" != ") || compares_a_name(line) {
                continue;
            }
            // A comparison may be broken over lines.
            let whole = lines[number.saturating_sub(1)..=number].join(" ");
            if OF_ONE_CALLER.iter().any(|(path, part)| source.path == *path && whole.contains(part)) {
                allowed += 1;
                continue;
            }
            let lower = line.to_lowercase();
            let secret = SECRETS.iter().find(|word| lower.contains(**word));
            assert!(
                secret.is_none(),
                "src/{}: {line} compares {secret:?} by its first difference",
                source.path
            );
        }
    }
    assert_eq!(allowed, OF_ONE_CALLER.len(), "an exception is none any more");
}

/// Whatever tells a right secret from a wrong one does it by one of these: that a file calls one, not that it calls no other;
/// that is the test above.
#[test]
fn R147_each_file_that_checks_a_secret_calls_a_comparison_in_constant_time() {
    let comparisons = ["ct_eq(", "hmac::verify(", "digests_equal("];
    let compares = |source: &Source| comparisons.iter().any(|name| source.code.contains(name));
    let found: Vec<_> = sources().into_iter().filter(compares).map(|source| source.path).collect();
    for (path, what) in [
        ("http/paging.rs", "a cursor's MAC"),
        ("passwords/foreign/mod.rs", "an imported hash"),
        ("passwords/worker.rs", "a hash of ours"),
        ("secrets/master.rs", "the MACs of refresh tokens and cursors"),
        ("secrets/mod.rs", "digests"),
        ("tenants/keys/mod.rs", "a tenant's secret"),
    ] {
        assert!(found.iter().any(|file| file == path), "src/{path} compares {what} in another way");
    }
}
