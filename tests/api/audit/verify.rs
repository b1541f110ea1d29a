//! Verifying a log: whatever is done to it behind its back is found, and the first bad row is named.

use std::collections::BTreeSet;

use vestibule::db::Statement;
use vestibule::events::sealing::store::find_events;
use vestibule::events::sealing::{AuditKey, Leaf, Problem};
use vestibule::flows::{LogReport, verify_log};
use vestibule::tenants::Family;
use vestibule_audit::Checkpoint;

use super::sealing::put_many;
use crate::support::app::{TestApp, TestTenant};

impl TestApp {
    pub(super) async fn verify(&self, tenant: &TestTenant, given: &[Checkpoint]) -> LogReport {
        let key = AuditKey::find(&self.app.db, &self.app.master).await.unwrap();
        verify_log(&self.app.db, key.as_ref(), &tenant.id, given).await.unwrap()
    }
}

/// A sealed log that can be put back to what it was.
struct World {
    app: TestApp,
    it: TestTenant,
    other: TestTenant,
    checkpoint: Checkpoint,
    /// The position of a login's event, which has a personal part, and its id.
    login: u64,
    id: String,
}

const TABLES: [&str; 3] = ["events", "event_heads", "event_tiles"];

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (it, other) = (app.tenant("acme").await, app.tenant("globex").await);
        app.login(&it, Family::Individual).await.expect(200);
        app.number_events().await;
        put_many(&app, &it, 300).await;
        app.seal_events().await;
        for table in TABLES {
            app.script(&format!("create table kept_{table} as select * from {table}")).await;
        }
        let sql = "select id, position from events where tenant_id = $1 and name = 'authn_login_success'";
        let row = app.database.list(Statement::new(sql).bind(&it.id)).await.unwrap().remove(0);
        let login = row.int("position").unwrap().unsigned_abs();
        let checkpoint = app.checkpoint(&it).await;
        Self { app, it, other, checkpoint, login, id: row.text("id").unwrap() }
    }

    /// Alters something, looks, and puts it back. `{it}`, `{other}`, `{n}` and `{id}` stand for the tenants and the login.
    async fn after(&self, script: &str, given: bool) -> Option<Problem> {
        let script = script
            .replace("{it}", self.it.id.as_str())
            .replace("{other}", self.other.id.as_str())
            .replace("{n}", &self.login.to_string())
            .replace("{id}", &self.id);
        self.app.script(&script).await;
        let given = if given { vec![self.checkpoint.clone()] } else { Vec::new() };
        let report = self.app.verify(&self.it, &given).await;
        self.put_back().await;
        report.problem
    }

    async fn put_back(&self) {
        for table in TABLES {
            self.app
                .script(&format!("delete from {table}; insert into {table} select * from kept_{table}"))
                .await;
        }
    }
}

/// Each column of an event, and other values for it. `salt` and `personal_digest` go together with `personal`.
const COLUMNS: [(&str, &[&str]); 21] = [
    ("tenant_id", &["'{other}', position = 999"]),
    ("id", &["'another'"]),
    ("position", &["null", "-position", "position + 1000"]),
    ("name", &["'authn_login_fail'"]),
    ("outcome", &["'failure'"]),
    ("occurred_at", &["occurred_at + 1"]),
    ("actor_kind", &["'system'"]),
    ("actor_id", &["'x'", "null", "''"]),
    ("user_id", &["'x'", "null"]),
    ("customer_id", &["'x'", "null"]),
    ("session_id", &["'x'", "null"]),
    ("reason", &["'x'", "''"]),
    ("request_id", &["'x'", "null"]),
    ("details", &["'{}'", "details || ' '"]),
    ("ends", &["'tenant'"]),
    ("ends_until", &["0"]),
    ("ends_not", &["'x'"]),
    ("personal", &["replace(personal, 'mobile', 'web')", "'{}'", "null"]),
    (
        "personal_digest",
        &["null, personal = null", "salt", "(select root from event_heads where tenant_id = '{it}')"],
    ),
    ("salt", &["(select personal_digest from events where tenant_id = '{it}' and position = {n})"]),
    ("customer_id", &["user_id"]),
];

#[tokio::test]
async fn R139_an_edit_of_any_column_of_an_event_is_found_and_the_row_is_named() {
    let world = World::new().await;
    assert_eq!(world.app.verify(&world.it, std::slice::from_ref(&world.checkpoint)).await.problem, None);
    let columns: BTreeSet<_> = COLUMNS.iter().map(|(column, _)| (*column).to_owned()).collect();
    let sql = if world.app.database.is_sqlite() {
        "select name as c from pragma_table_info('events')"
    } else {
        "select column_name::text as c from information_schema.columns where table_name = 'events'"
    };
    let rows = world.app.database.list(Statement::new(sql)).await.unwrap();
    let all: BTreeSet<_> = rows.iter().map(|row| row.text("c").unwrap()).collect();
    assert_eq!(columns, all, "a new column of events is sealed, and altered here");
    for (column, values) in COLUMNS {
        for value in values {
            let edit = format!(
                "update events set {column} = {value} where tenant_id = '{{it}}' and position = {{n}}"
            );
            // With and without a checkpoint from outside.
            for given in [true, false] {
                let problem = world.after(&edit, given).await.unwrap_or_else(|| panic!("{edit}"));
                if *value == "-position" {
                    assert_eq!(problem.id.as_deref(), Some(&*world.id), "{edit}: {problem}");
                } else {
                    assert_eq!(problem.position, Some(world.login), "{edit}: {problem}");
                }
            }
        }
    }
    // Also not what leaves the digest as it is: between salt and text there is nothing.
    let row =
        world.app.database.list(find_events(&world.it.id, world.login.cast_signed() - 1, 1_000, 1)).await;
    let row = row.unwrap().remove(0);
    let (salt, personal) = (row.bytes("salt").unwrap(), row.text("personal").unwrap());
    let (moved, rest) = personal.split_at(5);
    let sql =
        "update events set salt = $3, personal = $4 where tenant_id = $1 and position = $2 returning id";
    let edit = Statement::new(sql).bind(&world.it.id).bind(world.login.cast_signed());
    world.app.change(edit.bind([&salt, moved.as_bytes()].concat()).bind(rest)).await;
    let problem = world.after("select 1", true).await.unwrap();
    assert_eq!(problem.position, Some(world.login), "{problem}");
    // A person that is erased is no edit.
    let erased = "update events set personal = null, salt = substr(salt, 1, 0) where tenant_id = '{it}' and position = {n}";
    assert_eq!(world.after(erased, true).await, None);
    // Another tenant's log is as it was.
    assert_eq!(world.app.verify(&world.other, &[]).await.problem, None);
}

#[tokio::test]
async fn R139_deletion_insertion_reordering_and_truncation_are_found_at_the_first_bad_row() {
    let world = World::new().await;
    let move_on = "update events set position = position + 100000 where tenant_id = '{it}' and position >= {n}; \
                   update events set position = position - 99999 where tenant_id = '{it}' and position > 100000";
    let login = world.login;
    for (script, position, says) in [
        ("delete from events where tenant_id = '{it}' and position = {n}".to_owned(), login, "is missing"),
        ("delete from events where tenant_id = '{it}' and position = 1".to_owned(), 1, "is missing"),
        ("delete from events where tenant_id = '{it}'".to_owned(), 1, "is missing"),
        ("delete from events where tenant_id = '{it}' and position > 303".to_owned(), 304, "is missing"),
        (
            "update events set position = 100000 where tenant_id = '{it}' and position = {n}; \
             update events set position = {n} where tenant_id = '{it}' and position = 20; \
             update events set position = 20 where tenant_id = '{it}' and position = 100000"
                .to_owned(),
            login,
            "is not what was sealed at its position",
        ),
        (
            format!(
                "{move_on}; insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, details, \
                 salt) select tenant_id, 'new', {{n}}, name, outcome, occurred_at, actor_kind, details, salt from events \
                 where tenant_id = '{{it}}' and position = 1"
            ),
            login,
            "is not what was sealed at its position",
        ),
        (
            "insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, details, salt) \
             select tenant_id, 'new', 500, name, outcome, occurred_at, actor_kind, details, salt from events \
             where tenant_id = '{it}' and position = 1"
                .to_owned(),
            307,
            "is missing",
        ),
        (
            "insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, details, salt) \
             select tenant_id, 'new', 307, name, outcome, occurred_at, actor_kind, details, salt from events \
             where tenant_id = '{it}' and position = 1"
                .to_owned(),
            307,
            "stands behind the tenant's newest number",
        ),
        // Whoever says that there are more than anybody could count keeps nobody counting.
        (
            "insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, details, salt) \
             select tenant_id, 'new', 9000000000000000000, name, outcome, occurred_at, actor_kind, details, salt \
             from events where tenant_id = '{it}' and position = 1"
                .to_owned(),
            307,
            "is missing",
        ),
        (
            "update event_heads set position = 9000000000000000000 where tenant_id = '{it}'".to_owned(),
            307,
            "is missing",
        ),
        (
            "update event_heads set position = 9000000000000000000, sealed = 9000000000000000000 \
             where tenant_id = '{it}'"
                .to_owned(),
            307,
            "is missing",
        ),
        // Nobody has signed that these were old.
        (
            "delete from events where tenant_id = '{it}' and position < {n}; \
             update event_heads set deleted_until = {n} - 1 where tenant_id = '{it}'; \
             insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
             select tenant_id, 'zzz', 'audit_events_deleted', outcome, occurred_at, actor_kind, \
             '{\"until\":4,\"note\":\"4\"}', salt from events where tenant_id = '{it}' and position = 20"
                .to_owned(),
            1,
            "is missing",
        ),
    ] {
        for given in [true, false] {
            let problem = world.after(&script, given).await.unwrap_or_else(|| panic!("{script}"));
            assert_eq!(problem.position, Some(position), "{script}: {problem}");
            assert!(problem.to_string().contains(says), "{script}: {problem}");
        }
    }
}

#[tokio::test]
async fn R139_hashes_and_checkpoints_that_were_altered_are_found() {
    let world = World::new().await;
    let it = "where tenant_id = '{it}'";
    for (script, says) in [
        (format!("delete from event_tiles {it}"), "what is stored of its hash"),
        (format!("delete from event_tiles {it} and level = 1"), "what is stored of its hash is not whole"),
        (format!("delete from event_tiles {it} and tile = 1"), "what is stored of its hash is not whole"),
        (
            format!("update event_tiles set hashes = substr(hashes, 1, 32) {it} and level = 0 and tile = 0"),
            "what is stored of its hash is not whole",
        ),
        (
            format!(
                "update event_tiles set hashes = (select root from event_heads {it}) {it} and level = 1 and tile = 0"
            ),
            "what is stored of its hash is not whole, or was altered",
        ),
        (
            format!(
                "update event_tiles set hashes = \
                 cast((select hashes from event_tiles {it} and level = 1) || substr(hashes, 33) as bytea) {it} and level = 0 and tile = 0"
            ),
            "what is stored of its hash was altered; its row is what was sealed",
        ),
        (format!("update event_heads set root = substr(root, 2) {it}"), "size or root"),
        (format!("update event_heads set sealed = 300 {it}"), "size or root"),
        (format!("update event_heads set checkpoint = null {it}"), "checkpoint is missing"),
        (
            format!("update event_heads set checkpoint = replace(checkpoint, '306', '305') {it}"),
            "not what was signed",
        ),
        (
            format!(
                "update event_heads set checkpoint = (select checkpoint from event_heads where tenant_id = '{{other}}') {it}"
            ),
            "not what was signed for it",
        ),
        (format!("delete from event_heads {it}"), "stands behind"),
    ] {
        let problem = world.after(&script, false).await.unwrap_or_else(|| panic!("{script}"));
        assert!(problem.to_string().contains(says), "{script}: {problem}");
        assert!(world.after(&script, true).await.is_some(), "{script}");
    }
}

/// Alters an event's row and the hash that is stored of it, in the first 256, so that both fit.
pub(super) async fn forge(app: &TestApp, it: &TestTenant, edit: &str, position: u64) {
    app.script(&format!("update events set {edit} where tenant_id = '{}' and position = {position}", it.id))
        .await;
    let (from, until) = (position.cast_signed() - 1, position.cast_signed());
    let row = app.database.list(find_events(&it.id, from, until, 1)).await.unwrap();
    let hash = Leaf::from_row(&row[0]).unwrap().hash();
    let sql = "select hashes from event_tiles where tenant_id = $1 and level = 0 and tile = 0";
    let rows = app.database.list(Statement::new(sql).bind(&it.id)).await.unwrap();
    let mut hashes = rows[0].bytes("hashes").unwrap();
    let at = 32 * usize::try_from(from).unwrap();
    hashes[at..at + 32].copy_from_slice(&hash);
    let sql =
        "update event_tiles set hashes = $2 where tenant_id = $1 and level = 0 and tile = 0 returning tile";
    app.change(Statement::new(sql).bind(&it.id).bind(hashes)).await;
}

#[tokio::test]
async fn R139_a_row_that_was_altered_with_its_hash_is_found_between_two_checkpoints() {
    let world = World::new().await;
    let leaves = world.app.leaves(&world.it.id).await;
    let early = |size: u64| Checkpoint {
        size,
        root: super::by_the_book(&leaves[..usize::try_from(size).unwrap()]),
        ..world.checkpoint.clone()
    };
    let given = [early(world.login - 1), early(world.login + 3), world.checkpoint.clone()];
    assert_eq!(world.app.verify(&world.it, &given).await.problem, None);
    forge(&world.app, &world.it, "outcome = 'failure'", world.login).await;
    let problem = world.app.verify(&world.it, &given).await.problem.unwrap();
    let range = format!("of the events {} to {} at least one was altered", world.login, world.login + 3);
    assert!(problem.to_string().contains(&range), "{problem}");
    // Without one from outside it is the log's own that does not hold.
    let problem = world.app.verify(&world.it, &[]).await.problem.unwrap();
    assert!(problem.to_string().contains("of the events 1 to 306"), "{problem}");
}

#[tokio::test]
async fn R139_a_log_that_was_put_back_to_an_earlier_state_is_found_by_a_checkpoint_from_outside() {
    let world = World::new().await;
    let World { app, it, .. } = &world;
    app.login(it, Family::Admin).await.expect(200);
    app.seal_events().await;
    let newer = app.checkpoint(it).await;
    world.put_back().await;
    // All of it is as it once was, with the right signature: only who has seen more knows.
    assert_eq!(app.verify(it, &[]).await.problem, None);
    let problem = app.verify(it, std::slice::from_ref(&newer)).await.problem.unwrap();
    assert_eq!(problem.position, Some(307));
    assert!(problem.what.contains("tells of 308 events and 306 are sealed"), "{problem}");
    // What comes to stand there instead is another log.
    for _ in 0..2 {
        app.login(it, Family::Organization).await.expect(200);
    }
    app.seal_events().await;
    let problem = app.verify(it, &[newer]).await.problem.unwrap();
    assert!(problem.what.contains("altered together with its hash"), "{problem}");
}

#[tokio::test]
async fn R139_R140_a_log_is_verified_while_it_grows() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    put_many(&app, &tenant, 600).await;
    app.seal_events().await;
    let grow = async {
        for _ in 0..30 {
            app.login(&tenant, Family::Individual).await.expect(200);
            app.seal_events().await;
        }
    };
    let look = async {
        for _ in 0..30 {
            let report = app.verify(&tenant, &[]).await;
            assert_eq!(report.problem, None);
        }
    };
    tokio::join!(grow, look);
}
