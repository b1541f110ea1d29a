//! Whatever anybody sends, a log line stays one line (R138).

use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;
use vestibule::config::LogFormat;
use vestibule::tenants::Family;

use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::dice::Dice;
use crate::support::lines::Lines;

/// What ends a line, rewrites one, or closes a string, somewhere.
const PIECES: [&str; 20] = [
    "\r\n",
    "\n",
    "\r",
    "\u{1b}[2J\u{1b}[31m",
    "\u{9b}1A",
    "\u{2028}",
    "\u{2029}",
    "\u{85}",
    "\u{202e}",
    "\u{2066}",
    "\0",
    "\u{7f}",
    "\u{8}",
    "\"",
    "\\",
    "'",
    "\",\"level\":\"FORGED\"}\n{\"level\":\"FORGED\",\"message\":\"x",
    "\n2026-01-01T00:00:00Z  INFO vestibule: forged",
    "%0d%0a",
    "é",
];

fn hostile(dice: &mut Dice) -> String {
    let mut text = String::from("a");
    for _ in 0..=dice.below(6) {
        text.push_str(PIECES[usize::try_from(dice.below(PIECES.len() as u64)).unwrap()]);
        text.push('b');
    }
    text
}

/// As much of it as a header can hold.
fn in_a_header(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| *byte >= 32 && *byte != 127).collect()
}

/// A request each with the text in one place more.
fn calls(tenant: &TestTenant, text: &str) -> Vec<Call> {
    let encoded: String = byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
    let header = in_a_header(text);
    let login = |body: Value| {
        let path = tenant.login(Family::Individual).path;
        let headers = tenant.login(Family::Individual).headers;
        let call = Call::new("POST", path).body(body.to_string());
        headers.into_iter().fold(call, |call, (name, value)| call.and(&name, value))
    };
    let body = tenant.login(Family::Individual).body;
    let with = |field: &str| {
        let mut body = body.clone();
        body[field] = json!(text);
        login(body)
    };
    let mut calls = vec![
        Call::get(format!("/{encoded}/x?{encoded}={encoded}")),
        Call::get(format!("/t/{encoded}/.well-known/jwks.json")),
        Call::get(format!("/api/v2.1/users/{encoded}?text={encoded}")).backend(tenant),
        Call::get(format!("/api/v2.1/events?type={encoded}&after={encoded}")).backend(tenant),
        login(json!({ text: text })),
        Call { body: text.as_bytes().to_vec(), ..login(json!({})) },
        Call::get("/healthz").and("authorization", [b"Bearer ", &header[..]].concat()),
        Call::new("POST", "/oauth2/introspect").basic(text, text).form(&[("token", text), (text, text)]),
        Call::new("POST", "/api/v2.1/customers").backend(tenant).json(&json!({
            "customer": { "name": text, "kind": text }, "user": { "email": text, "firstName": text },
        })),
    ];
    calls.extend(
        ["username", "password", "tenantKey", "tenantSecret", "tenantId", "credentialType"].map(with),
    );
    let names = [
        "x-tenant-id",
        "deviceid",
        "platform",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-from",
        "x-request-id",
        "x-correlation-id",
        "origin",
        "accept",
        "accept-language",
        "content-type",
        "host",
        "traceparent",
    ];
    calls.extend(names.map(|name| {
        let mut call = login(body.clone());
        call.headers.retain(|(other, _)| other != name);
        call.and(name, &header)
    }));
    calls
}

fn breaks_a_line(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// That the text is lines and nothing else: how many.
fn whole_lines(text: &str) -> usize {
    let lines: Vec<_> = text.split_terminator('\n').collect();
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in &lines {
        assert!(!line.contains(breaks_a_line), "{}", line.escape_debug());
    }
    lines.len()
}

async fn logged(format: LogFormat, rounds: usize) {
    let (lines, _logging) = Lines::of(format, "trace");
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let operator = app.operator().await;
    let mut dice = Dice::new(138);
    lines.take();
    let mut requests = 0;
    for round in 0..rounds {
        if round + 1 == rounds {
            // What a failing database is blamed for has a cause, in a line of its own kind.
            app.database.close().await;
        }
        let text = hostile(&mut dice);
        for call in calls(&tenant, &text) {
            let path = call.path.clone();
            app.call(call).await;
            requests += 1;
            check(format, &lines.take(), &path);
        }
        // A name that many lines could show.
        let named =
            Call::new("PATCH", "/operator/v1/tenants/acme").bearer(&operator).json(&json!({ "name": text }));
        app.operator_call(named).await;
        requests += 1;
        check(format, &lines.take(), "the tenant's name");
        tracing::error!(error = %anyhow::anyhow!("{text}").context(text.clone()), field = ?text, "{text}");
        assert_eq!(whole_lines(&lines.take()), 1, "{}", text.escape_debug());
    }
    assert!(requests > 20 * rounds);
}

/// One line for the request, and whatever is beside it, each whole and none forged.
fn check(format: LogFormat, text: &str, of: &str) {
    let number = whole_lines(text);
    let of_requests = match format {
        LogFormat::Json => text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .inspect(|line| {
                let level = line["level"].as_str().unwrap();
                assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
            })
            .filter(|line| line["message"].as_str().is_some_and(|message| message.starts_with("request")))
            .count(),
        LogFormat::Human => {
            for line in text.lines() {
                let level = line.split_whitespace().nth(1).unwrap();
                assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
            }
            text.lines().filter(|line| line.contains("request_id=")).count().min(1)
        }
    };
    assert_eq!(of_requests, 1, "{of}: {number} lines: {text}");
}

#[tokio::test]
async fn R138_whatever_stands_in_a_request_a_log_line_is_one_line_of_json() {
    logged(LogFormat::Json, 10).await;
}

#[tokio::test]
async fn R138_whatever_stands_in_a_request_a_humans_log_line_is_one_line_without_escapes() {
    logged(LogFormat::Human, 5).await;
}
