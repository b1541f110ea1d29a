//! The examples of the OpenAPI document, tried on the demo: they work as they stand, and it answers what they show.

use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Method, Url};
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

/// What the demo's backend shows: everybody knows it.
const BACKEND: (&str, &str) = ("b4Ck3nDk3YaBcDeFgHiJkLmNoPqR", "b4Ck3nDs3Cr3tXyZpQwErTyUiOpAsDfGh");

/// The call that "Try it out" sends: every parameter and the body as the document gives them; with the backend's key
/// where it may call, else with the token. What it is tried for is the session of this id, and its tokens.
async fn try_it_out(
    base: &str,
    name: &str,
    operation: &Value,
    (token, refresh): (&str, &str),
    session: &str,
) -> (u16, Value) {
    let (method, path) = name.split_once(' ').unwrap();
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    let example = |parameter: &Value| parameter["example"].as_str().unwrap().to_owned();
    let mut url = format!("{base}{}", path.replace("{sessionId}", session).replace("{operationId}", session));
    for parameter in parameters().filter(|parameter| parameter["in"] == "path") {
        url = url.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &example(parameter));
    }
    let mut url = Url::parse(&url).unwrap();
    for parameter in parameters().filter(|parameter| parameter["in"] == "query") {
        if parameter["example"].is_string() {
            url.query_pairs_mut().append_pair(parameter["name"].as_str().unwrap(), &example(parameter));
        }
    }
    let mut request =
        Client::new().request(Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(), url);
    for parameter in parameters().filter(|parameter| parameter["in"] == "header") {
        request = request.header(parameter["name"].as_str().unwrap(), example(parameter));
    }
    let needed = operation["security"].as_array().cloned().unwrap_or_default();
    if needed.iter().any(|scheme| scheme["backendKey"].is_array()) {
        request = request.basic_auth(BACKEND.0, Some(BACKEND.1));
    } else if !needed.is_empty() {
        request = request.bearer_auth(token);
    }
    if let Some(body) = operation.get("requestBody") {
        let (media, content) = body["content"].as_object().unwrap().iter().next().unwrap();
        let mut example = content["example"].clone();
        if example["refreshToken"].is_string() {
            example["refreshToken"] = refresh.into();
        }
        let text = if media == "application/json" {
            example.to_string()
        } else {
            let fields = example.as_object().unwrap();
            let fields = fields.iter().map(|(name, value)| (name, value.as_str().unwrap()));
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        };
        request = request.header("content-type", media).body(text);
    }
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
}

/// Which operations make customers and users.
const MAKERS: [&str; 4] = ["registerIndividual", "registerOrganization", "addStaff", "addCustomerUser"];

/// That what is answered is what is shown, but for what is made anew each time.
#[track_caller]
fn is_shown(name: &str, shown: &Value, answered: &Value) {
    let (shown, answered) = match (shown, answered) {
        (Value::Object(shown), Value::Object(answered)) => (shown, answered),
        (Value::Array(shown), Value::Array(answered)) => {
            assert_eq!(shown.len(), answered.len(), "{name}");
            return shown.iter().zip(answered).for_each(|(shown, answered)| is_shown(name, shown, answered));
        }
        _ => return assert_eq!(shown, answered, "{name}"),
    };
    assert!(shown.keys().eq(answered.keys()), "{name}: other fields");
    for (field, value) in shown {
        let made =
            ["id", "customerId"].contains(&field.as_str()) && MAKERS.iter().any(|it| name.contains(it));
        let anew = [
            "token",
            "accessToken",
            "refreshToken",
            "sessionId",
            "tenantKeyId",
            "operationId",
            "userAgent",
            "lastLogin",
            "keys",
            "resetSecret",
        ]
        .contains(&field.as_str())
            || made
            || field.ends_with("At")
            || field == "issuer"
            || field == "jwks_uri"
            || field.ends_with("_endpoint");
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
    for (name, login) in
        operations.iter().filter(|(name, _)| name.starts_with("post ") && name.ends_with("/sessions"))
    {
        let (status, answer) = try_it_out(&base, name, login, ("", ""), "").await;
        assert_eq!(status, 200, "{name}: {answer}");
        is_shown(name, &shown(login), &answer);
        let data = &answer["data"];
        let [token, refresh, session] =
            ["token", "refreshToken", "sessionId"].map(|field| data[field].as_str().unwrap());
        // What can be done with this session, and the logout last.
        let path = name.strip_prefix("post ").unwrap();
        for method in ["get", "put", "delete"] {
            let of_it = operations.iter().filter(|(other, _)| other.starts_with(&format!("{method} {path}")));
            for (name, operation) in of_it {
                // Both refreshes with the one token: the second is within the grace.
                let (status, answer) = try_it_out(&base, name, operation, (token, refresh), session).await;
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
        let (status, answer) = try_it_out(&base, name, operation, ("", ""), "").await;
        assert_eq!(status, 200, "{name}: {answer}");
        is_shown(name, &shown(operation), &answer);
    }
}

/// The directory's operations in an order in which each finds what its example is about.
const DIRECTORY: [&str; 38] = [
    "changeCustomer",
    "changeUser",
    "listCustomers",
    "getCustomer",
    "listUsers",
    "getUser",
    "listCustomerUsers",
    "registerIndividual",
    "registerOrganization",
    "addStaff",
    "addCustomerUser",
    "listUserSessions",
    "searchSessions",
    "getUserSession",
    "endMatchingSessions",
    "getSessionOperation",
    "endUserSession",
    "endUserSessions",
    "changePasswordIndividual",
    "changePasswordOrganization",
    "changePasswordStaff",
    "startPasswordReset",
    "resetLogin",
    "setPassword",
    "activateCustomer",
    "suspendCustomer",
    "resumeCustomer",
    "suspendUser",
    "resumeUser",
    "closeUser",
    "closeCustomer",
    // Takes what is personal of an individual with it.
    "eraseUser",
    "eraseCustomer",
    "getEvents",
    "introspectToken",
    "revokeToken",
    "getRevocations",
    "redeemPasswordReset",
];

#[tokio::test]
async fn every_operation_of_the_directory_answers_its_example_on_a_new_demo() {
    let folder = Folder::new();
    let (_running, base) = demo(&folder);
    let document = document();
    let operations = operations(&document);
    let find = |id: &str| operations.iter().find(|(_, operation)| operation["operationId"] == id).unwrap();
    let of_others = |id: &str| {
        ["startSession", "refreshSession", "getSession", "listSessions", "endSession"]
            .iter()
            .any(|word| id.starts_with(word) && id != "getSessionOperation")
            || find(id).1["security"] == serde_json::json!([]) && find(id).1["requestBody"].is_null()
    };
    let mut all: Vec<_> =
        operations.iter().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    all.retain(|id| !of_others(id));
    all.sort_unstable();
    let mut ordered = DIRECTORY;
    ordered.sort_unstable();
    assert_eq!(all, ordered, "each stands in the order");

    let (mut session, mut begun) = (String::new(), String::new());
    for id in DIRECTORY {
        let (name, operation) = find(id);
        let token = match id.strip_prefix("changePassword") {
            Some(family) => {
                let (name, login) = find(&format!("startSession{family}"));
                let (status, answer) = try_it_out(&base, name, login, ("", ""), "").await;
                assert_eq!(status, 200, "{name}: {answer}");
                answer["data"]["token"].as_str().unwrap().to_owned()
            }
            None => String::new(),
        };
        // What is looked at and ended is of a login, or of what was begun before.
        if id == "listUserSessions" {
            let (name, login) = find("startSessionIndividual");
            let (_, answer) = try_it_out(&base, name, login, ("", ""), "").await;
            session = answer["data"]["sessionId"].as_str().unwrap().to_owned();
        }
        let of = if id == "getSessionOperation" { &begun } else { &session };
        let (status, answer) = try_it_out(&base, name, operation, (&token, ""), of).await;
        if id == "endMatchingSessions" {
            begun = answer["data"]["operationId"].as_str().unwrap().to_owned();
        }
        match id {
            // A secret is told once, and the example's is nobody's.
            "redeemPasswordReset" => assert_eq!(status, 400, "{name}: {answer}"),
            // So is the example's token, of which no demo knows.
            "introspectToken" => {
                assert_eq!((status, answer), (200, serde_json::json!({ "active": false })), "{name}");
            }
            "revokeToken" => assert_eq!((status, answer), (200, Value::Null), "{name}"),
            // What has happened by now is this test's doing.
            "getEvents" | "getRevocations" => assert_eq!(status, 200, "{name}: {answer}"),
            _ => {
                assert_eq!(status, 200, "{id}: {answer}");
                let shown = &operation["responses"]["200"]["content"]["application/json"]["example"];
                is_shown(id, shown, &answer);
            }
        }
    }
}
