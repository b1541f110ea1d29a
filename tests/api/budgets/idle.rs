//! Rows of throttles are bounded: what nobody misses goes, and a lock or a count that runs never does (R028).

use futures_util::future::join_all;
use vestibule::flows::delete_idle_throttles;

use super::{DAY, INDIVIDUAL, MINUTE, is_locked, start, stranger, wrong};

#[tokio::test]
async fn R028_names_that_nobody_has_go_after_a_week_and_users_failures_stay() {
    let (app, tenant) = start().await;
    for number in 0..50 {
        app.fail(&stranger(&tenant).named(&format!("nobody-{number}@x.test")), 1).await;
    }
    app.fail(&stranger(&tenant), 3).await;
    let other = app.another(&tenant, INDIVIDUAL, "eve@example.test").await;
    app.send(stranger(&tenant).named(&other.email).request()).await.expect(200);
    assert_eq!(app.number_of("throttles").await, 52);
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 52, "not yet");
    app.clock.advance(DAY + MINUTE);
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 51, "who has no failures goes after a day");
    app.clock.advance(6 * DAY);
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 1);
    app.clock.advance(10_000 * DAY);
    delete_idle_throttles(&app.app).await.unwrap();
    app.fail(&stranger(&tenant), 2).await;
    let user = &tenant.person(INDIVIDUAL).id;
    assert_eq!(app.budgets(user).await, [("none".to_owned(), 2, 5)], "all count to the hundred");
}

#[tokio::test]
async fn R015_R018_a_week_later_a_user_and_a_name_that_nobody_has_are_locked_by_the_same_failure() {
    for (idle, left) in [(7 * DAY - MINUTE, 1), (7 * DAY + 1, 5), (7 * DAY + 61 * MINUTE, 5)] {
        let (app, tenant) = start().await;
        let names = [stranger(&tenant), stranger(&tenant).named("nobody@x.test")];
        for name in &names {
            app.fail(name, 4).await;
        }
        app.clock.advance(idle);
        delete_idle_throttles(&app.app).await.unwrap();
        for attempt in 0..=left {
            let known = app.send(wrong(&names[0]).request()).await.expect(401);
            let unknown = app.send(wrong(&names[1]).request()).await.expect(401);
            assert_eq!(known.fingerprint(), unknown.fingerprint(), "{attempt} after {idle}");
            assert_eq!(is_locked(&known), attempt == left, "{attempt} after {idle}");
        }
        app.clock.advance(MINUTE);
        assert!(is_locked(&app.send(names[0].request()).await));
    }
}

#[tokio::test]
async fn R019_R028_a_name_that_was_locked_goes_on_counting_to_a_hundred() {
    let (app, tenant) = start().await;
    let nobody = stranger(&tenant).named("nobody@x.test");
    app.fail(&nobody, 5).await;
    for _ in 0..95 {
        app.clock.advance(DAY * 2);
        delete_idle_throttles(&app.app).await.unwrap();
        app.fail(&nobody, 1).await;
    }
    app.clock.advance(390 * DAY);
    delete_idle_throttles(&app.app).await.unwrap();
    assert!(is_locked(&app.send(nobody.request()).await));
    app.clock.advance(401 * DAY);
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 0);
}

#[tokio::test]
async fn R028_a_lock_and_an_attempt_in_flight_never_go_whatever_their_rows_say() {
    let (app, tenant) = start().await;
    let nobody = stranger(&tenant).named("nobody@x.test");
    app.fail(&nobody, 5).await;
    app.attempt_in_flight(&tenant, tenant.person(INDIVIDUAL), "flying", 0).await;
    // As if the clocks of two nodes were years apart.
    app.script("update throttles set updated_at = 0, created_at = 0").await;
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 2);
    assert!(is_locked(&app.send(nobody.request()).await));
}

/// `VESTIBULE_FLOOD=1000000` floods with a million names.
#[tokio::test]
async fn R028_a_flood_of_names_is_rows_for_a_week_and_holds_no_memory() {
    let (app, tenant) = start().await;
    let names: usize = std::env::var("VESTIBULE_FLOOD").map_or(2_000, |text| text.parse().unwrap());
    app.fail(&stranger(&tenant), 5).await;
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let flood = async |first: usize, number: usize| {
        for slice in (first..first + number).collect::<Vec<_>>().chunks(16) {
            let calls = slice.iter().map(|name| {
                app.send_apart(&wrong(&stranger(&tenant)).named(&format!("flood-{name}@x.test")))
            });
            for answer in join_all(calls).await {
                answer.unwrap().expect(401);
            }
        }
    };
    flood(0, names / 10).await;
    let before = resident();
    flood(names / 10, names - names / 10).await;
    let grown = resident().saturating_sub(before);
    assert!(grown <= 64 * 1024, "{grown} KiB for {names} names");
    assert_eq!(app.number_of("throttles").await, i64::try_from(names).unwrap() + 1);
    assert!(is_locked(&app.send(stranger(&tenant).request()).await), "and no lock went for it");
    app.clock.advance(8 * DAY);
    delete_idle_throttles(&app.app).await.unwrap();
    assert_eq!(app.number_of("throttles").await, 1);
}
