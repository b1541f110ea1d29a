//! Rows as chance has them: what is written down is what [`vestibule::sessions::Session::ending`] says.

use vestibule::events::Actor;
use vestibule::flows::{Deed, end_user_sessions};
use vestibule::ids::{CustomerId, SessionId, UserId};
use vestibule::sessions::EndReason;
use vestibule::tenants::{Family, Settings};

use super::{ending, in_row, write_down_all};
use crate::support::app::{START, TestApp, TestTenant};
use crate::support::calls::Opened;
use crate::support::dice::Dice;

const FAMILIES: [Family; 3] = Family::ALL;
/// Instants are seconds after the start, few, so that many fall together. What happened happened within the first ones;
/// then it is now; and limits may lie behind that.
const SECONDS: u64 = 8;
const LIMITS: u64 = 20;

struct Chance {
    app: TestApp,
    tenant: TestTenant,
    sessions: Vec<Opened>,
    dice: Dice,
}

impl Chance {
    async fn new(seed: u64) -> Self {
        let app = TestApp::start().await;
        let tenant = app.tenant_with("acme", Settings { max_sessions: 1_000, ..Settings::default() }).await;
        let mut sessions = Vec::new();
        for _ in 0..8 {
            for family in FAMILIES {
                sessions.push(app.open(&tenant, family).await);
            }
        }
        Self { app, tenant, sessions, dice: Dice::new(seed) }
    }

    fn instant(&mut self, within: u64) -> i64 {
        START.as_millis() + 1_000 * i64::try_from(self.dice.below(within)).unwrap()
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.dice.below(number) == 0
    }

    /// All sessions open, as chance has their limits and what ends them together.
    async fn shuffle(&mut self, with_statuses: bool) {
        let mut script = String::new();
        for table in ["tenants", "customers", "users"] {
            let mut ids: Vec<String> = match table {
                "tenants" => vec![self.tenant.id.to_string()],
                "customers" => self.tenant.people.iter().map(|it| it.customer.to_string()).collect(),
                _ => self.tenant.people.iter().map(|it| it.id.to_string()).collect(),
            };
            ids.sort();
            for id in ids {
                let at =
                    if self.one_in(2) { "null".to_owned() } else { self.instant(SECONDS - 1).to_string() };
                let reason = if at == "null" { "null".to_owned() } else { format!("'of {table}'") };
                let status = if with_statuses && self.one_in(6) { "suspended" } else { "active" };
                script.extend([format!(
                    "update {table} set status = '{status}', sessions_not_before = {at}, \
                     sessions_end_reason = {reason} where id = '{id}';"
                )]);
            }
        }
        for family in FAMILIES {
            let kept = if self.one_in(2) { "null".to_owned() } else { format!("'{}'", self.one_of(family)) };
            let user = &self.tenant.person(family).id;
            script.extend([format!("update users set session_kept = {kept} where id = '{user}';")]);
        }
        for at in 0..self.sessions.len() {
            let id = self.sessions[at].session.clone();
            let (created, idle, absolute) =
                (self.instant(SECONDS), self.instant(LIMITS), self.instant(LIMITS));
            let (idle, absolute) = (idle.max(created + 1), absolute.max(created + 1));
            script.extend([format!(
                "update sessions set ended_at = null, end_reason = null, created_at = {created}, \
                 idle_expires_at = {idle}, expires_at = {absolute} where id = '{id}';"
            )]);
        }
        script += "delete from events where name = 'session_expired';";
        self.app.script(&script).await;
        let now = START.as_millis() + 1_000 * i64::try_from(SECONDS).unwrap();
        self.app.clock.advance(now - self.app.clock.now().as_millis());
    }

    /// One of the family's sessions.
    fn one_of(&mut self, family: Family) -> SessionId {
        let own: Vec<_> = self.sessions.iter().filter(|opened| opened.family == family).collect();
        let at = usize::try_from(self.dice.below(own.len() as u64)).unwrap();
        SessionId::parse(&own[at].session).unwrap()
    }

    async fn endings(&self) -> Vec<Option<(i64, String)>> {
        let mut all = Vec::new();
        for opened in &self.sessions {
            all.push(ending(&self.app, &self.tenant, opened).await);
        }
        all
    }
}

#[tokio::test]
async fn R060_R064_what_upkeep_writes_down_is_what_is_decided_at_use_whatever_the_rows_are() {
    let mut world = Chance::new(20_261_124).await;
    let (mut dead, mut alive) = (0, 0);
    for round in 0..40 {
        world.shuffle(true).await;
        let before = world.endings().await;
        let ended = before.iter().flatten().count();
        assert_eq!(write_down_all(&world.app, &world.app.database, 5).await, ended, "round {round}");
        let mut told = 0;
        for (opened, before) in world.sessions.iter().zip(&before) {
            assert_eq!(&in_row(&world.app, &world.tenant, opened).await, before, "round {round}");
            told += i64::from(before.as_ref().is_some_and(|(_, reason)| !reason.starts_with("of ")));
        }
        let events = "events where name = 'session_expired' and ends is null";
        assert_eq!(world.app.number_of(events).await, told, "round {round}: what no event had told");
        dead += ended;
        alive += before.len() - ended;
    }
    assert!(dead > 100 && alive > 50, "{dead} dead, {alive} alive");
}

#[tokio::test]
async fn R064_an_ending_of_all_changes_no_ending_there_was_whatever_the_rows_are() {
    let mut world = Chance::new(4_711).await;
    let (mut with_user, mut others) = (0, 0);
    for round in 0..40 {
        world.shuffle(false).await;
        let before = world.endings().await;
        for family in FAMILIES {
            let kept = world.one_of(family);
            let kept = Some(&kept).filter(|_| world.one_in(2));
            let person = world.tenant.person(family);
            let whose: (&UserId, &CustomerId) = (&person.id, &person.customer);
            let deed = Deed::new(&world.tenant.id, Actor::System);
            let now = world.app.clock.now();
            end_user_sessions(&world.app.database, &deed, whose, kept, EndReason::Logout, now).await.unwrap();
        }
        // What had ended stays as it was, kept or not, also when all is written down.
        for _ in 0..2 {
            let after = world.endings().await;
            for ((before, after), opened) in before.iter().zip(&after).zip(&world.sessions) {
                if before.is_some() {
                    assert_eq!(after, before, "round {round}: {}", opened.session);
                }
            }
            world.app.clock.advance(1_000);
            write_down_all(&world.app, &world.app.database, 1_000).await;
        }
        let of_users = before.iter().flatten().filter(|(_, reason)| reason == "of users").count();
        with_user += of_users;
        others += before.iter().flatten().count() - of_users;
    }
    assert!(with_user > 40 && others > 100, "{with_user} with their user, {others} otherwise");
}
