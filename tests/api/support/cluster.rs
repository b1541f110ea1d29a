//! PostgreSQL clusters that are thrown away.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A server on a free port of the loopback interface, stopped and removed with the process at the
/// latest, however the process ends.
pub struct Cluster {
    directory: PathBuf,
    port: u16,
    /// Waits for the end of its standard input, which comes with the end of this process.
    janitor: Child,
}

/// The cluster that all tests share that need PostgreSQL and do not find one in the environment.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| Cluster::start(&[]))
}

impl Cluster {
    /// Starts a cluster with additional settings.
    pub fn start(settings: &[&str]) -> Self {
        Self::start_with(settings, |_| ())
    }

    /// Starts a cluster whose data directory `prepare` has added something to.
    pub fn start_with(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        // A directory of its own that nobody but its owner may enter, as PostgreSQL wants it.
        let home = TempDir::with_prefix("vestibule-postgres-").unwrap().keep();
        let directory = home.join("data");
        let copied = Command::new("cp").arg("-a").arg(initialised()).arg(&directory).status();
        assert!(copied.unwrap().success(), "copying the fresh cluster");
        prepare(&directory);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = fs::read_to_string(directory.join("postgresql.conf")).unwrap();
        for setting in [
            "listen_addresses = '127.0.0.1'",
            &format!("port = {port}"),
            "unix_socket_directories = ''",
            "fsync = off",
            "max_connections = 200",
        ]
        .iter()
        .chain(settings)
        {
            text.push_str(setting);
            text.push('\n');
        }
        fs::write(directory.join("postgresql.conf"), text).unwrap();
        give_away(&home);

        let stop = format!(
            "cat >/dev/null; '{}' -D '{}' -m immediate -s stop; rm -rf '{}'",
            program("pg_ctl").display(),
            directory.display(),
            home.display()
        );
        let janitor = unprivileged(Path::new("sh"))
            .args(["-c", &stop])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal to the whole group of the test must not reach the janitor.
            .process_group(0)
            .spawn()
            .unwrap();
        let cluster = Self { directory, port, janitor };
        cluster.resume();
        cluster
    }

    /// The URL of a maintenance database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server as an administrator would who is in a hurry.
    pub fn stop(&self) {
        self.pg_ctl(&["-m", "fast", "stop"]);
    }

    /// Starts the server again.
    pub fn resume(&self) {
        let log = self.directory.join("log");
        self.pg_ctl(&["-l", log.to_str().unwrap(), "start"]);
    }

    /// Kills the server with all its processes, as a power cut would; [`Cluster::resume`] starts it again.
    pub fn crash(&self) {
        // The first process first: it would start the others anew.
        self.signal("KILL");
    }

    /// Stops all its processes where they stand, and closes nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.directory.join("postmaster.pid")).unwrap();
        let first = pid.lines().next().unwrap().to_owned();
        let all = [vec![first.clone()], children_of(&first)].concat();
        for pid in &all {
            // One that has ended meanwhile is no matter.
            let _ = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid} 2>/dev/null")).status();
        }
        if name == "KILL" {
            // Until they are gone it would not start again.
            while all.iter().any(|pid| is_running(pid)) {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            // Whoever has nobody to bury it still has its number, and would be taken for running.
            fs::remove_file(self.directory.join("postmaster.pid")).unwrap();
        }
    }

    fn pg_ctl(&self, arguments: &[&str]) {
        let mut command = unprivileged(&program("pg_ctl"));
        command.arg("-D").arg(&self.directory).args(["-s", "-w"]).args(arguments);
        let status = command.stdout(Stdio::null()).status().unwrap();
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert!(status.success(), "pg_ctl {arguments:?}: {log}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// A data directory that has never been started, made once for all clusters of this process.
fn initialised() -> &'static Path {
    static FRESH: OnceLock<PathBuf> = OnceLock::new();
    FRESH.get_or_init(|| {
        let directory = super::keep().join("initdb");
        fs::create_dir(&directory).unwrap();
        give_away(&directory);
        let output = unprivileged(&program("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&directory)
            .output()
            .unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        directory
    })
}

/// The processes that a process has started.
fn children_of(parent: &str) -> Vec<String> {
    let is_child = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)) == Some(parent)
    };
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_child).collect()
}

/// Whether a process is there and not only waits to be buried.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Whether PostgreSQL's programs are installed here, so that a cluster can be started.
pub fn can_start() -> bool {
    find_program("initdb").is_some()
}

/// PostgreSQL's program of that name, of the newest version that is installed.
fn program(name: &str) -> PathBuf {
    find_program(name).unwrap_or_else(|| {
        panic!("no {name} below /usr/lib/postgresql: install postgresql, or set VESTIBULE_TEST_POSTGRES")
    })
}

fn find_program(name: &str) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop()
}

/// A command that is not run by root, because PostgreSQL refuses that.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = somebody() {
        command.uid(user).gid(group);
    }
    command
}

/// Gives `path` and all that is in it to the user the cluster runs as.
pub fn give_away(path: &Path) {
    if let Some((user, group)) = somebody() {
        let owner = format!("{user}:{group}");
        assert!(Command::new("chown").arg("-R").arg(owner).arg(path).status().unwrap().success());
    }
}

/// If this is root: the user and group to run PostgreSQL as.
fn somebody() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user postgres or nobody"))
}
