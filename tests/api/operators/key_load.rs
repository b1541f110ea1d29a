//! Rotation under load, with two nodes: nobody is refused who should not be, and whoever should is, on the next request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::Router;
use serde_json::json;
use vestibule::flows::{retire_replaced_signing_keys, rotate_due_signing_keys};
use vestibule::signing_keys::PUBLISHED_SECONDS;
use vestibule::tenants::{Family, Profile, Settings};

use super::Operator;
use super::signing_keys::{published, signed_with};
use crate::support::app::{LoginCall, NIL};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::login::{answer, two_instances, until};

/// Somebody who logs in at one node and looks at the session at both, again and again.
#[derive(Clone)]
struct Customer {
    nodes: [Router; 2],
    login: LoginCall,
    /// A look at a session, and a backend's question, of any token.
    calls: fn(&str, &str) -> [Call; 2],
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
}

impl Customer {
    async fn run(self) -> u64 {
        let mut checks = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let first = usize::try_from(checks % 2).unwrap();
            let opened = answer(self.nodes[first].clone(), self.login.request()).await.expect(200);
            let calls = (self.calls)(opened.field("sessionId"), opened.field("token"));
            // First at the node that may never have seen the key.
            for node in [&self.nodes[1 - first], &self.nodes[first]] {
                for call in &calls {
                    let seen = answer(node.clone(), call.request()).await.expect(200);
                    assert_ne!(seen.json["active"], false, "{}", seen.text);
                    checks += 1;
                }
            }
            checks += 1;
            self.rounds.fetch_add(1, Ordering::Relaxed);
        }
        checks
    }
}

fn calls(session: &str, token: &str) -> [Call; 2] {
    let path = session_path(Family::Individual, NIL, NIL, session);
    let look = Call::get(path).tenant("acme").bearer(token);
    let question = Call::new("POST", "/oauth2/introspect").basic("acme-backend-key", "acme-backend-secret");
    [look, question.form(&[("token", token)])]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R080_R081_while_keys_rotate_on_schedule_and_at_once_nobody_is_refused_at_any_node() {
    let (app, other) = two_instances().await;
    let olga = Operator::of(&app).await;
    let settings = Settings {
        profile: Profile::Compatible,
        max_sessions: 1_000,
        signing_key_days: 7,
        ..Settings::default()
    };
    let acme = app.tenant_with("acme", settings).await;
    let (stop, rounds) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let mut customers = Vec::new();
    for number in 0..6 {
        // Each by a name of their own: a minute that passes by the clock makes a failure of another's login of that name.
        let name = format!("customer{number}@example.test");
        app.another(&acme, Family::Individual, &name).await;
        let nodes = [app.router.clone(), other.clone()];
        let (login, stop, rounds) =
            (acme.login(Family::Individual).named(&name), stop.clone(), rounds.clone());
        customers.push(tokio::spawn(Customer { nodes, login, calls, stop, rounds }.run()));
    }
    // No more than this passes by the clock while a token is in use: each customer's is of one round.
    let all_go_on = async || {
        let seen = rounds.load(Ordering::Relaxed);
        until("everybody has gone on", async || {
            rounds.load(Ordering::Relaxed) >= seen + 12
                || customers.iter().any(tokio::task::JoinHandle::is_finished)
        })
        .await;
    };
    let retire = async || {
        let now = app.clock.now();
        retire_replaced_signing_keys(&app.database, &app.app.master, now).await.unwrap();
    };
    let mut kids = std::collections::BTreeSet::new();
    for round in 0..8 {
        all_go_on().await;
        if round % 2 == 0 {
            // As the schedule does it, by two nodes.
            let old = "update signing_keys set signs_from = signs_from - 8 * 86400000";
            app.script(old).await;
            let now = app.clock.now();
            let beside = app.database.open_again().await;
            let (one, two) = tokio::join!(
                rotate_due_signing_keys(&app.database, &app.app.master, now),
                rotate_due_signing_keys(&beside, &app.app.master, now)
            );
            one.unwrap();
            two.unwrap();
            all_go_on().await;
            app.clock.advance(PUBLISHED_SECONDS * 1_000);
        } else {
            olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await.expect(200);
        }
        kids.insert(signed_with(&app, &acme).await.0);
        all_go_on().await;
        app.clock.advance(1_500_000);
        retire().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut checks = 0;
    for customer in customers {
        checks += customer.await.expect("a customer was refused");
    }
    assert_eq!(kids.len(), 8, "each rotation brought another key");
    assert!(checks > 500, "{checks} requests");
    assert!(app.number_of("events where name = 'signing_key_retired'").await >= 3, "old ones went meanwhile");
    assert!(published(&app, "acme").await.len() < 8);
}

#[tokio::test]
async fn R081_a_key_that_is_retired_at_once_is_refused_by_each_node_on_its_next_request() {
    let (app, other) = two_instances().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    for _ in 0..5 {
        let (kid, opened) = signed_with(&app, &acme).await;
        let ask = async |node: &Router, of: &Opened, status: u16, active: bool| {
            let look = session_call("GET", &acme, Family::Individual, &of.session, &of.token);
            app.send_to(node, look.request()).await.expect(status);
            let [_, question] = calls(&of.session, &of.token);
            let told = app.send_to(node, question.request()).await.expect(200);
            assert_eq!(told.json["active"], active);
        };
        for node in [&other, &app.router] {
            ask(node, &opened, 200, true).await;
        }
        olga.delete(&format!("/tenants/acme/signing-keys/{kid}")).await.expect(200);
        for node in [&other, &app.router] {
            ask(node, &opened, 401, false).await;
        }
        // And both sign, and know, the one that took its place.
        let new = app.send_to(&other, acme.login(Family::Individual).request()).await.expect(200);
        let new = Opened {
            session: new.field("sessionId").to_owned(),
            token: new.field("token").to_owned(),
            ..opened.clone()
        };
        for node in [&app.router, &other] {
            ask(node, &new, 200, true).await;
        }
    }
}
