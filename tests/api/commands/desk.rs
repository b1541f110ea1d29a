//! What the operator's commands have in common: who may be asked, and how the outcome is told.

use reqwest::Method;
use serde_json::Value;
use vestibule::tenants::Family;

use super::init::Installation;
use crate::support::app::prefix;
use crate::support::program::{Ended, Folder, Server};
use crate::support::{TestDatabase, database};

impl Installation {
    /// Runs a command that goes well: what it said.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        self.folder.run(arguments).well()
    }

    /// Runs a command with `--json`: its object or array.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Runs a command that is refused for each of these reasons.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str], reasons: &[&str]) {
        let ended = self.folder.run(arguments);
        ended.badly(reasons);
        assert_eq!(ended.out, "", "what fails says nothing on standard output");
    }

    /// Asks the operator's API of a server, with the token that `init` printed.
    pub async fn ask(
        &self,
        server: &Server,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        ask(server, self.printed("operator token")[0], method, path, body).await
    }

    /// What the operator's API answers to a GET.
    pub async fn data(&self, server: &Server, path: &str) -> Value {
        let (status, mut answer) = self.ask(server, Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer["data"].take()
    }
}

/// Asks the operator's API with somebody's token.
pub async fn ask(
    server: &Server,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("{}/operator/v1{path}", server.operator);
    let mut request = reqwest::Client::new().request(method, url).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// The status with which a session's token is answered, after a login that went well.
pub async fn look(server: &Server, tenant: &str, login: &Value) -> u16 {
    let data = &login["data"];
    let [customer, user, session] =
        ["customerId", "userId", "sessionId"].map(|id| data[id].as_str().unwrap());
    let url = format!("{}{}/users/{user}/sessions/{session}", server.public, prefix(Family::Admin, customer));
    let request = reqwest::Client::new().get(url).header("x-tenant-id", tenant);
    request.bearer_auth(data["token"].as_str().unwrap()).send().await.unwrap().status().as_u16()
}

/// Every command of an operator, as its help is asked for.
const COMMANDS: [&[&str]; 22] = [
    &["operator", "create"],
    &["operator", "list"],
    &["operator", "revoke"],
    &["tenant", "create"],
    &["tenant", "list"],
    &["tenant", "show"],
    &["tenant", "set"],
    &["tenant", "settings"],
    &["tenant", "suspend"],
    &["tenant", "resume"],
    &["tenant", "delete"],
    &["tenant", "end-sessions"],
    &["keys", "create"],
    &["keys", "list"],
    &["keys", "revoke"],
    &["keys", "rotate-master"],
    &["keys", "list-master"],
    &["keys", "retire-master"],
    &["signing-keys", "list"],
    &["signing-keys", "rotate"],
    &["signing-keys", "retire"],
    &["--version"],
];

/// One call of each command that opens a database.
const CALLS: [&[&str]; 21] = [
    &["restored"],
    &["operator", "create", "Olga"],
    &["operator", "list"],
    &["operator", "revoke", "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1"],
    &["tenant", "create", "beta"],
    &["tenant", "list"],
    &["tenant", "show", "acme"],
    &["tenant", "set", "acme", "profile=payment"],
    &["tenant", "suspend", "acme"],
    &["tenant", "resume", "acme"],
    &["tenant", "end-sessions", "acme"],
    &["tenant", "delete", "acme", "--confirm", "acme"],
    &["keys", "create", "acme", "--purpose", "login"],
    &["keys", "list", "acme"],
    &["keys", "revoke", "acme", "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1"],
    &["keys", "rotate-master"],
    &["keys", "list-master"],
    &["keys", "retire-master", "1f0c9a7e"],
    &["signing-keys", "list", "acme"],
    &["signing-keys", "rotate", "acme"],
    &["signing-keys", "retire", "acme", "kid"],
];

#[test]
fn the_help_of_every_command_has_an_example_of_it() {
    let folder = Folder::new();
    for command in &COMMANDS[..21] {
        let help = folder.run(&[*command, &["--help"]].concat()).well();
        let example = format!("\n  vestibule {}", command.join(" "));
        assert!(help.contains("Example") && help.contains(&example), "{help}");
        assert!(help.contains("--json"), "{help}");
    }
    // And there are no others.
    for group in ["operator", "tenant", "keys", "signing-keys"] {
        let help = folder.run(&[group, "--help"]).well();
        let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        for line in commands.lines() {
            let name = line.split_whitespace().next().unwrap();
            let known = COMMANDS.iter().any(|command| **command == [group, name]);
            assert!(known || name == "help", "{group} {name} is not tested");
        }
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_served_is_no_database_for_an_operator_either() {
    let made = Installation::new().await;
    let unmigrated = database().await;
    let demo = demo().await;
    let before = made.json(&["tenant", "list"]);
    for call in CALLS {
        for (url, reasons) in [
            (unmigrated.url.as_str(), ["schema is not this version's", "vestibule migrate"]),
            (&demo.url, ["database_url: this database belongs to the demo", "vestibule init"]),
            ("sqlite:absent.db", ["there is no database at", "begin with `vestibule init`"]),
        ] {
            Ended::of(made.folder.command(call).env("VESTIBULE_DATABASE_URL", url)).badly(&reasons);
        }
    }
    assert!(!made.folder.path("absent.db").exists(), "and none is made");
    assert_eq!(made.json(&["tenant", "list"]), before);
}

/// A database that says it is the demo's.
async fn demo() -> TestDatabase {
    let demo = crate::support::migrated_database().await;
    demo.apply(vestibule::installation::store::mark_demo()).await.unwrap();
    demo
}

#[tokio::test]
async fn a_configuration_is_read_wherever_it_is_named() {
    let made = Installation::new().await;
    let elsewhere = Folder::new();
    let config = made.folder.path("vestibule.toml");
    let config = config.to_str().unwrap();
    for arguments in [["--config", config, "tenant", "list"], ["tenant", "list", "--config", config]] {
        assert!(elsewhere.run(&arguments).well().contains("acme"));
    }
    elsewhere.run(&["tenant", "list"]).badly(&["database_url is not set"]);
    // A list that needs no key is there without it; what seals a key is not.
    std::fs::remove_file(made.folder.path("master.key")).unwrap();
    assert!(made.run(&["keys", "list", "acme"]).contains("login"));
    for arguments in [&["tenant", "create", "beta"][..], &["signing-keys", "rotate", "acme"]] {
        made.refused(arguments, &["master_key_file", "is not there"]);
    }
    made.folder.write("master.key", &vestibule::secrets::MasterKeys::generate());
    made.folder.set_mode("master.key", 0o600);
    for arguments in [&["tenant", "create", "beta"][..], &["signing-keys", "rotate", "acme"]] {
        made.refused(
            arguments,
            &["master_key_file: the database is sealed under", "restore that file's copy"],
        );
    }
    made.refused(&["tenant", "show", "beta"], &["there is no tenant \"beta\""]);
}

#[tokio::test]
async fn a_table_is_plain_text_with_a_row_a_line() {
    let made = Installation::new().await;
    let long = "a name of many words ".repeat(9);
    made.run(&["operator", "create", long.trim()]);
    for (call, rows) in [
        (&["operator", "list"][..], 2),
        (&["tenant", "list"], 1),
        (&["keys", "list", "acme"], 2),
        (&["signing-keys", "list", "acme"], 1),
    ] {
        // Whatever the terminal's width is said to be.
        let said =
            Ended::of(made.folder.command(call).env("COLUMNS", "20").env("CLICOLOR_FORCE", "1")).well();
        assert_eq!(said.lines().count(), 1 + rows, "{said}");
        assert!(!said.contains('\u{1b}') && !said.lines().any(|line| line.ends_with(' ')), "{said}");
        let columns = said.lines().next().unwrap();
        assert!(columns.starts_with(|first: char| first.is_ascii_uppercase()), "{said}");
    }
    assert_eq!(made.run(&["tenant", "list", "--status", "deleted"]), "There are none.\n");
    assert_eq!(made.json(&["tenant", "list", "--status", "deleted"]), serde_json::json!([]));
}

#[tokio::test]
async fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is_one() {
    let made = Installation::new().await;
    // Whoever reads it leaves before there is anything to read.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let left = made.folder.command(&["tenant", "settings"]).stdout(writer).output().unwrap();
    let left = Ended::from(left);
    assert_eq!((left.code, left.errors.as_str()), (Some(0), ""), "{left:?}");
    for arguments in [&["tenant", "list"][..], &["operator", "create", "Olga", "--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let ended = made.folder.command(arguments).stdout(full).output().unwrap();
        Ended::from(ended).badly(&["No space left"]);
    }
}
