//! Old events go, and the log is verified as before.

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::flows::{LogReport, delete_old_events};
use vestibule::tenants::{Family, Settings};

use super::sealing::put_many;
use super::verify::forge;
use crate::support::app::{TestApp, TestTenant};

const DAY_MILLIS: i64 = 24 * 3_600_000;

impl TestApp {
    async fn delete_old_events(&self) {
        delete_old_events(&self.app.db, &self.app.master, self.clock.now()).await.unwrap();
    }
}

async fn events(app: &TestApp, tenant: &TestTenant) -> i64 {
    app.number_of(&format!("events where tenant_id = '{}'", tenant.id)).await
}

fn holds(report: &LogReport, sealed: u64, deleted: u64) {
    assert_eq!((&report.problem, report.sealed, report.deleted), (&None, sealed, deleted));
}

#[tokio::test]
async fn R141_events_are_kept_for_400_days_and_then_go_and_the_log_is_verified_as_before() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    put_many(&app, &tenant, 1_200).await;
    app.script("update events set occurred_at = (select max(created_at) from tenants) where occurred_at = 1")
        .await;
    app.seal_events().await;
    let before = app.checkpoint(&tenant).await;
    app.clock.advance(400 * DAY_MILLIS);
    app.delete_old_events().await;
    assert_eq!(events(&app, &tenant).await, 1_204, "not a moment too early");

    app.login(&tenant, Family::Individual).await.expect(200);
    app.seal_events().await;
    app.clock.advance(1_000);
    app.delete_old_events().await;
    let said = app.details_of(&tenant, "audit_events_deleted").await;
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["until"], &said[0]["before"]), (&1_204.into(), &"2026-03-16T19:49:33.000Z".into()));
    assert_eq!(events(&app, &tenant).await, 2 + 1, "the login's, and this one");
    // Also while what says so has no number yet.
    holds(&app.verify(&tenant, std::slice::from_ref(&before)).await, 1_206, 1_204);
    app.seal_events().await;
    let newest = app.checkpoint(&tenant).await;
    holds(&app.verify(&tenant, &[before, newest]).await, 1_207, 1_204);
    app.delete_old_events().await;
    assert_eq!(app.details_of(&tenant, "audit_events_deleted").await.len(), 1, "once");
    // The feed begins with what is there.
    let page = app.feed(&tenant, "").await.expect(200);
    assert_eq!(page.data()["items"][0]["position"], 1_205);

    // What is missing beyond that is found, whatever the head says.
    let one = "delete from events where tenant_id = $1 and position = 1205 returning id";
    app.change(Statement::new(one).bind(&tenant.id)).await;
    app.script("update event_heads set deleted_until = 1205").await;
    assert_eq!(app.verify(&tenant, &[]).await.problem.unwrap().position, Some(1_205));
}

#[tokio::test]
async fn R141_a_tenant_keeps_its_events_for_as_long_as_it_wants_and_at_least_a_year() {
    let app = TestApp::start().await;
    let tenant = |days| Settings { audit_retention_days: days, ..Settings::default() };
    let (for_ever, year) =
        (app.tenant_with("forever", tenant(0)).await, app.tenant_with("year", tenant(365)).await);
    for days in [1, 90, 364] {
        assert_eq!(tenant(days).problems()[0].field, "settings.auditRetentionDays");
    }
    app.seal_events().await;
    app.clock.advance(366 * DAY_MILLIS);
    app.delete_old_events().await;
    assert_eq!((events(&app, &for_ever).await, events(&app, &year).await), (4, 1));
    app.clock.advance(4_000 * DAY_MILLIS);
    app.delete_old_events().await;
    assert_eq!(events(&app, &for_ever).await, 4);
    holds(&app.verify(&for_ever, &[]).await, 4, 0);
    holds(&app.verify(&year, &[]).await, 4, 4);
}

#[tokio::test]
async fn R141_what_is_not_sealed_is_not_deleted_and_a_deletion_that_was_cut_short_goes_on() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    app.clock.advance(500 * DAY_MILLIS);
    app.delete_old_events().await;
    assert_eq!(events(&app, &tenant).await, 4, "not sealed");
    put_many(&app, &tenant, 1_100).await;
    app.seal_events().await;
    // The second slice cannot be written.
    let script = if app.database.is_sqlite() {
        "create trigger stuck before delete on events when old.position > 700 begin select raise(abort, 'stuck'); end"
    } else {
        "create function stuck() returns trigger as $$ begin if old.position > 700 then raise 'stuck'; end if; \
         return old; end $$ language plpgsql; \
         create trigger stuck before delete on events for each row execute function stuck()"
    };
    app.script(script).await;
    delete_old_events(&app.app.db, &app.app.master, app.clock.now()).await.unwrap_err();
    assert_eq!(events(&app, &tenant).await, 1_104 - 500 + 1);
    holds(&app.verify(&tenant, &[]).await, 1_104, 500);
    app.script(if app.database.is_sqlite() { "drop trigger stuck" } else { "drop trigger stuck on events" })
        .await;
    app.delete_old_events().await;
    let said: Vec<Value> = app.details_of(&tenant, "audit_events_deleted").await;
    assert_eq!((said.len(), events(&app, &tenant).await), (1, 1));
    app.seal_events().await;
    holds(&app.verify(&tenant, &[]).await, 1_105, 1_104);
}

/// Looks for old events, whatever comes of it: why it stopped, if it did.
async fn look_for_old(app: &TestApp) -> Option<String> {
    let looked = delete_old_events(&app.app.db, &app.app.master, app.clock.now()).await;
    looked.err().map(|error| format!("{:#}", anyhow::Error::from(error)))
}

#[tokio::test]
async fn R139_R141_what_only_looks_old_is_not_deleted_and_what_was_altered_is_not_signed_away() {
    let it = "where tenant_id = '{it}'";
    for (script, first) in [
        (format!("update events set occurred_at = 0 {it} and position <= 5"), Some(1)),
        (format!("update events set occurred_at = 0 {it}"), Some(1)),
        (
            format!(
                "delete from events {it} and position <= 3; update events set occurred_at = 0 {it} and position = 4"
            ),
            Some(1),
        ),
        (
            format!(
                "delete from events {it} and position <= 3; update event_heads set deleted_until = 3 {it}; \
                 update events set occurred_at = 0 {it} and position > 3"
            ),
            Some(1),
        ),
        // Nobody may keep them for a day only, whatever stands there.
        ("update tenants set settings = '{\"auditRetentionDays\":1}' where id = '{it}'".to_owned(), None),
        ("update tenants set settings = '{\"auditRetentionDays\":-9}' where id = '{it}'".to_owned(), None),
    ] {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        app.login(&tenant, Family::Individual).await.expect(200);
        app.seal_events().await;
        let outside = [app.checkpoint(&tenant).await];
        app.clock.advance(300 * DAY_MILLIS);
        app.script(&script.replace("{it}", tenant.id.as_str())).await;
        let there = events(&app, &tenant).await;
        let stopped = look_for_old(&app).await;
        assert_eq!(stopped.is_some(), first.is_some(), "{script}: {stopped:?}");
        assert!(stopped.is_none_or(|why| why.contains("was altered")), "{script}");
        assert_eq!(events(&app, &tenant).await, there, "{script}: nothing is deleted, and nothing signed");
        let problem = app.verify(&tenant, &outside).await.problem;
        assert_eq!(problem.and_then(|problem| problem.position), first, "{script}");
    }
}

#[tokio::test]
async fn R139_R141_of_old_events_those_before_the_first_that_was_altered_go() {
    let it = "where tenant_id = '{it}' and position = 700";
    for script in [
        format!("update events set reason = 'another' {it}"),
        format!("delete from events {it}"),
        "delete from events where tenant_id = '{it}' and position >= 700".to_owned(),
        format!("update events set personal = '{{}}' {it}"),
        format!("update events set occurred_at = {} {it}", i64::MAX),
    ] {
        let app = TestApp::start().await;
        let tenant = app.tenant("acme").await;
        app.number_events().await;
        put_many(&app, &tenant, 1_100).await;
        app.seal_events().await;
        let outside = [app.checkpoint(&tenant).await];
        app.clock.advance(500 * DAY_MILLIS);
        app.script(&script.replace("{it}", tenant.id.as_str())).await;
        let stopped = look_for_old(&app).await.unwrap();
        assert!(stopped.contains("position 700"), "{stopped}");
        let again = look_for_old(&app).await;
        assert!(again.is_none_or(|again| again == stopped), "{script}");
        let said = app.details_of(&tenant, "audit_events_deleted").await;
        assert_eq!((said.len(), &said[0]["until"]), (1, &699.into()), "{script}");
        let report = app.verify(&tenant, &outside).await;
        assert_eq!(report.problem.unwrap().position, Some(700), "{script}");
        assert_eq!(report.deleted, 699);
    }
}

/// Whoever writes to the database can let us seal, and so sign, whatever they like; also that it was old.
#[tokio::test]
async fn R139_R141_a_deletion_of_another_past_says_nothing_of_this_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    put_many(&app, &tenant, 100).await;
    app.seal_events().await;
    let outside = [app.checkpoint(&tenant).await];
    let tables = ["event_heads", "event_tiles"];
    for table in tables {
        app.script(&format!("create table kept_{table} as select * from {table}")).await;
    }
    let put_back = async || {
        for table in tables {
            app.script(&format!("delete from {table}; insert into {table} select * from kept_{table}")).await;
        }
    };
    app.clock.advance(500 * DAY_MILLIS);
    app.script("update event_heads set deleted_until = 2").await;
    let stopped = look_for_old(&app).await.unwrap();
    assert!(stopped.contains("position 1: nothing signed says that it was deleted"), "{stopped}");
    app.script("update event_heads set deleted_until = 0").await;
    // A row together with its hash: it is not what was signed.
    forge(&app, &tenant, "reason = 'another'", 50).await;
    let stopped = look_for_old(&app).await.unwrap();
    assert!(stopped.contains("its hashes are not those that were signed"), "{stopped}");
    assert_eq!(events(&app, &tenant).await, 104);
    // All anew, as if nothing had ever been sealed.
    app.script(&format!(
        "delete from event_tiles where tenant_id = '{0}'; \
         update event_heads set sealed = 0, root = null, checkpoint = null where tenant_id = '{0}'",
        tenant.id
    ))
    .await;
    app.seal_events().await;
    assert_eq!(app.verify(&tenant, &[]).await.problem, None, "the log is held against itself");
    assert_eq!(look_for_old(&app).await, None);
    holds(&app.verify(&tenant, &[]).await, 104, 104);
    assert!(app.verify(&tenant, &outside).await.problem.is_some(), "only who has seen the first one knows");
    // What was signed of the one does not hold for the other.
    put_back().await;
    for given in [&outside[..], &[]] {
        let problem = app.verify(&tenant, given).await.problem.unwrap();
        assert!(problem.to_string().contains("of the events 1 to 104 at least one was altered"), "{problem}");
    }
    assert!(look_for_old(&app).await.is_none(), "there is nothing any more");
    // Nor is anything more deleted behind it.
    app.seal_events().await;
    app.clock.advance(500 * DAY_MILLIS);
    let stopped = look_for_old(&app).await.unwrap();
    assert!(stopped.contains("its hashes are not those that were signed"), "{stopped}");
    assert_eq!(events(&app, &tenant).await, 1, "what says so");
}

#[tokio::test]
async fn R139_R141_a_log_that_was_cut_off_behind_its_deletion_is_found_without_a_checkpoint() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    let tables = ["event_heads", "event_tiles"];
    for table in tables {
        app.script(&format!("create table kept_{table} as select * from {table}")).await;
    }
    put_many(&app, &tenant, 100).await;
    app.seal_events().await;
    app.clock.advance(500 * DAY_MILLIS);
    app.delete_old_events().await;
    holds(&app.verify(&tenant, &[]).await, 104, 104);
    for table in tables {
        app.script(&format!("delete from {table}; insert into {table} select * from kept_{table}")).await;
    }
    let problem = app.verify(&tenant, &[]).await.problem.unwrap();
    assert!(
        problem.to_string().starts_with("position 5: was deleted for its age, and is not sealed"),
        "{problem}"
    );
}
