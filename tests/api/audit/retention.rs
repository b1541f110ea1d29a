//! Old events go, and the log is verified as before.

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::flows::{LogReport, delete_old_events};
use vestibule::tenants::{Family, Settings};

use super::sealing::put_many;
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
