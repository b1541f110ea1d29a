//! Staff and backend end one session of a user's, or all.

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{of_user, start};
use crate::support::calls::{Call, Opened};

#[tokio::test]
async fn R065_staff_and_backend_end_one_session_for_good_and_the_first_ending_stays() {
    let (app, acme) = start().await;
    let operator = app.staff(&acme, &["OPERATOR"]).await;
    let family = Family::Individual;
    let user = acme.person(family).id.as_str();
    let (one, two, three) =
        (app.later(&acme, family).await, app.later(&acme, family).await, app.later(&acme, family).await);
    let path = |opened: &Opened| format!("{}/{}", of_user(user), opened.session);
    app.clock.advance(1_000);
    let body = json!({ "reason": "lost-phone" });
    let ended = app.by(&operator, &acme, "DELETE", &path(&one), &body).await.expect(200);
    assert_eq!((ended.field("endReason"), ended.field("sessionId")), ("ended_by_staff", &*one.session));
    assert_eq!(ended.field("endedAt"), app.clock.now().to_string());
    // Its holder is told so.
    let told = app.view(&acme, &one).await.expect(401);
    assert_eq!((told.error_type(), told.field("endReason")), ("SESSION_ENDED", "ended_by_staff"));
    for opened in [&two, &three] {
        app.view(&acme, opened).await.expect(200);
    }
    // Once more, by somebody else, with no body: what was first is told.
    app.clock.advance(1_000);
    let again = app.call(Call::new("DELETE", path(&one)).backend(&acme)).await.expect(200);
    assert_eq!(again.text, ended.text);
    let by_backend = app.call(Call::new("DELETE", path(&two)).backend(&acme)).await.expect(200);
    assert_eq!(by_backend.field("endReason"), "ended_by_backend");
    app.view(&acme, &two).await.expect(401);
    app.view(&acme, &three).await.expect(200);
    // One event each; who, why, and in whose words.
    let rows = app.events_named(acme.id.as_str(), "session_expired").await;
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let personal: Value = serde_json::from_str(&row.text("personal").unwrap()).unwrap();
            let (kind, session) = (row.text("actor_kind").unwrap(), row.text("session_id").unwrap());
            (kind, session, row.text("reason").unwrap(), personal["reason"].clone())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("staff".to_owned(), one.session.clone(), "ended_by_staff".to_owned(), json!("lost-phone")),
            ("backend".to_owned(), two.session.clone(), "ended_by_backend".to_owned(), Value::Null),
        ]
    );
    assert_eq!(app.number_of("events where name = 'session_expired' and ends = 'session'").await, 2);
}

#[tokio::test]
async fn R065_all_of_a_users_sessions_end_with_one_row_and_nobody_elses() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let admin = app.staff(&acme, &["ADMIN"]).await;
    let family = Family::Organization;
    let person = acme.person(family);
    let mut opened = Vec::new();
    for _ in 0..4 {
        opened.push(app.later(&acme, family).await);
    }
    let (other, theirs) =
        (app.later(&acme, Family::Individual).await, app.later(&globex, Family::Organization).await);
    app.clock.advance(1_000);
    let path = of_user(person.id.as_str());
    let ended = app.by(&admin, &acme, "DELETE", &path, &json!({ "reason": "chargeback" })).await.expect(200);
    assert_eq!((ended.field("userId"), ended.field("endReason")), (person.id.as_str(), "ended_by_staff"));
    for opened in &opened {
        assert_eq!(app.view(&acme, opened).await.expect(401).field("endReason"), "ended_by_staff");
    }
    app.view(&acme, &other).await.expect(200);
    app.view(&globex, &theirs).await.expect(200);
    assert_eq!(app.number_of("sessions where ended_at is not null").await, 0, "one row, not each");
    // Once more is once more; who logs in meanwhile is in, and stays in for whoever ends others.
    app.call(Call::new("DELETE", &*path).backend(&acme)).await.expect(200);
    let again = app.later(&acme, family).await;
    app.view(&acme, &again).await.expect(200);
    let rows = app.events_named(acme.id.as_str(), "sessions_ended").await;
    assert_eq!(rows.len(), 2);
    let details: Value = serde_json::from_str(&rows[0].text("details").unwrap()).unwrap();
    assert_eq!(details, json!({ "of": "user", "kept": false }));
    assert!(rows[0].text("personal").unwrap().contains("chargeback"));
    assert_eq!(app.number_of("events where ends = 'user'").await, 2);
}

#[tokio::test]
async fn R049_nothing_of_anothers_ends_and_who_may_not_ends_nothing() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let family = Family::Individual;
    let user = acme.person(family).id.as_str();
    let (own, theirs) = (app.later(&acme, family).await, app.later(&globex, family).await);
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    let one = format!("{}/{}", of_user(user), own.session);
    for path in [&one, &of_user(user)] {
        let answer = app.by(&viewer, &acme, "DELETE", path, &json!({})).await.expect(403);
        assert_eq!(answer.error_type(), "FORBIDDEN");
        app.call(Call::new("DELETE", &**path).backend(&globex)).await.expect(404);
        app.call(Call::new("DELETE", &**path).tenant("acme").bearer(&own.token)).await.expect(403);
        for body in [json!({ "reason": "two words" }), json!({ "reason": "" })] {
            let answer = app.backend(&acme, "DELETE", path, &body).await.expect(400);
            assert_eq!(answer.complaints(), ["reason"]);
        }
    }
    let mixed = format!("{}/{}", of_user(user), theirs.session);
    app.call(Call::new("DELETE", mixed).backend(&acme)).await.expect(404);
    let staffs = format!("{}/{}", of_user(acme.people[2].id.as_str()), own.session);
    app.call(Call::new("DELETE", staffs).backend(&acme)).await.expect(404);
    app.view(&acme, &own).await.expect(200);
    app.view(&globex, &theirs).await.expect(200);
    assert_eq!(app.number_of("events where ends is not null").await, 0);
}
