//! `vestibule signing-keys`, beside a running server.

use serde_json::{Value, json};
use vestibule::secrets::from_base64url;
use vestibule::tenants::Family;

use super::desk::look;
use super::init::Installation;
use crate::support::program::Server;

/// A login, and the kid its token was signed with.
async fn signed(made: &Installation, server: &Server) -> (String, Value) {
    let (status, answer) = server.login(Family::Admin, "acme", &made.login()).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["data"]["token"].as_str().unwrap();
    let header: Value =
        serde_json::from_slice(&from_base64url(token.split('.').next().unwrap()).unwrap()).unwrap();
    (header["kid"].as_str().unwrap().to_owned(), answer)
}

/// The published kids.
async fn published(server: &Server) -> Vec<String> {
    let url = format!("{}/t/acme/.well-known/jwks.json", server.public);
    let set: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn states(made: &Installation) -> Vec<(String, String)> {
    let keys = made.json(&["signing-keys", "list", "acme"]);
    let word = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    keys.as_array().unwrap().iter().map(|key| (word(key, "kid"), word(key, "state"))).collect()
}

fn state(kid: &str, state: &str) -> (String, String) {
    (kid.to_owned(), state.to_owned())
}

#[tokio::test]
async fn R080_R081_a_key_is_rotated_and_retired_beside_a_running_server() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let (first, opened) = signed(&made, &server).await;
    assert_eq!(states(&made), [state(&first, "signing")]);

    // Planned: published at once, and not used yet.
    let next = made.json(&["signing-keys", "rotate", "acme"]);
    let second = next["kid"].as_str().unwrap();
    assert_eq!((&next["state"], &next["algorithm"]), (&json!("next"), &json!("ES256")));
    let mut both = [first.clone(), second.to_owned()];
    let mut keys = published(&server).await;
    both.sort();
    keys.sort();
    assert_eq!(keys, both);
    assert_eq!(signed(&made, &server).await.0, first);
    let refusal = format!("{second} is the next one and signs from");
    made.refused(&["signing-keys", "rotate", "acme"], &[&refusal, "let it sign now, or retire it first"]);

    // At once: on the next request.
    let said = made.run(&["signing-keys", "rotate", "acme", "--now"]);
    assert!(said.contains(second) && said.contains("signs from now on"), "{said}");
    let (kid, later) = signed(&made, &server).await;
    assert_eq!(kid, second);
    assert_eq!(states(&made), [state(second, "signing"), state(&first, "retiring")]);
    assert_eq!(look(&server, "acme", &opened).await, 200, "what the first one signed is still good");

    // Gone: on the next request.
    let said = made.run(&["signing-keys", "retire", "acme", &first]);
    assert!(said.contains("the tokens it signed are refused") && said.contains("within 5 minutes"), "{said}");
    assert_eq!(look(&server, "acme", &opened).await, 401);
    assert_eq!(look(&server, "acme", &later).await, 200);
    assert_eq!(published(&server).await, [second]);
    assert_eq!(
        made.json(&["signing-keys", "list", "acme"]),
        made.data(&server, "/tenants/acme/signing-keys").await["items"]
    );

    // The one that signs: a new one does so at once, by the tenant's settings.
    made.run(&["tenant", "set", "acme", "algorithm=EdDSA"]);
    let retired = made.json(&["signing-keys", "retire", "acme", second]);
    assert_eq!(retired["state"], "retired");
    let (third, _) = signed(&made, &server).await;
    assert_eq!(look(&server, "acme", &later).await, 401);
    assert_eq!(states(&made)[0], state(&third, "signing"));
    assert_eq!(made.json(&["signing-keys", "list", "acme"])[0]["algorithm"], "EdDSA");
    assert_eq!(made.json(&["signing-keys", "retire", "acme", second]), retired, "once more is no more");
}

#[tokio::test]
async fn R049_what_is_no_key_of_the_tenant_is_refused_and_nothing_changes() {
    let made = Installation::new().await;
    made.run(&["tenant", "create", "beta"]);
    let before = states(&made);
    let another = made.json(&["signing-keys", "list", "beta"])[0]["kid"].as_str().unwrap().to_owned();
    // One in 64 begins with a hyphen.
    for kid in ["", "kid", "-kid", "--kid", &another] {
        let reasons = ["tenant acme has no signing key", "`vestibule signing-keys list acme` shows them"];
        made.refused(&["signing-keys", "retire", "acme", kid], &reasons);
    }
    for arguments in [&["list", "nobody"][..], &["rotate", "system"], &["retire", "", "kid"]] {
        made.refused(&[&["signing-keys"], arguments].concat(), &["there is no tenant"]);
    }
    for arguments in [
        &[][..],
        &["rotate"],
        &["retire", "acme"],
        &["retire", "acme", "--json"],
        &["rotate", "acme", "--then"],
    ] {
        assert_eq!(made.folder.run(&[&["signing-keys"], arguments].concat()).code, Some(2), "{arguments:?}");
    }
    assert_eq!(states(&made), before);
    assert_eq!(made.json(&["signing-keys", "list", "beta"])[0]["state"], "signing");
}
