//! `vestibule init`, and what it makes put to use.

use std::process::Command;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::tenants::Family;

use crate::support::program::{Ended, Folder, bytes_in, credentials};
use crate::support::{TestDatabase, database};

const PASSWORD: &str = "a long walk by the sea";

/// An installation with a first tenant, `acme`, whose administrator is `ada@acme.test`.
pub struct Installation {
    pub folder: Folder,
    pub database: TestDatabase,
    /// What `init` printed.
    pub said: String,
}

impl Installation {
    pub async fn new() -> Self {
        let folder = Folder::new();
        let database = database().await;
        folder.write("password", &format!("{PASSWORD}\n"));
        let said = Ended::of(&mut init(&folder, &database)).well();
        Self { folder, database, said }
    }

    /// The words after each `label` that was printed.
    pub fn printed(&self, label: &str) -> Vec<&str> {
        let words = self.said.lines().filter_map(|line| line.split_once(label));
        words.map(|(_, rest)| rest.split_whitespace().next().unwrap()).collect()
    }

    /// The administrator's login, with the first of the printed keys, which is the login key.
    pub fn login(&self) -> Value {
        let (key, secret) = (self.printed("tenantKey")[0], self.printed("tenantSecret")[0]);
        credentials("ada@acme.test", PASSWORD, key, secret)
    }
}

fn init(folder: &Folder, database: &TestDatabase) -> Command {
    folder.command(&[
        "init",
        "--database-url",
        &database.url,
        "--tenant",
        "acme",
        "--admin",
        "ada@acme.test",
        "--admin-password-file",
        "password",
    ])
}

/// All that a database holds, as text.
async fn contents(database: &TestDatabase) -> String {
    if database.is_sqlite() {
        let file = database.file();
        return String::from_utf8_lossy(&bytes_in(file.parent().unwrap())).into_owned();
    }
    let tables = Statement::new("select tablename as name from pg_tables where schemaname = 'public'");
    let mut text = String::new();
    for table in database.list(tables).await.unwrap() {
        let name = table.text("name").unwrap();
        let rows = Statement::new(format!("select cast({name} as text) as line from {name}").leak());
        for row in database.list(rows).await.unwrap() {
            text.push_str(&row.text("line").unwrap());
            text.push('\n');
        }
    }
    text
}

#[tokio::test]
async fn R011_R043_init_shows_each_secret_once_and_keeps_none_of_them_in_plain() {
    let made = Installation::new().await;
    assert_eq!((made.folder.mode("master.key"), made.folder.mode("vestibule.toml")), (0o600, 0o640));
    let (keys, secrets) = (made.printed("tenantKey"), made.printed("tenantSecret"));
    assert_eq!((keys.len(), secrets.len()), (2, 2), "{}", made.said);
    let stored = contents(&made.database).await;
    assert!(
        stored.contains("acme") && keys.iter().all(|key| stored.contains(key)),
        "the search finds what is there"
    );
    let files = String::from_utf8_lossy(&bytes_in(&made.folder.path("."))).into_owned();
    for secret in secrets {
        assert_eq!(made.said.matches(secret).count(), 1);
        assert_eq!(secret.len(), 43, "256 bits");
        assert!(!stored.contains(secret) && !files.contains(secret));
    }
    let master = std::fs::read_to_string(made.folder.path("master.key")).unwrap();
    let master = master.lines().last().unwrap().split_once(':').unwrap().1;
    assert!(!made.said.contains(master) && !stored.contains(master));
    assert!(!stored.contains(PASSWORD) && !made.said.contains(PASSWORD));
}

#[tokio::test]
async fn R011_the_first_administrator_logs_in_and_nobody_else_can() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let (status, answer) = server.login(Family::Admin, "acme", &made.login()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["data"]["roles"], serde_json::json!(["ADMIN"]));
    assert_eq!(answer["data"]["user"]["email"], "ada@acme.test");

    let [key, secret] = ["tenantKey", "tenantSecret"].map(|label| made.printed(label)[0]);
    let (demo_key, demo_secret) = ("a1B2c3D4e5F6g7H8i9J0kLmNopQr", "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh");
    let demo_user = "staff.login.123456@example.test";
    for (tenant, body, refused) in [
        ("tenant-demo-001", credentials(demo_user, "SecurePass123!", demo_key, demo_secret), 403),
        ("system", credentials("admin", "admin", key, secret), 403),
        ("acme", credentials(demo_user, "SecurePass123!", demo_key, demo_secret), 403),
        ("acme", credentials("admin", "admin", key, secret), 401),
        ("acme", credentials("ada@acme.test", "password", key, secret), 401),
        ("acme", serde_json::json!({ "username": "ada@acme.test", "password": PASSWORD }), 403),
    ] {
        assert_eq!(server.login(Family::Admin, tenant, &body).await.0, refused, "{tenant}: {body}");
    }
    let log = server.stop();
    for secret in [PASSWORD, secret, "ada@acme.test"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn R011_init_refuses_what_is_wrong_before_it_writes_anything() {
    let (folder, database) = (Folder::new(), database().await);
    folder.write("password", "short\n");
    Ended::of(&mut init(&folder, &database)).badly(&["the password has 5 characters and must have"]);
    folder.write("password", PASSWORD);
    for (arguments, reason) in [
        (["--tenant", "no spaces", "--admin", "a@b.test"], "--tenant \"no spaces\": must be"),
        (["--tenant", "system", "--admin", "a@b.test"], "is Vestibule's own"),
        (["--tenant", "acme", "--admin", "ada"], "is not an e-mail address"),
    ] {
        let mut command = folder.command(&["init", "--admin-password-file", "password"]);
        Ended::of(command.args(arguments)).badly(&[reason]);
    }
    let mut command = folder.command(&["init", "--tenant", "acme", "--admin", "a@b.test"]);
    Ended::of(command.args(["--admin-password-file", "absent"])).badly(&["absent: cannot be read"]);
    assert_eq!(folder.names(), ["password"]);
    assert!(!database.migrations_current().await.unwrap());
}

#[tokio::test]
async fn init_keeps_the_files_and_the_tenant_that_are_there() {
    let made = Installation::new().await;
    let before = bytes_in(&made.folder.path("."));
    Ended::of(&mut init(&made.folder, &made.database)).badly(&["slug"]);
    assert_eq!(bytes_in(&made.folder.path(".")), before);
    let said = made.folder.run(&["init"]).well();
    assert!(said.contains("Kept the master key") && said.contains("Kept the configuration"), "{said}");
    assert_eq!(bytes_in(&made.folder.path(".")), before);
    let server = made.folder.serve(&[]);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
}
