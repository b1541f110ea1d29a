//! A backend that registers people, and a stranger who guesses at some of them until they are locked.

use std::time::{Duration, Instant};

use super::Tally;
use super::api::{Api, Lost, People, Person, Round, is_locked, surely};
use super::ledger::Ledger;
use crate::support::app::PASSWORD;
use crate::support::dice::Dice;

/// Failures that lock.
const MOST_FAILURES: i64 = 5;
/// A lock lasts for half an hour.
const LOOKED_AT: Duration = Duration::from_mins(20);

#[derive(Debug)]
struct Victim {
    person: Person,
    failed: i64,
    doubtful: i64,
    locked_since: Option<Instant>,
    looked_at: bool,
}

#[derive(Debug)]
pub struct Guesser {
    index: usize,
    dice: Dice,
    number: usize,
    victims: Vec<Victim>,
    /// Everybody whose registration was acknowledged, or was in doubt and has been found.
    registered: Vec<Person>,
    /// Of these, who has not logged in yet.
    new: Vec<Person>,
    /// The names whose registration had no answer, since the last check.
    doubtful: Vec<String>,
    /// Whom it guesses at.
    current: Option<usize>,
    pub tally: Tally,
}

impl Guesser {
    pub fn new(index: usize, seed: u64) -> Self {
        Self {
            index,
            dice: Dice::new(seed * 2_000 + index as u64 + 1),
            number: 0,
            victims: Vec::new(),
            registered: Vec::new(),
            new: Vec::new(),
            doubtful: Vec::new(),
            current: None,
            tally: Tally::default(),
        }
    }

    pub async fn work(&mut self, api: &Api, people: &People, round: &Round) {
        let mut busy = 0;
        while !round.is_over() {
            let done = match self.current {
                None => self.register(api, people).await,
                Some(at) => self.guess(api, at).await,
            };
            match done {
                Ok(()) => {
                    round.note();
                    busy = 0;
                }
                Err(lost) => {
                    self.tally.doubtful += 1;
                    if lost == Lost::Server {
                        return;
                    }
                    busy += 1;
                    // Attempts that died take its slots for a minute.
                    if busy == 3 {
                        self.current = None;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// What the names that it registers begin with, and nobody else's.
    fn prefix(&self) -> String {
        format!("person-{}-", self.index)
    }

    /// Registers one more: every third is guessed at, the others log in.
    pub async fn register(&mut self, api: &Api, people: &People) -> Result<(), Lost> {
        self.number += 1;
        let email = format!("{}{}@example.test", self.prefix(), self.number);
        let answer = api.register(&email).await;
        let Ok((status, body)) = answer else {
            self.doubtful.push(email);
            return answer.map(drop);
        };
        assert_eq!(status, 200, "{body}");
        self.tally.registrations += 1;
        let user = body["data"]["user"]["id"].as_str().unwrap().to_owned();
        let person = Person { email, user };
        self.registered.push(person.clone());
        if self.number % 3 == 2 {
            let victim = Victim { person, failed: 0, doubtful: 0, locked_since: None, looked_at: false };
            self.current = Some(self.victims.len());
            self.victims.push(victim);
        } else {
            self.new.push(person.clone());
            people.add(person);
        }
        Ok(())
    }

    async fn guess(&mut self, api: &Api, at: usize) -> Result<(), Lost> {
        let from = format!("10.30.{}.{}", self.index, at % 250 + 1);
        let victim = &mut self.victims[at];
        let answer = match api.login(&victim.person, "a wrong guess", "stranger", &from).await {
            Err(lost) => {
                victim.doubtful += 1;
                return Err(lost);
            }
            Ok(answer) => answer,
        };
        let counted = victim.failed + victim.doubtful;
        if is_locked(&answer) {
            assert!(counted >= MOST_FAILURES, "locked after {victim:?}");
            victim.locked_since = Some(Instant::now());
            self.tally.locks += 1;
            self.current = None;
            return Ok(());
        }
        assert_eq!(answer.0, 401, "{}", answer.1);
        assert!(victim.failed < MOST_FAILURES, "a lock was forgotten: {victim:?}");
        victim.failed += 1;
        self.tally.failures += 1;
        Ok(())
    }

    /// Holds what it was answered against the tables, and against what is answered now.
    pub async fn check(&mut self, api: &Api, ledger: &Ledger) {
        for victim in &mut self.victims {
            ledger.check_failures(
                &victim.person.user,
                (victim.failed, victim.doubtful),
                victim.locked_since.is_some(),
            );
            let Some(since) = victim.locked_since.filter(|since| since.elapsed() < LOOKED_AT) else {
                continue;
            };
            if victim.looked_at && self.dice.below(50) > 0 {
                continue;
            }
            let from = format!("10.40.{}.1", self.index);
            let answer = surely(async || api.login(&victim.person, PASSWORD, "stranger", &from).await).await;
            assert!(is_locked(&answer), "the lock of {:?} does not hold: {answer:?}", since.elapsed());
            victim.looked_at = true;
        }
        // Whoever has registered is there, and logs in.
        for person in &self.registered {
            let found = ledger.user_called(&person.email);
            assert_eq!(found, Some(&*person.user), "the acknowledged registration of {}", person.email);
        }
        let from = format!("10.50.{}.1", self.index);
        for person in self.new.drain(..).rev().take(2) {
            let answer = surely(async || api.login(&person, PASSWORD, "first", &from).await).await;
            if !is_locked(&answer) {
                assert_eq!(answer.0, 200, "{} has registered: {}", person.email, answer.1);
                self.tally.logins += 1;
            }
        }
        // And whoever may have is there with everything, or not at all.
        for email in self.doubtful.drain(..) {
            let user = ledger.user_called(&email);
            let person = Person { email, user: user.unwrap_or_default().to_owned() };
            let (status, body) = surely(async || api.login(&person, PASSWORD, "first", &from).await).await;
            assert_eq!(status, if user.is_some() { 200 } else { 401 }, "{body}");
            self.tally.logins += usize::from(user.is_some());
            self.registered.extend(user.map(|_| person));
        }
        let there = ledger.names_that_begin(&self.prefix());
        assert_eq!(there, self.registered.len(), "names, and registrations that made them");
        // An older victim, whose dead attempts count as failures by now.
        let unlocked: Vec<_> =
            (0..self.victims.len()).filter(|&at| self.victims[at].locked_since.is_none()).collect();
        if self.current.is_none() && !unlocked.is_empty() && self.dice.below(4) == 0 {
            let at = usize::try_from(self.dice.below(unlocked.len() as u64)).unwrap();
            self.current = Some(unlocked[at]);
        }
    }
}
