//! `vestibule keys`: tenant keys, beside a running server and without one.

use std::io::Write;
use std::process::Stdio;

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::Family;

use super::init::{Installation, contents};
use crate::support::program::{Ended, Server, credentials};

/// The status of a login that shows this key: 401 is behind the door, 403 before it.
async fn door(server: &Server, tenant: &str, key: &str, secret: &str) -> u16 {
    let body = credentials("nobody@example.test", "nobody's password", key, secret);
    server.login(Family::Admin, tenant, &body).await.0
}

/// The ids of the keys that are valid.
fn valid(made: &Installation, purpose: &str) -> Vec<String> {
    let keys = made.json(&["keys", "list", "acme"]);
    let keys = keys.as_array().unwrap().iter();
    let valid = keys.filter(|key| key["purpose"] == purpose && key["state"] == "valid");
    valid.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn R046_a_key_that_is_revoked_at_the_command_line_is_refused_on_the_servers_next_request() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let created = made.json(&["keys", "create", "acme", "--purpose", "login", "--name", "the app, 2027"]);
    let (key, secret) =
        (created["key"]["tenantKey"].as_str().unwrap(), created["tenantSecret"].as_str().unwrap());
    assert_eq!(secret.len(), 43, "256 bits");
    assert_eq!(door(&server, "acme", key, secret).await, 401, "on the next request");
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 200, "both are valid");
    made.refused(
        &["keys", "create", "acme", "--purpose", "login"],
        &["login has 2 valid keys already; revoke one"],
    );

    let old = valid(&made, "login").into_iter().find(|id| *id != created["key"]["id"]).unwrap();
    let revoked = made.json(&["keys", "revoke", "acme", &old]);
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 403, "on the next request");
    assert_eq!(door(&server, "acme", key, secret).await, 401);
    assert_eq!(made.json(&["keys", "revoke", "acme", &old]), revoked, "once more is no more");
    let said = made.run(&["keys", "create", "acme", "--purpose", "login", "--expires-in", "12h"]);
    assert!(said.contains("shown now and never again") && said.contains(", until 20"), "{said}");

    // The same as the API says.
    assert_eq!(made.json(&["keys", "list", "acme"]), made.data(&server, "/tenants/acme/keys").await["items"]);
    made.run(&["keys", "revoke", "acme", &valid(&made, "login")[0]]);
    let body = Some(json!({ "purpose": "login" }));
    let (_, by_api) = made.ask(&server, Method::POST, "/tenants/acme/keys", body).await;
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&created), names(&by_api["data"]));
    assert_eq!(names(&created["key"]), names(&by_api["data"]["key"]));
}

#[tokio::test]
async fn R046_of_keys_that_are_made_at_the_same_moment_two_of_a_purpose_are_valid() {
    let made = Installation::new().await;
    let codes: Vec<_> = std::thread::scope(|scope| {
        let create = || made.folder.run(&["keys", "create", "acme", "--purpose", "backend"]).code;
        let running: Vec<_> = (0..5).map(|_| scope.spawn(create)).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(codes.iter().filter(|code| **code == Some(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == Some(1)).count(), 4, "{codes:?}");
    assert_eq!(valid(&made, "backend").len(), 2);
}

#[tokio::test]
async fn R043_a_key_is_brought_along_and_its_secret_stands_nowhere() {
    let made = Installation::new().await;
    let (key, secret) = ("-a-key-from-elsewhere", "a-secret-from-elsewhere-2026");
    made.folder.write("secret", &format!("{secret}\n"));
    let create =
        ["keys", "create", "acme", "--purpose", "login", "--tenant-key", key, "--tenant-secret-file"];
    made.folder.set_mode("secret", 0o644);
    made.refused(
        &[&create[..], &["secret"]].concat(),
        &["--tenant-secret-file secret: its mode is 0644", "chmod 600"],
    );
    made.folder.set_mode("secret", 0o600);
    made.refused(&[&create[..], &["absent"]].concat(), &["--tenant-secret-file absent: cannot be read"]);
    let said = made.run(&[&create[..], &["secret"]].concat());
    assert!(said.contains("opens with the secret you gave") && !said.contains(secret), "{said}");

    // From standard input, as a secret store hands it over.
    let (second, typed) = ("another-key-from-elsewhere", "another-secret-from-elsewhere");
    let mut command = made.folder.command(&[
        "keys",
        "create",
        "acme",
        "--purpose",
        "backend",
        "--tenant-key",
        second,
        "--tenant-secret-file",
        "-",
    ]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{typed}\r\n").as_bytes()).unwrap();
    Ended::from(child.wait_with_output().unwrap()).well();

    let server = made.folder.serve(&[]);
    assert_eq!(door(&server, "acme", key, secret).await, 401);
    assert_eq!(door(&server, "acme", second, typed).await, 401);
    let stored = contents(&made.database).await;
    assert!(stored.contains(key) && stored.contains(second), "the search finds what is there");
    for secret in [secret, typed] {
        assert!(!stored.contains(secret));
        for shape in [&["keys", "list", "acme"][..], &["keys", "list", "acme", "--json"]] {
            assert!(!made.run(shape).contains(secret));
        }
    }
    // Unique everywhere.
    made.run(&["tenant", "create", "beta", "--without-keys"]);
    let stolen = [
        "keys",
        "create",
        "beta",
        "--purpose",
        "login",
        "--tenant-key",
        key,
        "--tenant-secret-file",
        "secret",
    ];
    made.refused(&stolen, &["tenantKey is another key's; take another"]);
    assert_eq!(made.json(&["keys", "list", "beta"]), json!([]));
}

#[tokio::test]
async fn R049_what_is_wrong_with_a_key_is_said_and_nothing_changes() {
    let made = Installation::new().await;
    made.run(&["tenant", "create", "beta"]);
    let before = made.json(&["keys", "list", "acme"]);
    let another = made.json(&["keys", "list", "beta"])[0]["id"].as_str().unwrap().to_owned();
    for id in ["", "x", "8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1", &another] {
        made.refused(
            &["keys", "revoke", "acme", id],
            &["tenant acme has no key", "vestibule keys list acme"],
        );
    }
    for tenant in ["nobody", "system", ""] {
        made.refused(&["keys", "list", tenant], &["there is no tenant"]);
        made.refused(&["keys", "revoke", tenant, &another], &["there is no tenant"]);
        made.refused(&["keys", "create", tenant, "--purpose", "login"], &["there is no tenant"]);
    }
    let create = |more: &[&'static str]| {
        let create = ["keys", "create", "acme", "--purpose", "login"];
        [&create[..], more].concat()
    };
    made.folder.write("short", "short");
    made.folder.set_mode("short", 0o600);
    made.refused(&create(&["--name", ""]), &["name must have 1 to 100 bytes"]);
    let brought = ["--tenant-key", "a key", "--tenant-secret-file", "short"];
    made.refused(
        &create(&brought),
        &["2 problems", "tenantKey must have 16 to 128", "tenantSecret must have 22 to 256"],
    );
    for (arguments, reason) in [
        (create(&["--tenant-key", "a-key-from-elsewhere"]), "--tenant-secret-file"),
        (create(&["--tenant-secret-file", "short"]), "--tenant-key"),
        (create(&["--tenant-secret", "in-plain-sight"]), "unexpected argument"),
        (create(&["--expires-in", "soon"]), "like 90d, 12h or 30m"),
        (vec!["keys", "create", "acme"], "--purpose"),
        (vec!["keys", "create", "acme", "--purpose", "admin"], "login, backend"),
    ] {
        let ended = made.folder.run(&arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.errors.contains(reason), "{ended:?}");
    }
    assert_eq!(made.json(&["keys", "list", "acme"]), before);
    assert_eq!(made.json(&["keys", "list", "beta"])[0]["state"], "valid");
}

#[tokio::test]
async fn R136_keys_that_are_made_and_revoked_at_the_command_line_are_events() {
    let made = Installation::new().await;
    let created = made.json(&["keys", "create", "acme", "--purpose", "login"]);
    let id = created["key"]["id"].as_str().unwrap();
    made.run(&["keys", "revoke", "acme", id]);
    made.run(&["keys", "revoke", "acme", id]);
    let events = Statement::new(
        "select name, actor_kind, details from events where name in ('tenant_key_created', 'tenant_key_revoked') order by id",
    );
    let events = made.database.list(events).await.unwrap();
    let names: Vec<_> = events.iter().map(|event| event.text("name").unwrap()).collect();
    assert_eq!(names, ["tenant_key_created", "tenant_key_revoked"]);
    for event in events {
        assert_eq!(event.text("actor_kind").unwrap(), "operator");
        let details = event.text("details").unwrap();
        assert!(details.contains(id) && !details.contains(created["tenantSecret"].as_str().unwrap()));
    }
}
