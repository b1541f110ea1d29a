//! Nothing tells a stranger why a login failed: three sets of refusals, each equal within itself in its bytes, its hashes
//! and its round trips to the database, and never compared with one another.

mod door;
mod locked;
mod passwords;

use crate::support::app::{Answer, LoginCall, TestApp};

/// What one refusal showed, and what it cost.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Cost {
    hashes: u64,
    /// Calls of the database, each a round trip at most.
    calls: u64,
    statements: u64,
}

impl TestApp {
    /// The answer, and what it cost. Nothing else may be going on.
    async fn cost_of(&self, call: &LoginCall) -> (Answer, Cost) {
        let hashes = self.app.passwords.evaluations();
        let work = self.app.db.work();
        let answer = self.send(call.request()).await;
        let now = self.app.db.work();
        let cost = Cost {
            hashes: self.app.passwords.evaluations() - hashes,
            calls: now.calls - work.calls,
            statements: now.statements - work.statements,
        };
        (answer, cost)
    }
}

/// The refusals of a set: all have one answer and one cost, and this is it.
#[derive(Default)]
struct Set {
    seen: Vec<(String, String, Cost)>,
}

impl Set {
    /// Sends the call and keeps what came of it.
    async fn send(&mut self, app: &TestApp, what: &str, call: &LoginCall, status: u16) {
        let (answer, cost) = app.cost_of(call).await;
        assert_eq!(answer.status.as_u16(), status, "{what}: {}", answer.text);
        self.seen.push((what.to_owned(), answer.fingerprint(), cost));
    }

    #[track_caller]
    fn is_of_one_kind(&self, members: usize, message: &str, hashes: u64) -> Cost {
        assert!(self.seen.len() >= members, "{} were tried", self.seen.len());
        let (first, answer, cost) = &self.seen[0];
        assert!(answer.contains(message), "{answer}");
        assert_eq!(cost.hashes, hashes);
        for (what, other, its_cost) in &self.seen {
            assert_eq!(other, answer, "{what} is not answered as {first}");
            assert_eq!(its_cost, cost, "{what} costs another amount of work than {first}");
        }
        cost.clone()
    }
}
