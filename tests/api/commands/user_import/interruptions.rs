//! Killed at any moment, and run twice at once: nobody is lost, and nobody is there twice.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vestibule::db::Statement;

use super::{Place, people};
use crate::support::dice::Dice;
use crate::support::program::{Ended, Kill};

/// Every seventh line is wrong.
fn lines(number: usize) -> Vec<Value> {
    let mut lines = people(0, number);
    for line in lines.iter_mut().step_by(7) {
        line["status"] = json!("LOST");
    }
    lines
}

fn start(command: &mut Command) -> Kill {
    Kill(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R154_an_import_that_is_killed_goes_on_behind_its_last_line_and_doubles_nobody() {
    const NUMBER: usize = 6000;
    let place = Place::new().await;
    place.write_lines("users.jsonl", &lines(NUMBER));
    let arguments = ["users.jsonl", "--report", "report.jsonl"];
    let mut dice = Dice::new(154);
    let mut kills = 0;
    while kills < 5 {
        let before = place.users().await;
        let mut child = start(&mut place.import(&arguments));
        let patience = Instant::now() + Duration::from_secs(30);
        // The first kill strikes before anything is in.
        while kills > 0 && place.users().await == before {
            assert!(Instant::now() < patience, "the import does not get on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(dice.below(150))).await;
        child.0.kill().unwrap();
        if child.0.wait().unwrap().code().is_some() {
            break; // it was quicker
        }
        kills += 1;
    }
    assert!(kills >= 3, "killed {kills} times only");
    if !place.database.is_sqlite() {
        // The server may still be at work on what the dead process sent it last.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (told, ended) = place.import_json(&arguments);
    let refused = NUMBER.div_ceil(7);
    assert!(told["resumedAfterLine"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(
        (&told["created"], &told["refused"], &told["present"]),
        (&json!(NUMBER - refused), &json!(refused), &json!(0)),
        "{ended:?}"
    );
    let users = i64::try_from(NUMBER - refused).unwrap();
    assert_eq!(place.users().await, users);
    assert_eq!(place.count("customers where not house").await, users);
    assert_eq!(place.count("login_names").await, 2 * users + 1);
    assert_eq!(place.count("user_phones").await, users);
    // The report of all runs together has each problem once, in order.
    let report = std::fs::read_to_string(place.folder.path("report.jsonl")).unwrap();
    let told: Vec<u64> = report
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    assert_eq!(told, (1..=NUMBER as u64).step_by(7).collect::<Vec<_>>());

    let events = Statement::new("select details from events where name = 'users_imported' order by id");
    let events = place.database.list(events).await.unwrap();
    let details: Vec<Value> =
        events.iter().map(|row| serde_json::from_str(&row.text("details").unwrap()).unwrap()).collect();
    let mut next = 1;
    for batch in &details {
        assert_eq!(batch["firstLine"], next, "{batch}");
        next = batch["lastLine"].as_u64().unwrap() + 1;
    }
    assert_eq!(next, NUMBER as u64 + 1);
    let sum = |field: &str| details.iter().map(|batch| batch[field].as_i64().unwrap()).sum::<i64>();
    assert_eq!((sum("created"), sum("refused")), (users, i64::try_from(refused).unwrap()));

    let again = place.run_import(&arguments);
    assert!(again.out.starts_with("This file has been imported already; nothing was done.\n"), "{again:?}");
    assert_eq!(again.code, Some(1), "as the first time");
    assert_eq!(std::fs::read_to_string(place.folder.path("report.jsonl")).unwrap(), report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_of_one_file_at_once_let_nobody_in_twice_and_one_is_refused() {
    const NUMBER: usize = 4000;
    let place = Place::new().await;
    place.write_lines("users.jsonl", &people(0, NUMBER));
    let run = || {
        let mut command = place.import(&["users.jsonl"]);
        std::thread::spawn(move || Ended::of(&mut command))
    };
    let runs: Vec<_> = (0..2).map(|_| run()).collect();
    let mut ended: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
    ended.sort_by_key(|ended| ended.code);
    assert_eq!(ended[0].code, Some(0), "{ended:?}");
    ended[1].badly(&["another run of this import is under way"]);
    assert!(!ended[1].errors.contains("is taken"), "it passed none of the other's lines: {ended:?}");
    // The one that was let in first did all of it.
    assert!(ended[0].out.starts_with("4000 read, 4000 created, 0 there already"), "{ended:?}");
    assert_eq!(place.count("imports where lines_done = 4000 and created = 4000 and present = 0").await, 1);
    assert_eq!(place.users().await, 4000);
    assert_eq!(place.count("login_names").await, 8001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R053_files_that_want_the_same_names_at_once_let_each_in_once() {
    let place = Place::new().await;
    // The same people in another order, so that the two meet in the middle.
    let mut lines = people(0, 2000);
    place.write_lines("up.jsonl", &lines);
    lines.reverse();
    place.write_lines("down.jsonl", &lines);
    let runs: Vec<_> = ["up.jsonl", "down.jsonl"]
        .into_iter()
        .map(|file| {
            let mut command = place.import(&[file, "--json"]);
            std::thread::spawn(move || Ended::of(&mut command))
        })
        .collect();
    let told: Vec<Value> = runs
        .into_iter()
        .map(|run| {
            let ended = run.join().unwrap();
            serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
        })
        .collect();
    let sum = |field: &str| told.iter().map(|it| it[field].as_i64().unwrap()).sum::<i64>();
    assert_eq!(sum("created"), 2000, "{told:?}");
    assert_eq!(sum("present") + sum("refused"), 2000, "{told:?}");
    assert_eq!(place.users().await, 2000);
    assert_eq!(place.count("customers where not house").await, 2000);
    assert_eq!(place.count("login_names").await, 4001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_answers_beside_an_import_and_lets_in_who_is_in() {
    let place = Place::new().await;
    place.write_lines("first.jsonl", &people(0, 1));
    place.run_import(&["first.jsonl"]).well();
    let server = place.serve();
    place.write_lines("users.jsonl", &people(1, 8000));
    let mut child = start(&mut place.import(&["users.jsonl"]));
    let mut logins = 0;
    let mut ended = None;
    while ended.is_none() {
        let name = if logins == 0 { "user0" } else { "user1" };
        if place.users().await > 1 {
            assert_eq!(place.login(&server, name, super::PASSWORD).await, 200, "after {logins}");
            logins += 1;
        }
        ended = child.0.try_wait().unwrap();
    }
    assert!(ended.unwrap().success());
    assert!(logins > 3, "{logins}");
    assert_eq!(place.login(&server, "user8000", super::PASSWORD).await, 200);
    assert_eq!(place.users().await, 8001);
    server.stop();
}

#[tokio::test]
async fn a_report_is_gone_on_with_whatever_a_line_holds_and_where_its_first_line_is_half_there() {
    let place = Place::new().await;
    let lines = lines(2);
    place.write_lines("users.jsonl", &lines);
    for half in ["{", "{\"line\":1,\"outcome\":\"ref"] {
        place.folder.write("report.jsonl", half);
        let ended = place.run_import(&["users.jsonl", "--report", "report.jsonl", "--dry-run"]);
        assert!(ended.out.contains("1 refused"), "{ended:?}");
        let report = std::fs::read_to_string(place.folder.path("report.jsonl")).unwrap();
        let told: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&told["line"], &told["field"]), (&json!(1), &json!("status")));
    }
    for other in ["{\"name\":", "{\"line\":1}\n", "notes"] {
        place.folder.write("report.jsonl", other);
        let ended = place.run_import(&["users.jsonl", "--report", "report.jsonl"]);
        ended.badly(&["is something else already"]);
    }
    place.folder.write("report.jsonl", "");
    place.run_import(&["users.jsonl", "--report", "report.jsonl"]).badly(&["1 of the lines"]);
    let escapes = "{\"line\":1,\"outcome\":\"refused\",\"field\":\"a\\\"b\",\"reason\":\"is\\u001b\"}\n";
    place.folder.write("report.jsonl", escapes);
    let again = place.run_import(&["users.jsonl", "--report", "report.jsonl"]);
    assert!(again.out.starts_with("This file has been imported already"), "{again:?}");
    assert_eq!(std::fs::read_to_string(place.folder.path("report.jsonl")).unwrap(), escapes);
}
