//! Users move in and out: `user import` and `user export`, run as processes.

mod bad_lines;
mod clear_passwords;
mod formats;
mod individuals;
mod interruptions;
mod moving_out;

use std::process::Command;

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::Family;

use crate::support::app::PASSWORD;
use crate::support::program::{Ended, Folder, Server, credentials};
use crate::support::{TestDatabase, database};

/// A hash of everybody's password that is quick to verify.
const QUICK: &str = "$scrypt$ln=4,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5gzj9G0nR7qKsgNcPg4Yas0xwhUoZTaHQhxQ6yZLRRA";

/// An installation with a tenant `acme`, whose one user is the administrator.
struct Place {
    folder: Folder,
    database: TestDatabase,
    key: String,
    secret: String,
}

impl Place {
    async fn new() -> Self {
        let folder = Folder::new();
        let database = database().await;
        folder.write("password", "a long walk by the sea\n");
        folder.set_mode("password", 0o600);
        let mut command = folder.command(&["init", "--database-url", &database.url]);
        command.args(["--tenant", "acme", "--admin", "root@acme.test", "--admin-password-file", "password"]);
        let said = Ended::of(&mut command).well();
        let printed = |label: &str| {
            let line = said.lines().find_map(|line| line.split_once(label)).unwrap();
            line.1.trim().to_owned()
        };
        let (key, secret) = (printed("tenantKey  "), printed("tenantSecret  "));
        Self { folder, database, key, secret }
    }

    fn import(&self, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(&["user", "import", "--tenant", "acme"]);
        command.args(arguments);
        command
    }

    fn run_import(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.import(arguments))
    }

    /// Imports with `--json`: what it tells, and how it ended.
    #[track_caller]
    fn import_json(&self, arguments: &[&str]) -> (Value, Ended) {
        let ended = Ended::of(self.import(arguments).arg("--json"));
        let told = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"));
        (told, ended)
    }

    /// Writes a file of JSON Lines.
    fn write_lines(&self, name: &str, lines: &[Value]) {
        let lines: Vec<_> = lines.iter().map(Value::to_string).collect();
        self.folder.write(name, &(lines.join("\n") + "\n"));
    }

    /// The users of an export, in the order of their ids, without the administrator.
    fn export(&self) -> Vec<Value> {
        let text = self.folder.run(&["user", "export", "--tenant", "acme"]).well();
        let users = text.lines().map(|line| serde_json::from_str(line).unwrap());
        users.filter(|user: &Value| user["email"] != "root@acme.test").collect()
    }

    /// The one user of an export with this e-mail.
    #[track_caller]
    fn exported(&self, email: &str) -> Value {
        let mut found: Vec<_> = self.export().into_iter().filter(|user| user["email"] == email).collect();
        assert_eq!(found.len(), 1, "{email}");
        found.pop().unwrap()
    }

    async fn count(&self, from: &str) -> i64 {
        let statement = Statement::new(format!("select count(*) as number from {from}").leak());
        self.database.list(statement).await.unwrap()[0].int("number").unwrap()
    }

    /// Users but for the administrator.
    async fn users(&self) -> i64 {
        self.count("users where kind = 'customer'").await
    }

    fn serve(&self) -> Server {
        self.folder.serve(&[("VESTIBULE_ARGON2_MEMORY_KIB", "7168"), ("VESTIBULE_ARGON2_PASSES", "5")])
    }

    /// The status of a login of an individual's user.
    async fn login(&self, server: &Server, name: &str, password: &str) -> u16 {
        let body = credentials(name, password, &self.key, &self.secret);
        server.login(Family::Individual, "acme", &body).await.0
    }
}

/// So many users, each with names of their own, from a number on.
fn people(from: usize, number: usize) -> Vec<Value> {
    let person = |at: usize| {
        json!({
            "username": format!("user{at}"),
            "email": format!("User.{at}@x.test"),
            "firstName": "Number",
            "lastName": at.to_string(),
            "phones": [{ "number": format!("+3706{at:07}") }],
            "passwordHash": QUICK,
        })
    };
    (from..from + number).map(person).collect()
}
