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

/// What a login gives that the documents cannot know.
#[derive(Default)]
struct Held {
    token: String,
    refresh: String,
    session: String,
    /// The `id` of its device.
    device: String,
    /// An operation that was begun.
    begun: String,
}

impl Held {
    /// Tries a login out.
    async fn by(base: &str, name: &str, login: &Value) -> (Self, Value) {
        let (status, answer) = try_it_out(base, name, login, &Self::default()).await;
        assert_eq!(status, 200, "{name}: {answer}");
        let field = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        let user = field("userId");
        let devices = format!("{base}/api/v2.1/admin/users/{user}/devices");
        let devices = Client::new().get(devices).basic_auth(BACKEND.0, Some(BACKEND.1)).send().await.unwrap();
        let devices: Value = devices.json().await.unwrap();
        let device = devices["data"]["items"][0]["id"].as_str().unwrap().to_owned();
        (
            Self {
                token: field("token"),
                refresh: field("refreshToken"),
                session: field("sessionId"),
                device,
                begun: String::new(),
            },
            answer,
        )
    }
}

/// The call that "Try it out" sends: every parameter and the body as the document gives them; with the backend's key
/// where it may call, else with the token.
async fn try_it_out(base: &str, name: &str, operation: &Value, held: &Held) -> (u16, Value) {
    let Held { token, refresh, session, device, begun } = held;
    let (method, path) = name.split_once(' ').unwrap();
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    let example = |parameter: &Value| parameter["example"].as_str().unwrap().to_owned();
    let path =
        path.replace("{sessionId}", session).replace("{device}", device).replace("{operationId}", begun);
    let mut url = format!("{base}{path}");
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
            example["refreshToken"] = refresh.as_str().into();
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
        let made = ["id", "customerId"].contains(&field.as_str())
            && MAKERS.iter().any(|it| name.contains(it))
            || field == "id" && name.contains("Device");
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
            "time",
        ]
        .contains(&field.as_str())
            || name.contains("Evidence") && ["checkpoint", "verifierKey", "events"].contains(&field.as_str())
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
        let family = login["operationId"].as_str().unwrap().strip_prefix("startSession").unwrap();
        let (mut held, answer) = Held::by(&base, name, login).await;
        is_shown(name, &shown(login), &answer);
        // What can be done with a session, with what ends it last; then with another one. Both refreshes are with one
        // token: the second is within the grace.
        for id in [
            "getSession",
            "listSessions",
            "listSessionEvents",
            "listDevices",
            "changeDevice",
            "refreshSession",
            "refreshSessionWithoutId",
            "endSession",
            "endSessions",
            "forgetDevice",
        ] {
            if ["endSessions", "forgetDevice"].contains(&id) {
                held = Held::by(&base, name, login).await.0;
            }
            let id = format!("{id}{family}");
            let (name, operation) =
                operations.iter().find(|(_, it)| it["operationId"] == id.as_str()).unwrap();
            let (status, answer) = try_it_out(&base, name, operation, &held).await;
            assert_eq!(status, 200, "{name}: {answer}");
            is_shown(&id, &shown(operation), &answer);
        }
        logins += 1;
    }
    assert_eq!(logins, 3);
    let open = |operation: &Value| {
        operation["security"] == serde_json::json!([]) && operation["requestBody"].is_null()
    };
    for (name, operation) in operations.iter().filter(|(_, operation)| open(operation)) {
        let (status, answer) = try_it_out(&base, name, operation, &Held::default()).await;
        assert_eq!(status, 200, "{name}: {answer}");
        is_shown(name, &shown(operation), &answer);
    }
}

/// What the operations of a session's own user begin with.
const OF_SESSIONS: [&str; 9] = [
    "startSession",
    "refreshSession",
    "listSessions",
    "getSession",
    "endSession",
    "listSessionEvents",
    "listDevices",
    "changeDevice",
    "forgetDevice",
];

/// The directory's operations in an order in which each finds what its example is about.
const DIRECTORY: [&str; 45] = [
    "changeCustomer",
    "changeUser",
    "listCustomers",
    "getCustomer",
    "listUsers",
    "getUser",
    "listCustomerUsers",
    "changeUserDevice",
    "listUserDevices",
    "listUserSessionEvents",
    "listUserLocks",
    "unlockUser",
    "getUserSessionEvidence",
    "forgetUserDevice",
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
        id != "getSessionOperation" && OF_SESSIONS.iter().any(|word| id.starts_with(word))
            || find(id).1["security"] == serde_json::json!([]) && find(id).1["requestBody"].is_null()
    };
    let mut all: Vec<_> =
        operations.iter().map(|(_, operation)| operation["operationId"].as_str().unwrap()).collect();
    all.retain(|id| !of_others(id));
    all.sort_unstable();
    let mut ordered = DIRECTORY;
    ordered.sort_unstable();
    assert_eq!(all, ordered, "each stands in the order");

    let mut held = Held::default();
    for id in DIRECTORY {
        let (name, operation) = find(id);
        // What is looked at and ended is of a login.
        let of_individual = ["changeUserDevice", "listUserSessions"].contains(&id).then_some("Individual");
        if let Some(family) = id.strip_prefix("changePassword").or(of_individual) {
            let (name, login) = find(&format!("startSession{family}"));
            held = Held::by(&base, name, login).await.0;
        }
        let (status, answer) = try_it_out(&base, name, operation, &held).await;
        if id == "endMatchingSessions" {
            answer["data"]["operationId"].as_str().unwrap().clone_into(&mut held.begun);
        }
        match id {
            // A secret is told once, and the example's is nobody's.
            "redeemPasswordReset" => assert_eq!(status, 400, "{name}: {answer}"),
            // So is the example's token, of which no demo knows.
            "introspectToken" => {
                assert_eq!((status, answer), (200, serde_json::json!({ "active": false })), "{name}");
            }
            "revokeToken" => assert_eq!((status, answer), (200, Value::Null), "{name}"),
            // What has happened by now is this test's doing; nobody has failed.
            "getEvents" | "getRevocations" | "listUserLocks" => assert_eq!(status, 200, "{name}: {answer}"),
            _ => {
                assert_eq!(status, 200, "{id}: {answer}");
                let shown = &operation["responses"]["200"]["content"]["application/json"]["example"];
                is_shown(id, shown, &answer);
            }
        }
    }
}
