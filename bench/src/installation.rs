//! An installation of Vestibule, made by its own commands, and its servers.

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use vestibule::db::{Access, Database, DatabaseOptions};
use vestibule::secrets::MasterKeys;

use crate::postgres::Postgres;
use crate::process::{Janitor, Meter};

/// What a server may take to become ready.
const READY_WITHIN: Duration = Duration::from_mins(1);

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// Where things are: the program, the folder that everything is made in, and PostgreSQL.
pub struct Ground {
    pub program: PathBuf,
    pub folder: PathBuf,
    pub postgres: Option<Postgres>,
}

impl Ground {
    /// PostgreSQL's processes, where it is what is measured.
    fn database_pids(&self, engine: Engine) -> Result<Vec<u32>> {
        match (engine, &self.postgres) {
            (Engine::Postgres, Some(postgres)) => Ok(vec![postgres.pid()?]),
            _ => Ok(Vec::new()),
        }
    }
}

/// Made by `vestibule init`: a folder, a database and a master key. Removed when this is dropped.
pub struct Installation {
    ground: Arc<Ground>,
    pub engine: Engine,
    folder: TempDir,
    pub database_url: String,
    name: String,
}

impl Installation {
    pub fn create(ground: &Arc<Ground>, engine: Engine) -> Result<Self> {
        let folder = TempDir::with_prefix_in("installation-", &ground.folder)?;
        let name = folder.path().file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
        let database_url = match (engine, &ground.postgres) {
            (Engine::Sqlite, _) => format!("sqlite:{}", folder.path().join("vestibule.db").display()),
            (Engine::Postgres, Some(postgres)) => postgres.create_database(&name)?,
            (Engine::Postgres, None) => bail!("there is no PostgreSQL"),
        };
        let made = Self { ground: ground.clone(), engine, folder, database_url, name };
        let master_key = made.path("master.key");
        made.command(&[
            "init",
            "--public-url",
            "http://127.0.0.1:8080",
            "--database-url",
            &made.database_url,
            "--master-key-file",
            &master_key.display().to_string(),
        ])?;
        Ok(made)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of the program and answers what it says.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.program(&[]);
        let output = command.args(arguments).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "vestibule {arguments:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Runs a command with `--json` and reads its answer.
    pub fn json_command(&self, arguments: &[&str]) -> Result<Value> {
        Ok(serde_json::from_str(&self.command(&[arguments, &["--json"]].concat())?)?)
    }

    /// Writes a file of users, one JSON object a line, and imports it.
    pub fn import_users(&self, tenant: &str, users: impl Iterator<Item = Value>) -> Result<()> {
        let path = self.path("users.jsonl");
        let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
        for user in users {
            writeln!(file, "{user}")?;
        }
        file.flush()?;
        self.command(&["user", "import", &path.display().to_string(), "--tenant", tenant])?;
        fs::remove_file(&path)?;
        Ok(())
    }

    fn program(&self, environment: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.ground.program);
        command.arg("--config").arg(self.path("vestibule.toml")).current_dir(self.folder.path());
        command.envs(environment.iter().copied());
        command
    }

    /// The database, as the server opens it.
    pub async fn database(&self) -> Result<Database> {
        let options =
            DatabaseOptions { access: Access::Existing, ..DatabaseOptions::new(&self.database_url) };
        Ok(Database::open(&options).await?)
    }

    pub fn master(&self) -> Result<Arc<MasterKeys>> {
        Ok(Arc::new(MasterKeys::load(&self.path("master.key"))?))
    }

    /// The bytes that the database has on disk, its log apart.
    pub async fn database_bytes(&self) -> Result<u64> {
        match self.engine {
            Engine::Sqlite => Ok(fs::metadata(self.path("vestibule.db"))?.len()),
            Engine::Postgres => {
                let db = self.database().await?;
                let size =
                    vestibule::db::Statement::new("select pg_database_size(current_database()) as bytes");
                let rows = db.fetch(size).await?;
                let bytes = rows.first().context("no size")?.int("bytes")?;
                db.close().await;
                Ok(u64::try_from(bytes)?)
            }
        }
    }

    /// This process and the database's, for what is done here without a server.
    pub fn meter(&self) -> Result<Meter> {
        let own = vec![std::process::id()];
        Ok(Meter::of([own, self.ground.database_pids(self.engine)?].concat()))
    }

    /// Starts a server that logs as it does by default, to nowhere. The limits of requests are off unless a variable of
    /// `environment` says otherwise: one caller here stands for thousands.
    pub fn serve(&self, environment: &[(&str, &str)]) -> Result<Server> {
        let ports: Vec<_> = (0..2).map(|_| free_port()).collect::<Result<_>>()?;
        let (listen, operator) = (format!("127.0.0.1:{}", ports[0]), format!("127.0.0.1:{}", ports[1]));
        let mut command = self.program(&[
            ("VESTIBULE_LISTEN", &listen),
            ("VESTIBULE_OPERATOR_LISTEN", &operator),
            ("VESTIBULE_REQUEST_LIMITS", "false"),
        ]);
        command.envs(environment.iter().copied()).arg("serve");
        let began = Instant::now();
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pids = [vec![process.id()], self.ground.database_pids(self.engine)?].concat();
        Server::ready(process, listen.parse()?, Meter::of(pids), began)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if let (Engine::Postgres, Some(postgres)) = (self.engine, &self.ground.postgres) {
            let _ = postgres.drop_database(&self.name);
        }
    }
}

/// A server process; stopped when this is dropped.
pub struct Server {
    process: Child,
    janitor: Option<Janitor>,
    pub address: SocketAddr,
    /// It and its database.
    pub meter: Meter,
    /// From its start until it said that it is ready.
    pub ready_after: Duration,
}

impl Server {
    /// A process that is none of an installation's and listens at `address`.
    pub fn other(process: Child, address: SocketAddr) -> Result<Self> {
        let meter = Meter::of([process.id()]);
        Self::ready(process, address, meter, Instant::now())
    }

    fn ready(process: Child, address: SocketAddr, meter: Meter, began: Instant) -> Result<Self> {
        let janitor = Janitor::who("kill $1", &[&process.id().to_string()])?;
        let mut server =
            Self { process, janitor: Some(janitor), address, meter, ready_after: Duration::ZERO };
        server.wait_until_ready(began)?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_ready(&mut self, began: Instant) -> Result<()> {
        while !is_ready(self.address) {
            ensure!(began.elapsed() < READY_WITHIN, "the server is not ready after {READY_WITHIN:?}");
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended: {status}");
            }
            thread::sleep(Duration::from_micros(500));
        }
        self.ready_after = began.elapsed();
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.janitor.take());
        let _ = self.process.wait();
    }
}

/// Whether it answers 200 at `/readyz`.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        std::io::Read::read_to_end(&mut stream, &mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// A port that nobody has just now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A user as `vestibule user import` takes it: the n-th of the benchmark's.
pub fn user(number: usize, password_hash: &str) -> Value {
    json!({
        "id": user_id(number), "username": user_name(number), "email": format!("{}@bench.test", user_name(number)),
        "firstName": "Ada", "lastName": "Example", "passwordHash": password_hash,
        "phones": [{ "phoneType": "MOBILE", "number": "+37060000000" }],
        "customer": { "id": customer_id(number), "kind": "individual" },
    })
}

pub fn user_id(number: usize) -> String {
    format!("user-{number}")
}

pub fn user_name(number: usize) -> String {
    format!("name-{number}")
}

pub fn customer_id(number: usize) -> String {
    format!("customer-{number}")
}
