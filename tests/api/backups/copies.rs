//! `vestibule backup` and `vestibule restore`. Always on SQLite, but for what they say of PostgreSQL.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vestibule::clock::Timestamp;
use vestibule::tenants::Family;

use super::{Held, number, open};
use crate::commands::init::Installation;
use crate::support;
use crate::support::program::{Ended, login};

async fn on_sqlite() -> Installation {
    Installation::on(support::sqlite().await)
}

/// What `restore` set aside, beside the database.
fn set_aside(made: &Installation) -> Vec<String> {
    let folder = made.database.file().parent().unwrap().to_owned();
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains(".replaced-")).collect()
}

/// Nobody but the commands has the database open from now on.
async fn leave(made: &Installation) {
    made.database.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn R163_what_ended_after_a_backup_under_load_is_over_after_its_restore_and_logins_work_anew() {
    let made = on_sqlite().await;
    leave(&made).await;
    let server = made.folder.serve(&[]);
    let (kept, ended_later) = (Held::open(&server, &made).await, Held::open(&server, &made).await);
    // Logins go on while the copy is made.
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let (base, stop, body) = (server.public.clone(), Arc::clone(&stop), made.login());
        async move {
            let mut opened = 0;
            while !stop.load(Ordering::SeqCst) {
                let (status, answer) = login(&base, Family::Admin, "acme", &body).await;
                assert_eq!(status, 200, "{answer}");
                opened += 1;
            }
            opened
        }
    });
    let mut said = Vec::new();
    for copy in 0..3 {
        said.push(made.run(&["backup", &format!("copy-{copy}.db")]));
    }
    stop.store(true, Ordering::SeqCst);
    assert!(load.await.unwrap() > 0);
    assert!(
        said[0].contains("1 tenants, 1 users") && said[0].contains("of no use without the master key"),
        "{said:?}"
    );
    assert_eq!(made.folder.mode("copy-0.db"), 0o600);
    // Each is whole: no session without the event of its login.
    for copy in 0..3 {
        let file = made.folder.path(&format!("copy-{copy}.db"));
        let copied = open(&format!("sqlite:{}", file.display())).await;
        let lone = "select count(*) as number from sessions s where not exists \
                    (select 1 from events e where e.session_id = s.id and e.name = 'authn_login_success')";
        assert_eq!(number(&copied, lone).await, 0);
        assert!(number(&copied, "select count(*) as number from sessions").await >= 2);
        copied.close().await;
    }

    // After the copy: one logs out, one goes on, and a new one begins.
    ended_later.logout(&server).await;
    let (status, body) = kept.refresh(&server).await;
    assert_eq!(status, 200);
    let newest = Held::of(&body);
    let begun_later = Held::open(&server, &made).await;
    made.folder.run(&["restore", "copy-2.db"]).badly(&["the database is in use", "stop the server"]);
    assert_eq!(set_aside(&made), Vec::<String>::new());
    server.stop();

    let said = made.run(&["restore", "copy-2.db"]);
    for part in ["All sessions of 1 tenants have ended", "0 tenant keys", "passwords", "restored --since"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let server = made.folder.serve(&[]);
    for held in [&kept, &ended_later] {
        held.is_over(&server).await;
    }
    newest.is_refused(&server).await;
    // Of what was opened after the copy nothing is known.
    begun_later.is_refused(&server).await;
    let anew = Held::open(&server, &made).await;
    assert_eq!(anew.look(&server).await, 200);
    assert_eq!(anew.refresh(&server).await.0, 200);
    server.stop();

    // The old database is there and whole, with what was done in it.
    let aside = set_aside(&made);
    assert_eq!(aside.len(), 1, "{aside:?}");
    let old = format!("sqlite:{}", made.database.file().with_file_name(&aside[0]).display());
    let database = open(&old).await;
    let logouts = "select count(*) as number from sessions where end_reason = 'logout'";
    assert_eq!(number(&database, logouts).await, 1);
    database.close().await;
    let database = open(&made.database.url).await;
    assert_eq!(number(&database, logouts).await, 0);
    let events = "select count(*) as number from events where name = 'store_restored'";
    assert_eq!(number(&database, events).await, 2, "one of the tenant, one of the system");
    database.close().await;
}

#[tokio::test]
async fn R163_what_a_restore_has_undone_is_listed_from_the_database_that_was_set_aside() {
    let made = on_sqlite().await;
    leave(&made).await;
    made.run(&["backup", "copy.db"]);
    let key = made.json(&["keys", "list", "acme"])[0]["id"].as_str().unwrap().to_owned();
    made.run(&["keys", "revoke", "acme", &key]);
    let said = made.run(&["restore", "copy.db"]);
    let line = said.lines().find(|line| line.contains("vestibule restored --since")).unwrap().trim();
    let (url, since) = line.split_once(" vestibule restored --since ").unwrap();
    let mut list = made.folder.command(&["restored", "--since", since]);
    list.env("VESTIBULE_DATABASE_URL", url.strip_prefix("VESTIBULE_DATABASE_URL=").unwrap());
    let listed = Ended::of(&mut list).well();
    assert!(listed.contains("tenant_key_revoked") && listed.contains(&key), "{listed}");
    // It may have begun before the copy's newest event, and have become durable after the copy.
    let newest = said.split("the newest event is of ").nth(1).unwrap().split_whitespace().next().unwrap();
    let [newest, since] = [newest.trim_end_matches('.'), since].map(|at| Timestamp::parse(at).unwrap());
    assert_eq!(newest.as_millis() - since.as_millis(), 300_000, "{said}");
    let ended = made.folder.run(&["restored", "--since", "yesterday"]);
    assert!(ended.code == Some(2) && ended.errors.contains("an instant in UTC"), "{ended:?}");
}

#[tokio::test]
async fn a_backup_writes_over_nothing_and_leaves_nothing_where_it_fails() {
    let made = on_sqlite().await;
    made.folder.write("precious", "precious");
    let before = made.folder.names();
    made.refused(&["backup", "precious"], &["precious", "is there already; name another file"]);
    made.refused(&["backup", "no/such/folder/x.db"], &["no/such/folder/x.db", "cannot be written"]);
    assert_eq!(made.folder.names(), before);
    assert_eq!(fs::read_to_string(made.folder.path("precious")).unwrap(), "precious");
}

#[tokio::test]
async fn a_restore_takes_whole_backups_of_this_installation_alone_and_else_changes_nothing() {
    let made = on_sqlite().await;
    leave(&made).await;
    made.run(&["backup", "good.db"]);
    let bytes = fs::read(made.folder.path("good.db")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(made.folder.path(name), bytes).unwrap();
    write("cut.db", &bytes[..bytes.len() / 2]);
    let mut garbled = bytes.clone();
    garbled[20_000..60_000].fill(0xa5);
    write("garbled.db", &garbled);
    write("text", &b"no database, and long enough to be looked at\n".repeat(100));
    write("empty", b"");
    write("in-use.db", &bytes);
    write("in-use.db-wal", b"x");
    let other = on_sqlite().await;
    leave(&other).await;
    other.run(&["backup", "other.db"]);
    fs::copy(other.folder.path("other.db"), made.folder.path("other.db")).unwrap();
    let newer = open(&format!("sqlite:{}", made.folder.path("newer.db").display())).await;
    newer.close().await;
    write("newer.db", &bytes);
    let newer = open(&format!("sqlite:{}", made.folder.path("newer.db").display())).await;
    let unknown = "insert into vestibule_migrations (version, name, checksum, applied_at) values (999, 'later', 'x', 0)";
    newer.execute_script(unknown).await.unwrap();
    newer.close().await;

    let place = made.database.file();
    let before = fs::read(&place).unwrap();
    for (file, reasons) in [
        ("absent.db", ["absent.db", "cannot be read"]),
        ("cut.db", ["cut.db", "is not a whole database; nothing was changed"]),
        ("garbled.db", ["garbled.db", "is not a whole database; nothing was changed"]),
        ("text", ["text", "is not a whole database; nothing was changed"]),
        ("empty", ["empty", "it is no database of vestibule's"]),
        ("in-use.db", ["in-use.db", "a database in use and no backup"]),
        ("other.db", ["other.db", "master_key_file"]),
        ("newer.db", ["newer.db", "newer than this binary"]),
    ] {
        made.refused(&["restore", file], &reasons);
        assert!(fs::read(&place).unwrap() == before, "{file} has changed the database");
    }
    let folder = place.parent().unwrap();
    let left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [Path::new("test.db")], "no draft is left");
    // The good one goes in over a database that cannot be read any more, which is kept.
    fs::write(&place, "garbage that was a database once").unwrap();
    let said = made.run(&["restore", "good.db"]);
    assert!(said.contains("The database that was there could not be read"), "{said}");
    assert!(said.contains("that were revoked or retired"), "{said}");
    assert_eq!(set_aside(&made).len(), 1);
    let server = made.folder.serve(&[]);
    Held::open(&server, &made).await;
    server.stop();
    assert_eq!(fs::read(made.folder.path("good.db")).unwrap(), bytes, "the backup stays as it is");
    // And where there is none.
    fs::remove_file(&place).unwrap();
    made.run(&["restore", "good.db"]);
}

#[tokio::test]
async fn where_the_database_is_postgresqls_backups_are_too() {
    if !support::on_postgres() {
        return;
    }
    let made = Installation::new().await;
    made.refused(&["backup", "copy.db"], &["database_url", "pg_dump", "vestibule restored"]);
    made.refused(&["restore", "copy.db"], &["database_url", "its own tools", "vestibule restored"]);
}
