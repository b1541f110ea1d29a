//! Upkeep writes down how sessions ended.

use serde_json::{Value, json};
use vestibule::db::DbError;
use vestibule::ids::ChangeId;
use vestibule::sessions;
use vestibule::tenants::{Family, Settings};

use super::{INDIVIDUAL, MINUTE, because, ending, in_row, whole, write_down_all};
use crate::support::app::{START, TestApp};
use crate::support::directory::USERS;

#[tokio::test]
async fn R060_R061_what_time_has_ended_is_written_down_with_the_setting_that_did_it_and_told_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let short = Settings {
        access_seconds: Some(60),
        idle_seconds: Some(120),
        absolute_seconds: Some(150),
        ..Settings::default()
    };
    let other = app.tenant_with("globex", short).await;
    let idle = app.open(&tenant, INDIVIDUAL).await;
    let absolute = app.open(&other, INDIVIDUAL).await;
    // As a refresh leaves it: used a minute later, and its idle limit beyond the absolute one.
    let at = START.as_millis() + MINUTE;
    app.script(&format!(
        "update sessions set refreshed_at = {at}, idle_expires_at = {}, generation = 2 where id = '{}'; \
         update sessions set refreshed_at = {at}, idle_expires_at = expires_at where id = '{}'",
        at + 30 * MINUTE,
        idle.session,
        absolute.session
    ))
    .await;
    app.clock.advance(2 * MINUTE);
    assert_eq!(write_down_all(&app, &app.database, 1_000).await, 0, "both live");
    app.clock.advance(29 * MINUTE);
    let living = app.open(&tenant, INDIVIDUAL).await;
    assert_eq!(write_down_all(&app, &app.database, 1_000).await, 2);
    let (idle_end, absolute_end) = (START.as_millis() + 31 * MINUTE, START.as_millis() + 150_000);
    assert_eq!(in_row(&app, &tenant, &idle).await, because(idle_end, "expired_idle"));
    assert_eq!(in_row(&app, &other, &absolute).await, because(absolute_end, "expired_absolute"));
    assert_eq!(in_row(&app, &tenant, &living).await, None);
    assert_eq!(write_down_all(&app, &app.database, 1_000).await, 0, "once");
    for (tenant, opened, rule, ended_at) in [
        (&tenant, &idle, "idleSeconds=1800", START.plus_millis(31 * MINUTE)),
        (&other, &absolute, "absoluteSeconds=150", START.plus_millis(150_000)),
    ] {
        let events = app.events_named(tenant.id.as_str(), "session_expired").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].text("session_id").unwrap(), opened.session);
        assert_eq!(events[0].text("actor_kind").unwrap(), "system");
        assert_eq!(events[0].maybe_text("personal").unwrap(), None);
        let details: Value = serde_json::from_str(&events[0].text("details").unwrap()).unwrap();
        let expected = json!({ "family": "individual", "endedAt": ended_at.to_string(), "rule": rule });
        assert_eq!(details, expected);
    }
    assert_eq!(app.number_of("events where name = 'session_expired' and ends is not null").await, 0);
    // A logout of it is answered with that ending, and leaves no other event.
    assert_eq!(app.end(&tenant, &idle).await.expect(200).field("endReason"), "expired_idle");
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 1);
}

#[tokio::test]
async fn what_has_ended_with_all_others_is_written_down_and_was_told_in_one_event_before() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let user = tenant.person(INDIVIDUAL).id.to_string();
    let opened = [app.open(&tenant, INDIVIDUAL).await, app.open(&tenant, INDIVIDUAL).await];
    let staff = app.open(&tenant, Family::Admin).await;
    app.clock.advance(1_000);
    let at = app.clock.now().as_millis();
    app.act(&tenant, USERS, &user, "suspend").await.expect(200);
    app.clock.advance(1_000);
    assert_eq!(write_down_all(&app, &app.database, 1).await, 2, "one by one");
    for opened in &opened {
        assert_eq!(in_row(&app, &tenant, opened).await, because(at, "user_disabled"));
    }
    assert_eq!(in_row(&app, &tenant, &staff).await, None);
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 0);
    assert_eq!(app.events_named(tenant.id.as_str(), "user_status_changed").await.len(), 1);
}

#[tokio::test]
async fn R062_nobody_waits_for_it_and_two_nodes_at_once_write_each_ending_once() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", Settings { max_sessions: 1_000, ..Settings::default() }).await;
    let beside = app.database.open_again().await;
    let mut all = Vec::new();
    for _ in 0..40 {
        all.push(app.open(&tenant, INDIVIDUAL).await);
    }
    app.clock.advance(31 * MINUTE);
    app.view(&tenant, &all[0]).await.expect(401);
    let (here, there) =
        tokio::join!(write_down_all(&app, &app.database, 7), write_down_all(&app, &beside, 7));
    assert_eq!(here + there, 40);
    assert_eq!(app.number_of("sessions where ended_at is null").await, 0);
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 40);
}

#[tokio::test]
async fn R094_a_refresh_that_was_faster_than_the_writing_down_keeps_its_session() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(31 * MINUTE);
    let read = whole(&app, &tenant, &opened).await.session;
    let ended = read.ending(
        &whole(&app, &tenant, &opened).await.tenant,
        &whole(&app, &tenant, &opened).await.user,
        app.clock.now(),
    );
    let (at, reason) = ended.unwrap();
    let later = app.clock.now().plus_millis(MINUTE).as_millis();
    app.script(&format!("update sessions set idle_expires_at = {later} where id = '{}'", opened.session))
        .await;
    let written = sessions::store::write_down(&tenant.id, &read, (at, &reason), &ChangeId::random());
    let refused = app.database.apply(written).await.unwrap_err();
    assert!(matches!(refused, DbError::Refused("session")), "{refused:?}");
    assert_eq!(ending(&app, &tenant, &opened).await, None);
}
