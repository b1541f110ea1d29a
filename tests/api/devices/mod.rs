//! Where a user has logged in from: listed, named, forgotten.

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule::tenants::{Family, Settings};

use crate::support::app::{Answer, NIL, START, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened};
use crate::support::directory::USERS;
use crate::support::login::{answer, two_instances};

const INDIVIDUAL: Family = Family::Individual;

fn own(method: &str, tenant: &TestTenant, by: &Opened, rest: &str) -> Call {
    let path = format!("{}/users/{NIL}/devices{rest}", prefix(by.family, NIL));
    Call::new(method, path).tenant(&tenant.slug).bearer(&by.token)
}

async fn list(app: &TestApp, tenant: &TestTenant, by: &Opened) -> Vec<Value> {
    let answer = app.call(own("GET", tenant, by, "")).await.expect(200);
    assert_eq!(answer.data()["nextCursor"], Value::Null);
    answer.data()["items"].as_array().unwrap().clone()
}

/// The `id` of the device that an app calls so.
async fn id(app: &TestApp, tenant: &TestTenant, by: &Opened, device: &str) -> String {
    let devices = list(app, tenant, by).await;
    let found = devices.iter().find(|it| it["deviceId"] == device);
    found.unwrap_or_else(|| panic!("no {device} in {devices:#?}"))["id"].as_str().unwrap().to_owned()
}

fn at(seconds: i64) -> String {
    START.plus_seconds(seconds).to_string()
}

#[tokio::test]
async fn R065_a_user_sees_their_devices_the_last_used_first_with_the_live_sessions_on_each() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let first = app.open_on(&tenant, INDIVIDUAL, "phone", "ios").await;
    app.open_on(&tenant, INDIVIDUAL, "laptop", "web").await;
    let third = app.open_on(&tenant, INDIVIDUAL, "phone", "ios 19").await;
    let device = |device: &str, platform: &str, seen: [i64; 2], sessions: i64| {
        json!({
            "deviceId": device, "name": null, "platform": platform, "firstSeenAt": at(seen[0]),
            "lastSeenAt": at(seen[1]), "current": device == "phone", "sessions": sessions,
        })
    };
    let seen = |mut devices: Vec<Value>| {
        for device in &mut devices {
            assert!(device.as_object_mut().unwrap().remove("id").is_some());
        }
        devices
    };
    let expected = [device("phone", "ios 19", [1, 3], 2), device("laptop", "web", [2, 2], 1)];
    assert_eq!(seen(list(&app, &tenant, &first).await), expected);
    app.end(&tenant, &first).await.expect(200);
    let expected = [device("phone", "ios 19", [1, 3], 1), device("laptop", "web", [2, 2], 1)];
    assert_eq!(seen(list(&app, &tenant, &third).await), expected);
    // Two sessions have ended by time by then, and the devices are known still.
    app.clock.advance(31 * 60_000);
    let fourth = app.open_on(&tenant, INDIVIDUAL, "laptop", "web").await;
    let devices = list(&app, &tenant, &fourth).await;
    let brief: Vec<_> = devices.iter().map(|it| (&it["deviceId"], &it["current"], &it["sessions"])).collect();
    let (laptop, phone) = (json!("laptop"), json!("phone"));
    assert_eq!(brief, [(&laptop, &json!(true), &json!(1)), (&phone, &json!(false), &json!(0))]);
    // Staff and backend see the same, and none of it is theirs.
    let person = tenant.person(INDIVIDUAL);
    let path = format!("{USERS}/{}/devices", person.id);
    let looked = app.look(&tenant, &path).await.expect(200);
    let mut told = devices.clone();
    told[0]["current"] = json!(false);
    assert_eq!(looked.data()["items"], json!(told));
    let viewer = app.staff(&tenant, &["VIEWER"]).await;
    let looked = app.call(Call::get(&path).tenant("acme").bearer(&viewer.token)).await.expect(200);
    assert_eq!(looked.data()["items"], json!(told));
    app.look(&tenant, &format!("{USERS}/nobody/devices")).await.expect(404);
    // Another user's with the same deviceId are others.
    let other = app.open_on(&tenant, Family::Organization, "phone", "ios").await;
    assert_eq!(list(&app, &tenant, &other).await.len(), 1);
}

#[tokio::test]
async fn R056_devices_come_in_pages_whose_cursors_are_the_users_own() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", Settings { max_sessions: 1_000, ..Settings::default() }).await;
    let mut last = None;
    for number in 0..7 {
        last = Some(app.open_on(&tenant, INDIVIDUAL, &format!("device-{number}"), "web").await);
        // Some at the same instant.
        app.clock.advance(-1_000 * (number % 2));
    }
    let by = last.unwrap();
    let all = list(&app, &tenant, &by).await;
    assert_eq!(all.len(), 7);
    for size in 1..=3 {
        let (mut paged, mut query) = (Vec::new(), format!("?limit={size}"));
        loop {
            let page = app.call(own("GET", &tenant, &by, &query)).await.expect(200);
            paged.extend(page.data()["items"].as_array().unwrap().clone());
            let Some(cursor) = page.data()["nextCursor"].as_str() else { break };
            query = format!("?limit={size}&cursor={cursor}");
        }
        assert_eq!(paged, all, "by {size}");
    }
    let first = app.call(own("GET", &tenant, &by, "?limit=1")).await.expect(200);
    let other = app.open(&tenant, Family::Organization).await;
    let query = format!("?cursor={}", first.field("nextCursor"));
    let answer = app.call(own("GET", &tenant, &other, &query)).await.expect(400);
    assert_eq!(answer.complaints(), ["cursor"]);
}

#[tokio::test]
async fn a_device_is_named_and_the_name_taken_away() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let by = app.open_on(&tenant, INDIVIDUAL, "phone", "ios").await;
    let device = id(&app, &tenant, &by, "phone").await;
    let rename = |body: &str| {
        own("PATCH", &tenant, &by, &format!("/{device}")).and("content-type", "application/json").body(body)
    };
    let answer = app.call(rename("{\"name\":\" Mein Händy ☎ \"}")).await.expect(200);
    assert_eq!(answer.field("name"), "Mein Händy ☎");
    assert_eq!((answer.field("id"), &answer.data()["current"]), (device.as_str(), &json!(true)));
    let longest = "é".repeat(100);
    let answer = app.call(rename(&json!({ "name": longest }).to_string())).await.expect(200);
    assert_eq!(answer.field("name"), longest);
    // It stays through other logins.
    app.open_on(&tenant, INDIVIDUAL, "phone", "ios").await;
    assert_eq!(list(&app, &tenant, &by).await[0]["name"], json!(longest));
    for (body, word) in [
        ("{}", "VALIDATION"),
        ("{\"name\":\"\"}", "VALIDATION"),
        ("{\"name\":\"  \"}", "VALIDATION"),
        ("{\"name\":\"a\\u0007b\"}", "VALIDATION"),
        ("{\"name\":\"a\\u202eb\"}", "VALIDATION"),
        ("{\"name\":\"a\\u0000b\"}", "VALIDATION"),
        ("{\"name\":1}", "MALFORMED_REQUEST"),
        ("{\"name\":\"a\",\"deviceId\":\"b\"}", "MALFORMED_REQUEST"),
    ] {
        let answer = app.call(rename(body)).await.expect(400);
        assert_eq!(answer.error_type(), word, "{body}");
        if word == "VALIDATION" {
            assert!(answer.complaints().contains(&"name"), "{body}");
        }
    }
    let answer = app.call(rename(&json!({ "name": "é".repeat(101) }).to_string())).await.expect(400);
    assert_eq!(answer.complaints(), ["name"]);
    assert_eq!(list(&app, &tenant, &by).await[0]["name"], json!(longest), "nothing of it happened");
    let answer = app.call(rename("{\"name\":null}")).await.expect(200);
    assert_eq!(answer.data()["name"], Value::Null);
    let absent = own("PATCH", &tenant, &by, "/absent").json(&json!({ "name": "x" }));
    app.call(absent).await.expect(404);
    // For the user who asks the tenant to.
    let path = format!("{USERS}/{}/devices/{device}", tenant.person(INDIVIDUAL).id);
    let operator = app.staff(&tenant, &["OPERATOR"]).await;
    let viewer = app.staff(&tenant, &["VIEWER"]).await;
    let body = json!({ "name": "Ada's phone" });
    app.by(&viewer, &tenant, "PATCH", &path, &body).await.expect(403);
    let answer = app.by(&operator, &tenant, "PATCH", &path, &body).await.expect(200);
    assert_eq!((answer.field("name"), &answer.data()["current"]), ("Ada's phone", &json!(false)));
}

#[tokio::test]
async fn R012_R065_a_forgotten_device_takes_its_sessions_with_it_and_is_a_new_one_later() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let lost = [
            app.open_on(&tenant, family, "lost", "ios").await,
            app.open_on(&tenant, family, "lost", "ios").await,
        ];
        let over = app.open_on(&tenant, family, "lost", "ios").await;
        app.end(&tenant, &over).await.expect(200);
        let by = app.open_on(&tenant, family, "here", "web").await;
        let device = id(&app, &tenant, &by, "lost").await;
        let answer = app.call(own("DELETE", &tenant, &by, &format!("/{device}"))).await.expect(200);
        let said = json!({
            "success": true, "message": "Device forgotten", "errorType": "NONE", "id": device, "sessionsEnded": 2,
        });
        assert_eq!(answer.data(), &said);
        for opened in &lost {
            let answer = app.view(&tenant, opened).await.expect(401);
            assert_eq!(answer.field("endReason"), "device_forgotten");
        }
        assert_eq!(app.view(&tenant, &over).await.expect(401).field("endReason"), "logout");
        app.view(&tenant, &by).await.expect(200);
        assert_eq!(list(&app, &tenant, &by).await.len(), 1);
        app.call(own("DELETE", &tenant, &by, &format!("/{device}"))).await.expect(404);
        // It is news when it comes back, with another id; and the one that asks may go too.
        let before = app.events_named(tenant.id.as_str(), "authn_login_new_device").await.len();
        app.open_on(&tenant, family, "lost", "ios").await;
        assert_eq!(app.events_named(tenant.id.as_str(), "authn_login_new_device").await.len(), before + 1);
        assert_ne!(id(&app, &tenant, &by, "lost").await, device);
        let here = id(&app, &tenant, &by, "here").await;
        app.call(own("DELETE", &tenant, &by, &format!("/{here}"))).await.expect(200);
        assert_eq!(app.view(&tenant, &by).await.expect(401).field("endReason"), "device_forgotten");
    }
    let events = app.events_named(tenant.id.as_str(), "device_forgotten").await;
    assert_eq!(events.len(), 6);
    let told = "events where name = 'session_expired' and reason = 'device_forgotten' and ends = 'session'";
    assert_eq!(app.number_of(told).await, 9);
}

#[tokio::test]
async fn R065_staff_and_backend_forget_a_users_device_by_their_roles() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL).id.clone();
    let path = |device: &str| format!("{USERS}/{person}/devices/{device}");
    for (role, status) in
        [("VIEWER", 403), ("AUDITOR", 403), ("OPERATOR", 200), ("ADMIN", 200), ("backend", 200)]
    {
        let opened = app.open_on(&tenant, INDIVIDUAL, "phone", "ios").await;
        let device = id(&app, &tenant, &opened, "phone").await;
        let call = Call::new("DELETE", path(&device));
        let answer = if role == "backend" {
            app.call(call.backend(&tenant)).await
        } else {
            let staff = app.staff(&tenant, &[role]).await;
            app.call(call.tenant("acme").bearer(&staff.token)).await
        };
        assert_eq!(answer.status.as_u16(), status, "{role}");
        app.view(&tenant, &opened).await.expect(if status == 200 { 401 } else { 200 });
    }
    let events = app.events_named(tenant.id.as_str(), "device_forgotten").await;
    let actors: Vec<_> = events.iter().map(|row| row.text("actor_kind").unwrap()).collect();
    assert_eq!(actors, ["staff", "staff", "backend"]);
    // Another user's device under this user's path.
    let other = app.open_on(&tenant, Family::Organization, "phone", "ios").await;
    let theirs = id(&app, &tenant, &other, "phone").await;
    app.call(Call::new("DELETE", path(&theirs)).backend(&tenant)).await.expect(404);
    app.view(&tenant, &other).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R065_of_logins_and_forgetting_at_once_no_session_lives_on_a_device_that_is_not_there() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant_with("acme", Settings { max_sessions: 1_000, ..Settings::default() }).await;
    let routers = [app.router.clone(), beside];
    let mut forgotten = 0;
    for _ in 0..12 {
        let by = app.open_on(&tenant, INDIVIDUAL, "here", "web").await;
        app.open_on(&tenant, INDIVIDUAL, "phone", "ios").await;
        let device = id(&app, &tenant, &by, "phone").await;
        let login = tenant.login(INDIVIDUAL).header("deviceid", "phone");
        let requests = (0..8).map(|number| {
            let request = if number % 4 == 2 {
                own("DELETE", &tenant, &by, &format!("/{device}")).request()
            } else {
                login.request()
            };
            tokio::spawn(answer(routers[number % 2].clone(), request))
        });
        let answers: Vec<Answer> = join_all(requests).await.into_iter().map(Result::unwrap).collect();
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 7, "{statuses:?}");
        assert_eq!(
            statuses.iter().filter(|status| **status == 404).count(),
            1,
            "forgotten once: {statuses:?}"
        );
        let homeless = "sessions s where s.ended_at is null and not exists \
                        (select 1 from devices d where d.user_id = s.user_id and d.device_id = s.device_id)";
        assert_eq!(app.number_of(homeless).await, 0);
        forgotten += 1;
    }
    assert_eq!(app.events_named(tenant.id.as_str(), "device_forgotten").await.len(), forgotten);
}
