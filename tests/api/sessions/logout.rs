//! A logout: at once, for good, and as often as it is sent.

use std::sync::Arc;

use vestibule::db::Statement;
use vestibule::tenants::Family;

use super::start;
use crate::support::calls::session_call;

#[tokio::test]
async fn R063_after_a_logout_the_token_is_dead_at_once_and_the_logout_can_be_repeated() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let first = app.end(&tenant, &opened).await.expect(200);
        let refused = app.view(&tenant, &opened).await.expect(401);
        assert_eq!(refused.error_type(), "SESSION_ENDED");
        assert_eq!(refused.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
        for seconds in [0, 1, 3600, 100 * 24 * 3600] {
            app.clock.advance(seconds * 1_000);
            assert_eq!(app.end(&tenant, &opened).await.expect(200).text, first.text, "after {seconds} s");
            app.clock.advance(-seconds * 1_000);
        }
        let events = app.events_named(tenant.id.as_str(), "session_expired").await;
        let of_it: Vec<_> =
            events.iter().filter(|row| row.text("session_id").unwrap() == opened.session).collect();
        assert_eq!(of_it.len(), 1, "one ending, one event");
        assert_eq!(of_it[0].text("reason").unwrap(), "logout");
        assert_eq!(of_it[0].text("actor_id").unwrap(), tenant.person(family).id.as_str());
        assert_eq!(
            of_it[0].text("actor_kind").unwrap(),
            if family == Family::Admin { "staff" } else { "user" }
        );
        assert!(of_it[0].text("personal").unwrap().contains("127.0.0.1"));
    }
}

#[tokio::test]
async fn logouts_at_the_same_time_have_one_answer_and_one_event() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    let app = Arc::new(app);
    let call = session_call("DELETE", &tenant, Family::Individual, &opened.session, &opened.token);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (app, call) = (app.clone(), call.clone());
            tokio::spawn(async move { app.call(call).await.expect(200).text })
        })
        .collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 1);
}

#[tokio::test]
async fn a_session_whose_row_is_gone_is_401_also_for_a_logout() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.end(&tenant, &opened).await.expect(200);
    let gone = Statement::new("delete from sessions where tenant_id = $1 and id = $2 returning id");
    app.change(gone.bind(&tenant.id).bind(opened.session.as_str())).await;
    app.view(&tenant, &opened).await.expect(401);
    app.end(&tenant, &opened).await.expect(401);
}

#[tokio::test]
async fn a_logout_that_was_answered_is_written_whatever_had_ended_the_session() {
    let (app, tenant) = start().await;
    let person = tenant.person(Family::Individual);
    let opened = app.open(&tenant, Family::Individual).await;
    // A status set by other hands than ours, which says nothing of sessions.
    let set = |status: &str| format!("update users set status = '{status}' where id = '{}'", person.id);
    app.script(&set("suspended")).await;
    let ended = app.end(&tenant, &opened).await.expect(200);
    assert_eq!(ended.field("endReason"), "user_disabled");
    app.clock.advance(5_000);
    assert_eq!(app.end(&tenant, &opened).await.expect(200).text, ended.text);
    app.script(&set("active")).await;
    app.view(&tenant, &opened).await.expect(401);
}
