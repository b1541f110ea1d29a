//! Many at once: one successor (R087), and a logout that a refresh cannot outrun (R094).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinHandle;
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, ended, refresh_call, start};
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::{Call, session_call};
use crate::support::dice::Dice;
use crate::support::directory::USERS;
use crate::support::login::{answer, two_instances};
use crate::support::on_postgres;

/// Sends calls in the same instant, as far as there is one, to one node after the other.
fn at_once(nodes: &[Router], calls: Vec<Call>) -> Vec<JoinHandle<Answer>> {
    let barrier = Arc::new(Barrier::new(calls.len()));
    let send = |(number, call): (usize, Call)| {
        let (router, barrier) = (nodes[number % nodes.len()].clone(), barrier.clone());
        tokio::spawn(async move {
            barrier.wait().await;
            answer(router, call.request()).await
        })
    };
    calls.into_iter().enumerate().map(send).collect()
}

async fn answers(handles: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for handle in handles {
        answers.push(handle.await.unwrap());
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R087_of_a_hundred_uses_of_one_token_at_once_all_get_the_one_successor() {
    let (app, beside) = two_instances().await;
    let tenant = app.tenant("acme").await;
    for nodes in [vec![app.router.clone()], vec![app.router.clone(), beside]] {
        let mut current = app.open(&tenant, INDIVIDUAL).await;
        for round in 2..=6 {
            let calls = vec![refresh_call(&tenant, &current); 100];
            let answers = answers(at_once(&nodes, calls)).await;
            let mut successors = BTreeSet::new();
            let mut tokens = BTreeSet::new();
            for answer in answers {
                let answer = answer.expect(200);
                successors.insert(answer.field("refreshToken").to_owned());
                tokens.insert(answer.field("token").to_owned());
                current = current.next(&answer);
            }
            assert_eq!((successors.len(), tokens.len()), (1, 100));
            assert_eq!(current.generation(), round);
            assert_eq!(app.row_of(&current).await[0], Some(round.to_string()));
        }
        app.refreshed(&tenant, &current).await;
    }
    assert!(app.events_named(tenant.id.as_str(), "authn_token_reuse").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R087_without_a_grace_one_of_a_hundred_wins_and_the_others_end_the_session() {
    let (app, beside) = two_instances().await;
    let settings = Settings { refresh_grace_seconds: 0, ..Settings::default() };
    let tenant = app.tenant_with("acme", settings).await;
    let nodes = [app.router.clone(), beside];
    for round in 1..=5 {
        let opened = app.open(&tenant, INDIVIDUAL).await;
        let answers = answers(at_once(&nodes, vec![refresh_call(&tenant, &opened); 100])).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status.as_u16() == 200);
        assert_eq!(won.len(), 1, "exactly one gets a new pair");
        for answer in lost {
            ended(answer, "refresh_reuse");
        }
        app.is_over(&tenant, &opened.next(&won[0]), "refresh_reuse").await;
        let events = app.events_named(tenant.id.as_str(), "authn_token_reuse").await;
        assert_eq!(events.len(), round, "one event however many replays");
    }
}

/// One interleaving of a session's refreshes with what ends it, by the dice.
async fn race(app: &TestApp, tenant: &TestTenant, nodes: &[Router], seed: u64, by_suspension: bool) {
    let mut dice = Dice::new(seed);
    let mut jitter = || Duration::from_micros(dice.below(4_000));
    let opened = app.open(tenant, INDIVIDUAL).await;
    // Refreshes with what it got, on one node after the other, until it is refused.
    let (mut current, mut call, wait) = (opened.clone(), refresh_call(tenant, &opened), jitter());
    let routers = nodes.to_vec();
    let refresher = tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        for router in routers.iter().cycle() {
            let answer = answer(router.clone(), call.request()).await;
            if answer.status.as_u16() != 200 {
                return (current, answer);
            }
            current = current.next(&answer);
            call.body = json!({ "refreshToken": current.refresh }).to_string().into_bytes();
        }
        unreachable!("a cycle has no end")
    });
    tokio::time::sleep(jitter()).await;
    let (end, reason) = if by_suspension {
        let user = &tenant.person(INDIVIDUAL).id;
        (Call::new("POST", format!("{USERS}/{user}/suspend")).backend(tenant), "user_disabled")
    } else {
        (session_call("DELETE", tenant, INDIVIDUAL, &opened.session, &opened.token), "logout")
    };
    answer(nodes[0].clone(), end.request()).await.expect(200);
    // Whoever begins now has no chance, whichever of the session's tokens it holds.
    let generation = app.row_of(&opened).await[0].clone();
    let current: u64 = generation.as_deref().unwrap().parse().unwrap();
    for (number, generation) in [current, current - 1].into_iter().filter(|number| *number > 0).enumerate() {
        let token = app.token_of(tenant, &opened, generation).await;
        let router = nodes[(number + 1) % nodes.len()].clone();
        ended(answer(router, refresh_call(tenant, &token).request()).await, reason);
    }
    let (last, refusal) = refresher.await.unwrap();
    ended(refusal, reason);
    // What was made concurrently is dead.
    app.view(tenant, &last).await.expect(401);
    let moved: u64 = app.row_of(&opened).await[0].as_deref().unwrap().parse().unwrap();
    if by_suspension && on_postgres() {
        // The user's row is another one than the session's: a statement that was under way there may have looked at it
        // before the suspension was visible, and be done after its answer. What it made is dead all the same.
        assert!(moved == current || moved == current + 1, "only what was under way: {current} to {moved}");
        let newest = app.token_of(tenant, &opened, moved).await;
        ended(answer(nodes[0].clone(), refresh_call(tenant, &newest).request()).await, reason);
    } else {
        assert_eq!(moved, current, "nobody has moved it on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R094_whoever_begins_a_refresh_after_the_logouts_answer_fails() {
    let (app, beside) = two_instances().await;
    let nodes = [app.router.clone(), beside];
    let tenant = app.tenant("acme").await;
    for seed in 0..200 {
        race(&app, &tenant, &nodes, seed, false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R064_R094_whoever_begins_a_refresh_after_the_suspensions_answer_fails() {
    let (app, beside) = two_instances().await;
    let nodes = [app.router.clone(), beside];
    for seed in 0..60 {
        let tenant = app.tenant(&format!("t-{seed}")).await;
        race(&app, &tenant, &nodes, seed, true).await;
    }
}

#[tokio::test]
async fn R095_an_answer_that_nobody_waited_for_can_be_asked_for_again() {
    let (app, tenant) = start().await;
    let mut current = app.open(&tenant, INDIVIDUAL).await;
    let mut dice = Dice::new(7);
    for _ in 0..50 {
        let call = refresh_call(&tenant, &current);
        let sent = tokio::spawn(answer(app.router.clone(), call.request()));
        tokio::time::sleep(Duration::from_micros(dice.below(2_000))).await;
        sent.abort();
        let generation = current.generation();
        current = app.refreshed(&tenant, &current).await;
        assert_eq!(current.generation(), generation + 1, "whether it had happened or not");
    }
}
