//! The headers: what is required where, aliases, and whose address is believed.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use serde_json::{Value, json};
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, LoginCall, TestApp, TestTenant, Wanted};

const INDIVIDUAL: Family = Family::Individual;
const OPTIONAL: [&str; 5] = ["x-forwarded-for", "x-forwarded-from", "platform", "deviceid", "user-agent"];

async fn one() -> (TestApp, TestTenant, LoginCall) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL);
    (app, tenant, call)
}

/// The call, as it comes from this peer.
async fn send_from(app: &TestApp, peer: &str, call: &LoginCall) -> Answer {
    let mut request = call.request();
    request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
    app.send(request).await
}

/// What the event of this answer keeps of the client.
async fn recorded(app: &TestApp, tenant: &TestTenant, answer: &Answer) -> Value {
    app.event_of(tenant, answer).await.personal
}

#[tokio::test]
async fn all_missing_headers_are_listed_in_one_400() {
    let (app, tenant, call) = one().await;
    let none = OPTIONAL.into_iter().fold(call.without("x-tenant-id"), LoginCall::without);
    for family in [Family::Individual, Family::Organization] {
        let mut none = none.clone();
        none.path = tenant.login(family).path;
        let answer = app.send(none.request()).await.expect(400);
        assert_eq!(answer.json["message"], "Missing required header(s)");
        assert_eq!(answer.error_type(), "MISSING_HEADERS");
        assert_eq!(
            answer.complaints(),
            ["X-Tenant-ID", "X-Forwarded-For", "X-Forwarded-From", "platform", "deviceId"]
        );
    }
}

#[tokio::test]
async fn each_required_header_is_missed_by_itself_and_an_empty_one_is_missing() {
    let (app, _, call) = one().await;
    for (name, shown) in [
        ("x-tenant-id", "X-Tenant-ID"),
        ("x-forwarded-for", "X-Forwarded-For"),
        ("x-forwarded-from", "X-Forwarded-From"),
        ("platform", "platform"),
        ("deviceid", "deviceId"),
    ] {
        for call in
            [call.clone().without(name), call.clone().header(name, ""), call.clone().header(name, "  ")]
        {
            assert_eq!(app.send(call.request()).await.expect(400).complaints(), [shown]);
        }
    }
    app.send(call.clone().without("user-agent").request()).await.expect(200);
    app.send(call.without("content-type").request()).await.expect(415);
}

#[tokio::test]
async fn the_admin_family_requires_the_tenant_alone_and_records_the_rest() {
    let (app, tenant, _) = one().await;
    let bare = OPTIONAL.into_iter().fold(tenant.login(Family::Admin), LoginCall::without);
    let answer = app.send(bare.request()).await.expect(200);
    assert_eq!(
        answer.data()["sessionMetadata"],
        json!({ "clientIp": "127.0.0.1", "clientPlatform": null, "userAgent": null, "createdAt": "2026-03-16T19:49:32.000Z" })
    );
    let answer = app.send(bare.clone().without("x-tenant-id").request()).await.expect(400);
    assert_eq!(answer.complaints(), ["X-Tenant-ID"]);
    let answer = app.send(tenant.login(Family::Admin).request()).await.expect(200);
    assert_eq!(answer.data()["sessionMetadata"]["clientPlatform"], "mobile");
    let recorded = recorded(&app, &tenant, &answer).await;
    assert_eq!((&recorded["source"], &recorded["deviceId"]), (&json!("client-app"), &json!("device-1")));
}

#[tokio::test]
async fn the_platform_wins_over_the_browsers_hint_which_counts_unquoted_when_it_is_absent() {
    let (app, _, call) = one().await;
    for (platform, hint, expected) in [
        (Some("ios"), None, "ios"),
        (Some("ios"), Some("\"Windows\""), "ios"),
        (None, Some("\"Windows\""), "Windows"),
        (None, Some("Windows"), "Windows"),
        (Some(""), Some("\"Chrome OS\""), "Chrome OS"),
    ] {
        let mut call = call.clone().without("platform");
        for (name, value) in [("platform", platform), ("sec-ch-ua-platform", hint)] {
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        let answer = app.send(call.request()).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientPlatform"], expected, "{platform:?} {hint:?}");
    }
    let empty = call.without("platform").header("sec-ch-ua-platform", "\"\"");
    assert_eq!(app.send(empty.request()).await.expect(400).complaints(), ["platform"]);
}

#[tokio::test]
async fn the_device_has_three_names_in_an_order_of_precedence() {
    let (app, tenant, call) = one().await;
    let all = [("deviceid", "one"), ("x-device-id", "two"), ("device-id", "three")];
    for first in 0..all.len() {
        let bare = call.clone().without("deviceid");
        let sent =
            all[first..].iter().rev().fold(bare.clone(), |call, (name, value)| call.header(name, value));
        let answer = app.send(sent.request()).await.expect(200);
        assert_eq!(recorded(&app, &tenant, &answer).await["deviceId"], all[first].1);
        // An empty one is missing: the next counts.
        let emptied = all[..first].iter().fold(sent, |call, (name, _)| call.header(name, ""));
        let answer = app.send(emptied.request()).await.expect(200);
        assert_eq!(recorded(&app, &tenant, &answer).await["deviceId"], all[first].1);
    }
    let stored = app.number_of("sessions where device_id = 'one'").await;
    assert_eq!(stored, 2, "the session keeps the device");
    assert_eq!(app.number_of("devices").await, 3);
}

#[tokio::test]
async fn R127_R133_a_header_of_ours_comes_once_and_as_it_is_spelled() {
    let (app, _, call) = one().await;
    for name in [
        "x-tenant-id",
        "x-forwarded-for",
        "x-forwarded-from",
        "platform",
        "sec-ch-ua-platform",
        "deviceid",
        "x-device-id",
        "device-id",
        "authorization",
        "content-type",
    ] {
        let value = if name == "content-type" { "application/json" } else { "acme" };
        let mut twice = call.clone().header(name, value);
        twice.headers.push((name.to_owned(), value.into()));
        let answer = app.send(twice.request()).await.expect(400);
        assert!(answer.field("field").eq_ignore_ascii_case(name), "{}", answer.text);
    }
    for name in ["x_tenant_id", "x_forwarded_for", "device_id"] {
        app.send(call.clone().header(name, "acme").request()).await.expect(400);
    }
    app.send(call.header("connection", "x-forwarded-for").request()).await.expect(400);
}

const CHAINS: [&str; 7] = [
    "198.51.100.1, 203.0.113.7",
    "198.51.100.1:4711",
    "[2001:db8::1]:4711",
    "[2001:db8::1]",
    "2001:db8::1",
    "garbage",
    "unknown, , 1.2.3",
];

#[tokio::test]
async fn R130_R131_forwarded_addresses_are_recorded_and_not_believed() {
    let (app, tenant, call) = one().await;
    for chain in CHAINS {
        let call = call.clone().header("x-forwarded-for", chain);
        let answer = send_from(&app, "203.0.113.9:40000", &call).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], "203.0.113.9", "{chain}");
        let recorded = recorded(&app, &tenant, &answer).await;
        assert_eq!(recorded["forwardedFor"], chain);
        assert_eq!(
            (&recorded["clientIp"], &recorded["clientIpReason"]),
            (&json!("203.0.113.9"), &json!("peer"))
        );
        assert_eq!(recorded["peer"], "203.0.113.9");
    }
    let stored = format!("sessions where forwarded_for = '{}' and client_ip_reason = 'peer'", CHAINS[0]);
    assert_eq!(app.number_of(&stored).await, 1);
    app.send(call.header("x-forwarded-for", "1.".repeat(400)).request()).await.expect(400);
}

#[tokio::test]
async fn R130_a_trusted_proxy_is_believed_up_to_the_first_hop_that_is_none() {
    let wanted = Wanted { trusted_proxies: vec!["10.0.0.0/8"], ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    for (peer, chain, address, reason) in [
        ("10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1", "forwarded"),
        ("10.0.0.1:1", "198.51.100.1:4711", "198.51.100.1", "forwarded"),
        ("10.0.0.1:1", "[2001:db8::1]:4711", "2001:db8::1", "forwarded"),
        ("10.0.0.1:1", "garbage", "10.0.0.1", "unreadable"),
        ("10.0.0.1:1", "garbage, 198.51.100.1", "198.51.100.1", "forwarded"),
        ("[::ffff:10.0.0.1]:1", "198.51.100.1", "198.51.100.1", "forwarded"),
        ("203.0.113.9:1", "198.51.100.1", "203.0.113.9", "peer"),
    ] {
        let call = tenant.login(INDIVIDUAL).header("x-forwarded-for", chain);
        let answer = send_from(&app, peer, &call).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], address, "{peer} {chain}");
        assert_eq!(recorded(&app, &tenant, &answer).await["clientIpReason"], reason, "{peer} {chain}");
    }
}

#[tokio::test]
async fn a_backend_key_vouches_for_an_address_only_where_its_tenant_says_so() {
    let app = TestApp::start().await;
    let settings = Settings { trust_backend_address: true, ..Settings::default() };
    let (trusting, other) = (app.tenant_with("trusting", settings).await, app.tenant("other").await);
    for (tenant, backend, expected, reason) in [
        (&trusting, true, "198.51.100.1", "vouched"),
        (&trusting, false, "203.0.113.9", "peer"),
        (&other, true, "203.0.113.9", "peer"),
        (&other, false, "203.0.113.9", "peer"),
    ] {
        let mut call = tenant.login(INDIVIDUAL).header("x-forwarded-for", "6.6.6.6, 198.51.100.1");
        if backend {
            call = call.set("tenantKey", tenant.backend_key.as_str());
            call = call.set("tenantSecret", tenant.backend_secret.as_str());
        }
        let answer = send_from(&app, "203.0.113.9:1", &call).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], expected, "{} {backend}", tenant.slug);
        assert_eq!(recorded(&app, tenant, &answer).await["clientIpReason"], reason);
    }
    // Nor does a wrong secret vouch in what is recorded of a failure: there is nothing recorded at all.
    let call = trusting.login(INDIVIDUAL).set("tenantKey", trusting.backend_key.as_str());
    send_from(&app, "203.0.113.9:1", &call).await.expect(403);
}

#[tokio::test]
async fn R006_R135_hostile_headers_are_400_and_long_ones_too() {
    let (app, _, call) = one().await;
    for name in ["x-forwarded-from", "platform", "deviceid", "user-agent"] {
        for value in ["a\u{202e}b", "a\u{200b}b", "\u{feff}"] {
            app.send(call.clone().header(name, value).request()).await.expect(400);
        }
        app.send(call.clone().header(name, b"\xff\xfe").request()).await.expect(400);
        app.send(call.clone().header(name, "x".repeat(1_025)).request()).await.expect(400);
        app.send(call.clone().header(name, "Žemaitė's phone; drop table").request()).await.expect(200);
    }
}

#[tokio::test]
async fn lines_of_x_forwarded_for_are_joined_from_a_trusted_proxy_and_refused_from_others() {
    use crate::support::app::{TestApp, Wanted};
    for (trusted, status) in [(vec!["127.0.0.1"], 200), (Vec::new(), 400)] {
        let app = TestApp::start_with(Wanted { trusted_proxies: trusted, ..Wanted::default() }).await;
        let tenant = app.tenant("acme").await;
        let mut call = tenant.login(Family::Individual).header("x-forwarded-for", "10.9.9.9");
        call.headers.push(("x-forwarded-for".to_owned(), b"198.51.100.7".to_vec()));
        let answer = app.send(call.request()).await.expect(status);
        if status == 200 {
            assert_eq!(answer.data()["sessionMetadata"]["clientIp"], "198.51.100.7");
        }
    }
}
