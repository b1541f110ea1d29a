//! What was revoked, retired, suspended, closed, deleted or erased after the backup, where the database that a restore
//! replaces can be read. Always on SQLite.

use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{number, open};
use crate::commands::desk::ask;
use crate::commands::init::Installation;
use crate::support;
use crate::support::directory::{CUSTOMERS, INDIVIDUAL, USERS, individual};
use crate::support::program::{Server, credentials};

/// An installation whose database only the commands and servers of its test have open.
async fn installation() -> Installation {
    let made = Installation::on(support::sqlite().await);
    made.database.close().await;
    made
}

/// A tenant key that was made at the command line.
struct Credential {
    id: String,
    key: String,
    secret: String,
}

impl Credential {
    fn create(made: &Installation, tenant: &str, purpose: &str) -> Self {
        let made = made.json(&["keys", "create", tenant, "--purpose", purpose]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            id: text(&made["key"]["id"]),
            key: text(&made["key"]["tenantKey"]),
            secret: text(&made["tenantSecret"]),
        }
    }

    fn of_backend(made: &Installation) -> Self {
        let [key, secret] = ["tenantKey", "tenantSecret"].map(|label| made.printed(label)[1].to_owned());
        Self { id: String::new(), key, secret }
    }

    async fn call(&self, server: &Server, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = reqwest::Client::new().request(method, format!("{}{path}", server.public));
        let answer = request.basic_auth(&self.key, Some(&self.secret)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, server: &Server, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(server, Method::POST, path, body).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    async fn look(&self, server: &Server, path: &str) -> (u16, Value) {
        let request = reqwest::Client::new().get(format!("{}{path}", server.public));
        let answer = request.basic_auth(&self.key, Some(&self.secret)).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// Registers an individual: the ids of the user and the customer.
async fn register(backend: &Credential, server: &Server, email: &str) -> (String, String) {
    let answer = backend.post(server, INDIVIDUAL, individual(email)).await;
    let text = |name: &str| answer["data"]["user"][name].as_str().unwrap().to_owned();
    (text("id"), text("customerId"))
}

async fn published(server: &Server) -> Vec<Value> {
    let url = format!("{}/t/acme/.well-known/jwks.json", server.public);
    let set: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

/// Alters a database that nobody has open, and has it closed when this is over.
fn alter(file: &Path, sql: &str) {
    rusqlite::Connection::open(file).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn R163_who_and_what_was_shut_out_after_a_backup_stays_out_after_its_restore() {
    let made = installation().await;
    for tenant in ["late-bills", "leaving"] {
        made.run(&["tenant", "create", tenant]);
    }
    let (thief, bills) =
        (Credential::create(&made, "acme", "backend"), Credential::create(&made, "late-bills", "backend"));
    let thief_of_operators = made.json(&["operator", "create", "Mallory"]);
    let backend = Credential::of_backend(&made);
    let server = made.folder.serve(&[]);
    let mut people = Vec::new();
    for name in ["suspended", "closed", "erased", "customer-suspended", "customer-closed", "resumed", "kept"]
    {
        people.push(register(&backend, &server, &format!("{name}@example.test")).await);
    }
    backend.post(&server, &format!("{USERS}/{}/suspend", people[5].0), json!({})).await;
    let kid = published(&server).await[0].as_str().unwrap().to_owned();
    server.stop();
    made.run(&["backup", "copy.db"]);

    // After the copy.
    let server = made.folder.serve(&[]);
    made.run(&["keys", "revoke", "acme", &thief.id]);
    made.run(&["operator", "revoke", thief_of_operators["operator"]["id"].as_str().unwrap()]);
    made.run(&["signing-keys", "retire", "acme", &kid]);
    made.run(&["tenant", "suspend", "late-bills"]);
    made.run(&["tenant", "delete", "leaving", "--confirm", "leaving"]);
    for (what, id, act) in [
        (USERS, &people[0].0, "suspend"),
        (USERS, &people[1].0, "close"),
        (USERS, &people[2].0, "erase"),
        (CUSTOMERS, &people[3].1, "suspend"),
        (CUSTOMERS, &people[4].1, "close"),
        (USERS, &people[5].0, "resume"),
    ] {
        backend.post(&server, &format!("{what}/{id}/{act}"), json!({})).await;
    }
    let since = register(&backend, &server, "since@example.test").await;
    backend.post(&server, &format!("{USERS}/{}/close", since.0), json!({})).await;
    server.stop();

    let said = made.run(&["restore", "copy.db"]);
    // Who was erased was closed with their customer.
    let counted = "1 operators, 1 tenant keys, 1 signing keys, 2 tenants, 3 customers, 3 users.";
    assert!(said.contains(counted), "{said}");
    assert!(!said.contains("that were revoked or retired") && said.contains("passwords"), "{said}");
    let server = made.folder.serve(&[]);
    assert_eq!(thief.look(&server, "/api/v2.1/events").await.0, 401);
    assert_eq!(bills.look(&server, "/api/v2.1/events").await.0, 401);
    assert_eq!(backend.look(&server, "/api/v2.1/events").await.0, 200);
    let token = thief_of_operators["token"].as_str().unwrap();
    assert_eq!(ask(&server, token, Method::GET, "/operators", None).await.0, 401);
    let kids = published(&server).await;
    assert!(kids.len() == 1 && kids[0] != kid, "{kids:?}");
    for (tenant, status) in [("late-bills", "suspended"), ("leaving", "deleted")] {
        assert_eq!(made.json(&["tenant", "show", tenant])["status"], status);
    }
    let status = async |what: &str, id: &str| {
        let (status, answer) = backend.look(&server, &format!("{what}/{id}")).await;
        assert_eq!(status, 200, "{answer}");
        let word = if what == USERS { "status" } else { "customerStatus" };
        (answer["data"][word].clone(), answer.to_string().contains("@example.test"))
    };
    for (who, is, named) in [
        (0, "SUSPENDED", true),
        (1, "CLOSED", true),
        (2, "CLOSED", false),
        // What was let in again since is not: of two copies the stricter one is right.
        (5, "SUSPENDED", true),
        (6, "ACTIVE", true),
    ] {
        assert_eq!(status(USERS, &people[who].0).await, (json!(is), named), "{who}");
    }
    assert_eq!(status(CUSTOMERS, &people[3].1).await.0, "SUSPENDED");
    assert_eq!(status(CUSTOMERS, &people[4].1).await.0, "CLOSED");
    assert_eq!(backend.look(&server, &format!("{USERS}/{}", since.0)).await.0, 404);
    // The door: who was shut out is, who was not is let in.
    let [key, secret] = ["tenantKey", "tenantSecret"].map(|label| made.printed(label)[0]);
    for (name, is) in [("suspended", 401), ("customer-suspended", 401), ("kept", 200)] {
        let body = credentials(&format!("{name}@example.test"), support::app::PASSWORD, key, secret);
        let (status, answer) = server.login(Family::Individual, "acme", &body).await;
        assert_eq!(status, is, "{name}: {answer}");
    }
    server.stop();
    // Each has its event, as if somebody had done it.
    let database = open(&made.database.url).await;
    for (event, times) in [
        ("operator_revoked", 1),
        ("tenant_key_revoked", 1),
        ("signing_key_retired", 1),
        ("tenant_status_changed", 2),
        ("user_erased", 1),
        ("customer_erased", 1),
        ("store_restored", 4),
    ] {
        let sql = format!("select count(*) as number from events where name = '{event}'");
        assert_eq!(number(&database, sql.leak()).await, times, "{event}");
    }
    database.close().await;
}

#[tokio::test]
async fn R163_a_restore_of_a_newer_copy_after_an_older_one_gives_nothing_back_and_takes_no_newer_key() {
    let made = installation().await;
    let thief = Credential::create(&made, "acme", "backend");
    made.run(&["backup", "older.db"]);
    made.run(&["keys", "revoke", "acme", &thief.id]);
    let first = made.json(&["signing-keys", "list", "acme"])[0]["kid"].clone();
    made.run(&["signing-keys", "retire", "acme", first.as_str().unwrap()]);
    let keys = made.json(&["signing-keys", "list", "acme"]);
    made.run(&["backup", "newer.db"]);
    // The database that this one replaces is not there, so that it takes over nothing.
    std::fs::remove_file(made.database.file()).unwrap();
    made.run(&["restore", "older.db"]);
    assert_eq!(made.json(&["signing-keys", "list", "acme"])[0]["kid"], first);
    let said = made.run(&["restore", "newer.db"]);
    assert!(
        said.contains("0 operators, 0 tenant keys, 0 signing keys, 0 tenants, 0 customers, 0 users"),
        "{said}"
    );
    assert_eq!(made.json(&["signing-keys", "list", "acme"]), keys);
    let listed = made.json(&["keys", "list", "acme"]);
    let revoked = listed.as_array().unwrap().iter().find(|key| key["id"] == *thief.id).unwrap();
    assert_eq!(revoked["state"], "revoked");
}

#[tokio::test]
async fn what_cannot_be_read_of_the_replaced_database_is_told_and_keeps_no_restore_from_being_done() {
    let made = installation().await;
    let thief = Credential::create(&made, "acme", "backend");
    made.run(&["backup", "copy.db"]);
    made.run(&["keys", "revoke", "acme", &thief.id]);
    // Users are looked at last; and some rows are of another kind than any version's.
    alter(&made.database.file(), "alter table users rename to people");
    let said = made.run(&["restore", "copy.db"]);
    for part in ["1 tenant keys", "Not all of it could be read", "that were suspended, closed or erased"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let listed = made.json(&["keys", "list", "acme"]);
    let revoked = listed.as_array().unwrap().iter().find(|key| key["id"] == *thief.id).unwrap();
    assert_eq!(revoked["state"], "revoked", "what was found is taken over");

    // And what cannot be done: this version cannot read the settings that the new key's algorithm stands in.
    made.run(&["backup", "second.db"]);
    let kid = made.json(&["signing-keys", "list", "acme"])[0]["kid"].as_str().unwrap().to_owned();
    made.run(&["signing-keys", "retire", "acme", &kid]);
    let unreadable =
        r#"update tenants set settings = '{"algorithm":"of a later version"}' where slug = 'acme'"#;
    alter(&made.folder.path("second.db"), unreadable);
    let said = made.run(&["restore", "second.db"]);
    for part in [
        &*format!("Not taken over: signing key {kid} of tenant "),
        "settings cannot be read",
        "that were revoked or retired",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[tokio::test]
async fn a_restore_that_takes_over_nothing_undoes_what_was_done_by_mistake() {
    let made = installation().await;
    let key = Credential::create(&made, "acme", "backend");
    made.run(&["backup", "copy.db"]);
    made.run(&["keys", "revoke", "acme", &key.id]);
    let said = made.run(&["restore", "copy.db", "--take-over-nothing"]);
    assert!(!said.contains("Taken over") && said.contains("that were revoked or retired"), "{said}");
    let listed = made.json(&["keys", "list", "acme"]);
    let back = listed.as_array().unwrap().iter().find(|listed| listed["id"] == *key.id).unwrap();
    assert_eq!(back["state"], "valid");
}
