//! Fifty logins at once, by one instance and by two on one database: the count is exact all the same.

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use vestibule::tenants::SessionLimitAction;

use super::{INDIVIDUAL, ending, limited, opened};
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::login::{answer, two_instances};

const AT_ONCE: usize = 50;
const MOST: i64 = 10;

/// Fifty logins of one user at once, by turns on each of the routers.
async fn log_in(tenant: &TestTenant, routers: &[axum::Router]) -> Vec<Answer> {
    let logins = (0..AT_ONCE).map(|number| -> JoinHandle<Answer> {
        let call = tenant.login(INDIVIDUAL).header("deviceid", format!("device-{number}"));
        tokio::spawn(answer(routers[number % routers.len()].clone(), call.request()))
    });
    join_all(logins).await.into_iter().map(Result::unwrap).collect()
}

async fn the_oldest_end(app: &TestApp, tenant: &TestTenant, routers: &[axum::Router]) {
    for round in 1..=3 {
        app.clock.advance(60_000);
        let answers: Vec<_> =
            log_in(tenant, routers).await.into_iter().map(|answer| answer.expect(200)).collect();
        let mut alive = 0;
        for answer in &answers {
            match ending(app, tenant, &opened(INDIVIDUAL, answer)).await.as_deref() {
                None => alive += 1,
                Some(reason) => assert_eq!(reason, "limit"),
            }
        }
        assert_eq!(alive, MOST, "round {round}: of the last fifty exactly so many live");
        assert_eq!(app.number_of("sessions where ended_at is null").await, MOST);
        let ended = round * i64::try_from(AT_ONCE).unwrap() - MOST;
        let told = "(select distinct session_id from events where name = 'session_expired' and reason = 'limit' \
                    and ends = 'session') as told";
        assert_eq!(app.number_of(told).await, ended, "each is told");
        assert_eq!(app.number_of("events where name = 'session_expired'").await, ended, "once");
    }
}

async fn one_more_is_refused(app: &TestApp, tenant: &TestTenant, routers: &[axum::Router]) {
    let mut room = MOST;
    for round in 1..=3 {
        app.clock.advance(60_000);
        let answers = log_in(tenant, routers).await;
        let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(i64::try_from(good.len()).unwrap(), room, "round {round}");
        for answer in refused {
            assert_eq!(answer.expect(409).error_type(), "SESSION_LIMIT");
        }
        assert_eq!(app.number_of("sessions where ended_at is null").await, MOST);
        assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
        assert_eq!(app.number_of("attempts").await, 0);
        room = 4;
        for answer in good.iter().take(4) {
            app.end(tenant, &opened(INDIVIDUAL, answer)).await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R066_of_fifty_logins_at_once_exactly_ten_sessions_live() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(MOST, SessionLimitAction::EndOldest)).await;
    the_oldest_end(&app, &tenant, std::slice::from_ref(&app.router)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R066_of_fifty_logins_at_once_on_two_instances_exactly_ten_sessions_live() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant_with("acme", limited(MOST, SessionLimitAction::EndOldest)).await;
    the_oldest_end(&app, &tenant, &[app.router.clone(), beside]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R066_of_fifty_logins_at_once_exactly_as_many_get_in_as_there_is_room_for() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", limited(MOST, SessionLimitAction::Refuse)).await;
    one_more_is_refused(&app, &tenant, std::slice::from_ref(&app.router)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R066_of_fifty_logins_at_once_on_two_instances_exactly_as_many_get_in_as_there_is_room_for() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant_with("acme", limited(MOST, SessionLimitAction::Refuse)).await;
    one_more_is_refused(&app, &tenant, &[app.router.clone(), beside]).await;
}
