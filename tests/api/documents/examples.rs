//! The examples of the OpenAPI document, tried on the demo: they work as they stand, and it answers what they show.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;

use super::{document, operations};
use crate::support::program::{Folder, Kill, lines};

/// Starts a demo and waits until it says its address.
fn demo(folder: &Folder) -> (Kill, String) {
    let mut command =
        folder.command(&["demo", "--listen", "127.0.0.1:0", "--operator-listen", "127.0.0.1:0"]);
    let mut child = Kill(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let out = lines(child.0.stdout.take().unwrap());
    loop {
        let line = out.recv_timeout(Duration::from_secs(30)).expect("the demo says its address");
        if let Some(at) = line.find("http://127.0.0.1:") {
            let host = line[at + 7..].split('/').next().unwrap();
            return (child, format!("http://{host}"));
        }
    }
}

/// The call that "Try it out" sends: every parameter and the body as the document gives them.
async fn try_it_out(base: &str, name: &str, operation: &Value, token: &str, session: &str) -> (u16, Value) {
    let (method, path) = name.split_once(' ').unwrap();
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    let example = |parameter: &Value| parameter["example"].as_str().unwrap().to_owned();
    let mut url = format!("{base}{}", path.replace("{sessionId}", session));
    for parameter in parameters().filter(|parameter| parameter["in"] == "path") {
        url = url.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &example(parameter));
    }
    let mut request =
        Client::new().request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), url);
    for parameter in parameters().filter(|parameter| parameter["in"] == "header") {
        request = request.header(parameter["name"].as_str().unwrap(), example(parameter));
    }
    if operation["security"].as_array().is_some_and(|needed| !needed.is_empty()) {
        request = request.bearer_auth(token);
    }
    if let Some(body) = operation.get("requestBody") {
        request = request.json(&body["content"]["application/json"]["example"]);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// That what is answered is what is shown, but for what a login makes anew.
#[track_caller]
fn is_shown(name: &str, shown: &Value, answered: &Value) {
    let (Value::Object(shown), Value::Object(answered)) = (shown, answered) else {
        return assert_eq!(shown, answered, "{name}");
    };
    assert!(shown.keys().eq(answered.keys()), "{name}: other fields");
    for (field, value) in shown {
        let anew = ["token", "accessToken", "refreshToken", "sessionId", "userAgent", "lastLogin", "keys"]
            .contains(&field.as_str())
            || field.ends_with("At")
            || field == "issuer"
            || field == "jwks_uri";
        if !anew {
            is_shown(&format!("{name} {field}"), value, &answered[field]);
        }
    }
}

#[tokio::test]
async fn every_operation_answers_its_example_on_the_demo() {
    let folder = Folder::new();
    let (_running, base) = demo(&folder);
    let document = document();
    let operations = operations(&document);
    let shown =
        |operation: &Value| operation["responses"]["200"]["content"]["application/json"]["example"].clone();
    let mut logins = 0;
    for (name, login) in operations.iter().filter(|(name, _)| name.ends_with("/sessions")) {
        let (status, answer) = try_it_out(&base, name, login, "", "").await;
        assert_eq!(status, 200, "{name}: {answer}");
        is_shown(name, &shown(login), &answer);
        let data = &answer["data"];
        let (token, session) = (data["token"].as_str().unwrap(), data["sessionId"].as_str().unwrap());
        // What can be done with this session, and the logout last.
        let path = format!("{}/", name.strip_prefix("post ").unwrap());
        for method in ["get", "delete"] {
            let of_it = operations.iter().filter(|(other, _)| other.starts_with(&format!("{method} {path}")));
            for (name, operation) in of_it {
                let (status, answer) = try_it_out(&base, name, operation, token, session).await;
                assert_eq!(status, 200, "{name}: {answer}");
                is_shown(name, &shown(operation), &answer);
            }
        }
        logins += 1;
    }
    assert_eq!(logins, 3);
    let open = |operation: &Value| {
        operation["security"] == serde_json::json!([]) && operation["requestBody"].is_null()
    };
    for (name, operation) in operations.iter().filter(|(_, operation)| open(operation)) {
        let (status, answer) = try_it_out(&base, name, operation, "", "").await;
        assert_eq!(status, 200, "{name}: {answer}");
        is_shown(name, &shown(operation), &answer);
    }
}
