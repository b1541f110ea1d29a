//! Whose word counts, in which header.

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::{Family, Settings};

use super::{behind_proxies, send_from};
use crate::support::app::{LoginCall, TestApp};

const INDIVIDUAL: Family = Family::Individual;
const PROXY: &str = "10.0.0.1";
const STRANGER: &str = "203.0.113.9";

/// Headers from which others take an address.
const OF_OTHERS: [&str; 12] = [
    "x-real-ip",
    "forwarded",
    "x-client-ip",
    "client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
    "fastly-client-ip",
    "x-original-forwarded-for",
    "x-forwarded",
    "forwarded-for",
    "via",
];

fn with(call: &LoginCall, lines: &[(&str, &str)]) -> LoginCall {
    let mut call = call.clone();
    for (name, value) in lines {
        call.headers.push(((*name).to_owned(), value.as_bytes().to_vec()));
    }
    call
}

#[tokio::test]
async fn R130_trusted_proxies_that_write_forwarded_are_read_by_it_and_never_by_x_forwarded_for() {
    let app = behind_proxies("Forwarded").await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL).header("x-forwarded-for", "6.6.6.6");
    for (peer, lines, address, reason) in [
        (PROXY, vec!["for=198.51.100.1"], "198.51.100.1", "forwarded"),
        (
            PROXY,
            vec!["for=6.6.6.6, for=\"[2001:db8::1]:4711\";proto=https, for=10.0.0.2"],
            "2001:db8::1",
            "forwarded",
        ),
        (PROXY, vec!["for=6.6.6.6", "for=198.51.100.1"], "198.51.100.1", "forwarded"),
        (PROXY, vec!["for=\"6.6.6.6", "for=198.51.100.1"], "198.51.100.1", "forwarded"),
        (PROXY, vec!["for=unknown"], PROXY, "unreadable"),
        // The client's own X-Forwarded-For went through: it is nobody's word.
        (PROXY, vec![], PROXY, "peer"),
        (STRANGER, vec!["for=198.51.100.1"], STRANGER, "peer"),
        (STRANGER, vec![], STRANGER, "peer"),
    ] {
        let lines: Vec<_> = lines.into_iter().map(|line| ("forwarded", line)).collect();
        let answer = send_from(&app, peer, &with(&call, &lines)).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], address, "{peer} {lines:?}");
        let personal = app.event_of(&tenant, &answer).await.personal;
        assert_eq!((&personal["clientIp"], &personal["clientIpReason"]), (&json!(address), &json!(reason)));
        assert_eq!((&personal["peer"], &personal["forwardedFor"]), (&json!(peer), &json!("6.6.6.6")));
        let all = lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join(", ");
        let sent = if all.is_empty() { Value::Null } else { json!(all) };
        assert_eq!(personal["forwarded"], sent, "what decided is recorded");
    }
}

#[tokio::test]
async fn R130_trusted_proxies_that_write_x_forwarded_for_are_never_read_by_forwarded() {
    let app = behind_proxies("X-Forwarded-For").await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(INDIVIDUAL).header("x-forwarded-for", "198.51.100.1");
    for lines in [vec!["for=6.6.6.6"], vec!["for=6.6.6.6", "for=7.7.7.7"], vec!["\""], vec![""]] {
        let lines: Vec<_> = lines.into_iter().map(|line| ("forwarded", line)).collect();
        for (peer, address) in [(PROXY, "198.51.100.1"), (STRANGER, STRANGER)] {
            let answer = send_from(&app, peer, &with(&call, &lines)).await.expect(200);
            assert_eq!(answer.data()["sessionMetadata"]["clientIp"], address, "{peer} {lines:?}");
            let personal = app.event_of(&tenant, &answer).await.personal;
            assert!(personal.get("forwarded").is_none(), "not even recorded: {personal}");
        }
    }
}

#[tokio::test]
async fn R131_no_header_that_others_read_changes_the_address_or_what_is_recorded() {
    for header in ["X-Forwarded-For", "Forwarded"] {
        let app = behind_proxies(header).await;
        let tenant = app.tenant("acme").await;
        let call = tenant.login(INDIVIDUAL).header("x-forwarded-for", "198.51.100.1");
        let decisive = if header == "Forwarded" { vec![("forwarded", "for=198.51.100.1")] } else { vec![] };
        for peer in [PROXY, STRANGER] {
            let mut seen = Vec::new();
            for name in ["accept"].into_iter().chain(OF_OTHERS) {
                if header == "Forwarded" && name == "forwarded" {
                    continue;
                }
                for forged in ["6.6.6.6", "for=6.6.6.6", "::1", "6.6.6.6, 10.0.0.1"] {
                    let call = with(&with(&call, &decisive), &[(name, forged)]);
                    let answer = send_from(&app, peer, &call).await.expect(200);
                    let mut event = app.event_of(&tenant, &answer).await.personal;
                    event["shown"] = answer.data()["sessionMetadata"]["clientIp"].clone();
                    seen.push((name, event));
                }
            }
            for (name, event) in &seen {
                assert_eq!(*event, seen[0].1, "{name} from {peer}");
                assert!(!event.to_string().contains("6.6.6.6"), "{name}: {event}");
            }
        }
        let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
        assert!(!stored.contains("6.6.6.6"), "{header}: somewhere a forged address is kept");
    }
}

#[tokio::test]
async fn R131_a_field_of_the_body_is_recorded_and_no_proxys_word() {
    let app = behind_proxies("X-Forwarded-For").await;
    let settings = Settings { trust_backend_address: true, ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let call = tenant.login(Family::Admin).without("x-forwarded-for").set("ipAddress", "6.6.6.6");
    for peer in [PROXY, STRANGER] {
        let answer = send_from(&app, peer, &call).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], peer);
        let personal = app.event_of(&tenant, &answer).await.personal;
        assert_eq!(
            (&personal["clientIpReason"], &personal["forwardedFor"]),
            (&json!("peer"), &json!("6.6.6.6"))
        );
    }
    // A backend that vouches for a header vouches for what stands in for it.
    let call = call.set("tenantKey", tenant.backend_key.as_str());
    let call = call.set("tenantSecret", tenant.backend_secret.as_str());
    let answer = send_from(&app, STRANGER, &call).await.expect(200);
    assert_eq!(answer.data()["sessionMetadata"]["clientIp"], "6.6.6.6");
    assert_eq!(app.event_of(&tenant, &answer).await.personal["clientIpReason"], "vouched");
}

#[tokio::test]
async fn R133_the_header_that_proxies_write_comes_once_from_strangers_and_is_not_to_be_dropped() {
    for (proxy_header, name, value) in [
        ("X-Forwarded-For", "x-forwarded-for", "198.51.100.1"),
        ("Forwarded", "forwarded", "for=198.51.100.1"),
    ] {
        let app = behind_proxies(proxy_header).await;
        let tenant = app.tenant("acme").await;
        let once = with(
            &tenant.login(INDIVIDUAL).header("x-forwarded-for", "127.0.0.1").without(name),
            &[(name, value)],
        );
        send_from(&app, STRANGER, &once).await.expect(200);
        let twice = with(&once, &[(name, value)]);
        let answer = send_from(&app, STRANGER, &twice).await.expect(400);
        assert!(answer.field("field").eq_ignore_ascii_case(name), "{}", answer.text);
        send_from(&app, PROXY, &twice).await.expect(200);
        for peer in [STRANGER, PROXY] {
            for drop in [name.to_owned(), format!("close, {}", name.to_uppercase()), format!("te ,{name}")] {
                send_from(&app, peer, &with(&once, &[("connection", &drop)])).await.expect(400);
            }
            for odd in ["x_forwarded_for", "x-forwarded_for", "X_Forwarded-For"] {
                send_from(&app, peer, &with(&once, &[(odd, "6.6.6.6")])).await.expect(400);
            }
        }
    }
    // What is not read may be there as often as it likes.
    let app = behind_proxies("X-Forwarded-For").await;
    let call = app.tenant("acme").await.login(INDIVIDUAL);
    let twice = with(&call, &[("forwarded", "for=1.1.1.1"), ("forwarded", "x"), ("connection", "forwarded")]);
    send_from(&app, STRANGER, &twice).await.expect(200);
}

#[tokio::test]
async fn R134_an_IPv4_address_in_IPv6_clothes_is_the_IPv4_address_wherever_it_stands() {
    let app = behind_proxies("X-Forwarded-For").await;
    let tenant = app.tenant("acme").await;
    for (peer, chain, address) in [
        ("::ffff:203.0.113.9", "6.6.6.6", STRANGER),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        (PROXY, "6.6.6.6, ::ffff:198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        (PROXY, "[::ffff:198.51.100.1]:443", "198.51.100.1"),
        (PROXY, "::FFFF:C633:6401", "198.51.100.1"),
    ] {
        let call = tenant.login(INDIVIDUAL).header("x-forwarded-for", chain);
        let answer = send_from(&app, peer, &call).await.expect(200);
        assert_eq!(answer.data()["sessionMetadata"]["clientIp"], address, "{peer} {chain}");
        let personal = app.event_of(&tenant, &answer).await.personal;
        assert_eq!(personal["clientIp"], address);
        assert!(!personal["peer"].as_str().unwrap().contains(':'), "{personal}");
    }
}

/// Whatever a request did leaves the decision with its deed.
#[tokio::test]
async fn R130_every_event_that_a_request_left_carries_the_decision_about_its_address() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let olga = app.operator().await;
    let call = tenant.login(INDIVIDUAL);
    app.fail(&call.clone().named("nobody@x.test"), 5).await;
    app.send(call.named("nobody@x.test").request()).await.expect(401);
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.end(&tenant, &opened).await.expect(200);
    let made = crate::support::calls::Call::new("POST", "/operator/v1/tenants").bearer(&olga);
    app.operator_call(made.json(&json!({ "slug": "beta", "name": "Beta" }))).await.expect(200);

    let all = Statement::new("select name, request_id, personal from events where request_id is not null");
    let events = app.database.list(all).await.unwrap();
    assert!(events.len() >= 9, "{}", events.len());
    for event in events {
        let name = event.text("name").unwrap();
        let personal: Value = serde_json::from_str(&event.text("personal").unwrap()).unwrap();
        for field in ["clientIp", "clientIpReason", "peer", "forwardedFor"] {
            assert!(personal.get(field).is_some(), "{name} does not tell {field}: {personal}");
        }
        assert_eq!(
            (&personal["clientIp"], &personal["clientIpReason"]),
            (&json!("127.0.0.1"), &json!("peer"))
        );
    }
}
