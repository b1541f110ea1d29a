//! The limits that a refresh is held to: idle and absolute (R060–R062, R093).

use vestibule::tenants::Settings;

use super::{INDIVIDUAL, MINUTE, SECOND, ended, start, start_with};
use crate::support::app::START;
use crate::support::forge::claims;

#[tokio::test]
async fn R060_R062_R093_the_idle_limit_holds_to_the_millisecond_and_moves_with_each_refresh() {
    let (app, tenant) = start().await;
    let mut current = app.open(&tenant, INDIVIDUAL).await;
    for _ in 0..3 {
        app.clock.advance(30 * MINUTE - 1);
        current = app.refreshed(&tenant, &current).await;
    }
    app.clock.advance(30 * MINUTE);
    let answer = ended(app.refresh(&tenant, &current).await, "expired_idle");
    assert_eq!(answer.field("endedAt"), app.clock.now().to_string());
    app.clock.advance(60 * MINUTE);
    let later = ended(app.refresh(&tenant, &current).await, "expired_idle");
    assert_eq!(later.field("endedAt"), answer.field("endedAt"));
}

#[tokio::test]
async fn R061_R093_a_session_that_is_refreshed_every_four_minutes_is_dead_after_twelve_hours() {
    let (app, tenant) = start().await;
    let mut current = app.open(&tenant, INDIVIDUAL).await;
    let end = START.plus_seconds(12 * 3_600);
    let mut refreshes = 0;
    while app.clock.now().plus_seconds(240) < end {
        app.clock.advance(4 * MINUTE);
        current = app.refreshed(&tenant, &current).await;
        assert_eq!(current.data["sessionExpiresAt"], end.to_string());
        let now = app.clock.now();
        let idle = now.plus_seconds(1_800).min(end);
        assert_eq!(current.data["sessionIdleExpiresAt"], idle.to_string());
        // No access token outlives its session.
        let exp = claims(&current.token)["exp"].as_i64().unwrap();
        assert_eq!(exp, now.plus_seconds(300).min(end).as_seconds());
        refreshes += 1;
    }
    assert_eq!(refreshes, 179);
    app.clock.advance(4 * MINUTE - 1);
    let last = app.refreshed(&tenant, &current).await;
    assert_eq!(last.data["expiresIn"], 1);
    app.clock.advance(1);
    let answer = ended(app.refresh(&tenant, &last).await, "expired_absolute");
    assert_eq!(answer.field("endedAt"), end.to_string());
}

#[tokio::test]
async fn R095_an_answer_given_again_outlives_neither_limit() {
    let settings = Settings {
        access_seconds: Some(60),
        idle_seconds: Some(120),
        refresh_grace_seconds: 600,
        ..Settings::default()
    };
    let (app, tenant) = start_with(settings).await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    app.refreshed(&tenant, &first).await;
    app.clock.advance(100 * SECOND);
    let again = app.refreshed(&tenant, &first).await;
    assert_eq!(again.data["expiresIn"], 20, "no longer than its session, which nobody has refreshed since");
    app.clock.advance(20 * SECOND);
    ended(app.refresh(&tenant, &first).await, "expired_idle");
}

#[tokio::test]
async fn R093_limits_that_the_tenant_shortens_hold_from_the_next_refresh_on_and_longer_ones_for_new_sessions()
{
    let short_idle = || Settings { idle_seconds: Some(600), ..Settings::default() };
    let (app, tenant) = start().await;
    // What has idled for too long by now ends now, and is written.
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(10 * MINUTE);
    app.view(&tenant, &opened).await.expect(401);
    app.set_settings(&tenant, &short_idle()).await;
    let answer = ended(app.refresh(&tenant, &opened).await, "expired_idle");
    assert_eq!(answer.field("endedAt"), app.clock.now().to_string());
    assert_eq!(app.end_reason(&opened).await.as_deref(), Some("expired_idle"));
    let details = app.details_of(&tenant, "session_expired").await;
    assert_eq!(details[0]["rule"], "idleSeconds=600");
    assert_eq!(app.ends_of(&tenant, "session_expired").await, ["session"]);
    app.set_settings(&tenant, &Settings::default()).await;
    ended(app.refresh(&tenant, &opened).await, "expired_idle");

    // A shorter absolute limit shortens what lives, and a longer one gives nothing back (R061).
    let hours = |hours: i64| Settings { absolute_seconds: Some(hours * 3_600), ..Settings::default() };
    let first = app.open(&tenant, INDIVIDUAL).await;
    let opened_at = app.clock.now();
    app.set_settings(&tenant, &hours(1)).await;
    app.clock.advance(MINUTE);
    let second = app.refreshed(&tenant, &first).await;
    assert_eq!(second.data["sessionExpiresAt"], opened_at.plus_seconds(3_600).to_string());
    app.set_settings(&tenant, &hours(24)).await;
    app.clock.advance(MINUTE);
    let third = app.refreshed(&tenant, &second).await;
    assert_eq!(third.data["sessionExpiresAt"], opened_at.plus_seconds(3_600).to_string());

    // Older than a new limit: it ends now.
    app.set_settings(
        &tenant,
        &Settings {
            idle_seconds: Some(120),
            access_seconds: Some(60),
            absolute_seconds: Some(120),
            ..Settings::default()
        },
    )
    .await;
    ended(app.refresh(&tenant, &third).await, "expired_absolute");
    assert_eq!(
        app.details_of(&tenant, "session_expired").await.last().unwrap()["rule"],
        "absoluteSeconds=120"
    );

    // Within the grace what is answered again is held to it as well.
    app.set_settings(&tenant, &Settings::default()).await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let opened_at = app.clock.now();
    app.refreshed(&tenant, &first).await;
    app.set_settings(&tenant, &hours(1)).await;
    let again = app.refreshed(&tenant, &first).await;
    assert_eq!(again.data["sessionExpiresAt"], opened_at.plus_seconds(3_600).to_string());
}
