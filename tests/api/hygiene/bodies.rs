//! Bodies and headers: strict, bounded, and never a 500.

use serde_json::json;
use vestibule::tenants::Family;

use super::{in_the_envelope, start};
use crate::support::app::{LoginCall, TestApp};

/// What text columns, logs and terminals choke on (R006), as it may stand in a JSON string.
const ODD_TEXTS: [&str; 18] = [
    "\\u0000",
    "a\\u0000b",
    "\\u0001",
    "\\u001f",
    "\\u007f",
    "\\u0080",
    "\\u009f",
    "\\u202e",
    "\\u2066a\\u2069",
    "\\u200b",
    "\\ufeff",
    "\\u2028",
    "\\ud800",
    "\\udc00x",
    "\\ud800\\ud800",
    "\\uffff",
    "\\u00ad",
    "' or '1'='1",
];

const FIELDS: [&str; 13] = [
    "username",
    "password",
    "tenantKey",
    "tenantSecret",
    "credentialType",
    "value",
    "tenantId",
    "ipAddress",
    "userAgent",
    "platform",
    "deviceId",
    "role",
    "organizationType",
];

async fn send(app: &TestApp, call: &LoginCall, what: &str) -> u16 {
    let answer = app.send(call.request()).await;
    let status = answer.status.as_u16();
    assert!(status < 500, "{what}: {}", answer.text);
    if status >= 400 {
        in_the_envelope(&answer, what);
    }
    status
}

#[tokio::test]
async fn R006_odd_characters_in_any_field_are_refused_and_never_a_500() {
    let (app, tenant) = start().await;
    let family = Family::Admin;
    for field in FIELDS {
        for odd in ODD_TEXTS {
            let mut body = tenant.login(family).body;
            body[field] = json!("@@@");
            let raw = body.to_string().replace("@@@", odd);
            let what = format!("{field} {odd}");
            let status = send(&app, &tenant.login(family).raw(&raw), &what).await;
            match (field, odd) {
                // A surrogate alone is no text at all.
                (_, "\\ud800" | "\\udc00x" | "\\ud800\\ud800") => assert_eq!(status, 400, "{what}"),
                // A password is compared, whatever it is (it locks, after five); a role means nothing.
                ("password", _) => assert_eq!(status, 401, "{what}"),
                // What is only quoting and letters is text like any other.
                (
                    "role" | "organizationType" | "ipAddress" | "userAgent" | "platform" | "deviceId",
                    "' or '1'='1" | "\\uffff",
                ) => {
                    assert!([200, 401].contains(&status), "{what}: {status}");
                }
                ("tenantKey" | "tenantSecret", "' or '1'='1" | "\\uffff") => {
                    assert_eq!(status, 403, "{what}");
                }
                _ => assert_eq!(status, 400, "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn R006_odd_bytes_in_any_header_are_refused_and_never_a_500() {
    let (app, tenant) = start().await;
    let headers = [
        "x-tenant-id",
        "x-forwarded-for",
        "x-forwarded-from",
        "platform",
        "sec-ch-ua-platform",
        "deviceid",
        "x-device-id",
        "device-id",
        "user-agent",
        "authorization",
        "origin",
        "x-request-id",
        "x-correlation-id",
        "content-type",
        "accept",
        "cookie",
        "accept-language",
    ];
    let odd: [&[u8]; 10] = [
        b"\xff\xfe",
        b"a\xc3",
        b"\xed\xa0\x80",
        "\u{80}".as_bytes(),
        "\u{202e}abc".as_bytes(),
        "\u{200b}".as_bytes(),
        "\u{feff}x".as_bytes(),
        "\u{2028}".as_bytes(),
        b"a\tb",
        b"' or '1'='1",
    ];
    for name in headers {
        for value in odd {
            let call = tenant.login(Family::Individual);
            let call = if name == "sec-ch-ua-platform" { call.without("platform") } else { call };
            let call = if name.ends_with("device-id") { call.without("deviceid") } else { call };
            let what = format!("{name}: {}", String::from_utf8_lossy(value));
            let status = send(&app, &call.header(name, value), &what).await;
            let device = [
                "platform",
                "sec-ch-ua-platform",
                "deviceid",
                "x-device-id",
                "device-id",
                "user-agent",
                "x-forwarded-for",
                "x-forwarded-from",
            ]
            .contains(&name);
            match name {
                "x-tenant-id" => assert!([400, 403].contains(&status), "{what}: {status}"),
                "content-type" => assert_eq!(status, 415, "{what}"),
                "origin" => assert_eq!(status, 403, "{what}"),
                _ if device && value != b"' or '1'='1" => assert_eq!(status, 400, "{what}"),
                _ => assert_eq!(status, 200, "{what}"),
            }
        }
    }
}

#[tokio::test]
async fn R135_a_device_header_has_256_bytes_at_most() {
    let (app, tenant) = start().await;
    for (name, most) in [
        ("platform", 256),
        ("deviceid", 256),
        ("x-forwarded-from", 256),
        ("x-tenant-id", 256),
        ("user-agent", 1024),
        ("x-forwarded-for", 512),
    ] {
        let call = tenant.login(Family::Individual);
        let fits = send(&app, &call.clone().header(name, "a".repeat(most)), name).await;
        assert_eq!(fits, if name == "x-tenant-id" { 403 } else { 200 }, "{name}");
        assert_eq!(send(&app, &call.clone().header(name, "a".repeat(most + 1)), name).await, 400, "{name}");
        assert_eq!(send(&app, &call.header(name, "é".repeat(most)), name).await, 400, "{name}");
    }
}

#[tokio::test]
async fn R127_R133_a_header_of_ours_comes_once_by_its_name_and_is_not_to_be_dropped() {
    let (app, tenant) = start().await;
    let twice = |name: &str, value: &str| {
        let mut call = tenant.login(Family::Individual).without("platform");
        call = if name == "sec-ch-ua-platform" { call } else { call.header("platform", "web") };
        call = call.header(name, value);
        call.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        call
    };
    for (name, value) in [
        ("x-tenant-id", "acme"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-from", "client-app"),
        ("platform", "mobile"),
        ("sec-ch-ua-platform", "\"Windows\""),
        ("deviceid", "device-1"),
        ("x-device-id", "device-1"),
        ("device-id", "device-1"),
        ("authorization", "Bearer x"),
        ("content-type", "application/json"),
        ("origin", "https://app.example.test"),
        ("x-request-id", "a"),
        ("x-correlation-id", "a"),
    ] {
        let answer = app.send(twice(name, value).request()).await.expect(400);
        in_the_envelope(&answer, name);
        assert_eq!(answer.error_type(), "MALFORMED_REQUEST", "{name}");
        assert!(answer.field("field").eq_ignore_ascii_case(name), "{}", answer.text);
        for connection in
            [name.to_owned(), format!("close, {}", name.to_uppercase()), format!("keep-alive ,{name}")]
        {
            let call = tenant.login(Family::Individual).header("connection", &connection);
            assert_eq!(send(&app, &call, &connection).await, 400, "{connection}");
        }
        if name.contains('-') {
            for odd in [name.replace('-', "_"), name.replacen('-', "_", 1)] {
                let call = tenant.login(Family::Individual).header(&odd, value);
                assert_eq!(send(&app, &call, &odd).await, 400, "{odd}");
            }
        }
    }
    for connection in ["close", "keep-alive", "keep-alive, te"] {
        let call = tenant.login(Family::Individual).header("connection", connection);
        assert_eq!(send(&app, &call, connection).await, 200);
    }
}

#[tokio::test]
async fn R115_a_login_body_has_16_KiB_at_most() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let body = tenant.login(family).body.to_string();
        let filled = |size: usize| format!("{body}{}", " ".repeat(size - body.len()));
        let whole = app.send(tenant.login(family).raw(filled(16 * 1024)).request()).await;
        whole.expect(200);
        let over = app.send(tenant.login(family).raw(filled(16 * 1024 + 1)).request()).await.expect(413);
        in_the_envelope(&over, "a byte too many");
        assert_eq!(over.error_type(), "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn R116_only_JSON_in_UTF_8_is_read() {
    let (app, tenant) = start().await;
    for (value, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("APPLICATION/JSON;Charset=\"UTF-8\"", 200),
        ("application/json;", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=latin1", 415),
        ("application/json; boundary=x", 415),
        ("application/json, text/plain", 415),
        ("application/jsonx", 415),
        ("application/problem+json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("text/json", 415),
        ("text/plain", 415),
        ("*/*", 415),
        ("", 415),
    ] {
        let call = tenant.login(Family::Individual).header("content-type", value);
        assert_eq!(send(&app, &call, value).await, status, "{value}");
    }
    assert_eq!(send(&app, &tenant.login(Family::Individual).without("content-type"), "none").await, 415);
    // Accept is not enforced: what we answer is JSON.
    for accept in ["text/html", "application/xml;q=1", "*/*", "nonsense"] {
        let call = tenant.login(Family::Individual).header("accept", accept);
        assert_eq!(send(&app, &call, accept).await, 200);
    }
    let text = tenant.login(Family::Individual).body.to_string();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf_16_be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin_1: Vec<u8> = text.replace("SecurePass123!", "p\u{e9}").chars().map(|c| c as u8).collect();
    for (body, what) in [
        (format!("\u{feff}{text}").into_bytes(), "a byte order mark"),
        (utf_16, "UTF-16"),
        (utf_16_be, "UTF-16, the other way"),
        (latin_1, "Latin-1"),
        (text.replace("SecurePass123!", "@").replace('@', "\u{1}").into_bytes(), "a raw control character"),
    ] {
        assert_eq!(send(&app, &tenant.login(Family::Individual).raw(body), what).await, 400, "{what}");
    }
    let overlong = [text.as_bytes(), b"\xc0\x80"].concat();
    assert_eq!(send(&app, &tenant.login(Family::Individual).raw(overlong), "overlong").await, 400);
}

#[tokio::test]
async fn R117_R126_JSON_is_strict() {
    let (app, tenant) = start().await;
    let text = tenant.login(Family::Individual).body.to_string();
    let deep = |open: &str, close: &str, depth: usize| {
        text.replacen('{', &format!("{{\"x\":{}{},", open.repeat(depth), close.repeat(depth)), 1)
    };
    let field_deep = |depth: usize| {
        let mut body = tenant.login(Family::Individual).body;
        body["username"] = json!("@@@");
        body.to_string().replace("\"@@@\"", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
    };
    for (body, what) in [
        (String::new(), "nothing"),
        (" ".to_owned(), "a blank"),
        ("null".to_owned(), "null"),
        ("true".to_owned(), "true"),
        ("\"text\"".to_owned(), "a text"),
        ("1".to_owned(), "a number"),
        ("[]".to_owned(), "an array"),
        (format!("[{text}]"), "an array of one"),
        (
            json!(["user", "password", "key", "secret", "PASSWORD", "user", null]).to_string(),
            "an array in the fields' order",
        ),
        ("{".to_owned(), "an open object"),
        (text[..text.len() - 1].to_owned(), "a body cut short"),
        (format!("{text}x"), "a letter after it"),
        (format!("{text}{text}"), "two bodies"),
        (format!("{text},"), "a comma after it"),
        (format!("{text}\u{0}"), "a NUL after it"),
        (text.replacen('}', ",}", 1), "a comma too many"),
        (text.replace('"', "'"), "single quotes"),
        (format!("/* */{text}"), "a comment"),
        (text.replacen('{', "{\"password\":\"x\",", 1), "a password twice"),
        (text.replacen('{', "{\"tenantId\":null,", 1), "a field twice, once null"),
        (text.replacen('{', "{\"pass\\u0077ord\":\"x\",", 1), "a password twice, once escaped"),
        (text.replacen("\"password\"", "\"Password\"", 1), "a field in another case"),
        (text.replacen("\"password\"", "\"password \"", 1), "a field with a blank"),
        (text.replacen("\"username\"", "\"user_name\"", 1), "a field in another style"),
        (text.replacen('{', "{\"\":1,", 1), "a field without a name"),
        (text.replacen('{', "{\"__proto__\":{},", 1), "__proto__"),
        (deep("[", "]", 17), "17 arrays deep"),
        (deep("[", "]", 5_000), "5,000 arrays deep"),
        (deep("{\"a\":", "1}", 1_000).replace("1}1}", "1}}"), "1,000 objects deep"),
        (field_deep(1), "an array for a text"),
        (field_deep(200), "200 arrays for a text"),
        (text.replacen("\"SecurePass123!\"", "1e400", 1), "a number beyond all floats"),
        (text.replacen("\"SecurePass123!\"", "NaN", 1), "NaN"),
    ] {
        let call = tenant.login(Family::Individual).raw(&body);
        assert_eq!(send(&app, &call, what).await, 400, "{what}");
    }
    for field in &FIELDS[..7] {
        for wrong in [json!(1), json!(true), json!([]), json!({}), json!(["x"]), json!({ "$ne": "" })] {
            let mut call = tenant.login(Family::Individual);
            call.body[*field] = wrong.clone();
            let answer = app.send(call.request()).await.expect(400);
            assert_eq!(answer.field("field"), *field, "{wrong}");
        }
    }
    // What the row has and the call has not (R126).
    for column in [
        "id",
        "tenant_id",
        "status",
        "kind",
        "roles",
        "password_hash",
        "sessions_not_before",
        "userId",
        "customerId",
        "isActive",
        "sessionId",
        "amr",
        "familyy",
        "grant_type",
        "otp",
        "rememberMe",
    ] {
        let call = tenant.login(Family::Individual).set(column, "x");
        assert_eq!(send(&app, &call, column).await, 400, "{column}");
    }
    // Nothing of all that locked or touched anybody.
    assert_eq!(send(&app, &tenant.login(Family::Individual), "the good one").await, 200);
}
