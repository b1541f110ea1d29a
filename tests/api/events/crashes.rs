//! A server that is killed while it numbers events leaves no half of it.

use std::time::Duration;

use vestibule::db::{Change, Statement};
use vestibule::ids::{EventId, TenantId};
use vestibule::tenants::Family;

use super::numbering::waiting_without_a_gap;
use crate::commands::init::Installation;
use crate::support::app::START;
use crate::support::dice::Dice;
use crate::support::login::until;

const KILLS: u64 = 6;
const CROWD: usize = 4_000;

/// So many events that wait for a number, of a tenant.
fn crowd(tenant: &TenantId) -> Vec<Change> {
    let event = |_| {
        let sql = "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
                   values ($1, $2, 'user_updated', 'success', 1, 'system', '{}', $3)";
        Statement::new(sql).bind(tenant).bind(&EventId::at(START)).bind(vec![1; 16])
    };
    (0..CROWD / 500).map(|_| Change::new().with_all((0..500).map(event))).collect()
}

#[tokio::test]
async fn R140_R154_a_server_killed_while_it_numbers_events_leaves_no_half_of_it() {
    let made = Installation::new().await;
    let mut dice = Dice::new(140);
    let mut cut_short = 0;
    for _ in 0..KILLS {
        let database = made.database.open_again().await;
        let tenants =
            database.list(Statement::new("select id from tenants where slug = 'acme'")).await.unwrap();
        let tenant = TenantId::from_stored(tenants[0].text("id").unwrap());
        for change in crowd(&tenant) {
            database.apply(change).await.unwrap();
        }
        let before = waiting_without_a_gap(&database).await;
        let mut server = made.folder.serve(&[]);
        until("it has begun", async || waiting_without_a_gap(&database).await < before).await;
        tokio::time::sleep(Duration::from_micros(dice.below(40_000))).await;
        server.kill();
        // On PostgreSQL the server may still be at work on what the dead process sent it last.
        let left = waiting_without_a_gap(&database).await;
        cut_short += i32::from(left > 0);
        database.close().await;
    }
    assert!(cut_short > 0, "no kill came in the middle");
    // The next one goes on where the last was, while people log in.
    let server = made.folder.serve(&[]);
    let logged_in = server.login(Family::Admin, "acme", &made.login()).await;
    assert_eq!(logged_in.0, 200, "{}", logged_in.1);
    let database = made.database.open_again().await;
    until("all are numbered", async || waiting_without_a_gap(&database).await == 0).await;
    // Slice by slice, which takes a busy machine a while.
    let unsealed = async || {
        let sql = "select cast(coalesce(sum(position - sealed), 0) as bigint) as left_over from event_heads";
        database.list(Statement::new(sql)).await.unwrap()[0].int("left_over").unwrap()
    };
    loop {
        let before = unsealed().await;
        if before == 0 {
            break;
        }
        until("more are sealed", async || unsealed().await < before).await;
    }
    server.stop();
    assert_eq!(waiting_without_a_gap(&database).await, 0);
    // No kill has left a half of what is sealed either.
    let said = made.run(&["audit", "verify"]);
    assert!(said.contains(" events hold"), "{said}");
}
