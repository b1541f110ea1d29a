//! `vestibule serve`: what it refuses, and how it stops.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use vestibule::db::Statement;
use vestibule::secrets::{EXAMPLE_KEY, MasterKeys, random_text};
use vestibule::tenants::Family;

use super::init::Installation;
use crate::support::app::{NIL, prefix};
use crate::support::database;
use crate::support::program::{Ended, Folder};

#[tokio::test]
async fn R145_serve_and_check_config_refuse_a_master_key_file_that_is_not_one() {
    let made = Installation::new().await;
    let folder = &made.folder;
    let good = fs::read_to_string(folder.path("master.key")).unwrap();
    let refused = |what: &[&str]| {
        for command in ["serve", "check-config"] {
            folder.run(&[command]).badly(&[&["master_key_file", "master.key"], what].concat());
        }
    };
    folder.set_mode("master.key", 0o640);
    refused(&["mode is 0640", "run `chmod 600 "]);
    folder.set_mode("master.key", 0o600);
    for (text, reason) in [
        (String::new(), "no key"),
        (String::from("k1:c2hvcnQ\n"), "has 5 bytes and must have 32"),
        (format!("k1:{EXAMPLE_KEY}\n"), "the documentation's example key"),
        (format!("k1:{}\n", "A".repeat(43)), "not random"),
        (good.replace(':', "="), "expected `id:key`: an id of 1 to 16 letters and digits, a colon, and 32"),
    ] {
        folder.write("master.key", &text);
        refused(&[reason]);
    }
    fs::remove_file(folder.path("master.key")).unwrap();
    refused(&["is not there", "restore its copy; only a new installation makes one, with `vestibule init`"]);
    fs::create_dir(folder.path("master.key")).unwrap();
    folder.set_mode("master.key", 0o700);
    refused(&["is a folder"]);
}

#[tokio::test]
async fn serve_and_check_config_refuse_a_master_key_that_does_not_open_the_database() {
    let made = Installation::new().await;
    let folder = &made.folder;
    let good = fs::read_to_string(folder.path("master.key")).unwrap();
    let line = good.lines().last().unwrap();
    let id = line.split_once(':').unwrap().0;
    let other = MasterKeys::generate();
    let other = other.lines().last().unwrap();
    let sealed = format!("master_key_file: the database is sealed under {id}, which the file does not have");
    for (text, reasons) in [
        (other.to_owned(), [&*sealed, "restore that file's copy"]),
        (format!("{id}:{}", other.split_once(':').unwrap().1), ["master_key_file: ", "does not open"]),
    ] {
        folder.write("master.key", &text);
        for command in ["serve", "check-config"] {
            folder.run(&[command]).badly(&reasons);
        }
    }
    // A new key above the one that everything is sealed under.
    folder.write("master.key", &format!("{other}\n{line}\n"));
    assert!(folder.run(&["check-config"]).well().contains("# the configuration is good"));
    let server = folder.serve(&[]);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
}

#[tokio::test]
async fn serve_and_check_config_refuse_a_master_key_file_without_a_line_that_sessions_are_refreshed_under() {
    let made = Installation::new().await;
    let folder = &made.folder;
    let first = fs::read_to_string(folder.path("master.key")).unwrap();
    let first = first.lines().last().unwrap();
    let [second, third] = ["second", "third"].map(|id| format!("{id}:{}", random_text()));
    // Under the first line all is sealed, the key of the sealed log too, which is made with the first event.
    let server = folder.serve(&[]);
    while made.database.list(Statement::new("select id from audit_keys")).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop();
    // Under the second there is a session, and nothing is sealed; under the third there is neither.
    folder.write("master.key", &format!("{third}\n{first}\n"));
    folder.serve(&[]).stop();
    folder.write("master.key", &format!("{second}\n{first}\n"));
    let server = folder.serve(&[]);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200);
    server.stop();
    folder.write("master.key", &format!("{first}\n"));
    let reason = "master_key_file: sessions that have not ended are refreshed under second, which the file does not have";
    for command in ["serve", "check-config"] {
        folder.run(&[command]).badly(&[reason, "restore that file's copy"]);
    }
    folder.write("master.key", &format!("{first}\n{second}\n"));
    folder.run(&["check-config"]).well();
    // Once they have ended the line may go.
    let ended = "update sessions set ended_at = 1, end_reason = 'logout' where refresh_key_id = 'second' returning id";
    made.database.apply(Statement::new(ended).must_change("the session")).await.unwrap();
    folder.write("master.key", &format!("{first}\n"));
    folder.run(&["check-config"]).well();
}

#[tokio::test]
async fn serve_and_check_config_refuse_the_same_databases_and_make_none() {
    let made = Installation::new().await;
    let (folder, unmigrated) = (&made.folder, database().await);
    folder.write("text", &"no database\n".repeat(200));
    folder.write("empty", "");
    let mut looked_at = folder.command(&["check-config"]);
    Ended::of(looked_at.env("VESTIBULE_DATABASE_URL", "sqlite:empty")).badly(&["vestibule migrate"]);
    assert_eq!(fs::read(folder.path("empty")).unwrap(), b"", "what is only looked at stays as it is");
    let before = folder.names();
    for (url, reasons) in [
        ("sqlite:absent.db", ["there is no database at", "absent.db", "begin with `vestibule init`"]),
        ("sqlite:/absent/x.db", ["there is no database at", "/absent/x.db", "check database_url"]),
        ("sqlite::memory:", ["database_url", "names no file", ""]),
        ("sqlite:text", ["database_url", "the database cannot be opened", "is not a database"]),
        ("sqlite:empty", ["the database's schema is not this version's", "vestibule migrate", ""]),
        (&unmigrated.url, ["the database's schema is not this version's", "vestibule migrate", ""]),
        ("postgres://a@127.0.0.1:1/x?sslmode=foo", ["database_url", "sslmode=foo", "verify-full"]),
        ("postgres://a@127.0.0.1:1/x", ["database_url", "the database cannot be opened", "unavailable"]),
    ] {
        for command in ["serve", "check-config"] {
            Ended::of(folder.command(&[command]).env("VESTIBULE_DATABASE_URL", url)).badly(&reasons);
        }
    }
    assert_eq!(folder.names(), before);
}

#[tokio::test]
async fn serve_refuses_an_unknown_key_and_an_unknown_variable_by_name() {
    let made = Installation::new().await;
    let good = fs::read_to_string(made.folder.path("vestibule.toml")).unwrap();
    made.folder.write("vestibule.toml", &format!("{good}\nlisten_adress = \"127.0.0.1:1\"\n"));
    made.folder.run(&["serve"]).badly(&["vestibule.toml: unknown key listen_adress"]);
    made.folder.write("vestibule.toml", &good);
    let mut serve = made.folder.command(&["serve"]);
    Ended::of(serve.env("VESTIBULE_LISTENS", "x"))
        .badly(&["unknown variable VESTIBULE_LISTENS; did you mean VESTIBULE_LISTEN?"]);
    made.folder.run(&["--config", "absent.toml", "serve"]).badly(&["absent.toml"]);
}

#[tokio::test]
async fn serve_refuses_a_port_in_use_by_name() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let mut second = made.folder.command(&["serve"]);
    Ended::of(second.env("VESTIBULE_LISTEN", server.address())).badly(&[
        "listen",
        server.address(),
        "in use",
    ]);
}

#[tokio::test]
async fn a_database_is_served_when_it_is_migrated_which_can_be_repeated() {
    let (folder, database) = (Folder::new(), database().await);
    folder.write("master.key", &MasterKeys::generate());
    folder.set_mode("master.key", 0o600);
    // As an orchestrator mounts a secret: in a file, with a line end.
    folder.write("url", &format!("{}\n", database.url));
    let settings = [
        ("VESTIBULE_DATABASE_URL_FILE", "url"),
        ("VESTIBULE_MASTER_KEY_FILE", "master.key"),
        ("VESTIBULE_PUBLIC_URL", "http://127.0.0.1:8080"),
    ];
    let command = |name: &str| Ended::of(folder.command(&[name]).envs(settings));
    command("serve").badly(&["run `vestibule migrate`"]);
    assert!(command("migrate").well().starts_with("The schema is now current: "));
    assert!(command("migrate").well().starts_with("The schema was current: "));
    let server = folder.serve(&settings);
    let ready = reqwest::get(format!("{}/readyz", server.public)).await.unwrap();
    assert_eq!(ready.status(), 200);
    server.stop();
}

#[tokio::test]
async fn R157_after_SIGTERM_a_login_under_way_is_finished_and_no_new_one_is_taken() {
    let made = Installation::new().await;
    let mut server = made.folder.serve(&[]);
    let body = made.login().to_string();
    let (begun, rest) = body.split_at(body.len() / 2);
    let mut connection = TcpStream::connect(server.address()).unwrap();
    write!(
        connection,
        "POST {}/users/{NIL}/sessions HTTP/1.1\r\nhost: x\r\nx-tenant-id: acme\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        prefix(Family::Admin, NIL),
        body.len()
    )
    .unwrap();
    // It says so when it begins to read the body: now the login is under way.
    let mut interim = [0; 25];
    connection.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection.write_all(begun.as_bytes()).unwrap();

    server.terminate();
    server.wait_for_line("stopping");
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(server.address()).is_ok() {
        assert!(Instant::now() < deadline, "nobody listens any more");
        std::thread::yield_now();
    }
    connection.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");

    // What was answered is kept.
    let token = answer.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap();
    let session = answer.split("\"sessionId\":\"").nth(1).unwrap().split('"').next().unwrap();
    let server = made.folder.serve(&[]);
    let url = format!("{}{}/users/{NIL}/sessions/{session}", server.public, prefix(Family::Admin, NIL));
    let found = reqwest::Client::new().get(url).bearer_auth(token).header("x-tenant-id", "acme").send().await;
    assert_eq!(found.unwrap().status(), 200);
}
