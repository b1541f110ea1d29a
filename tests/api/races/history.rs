//! One session, asked of two instances at once: whatever was answered, there is one order of all calls that explains it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::http::Request;
use serde_json::json;
use vestibule::tenants::Family;

use super::{rounds, tell};
use crate::support::app::{Answer, NIL, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::dice::Dice;
use crate::support::login::{answer, two_instances};

const CLIENTS: u64 = 4;
const CALLS: usize = 3;

/// What was asked. A token is named by its generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Refresh(usize),
    IsActive(usize),
    Look,
    Revoke,
}

/// What was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// The refresh token of this generation.
    Token(usize),
    Yes,
    No,
}

#[derive(Clone, Copy, Debug)]
struct Deed {
    asked: Asked,
    told: Told,
    began: Instant,
    over: Instant,
}

/// A session as one register: its current generation, and whether it lives.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Register {
    generation: usize,
    alive: bool,
}

impl Register {
    /// What is answered when nothing else happens meanwhile, and what is left.
    fn step(self, asked: Asked) -> (Told, Self) {
        let over = Self { alive: false, ..self };
        let yes_or_no = |yes: bool| if yes { Told::Yes } else { Told::No };
        match asked {
            Asked::Revoke => (Told::Yes, over),
            Asked::Look => (yes_or_no(self.alive), self),
            Asked::IsActive(token) => (yes_or_no(self.alive && token + 1 >= self.generation), self),
            Asked::Refresh(_) if !self.alive => (Told::No, self),
            Asked::Refresh(token) if token == self.generation => {
                (Told::Token(token + 1), Self { generation: token + 1, ..self })
            }
            // Again within the grace, and a replay.
            Asked::Refresh(token) if token + 1 == self.generation => (Told::Token(self.generation), self),
            Asked::Refresh(_) => (Told::No, over),
        }
    }
}

/// Whether the deeds can be put in an order in which each begins before every one that began after its end, and every
/// answer is the register's.
fn has_an_order(deeds: &[Deed]) -> bool {
    fn go_on(deeds: &[Deed], done: u32, at: Register, seen: &mut HashSet<(u32, Register)>) -> bool {
        if done.count_ones() as usize == deeds.len() {
            return true;
        }
        if !seen.insert((done, at)) {
            return false;
        }
        let open = || (0..deeds.len()).filter(|index| done & (1 << index) == 0);
        let first_end = open().map(|index| deeds[index].over).min().expect("one that is open");
        open().any(|index| {
            let deed = deeds[index];
            let (told, next) = at.step(deed.asked);
            deed.began <= first_end && told == deed.told && go_on(deeds, done | 1 << index, next, seen)
        })
    }
    go_on(deeds, 0, Register { generation: 1, alive: true }, &mut HashSet::new())
}

/// One session, and all refresh tokens that anybody was given.
struct Session {
    app: Arc<TestApp>,
    tenant: Arc<TestTenant>,
    opened: Opened,
    given: Mutex<Vec<String>>,
}

impl Session {
    fn token(&self, generation: usize) -> String {
        self.given.lock().unwrap()[generation - 1].clone()
    }

    async fn ask(&self, router: &Router, asked: Asked) -> Told {
        let Self { tenant, opened, .. } = self;
        let (family, id) = (opened.family, &*opened.session);
        let with_token = |path: &str, token: &str| {
            Call::new("POST", path).backend(tenant).form(&[("token", token)]).request()
        };
        let request: Request<_> = match asked {
            Asked::Refresh(token) => {
                let call = Call::new("PUT", session_path(family, NIL, NIL, id)).tenant(&tenant.slug);
                call.and("deviceid", "device-1").json(&json!({ "refreshToken": self.token(token) })).request()
            }
            Asked::IsActive(token) => with_token("/oauth2/introspect", &self.token(token)),
            Asked::Look => session_call("GET", tenant, family, id, &opened.token).request(),
            Asked::Revoke => with_token("/oauth2/revoke", &opened.token),
        };
        self.told(asked, &answer(router.clone(), request).await)
    }

    fn told(&self, asked: Asked, answer: &Answer) -> Told {
        match (asked, answer.status.as_u16()) {
            (Asked::Refresh(_), 200) => {
                let token = answer.field("refreshToken");
                let mut given = self.given.lock().unwrap();
                let known = given.iter().position(|one| one == token);
                Told::Token(known.map_or_else(
                    || {
                        given.push(token.to_owned());
                        given.len()
                    },
                    |place| place + 1,
                ))
            }
            (Asked::IsActive(_), 200) if answer.json["active"] == false => Told::No,
            (_, 200) => Told::Yes,
            (Asked::Refresh(_) | Asked::Look, 401) => Told::No,
            (_, status) => panic!("{asked:?} was answered with {status}: {}", answer.text),
        }
    }
}

/// What one client does: mostly with what is newest, now and then with the token before.
async fn client(session: Arc<Session>, routers: [Router; 2], mut dice: Dice) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for _ in 0..CALLS {
        let newest = session.given.lock().unwrap().len();
        let token = if dice.below(3) == 0 { newest.max(2) - 1 } else { newest };
        let asked = match dice.below(16) {
            0..=6 => Asked::Refresh(token),
            7..=10 => Asked::IsActive(token),
            11..=14 => Asked::Look,
            _ => Asked::Revoke,
        };
        let router = &routers[usize::from(dice.below(2) == 0)];
        let began = Instant::now();
        let told = session.ask(router, asked).await;
        deeds.push(Deed { asked, told, began, over: Instant::now() });
    }
    deeds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R161_whatever_two_instances_answer_of_a_session_at_once_could_have_been_answered_one_by_one() {
    let (app, beside) = two_instances().await;
    let (tenant, app) = (Arc::new(app.tenant("acme").await), Arc::new(app));
    let (mut calls, mut ended) = (0, 0);
    let histories = rounds(60, 5_000);
    for round in 0..histories {
        let opened = app.open(&tenant, Family::ALL[round % 3]).await;
        let given = Mutex::new(vec![opened.refresh.clone()]);
        let session = Arc::new(Session { app: Arc::clone(&app), tenant: Arc::clone(&tenant), opened, given });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let routers = [session.app.router.clone(), beside.clone()];
                let dice = Dice::new(round as u64 * CLIENTS + number + 161);
                tokio::spawn(client(Arc::clone(&session), routers, dice))
            })
            .collect();
        let mut deeds = Vec::new();
        for client in clients {
            deeds.extend(client.await.unwrap());
        }
        assert!(has_an_order(&deeds), "round {round}: no order explains {deeds:#?}");
        calls += deeds.len();
        ended += usize::from(deeds.iter().any(|deed| deed.asked == Asked::Revoke));
    }
    assert!(ended > histories / 20, "{ended} of {histories} histories had an end in them");
    tell(format_args!(
        "{histories} histories of {calls} calls on two instances, each with an order; {ended} with an end"
    ));
}

#[test]
fn R161_the_check_sees_a_session_that_lives_after_its_end_and_a_token_with_two_successors() {
    let origin = Instant::now();
    let deed = |asked, told, from: u64, to: u64| {
        let at = |millis| origin + std::time::Duration::from_millis(millis);
        Deed { asked, told, began: at(from), over: at(to) }
    };
    let ended = deed(Asked::Revoke, Told::Yes, 0, 2);
    assert!(has_an_order(&[ended, deed(Asked::Look, Told::Yes, 1, 3)]), "they overlap");
    for impossible in [
        vec![ended, deed(Asked::Look, Told::Yes, 3, 4)],
        vec![ended, deed(Asked::Refresh(1), Told::Token(2), 3, 4)],
        vec![ended, deed(Asked::IsActive(1), Told::Yes, 3, 4)],
        vec![deed(Asked::Look, Told::No, 0, 1)],
        vec![deed(Asked::Refresh(1), Told::Token(2), 0, 9), deed(Asked::Refresh(1), Told::Token(3), 0, 9)],
        // One instance has not seen the other's refresh.
        vec![
            deed(Asked::Refresh(1), Told::Token(2), 0, 1),
            deed(Asked::Refresh(2), Told::Token(3), 2, 3),
            deed(Asked::IsActive(1), Told::Yes, 4, 5),
        ],
    ] {
        assert!(!has_an_order(&impossible), "{impossible:?}");
    }
}
