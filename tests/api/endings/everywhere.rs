//! `DELETE …/sessions`: out of all of one's sessions, or of all others.

use axum::http::StatusCode;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{INDIVIDUAL, because, ending, in_row};
use crate::support::app::{NIL, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened};
use crate::support::directory::USERS;

fn end_all(tenant: &TestTenant, by: &Opened, query: &str) -> Call {
    let path = format!("{}/users/{NIL}/sessions{query}", prefix(by.family, NIL));
    Call::new("DELETE", path).tenant(&tenant.slug).bearer(&by.token)
}

#[tokio::test]
async fn R063_R065_a_user_ends_all_sessions_of_their_own_or_all_but_this_one_by_one_row() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let other = format!("other-{}@example.test", family.as_str());
        app.another(&tenant, family, &other).await;
        let others = app.open_as(&tenant, family, &other).await;
        let mine = [app.open(&tenant, family).await, app.open(&tenant, family).await];
        let [this, that] = &mine;
        app.clock.advance(1_000);
        let now = app.clock.now();
        let answer = app.call(end_all(&tenant, this, "?except=current")).await.expect(200);
        let said = json!({
            "success": true, "message": "Sessions ended", "errorType": "NONE", "endedAt": now.to_string(),
        });
        assert_eq!(answer.data(), &said);
        app.view(&tenant, this).await.expect(200);
        assert_eq!(app.view(&tenant, that).await.expect(401).field("endReason"), "logout");
        app.view(&tenant, &others).await.expect(200);
        // A dead one ends nothing.
        app.call(end_all(&tenant, that, "")).await.expect(401);
        app.view(&tenant, this).await.expect(200);

        app.clock.advance(1_000);
        let again = app.open(&tenant, family).await;
        app.clock.advance(1_000);
        app.call(end_all(&tenant, this, "")).await.expect(200);
        for ended in [this, &again] {
            let answer = app.view(&tenant, ended).await.expect(401);
            assert_eq!((answer.error_type(), answer.field("endReason")), ("SESSION_ENDED", "logout"));
        }
        assert_eq!(ending(&app, &tenant, that).await, because(now.as_millis(), "logout"), "the first stays");
        app.view(&tenant, &others).await.expect(200);
        app.open(&tenant, family).await;
    }
    let events = app.events_named(tenant.id.as_str(), "sessions_ended").await;
    assert_eq!(events.len(), 6, "one each");
    for row in &events {
        assert_eq!(row.maybe_text("reason").unwrap().as_deref(), Some("logout"));
        assert!(["user", "staff"].contains(&row.text("actor_kind").unwrap().as_str()));
        let personal: Value = serde_json::from_str(&row.text("personal").unwrap()).unwrap();
        assert_eq!(personal["clientIp"], "127.0.0.1");
    }
    assert_eq!(app.number_of("events where ends = 'user' and ends_not is not null").await, 3);
    assert_eq!(app.number_of("events where ends = 'user' and ends_not is null").await, 3);
}

#[tokio::test]
async fn R065_what_is_asked_for_wrongly_ends_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let mine = app.open(&tenant, INDIVIDUAL).await;
    for (query, status, word) in [
        ("?except=other", StatusCode::BAD_REQUEST, "VALIDATION"),
        ("?except=", StatusCode::BAD_REQUEST, "VALIDATION"),
        ("?except=current&except=current", StatusCode::BAD_REQUEST, "MALFORMED_REQUEST"),
        ("?only=current", StatusCode::BAD_REQUEST, "MALFORMED_REQUEST"),
    ] {
        let answer = app.call(end_all(&tenant, &mine, query)).await;
        assert_eq!((answer.status, answer.error_type()), (status, word), "{query}");
    }
    let answer = app.call(end_all(&tenant, &mine, "?except=other")).await;
    assert_eq!(answer.complaints(), ["except"]);
    // Another family's path, and another user's.
    for path in [
        format!("{}/users/{NIL}/sessions", prefix(Family::Organization, NIL)),
        format!("{}/users/nobody/sessions", prefix(INDIVIDUAL, NIL)),
        format!("{}/users/{NIL}/sessions", prefix(INDIVIDUAL, "nobody")),
    ] {
        app.call(Call::new("DELETE", path).tenant("acme").bearer(&mine.token)).await.expect(404);
    }
    app.view(&tenant, &mine).await.expect(200);
    assert_eq!(app.number_of("users where sessions_not_before is not null").await, 0);
}

/// Every way in which the user's row gets another instant.
const WAYS: [&str; 6] = ["everywhere", "others", "suspend", "close", "set", "reset"];

#[tokio::test]
async fn R064_what_ends_all_sessions_later_says_nothing_of_those_that_had_ended_before() {
    for way in WAYS {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        let user = tenant.person(INDIVIDUAL).id.clone();
        let at = format!("{USERS}/{user}");
        let idle = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(31 * super::MINUTE);
        let first = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(1_000);
        let suspended_at = app.clock.now().as_millis();
        for act in ["suspend", "resume"] {
            app.act(&tenant, USERS, user.as_str(), act).await.expect(200);
            app.clock.advance(1_000);
        }
        let second = app.open(&tenant, INDIVIDUAL).await;
        app.clock.advance(1_000);
        let ended_at = app.clock.now().as_millis();
        let answer = match way {
            "everywhere" => app.call(end_all(&tenant, &second, "")).await,
            "others" => app.call(end_all(&tenant, &second, "?except=current")).await,
            "suspend" | "close" => app.act(&tenant, USERS, user.as_str(), way).await,
            "set" => {
                let body = json!({
                    "newPassword": "ten green bottles", "matchingPassword": "ten green bottles",
                });
                app.backend(&tenant, "PUT", &format!("{at}/credentials"), &body).await
            }
            _ => {
                let body = json!({ "userId": user, "reason": "lost" });
                app.backend(&tenant, "POST", &format!("{USERS}/login/reset"), &body).await
            }
        };
        answer.expect(200);
        app.clock.advance(1_000);
        let disabled = because(suspended_at, "user_disabled");
        assert_eq!(ending(&app, &tenant, &first).await, disabled, "{way}");
        assert_eq!(in_row(&app, &tenant, &first).await, disabled, "{way}");
        let expired = ending(&app, &tenant, &idle).await.unwrap();
        assert_eq!(expired.1, "expired_idle", "{way}: time was faster");
        let reason = match way {
            "everywhere" => Some("logout"),
            "others" => None,
            "suspend" | "close" => Some("user_disabled"),
            _ => Some("password_changed"),
        };
        let expected = reason.and_then(|reason| because(ended_at, reason));
        assert_eq!(ending(&app, &tenant, &second).await, expected, "{way}");
    }
}

#[tokio::test]
async fn R064_a_session_that_had_ended_is_not_spared_by_an_ending_that_it_asked_for() {
    // Its token was looked at before the user was suspended and resumed; its deed comes after that.
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let before = super::whole(&app, &tenant, &opened).await;
    app.clock.advance(1_000);
    let suspended_at = app.clock.now().as_millis();
    for act in ["suspend", "resume"] {
        app.act(&tenant, USERS, before.user.id.as_str(), act).await.expect(200);
    }
    app.clock.advance(1_000);
    let deed = vestibule::flows::Deed::new(&tenant.id, vestibule::events::Actor::of(&before.user));
    let whose = (&before.user.id, &before.user.customer_id);
    let (kept, reason) = (Some(&before.session.id), vestibule::sessions::EndReason::Logout);
    let now = app.clock.now();
    vestibule::flows::end_user_sessions(&app.database, &deed, whose, kept, reason, now).await.unwrap();
    assert_eq!(ending(&app, &tenant, &opened).await, because(suspended_at, "user_disabled"));
    app.view(&tenant, &opened).await.expect(401);
}
