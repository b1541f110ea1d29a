//! Fresh databases for tests: SQLite files, or databases on a PostgreSQL server.
//!
//! `VESTIBULE_TEST_POSTGRES` holds the URL of a maintenance database on a server; without it tests
//! run on SQLite, and those that need PostgreSQL start a cluster of their own, which goes with the
//! process.

pub mod app;
pub mod calls;
pub mod canary;
pub mod cluster;
pub mod dice;
pub mod directory;
pub mod forge;
pub mod holding;
pub mod lines;
pub mod login;
pub mod process;
pub mod program;
pub mod proxy;

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use tokio::sync::OnceCell;
use vestibule::db::{Database, DatabaseOptions, MIGRATIONS};

use cluster::Cluster;

/// A database that is removed when this is dropped.
pub struct TestDatabase {
    pub options: DatabaseOptions,
    pub url: String,
    database: Database,
    place: Place,
}

enum Place {
    Directory(TempDir),
    Server {
        maintenance: String,
        name: String,
    },
    /// A server that is thrown away with all its databases.
    Cluster,
}

impl Deref for TestDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl TestDatabase {
    /// Another handle on the same database, as another process would have it.
    pub async fn open_again(&self) -> Database {
        Database::open(&self.options).await.unwrap()
    }

    /// A copy of the database as it is now, for which this handle is closed and nobody else may have one.
    pub async fn copy(&self) -> Self {
        match &self.place {
            Place::Directory(_) => {
                let directory = tempfile::tempdir().unwrap();
                let file = file_in(directory.path());
                std::fs::File::create(&file).unwrap();
                self.copy_into(&file).await.unwrap();
                self.close().await;
                on_file(directory).await
            }
            Place::Server { maintenance, name } => {
                self.close().await;
                on_server(maintenance, &terminate_sessions(name)).await;
                on_new_database(maintenance, Some(name)).await
            }
            Place::Cluster => panic!("nobody copies those"),
        }
    }

    /// The file, on SQLite.
    pub fn file(&self) -> PathBuf {
        match &self.place {
            Place::Directory(directory) => file_in(directory.path()),
            Place::Server { .. } | Place::Cluster => panic!("a database on a server is no file"),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Directory(directory) = &self.place {
            canary::sqlite(directory.path());
        }
        if let Place::Server { maintenance, name } = &self.place {
            let script = format!("drop database if exists {name} with (force)");
            // A thread, because a destructor cannot wait inside of the test's runtime.
            let (maintenance, url) = (maintenance.clone(), self.url.clone());
            let dropped = std::thread::spawn(move || {
                keep_rows(&url);
                on_server_now(&maintenance, &script);
            })
            .join();
            if dropped.is_err() {
                eprintln!("could not drop {name}; a later run will");
            }
        }
    }
}

/// Where what lives as long as this process is kept; it is removed when the process has ended,
/// however it ended.
pub fn keep() -> &'static Path {
    static KEEP: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (path, _janitor) = KEEP.get_or_init(|| {
        let path = TempDir::with_prefix("vestibule-test-").unwrap().keep();
        // PostgreSQL's user passes through.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o711)).unwrap();
        let mut janitor = Command::new("sh");
        janitor.arg("-c").arg(format!("cat >/dev/null; rm -rf '{}'", path.display()));
        // In a group of its own: an interrupt meant for the tests does not reach it.
        let janitor = janitor.process_group(0).current_dir("/").stdin(Stdio::piped());
        let janitor = janitor.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        (path, janitor)
    });
    path
}

/// Whether the suite runs on PostgreSQL.
pub fn on_postgres() -> bool {
    std::env::var_os("VESTIBULE_TEST_POSTGRES").is_some()
}

/// An empty database on the engine that the environment names.
pub async fn database() -> TestDatabase {
    if on_postgres() { postgres().await } else { sqlite().await }
}

/// A database with the schema of this binary, on the engine that the environment names.
pub async fn migrated_database() -> TestDatabase {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(migrated_template).await;
    if on_postgres() {
        on_new_database(&server_url(), Some(template)).await
    } else {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(template, file_in(directory.path())).unwrap();
        on_file(directory).await
    }
}

/// An empty SQLite database, whatever the environment says.
pub async fn sqlite() -> TestDatabase {
    on_file(tempfile::tempdir().unwrap()).await
}

/// An empty database on a PostgreSQL server, whatever the environment says.
pub async fn postgres() -> TestDatabase {
    on_new_database(&server_url(), None).await
}

/// An empty database on `cluster`.
pub async fn postgres_on(cluster: &Cluster) -> TestDatabase {
    let mut database = on_new_database(&cluster.url(), None).await;
    database.place = Place::Cluster;
    database
}

/// Options that are patient with a busy machine.
pub fn patient(url: &str) -> DatabaseOptions {
    let mut options = DatabaseOptions::new(url);
    for limit in [
        &mut options.wait_within,
        &mut options.read_within,
        &mut options.list_within,
        &mut options.write_within,
    ] {
        *limit = std::time::Duration::from_secs(20);
    }
    options
}

/// The URL of the database `name` on the server of `url`.
pub fn with_name(url: &str, name: &str) -> String {
    let mut url = url::Url::parse(url).expect("VESTIBULE_TEST_POSTGRES is a postgres:// URL of one host");
    url.set_path(name);
    url.to_string()
}

fn file_in(directory: &Path) -> PathBuf {
    directory.join("test.db")
}

async fn on_file(directory: TempDir) -> TestDatabase {
    let url = format!("sqlite:{}", file_in(directory.path()).display());
    let options = patient(&url);
    let database = Database::open(&options).await.unwrap();
    TestDatabase { options, url, database, place: Place::Directory(directory) }
}

fn server_url() -> String {
    match std::env::var("VESTIBULE_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) => cluster::shared().url(),
    }
}

async fn on_new_database(maintenance: &str, template: Option<&str>) -> TestDatabase {
    let name = fresh_name();
    let template = template.map(|template| format!(" template {template}")).unwrap_or_default();
    on_server(maintenance, &format!("create database {name}{template}")).await;
    let url = with_name(maintenance, &name);
    let options = patient(&url);
    let database = Database::open(&options).await.unwrap();
    TestDatabase {
        options,
        url,
        database,
        place: Place::Server { maintenance: maintenance.to_owned(), name },
    }
}

fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("vestibule_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Makes the database that others are copied from: its name, or its file.
async fn migrated_template() -> String {
    if on_postgres() {
        let maintenance = server_url();
        drop_leftovers(&maintenance).await;
        let name = format!("vestibule_test_{}_template", std::process::id());
        on_server(&maintenance, &format!("create database {name}")).await;
        let database = Database::open(&patient(&with_name(&maintenance, &name))).await.unwrap();
        database.migrate_with(MIGRATIONS).await.unwrap();
        database.close().await;
        on_server(&maintenance, &terminate_sessions(&name)).await;
        name
    } else {
        let file = keep().join("template.db");
        let database = Database::open(&patient(&format!("sqlite:{}", file.display()))).await.unwrap();
        database.migrate_with(MIGRATIONS).await.unwrap();
        database.close().await;
        file.to_str().unwrap().to_owned()
    }
}

/// Ends what has a database open still: else nothing can be copied from it.
fn terminate_sessions(name: &str) -> String {
    format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}'")
}

/// Drops what processes that are gone have left on the server.
async fn drop_leftovers(maintenance: &str) {
    let server = Database::open(&patient(maintenance)).await.unwrap();
    let names = vestibule::db::Statement::new(
        "select datname as name from pg_database where datname like 'vestibule\\_test\\_%'",
    );
    for row in server.list(names).await.unwrap() {
        let name = row.text("name").unwrap();
        let owner = name.split('_').nth(2).unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            // Another process may be dropping it as well.
            let _ = server.execute_script(&format!("drop database if exists {name} with (force)")).await;
        }
    }
    server.close().await;
}

/// Keeps all rows for the canary run.
fn keep_rows(url: &str) {
    if !canary::is_on() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = Database::open(&patient(url)).await.unwrap();
        let tables = "select tablename::text as name from pg_tables where schemaname = 'public'";
        for table in database.list(vestibule::db::Statement::new(tables)).await.unwrap() {
            let name = table.text("name").unwrap();
            let rows = format!("select cast({name} as text) as line from {name}");
            for row in database.list(vestibule::db::Statement::new(rows.leak())).await.unwrap() {
                canary::rows(&(row.text("line").unwrap() + "\n")).unwrap();
            }
        }
        database.close().await;
    });
}

async fn on_server(maintenance: &str, script: &str) {
    let server = Database::open(&patient(maintenance)).await.unwrap();
    server.execute_script(script).await.unwrap();
    server.close().await;
}

fn on_server_now(maintenance: &str, script: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(on_server(maintenance, script));
}
