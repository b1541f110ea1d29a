//! Tests that need a process of their own to kill or to watch: the test binary runs itself again.

use std::path::Path;
use std::process::{Command, Stdio};

const ROLE: &str = "VESTIBULE_TEST_CHILD";

/// What this process is asked to do, if it is a child.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A command that runs `test` of this binary as a child with a role.
pub fn child(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    add_child(&mut command, test, role);
    command
}

/// The same, watched by strace, which writes what it sees to `trace`.
pub fn traced_child(test: &str, role: &str, trace: &Path, options: &[&str]) -> Command {
    let found = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "strace is needed to prove what reaches the disk: install it (apt-get install strace)"
    );
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-o"]).arg(trace).args(options).arg(std::env::current_exe().unwrap());
    add_child(&mut command, test, role);
    command
}

fn add_child(command: &mut Command, test: &str, role: &str) {
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
}

/// Runs a child's work.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}
