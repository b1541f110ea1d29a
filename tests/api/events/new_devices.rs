//! A login from a device that a user had not logged in from before is news (R012).

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use crate::support::app::{PASSWORD, TestApp, TestTenant};
use crate::support::login::{answer, two_instances};

const NEW_DEVICE: &str = "authn_login_new_device";

/// The details of the tenant's events of new devices.
async fn news(app: &TestApp, tenant: &TestTenant) -> Vec<Value> {
    let rows = app.events_named(tenant.id.as_str(), NEW_DEVICE).await;
    rows.iter().map(|row| serde_json::from_str(&row.text("details").unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn R012_a_login_from_a_new_device_leaves_one_event_beside_its_own_and_the_next_from_there_none() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(Family::Individual);
    let first = app.send(call.request()).await.expect(200);
    assert_eq!(news(&app, &tenant).await, [json!({ "firstDevice": true })]);
    for _ in 0..3 {
        app.send(call.request()).await.expect(200);
        app.clock.advance(1000);
    }
    assert_eq!(news(&app, &tenant).await.len(), 1, "a known device is no news");
    let second = app.send(call.clone().header("deviceid", "device-2").request()).await.expect(200);
    app.send(call.request()).await.expect(200);
    assert_eq!(news(&app, &tenant).await, [json!({ "firstDevice": true }), json!({ "firstDevice": false })]);

    let rows = app.events_named(tenant.id.as_str(), NEW_DEVICE).await;
    let person = tenant.person(Family::Individual);
    for (row, answer, device) in [(&rows[0], &first, "device-1"), (&rows[1], &second, "device-2")] {
        assert_eq!(row.text("session_id").unwrap(), answer.field("sessionId"));
        assert_eq!(row.text("actor_kind").unwrap(), "user");
        assert_eq!(row.text("actor_id").unwrap(), person.id.as_str());
        let personal: Value = serde_json::from_str(&row.text("personal").unwrap()).unwrap();
        assert_eq!(personal["deviceId"], device);
        assert_eq!(personal["clientIp"], "127.0.0.1");
    }
    let of_person = format!(
        "events where name = '{NEW_DEVICE}' and outcome = 'success' and user_id = '{}' and customer_id = '{}'",
        person.id, person.customer
    );
    assert_eq!(app.number_of(&of_person).await, 2);
}

#[tokio::test]
async fn R012_a_device_is_new_for_each_user_and_no_news_without_an_id_or_without_a_login() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    for (tenant, family, device) in [
        (&tenant, Family::Individual, "device-1"),
        (&tenant, Family::Organization, "device-1"),
        // Others of the tenant have logged in from another one.
        (&tenant, Family::Admin, "device-2"),
        (&other, Family::Individual, "device-1"),
    ] {
        let call = tenant.login(family).header("deviceid", device);
        app.fail(&call, 1).await;
        app.send(call.clone().set("tenantKey", "wrong").request()).await.expect(403);
        app.send(call.request()).await.expect(200);
    }
    let first = json!({ "firstDevice": true });
    assert_eq!(news(&app, &tenant).await, [first.clone(), first.clone(), first.clone()]);
    assert_eq!(news(&app, &other).await, [first]);
    // Staff may leave the id out: then there is no device to know again.
    let without = other.login(Family::Admin).without("deviceid");
    app.send(without.request()).await.expect(200);
    app.send(without.request()).await.expect(200);
    assert_eq!(news(&app, &other).await.len(), 1);
    app.send(other.login(Family::Admin).request()).await.expect(200);
    let staff = &app.events_named(other.id.as_str(), NEW_DEVICE).await[1];
    assert_eq!(staff.text("actor_kind").unwrap(), "staff");
}

#[tokio::test]
async fn R012_of_many_logins_at_once_from_one_new_device_exactly_one_is_news() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant("acme").await;
    app.send(tenant.login(Family::Individual).request()).await.expect(200);
    for round in 0..5 {
        let call = tenant.login(Family::Individual).header("deviceid", format!("new-{round}"));
        let routers = [&app.router, &beside].into_iter().cycle().take(8);
        let answers = join_all(routers.map(|router| answer(router.clone(), call.request()))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        let news = news(&app, &tenant).await;
        assert_eq!(news.len(), 2 + round, "one for each round, and the first");
        assert_eq!(news.last(), Some(&json!({ "firstDevice": false })));
    }
    let known = "devices where last_seen_at >= first_seen_at and change_id is not null";
    assert_eq!(app.number_of(known).await, 6);
}

#[tokio::test]
async fn R140_the_news_of_a_device_is_written_with_its_session_or_neither_is() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(Family::Individual).set("password", PASSWORD);
    app.script("alter table sessions rename to sessions_away").await;
    app.send(call.request()).await.expect(500);
    app.script("alter table sessions_away rename to sessions").await;
    assert_eq!(news(&app, &tenant).await, [Value::Null; 0]);
    assert_eq!(app.number_of("devices").await, 0);
    app.send(call.request()).await.expect(200);
    assert_eq!(news(&app, &tenant).await, [json!({ "firstDevice": true })], "the device was not used up");
}
