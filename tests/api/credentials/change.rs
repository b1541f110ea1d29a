//! A user's own change: with the password in force, behind the login's throttle.

use vestibule::tenants::Family;

use super::{NEW, change, message, old_password_works, set};
use crate::support::app::{PASSWORD, TestApp};
use crate::support::calls::session_call;

#[tokio::test]
async fn R042_a_change_ends_all_other_sessions_and_spares_the_one_it_is_made_in() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let others = [app.open(&tenant, family).await, app.open(&tenant, family).await];
        let own = app.open(&tenant, family).await;
        app.clock.advance(5);
        let answer = app.call(change(&tenant, &own, PASSWORD, NEW)).await.expect(200);
        let at = app.clock.now().to_string();
        assert_eq!(answer.field("userId"), tenant.person(family).id.as_str());
        assert_eq!(answer.field("passwordChangedAt"), at);
        assert_eq!(answer.data()["sessionsEnded"], true);
        assert_eq!(answer.data().as_object().unwrap().len(), 3);

        app.view(&tenant, &own).await.expect(200);
        for other in &others {
            app.view(&tenant, other).await.expect(401);
            let seen =
                app.call(session_call("GET", &tenant, family, &other.session, &own.token)).await.expect(200);
            assert_eq!((seen.field("endReason"), seen.field("endedAt")), ("password_changed", at.as_str()));
        }
        assert!(!old_password_works(&app, &tenant, family).await);
        app.login_with(&tenant, family, NEW).await.expect(200);
        let events = app.events_named(tenant.id.as_str(), "authn_password_change").await;
        let event = events.last().unwrap();
        assert_eq!(event.text("session_id").unwrap(), own.session);
        assert_eq!(event.text("actor_id").unwrap(), tenant.person(family).id.as_str());
    }
}

#[tokio::test]
async fn R042_what_ends_sessions_later_ends_the_spared_one_too() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let person = tenant.person(family);
    let first = app.open(&tenant, family).await;
    app.call(change(&tenant, &first, PASSWORD, NEW)).await.expect(200);
    app.clock.advance(1);
    // A later change in another session: now that one is spared.
    let opened = app.login_with(&tenant, family, NEW).await.expect(200);
    let second = crate::support::calls::Opened {
        family,
        session: opened.field("sessionId").to_owned(),
        token: opened.field("token").to_owned(),
        refresh: String::new(),
        data: opened.data().clone(),
    };
    app.view(&tenant, &first).await.expect(200);
    app.clock.advance(1);
    app.call(change(&tenant, &second, NEW, "ten green bottles")).await.expect(200);
    app.view(&tenant, &first).await.expect(401);
    app.view(&tenant, &second).await.expect(200);
    // Somebody else's doing spares none.
    app.call(set(&person.id, NEW).backend(&tenant)).await.expect(200);
    app.view(&tenant, &second).await.expect(401);

    let third = app.login_with(&tenant, family, NEW).await.expect(200);
    let third = crate::support::calls::Opened {
        token: third.field("token").to_owned(),
        session: third.field("sessionId").to_owned(),
        ..second
    };
    app.call(change(&tenant, &third, NEW, "ten green bottles")).await.expect(200);
    app.view(&tenant, &third).await.expect(200);
    let now = app.clock.now();
    app.suspend_user(&tenant, &person.id, now).await;
    app.view(&tenant, &third).await.expect(401);
    app.update_user(person, "status = 'active'").await;
    app.view(&tenant, &third).await.expect(401);
}

#[tokio::test]
async fn R014_R042_a_wrong_current_password_is_answered_and_counted_like_a_login() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let opened = app.open(&tenant, family).await;
    let before = app.passwords_now().await;
    let hashes = app.app.passwords.evaluations();
    let refused = app.call(change(&tenant, &opened, "wrong", NEW)).await.expect(401);
    assert_eq!(app.app.passwords.evaluations(), hashes + 1);
    let login = app.send(tenant.login(family).set("password", "wrong").request()).await.expect(401);
    assert_eq!(refused.fingerprint(), login.fingerprint());
    assert_eq!(app.failures(tenant.person(family)).await, 2);
    assert_eq!(app.passwords_now().await, before);
    let events = app.login_events(&tenant).await;
    let failed: Vec<_> = events.iter().filter(|event| event.name == "authn_password_change_fail").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (failed[0].outcome.as_str(), failed[0].reason.as_deref()),
        ("failure", Some("wrong_password"))
    );
    // The right one resets the count.
    app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(200);
    assert_eq!(app.failures(tenant.person(family)).await, 0);
    assert_eq!(app.number_of("attempts").await, 0);
}

#[tokio::test]
async fn R014_five_failures_alternating_over_login_and_change_trip_one_lock() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Organization;
    let opened = app.open(&tenant, family).await;
    // Who is in the session is proven to be on its device; a login is by showing its refresh token.
    let login = tenant.login(family).header("x-device-proof", &opened.refresh);
    for round in 0..5 {
        let answer = if round % 2 == 0 {
            app.call(change(&tenant, &opened, "wrong", NEW)).await
        } else {
            app.send(login.clone().set("password", "wrong").request()).await
        };
        assert_eq!(message(&answer.expect(401)), "Authentication failed", "{round}");
    }
    let hashes = app.app.passwords.evaluations();
    let change = app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(401);
    assert_eq!(message(&change), "Account locked");
    assert_eq!(app.app.passwords.evaluations(), hashes + 1, "a locked name costs a hash like any other");
    let login = app.send(login.request()).await.expect(401);
    assert_eq!(change.fingerprint(), login.fingerprint());
    let locks = app.events_named(tenant.id.as_str(), "authn_login_lock").await;
    assert_eq!(locks.len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_the_fields_is_told_at_once_and_is_no_attempt() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let opened = app.open(&tenant, family).await;
    let body = |text: &str| change(&tenant, &opened, "", "").body(text);
    let long = "q".repeat(1_025);
    for (text, fields) in [
        ("{}".to_owned(), vec!["currentPassword", "newPassword", "matchingPassword"]),
        (
            r#"{"currentPassword":"a","newPassword":"nine green bottles","matchingPassword":"nine green bottle"}"#
                .to_owned(),
            vec!["matchingPassword"],
        ),
        (format!(r#"{{"currentPassword":"a","newPassword":"{long}","matchingPassword":"{long}"}}"#), vec!["newPassword"]),
        (
            format!(r#"{{"currentPassword":"{long}","newPassword":"{NEW}","matchingPassword":"{NEW}"}}"#),
            vec!["currentPassword"],
        ),
        (
            format!(r#"{{"currentPassword":"{NEW}","newPassword":"{NEW}","matchingPassword":"{NEW}"}}"#),
            vec!["newPassword"],
        ),
    ] {
        let answer = app.call(body(&text)).await.expect(400);
        assert_eq!(answer.complaints(), fields, "{text}");
        assert!(!answer.text.contains("bottle"), "{}", answer.text);
    }
    let unknown = app.call(body(r#"{"currentPassword":"a","hint":"b"}"#)).await.expect(400);
    assert_eq!(unknown.error_type(), "MALFORMED_REQUEST");
    let large = format!(r#"{{"currentPassword":"{}"}}"#, "q".repeat(20_000));
    app.call(body(&large)).await.expect(413);
    app.call(change(&tenant, &opened, PASSWORD, NEW).and("x-forwarded-for", "nonsense")).await.expect(200);
    assert_eq!(app.number_of("throttles where failures > 0").await, 0);
}

#[tokio::test]
async fn R091_who_was_suspended_while_the_password_was_checked_changes_nothing() {
    use crate::support::login::SLOW_HASH;
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let person = tenant.person(family);
    for set in ["status = 'suspended'", "sessions_not_before = 1, sessions_end_reason = 'user_disabled'"] {
        app.update_user(person, "status = 'active', sessions_not_before = null, sessions_end_reason = null")
            .await;
        app.set_hash(person, &crate::support::app::password_hash(PASSWORD)).await;
        app.script("delete from throttles").await;
        let opened = app.open(&tenant, family).await;
        app.set_hash(person, &SLOW_HASH).await;
        let hashes = app.app.passwords.evaluations();
        let request = change(&tenant, &opened, PASSWORD, NEW).request();
        let changing = tokio::spawn(crate::support::login::answer(app.router.clone(), request));
        app.begun(hashes + 1).await;
        app.update_user(person, set).await;
        changing.await.unwrap().expect(401);
        let hash =
            app.passwords_now().await.into_iter().find(|row| row[0].as_deref() == Some(SLOW_HASH.as_str()));
        assert!(hash.is_some(), "{set}: the password is as it was");
        assert_eq!(app.number_of("attempts").await, 0);
    }
}

#[tokio::test]
async fn R091_a_session_that_ended_while_the_body_came_changes_no_password() {
    use axum::body::{Body, to_bytes};
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let person = tenant.person(family);
    let opened = app.open(&tenant, family).await;
    let hashes =
        async || app.passwords_now().await.into_iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>();
    let before = hashes().await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (come, has_come) = tokio::sync::oneshot::channel::<()>();
    let (parts, body) = change(&tenant, &opened, PASSWORD, NEW).request().into_parts();
    // Nobody asks for it before the session was looked at.
    let slow = futures_util::stream::once(async move {
        begun.send(()).unwrap();
        has_come.await.unwrap();
        to_bytes(body, usize::MAX).await
    });
    app.clock.advance(5);
    let end = async {
        has_begun.await.unwrap();
        let now = app.clock.now().as_millis();
        let set = format!("sessions_not_before = {now}, sessions_end_reason = 'ended_by_staff'");
        app.update_user(person, &set).await;
        come.send(()).unwrap();
    };
    let request = axum::http::Request::from_parts(parts, Body::from_stream(slow));
    let (answer, ()) = tokio::join!(app.send(request), end);
    assert_eq!(answer.expect(401).field("endReason"), "ended_by_staff");
    assert_eq!(hashes().await, before);
}

#[tokio::test]
async fn R004_a_refused_change_waits_for_the_tenants_floor_and_an_imported_hash_is_replaced() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let opened = app.open(&tenant, family).await;
    let person = tenant.person(family);
    let imported = format!("password_hash = '{IMPORTED}', password_imported = true");
    app.update_user(person, &imported).await;
    app.script("update tenants set failure_floor_ms = 300").await;
    let started = std::time::Instant::now();
    app.call(change(&tenant, &opened, "wrong", NEW)).await.expect(401);
    assert!(started.elapsed().as_millis() >= 300);
    app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(200);
    assert_eq!(app.number_of("users where password_imported").await, 0);
    app.login_with(&tenant, family, NEW).await.expect(200);
}

/// PBKDF2 of the tests' password, 1,000 rounds, as Python's hashlib makes it.
const IMPORTED: &str =
    "$pbkdf2-sha256$i=1000,l=32$c2FsdHNhbHRzYWx0c2FsdA$c+tQ44cWQlN80WyxL4Iap6qu6w8VkgRRdLwuUJYee7Y";
