//! How long a session and its token live, by profile.

use vestibule::tenants::{Family, Profile, Settings};

use crate::support::app::TestApp;

#[tokio::test]
async fn each_profile_gives_token_and_session_their_ends() {
    let app = TestApp::start().await;
    for (profile, access, seconds, idle, absolute) in [
        (
            Profile::Standard,
            "2026-03-16T19:54:32.000Z",
            300,
            "2026-03-16T20:19:32.000Z",
            "2026-03-17T07:49:32.000Z",
        ),
        (
            Profile::Payment,
            "2026-03-16T19:51:32.000Z",
            120,
            "2026-03-16T19:54:32.000Z",
            "2026-03-17T07:49:32.000Z",
        ),
        (
            Profile::Compatible,
            "2026-03-16T20:49:32.000Z",
            3_600,
            "2026-03-17T19:49:32.000Z",
            "2026-03-17T19:49:32.000Z",
        ),
        (
            Profile::Consumer,
            "2026-03-16T19:59:32.000Z",
            600,
            "2026-04-15T19:49:32.000Z",
            "2026-04-15T19:49:32.000Z",
        ),
    ] {
        let slug = format!("{profile:?}");
        let tenant = app.tenant_with(&slug, Settings { profile, ..Settings::default() }).await;
        let answer = app.login(&tenant, Family::Individual).await.expect(200);
        assert_eq!(answer.field("expiresAt"), access, "{slug}");
        assert_eq!(answer.data()["expiresIn"], seconds, "{slug}");
        assert_eq!(answer.field("sessionIdleExpiresAt"), idle, "{slug}");
        assert_eq!(answer.field("sessionExpiresAt"), absolute, "{slug}");
        let claims = answer.claims();
        assert_eq!(claims["iat"], 1_773_690_572);
        assert_eq!(claims["exp"], 1_773_690_572 + seconds, "{slug}");
        assert_eq!(claims["auth_time"], claims["iat"], "{slug}");
    }
}

#[tokio::test]
async fn single_lifetimes_override_the_profiles() {
    let app = TestApp::start().await;
    let settings = Settings {
        access_seconds: Some(60),
        idle_seconds: Some(120),
        absolute_seconds: Some(180),
        ..Settings::default()
    };
    let tenant = app.tenant_with("acme", settings).await;
    let answer = app.login(&tenant, Family::Individual).await.expect(200);
    assert_eq!(answer.data()["expiresIn"], 60);
    assert_eq!(answer.field("sessionIdleExpiresAt"), "2026-03-16T19:51:32.000Z");
    assert_eq!(answer.field("sessionExpiresAt"), "2026-03-16T19:52:32.000Z");
}

#[tokio::test]
async fn neither_token_nor_idle_limit_reaches_past_the_absolute_end() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    // No setting of ours may say so; whatever wrote this into the row does not lengthen a session.
    app.script(
        r#"update tenants set settings = '{"version":1,"accessSeconds":3600,"idleSeconds":7200,"absoluteSeconds":90}'
           where slug = 'acme'"#,
    )
    .await;
    app.clock.advance(999);
    let answer = app.login(&tenant, Family::Individual).await.expect(200);
    let end = "2026-03-16T19:51:02.999Z";
    assert_eq!(answer.field("sessionExpiresAt"), end);
    assert_eq!(answer.field("sessionIdleExpiresAt"), end);
    assert_eq!(answer.field("expiresAt"), "2026-03-16T19:51:02.000Z");
    assert_eq!(answer.data()["expiresIn"], 90);
}
