//! A file that another process has locked. Always on SQLite.

use super::Cut;
use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn R160_while_another_process_holds_the_lock_what_writes_is_refused_within_a_second_and_reads_go_on() {
    let database = support::sqlite().await;
    let (url, file) = (database.url.clone(), database.file());
    let cut = Cut::on(database, &url).await;
    let other = rusqlite::Connection::open(file).unwrap();
    for _ in 0..2 {
        other.execute_batch("begin immediate").unwrap();
        cut.refuses(&["login"]).await;
        for (name, found) in cut.ask_all().await {
            match name {
                // A refresh that is asked for again within its grace writes nothing.
                "look" | "introspect" | "ready" | "refresh" => {
                    assert_eq!(found.status, 200, "{name}: {}", found.text);
                }
                "over" => assert_eq!(found.status, 401),
                _ => assert_eq!(found.status, 503, "{name}: {}", found.text),
            }
        }
        other.execute_batch("rollback").unwrap();
        cut.recovers().await;
    }
}
