//! Passwords in clear: held to the rules of every new one, and hashed on all cores.

use serde_json::json;

use super::Place;

#[tokio::test]
async fn R031_passwords_in_clear_keep_the_rules_and_are_hashed() {
    let place = Place::new().await;
    let password = |at: usize| format!("{at} clear passwords walk by");
    let mut lines: Vec<_> =
        (0..100).map(|at| json!({ "email": format!("u{at}@x.test"), "password": password(at) })).collect();
    lines.push(json!({ "email": "v@x.test", "password": "short" }));
    lines
        .push(json!({ "email": "w@x.test", "password": "correct horse battery staple", "passwordHash": "" }));
    // Taken: nothing is hashed for it.
    lines.push(json!({ "email": "u3@x.test", "password": password(999) }));
    place.write_lines("users.jsonl", &lines);
    let ended = place.run_import(&["users.jsonl"]);
    assert!(
        ended.errors.contains("line 101: password: must have 12 characters at least and has 5"),
        "{ended:?}"
    );
    assert!(ended.errors.contains("line 103: email: is taken"), "{ended:?}");
    assert!(ended.out.starts_with("103 read, 101 created, 1 there already, 1 refused\n"), "{ended:?}");
    assert_eq!(place.count("users where password_imported").await, 0);
    assert_eq!(place.count("users where password_hash like '$argon2id$v=19$m=19456,t=2,p=1$%'").await, 102);
    assert_eq!(place.count("users where password_changed_at is null").await, 0);
    assert_eq!(place.count("tenants where failure_floor_ms > 0").await, 0);

    let server = place.serve();
    for at in [0, 50, 99] {
        let email = format!("u{at}@x.test");
        assert_eq!(place.login(&server, &email, &password(at)).await, 200, "{at}");
        assert_eq!(place.login(&server, &email, &password(at + 1)).await, 401, "{at}: each has their own");
    }
    server.stop();
}
