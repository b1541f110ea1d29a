//! `vestibule explain-address` and the operator's call: they tell what requests are decided by.

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{behind_proxies, send_from};
use crate::support::app::TestApp;
use crate::support::calls::Call;
use crate::support::program::Folder;

const PATH: &str = "/operator/v1/explain-address";

async fn ask(app: &TestApp, token: &str, body: Value) -> Value {
    app.operator_call(Call::new("POST", PATH).bearer(token).json(&body)).await.expect(200).data().clone()
}

fn verdicts(told: &Value) -> Vec<(&str, &str)> {
    let hops = told["hops"].as_array().unwrap().iter();
    hops.map(|hop| (hop["text"].as_str().unwrap(), hop["verdict"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn R130_an_operator_is_told_hop_by_hop_what_a_login_is_decided_by() {
    for (proxy_header, hop) in [("X-Forwarded-For", ""), ("Forwarded", "for=")] {
        let app = behind_proxies(proxy_header).await;
        let tenant = app.tenant("acme").await;
        let token = app.operator().await;
        for (peer, chain) in [
            ("203.0.113.9", format!("{hop}198.51.100.1")),
            ("10.0.0.1", format!("{hop}6.6.6.6, {hop}198.51.100.1, {hop}10.0.0.2")),
            ("10.0.0.1", format!("{hop}10.0.0.3, {hop}10.0.0.2")),
            ("10.0.0.1", format!("{hop}198.51.100.1, garbage, {hop}10.0.0.2")),
            ("::ffff:10.0.0.1", format!("{hop}198.51.100.1")),
        ] {
            let line = format!("{proxy_header}: {chain}");
            let told = ask(&app, &token, json!({ "peer": peer, "headers": [line] })).await;
            let call = tenant.login(Family::Individual).header(&proxy_header.to_lowercase(), &chain);
            let answer = send_from(&app, peer, &call).await.expect(200);
            let personal = app.event_of(&tenant, &answer).await.personal;
            for field in ["clientIp", "clientIpReason", "peer"] {
                assert_eq!(told[field], personal[field], "{field} of {peer} {chain}");
            }
            assert_eq!(told["proxyHeader"], proxy_header);
        }
        let line = format!("{proxy_header}: {hop}6.6.6.6, {hop}198.51.100.1, {hop}10.0.0.2");
        let told = ask(&app, &token, json!({ "peer": "10.0.0.1", "headers": [line] })).await;
        let texts = ["10.0.0.2", "198.51.100.1", "6.6.6.6"].map(|ip| format!("{hop}{ip}"));
        let expected =
            [(texts[0].as_str(), "trusted"), (texts[1].as_str(), "chosen"), (texts[2].as_str(), "not_read")];
        assert_eq!(verdicts(&told), expected);
        let because = told["because"].as_str().unwrap();
        assert!(because.contains("198.51.100.1 is the first hop that is no trusted proxy"), "{because}");
        assert_eq!(told["ignored"], json!([]));
    }
}

#[tokio::test]
async fn R131_R133_an_operator_is_told_what_is_ignored_and_what_a_request_is_refused_for() {
    let app = behind_proxies("X-Forwarded-For").await;
    let token = app.operator().await;
    let lines = ["X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6", "X-Forwarded-For: 6.6.6.6", "Accept: */*"];
    let told = ask(&app, &token, json!({ "peer": "203.0.113.9", "headers": lines })).await;
    assert_eq!((&told["clientIp"], &told["clientIpReason"]), (&json!("203.0.113.9"), &json!("peer")));
    let ignored: Vec<_> = told["ignored"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(ignored, ["x-forwarded-for", "forwarded", "x-real-ip"]);
    for (lines, why) in [
        (vec!["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2"], "must be sent once"),
        (vec!["X_Forwarded_For: 1.1.1.1"], "must be spelled x-forwarded-for"),
        (vec!["X-Forwarded-For: 1.1.1.1", "Connection: X-Forwarded-For"], "must not list x-forwarded-for"),
    ] {
        let told = ask(&app, &token, json!({ "peer": "203.0.113.9", "headers": lines })).await;
        assert_eq!((&told["clientIp"], &told["clientIpReason"]), (&Value::Null, &Value::Null), "{lines:?}");
        assert!(told["because"].as_str().unwrap().contains(why), "{told}");
    }
    // A backend's word.
    let body = json!({
        "peer": "203.0.113.9", "headers": ["X-Forwarded-For: 6.6.6.6, 198.51.100.1"], "backendVouches": true,
    });
    let told = ask(&app, &token, body).await;
    assert_eq!((&told["clientIp"], &told["clientIpReason"]), (&json!("198.51.100.1"), &json!("vouched")));
    assert_eq!(told["ignored"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_explained_is_refused_by_name_and_only_operators_are_told() {
    let app = TestApp::start().await;
    let token = app.operator().await;
    for (body, field) in [
        (json!({ "peer": "x" }), "peer"),
        (json!({ "peer": "10.0.0.1:443" }), "peer"),
        (json!({ "peer": "10.0.0.1", "headers": ["x"] }), "headers[0]"),
        (json!({ "peer": "10.0.0.1", "headers": ["Accept: x", "a b: c"] }), "headers[1]"),
        (json!({ "peer": "10.0.0.1", "headers": ["a: \u{1}"] }), "headers[0]"),
        (json!({ "peer": "10.0.0.1", "headers": vec!["a: b"; 101] }), "headers"),
    ] {
        let call = Call::new("POST", PATH).bearer(&token).json(&body);
        assert_eq!(app.operator_call(call).await.expect(400).complaints(), [field], "{body}");
    }
    app.operator_call(Call::new("POST", PATH).json(&json!({ "peer": "::1" }))).await.expect(401);
}

#[test]
fn R130_the_command_explains_by_its_arguments_and_by_the_configuration() {
    let folder = Folder::new();
    let line = "X-Forwarded-For: 6.6.6.6, 198.51.100.1";
    let asked = ["explain-address", "--peer", "10.0.0.1", "--header", line, "--header", "X-Real-IP: 7.7.7.7"];
    let with = |more: &[&str]| folder.run(&[&asked[..], more].concat());
    let said = with(&["--trusted-proxies", "192.0.2.0/24,10.0.0.0/8"]).well();
    insta::assert_snapshot!(said, @"
    198.51.100.1 (forwarded)
    10.0.0.1 is a trusted proxy, so X-Forwarded-For is believed; from the right, 198.51.100.1 is the first hop that is no trusted proxy.

    HOP           ADDRESS       VERDICT
    198.51.100.1  198.51.100.1  chosen
    6.6.6.6       6.6.6.6       not_read

    IGNORED    WHY
    x-real-ip  Never looked at.
    ");
    let told: Value =
        serde_json::from_str(&with(&["--trusted-proxies", "10.0.0.0/8", "--json"]).well()).unwrap();
    assert_eq!((&told["clientIp"], &told["peerIsTrusted"]), (&json!("198.51.100.1"), &json!(true)));
    let nobody = with(&["--trusted-proxies"]).well();
    assert!(nobody.starts_with("10.0.0.1 (peer)\n"), "{nobody}");
    let other = with(&["--trusted-proxies", "10.0.0.0/8", "--proxy-header", "forwarded"]).well();
    assert!(other.starts_with("10.0.0.1 (peer)\n"), "{other}");

    with(&[]).badly(&["database_url is not set"]);
    folder.write("vestibule.toml", "database_url = \"sqlite:a\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n");
    let configured = with(&[]).well();
    assert!(configured.starts_with("198.51.100.1 (forwarded)\n"), "{configured}");
    assert_eq!(with(&["--trusted-proxies", "0.0.0.0/0"]).code, Some(2));
    with(&["--header", "nonsense"]).badly(&["headers[2]", "must be like"]);
}
