//! The configuration: a file and variables give one, or sentences that say what is wrong, and never a secret.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vestibule::config::Config;

/// What a seed has for the database's password.
const PASSWORD: &str = "S3cr3tCanary";

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // Behind a NUL, variables: a name and a value a line. None that would have a file read.
    let (file, variables) = text.split_once('\0').unwrap_or((text, ""));
    let variables = variables.lines().filter_map(|line| line.split_once('='));
    let variables = variables
        .map(|(name, value)| (format!("VESTIBULE_{name}"), value.to_owned()))
        .filter(|(name, _)| !name.contains("_FILE"));
    match Config::parse(Path::new("vestibule.toml"), file, variables) {
        Ok(config) => {
            assert!(!config.effective().is_empty());
            let url = format!(":{PASSWORD}@");
            let is_url = |line: &str| line.starts_with("database_url = \"postgres://") && line.contains(&url);
            if text.matches(PASSWORD).count() == 1 && text.lines().any(is_url) {
                let shown = format!("{config:?}");
                assert!(!shown.contains(&url), "{shown}");
            }
        }
        Err(wrong) => assert!(!wrong.0.is_empty() && wrong.0.iter().all(|problem| !problem.is_empty())),
    }
});
