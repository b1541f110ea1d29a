//! The rules for a new password, as callers meet them.

use vestibule::password_rules::BreachedPasswords;
use vestibule::tenants::{Family, Settings};

use super::{NEW, change, errors, old_password_works, redeem, set, start};
use crate::support::app::{PASSWORD, TestApp, Wanted};

#[tokio::test]
async fn R030_the_least_length_is_the_tenants_own() {
    let app = TestApp::start().await;
    for (slug, least) in [("short", 8), ("long", 15)] {
        let tenant =
            app.tenant_with(slug, Settings { password_min_length: least, ..Settings::default() }).await;
        let user = &tenant.person(Family::Individual).id;
        let text: String = "xkq7vbn2mtr4zew".chars().take(least).collect();
        for (password, enough) in [
            (text[..least - 1].to_owned(), false),
            (text.clone(), true),
            ("🐢🌙🍋🎲🚲🎻🪐🧵🦊🍂🥨🛶🪁🦉🌵".chars().take(least - 1).collect(), false),
            ("🐢🌙🍋🎲🚲🎻🪐🧵🦊🍂🥨🛶🪁🦉🌵".chars().take(least).collect(), true),
        ] {
            let answer = app.call(set(user, &password).backend(&tenant)).await;
            assert_eq!(answer.status.as_u16(), if enough { 200 } else { 400 }, "{password}: {}", answer.text);
            if enough {
                app.login_with(&tenant, Family::Individual, &password).await.expect(200);
            } else {
                let said = errors(&answer).remove(0);
                assert_eq!(said.0, "newPassword");
                assert!(said.1.starts_with(&format!("must have {least} characters")), "{}", said.1);
            }
        }
    }
}

#[tokio::test]
async fn R031_a_password_of_sixty_four_emoji_is_set_and_opens() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let password = "\u{1F600}".repeat(64);
    let user = &tenant.person(Family::Individual).id;
    app.call(set(user, &password).backend(&tenant)).await.expect(200);
    app.login_with(&tenant, Family::Individual, &password).await.expect(200);
    app.login_with(&tenant, Family::Individual, &"\u{1F600}".repeat(63)).await.expect(401);
}

#[tokio::test]
async fn R033_every_way_to_set_a_password_tells_why_it_is_refused() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme-bank").await;
    let family = Family::Individual;
    let opened = app.open(&tenant, family).await;
    let user = &tenant.person(family).id;
    let secret = app.secret(&tenant, family).await;
    let before = app.passwords_now().await;
    for (password, reason) in [
        ("Password2024!", "most common"),
        ("AcMe bAnK 2031", "the tenant's name"),
        ("Individual!2031", "the e-mail address"),
        ("2031-eXaMpLe-", "the user's name"),
        ("abcdefghijklmnop", "counts up"),
    ] {
        for call in [
            change(&tenant, &opened, PASSWORD, password),
            set(user, password).backend(&tenant),
            redeem(&tenant, &secret, password),
        ] {
            let answer = app.call(call).await.expect(400);
            let said = errors(&answer);
            assert!(
                said.iter().all(|(field, _)| field == "newPassword")
                    && said.iter().any(|(_, problem)| problem.contains(reason)),
                "{password}: {said:?}"
            );
            assert!(!answer.text.contains(password));
        }
    }
    assert_eq!(app.passwords_now().await, before);
    assert_eq!(app.failures(tenant.person(family)).await, 0, "what the rules refuse is no attempt");
    // The secret is not spent, and a login asks none of it: the tests' password leans on nothing, but is old.
    app.call(redeem(&tenant, &secret, NEW)).await.expect(200);
}

#[tokio::test]
async fn R033_a_login_never_asks_the_rules() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(Family::Individual);
    app.set_hash(person, &crate::support::app::password_hash("password")).await;
    app.login_with(&tenant, Family::Individual, "password").await.expect(200);
}

#[tokio::test]
async fn R033_a_breached_password_is_refused_and_a_file_that_cannot_be_read_is_503() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breached");
    let breached = Some(BreachedPasswords::in_file(path.clone()));
    let app = TestApp::start_with(Wanted { breached_passwords: breached, ..Wanted::default() }).await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let opened = app.open(&tenant, family).await;
    let user = &tenant.person(family).id;
    let secret = app.secret(&tenant, family).await;
    let before = app.passwords_now().await;
    let calls = || {
        [
            change(&tenant, &opened, PASSWORD, NEW),
            set(user, NEW).backend(&tenant),
            redeem(&tenant, &secret, NEW),
        ]
    };
    for file in [None, Some(""), Some("no hashes\n")] {
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        for call in calls() {
            let answer = app.call(call).await.expect(503);
            assert_eq!(answer.error_type(), "UNAVAILABLE");
            assert!(answer.headers.contains_key("retry-after"));
            assert!(!answer.text.contains("breached"), "{}", answer.text);
        }
    }
    // Whoever has no secret makes nobody read a file.
    app.call(redeem(&tenant, "vpr1.unknown", NEW)).await.expect(400);
    // SHA-1 of "nine green bottles".
    std::fs::write(&path, format!("{NEW_SHA1}:42\r\n")).unwrap();
    for call in calls() {
        let answer = app.call(call).await.expect(400);
        let said = errors(&answer);
        assert!(said.len() == 1 && said[0].1.contains("stolen elsewhere"), "{said:?}");
    }
    assert_eq!(app.passwords_now().await, before);
    assert!(old_password_works(&app, &tenant, family).await);
    // Asking for a secret sets no password.
    std::fs::remove_file(&path).unwrap();
    app.call(start(&tenant, &tenant.person(family).email)).await.expect(200);
}

const NEW_SHA1: &str = "015921564C632A96D5D0262CE94F9E8E0AF1236C";
