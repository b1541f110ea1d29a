//! Who may set whose password, and that another tenant's user is answered like one that never was.

use vestibule::ids::UserId;
use vestibule::tenants::Family;

use super::{NEW, change, redeem, reset, set, start};
use crate::support::app::{Answer, PASSWORD, TestApp};
use crate::support::calls::{Call, Opened};

#[tokio::test]
async fn R049_anothers_user_is_answered_like_one_that_never_was() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let admin = app.staff(&acme, &["ADMIN"]).await;
    let absent = UserId::random();
    let theirs = &globex.person(Family::Individual).id;
    let before = app.passwords_now().await;
    for make in [|user: &UserId| set(user, NEW), |user: &UserId| reset(user)] {
        for with in [
            |call: Call, _: &Opened, tenant: &crate::support::app::TestTenant| call.backend(tenant),
            |call: Call, admin: &Opened, _: &crate::support::app::TestTenant| {
                call.tenant("acme").bearer(&admin.token)
            },
        ] {
            let never = app.call(with(make(&absent), &admin, &acme)).await.expect(404);
            let other = app.call(with(make(theirs), &admin, &acme)).await.expect(404);
            assert_eq!(never.fingerprint(), other.fingerprint());
        }
    }
    assert_eq!(app.passwords_now().await, before);
}

#[tokio::test]
async fn R049_only_backend_and_administrators_set_or_take_away_passwords() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let user = &acme.person(Family::Individual).id;
    let own = app.open(&acme, Family::Individual).await;
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    let operator = app.staff(&acme, &["OPERATOR"]).await;
    let none = app.staff(&acme, &[]).await;
    let elsewhere = app.staff(&globex, &["ADMIN"]).await;
    let before = app.passwords_now().await;
    let bearer = |call: Call, of: &Opened| call.tenant("acme").bearer(&of.token);
    for make in [|user: &UserId| set(user, NEW), |user: &UserId| reset(user)] {
        let call = || make(user);
        for (who, call, status) in [
            ("nobody", call(), 401),
            ("nobody of the tenant", call().tenant("acme"), 401),
            ("the user", bearer(call(), &own), 403),
            ("a viewer", bearer(call(), &viewer), 403),
            ("an operator of sessions", bearer(call(), &operator), 403),
            ("staff without a role", bearer(call(), &none), 403),
            ("another tenant's staff", bearer(call(), &elsewhere), 403),
            ("a login key", call().basic(&acme.key, &acme.secret), 401),
            ("a wrong secret", call().basic(&acme.backend_key, "wrong"), 401),
            ("another tenant's backend, for this one", call().backend(&globex).tenant("acme"), 403),
            ("another tenant's backend", call().backend(&globex), 404),
        ] {
            let answer = app.call(call).await;
            assert_eq!(answer.status.as_u16(), status, "{who}: {}", answer.text);
        }
    }
    let bare = || {
        Call { headers: Vec::new(), ..start(&acme, "individual@example.test") }
            .and("content-type", "application/json")
    };
    assert_eq!(app.call(bare()).await.expect(401).error_type(), "BACKEND_KEY");
    assert_eq!(app.call(bearer(bare(), &viewer)).await.expect(403).error_type(), "FORBIDDEN");
    // What is meant as a key and is none is told so where a token would do as well.
    let malformed = Call::get("/api/v2.1/admin/users").and("authorization", "Basic !!!");
    assert_eq!(app.call(malformed).await.expect(401).error_type(), "BACKEND_KEY");
    assert_eq!(app.passwords_now().await, before);
    assert_eq!(app.number_of("password_resets").await, 0);
}

#[tokio::test]
async fn R049_a_user_changes_their_own_password_by_their_own_path_and_no_other() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let before = app.passwords_now().await;
    for family in Family::ALL {
        let own = app.open(&acme, family).await;
        let person = acme.person(family);
        let other = Family::ALL.into_iter().find(|other| *other != family).unwrap();
        let ask = |family: Family, customer: &str, user: &str| {
            let path = format!("{}/users/{user}/credentials", crate::support::app::prefix(family, customer));
            Call { path, ..change(&acme, &own, PASSWORD, NEW) }
        };
        let (customer, user) = (person.customer.as_str(), person.id.as_str());
        let theirs = globex.person(family);
        let mut answers: Vec<Answer> = Vec::new();
        for call in [
            ask(family, customer, "absent"),
            ask(family, customer, theirs.id.as_str()),
            ask(family, theirs.customer.as_str(), user),
            ask(other, customer, user),
            ask(other, crate::support::app::NIL, crate::support::app::NIL),
        ] {
            answers.push(app.call(call).await.expect(404));
        }
        assert!(answers.iter().all(|answer| answer.fingerprint() == answers[0].fingerprint()));
        let call = change(&globex, &own, PASSWORD, NEW);
        assert_eq!(app.call(call).await.status.as_u16(), 403, "another tenant's name beside the token");
        let call = change(&acme, &own, PASSWORD, NEW);
        app.call(Call {
            headers: call.headers.into_iter().filter(|(name, _)| name != "authorization").collect(),
            ..call
        })
        .await
        .expect(401);
        assert_eq!(app.failures(person).await, 0);
    }
    assert_eq!(app.passwords_now().await, before);
    // Another tenant's secret opens nothing here.
    let secret = app.secret(&globex, Family::Individual).await;
    app.call(redeem(&acme, &secret, NEW)).await.expect(400);
    app.call(redeem(&globex, &secret, NEW)).await.expect(200);
}
