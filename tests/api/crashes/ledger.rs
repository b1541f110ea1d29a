//! What the tables hold after a crash, and what must be true of it whoever was at work.

use std::collections::HashMap;

use vestibule::db::{Database, Row, Statement};

use super::Tally;
use crate::commands::init::Installation;
use crate::support::login::until;

/// A session's row, with its events.
#[derive(Debug)]
pub struct SessionRow {
    pub generation: i64,
    pub end_reason: Option<String>,
    opened: i64,
    ended: i64,
}

/// What was counted of a user's wrong passwords.
#[derive(Default, Debug)]
struct Failures {
    /// In the throttle, with attempts that are under way or have died.
    counted: i64,
    locked: bool,
    events: i64,
    locks: i64,
}

/// What there was at the last check, and what had been answered until then.
#[derive(Default, Debug)]
pub struct Settled {
    sessions: usize,
    tally: Tally,
}

#[derive(Debug)]
pub struct Ledger {
    sessions: HashMap<String, SessionRow>,
    failures: HashMap<String, Failures>,
    names: HashMap<String, String>,
}

const SESSIONS: &str = "select s.id as id, s.generation as generation, s.end_reason as end_reason, \
    (select count(*) from events e where e.session_id = s.id and e.tenant_id = s.tenant_id \
     and e.name = 'authn_login_success') as opened, \
    (select count(*) from events e where e.session_id = s.id and e.tenant_id = s.tenant_id \
     and e.name in ('session_expired', 'authn_token_reuse')) as ended from sessions s";

/// What must never be found, with what it would mean.
const NEVER: [(&str, &str); 6] = [
    (
        "a login's or a session's event without its session",
        "select e.id as id from events e where e.name in ('authn_login_success', 'session_expired', 'authn_token_reuse') \
         and not exists (select 1 from sessions s where s.tenant_id = e.tenant_id and s.id = e.session_id)",
    ),
    (
        "a user's event without the user",
        "select e.id as id from events e where e.name = 'user_created' \
         and not exists (select 1 from users u where u.tenant_id = e.tenant_id and u.id = e.user_id)",
    ),
    (
        "a user without exactly one event that made them",
        "select u.id as id from users u where (select count(*) from events e where e.tenant_id = u.tenant_id \
         and e.user_id = u.id and e.name = 'user_created') <> 1",
    ),
    (
        "a session without its user",
        "select s.id as id from sessions s where not exists \
         (select 1 from users u where u.tenant_id = s.tenant_id and u.id = s.user_id and u.customer_id = s.customer_id)",
    ),
    (
        "a user without a name",
        "select u.id as id from users u where not exists \
         (select 1 from login_names n where n.tenant_id = u.tenant_id and n.user_id = u.id)",
    ),
    (
        "a customer without a user",
        "select c.id as id from customers c where not exists \
         (select 1 from users u where u.tenant_id = c.tenant_id and u.customer_id = c.id)",
    ),
];

/// The tenants whose events' positions have a gap, or another head than the newest.
const GAPS: &str = "select e.tenant_id as id from events e left join event_heads h on h.tenant_id = e.tenant_id \
    group by e.tenant_id, h.position having count(*) <> count(distinct e.position) or min(e.position) <> 1 \
    or max(e.position) <> count(*) or h.position is null or h.position <> count(*)";

impl Ledger {
    /// Reads everything once the database is at rest.
    pub async fn read(made: &Installation) -> Self {
        let database = made.database.open_again().await;
        if !database.is_sqlite() {
            // PostgreSQL may still be at work on what a dead server sent it last.
            let busy = "select cast(pid as text) as id from pg_stat_activity where datname = current_database() \
                        and pid <> pg_backend_pid() and state in ('active', 'idle in transaction')";
            until("nobody is at work", async || list(&database, busy).await.is_empty()).await;
        }
        until("every event has its number", async || {
            list(&database, "select id from events where position is null limit 1").await.is_empty()
        })
        .await;
        for (what, sql) in NEVER {
            assert_eq!(list(&database, sql).await.len(), 0, "{what}");
        }
        assert_eq!(list(&database, GAPS).await.len(), 0, "positions have a gap");
        if database.is_sqlite() {
            let sound = list(&database, "select quick_check as id from pragma_quick_check").await;
            assert_eq!(sound[0].text("id").unwrap(), "ok");
        }
        let ledger = Self {
            sessions: sessions(&database).await,
            failures: failures(&database).await,
            names: names(&database).await,
        };
        database.close().await;
        ledger
    }

    /// That there are as many sessions more than at the last check as logins were acknowledged since, beside those
    /// whose answer was lost since; each with one event that opened it and one that ended it if it has ended. What was
    /// in doubt then was settled by what was found: it excuses nothing later.
    pub fn check(&self, tally: &Tally, settled: &mut Settled) {
        let found = self.sessions.len();
        let least = settled.sessions + tally.logins - settled.tally.logins;
        let most = least + tally.doubtful_logins - settled.tally.doubtful_logins;
        assert!((least..=most).contains(&found), "{found} sessions of {least} to {most}");
        *settled = Settled { sessions: found, tally: *tally };
        for (id, row) in &self.sessions {
            assert_eq!(row.opened, 1, "events that opened session {id}: {row:?}");
            assert_eq!(
                row.ended,
                i64::from(row.end_reason.is_some()),
                "events that ended session {id}: {row:?}"
            );
        }
    }

    /// The row of a session whose login was acknowledged.
    #[track_caller]
    pub fn session(&self, id: &str) -> &SessionRow {
        self.sessions.get(id).unwrap_or_else(|| panic!("lost: the acknowledged session {id}"))
    }

    /// That each acknowledged failure was counted once, with an event, and what may have happened at most once.
    pub fn check_failures(&self, user: &str, (failed, doubtful): (i64, i64), locked: bool) {
        let nothing = Failures::default();
        let found = self.failures.get(user).unwrap_or(&nothing);
        let told = format!("{failed} failures acknowledged and {doubtful} in doubt: {found:?}");
        let bounds = failed..=failed + doubtful;
        assert!(bounds.contains(&found.counted), "{told}");
        assert!(bounds.contains(&found.events), "{told}");
        assert!(found.locked || !locked, "a lock was lost: {told}");
        assert_eq!(found.locks, i64::from(found.locked), "one event a lock: {told}");
    }

    pub fn names_that_begin(&self, prefix: &str) -> usize {
        self.names.keys().filter(|name| name.starts_with(prefix)).count()
    }

    /// The id of the user who has a name.
    pub fn user_called(&self, email: &str) -> Option<&str> {
        self.names.get(email).map(|user| &**user)
    }
}

async fn list(database: &Database, sql: &'static str) -> Vec<Row> {
    database.list(Statement::new(sql)).await.unwrap()
}

async fn sessions(database: &Database) -> HashMap<String, SessionRow> {
    let row = |row: &Row| {
        let found = SessionRow {
            generation: row.int("generation").unwrap(),
            end_reason: row.maybe_text("end_reason").unwrap(),
            opened: row.int("opened").unwrap(),
            ended: row.int("ended").unwrap(),
        };
        (row.text("id").unwrap(), found)
    };
    list(database, SESSIONS).await.iter().map(row).collect()
}

async fn names(database: &Database) -> HashMap<String, String> {
    let rows = list(database, "select name, user_id from login_names").await;
    rows.iter().map(|row| (row.text("name").unwrap(), row.text("user_id").unwrap())).collect()
}

/// By user, whatever budgets their failures are counted on.
async fn failures(database: &Database) -> HashMap<String, Failures> {
    let mut found: HashMap<String, Failures> = HashMap::new();
    let user = |row: &Row| -> Option<String> {
        let subject = row.text("subject").unwrap();
        Some(subject.strip_prefix("user:")?.split('/').next()?.to_owned())
    };
    let throttles = "select subject, failures, locked_until is not null as locked from throttles";
    for row in list(database, throttles).await {
        if let Some(user) = user(&row) {
            let of = found.entry(user).or_default();
            of.counted += row.int("failures").unwrap();
            of.locked |= row.bool("locked").unwrap();
        }
    }
    for row in list(database, "select subject, count(*) as number from attempts group by subject").await {
        if let Some(user) = user(&row) {
            found.entry(user).or_default().counted += row.int("number").unwrap();
        }
    }
    let events = "select user_id, name, count(*) as number from events where user_id is not null \
                  and ((name = 'authn_login_fail' and reason = 'wrong_password') or name = 'authn_login_lock') \
                  group by user_id, name";
    for row in list(database, events).await {
        let of = found.entry(row.text("user_id").unwrap()).or_default();
        let number = row.int("number").unwrap();
        if row.text("name").unwrap() == "authn_login_lock" { of.locks = number } else { of.events = number }
    }
    found
}
