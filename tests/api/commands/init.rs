//! `vestibule init`, and what it makes put to use.

use std::process::Command;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::tenants::Family;

use crate::support::program::{Ended, Folder, bytes_in, credentials};
use crate::support::{TestDatabase, database};

const PASSWORD: &str = "a long walk by the sea";

/// Its SHA-1.
const PASSWORD_SHA1: &str = "E466C1EA659D9633C211870DBE33087F04AD8A4E";

/// An installation with a first tenant, `acme`, whose administrator is `ada@acme.test`.
pub struct Installation {
    pub folder: Folder,
    pub database: TestDatabase,
    /// What `init` printed.
    pub said: String,
}

impl Installation {
    pub async fn new() -> Self {
        Self::on(database().await)
    }

    /// The same on a database of the test's own.
    pub fn on(database: TestDatabase) -> Self {
        let folder = Folder::new();
        write_password(&folder, PASSWORD);
        let said = Ended::of(&mut init(&folder, &database)).well();
        Self { folder, database, said }
    }

    /// The words after each `label` that was printed.
    pub fn printed(&self, label: &str) -> Vec<&str> {
        let label = format!("{label}  ");
        let words = self.said.lines().filter_map(|line| line.split_once(&label));
        words.map(|(_, rest)| rest.split_whitespace().next().unwrap()).collect()
    }

    /// The administrator's login, with the first of the printed keys, which is the login key.
    pub fn login(&self) -> Value {
        let (key, secret) = (self.printed("tenantKey")[0], self.printed("tenantSecret")[0]);
        credentials("ada@acme.test", PASSWORD, key, secret)
    }
}

/// The administrator's password, where `init` is told to look for it.
fn write_password(folder: &Folder, password: &str) {
    folder.write("password", &format!("{password}\n"));
    folder.set_mode("password", 0o600);
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
pub async fn contents(database: &TestDatabase) -> String {
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
        (
            "acme",
            credentials(
                demo_user,
                "SecurePass123!",
                "b4Ck3nDk3YaBcDeFgHiJkLmNoPqR",
                "b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh",
            ),
            403,
        ),
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
    for (password, reason) in [
        ("short", "the password must have 12 characters at least and has 5"),
        ("Password1234!", "the password is one of the most common"),
        ("Ada of ACME 7", "the password contains "),
    ] {
        write_password(&folder, password);
        Ended::of(&mut init(&folder, &database)).badly(&[reason]);
    }
    write_password(&folder, PASSWORD);
    let refused = |arguments: &[&str], reasons: &[&str]| {
        let mut command = folder.command(&["init", "--admin-password-file", "password"]);
        Ended::of(command.args(arguments)).badly(reasons);
    };
    for (tenant, reason) in
        [("no spaces", "--tenant \"no spaces\": must be"), ("system", "is Vestibule's own")]
    {
        refused(&["--tenant", tenant, "--admin", "a@b.test"], &[reason]);
    }
    for email in ["ada", "@", "ada@", "@acme.test", "a@b@acme.test", "a da@acme.test", "ada@acme.test "] {
        refused(&["--tenant", "acme", "--admin", email], &["--admin", "is not an e-mail address"]);
    }
    let first = ["--tenant", "acme", "--admin", "a@b.test"];
    for (option, value, reasons) in [
        (
            "--database-url",
            "sqlite:absent/x.db",
            ["database_url: the database cannot be opened", "absent/x.db"],
        ),
        ("--database-url", "mysql://u@h/x", ["--database-url", "it names no database"]),
        ("--master-key-file", "absent/master.key", ["--master-key-file", "absent is not a folder"]),
        ("--master-key-file", "password", ["master_key_file", "expected `id:key`"]),
    ] {
        refused(&[&first[..], &[option, value]].concat(), &reasons);
    }
    folder.set_mode("password", 0o644);
    refused(&first, &["--admin-password-file password: its mode is 0644", "run `chmod 600 password`"]);
    let mut command = folder.command(&["init", "--admin-password-file", "absent"]);
    Ended::of(command.args(first)).badly(&["absent: cannot be read"]);
    assert_eq!(folder.names(), ["password"]);
    assert!(!database.migrations_current().await.unwrap());
}

#[tokio::test]
async fn R033_init_looks_for_a_breached_password_in_the_operators_file() {
    let (folder, database) = (Folder::new(), database().await);
    write_password(&folder, PASSWORD);
    let hash = "DBC2AAA49CA9AF6B0D5AF6DF3A6E2B5C0B0F3E5B";
    let init = |file: &str, reasons: &[&str]| {
        folder.write("breached", file);
        let mut command = init(&folder, &database);
        let ended = Ended::of(command.env("VESTIBULE_BREACHED_PASSWORDS_FILE", "breached"));
        if reasons.is_empty() { drop(ended.well()) } else { ended.badly(reasons) }
    };
    init("", &["breached_passwords_file: cannot use breached", "empty"]);
    init(&format!("{PASSWORD_SHA1}:3\n{hash}:1\n"), &["breached_passwords_file", "not sorted"]);
    init(&format!("{hash}:1\n{PASSWORD_SHA1}:3\n"), &["the password is in a list", "stolen elsewhere"]);
    assert_eq!(folder.names(), ["breached", "password"]);
    init(&format!("{hash}:1\n"), &[]);
}

#[tokio::test]
async fn init_keeps_the_files_and_the_tenant_that_are_there() {
    let made = Installation::new().await;
    let before = bytes_in(&made.folder.path("."));
    Ended::of(&mut init(&made.folder, &made.database)).badly(&["slug"]);
    assert_eq!(bytes_in(&made.folder.path(".")), before);
    let again = ["init", "--database-url", &made.database.url, "--master-key-file", "master.key"];
    for arguments in [&["init"][..], &again] {
        let said = made.folder.run(arguments).well();
        assert!(said.contains("Kept the master key") && said.contains("Kept the configuration"), "{said}");
        assert_eq!(bytes_in(&made.folder.path(".")), before);
    }
    let server = made.folder.serve(&[]);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
}

#[tokio::test]
async fn init_refuses_options_that_the_configuration_contradicts() {
    let made = Installation::new().await;
    let before = bytes_in(&made.folder.path("."));
    for (option, value, says) in [
        (
            "--public-url",
            "https://id.example.com",
            "vestibule.toml already says public_url = http://127.0.0.1:8080",
        ),
        ("--master-key-file", "other.key", "vestibule.toml already says master_key_file = "),
        ("--database-url", "postgres://u:hunter2@h/v", "vestibule.toml already says database_url = "),
    ] {
        let ended = made.folder.run(&["init", option, value]);
        ended.badly(&[says, &format!("edit it, or leave {option} out")]);
        assert!(!ended.errors.contains("hunter2"), "{ended:?}");
    }
    let mut command = made.folder.command(&["init", "--public-url", "http://127.0.0.1:8080"]);
    Ended::of(command.env("VESTIBULE_PUBLIC_URL", "https://id.example.com"))
        .badly(&["VESTIBULE_PUBLIC_URL already says public_url = https://id.example.com"]);
    assert_eq!(bytes_in(&made.folder.path(".")), before);
}

#[tokio::test]
async fn init_makes_no_master_key_for_a_database_that_has_tenants() {
    let made = Installation::new().await;
    std::fs::remove_file(made.folder.path("master.key")).unwrap();
    let elsewhere = Folder::new();
    for ended in [made.folder.run(&["init"]), elsewhere.run(&["init", "--database-url", &made.database.url])]
    {
        ended.badly(&["master_key_file", "master.key", "the database has tenants", "restore its copy"]);
    }
    assert!(!made.folder.path("master.key").exists() && elsewhere.names().is_empty());
    elsewhere.write("master.key", &vestibule::secrets::MasterKeys::generate());
    elsewhere.set_mode("master.key", 0o600);
    elsewhere.run(&["init", "--database-url", &made.database.url]).badly(&["the database is sealed under"]);
    assert_eq!(elsewhere.names(), ["master.key"]);
}

#[tokio::test]
async fn what_init_wrote_is_one_installation_from_every_folder() {
    let folder = Folder::new();
    let said = folder.run(&["init"]).well();
    let written = std::fs::read_to_string(folder.path("vestibule.toml")).unwrap();
    let place = std::fs::canonicalize(folder.path(".")).unwrap();
    for line in [
        format!("database_url = \"sqlite:{}/vestibule.db\"", place.display()),
        format!("master_key_file = \"{}/master.key\"", place.display()),
    ] {
        assert!(written.contains(&line), "no {line} in {written}");
    }
    let start = said.lines().find(|line| line.starts_with("Start with: ")).unwrap();
    let config = start.split_whitespace().nth(4).unwrap();
    let elsewhere = Folder::new();
    assert!(elsewhere.run(&["--config", config, "check-config"]).well().contains("is good"));
    assert!(elsewhere.names().is_empty());
}

#[tokio::test]
async fn a_database_that_the_environment_names_is_not_written_down() {
    let (folder, database) = (Folder::new(), database().await);
    let mut command = folder.command(&["init"]);
    Ended::of(command.env("VESTIBULE_DATABASE_URL", &database.url)).well();
    assert_eq!(folder.names(), ["master.key", "vestibule.toml"]);
    let written = std::fs::read_to_string(folder.path("vestibule.toml")).unwrap();
    assert!(!written.lines().any(|line| line.starts_with("database_url")), "{written}");
    assert!(database.migrations_current().await.unwrap());
}

#[tokio::test]
async fn the_first_tenant_gets_the_profile_the_algorithm_and_the_token_type_that_are_asked_for() {
    let (folder, database) = (Folder::new(), database().await);
    write_password(&folder, PASSWORD);
    let wishes = ["--profile", "payment", "--algorithm", "EdDSA", "--token-type", "at+jwt"];
    let said = Ended::of(init(&folder, &database).args(wishes)).well();
    let made = Installation { folder, database, said };
    let server = made.folder.serve(&[]);
    let (status, answer) = server.login(Family::Admin, "acme", &made.login()).await;
    assert_eq!((status, &answer["data"]["expiresIn"]), (200, &120.into()), "{answer}");
    let token = answer["data"]["token"].as_str().unwrap();
    let header = vestibule::secrets::from_base64url(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&"EdDSA".into(), &"at+jwt".into()));

    let wrong = made.folder.run(&["init", "--tenant", "b", "--admin", "a@b.test", "--profile", "fast"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.errors.contains("standard, payment, compatible, consumer"), "{wrong:?}");
}

#[tokio::test]
async fn init_prints_the_first_login_ready_to_paste_but_for_the_secrets() {
    let made = Installation::new().await;
    let call = made.said[made.said.find("curl ").unwrap()..].split("\n\n").next().unwrap();
    let server = made.folder.serve(&[]);
    let call = call
        .replace("http://127.0.0.1:8080", &server.public)
        .replace("<password>", PASSWORD)
        .replace("<tenantSecret>", made.printed("tenantSecret")[0]);
    let answer = Ended::from(Command::new("sh").arg("-c").arg(format!("{call} --silent")).output().unwrap());
    let answer: Value = serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!(answer["code"], 200, "{answer}");
}
