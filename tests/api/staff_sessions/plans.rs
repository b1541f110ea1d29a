//! A page costs what it costs, however many sessions there are: each search reads by the index that fits.

use vestibule::events::store::insert_for_ended_sessions;
use vestibule::events::{Actor, Event, EventName};
use vestibule::ids::{ChangeId, CustomerId, SessionId, UserId};
use vestibule::sessions::search::{SessionFilter, SessionState, store};
use vestibule::tenants::Family;

use super::start;
use crate::support::app::{START, TestApp, TestTenant};

/// Gives the tenant so many sessions of its individual's user, a millisecond after another from the clock's instant on;
/// a session must be there to be copied. Half of them have ended; each hundredth is on one device, each other from one
/// address.
pub async fn fill(app: &TestApp, tenant: &TestTenant, number: i64) {
    let at = app.clock.now().as_millis();
    let id = if app.database.is_sqlite() {
        "printf('%08x-%04x-7000-8000-%012x', (at / 65536), (at % 65536), n)"
    } else {
        "lpad(to_hex(at / 65536), 8, '0') || '-' || lpad(to_hex(at % 65536), 4, '0') || '-7000-8000-' \
         || lpad(to_hex(n), 12, '0')"
    };
    app.script(&format!(
        "insert into sessions (tenant_id, id, user_id, customer_id, family, device_id, platform, client_ip, \
         client_ip_reason, signing_kid, amr, created_at, idle_expires_at, expires_at, generation, salt, refresh_key_id, \
         ended_at, end_reason, change_id) \
         select tenant_id, {id}, user_id, customer_id, family, \
         case when n % 100 = 0 then 'rare' else 'device-1' end, 'web', \
         case when n % 100 = 0 then '203.0.113.9' else client_ip end, client_ip_reason, signing_kid, amr, at, \
         idle_expires_at + n, expires_at + n, 1, salt, refresh_key_id, \
         case when n % 2 = 0 then at end, case when n % 2 = 0 then 'logout' end, change_id \
         from (select s.*, numbers.n as n, {at} + numbers.n as at from (select * from sessions \
               where tenant_id = '{}' and family = 'individual' order by id limit 1) s, \
         (with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < {number}) \
          select n from numbers) numbers) numbered",
        tenant.id
    ))
    .await;
    if !app.database.is_sqlite() {
        // As PostgreSQL does by itself before long.
        app.script("analyze").await;
    }
    app.clock.advance(number + 1);
}

#[tokio::test]
async fn each_search_reads_by_the_index_that_fits_it() {
    let (app, acme) = start().await;
    app.open(&acme, Family::Individual).await;
    app.open(&acme, Family::Organization).await;
    app.open(&acme, Family::Admin).await;
    fill(&app, &acme, 60_000).await;
    if app.database.is_sqlite() {
        // As it is: nothing analyses it.
        reads_by_what_fits(&app, &acme).await;
    }
    app.script("analyze").await;
    reads_by_what_fits(&app, &acme).await;
}

async fn reads_by_what_fits(app: &TestApp, acme: &TestTenant) {
    let staff = acme.person(Family::Admin);
    let (user, customer): (Option<UserId>, Option<CustomerId>) =
        (Some(staff.id.clone()), Some(staff.customer.clone()));
    let (rare, address) = (Some("rare".to_owned()), Some("203.0.113.9".to_owned()));
    let (live, none) = (Some(SessionState::Live), SessionFilter::default);
    let primary = if app.database.is_sqlite() { "sqlite_autoindex_sessions_1" } else { "sessions_pkey" };
    let half = START.plus_millis(30_000);
    for (filter, indexes) in [
        (none(), vec![primary]),
        (SessionFilter { state: live, ..none() }, vec![primary]),
        (SessionFilter { platform: rare.clone(), ..none() }, vec![primary]),
        (SessionFilter { created_before: Some(half), ..none() }, vec![primary]),
        (SessionFilter { user: user.clone(), ..none() }, vec!["sessions_by_user"]),
        (SessionFilter { user, state: live, ..none() }, vec!["sessions_open_by_user", "sessions_by_user"]),
        (SessionFilter { customer, ..none() }, vec!["sessions_by_customer"]),
        (SessionFilter { device: rare, state: live, ..none() }, vec!["sessions_by_device"]),
        (SessionFilter { address, ..none() }, vec!["sessions_by_address"]),
    ] {
        let (from, before) = filter.range();
        let middle = SessionId::before(half).as_str().to_owned();
        let (now, tenant) = (app.clock.now(), &acme.id);
        for (what, statement) in [
            ("page", store::list(tenant, &filter, (&from, &before), 51, now)),
            ("next page", store::list(tenant, &filter, (&from, &middle), 500, now)),
            ("end", store::find_end_of_page(tenant, &filter, (&from, &before), 500)),
            ("slice", store::find_some(tenant, &filter, (&middle, &before), (500, 100), now)),
            ("end of slice", store::find_end_of_slice(tenant, &filter, (&from, &before), 500)),
            ("count", store::count(tenant, &filter, (&middle, &before), 500, now)),
        ] {
            let plan = app.database.plan(statement).await.unwrap();
            let fits = plan.lines().any(|line| indexes.iter().any(|index| line.contains(index)));
            assert!(fits, "{what} by {:?}: {plan}", filter.names());
            let scans = ["Seq Scan on sessions", "SCAN s", "SCAN k"];
            assert!(!scans.iter().any(|scan| plan.contains(scan)), "{what} by {:?}: {plan}", filter.names());
        }
    }
}

#[tokio::test]
async fn the_events_of_what_a_login_ended_are_found_without_going_through_all_sessions_of_the_user() {
    let (app, acme) = start().await;
    app.open(&acme, Family::Individual).await;
    fill(&app, &acme, 20_000).await;
    let person = acme.person(Family::Individual);
    let event = Event::new(EventName::SessionExpired, Actor::System);
    let (change, now) = (ChangeId::random(), app.clock.now());
    let statement = insert_for_ended_sessions(&acme.id, &event, &person.id, &change, now);
    let plan = app.database.plan(statement).await.unwrap();
    assert!(plan.contains("sessions_ended_by_user"), "{plan}");
}
