//! By which indexes PostgreSQL answers a login.

use vestibule::db::Statement;
use vestibule::source_limits::store::delete_attempts_that_are_over;
use vestibule::tenants::Family;

use crate::support::app::{TestApp, Wanted};
use crate::support::login::until;

/// How often an index was used by who has left since.
async fn uses(app: &TestApp, index: &'static str) -> i64 {
    let uses = Statement::new("select idx_scan as uses from pg_stat_user_indexes where indexrelname = $1");
    app.database.list(uses.bind(index)).await.unwrap()[0].int("uses").unwrap()
}

/// Ends all other connections: what they did is counted when they leave.
async fn send_everybody_home(app: &TestApp) {
    let leave = "select pg_terminate_backend(pid) is null as refused from pg_stat_activity \
                 where datname = current_database() and pid <> pg_backend_pid()";
    until("everybody has left", async || app.database.list(Statement::new(leave)).await.unwrap().is_empty())
        .await;
}

#[tokio::test]
async fn a_login_looks_at_its_own_marks_by_their_keys_however_empty_the_tables_seem() {
    let app = TestApp::start_with(Wanted { source_limits: true, ..Wanted::default() }).await;
    if app.database.is_sqlite() {
        return; // its plans depend on no statistics that we do not make ourselves
    }
    app.script("analyze throttles; analyze attempts; analyze login_sources; analyze source_attempts").await;
    let tenant = app.tenant("acme").await;
    let login = tenant.login(Family::Individual);
    for _ in 0..8 {
        assert_eq!(app.send(login.request()).await.status, 200);
        let wrong = login.clone().named("nobody").set("password", "a wrong one");
        assert!([401, 423].contains(&app.send(wrong.request()).await.status.as_u16()));
    }
    send_everybody_home(&app).await;
    let others = "select coalesce(sum(s.idx_scan), 0)::bigint as uses from pg_stat_user_indexes s \
                  join pg_index i on i.indexrelid = s.indexrelid where not i.indisprimary \
                  and s.relname in ('throttles', 'attempts', 'login_sources', 'source_attempts')";
    let others = app.database.list(Statement::new(others)).await.unwrap();
    assert_eq!(others[0].int("uses").unwrap(), 0, "those are upkeep's");
    for index in ["throttles_pkey", "login_sources_pkey", "source_attempts_pkey"] {
        assert!(uses(&app, index).await >= 16, "{index}");
    }
    let now = app.clock.now().as_millis();
    let many = format!(
        "insert into source_attempts (tenant_id, source, id, reserved_at) select tenant_id, source, 'mark ' || n, {now} \
         from login_sources cross join generate_series(1, 20000) n; analyze source_attempts"
    );
    app.script(&many).await;
    app.database.apply(delete_attempts_that_are_over(app.clock.now(), 10)).await.unwrap();
    send_everybody_home(&app).await;
    assert_eq!(uses(&app, "source_attempts_reserved").await, 1, "and upkeep looks by it for what is over");
}
