//! `user export`, and that an import is its inverse.

use std::io::pipe;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vestibule::db::Statement;

use super::{Place, QUICK, people};
use crate::imported_hashes::HASHES;
use crate::support::program::{Ended, signal};

#[tokio::test]
async fn an_export_read_into_another_tenant_is_the_same_users() {
    let from = Place::new().await;
    // More than a page of them, and some of each kind.
    let mut lines = people(0, 1100);
    for (line, hash) in lines.iter_mut().zip(HASHES) {
        line["passwordHash"] = json!(hash);
    }
    let statuses = ["ACTIVE", "SUSPENDED", "CLOSED"];
    for (at, line) in lines.iter_mut().enumerate() {
        line["status"] = json!(statuses[at % 3]);
        line["createdAt"] = json!(format!("20{:02}-01-01T00:00:00.{:03}Z", 10 + at % 10, at % 1000));
        if at % 4 == 1 {
            let customer =
                ["PENDING_ACTIVATION", "CS_REGISTRATION_COMPLETED", "SUSPENDED", "CLOSED"][at / 4 % 4];
            line["customer"] =
                json!({ "status": customer, "statusBefore": "ACTIVE", "name": "Ä, \"quoted\"" });
        }
    }
    lines.push(
        json!({ "email": "s@x.test", "kind": "staff", "roles": ["VIEWER", "X"], "passwordHash": QUICK }),
    );
    lines.push(json!({ "username": "only", "roles": [] }));
    let shop =
        json!({ "id": "shop", "kind": "organization", "name": "Shop", "organization": { "taxId": "7" } });
    lines.push(json!({ "email": "p@x.test", "customer": shop }));
    lines.push(json!({ "email": "q@x.test", "customerId": "shop" }));
    from.write_lines("users.jsonl", &lines);
    from.run_import(&["users.jsonl"]).well();

    let exported = from.export();
    assert_eq!(exported.len(), lines.len());
    let to = Place::new().await;
    to.write_lines("users.jsonl", &exported);
    to.run_import(&["users.jsonl"]).well();
    assert_eq!(to.export(), exported);
    // What an export does not tell is made alike.
    for what in ["login_names", "user_phones", "users where password_imported", "customers"] {
        assert_eq!(to.count(what).await, from.count(what).await, "{what}");
    }
    let search = "select search from users where kind = 'customer' order by id";
    let search = async |place: &Place| {
        let rows = place.database.list(Statement::new(search)).await.unwrap();
        rows.iter().map(|row| row.text("search").unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(search(&to).await, search(&from).await);
}

#[tokio::test]
async fn an_export_is_a_new_file_for_its_owner_alone_and_an_event() {
    let place = Place::new().await;
    place.write_lines("users.jsonl", &people(0, 3));
    place.run_import(&["users.jsonl"]).well();
    // As an erasure leaves them.
    let erase = "update users set erased_at = 1, email = null, username = null where username = 'user1'";
    place.database.execute_script(erase).await.unwrap();
    let export = ["user", "export", "--tenant", "acme", "--out", "out.jsonl"];
    let said = place.folder.run(&export).well();
    assert_eq!(said, "Wrote 3 users to out.jsonl.\n");
    assert_eq!(place.folder.mode("out.jsonl"), 0o600);
    let text = std::fs::read_to_string(place.folder.path("out.jsonl")).unwrap();
    let emails: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["email"].as_str().unwrap().to_owned())
        .collect();
    assert!(!text.contains("user1") && emails.len() == 3 && emails.contains(&"root@acme.test".to_owned()));
    assert!(text.contains(QUICK));
    assert_eq!(place.count("events where name = 'users_exported' and actor_kind = 'operator'").await, 1);

    place.folder.run(&export).badly(&["--out out.jsonl: is there already"]);
    assert_eq!(std::fs::read_to_string(place.folder.path("out.jsonl")).unwrap(), text);
    place
        .folder
        .run(&["user", "export", "--tenant", "nobody", "--out", "x"])
        .badly(&["there is no such tenant"]);
    assert!(!place.folder.names().iter().any(|name| name.starts_with('x')), "{:?}", place.folder.names());
}

#[tokio::test]
async fn users_move_also_while_a_server_runs_on_the_same_database() {
    let place = Place::new().await;
    let server = place.serve();
    place.write_lines("users.jsonl", &people(0, 30));
    place.run_import(&["users.jsonl"]).well();
    assert_eq!(place.login(&server, "user7", super::PASSWORD).await, 200);
    assert_eq!(place.export().len(), 30);
    server.stop();
}

#[tokio::test]
async fn an_export_that_is_stopped_leaves_no_hashes_behind() {
    let place = Place::new().await;
    place.write_lines("users.jsonl", &people(0, 3000));
    place.run_import(&["users.jsonl"]).well();
    let drafts = || place.folder.names().into_iter().filter(|name| name.starts_with("out.jsonl"));
    let mut stopped = 0;
    for name in ["TERM", "INT"].into_iter().cycle().take(10) {
        let mut command = place.folder.command(&["user", "export", "--tenant", "acme", "--out", "out.jsonl"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(30);
        while drafts().next().is_none() {
            assert!(Instant::now() < patience, "the export does not begin");
            assert!(child.try_wait().unwrap().is_none_or(|status| status.success()));
            std::thread::sleep(Duration::from_millis(1));
        }
        signal(&child, name);
        let ended = Ended::from(child.wait_with_output().unwrap());
        if ended.code == Some(0) {
            std::fs::remove_file(place.folder.path("out.jsonl")).unwrap(); // it was quicker
        } else {
            ended.badly(&["--out out.jsonl: stopped before all users were written"]);
            stopped += 1;
        }
        assert_eq!(drafts().collect::<Vec<_>>(), [""; 0]);
    }
    assert!(stopped >= 2, "stopped {stopped} times only");
}

#[tokio::test]
async fn an_export_whose_reader_leaves_has_failed() {
    let place = Place::new().await;
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = place.folder.command(&["user", "export", "--tenant", "acme"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    Ended::from(child.wait_with_output().unwrap()).badly(&["Broken pipe"]);
    // Of what only says how it went, the end is not needed.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut command = place.folder.command(&["user", "export", "--tenant", "acme", "--out", "out.jsonl"]);
    assert!(command.stdout(writer).status().unwrap().success());
    assert_eq!(place.folder.mode("out.jsonl"), 0o600);
}
