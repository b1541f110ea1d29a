//! Sessions end by what they have in common.

use serde_json::{Value, json};
use vestibule::db::{DbError, Statement};
use vestibule::flows::{get_session_operation, go_on_ending_sessions, go_on_with_session_operations};
use vestibule::ids::{ChangeId, SessionId, SessionOperationId, TenantId};
use vestibule::sessions::search::store::end_if_it_lives;
use vestibule::sessions::{EndReason, operations};
use vestibule::tenants::Family;

use super::plans::fill;
use super::{OPERATIONS, SESSIONS, start};
use crate::support::app::{Answer, START, TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::login::{two_instances, until};

async fn operation(app: &TestApp, tenant: &TestTenant, id: &str) -> Answer {
    app.look(tenant, &format!("{OPERATIONS}/{id}")).await
}

/// What an operation searches for, as its row has it.
async fn filter_of(app: &TestApp, id: &str) -> String {
    let sql = "select filter from session_operations where id = $1";
    let rows = app.database.fetch(Statement::new(sql).bind(id)).await.unwrap();
    rows[0].text("filter").unwrap()
}

/// What a count answers.
fn counted_as(matched: i64, exact: bool) -> Value {
    json!({ "matched": matched, "exact": exact, "operationId": null, "state": null, "ended": null })
}

#[tokio::test]
async fn R065_sessions_end_by_what_they_have_in_common_each_with_its_event_and_no_others() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let mut stolen = Vec::new();
    for family in Family::ALL {
        stolen.push(app.later(&acme, family).await);
    }
    app.script("update sessions set device_id = 'stolen'").await;
    let logged_out = app.later(&acme, Family::Individual).await;
    app.end(&acme, &logged_out).await.expect(200);
    let theirs = app.later(&globex, Family::Individual).await;
    app.script("update sessions set device_id = 'stolen'").await;
    let kept = app.later(&acme, Family::Individual).await;
    app.clock.advance(1_000);
    let body = json!({ "filter": { "deviceId": "stolen" }, "reason": "stolen-devices" });
    let mut dry = body.clone();
    dry["dryRun"] = json!(true);
    let counted = app.end_matching(&acme, &dry).await.expect(200);
    assert_eq!(*counted.data(), counted_as(3, true));
    assert_eq!(app.number_of("session_operations").await, 0);
    assert_eq!(app.told(&acme).await.len(), 1, "the logout");

    let begun = app.end_matching(&acme, &body).await.expect(200);
    let id = begun.field("operationId");
    assert_eq!((begun.field("state"), &begun.data()["ended"]), ("settling", &json!(3)));
    let seen = operation(&app, &acme, id).await.expect(200);
    assert_eq!((seen.field("endReason"), seen.field("reason")), ("ended_by_backend", "stolen-devices"));
    for opened in &stolen {
        assert_eq!(app.view(&acme, opened).await.expect(401).field("endReason"), "ended_by_backend");
    }
    app.view(&acme, &kept).await.expect(200);
    app.view(&globex, &theirs).await.expect(200);
    let mut expected: Vec<_> =
        stolen.iter().map(|opened| (opened.session.clone(), "ended_by_backend".to_owned())).collect();
    expected.push((logged_out.session.clone(), "logout".to_owned()));
    expected.sort();
    assert_eq!(app.told(&acme).await, expected);
    assert_eq!(app.number_of("events where ends = 'session'").await, 4);
    assert_eq!(filter_of(&app, id).await, r#"{"deviceId":"stolen"}"#);

    // What it searched for goes when it is over.
    app.clock.advance(60_000);
    go_on_with_session_operations(&app.app).await.unwrap();
    let finished = operation(&app, &acme, id).await.expect(200);
    assert_eq!((finished.field("state"), &finished.data()["ended"]), ("finished", &json!(3)));
    assert_eq!(finished.field("finishedAt"), app.clock.now().to_string());
    assert_eq!(filter_of(&app, id).await, "{}");
    let told = app.details_of(&acme, "sessions_ended").await;
    assert_eq!(
        told,
        [
            json!({ "of": "search", "operationId": id, "state": "started", "filter": ["deviceId"] }),
            json!({ "of": "search", "operationId": id, "state": "finished", "ended": 3 }),
        ]
    );
    assert!(app.details_of(&acme, "session_expired").await.contains(&json!({ "operationId": id })));
    let texts = app.events_named(acme.id.as_str(), "sessions_ended").await;
    assert!(texts.iter().all(|row| !row.text("details").unwrap().contains("stolen")));
    // Nothing more comes of it.
    app.clock.advance(600_000);
    go_on_with_session_operations(&app.app).await.unwrap();
    assert_eq!(app.details_of(&acme, "sessions_ended").await.len(), 2);
    operation(&app, &globex, id).await.expect(404);
    operation(&app, &acme, "absent").await.expect(404);
    assert_eq!(operation(&app, &acme, "a.b").await.expect(400).complaints(), ["operationId"]);
}

#[tokio::test]
async fn R065_each_filter_of_the_search_ends_what_it_finds() {
    let (app, acme) = start().await;
    let (user, customer) = (acme.people[0].id.to_string(), acme.people[0].customer.to_string());
    for filter in [
        json!({ "userId": user }),
        json!({ "customerId": customer }),
        json!({ "deviceId": "device-x" }),
        json!({ "platform": "platform-x" }),
        json!({ "address": "203.0.113.9", "state": "live" }),
        json!({ "createdBefore": START.plus_seconds(3_600).to_string(), "userId": user }),
    ] {
        let hit = app.later(&acme, Family::Individual).await;
        app.script(&format!(
            "update sessions set device_id = 'device-x', platform = 'platform-x', client_ip = '203.0.113.9' \
             where id = '{}'",
            hit.session
        ))
        .await;
        let missed = app.later(&acme, Family::Organization).await;
        let begun = app.end_matching(&acme, &json!({ "filter": filter })).await.expect(200);
        assert_eq!(begun.data()["ended"], 1, "{filter}");
        app.view(&acme, &hit).await.expect(401);
        app.view(&acme, &missed).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_opened_after_it_is_none_of_it_and_what_a_login_had_begun_before_it_is() {
    let (app, acme) = start().await;
    let before = app.later(&acme, Family::Individual).await;
    // A login that has read the truth and not written its session yet.
    let slow = app.later(&acme, Family::Individual).await;
    app.script(&format!("update sessions set platform = 'not there yet' where id = '{}'", slow.session))
        .await;
    app.clock.advance(10);
    let body = json!({ "filter": { "platform": "mobile" } });
    let begun = app.end_matching(&acme, &body).await.expect(200);
    let id = begun.field("operationId");
    assert_eq!((begun.field("state"), &begun.data()["ended"]), ("settling", &json!(1)));
    app.script(&format!("update sessions set platform = 'mobile' where id = '{}'", slow.session)).await;
    let after = app.later(&acme, Family::Individual).await;
    app.view(&acme, &slow).await.expect(200);
    app.clock.advance(59_000);
    go_on_with_session_operations(&app.app).await.unwrap();
    assert_eq!(operation(&app, &acme, id).await.field("state"), "settling", "it may yet come");
    app.clock.advance(1_000);
    go_on_with_session_operations(&app.app).await.unwrap();
    let finished = operation(&app, &acme, id).await;
    assert_eq!((finished.field("state"), &finished.data()["ended"]), ("finished", &json!(2)));
    app.view(&acme, &before).await.expect(401);
    app.view(&acme, &slow).await.expect(401);
    app.view(&acme, &after).await.expect(200);
}

#[tokio::test]
async fn the_first_ending_stays_and_what_is_dead_already_gets_no_other() {
    let (app, acme) = start().await;
    let idle = app.later(&acme, Family::Individual).await;
    app.clock.advance(31 * 60_000);
    let suspended = app.later(&acme, Family::Organization).await;
    app.clock.advance(5);
    app.suspend_user(&acme, &acme.people[1].id, app.clock.now()).await;
    let live = app.later(&acme, Family::Admin).await;
    let filter = json!({ "createdAfter": START.to_string() });
    let counted = app.end_matching(&acme, &json!({ "filter": filter, "dryRun": true })).await.expect(200);
    assert_eq!(*counted.data(), counted_as(1, true));
    let begun = app.end_matching(&acme, &json!({ "filter": filter })).await.expect(200);
    assert_eq!(begun.data()["ended"], 1);
    for (opened, reason) in
        [(&idle, "expired_idle"), (&suspended, "user_disabled"), (&live, "ended_by_backend")]
    {
        let path = format!("{}/{}", super::of_user(opened.data["userId"].as_str().unwrap()), opened.session);
        assert_eq!(app.look(&acme, &path).await.expect(200).field("endReason"), reason);
    }
    assert_eq!(app.told(&acme).await, [(live.session, "ended_by_backend".to_owned())]);
}

#[tokio::test]
async fn R164_many_end_slice_by_slice_and_go_on_without_whoever_asked() {
    let (app, acme) = start().await;
    app.open(&acme, Family::Individual).await;
    fill(&app, &acme, 1_300).await;
    let body = json!({ "filter": { "userId": acme.people[0].id } });
    let live = app.number_of("sessions where ended_at is null").await;
    assert_eq!(live, 651);
    let call = Call::new("POST", format!("{SESSIONS}/end")).backend(&acme).json(&body);
    // The caller goes at once: before anything has begun, or in the middle of it. What has begun goes on by itself, or
    // by the upkeep where even that had not been said.
    let asked = tokio::time::timeout(std::time::Duration::from_millis(1), app.call(call)).await;
    drop(asked);
    until("all have ended", async || {
        if app.number_of("session_operations").await == 0 {
            app.end_matching(&acme, &body).await.expect(200);
        }
        app.clock.advance(6_000);
        go_on_with_session_operations(&app.app).await.unwrap();
        app.number_of("sessions where ended_at is null").await == 0
    })
    .await;
    assert_eq!(app.told(&acme).await.len(), 651);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_at_one_operation_end_each_session_once_with_one_event() {
    let (app, second) = two_instances().await;
    let acme = app.tenant("acme").await;
    app.open(&acme, Family::Individual).await;
    fill(&app, &acme, 2_000).await;
    let body = json!({ "filter": { "deviceId": "device-1" } });
    // Two operations by two nodes, and more hands at the first, all at once.
    let call = Call::new("POST", format!("{SESSIONS}/end")).backend(&acme).json(&body);
    let (one, two) = tokio::join!(app.call(call.clone()), app.send_to(&second, call.request()));
    let (one, two) = (one.expect(200), two.expect(200));
    let id = SessionOperationId::parse(one.field("operationId")).unwrap();
    let (first, other) = (app.app.clone(), app.app.clone());
    let tenant: &TenantId = &acme.id;
    let hands =
        tokio::join!(go_on_ending_sessions(&first, tenant, &id), go_on_ending_sessions(&other, tenant, &id));
    hands.0.unwrap();
    hands.1.unwrap();
    until("all have ended", async || {
        app.number_of("sessions where ended_at is null and device_id = 'device-1'").await == 0
            && app.number_of("session_operations where passed_at is null").await == 0
    })
    .await;
    let ended =
        app.number_of("sessions where ended_at is not null and end_reason = 'ended_by_backend'").await;
    let told = app.told(&acme).await;
    let mut sessions: Vec<_> = told.iter().map(|(session, _)| session).collect();
    sessions.dedup();
    assert_eq!((i64::try_from(told.len()).unwrap(), sessions.len()), (ended, told.len()), "once each");
    app.clock.advance(61_000);
    go_on_with_session_operations(&app.app).await.unwrap();
    let mut counted = 0;
    for answer in [&one, &two] {
        let now = operation(&app, &acme, answer.field("operationId")).await;
        assert_eq!(now.field("state"), "finished");
        counted += now.data()["ended"].as_i64().unwrap();
    }
    assert_eq!(counted, ended);
}

#[tokio::test]
async fn R047_a_filter_that_is_empty_or_none_ends_nothing() {
    let (app, acme) = start().await;
    let opened = app.open(&acme, Family::Individual).await;
    for (body, fields) in [
        (json!({ "filter": {} }), vec!["filter"]),
        (json!({ "filter": { "state": "live" } }), vec!["filter"]),
        (json!({ "filter": { "deviceId": "" } }), vec!["filter.deviceId"]),
        (json!({ "filter": { "deviceId": null } }), vec!["filter.deviceId"]),
        (json!({ "filter": { "platform": "  " } }), vec!["filter.platform"]),
        // Beside what is a condition, too.
        (
            json!({ "filter": { "deviceId": "", "createdAfter": "2026-03-01T00:00:00Z" } }),
            vec!["filter.deviceId"],
        ),
        (
            json!({ "filter": { "userId": null, "createdAfter": "2026-03-01T00:00:00Z" } }),
            vec!["filter.userId"],
        ),
        (json!({ "filter": { "platform": "mobile", "state": "ended" } }), vec!["filter.state"]),
        (json!({ "filter": { "userId": "" } }), vec!["filter.userId"]),
        (json!({ "filter": { "userId": "*" } }), vec!["filter.userId"]),
        (json!({ "filter": { "customerId": "a.b" } }), vec!["filter.customerId"]),
        (json!({ "filter": { "address": "0.0.0.0/0" } }), vec!["filter.address"]),
        (json!({ "filter": { "createdAfter": "now" } }), vec!["filter.createdAfter"]),
        (json!({ "filter": { "deviceId": "x".repeat(257) } }), vec!["filter.deviceId"]),
        (json!({ "filter": { "platform": "mobile" }, "reason": "two words" }), vec!["reason"]),
        (json!({ "filter": { "platform": "mobile", "tenantId": acme.id } }), vec!["filter.tenantId"]),
        (json!({ "filter": { "platform": "mobile", "endReason": "logout" } }), vec!["filter.endReason"]),
        (json!({ "filter": { "platform": "mobile" }, "dryrun": true }), vec!["dryrun"]),
        (json!({ "filter": { "platform": "mobile" }, "dryRun": "true" }), vec!["dryRun"]),
        (json!({ "filter": null }), vec!["filter"]),
        (json!({}), vec!["body"]),
    ] {
        let answer = app.end_matching(&acme, &body).await.expect(400);
        let seen = match answer.error_type() {
            "VALIDATION" => answer.complaints(),
            // What cannot be read at all.
            _ => vec![answer.field("field")],
        };
        assert_eq!(seen, fields, "{body}");
    }
    app.view(&acme, &opened).await.expect(200);
    assert_eq!(app.number_of("session_operations").await, 0);
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    let path = format!("{SESSIONS}/end");
    let body = json!({ "filter": { "platform": "mobile" }, "dryRun": true });
    assert_eq!(app.by(&viewer, &acme, "POST", &path, &body).await.expect(403).error_type(), "FORBIDDEN");
    let operator = app.staff(&acme, &["OPERATOR"]).await;
    let counted = app.by(&operator, &acme, "POST", &path, &body).await.expect(200);
    assert_eq!(counted.data()["matched"], 3, "theirs among them");
    let begun = app.by(&operator, &acme, "POST", &path, &json!({ "filter": { "platform": "mobile" } })).await;
    let id = begun.expect(200).field("operationId").to_owned();
    assert_eq!(operation(&app, &acme, &id).await.expect(200).field("endReason"), "ended_by_staff");
}

#[tokio::test]
async fn a_filter_of_a_newer_version_ends_nothing_here() {
    let (app, acme) = start().await;
    let opened = app.open(&acme, Family::Individual).await;
    let at = app.clock.now().as_millis();
    app.script(&format!(
        "insert into session_operations (tenant_id, id, filter, end_reason, actor_kind, after_id, ended, started_at, \
         updated_at, change_id) values ('{}', 'newer', '{{\"platform\":\"mobile\",\"newer\":1}}', 'ended_by_staff', \
         'operator', '', 0, {at}, {at}, 'x')",
        acme.id
    ))
    .await;
    app.clock.advance(10_000);
    assert!(go_on_with_session_operations(&app.app).await.is_err());
    app.view(&acme, &opened).await.expect(200);
}

#[tokio::test]
async fn a_count_of_more_than_100_000_says_that_it_is_not_exact() {
    let (app, acme) = start().await;
    app.open(&acme, Family::Individual).await;
    fill(&app, &acme, 100_500).await;
    let body = |filter: Value| json!({ "filter": filter, "dryRun": true });
    let counted = app.end_matching(&acme, &body(json!({ "platform": "web" }))).await.expect(200);
    assert_eq!(counted.data()["exact"], false);
    assert_eq!(counted.data()["matched"], 50_000);
    let counted = app.end_matching(&acme, &body(json!({ "deviceId": "rare" }))).await.expect(200);
    assert_eq!(*counted.data(), counted_as(0, true), "by its index, and all have ended");
}

/// What two hands at one slice decide between them, and what a session that died meanwhile does: one after the other, as
/// no race does for sure.
#[tokio::test]
async fn whoever_is_slower_moves_nothing_and_what_died_meanwhile_is_not_ended() {
    let (app, acme) = start().await;
    let idle = app.later(&acme, Family::Individual).await;
    app.clock.advance(31 * 60_000);
    let body = json!({ "filter": { "platform": "nothing" } });
    let begun = app.end_matching(&acme, &body).await.expect(200);
    let id = SessionOperationId::parse(begun.field("operationId")).unwrap();
    let (now, change) = (app.clock.now(), ChangeId::random());
    let read = get_session_operation(&app.database, &acme.id, &id).await.unwrap();
    let step = || operations::store::move_on(&acme.id, &read, "x", &change, now);
    app.database.apply(step()).await.unwrap();
    for late in [
        step(),
        operations::store::note_passed(&acme.id, &read, now),
        operations::store::finish(&acme.id, &read, now),
    ] {
        let refused = app.database.apply(late).await;
        assert!(matches!(refused, Err(DbError::Refused("session operation"))), "{refused:?}");
    }
    let session = SessionId::parse(&idle.session).unwrap();
    let end = end_if_it_lives(&acme.id, &session, EndReason::EndedByStaff, &change, now);
    app.database.apply(end).await.unwrap();
    assert_eq!(app.number_of("sessions where ended_at is not null").await, 0);
}
