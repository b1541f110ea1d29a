//! Somebody else who writes.

use super::app::TestApp;
use super::login::until;

/// Somebody who lets nobody else write to a table, until what comes back is called; for some seconds at most on PostgreSQL.
pub async fn hold_table(app: &TestApp, table: &str) -> Box<dyn FnOnce() + Send> {
    if app.database.is_sqlite() {
        let other = rusqlite::Connection::open(app.database.file()).unwrap();
        other.execute_batch("begin immediate").unwrap();
        return Box::new(move || other.execute_batch("rollback").unwrap());
    }
    let other = app.database.open_again().await;
    let script = format!("begin; lock table {table} in exclusive mode; select pg_sleep(5); rollback");
    let holding = tokio::spawn(async move { other.execute_script(&script).await.unwrap() });
    until("the table is locked", async || {
        let held =
            format!("pg_locks where mode = 'ExclusiveLock' and relation = '{table}'::regclass and granted");
        app.number_of(&held).await > 0
    })
    .await;
    Box::new(move || drop(holding))
}
