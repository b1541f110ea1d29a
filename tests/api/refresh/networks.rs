//! From where a session is used (R067).

use serde_json::{Value, json};

use super::{INDIVIDUAL, refresh_call};
use crate::support::app::{TestApp, TestTenant, Wanted};
use crate::support::calls::Opened;

async fn behind_a_proxy() -> (TestApp, TestTenant, Opened) {
    let wanted = Wanted { trusted_proxies: vec!["127.0.0.1/32"], ..Wanted::default() };
    let app = TestApp::start_with(wanted).await;
    let tenant = app.tenant("acme").await;
    let login = tenant.login(INDIVIDUAL).header("x-forwarded-for", "203.0.113.9");
    let answer = app.send(login.request()).await.expect(200);
    let opened = Opened {
        family: INDIVIDUAL,
        session: answer.field("sessionId").to_owned(),
        token: answer.field("token").to_owned(),
        refresh: answer.field("refreshToken").to_owned(),
        data: answer.data().clone(),
    };
    (app, tenant, opened)
}

async fn refresh_from(app: &TestApp, tenant: &TestTenant, of: &Opened, ip: &str) -> Opened {
    let call = refresh_call(tenant, of).and("x-forwarded-for", ip);
    of.next(&app.call(call).await.expect(200))
}

async fn told(app: &TestApp, tenant: &TestTenant) -> Vec<Value> {
    let events = app.events_named(tenant.id.as_str(), "session_network_changed").await;
    events.iter().map(|row| serde_json::from_str(&row.text("details").unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn R067_a_network_is_told_when_it_is_new_and_the_latest_address_is_kept() {
    let (app, tenant, mut current) = behind_a_proxy().await;
    for (ip, events, address) in [
        ("203.0.113.9", 0, None),
        ("203.0.113.77", 0, Some("203.0.113.77")),
        ("203.0.114.1", 1, Some("203.0.114.1")),
        ("203.0.114.2", 1, Some("203.0.114.2")),
        ("2001:db8:1::1", 2, Some("2001:db8:1::1")),
        ("2001:db8:1:ffff::2", 2, Some("2001:db8:1:ffff::2")),
        ("2001:db8:2::1", 3, Some("2001:db8:2::1")),
        ("203.0.114.1", 3, Some("203.0.114.1")),
        ("203.0.113.9", 3, Some("203.0.114.1")),
    ] {
        current = refresh_from(&app, &tenant, &current, ip).await;
        assert_eq!(told(&app, &tenant).await.len(), events, "{ip}");
        assert_eq!(app.row_of(&current).await[4].as_deref(), address, "{ip}");
        assert_eq!(current.data["sessionMetadata"]["clientIp"], "203.0.113.9");
    }
    let row = app.row_of(&current).await;
    assert_eq!(row[5].as_deref(), Some(r#"["203.0.114.0/24","2001:db8:1::/48","2001:db8:2::/48"]"#));
    let mut details = told(&app, &tenant).await;
    // Those of one millisecond are in no order.
    details.sort_by_key(|details| details["known"].as_i64());
    assert_eq!(details, [json!({ "known": 1 }), json!({ "known": 2 }), json!({ "known": 3 })]);
    let events = app.events_named(tenant.id.as_str(), "session_network_changed").await;
    assert_eq!(events[0].text("actor_id").unwrap(), tenant.person(INDIVIDUAL).id.as_str());
    assert_eq!(events[0].text("session_id").unwrap(), current.session);
}

#[tokio::test]
async fn R067_beyond_sixteen_networks_no_more_is_told_and_no_more_kept() {
    let (app, tenant, mut current) = behind_a_proxy().await;
    for third in 0..30 {
        current = refresh_from(&app, &tenant, &current, &format!("198.51.{third}.1")).await;
    }
    assert_eq!(told(&app, &tenant).await.len(), 16);
    let networks: Vec<String> =
        serde_json::from_str(app.row_of(&current).await[5].as_deref().unwrap()).unwrap();
    assert_eq!(networks.len(), 16);
}

#[tokio::test]
async fn R131_an_address_that_is_only_claimed_changes_no_network() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let next = refresh_from(&app, &tenant, &opened, "198.51.100.7").await;
    assert!(told(&app, &tenant).await.is_empty());
    assert_eq!(app.row_of(&next).await[4], None);
}

#[tokio::test]
async fn a_repetition_from_another_network_writes_nothing() {
    let (app, tenant, first) = behind_a_proxy().await;
    let second = refresh_from(&app, &tenant, &first, "203.0.113.9").await;
    let row = app.row_of(&second).await;
    refresh_from(&app, &tenant, &first, "198.51.100.1").await;
    assert_eq!(app.row_of(&second).await, row);
    assert!(told(&app, &tenant).await.is_empty());
}
