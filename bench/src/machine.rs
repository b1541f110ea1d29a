//! What the benchmark ran on.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Words for a reader who wants to compare.
pub fn describe(postgres: bool) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut say = |name: &str, value: Option<String>| {
        facts.insert(name.to_owned(), value.unwrap_or_else(|| "unknown".to_owned()));
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = line_of("/proc/cpuinfo", "model name");
    say(
        "processor",
        model
            .map(|model| format!("{cores} cores of {model}; load generator, server and database share them")),
    );
    let kib = line_of("/proc/meminfo", "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    say("memory", kib.map(|kib| format!("{} GiB", kib / 1024 / 1024)));
    say("kernel", read("/proc/sys/kernel/osrelease"));
    say("load average at the start", read("/proc/loadavg"));
    say("Vestibule", said("git", &["describe", "--always", "--dirty"]));
    say("rustc", said("rustc", &["--version"]));
    if postgres {
        say(
            "PostgreSQL",
            Some("as Debian installs it, its own settings (fsync and synchronous_commit on)".to_owned()),
        );
    }
    facts
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
