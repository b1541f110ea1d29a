//! Callers of two tenants who go at random moments: whoever stays gets an answer to what they asked, and of their own.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use vestibule::tenants::Family;

use super::{rounds, tell};
use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::dice::Dice;
use crate::support::login::answer;

const CALLERS_OF_EACH: u64 = 6;

struct Caller {
    app: Arc<TestApp>,
    tenant: Arc<TestTenant>,
    held: Opened,
    dice: Dice,
    gone: usize,
}

impl Caller {
    fn request(&self, what: u64) -> Request<Body> {
        let Self { tenant, held, .. } = self;
        match what {
            0 => session_call("GET", tenant, held.family, &held.session, &held.token).request(),
            1 => {
                let token = [("token", &*held.token)];
                Call::new("POST", "/oauth2/introspect").backend(tenant).form(&token).request()
            }
            2 => {
                let path = session_path(held.family, NIL, NIL, &held.session);
                let call = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1");
                call.json(&json!({ "refreshToken": held.refresh })).request()
            }
            _ => Call::get(format!("/t/{}/.well-known/jwks.json", tenant.slug)).request(),
        }
    }

    /// Asks, and goes before the answer as often as not.
    async fn ask(&mut self) {
        let what = self.dice.below(4);
        let asked = answer(self.app.router.clone(), self.request(what));
        let found = if self.dice.below(2) == 0 {
            // By turns of the scheduler and not by time, of which a quick machine needs none.
            let turns = self.dice.below(3);
            let patience = async {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                found = asked => found,
                () = patience => {
                    self.gone += 1;
                    return;
                }
            }
        } else {
            asked.await
        };
        let found = found.expect(200);
        self.look_at(what, &found);
    }

    fn look_at(&mut self, what: u64, found: &Answer) {
        let Self { tenant, held, .. } = self;
        match what {
            0 => assert_eq!(found.field("sessionId"), held.session),
            1 => {
                let issuer = found.json["iss"].as_str().unwrap();
                assert!(issuer.ends_with(&format!("/t/{}", tenant.slug)), "{}", found.text);
                assert_eq!(found.json["sid"], *held.session);
            }
            2 => {
                assert_eq!(found.field("sessionId"), held.session);
                *held = Opened::of(held.family, found);
            }
            _ => assert!(found.text.contains("\"kty\""), "{}", found.text),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R164_callers_who_go_at_random_moments_leave_nobody_elses_answer_behind() {
    let app = Arc::new(TestApp::start().await);
    let mut callers = Vec::new();
    for (number, slug) in ["acme", "beta"].into_iter().enumerate() {
        let tenant = Arc::new(app.tenant(slug).await);
        for index in 0..CALLERS_OF_EACH {
            let held = app.open(&tenant, Family::Admin).await;
            let dice = Dice::new(164 + index * 2 + number as u64);
            callers.push(Caller { app: Arc::clone(&app), tenant: Arc::clone(&tenant), held, dice, gone: 0 });
        }
    }
    let calls = rounds(60, 5_000);
    let work = callers.into_iter().map(|mut caller| {
        tokio::spawn(async move {
            for _ in 0..calls {
                caller.ask().await;
            }
            caller.gone
        })
    });
    let mut gone = 0;
    for caller in work.collect::<Vec<_>>() {
        gone += caller.await.unwrap();
    }
    assert!(gone > 3, "{gone} have gone");
    tell(format_args!(
        "{} calls of two tenants, {gone} of whose callers had gone; no answer was another's",
        calls * 12
    ));
}
