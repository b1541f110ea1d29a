//! The pepper: a key outside of the database, without which no password of it can be tried (R039).

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::passwords::{Options, PasswordHash, Passwords, Presence};
use vestibule::secrets::key_file::new_line;
use vestibule::tenants::Family;

use super::init::Installation;
use crate::support::login::until;
use crate::support::program::Server;

impl Installation {
    /// Writes the pepper file, the current line first, and lets the configuration name it.
    fn season(&self, lines: &[&str]) {
        self.folder.write("pepper.key", &lines.concat());
        self.folder.set_mode("pepper.key", 0o600);
        let config = std::fs::read_to_string(self.folder.path("vestibule.toml")).unwrap();
        if !config.lines().any(|line| line.starts_with("pepper_file")) {
            let named = format!("{config}\npepper_file = \"{}\"\n", self.folder.path("pepper.key").display());
            self.folder.write("vestibule.toml", &named);
        }
    }

    fn unseason(&self) {
        let config = std::fs::read_to_string(self.folder.path("vestibule.toml")).unwrap();
        let kept: Vec<_> = config.lines().filter(|line| !line.starts_with("pepper_file")).collect();
        self.folder.write("vestibule.toml", &kept.join("\n"));
    }

    /// The administrator's stored hash.
    async fn stored(&self) -> String {
        let database = self.database.open_again().await;
        let rows = database.list(Statement::new("select password_hash as h from users")).await.unwrap();
        database.close().await;
        rows[0].text("h").unwrap()
    }

    async fn logs_in(&self, server: &Server) {
        let (status, answer) = server.login(Family::Admin, "acme", &self.login()).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Logs in, and waits until the hash is made anew under this line.
    async fn logs_in_and_is_seasoned(&self, server: &Server, line: &str) {
        self.logs_in(server).await;
        let keyid = format!(",keyid={line}$");
        until("the hash is made anew", async || self.stored().await.contains(&keyid)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R039_a_hash_gets_the_pepper_at_the_next_login_and_another_one_after_a_rotation() {
    let made = Installation::new().await;
    assert!(!made.stored().await.contains("keyid"));
    let ((first, first_line), (second, second_line)) = (new_line(), new_line());
    made.season(&[&first_line]);
    let server = made.folder.serve(&[]);
    made.logs_in_and_is_seasoned(&server, &first).await;
    made.logs_in(&server).await;
    let mut wrong = made.login();
    wrong["password"] = Value::from("a short walk by the sea");
    assert_eq!(server.login(Family::Admin, "acme", &wrong).await.0, 401);
    server.stop();

    made.season(&[&second_line, &first_line]);
    let server = made.folder.serve(&[]);
    made.logs_in_and_is_seasoned(&server, &second).await;
    server.stop();
    // Nothing needs the old line any more.
    made.season(&[&second_line]);
    let server = made.folder.serve(&[]);
    made.logs_in(&server).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn R039_R145_a_server_without_a_line_that_passwords_need_does_not_start() {
    let made = Installation::new().await;
    let ((first, first_line), (_, second_line)) = (new_line(), new_line());
    made.season(&[&first_line]);
    let server = made.folder.serve(&[]);
    made.logs_in_and_is_seasoned(&server, &first).await;
    server.stop();
    let refused = |reasons: &[&str]| {
        made.folder.run(&["serve"]).badly(reasons);
        made.folder.run(&["check-config"]).badly(reasons);
    };
    let needed = format!("passwords are stored under line {first}, which the file does not have");
    made.season(&[&second_line]);
    refused(&["pepper_file", &needed]);
    made.unseason();
    refused(&["pepper_file", &needed]);
    let short = format!("{first}:c2hvcnQ\n");
    let weak = format!("{first}:{}\n", "A".repeat(43));
    let example = format!("{first}:{}\n", vestibule::secrets::EXAMPLE_KEY);
    let long = first_line.replacen(&first, "twelvecharsx", 1);
    for (text, reason) in [
        ("", "it holds no key"),
        (&*short, "the key has 5 bytes and must have 32"),
        (&*weak, "is not random"),
        (&*example, "the documentation's example key"),
        (&*long, "more than 11 characters"),
    ] {
        made.season(&[text]);
        refused(&["pepper_file", reason]);
    }
    made.season(&[&first_line]);
    made.folder.set_mode("pepper.key", 0o644);
    refused(&["pepper_file", "chmod 600"]);
    std::fs::remove_file(made.folder.path("pepper.key")).unwrap();
    refused(&["pepper_file", "is not there"]);
    made.season(&[&first_line]);
    let server = made.folder.serve(&[]);
    made.logs_in(&server).await;
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn R039_whoever_has_the_database_alone_can_try_no_password_and_hashes_move_with_the_pepper() {
    let made = Installation::new().await;
    let (first, first_line) = new_line();
    made.season(&[&first_line]);
    let server = made.folder.serve(&[]);
    made.logs_in_and_is_seasoned(&server, &first).await;
    server.stop();

    // The right password, the stolen hash, and everything but the pepper: as it stands, and as if it had none.
    let stored = made.stored().await;
    let password = made.login()["password"].as_str().unwrap().to_owned();
    let thief = Passwords::start(Options::default()).unwrap();
    let tried = async |hash: &str| {
        let hash = PasswordHash::parse(hash).unwrap();
        let ticket = thief.ticket("thief").unwrap();
        thief.verify(ticket, password.clone().into(), Some(hash), &Presence::always()).await
    };
    assert!(tried(&stored).await.is_err(), "it cannot even be computed");
    let bare = stored.replace(&format!(",keyid={first}"), "");
    assert_ne!(bare, stored);
    assert!(!tried(&bare).await.unwrap().matches);

    let said = made.run(&["user", "export", "--tenant", "acme", "--out", "out.jsonl"]);
    assert!(said.contains("of 1 of them have a pepper"), "{said}");
    let moved = std::fs::read_to_string(made.folder.path("out.jsonl")).unwrap();
    assert!(moved.contains(&stored));
    made.run(&["tenant", "create", "beta"]);
    made.run(&["user", "import", "out.jsonl", "--tenant", "beta"]);
    // Where the pepper is another one, it is told by line.
    let elsewhere = Installation::new().await;
    elsewhere.folder.write("out.jsonl", &moved);
    elsewhere.run(&["tenant", "create", "beta"]);
    let ended =
        elsewhere.folder.run(&["user", "import", "out.jsonl", "--tenant", "beta", "--report", "report"]);
    let report = std::fs::read_to_string(elsewhere.folder.path("report")).unwrap_or_default();
    assert!(report.contains("a line that the pepper_file does not have"), "{report} {ended:?}");
}
