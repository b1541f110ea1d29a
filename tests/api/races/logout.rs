//! Refresh against logout: whoever begins after the logout's answer gets nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use serde_json::json;
use vestibule::tenants::Family;

use super::{rounds, tell};
use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::dice::Dice;
use crate::support::login::two_instances;

async fn refresh(app: &TestApp, router: &Router, tenant: &TestTenant, of: &Opened, token: &str) -> Answer {
    let call = Call::new("PUT", session_path(of.family, NIL, NIL, &of.session)).tenant(&tenant.slug);
    let call = call.and("deviceid", "device-1").json(&json!({ "refreshToken": token }));
    app.send_to(router, call.request()).await
}

/// What an app got by refreshing again and again: when each call began and what it was answered.
async fn refresh_on(
    app: Arc<TestApp>,
    router: Router,
    tenant: Arc<TestTenant>,
    of: Opened,
) -> Vec<(Instant, Answer)> {
    let mut calls = Vec::new();
    let mut token = of.refresh.clone();
    loop {
        let began = Instant::now();
        let answer = refresh(&app, &router, &tenant, &of, &token).await;
        let over = answer.status != 200;
        if !over {
            answer.field("refreshToken").clone_into(&mut token);
        }
        calls.push((began, answer));
        if over {
            return calls;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R094_no_refresh_that_began_after_the_logouts_answer_succeeds_and_what_it_made_before_is_dead() {
    let (app, beside) = two_instances().await;
    let tenant = Arc::new(app.tenant("acme").await);
    let app = Arc::new(app);
    let mut dice = Dice::new(94);
    let (mut refreshes, mut overlapping) = (0, 0);
    let interleavings = rounds(300, 10_000);
    for index in 0..interleavings {
        let of = app.open(&tenant, Family::ALL[index % 3]).await;
        let routers = if index % 2 == 0 { [&app.router, &beside] } else { [&beside, &app.router] };
        let work =
            tokio::spawn(refresh_on(Arc::clone(&app), routers[0].clone(), Arc::clone(&tenant), of.clone()));
        tokio::time::sleep(Duration::from_micros(dice.below(6_000))).await;
        let began = Instant::now();
        let logout = session_call("DELETE", &tenant, of.family, &of.session, &of.token);
        let answer = app.send_to(routers[1], logout.request()).await.expect(200);
        let over = Instant::now();
        assert_eq!(answer.field("endReason"), "logout");
        let calls = work.await.unwrap();

        let (_, last) = calls.last().unwrap();
        assert_eq!((last.status.as_u16(), last.error_type()), (401, "SESSION_ENDED"), "{}", last.text);
        assert_eq!(last.field("endReason"), "logout");
        for (at, call) in &calls[..calls.len() - 1] {
            assert!(
                *at <= over,
                "interleaving {index}: a refresh that began after the logout's answer succeeded"
            );
            overlapping += usize::from(*at >= began);
            let access = call.field("accessToken");
            let look = session_call("GET", &tenant, of.family, &of.session, access);
            app.send_to(routers[0], look.request()).await.expect(401);
        }
        if let Some((_, newest)) = calls.iter().rev().nth(1) {
            refresh(&app, routers[1], &tenant, &of, newest.field("refreshToken")).await.expect(401);
        }
        refreshes += calls.len() - 1;
    }
    assert!(refreshes > interleavings / 4, "{refreshes} refreshes in {interleavings} interleavings");
    tell(format_args!(
        "{interleavings} logouts against {refreshes} refreshes, {overlapping} of which succeeded while the \
         logout was under way; none that began after its answer"
    ));
}
