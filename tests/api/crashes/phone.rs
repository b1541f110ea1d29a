//! An app that logs in, refreshes and logs out, and remembers every answer.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Tally;
use super::api::{Answered, Api, Lost, People, Person, Round, is_locked, surely};
use super::ledger::Ledger;
use crate::support::app::PASSWORD;
use crate::support::dice::Dice;

/// Sessions that one phone has open at a time.
const MOST_OPEN: usize = 6;
/// Access tokens live for an hour; half of it is enough for a look.
const LOOKED_WITH: Duration = Duration::from_mins(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    No,
    /// A logout was sent, and its answer lost.
    Doubtful,
    /// For this reason, as it was answered.
    Acknowledged(&'static str),
}

/// A session whose login was acknowledged.
#[derive(Debug)]
pub struct Session {
    pub id: String,
    device: String,
    access: String,
    access_since: Instant,
    /// Every refresh token of it, the current one last.
    given: Vec<String>,
    /// Whether a refresh was sent whose answer was lost.
    in_doubt: bool,
    end: End,
    /// Whether its end was looked at already, after it was acknowledged.
    looked_at: bool,
}

#[derive(Debug)]
pub struct Phone {
    index: usize,
    dice: Dice,
    devices: usize,
    sessions: Vec<Session>,
    pub tally: Tally,
}

impl Phone {
    pub fn new(index: usize, seed: u64) -> Self {
        let dice = Dice::new(seed * 1_000 + index as u64 + 1);
        Self { index, dice, devices: 0, sessions: Vec::new(), tally: Tally::default() }
    }

    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    fn address(&self) -> String {
        format!("10.20.{}.{}", self.index, self.devices % 250 + 1)
    }

    /// Works until its server is gone or it is told to stop.
    pub async fn work(&mut self, api: &Api, people: &People, round: &Round) {
        while !round.is_over() {
            let open: Vec<_> =
                (0..self.sessions.len()).filter(|&at| self.sessions[at].end == End::No).collect();
            let any = || open[0];
            let done = match self.dice.below(10) {
                _ if open.is_empty() => self.login(api, people).await,
                0..=2 if open.len() < MOST_OPEN => self.login(api, people).await,
                0..=7 => {
                    let at = open[usize::try_from(self.dice.below(open.len() as u64)).unwrap()];
                    self.refresh(api, at).await
                }
                _ => self.logout(api, any()).await,
            };
            match done {
                Ok(()) => round.note(),
                Err(lost) => {
                    self.tally.doubtful += 1;
                    if lost == Lost::Server {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    async fn login(&mut self, api: &Api, people: &People) -> Result<(), Lost> {
        let person = people.next();
        self.devices += 1;
        let device = format!("phone-{}-{}", self.index, self.devices);
        let answer = api.login(&person, PASSWORD, &device, &self.address()).await;
        let Ok(answer) = answer else {
            people.doubt(&person);
            self.tally.doubtful_logins += 1;
            return answer.map(drop);
        };
        if is_locked(&answer) {
            people.leave_out(&person);
            return Ok(());
        }
        self.open(device, &person, &answer);
        Ok(())
    }

    fn open(&mut self, device: String, person: &Person, (status, body): &(u16, Value)) {
        assert_eq!(*status, 200, "the right password of {}: {body}", person.email);
        let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
        assert_eq!(text("userId"), person.user);
        self.tally.logins += 1;
        self.sessions.push(Session {
            id: text("sessionId"),
            device,
            access: text("accessToken"),
            access_since: Instant::now(),
            given: vec![text("refreshToken")],
            in_doubt: false,
            end: End::No,
            looked_at: false,
        });
    }

    async fn refresh(&mut self, api: &Api, at: usize) -> Result<(), Lost> {
        let from = self.address();
        let session = &mut self.sessions[at];
        let token = session.given.last().unwrap().clone();
        let answer = api.refresh(&session.id, &session.device, &token, &from).await;
        let Ok(answer) = answer else {
            session.in_doubt = true;
            return answer.map(drop);
        };
        session.advance(&answer);
        self.tally.refreshes += 1;
        Ok(())
    }

    async fn logout(&mut self, api: &Api, at: usize) -> Result<(), Lost> {
        let session = &mut self.sessions[at];
        let answer = api.logout(&session.id, &session.access).await;
        let Ok((status, body)) = answer else {
            session.end = End::Doubtful;
            return answer.map(drop);
        };
        assert_eq!(status, 200, "{body}");
        session.end = End::Acknowledged("logout");
        self.tally.logouts += 1;
        Ok(())
    }

    /// Holds what it was answered against the tables, and against what it is answered now.
    pub async fn check(&mut self, api: &Api, ledger: &Ledger) {
        let from = self.address();
        for session in &mut self.sessions {
            session.compare(ledger);
            match session.end {
                End::Acknowledged(reason) => {
                    // The new ones, and now and then one from long ago.
                    if !session.looked_at || self.dice.below(100) == 0 {
                        session.must_be_dead(api, reason, &from).await;
                        session.looked_at = true;
                    }
                }
                _ => self.tally.refreshes += session.must_live(api, &from).await,
            }
        }
        // Somebody has kept a spent token of one of them.
        let candidates =
            self.sessions.iter_mut().filter(|session| session.end == End::No && session.given.len() > 2);
        let Some(session) = candidates.last() else { return };
        if self.dice.below(4) > 0 {
            return;
        }
        let spent = usize::try_from(self.dice.below(session.given.len() as u64 - 2)).unwrap();
        let (id, device, token) = (&session.id, &session.device, &session.given[spent]);
        ended(&surely(async || api.refresh(id, device, token, &from).await).await, "refresh_reuse");
        session.must_be_dead(api, "refresh_reuse", &from).await;
        session.end = End::Acknowledged("refresh_reuse");
        self.tally.replays += 1;
    }
}

impl Session {
    fn advance(&mut self, (status, body): &(u16, Value)) {
        assert_eq!(*status, 200, "signed out by a kill: {body}");
        let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
        self.given.push(text("refreshToken"));
        self.access = text("accessToken");
        self.access_since = Instant::now();
        self.in_doubt = false;
    }

    /// What was acknowledged is in its row; beside it at most what was under way.
    fn compare(&mut self, ledger: &Ledger) {
        let row = ledger.session(&self.id);
        let known = i64::try_from(self.given.len()).unwrap();
        let most = known + i64::from(self.in_doubt);
        assert!((known..=most).contains(&row.generation), "{}, of {known} given: {self:?}", row.generation);
        let end = row.end_reason.as_deref();
        match self.end {
            End::No => assert_eq!(end, None, "ended by a kill: {self:?}"),
            End::Acknowledged(reason) => assert_eq!(end, Some(reason), "revived by a kill: {self:?}"),
            End::Doubtful if end.is_some() => {
                assert_eq!(end, Some("logout"));
                self.end = End::Acknowledged("logout");
            }
            End::Doubtful => self.end = End::No,
        }
    }

    /// Its access token is good, and its refresh token has one successor: how many refreshes that took.
    async fn must_live(&mut self, api: &Api, from: &str) -> usize {
        if !self.in_doubt && self.access_since.elapsed() < LOOKED_WITH {
            let (status, body) = surely(async || api.look(&self.id, &self.access).await).await;
            assert_eq!(status, 200, "an acknowledged session is gone: {body} {self:?}");
            return 0;
        }
        let before = self.given.last().unwrap().clone();
        let refreshed = surely(async || api.refresh(&self.id, &self.device, &before, from).await).await;
        self.advance(&refreshed);
        // Once more with the same: the same successor, and no second one.
        let (status, body) = surely(async || api.refresh(&self.id, &self.device, &before, from).await).await;
        assert_eq!(
            (status, body["data"]["refreshToken"].as_str()),
            (200, self.given.last().map(|token| &**token))
        );
        1
    }

    async fn must_be_dead(&self, api: &Api, reason: &str, from: &str) {
        let newest = self.given.last().unwrap();
        let ask = async || -> Answered { api.refresh(&self.id, &self.device, newest, from).await };
        ended(&surely(ask).await, reason);
        let (status, body) = surely(async || api.look(&self.id, &self.access).await).await;
        assert_eq!(status, 401, "revived: {body}");
    }
}

#[track_caller]
fn ended((status, body): &(u16, Value), reason: &str) {
    let told = (*status, body["data"]["errorType"].as_str(), body["data"]["endReason"].as_str());
    assert_eq!(told, (401, Some("SESSION_ENDED"), Some(reason)), "{body}");
}
