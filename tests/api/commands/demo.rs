//! `vestibule demo`.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use serde_json::Value;

use crate::support::program::{Ended, Folder, Kill, lines};

/// A demo that runs, and what it printed up to now.
struct Demo {
    child: Kill,
    printed: Vec<String>,
    out: Receiver<String>,
}

impl Demo {
    fn start(folder: &Folder) -> Self {
        let mut command =
            folder.command(&["demo", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"]);
        let mut child = Kill(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let out = lines(child.0.stdout.take().unwrap());
        let mut demo = Self { child, printed: Vec::new(), out };
        while !demo.text().contains("Stop with Ctrl-C.") {
            let line =
                demo.out.recv_timeout(Duration::from_secs(30)).expect("the demo says that it is ready");
            demo.printed.push(line);
        }
        demo
    }

    fn text(&self) -> String {
        self.printed.join("\n")
    }

    /// The printed call after these words.
    fn call_after(&self, words: &str) -> String {
        let text = self.text();
        let (_, rest) =
            text.split_once(&format!("{words}:\n\n")).unwrap_or_else(|| panic!("{words}: {text}"));
        rest.split("\n\n").next().unwrap().to_owned()
    }

    /// Pastes the printed login into a shell: its answer.
    fn paste(&self) -> Value {
        paste(&self.call_after("Log in"))
    }

    /// Pastes the printed registration.
    fn paste_registration(&self) -> Value {
        paste(&self.call_after("Register an individual, as the tenant's backend does"))
    }

    /// Stops it with Ctrl-C.
    fn stop(mut self) {
        let interrupted =
            Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.child.0.id())).status();
        assert!(interrupted.unwrap().success());
        assert!(self.child.wait_for_the_end().success());
    }
}

#[test]
fn the_documented_call_works_and_a_second_run_finds_the_first_ones_data() {
    let folder = Folder::new();
    let demo = Demo::start(&folder);
    assert!(demo.text().contains("its data is new, in vestibule-demo"), "{}", demo.text());
    let first = demo.paste();
    assert_eq!(first["code"], 200, "{first}");
    let claims = first["data"]["token"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&vestibule::secrets::from_base64url(claims).unwrap()).unwrap();
    let issuer = claims["iss"].as_str().unwrap();
    assert!(demo.text().contains(&format!("{issuer}/.well-known/jwks.json")), "{issuer}: {}", demo.text());
    let columns: Vec<_> = ["every call, to try", "the keys that verify", "what Prometheus sees"]
        .iter()
        .map(|what| demo.printed.iter().find_map(|line| line.find(what)).unwrap())
        .collect();
    assert!(columns.iter().all(|column| *column == columns[0]), "{}", demo.text());
    demo.stop();
    assert_eq!(folder.mode("vestibule-demo"), 0o700);
    assert_eq!(folder.mode("vestibule-demo/master.key"), 0o600);

    let demo = Demo::start(&folder);
    assert!(demo.text().contains("its data is found in vestibule-demo"), "{}", demo.text());
    let second = demo.paste();
    for field in ["userId", "customerId", "tenantId"] {
        assert!(first["data"][field].is_string());
        assert_eq!(first["data"][field], second["data"][field]);
    }
    assert_ne!(first["data"]["sessionId"], second["data"]["sessionId"]);
    assert!(second["data"]["user"]["lastLogin"].is_string(), "the first run's login was kept: {second}");
}

/// Runs a call in a shell: its answer.
fn paste(call: &str) -> Value {
    let answer = Ended::from(Command::new("sh").arg("-c").arg(format!("{call} --silent")).output().unwrap());
    serde_json::from_str(&answer.out).unwrap_or_else(|_| panic!("{answer:?}"))
}

#[test]
fn who_is_registered_by_the_printed_call_can_log_in() {
    let folder = Folder::new();
    let demo = Demo::start(&folder);
    let login =
        demo.call_after("Log in").replace("customer.login.123456@example.test", "ada.lovelace@example.test");
    let login = login.replace("SecurePass123!", "correct horse battery");
    assert_eq!(paste(&login)["code"], 401, "nobody has this name yet");
    let registered = demo.paste_registration();
    assert_eq!(registered["code"], 200, "{registered}");
    assert!(demo.text().contains("ada.lovelace@example.test then logs in"), "{}", demo.text());
    let answer = paste(&login);
    assert_eq!(answer["code"], 200, "{answer}");
    assert_eq!(answer["data"]["userId"], registered["data"]["user"]["id"]);
    assert_eq!(demo.paste_registration()["code"], 409, "the e-mail is taken");
    demo.stop();
}

#[test]
fn a_demo_of_before_gets_its_backend_key_once_and_a_revoked_one_stays_revoked() {
    let folder = Folder::new();
    Demo::start(&folder).stop();
    let database = || rusqlite::Connection::open(folder.path("vestibule-demo/vestibule.db")).unwrap();
    let run = |sql: &str| database().execute(sql, []).unwrap();
    assert_eq!(run("delete from tenant_keys where purpose = 'backend'"), 1);
    let demo = Demo::start(&folder);
    assert_eq!(demo.paste_registration()["code"], 200);
    demo.stop();
    assert_eq!(run("update tenant_keys set revoked_at = 1 where purpose = 'backend'"), 1);
    let demo = Demo::start(&folder);
    assert_eq!(demo.paste_registration()["code"], 401);
    assert_eq!(demo.paste()["code"], 200);
    demo.stop();
}

#[test]
fn R011_serve_and_check_config_refuse_the_demos_database() {
    let folder = Folder::new();
    Demo::start(&folder).stop();
    for name in ["serve", "check-config"] {
        let mut command = folder.command(&[name]);
        command.env("VESTIBULE_DATABASE_URL", "sqlite:vestibule-demo/vestibule.db");
        command.env("VESTIBULE_MASTER_KEY_FILE", "vestibule-demo/master.key");
        command.env("VESTIBULE_PUBLIC_URL", "http://127.0.0.1:8080");
        Ended::of(&mut command).badly(&["database_url: this database belongs to the demo", "vestibule init"]);
    }
}

#[test]
fn R011_the_demo_listens_on_loopback_only() {
    let folder = Folder::new();
    for option in ["--listen", "--operator-listen"] {
        for address in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
            folder.run(&["demo", option, address]).badly(&[
                option,
                address,
                "listens on 127.0.0.1 or [::1] only",
            ]);
        }
    }
    assert!(folder.names().is_empty());
}

#[test]
fn what_keeps_the_demo_from_starting_is_named() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--listen", "--operator-listen"] {
        let mut arguments = ["demo", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"];
        let place = arguments.iter().position(|argument| *argument == option).unwrap();
        arguments[place + 1] = &address;
        folder.run(&arguments).badly(&[&format!("{option}: cannot listen on {address}"), "in use"]);
    }
    assert!(folder.names().is_empty(), "nothing is made that cannot be served");
    // Folders that not even root can make, or write in.
    let demo = |data| {
        folder.run(&["demo", "--data", data, "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"])
    };
    demo("/proc/vestibule").badly(&["--data /proc/vestibule: cannot be made"]);
    demo("/proc").badly(&["--data", "/proc/master.key"]);
    folder.write("file", "");
    demo("file").badly(&["--data file: cannot be made"]);
    folder.run(&["--config", "x", "demo"]).badly(&["leave --config out"]);
    Ended::of(folder.command(&["demo"]).env("VESTIBULE_CONFIG", "x")).badly(&["unset VESTIBULE_CONFIG"]);
}

#[test]
fn a_demo_that_lost_its_key_says_how_to_begin_anew() {
    let folder = Folder::new();
    Demo::start(&folder).stop();
    std::fs::remove_file(folder.path("vestibule-demo/master.key")).unwrap();
    let again = ["demo", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"];
    folder.run(&again).badly(&["--data vestibule-demo", "remove the folder to begin anew"]);
}
