//! `vestibule operator`, and the operator that `init` makes.

use reqwest::Method;
use serde_json::json;

use super::desk::ask;
use super::init::{Installation, contents};

#[tokio::test]
async fn R043_init_makes_one_operator_whose_token_it_shows_once_and_keeps_nowhere() {
    let made = Installation::new().await;
    let tokens = made.printed("operator token");
    let [token] = tokens[..] else { panic!("{}", made.said) };
    assert!(token.starts_with("vop1.") && token.len() == 48, "256 bits: {token}");
    assert_eq!(made.said.matches(token).count(), 1);
    assert!(made.said.contains("The token is shown now and never again"), "{}", made.said);
    assert!(!contents(&made.database).await.contains(token));
    let server = made.folder.serve(&[]);
    let operators = made.data(&server, "/operators").await;
    assert_eq!(operators["items"][0]["name"], "init");
    assert_eq!(operators["items"].as_array().unwrap().len(), 1);

    // Repeated, it makes no other: unless there is none whose token counts.
    let again = made.run(&["init"]);
    assert!(!again.contains("vop1.") && again.contains("Kept the operators"), "{again}");
    made.run(&["operator", "revoke", operators["items"][0]["id"].as_str().unwrap()]);
    assert_eq!(made.ask(&server, Method::GET, "/operators", None).await.0, 401);
    let again = made.run(&["init"]);
    let token = again.split("operator token  ").nth(1).unwrap().split_whitespace().next().unwrap();
    assert_eq!(ask(&server, token, Method::GET, "/operators", None).await.0, 200);
}

#[tokio::test]
async fn R043_R058_an_operator_comes_and_goes_beside_a_running_server() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let created = made.json(&["operator", "create", "Olga Operator", "--expires-in", "90d"]);
    let token = created["token"].as_str().unwrap();
    assert_eq!(ask(&server, token, Method::GET, "/operators", None).await.0, 200, "on the next request");
    let said = made.run(&["operator", "create", "Bo"]);
    assert_eq!(said.matches("vop1.").count(), 1, "{said}");
    assert!(said.contains("Operator \"Bo\"") && said.contains("never again"), "{said}");

    // The same as the API says, and never a token.
    let api = made.data(&server, "/operators").await;
    let listed = made.json(&["operator", "list"]);
    assert_eq!(listed, api["items"]);
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert_eq!(listed.to_string().matches("vop1.").count(), 0);
    assert!(!made.run(&["operator", "list"]).contains("vop1."));
    let olga =
        listed.as_array().unwrap().iter().find(|operator| operator["name"] == "Olga Operator").unwrap();
    assert_eq!(olga, &created["operator"]);
    let days = |at: &serde_json::Value| {
        let at = vestibule::clock::Timestamp::parse(at.as_str().unwrap()).unwrap();
        at.as_millis() / 86_400_000
    };
    assert_eq!(days(&olga["expiresAt"]) - days(&olga["createdAt"]), 90);
    let (_, of_api) = made.ask(&server, Method::POST, "/operators", Some(json!({ "name": "By API" }))).await;
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&created), names(&of_api["data"]));

    let id = olga["id"].as_str().unwrap();
    let revoked = made.json(&["operator", "revoke", id]);
    assert_eq!((&revoked["state"], &revoked["id"]), (&json!("revoked"), &json!(id)));
    assert_eq!(ask(&server, token, Method::GET, "/operators", None).await.0, 401, "on the next request");
    assert_eq!(made.json(&["operator", "revoke", id]), revoked, "once more is no more");
    let log = server.stop();
    assert!(!log.contains("vop1."), "{log}");
}

#[tokio::test]
async fn R136_an_operators_deeds_at_the_command_line_are_events() {
    let made = Installation::new().await;
    let id = made.json(&["operator", "create", "Olga"])["operator"]["id"].as_str().unwrap().to_owned();
    made.run(&["operator", "revoke", &id]);
    made.run(&["operator", "revoke", &id]);
    let events = vestibule::db::Statement::new(
        "select name, actor_kind, actor_id, details from events where name in ('operator_created', 'operator_revoked') order by id",
    );
    let events = made.database.list(events).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            let who = (event.text("actor_kind").unwrap(), event.maybe_text("actor_id").unwrap());
            assert_eq!(who, ("operator".to_owned(), None), "nobody by token");
            assert!(!event.text("details").unwrap().contains("Olga"));
            event.text("name").unwrap()
        })
        .collect();
    assert_eq!(told, ["operator_created", "operator_created", "operator_revoked"], "init's, and Olga's");
}

#[tokio::test]
async fn what_is_wrong_with_an_operator_is_said_and_none_is_made() {
    let made = Installation::new().await;
    let long = "x".repeat(201);
    for name in ["", " ", "a\nb", &long] {
        made.refused(&["operator", "create", name], &["name must have 1 to 200 bytes, without control"]);
    }
    for id in ["", "x", "6c1f7a7e-52c3-4d0b-8f5a-9a3be1c2d0a1", "'; drop table operators"] {
        made.refused(&["operator", "revoke", id], &["there is no operator", "vestibule operator list"]);
    }
    for (arguments, reason) in [
        (&["operator", "create"][..], "<NAME>"),
        (&["operator", "create", "a", "--expires-in", "1y"], "like 90d, 12h or 30m"),
        (&["operator", "create", "a", "--expires-in", "0d"], "like 90d, 12h or 30m"),
        (&["operator", "revoke"], "<ID>"),
        (&["operator"], "Usage: vestibule operator"),
    ] {
        let ended = made.folder.run(arguments);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.errors.contains(reason), "{ended:?}");
    }
    assert_eq!(made.json(&["operator", "list"]).as_array().unwrap().len(), 1);
}
