//! Sessions end together, and how each ended is written down.

mod chance;
mod deleted;
mod everywhere;
mod written_down;

use vestibule::db::Database;
use vestibule::flows::write_down_endings;
use vestibule::ids::{SessionId, UserId};
use vestibule::sessions::Session;
use vestibule::tenants::Family;

use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Opened;

const INDIVIDUAL: Family = Family::Individual;
const MINUTE: i64 = 60_000;

/// Writes down all endings, as upkeep does, in slices of so many; how many there were.
async fn write_down_all(app: &TestApp, database: &Database, most: i64) -> usize {
    let (mut after, mut number, mut slices) = (None, 0, 0);
    loop {
        let slice = write_down_endings(database, after.as_deref(), most, app.clock.now()).await.unwrap();
        if let Some(error) = slice.failure {
            panic!("{error:?}");
        }
        number += slice.sessions;
        slices += 1;
        assert!(slices < 1_000, "it comes to an end");
        after = slice.next;
        if after.is_none() {
            return number;
        }
    }
}

/// A session's row, with what decides whether it lives.
async fn whole(app: &TestApp, tenant: &TestTenant, opened: &Opened) -> vestibule::flows::WholeSession {
    let user = UserId::parse(opened.data["userId"].as_str().unwrap()).unwrap();
    let session = SessionId::parse(&opened.session).unwrap();
    vestibule::flows::get_whole_session(&app.database, &tenant.id, &user, &session).await.unwrap()
}

/// When (in milliseconds) and why a session has ended, by all that is known now.
async fn ending(app: &TestApp, tenant: &TestTenant, opened: &Opened) -> Option<(i64, String)> {
    let whole = whole(app, tenant, opened).await;
    let ending = Session::ending(&whole.session, &whole.tenant, &whole.user, app.clock.now());
    ending.map(|(at, reason)| (at.as_millis(), reason))
}

/// What the session's row says by itself.
async fn in_row(app: &TestApp, tenant: &TestTenant, opened: &Opened) -> Option<(i64, String)> {
    let Session { ended_at, end_reason, .. } = whole(app, tenant, opened).await.session;
    Some((ended_at?.as_millis(), end_reason?))
}

#[expect(clippy::unnecessary_wraps, reason = "it stands beside an ending, which may be none")]
fn because(at: i64, reason: &str) -> Option<(i64, String)> {
    Some((at, reason.to_owned()))
}
