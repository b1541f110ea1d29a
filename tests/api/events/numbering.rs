//! The sealer: events get their numbers without a gap, once, and in an order that no reader loses one by.

use std::collections::BTreeSet;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use vestibule::db::{Change, Database, DbError, Statement};
use vestibule::events::sealing::store::number;
use vestibule::flows::number_events;
use vestibule::ids::{EventId, NIL};
use vestibule::telemetry::metrics;
use vestibule::tenants::Family;
use vestibule::upkeep;

use crate::support::app::{TestApp, TestTenant};
use crate::support::login::{answer, two_instances, until};

/// What each tenant's events have for numbers: its head, how many, the lowest and the highest, and how many have none.
const NUMBERS: &str = "select e.tenant_id as tenant_id, coalesce(max(h.position), 0) as head, \
    count(e.position) as number, coalesce(min(e.position), 0) as lowest, coalesce(max(e.position), 0) as highest, \
    count(*) - count(e.position) as waiting \
    from events e left join event_heads h on h.tenant_id = e.tenant_id group by e.tenant_id";

/// That each tenant's numbers go from 1 to its head, which is so at every moment; how many events wait for one.
pub async fn waiting_without_a_gap(database: &Database) -> i64 {
    let rows = database.list(Statement::new(NUMBERS)).await.unwrap();
    assert!(!rows.is_empty());
    let mut waiting = 0;
    for row in rows {
        let int = |column| row.int(column).unwrap();
        let (head, lowest) = (int("head"), i64::from(int("head") > 0));
        assert_eq!((int("number"), int("lowest"), int("highest")), (head, lowest, head), "{row:?}");
        waiting += int("waiting");
    }
    waiting
}

/// The ids of a tenant's events in the order of their numbers.
async fn in_order(app: &TestApp, tenant: &TestTenant) -> Vec<String> {
    let sql = "select id from events where tenant_id = $1 and position is not null order by position";
    let rows = app.database.list(Statement::new(sql).bind(&tenant.id)).await.unwrap();
    rows.iter().map(|row| row.text("id").unwrap()).collect()
}

/// Puts an event into a tenant, past the API.
async fn put(app: &TestApp, tenant: &str, id: &str) {
    app.script(&format!(
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
         select '{tenant}', '{id}', 'user_updated', 'success', 1, 'system', '{{}}', salt from events limit 1"
    ))
    .await;
}

#[tokio::test]
async fn events_are_numbered_tenant_by_tenant_in_the_order_of_their_ids() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    for tenant in [&acme, &globex, &acme] {
        app.login(tenant, Family::Individual).await.expect(200);
    }
    assert_eq!(waiting_without_a_gap(&app.database).await, 13);
    assert_eq!(app.number_events().await, 13);
    assert_eq!(waiting_without_a_gap(&app.database).await, 0);
    assert_eq!(app.number_events().await, 0, "once");
    let ids = in_order(&app, &acme).await;
    assert!(ids.len() == 7 && ids.is_sorted());

    // What is seen later gets a later number, however early it was made.
    let early = "00000000-0000-7000-8000-000000000001";
    put(&app, acme.id.as_str(), early).await;
    put(&app, NIL, "00000000-0000-7000-8000-000000000002").await;
    assert_eq!(app.number_events().await, 2);
    assert_eq!(in_order(&app, &acme).await.last().map(String::as_str), Some(early));
    assert_eq!(waiting_without_a_gap(&app.database).await, 0);
}

#[tokio::test]
async fn a_round_that_begins_late_leaves_what_was_made_before_to_a_later_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let round = |since| number_events(&app.database, since, app.clock.now());
    // Far away: tests beside this one have clocks of their own, and ids of one process never go back.
    assert_eq!(round(Some(app.clock.now().plus_seconds(1_000 * 31_557_600))).await.unwrap().events, 0);
    assert_eq!(round(Some(app.clock.now())).await.unwrap().events, 4);
    put(&app, tenant.id.as_str(), "00000000-0000-7000-8000-000000000001").await;
    assert_eq!(round(Some(app.clock.now())).await.unwrap().events, 0);
    assert_eq!(round(None).await.unwrap().events, 1);
}

#[tokio::test]
async fn a_crowd_of_events_is_numbered_in_slices_and_keeps_no_other_tenants_waiting() {
    let app = TestApp::start().await;
    let (crowd, small) = (app.tenant("crowd").await, app.tenant("small").await);
    let mut ids: Vec<_> = (0..1100).map(|_| EventId::at(app.clock.now()).to_string()).collect();
    let rows: Vec<_> = ids
        .iter()
        .map(|id| format!("('{}', '{id}', 'user_updated', 'success', 1, 'system', '{{}}')", crowd.id))
        .collect();
    app.script(&format!(
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
         select column1, column2, column3, column4, column5, column6, column7, s.salt \
         from (values {}) as v cross join (select salt from events limit 1) as s",
        rows.join(", ")
    ))
    .await;
    app.login(&small, Family::Individual).await.expect(200);
    assert_eq!(app.number_events().await, 1100 + 8 + 2);
    assert_eq!(waiting_without_a_gap(&app.database).await, 0);
    let order = in_order(&app, &crowd).await;
    ids.sort();
    assert_eq!(order[4..], ids[..]);
}

#[tokio::test]
async fn R140_a_tenants_events_are_numbered_together_with_its_head_or_not_at_all() {
    let app = TestApp::start().await;
    let (broken, sound) = (app.tenant("broken").await, app.tenant("sound").await);
    app.number_events().await;
    for tenant in [&broken, &sound] {
        app.login(tenant, Family::Individual).await.expect(200);
    }
    // As no version of ours would leave it: the number after the next one is taken.
    put(&app, broken.id.as_str(), "00000000-0000-7000-8000-000000000001").await;
    let taken =
        "update events set position = 6 where id = '00000000-0000-7000-8000-000000000001' returning id";
    app.change(Statement::new(taken)).await;
    let round = number_events(&app.database, None, app.clock.now()).await.unwrap();
    assert!(matches!(round.failure, Some(DbError::Failed(_))), "{round:?}");
    let numbered = |tenant: &TestTenant| format!("events where tenant_id = '{}' and position < 6", tenant.id);
    assert_eq!(app.number_of(&numbered(&broken)).await, 4, "its first was not numbered alone");
    assert_eq!(
        app.number_of(&format!("event_heads where tenant_id = '{}' and position = 4", broken.id)).await,
        1
    );
    assert_eq!(in_order(&app, &sound).await.len(), 6, "nobody else waits for it");
    // A gap is refused like a number that is there.
    let moved =
        "update events set position = 9 where id = '00000000-0000-7000-8000-000000000001' returning id";
    app.change(Statement::new(moved)).await;
    let round = number_events(&app.database, None, app.clock.now()).await.unwrap();
    assert!(matches!(round.failure, Some(DbError::Refused("gapless numbers"))), "{round:?}");
    assert_eq!(app.number_of(&numbered(&broken)).await, 4);
    let mended = "delete from events where id = '00000000-0000-7000-8000-000000000001' returning id";
    app.change(Statement::new(mended)).await;
    assert_eq!(app.number_events().await, 2);
    assert_eq!(waiting_without_a_gap(&app.database).await, 0);
}

#[tokio::test]
async fn who_read_the_head_before_another_node_moved_it_numbers_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    let [first, last] = [0; 2].map(|_| EventId::at(app.clock.now()));
    for id in [&first, &last] {
        put(&app, tenant.id.as_str(), id.as_str()).await;
    }
    for head in [0, 3, 5] {
        let number = number(&tenant.id, head, &first, &last, app.clock.now());
        let applied = app.database.apply(Change::new().with_all(number)).await;
        assert!(matches!(applied, Err(DbError::Refused("head"))), "{head}: {applied:?}");
    }
    assert_eq!(waiting_without_a_gap(&app.database).await, 2);
    assert_eq!(app.number_events().await, 2);
}

#[tokio::test]
async fn a_suspended_and_a_deleted_tenants_events_are_numbered_like_any() {
    let app = TestApp::start().await;
    for status in ["suspended", "deleted"] {
        let tenant = app.tenant(status).await;
        app.login(&tenant, Family::Individual).await.expect(200);
        let set = "update tenants set status = $2 where id = $1 returning id";
        app.change(Statement::new(set).bind(&tenant.id).bind(status)).await;
        put(&app, tenant.id.as_str(), EventId::at(app.clock.now()).as_str()).await;
        assert_eq!(app.number_events().await, 7, "{status}");
        assert_eq!(waiting_without_a_gap(&app.database).await, 0);
    }
}

/// Follows the tenant's feed until it is told to stop and has seen the end: the ids and positions in their order.
async fn follow(app: &TestApp, tenant: &TestTenant, query: &str, over: &AtomicBool) -> Vec<(i64, String)> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let last = over.load(Ordering::SeqCst);
        let page = app.feed(tenant, &format!("?limit=7{query}{after}")).await.expect(200);
        for event in page.data()["items"].as_array().unwrap() {
            seen.push((event["position"].as_i64().unwrap(), event["id"].as_str().unwrap().to_owned()));
        }
        after = format!("&after={}", page.field("nextCursor"));
        if page.data()["more"] == false {
            if last {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn R056_R136_many_sealers_and_logins_at_once_leave_no_gap_and_a_reader_loses_nothing() {
    let (app, beside) = two_instances().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let second = app.database.open_again().await;
    let (over, read) = (AtomicBool::new(false), AtomicBool::new(false));
    let refused = AtomicUsize::new(0);
    let seal = async |database: &Database| {
        while !over.load(Ordering::SeqCst) {
            let round = number_events(database, None, app.clock.now()).await.unwrap();
            refused.fetch_add(usize::from(round.contended), Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    };
    let log_in = async |index: usize| {
        for round in 0..12 {
            let (tenant, router) =
                if (index + round).is_multiple_of(3) { (&globex, &beside) } else { (&acme, &app.router) };
            let call =
                tenant.login(Family::ALL[index % 3]).header("deviceid", format!("d-{index}-{}", round / 4));
            let call = if round % 5 == 4 { call.named(&format!("nobody-{index}@x.test")) } else { call };
            let status = answer(router.clone(), call.request()).await.status.as_u16();
            assert!(status == 200 || round % 5 == 4, "{status}");
        }
    };
    let work = async {
        join_all((0..8).map(log_in)).await;
        until("all are numbered", async || waiting_without_a_gap(&app.database).await == 0).await;
        over.store(true, Ordering::SeqCst);
        read.store(true, Ordering::SeqCst);
    };
    let watch = async {
        while !over.load(Ordering::SeqCst) {
            waiting_without_a_gap(&app.database).await;
        }
    };
    let (.., of_acme, of_globex, fails) = tokio::join!(
        work,
        watch,
        seal(&app.database),
        seal(&app.database),
        seal(&second),
        seal(&second),
        follow(&app, &acme, "", &read),
        follow(&app, &globex, "", &read),
        follow(&app, &acme, "&type=authn_login_fail", &read),
    );
    for (tenant, seen) in [(&acme, &of_acme), (&globex, &of_globex)] {
        let positions: Vec<_> = seen.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, (1..=i64::try_from(seen.len()).unwrap()).collect::<Vec<_>>());
        let ids: Vec<_> = seen.iter().map(|(_, id)| id.clone()).collect();
        assert_eq!(ids, in_order(&app, tenant).await);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
    let failed = format!("events where tenant_id = '{}' and name = 'authn_login_fail'", acme.id);
    assert_eq!(i64::try_from(fails.len()).unwrap(), app.number_of(&failed).await);
    assert!(fails.len() > 5 && refused.load(Ordering::SeqCst) > 0, "the sealers met");
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_numbers_events_also_after_a_failure_and_stops_when_it_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    // Recorded from the first call on.
    let shown = metrics();
    let background = tokio::spawn(upkeep::run(app.app.clone()));
    let numbered = async || waiting_without_a_gap(&app.database).await == 0;
    until("the first are numbered", numbered).await;
    app.script("alter table event_heads rename to heads_away").await;
    app.login(&tenant, Family::Individual).await.expect(200);
    app.script("alter table heads_away rename to event_heads").await;
    until("the next are numbered", numbered).await;
    background.abort();
    assert!(background.await.unwrap_err().is_cancelled());
    app.login(&tenant, Family::Individual).await.expect(200);
    app.database.ping().await.unwrap();
    assert_eq!(waiting_without_a_gap(&app.database).await, 1);
    assert!(shown.render().contains("\nvestibule_events_behind_seconds "));
}
