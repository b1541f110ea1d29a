//! What a process costs: processor time and memory, as Linux tells them in `/proc` (proc(5)).

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// `USER_HZ`: the unit of `/proc/PID/stat`, 100 a second on every Linux that we know.
const TICKS_PER_SECOND: u64 = 100;

/// Does something when it is dropped, and also when this process dies, however it does: so that no server is left behind.
pub struct Janitor(Child);

impl Janitor {
    /// Runs a shell's command then, with these for `$1`, `$2` and so on.
    pub fn who(command: &str, arguments: &[&str]) -> Result<Self> {
        // It waits for the end of its standard input, which comes with the end of this process; a signal to the whole
        // group does not reach it.
        let script = format!("cat >/dev/null; {command}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "janitor"]).args(arguments).process_group(0);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(shell.spawn()?))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Processes whose cost is counted together: a server, or a PostgreSQL server with all its backends.
#[derive(Clone, Debug)]
pub struct Meter {
    roots: Vec<u32>,
}

impl Meter {
    pub fn of(roots: impl IntoIterator<Item = u32>) -> Self {
        Self { roots: roots.into_iter().collect() }
    }

    /// This process.
    pub fn own() -> Self {
        Self::of([std::process::id()])
    }

    /// The processor time so far, of all threads, and of all children that are there or were waited for.
    pub fn cpu(&self) -> Duration {
        let all = processes();
        let ticks = |wanted: &dyn Fn(&Stat) -> bool, of: fn(&Stat) -> u64| -> u64 {
            all.iter().filter(|stat| wanted(stat)).map(of).sum()
        };
        let is_root = |stat: &Stat| self.roots.contains(&stat.pid);
        let is_child = |stat: &Stat| self.roots.contains(&stat.parent) && !self.roots.contains(&stat.pid);
        let sum = ticks(&is_root, |stat| stat.own + stat.waited_for) + ticks(&is_child, |stat| stat.own);
        Duration::from_millis(sum * 1_000 / TICKS_PER_SECOND)
    }
}

struct Stat {
    pid: u32,
    parent: u32,
    own: u64,
    waited_for: u64,
}

fn processes() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold anything.
    let fields: Vec<_> = text.rsplit_once(") ")?.1.split(' ').collect();
    let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        own: number(11)? + number(12)?,
        waited_for: number(13)? + number(14)?,
    })
}

/// A line of a process's memory, in bytes: `VmRSS` now, `VmHWM` at the most since [`forget_peak`].
pub fn memory(pid: u32, line: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib: u64 = found.context("no such line of memory")?.trim().trim_end_matches(" kB").parse()?;
    ensure!(kib > 0, "{line} of process {pid} is nothing");
    Ok(kib * 1024)
}

/// Lets `VmHWM` begin anew.
pub fn forget_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak of memory cannot be reset")
}
