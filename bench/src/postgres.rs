//! A PostgreSQL server of the benchmark's own, durable as it comes, that is thrown away.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::process::Janitor;

/// A running server; stopped and removed when this is dropped.
pub struct Postgres {
    directory: PathBuf,
    port: u16,
    _janitor: Janitor,
}

impl Postgres {
    /// Makes a cluster with PostgreSQL's own settings in a folder of `within`, and starts it.
    pub fn start(within: &Path) -> Result<Self> {
        let directory = TempDir::with_prefix_in("postgres-", within)?.keep();
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let stop = "kill -QUIT $(head -n 1 \"$1/data/postmaster.pid\") && sleep 1; rm -rf \"$1\"";
        let janitor = Janitor::who(stop, &[&directory.display().to_string()])?;
        let started = Self { directory, port, _janitor: janitor };
        started.give_away()?;
        let mut initdb = unprivileged(&program("initdb")?)?;
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"]);
        run(initdb.arg(started.data()))?;
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\nmax_connections = 200\n"
        );
        fs::write(started.data().join("postgresql.auto.conf"), settings)?;
        started.pg_ctl(&["start"])?;
        Ok(started)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Makes an empty database and tells its URL.
    pub fn create_database(&self, name: &str) -> Result<String> {
        let mut createdb = unprivileged(&program("createdb")?)?;
        run(createdb.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string(), name]))?;
        Ok(format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", self.port))
    }

    /// Removes a database, whoever is connected to it.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let mut dropdb = unprivileged(&program("dropdb")?)?;
        run(dropdb.args(["-f", "-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string(), name]))
    }

    /// The first of its processes, which has all others for children.
    pub fn pid(&self) -> Result<u32> {
        let text = fs::read_to_string(self.data().join("postmaster.pid"))?;
        Ok(text.lines().next().context("an empty postmaster.pid")?.parse()?)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Result<()> {
        let mut command = unprivileged(&program("pg_ctl")?)?;
        let log = self.data().join("log");
        run(command.arg("-D").arg(self.data()).args(["-s", "-w", "-l"]).arg(log).args(arguments))
    }

    fn give_away(&self) -> Result<()> {
        if let Some((user, group)) = somebody()? {
            std::os::unix::fs::chown(&self.directory, Some(user), Some(group))?;
        }
        Ok(())
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// PostgreSQL's program of that name, of the newest version that is installed as Debian does it, or the PATH's.
fn program(name: &str) -> Result<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
        .filter(|path| path.exists())
        .collect();
    versions.sort();
    versions.pop().with_context(|| format!("no {name} below /usr/lib/postgresql: install postgresql"))
}

/// A command that is not run by root, because PostgreSQL refuses that.
fn unprivileged(program: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = somebody()? {
        command.uid(user).gid(group);
    }
    Ok(command)
}

/// If this is root: the user and the group of the user `postgres`.
fn somebody() -> Result<Option<(u32, u32)>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let line =
        users.lines().find(|line| line.starts_with("postgres:")).context("there is no user postgres")?;
    let ids: Vec<u32> = line.split(':').skip(2).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(Some((*ids.first().context("no uid")?, *ids.get(1).context("no gid")?)))
}
