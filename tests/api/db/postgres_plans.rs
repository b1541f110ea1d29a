//! How PostgreSQL is to plan our statements. Always on PostgreSQL.

use vestibule::db::{Change, Row, Statement};

use crate::support;

const SETTINGS: [&str; 3] = ["enable_seqscan", "jit", "plan_cache_mode"];

fn asked() -> Statement {
    Statement::new(
        "select current_setting('enable_seqscan') as enable_seqscan, current_setting('jit') as jit, \
         current_setting('plan_cache_mode') as plan_cache_mode",
    )
}

fn told(row: &Row) -> [String; 3] {
    SETTINGS.map(|name| row.text(name).unwrap())
}

#[tokio::test]
async fn reads_by_key_and_changes_go_by_indexes_however_a_table_looks_and_lists_as_the_server_likes() {
    let database = support::postgres().await;
    assert_eq!(told(&database.fetch(asked()).await.unwrap()[0]), ["off", "off", "force_generic_plan"]);
    let single = database.apply(Change::from(asked())).await.unwrap();
    let several = database.apply(Change::new().with(asked()).with(asked())).await.unwrap();
    for applied in [single, several] {
        assert_eq!(told(&applied.rows(0)[0]), ["off", "off", "auto"]);
    }
    assert_eq!(told(&database.list(asked()).await.unwrap()[0]), ["on", "on", "auto"]);
}
