//! `vestibule check-config`: everything that can be known to be wrong without starting.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use anyhow::bail;

use super::Global;
use super::start::{breached_passwords, check_database, peppers, runtime};
use crate::config::{Config, Source};
use crate::listeners::Tls;
use crate::secrets::MasterKeys;

pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    match global.config_file() {
        Some(path) => writeln!(out, "# {} and the environment", path.display())?,
        None => writeln!(out, "# the environment; there is no configuration file")?,
    }
    print_effective(&config, out)?;
    for warning in warnings(&config) {
        writeln!(out, "# warning: {warning}")?;
    }
    let (master, mut problems) = problems(&config);
    let database = runtime()?.block_on(check_database(&config, master.as_ref()));
    problems.extend(database.err().map(|error| format!("{error:#}")));
    if !problems.is_empty() {
        bail!("the configuration cannot be served:\n  - {}", problems.join("\n  - "));
    }
    writeln!(out, "# the configuration is good")?;
    Ok(())
}

fn print_effective(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    for entry in config.effective() {
        let unset = entry.value.is_empty() && entry.source == Source::Default;
        let value = if unset { "(not set)" } else { &entry.value };
        writeln!(out, "{:<24} {:<44} # {}", entry.key, value, entry.source)?;
    }
    Ok(())
}

/// What would keep `serve` from starting, the database apart; and the master keys, if there is nothing wrong
/// with them.
fn problems(config: &Config) -> (Option<MasterKeys>, Vec<String>) {
    let mut problems = Vec::new();
    problems.extend(config.public_url().err().map(|error| error.0.concat()));
    let master = config.master_key_file().map_err(|error| error.0.concat());
    let master = master.and_then(|path| MasterKeys::load(path).map_err(|error| format!("{error:#}")));
    let master = master.map_err(|problem| problems.push(problem)).ok();
    problems.extend(Tls::load(config).err().map(|error| format!("{error:#}")));
    problems.extend(peppers(config).err().map(|error| format!("{error:#}")));
    problems.extend(breached_passwords(config).err().map(|error| format!("{error:#}")));
    (master, problems)
}

/// What will work and is likely not meant.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let database = config.effective().iter().find(|entry| entry.key == "database_url");
    if let Some(Source::File(path)) = database.map(|entry| &entry.source) {
        let mode = fs::metadata(path).map_or(0, |facts| facts.permissions().mode() & 0o777);
        if mode & 0o007 != 0 && database.is_some_and(|entry| entry.value.contains("***")) {
            warnings.push(format!(
                "everybody on this machine can read {}, which may hold the database's password; run chmod 640 {0}",
                path.display()
            ));
        }
    }
    if config.allow_plain_http && config.tls_certificate_file.is_none() {
        warnings.push(
            "plain HTTP is allowed off this machine: a proxy must end TLS, and the network behind it be yours".to_owned(),
        );
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if config.hash_threads > cores {
        warnings.push(format!(
            "hash_threads = {} on {cores} cores: they keep {} MiB for ever, and every login is slower without more of \
             them; leave it at 0",
            config.hash_threads,
            config.hash_threads as u64 * u64::from(config.argon2_memory_kib) / 1024
        ));
    }
    if let Some(most) = open_files_limit().filter(|most| *most < config.max_connections + 300) {
        warnings.push(format!(
            "this process may open {most} files, too few for max_connections = {}; raise ulimit -n (LimitNOFILE=)",
            config.max_connections
        ));
    }
    warnings
}

/// How many files this process may hold open, where Linux says it.
fn open_files_limit() -> Option<usize> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> (String, Result<(), String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vestibule.toml");
        fs::write(&path, text).unwrap();
        let config = Config::load(Some(&path), std::iter::empty()).unwrap();
        let mut out = Vec::new();
        print_effective(&config, &mut out).unwrap();
        let (_, problems) = problems(&config);
        let outcome = if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) };
        (String::from_utf8(out).unwrap(), outcome)
    }

    #[test]
    fn what_is_in_effect_is_shown_with_its_source_and_without_secrets() {
        let (text, _) = checked("database_url = \"postgres://u:hunter2@h/v\"\n");
        assert!(text.contains("postgres://***@h/v") && !text.contains("hunter2"), "{text}");
        assert!(text.lines().next().unwrap().contains("/vestibule.toml"), "{text}");
        assert!(
            text.lines().any(|line| line.starts_with("listen ") && line.ends_with("# default")),
            "{text}"
        );
        assert!(text.contains("(not set)"));
    }

    #[test]
    fn everything_that_serve_needs_and_lacks_is_listed_together() {
        let (_, outcome) = checked(
            "database_url = \"sqlite:a\"\ntls_key_file = \"/no/key\"\ntls_certificate_file = \"/no/certificate\"\n",
        );
        let problems = outcome.unwrap_err();
        for part in ["public_url is not set", "master_key_file is not set", "cannot read /no/certificate"] {
            assert!(problems.contains(part), "{problems}");
        }
    }
}
