//! Fifteen different guesses within three hours shut an address out for a day (R022).

use serde_json::Value;
use vestibule::db::{Change, Row};
use vestibule::ids::{AttemptId, ChangeId};
use vestibule::source_limits::{Rules, Source, store};
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, from, limiting, one, stranger, told};
use crate::support::app::{Answer, TestApp, TestTenant};

const SPRAYER: &str = "198.51.100.66";
const ELSEWHERE: &str = "198.51.100.67";
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// One guess from the sprayer's address, as slow as a sprayer is.
async fn guess(app: &TestApp, tenant: &TestTenant, name: usize, password: &str) -> Answer {
    app.clock.advance(7 * MINUTE);
    app.send(from(SPRAYER, stranger(tenant, name).set("password", password).request())).await
}

async fn right(app: &TestApp, tenant: &TestTenant, address: &str) -> Answer {
    app.send(from(address, tenant.login(INDIVIDUAL).request())).await
}

async fn bans(app: &TestApp, tenant: &TestTenant) -> Vec<Row> {
    app.events_named(tenant.id.as_str(), "excess_rate_limit_exceeded").await
}

#[tokio::test]
async fn R022_a_spray_list_shuts_its_source_out_for_a_day() {
    let (app, tenant) = one().await;
    for name in 0..14 {
        guess(&app, &tenant, name, "Summer2026!").await.expect(401);
    }
    right(&app, &tenant, SPRAYER).await.expect(200);
    assert!(bans(&app, &tenant).await.is_empty());
    guess(&app, &tenant, 14, "Summer2026!").await.expect(401);
    assert_eq!(told(&right(&app, &tenant, SPRAYER).await, "login-spray"), 24 * 3_600);
    right(&app, &tenant, ELSEWHERE).await.expect(200);
    let events = bans(&app, &tenant).await;
    assert_eq!(events.len(), 1, "one event, however often it comes again");
    assert_eq!(events[0].maybe_text("reason").unwrap().as_deref(), Some("spraying"));
    let personal: Value = serde_json::from_str(&events[0].text("personal").unwrap()).unwrap();
    assert_eq!(personal["clientIp"], SPRAYER);
    app.clock.advance(24 * HOUR - 1);
    vestibule::flows::delete_old_sources(&app.app).await.unwrap();
    assert_eq!(told(&right(&app, &tenant, SPRAYER).await, "login-spray"), 1, "upkeep ends no ban");
    app.clock.advance(1);
    right(&app, &tenant, SPRAYER).await.expect(200);
}

#[tokio::test]
async fn R022_a_login_that_was_let_through_before_its_source_was_shut_out_gets_no_place_after() {
    let (app, tenant) = one().await;
    for name in 0..15 {
        guess(&app, &tenant, name, "Summer2026!").await.expect(401);
    }
    let rules = Rules::of(&Settings::default()).unwrap();
    for (address, places) in [(SPRAYER, 0), (ELSEWHERE, 1)] {
        let (source, now) = (Source::of(address.parse().unwrap()), app.clock.now());
        let (attempt, change) = (AttemptId::random(), ChangeId::random());
        let reserving = store::reserve(&tenant.id, &source, &rules, &attempt, &change, now);
        let applied = app.database.apply(Change::new().with_all(reserving)).await.unwrap();
        assert_eq!(applied.rows(1).len(), places, "{address}");
    }
}

#[tokio::test]
async fn R022_the_same_guess_again_is_no_other_and_old_ones_are_forgotten() {
    let (app, tenant) = one().await;
    // An app that keeps a wrong password, in whatever spelling of the name: one guess.
    for _ in 0..20 {
        guess(&app, &tenant, 0, "out of date").await.expect(401);
        let call = stranger(&tenant, 0).named("NOBODY-0@x.test").set("password", "out of date");
        app.send(from(SPRAYER, call.request())).await.expect(401);
    }
    // Fourteen in three hours, again and again.
    for round in 1..4 {
        for name in 0..13 {
            guess(&app, &tenant, round * 100 + name, "Summer2026!").await.expect(401);
        }
        app.clock.advance(3 * HOUR);
    }
    right(&app, &tenant, SPRAYER).await.expect(200);
    assert!(bans(&app, &tenant).await.is_empty());
}

#[tokio::test]
async fn R022_many_passwords_for_one_name_are_different_guesses() {
    let (app, tenant) = one().await;
    for number in 0..15 {
        guess(&app, &tenant, 0, &format!("guess {number}")).await.expect(401);
    }
    told(&right(&app, &tenant, SPRAYER).await, "login-spray");
}

#[tokio::test]
async fn R022_a_tenant_that_switches_it_off_lifts_the_bans() {
    let app = TestApp::start_with(limiting()).await;
    let tenant = app.tenant_with("acme", Settings { spray_pairs: 5, ..Settings::default() }).await;
    for name in 0..5 {
        guess(&app, &tenant, name, "Summer2026!").await.expect(401);
    }
    told(&right(&app, &tenant, SPRAYER).await, "login-spray");
    app.script(&format!("update tenants set settings = '{{\"sprayPairs\":0}}' where id = '{}'", tenant.id))
        .await;
    right(&app, &tenant, SPRAYER).await.expect(200);
    guess(&app, &tenant, 6, "Summer2026!").await.expect(401);
}

#[tokio::test]
async fn R022_R143_no_password_that_was_tried_stands_in_the_database() {
    let (app, tenant) = one().await;
    guess(&app, &tenant, 0, "a nearly right password").await.expect(401);
    let stored = app.everything_stored().await;
    let plain = b"a nearly right password";
    assert!(!stored.windows(plain.len()).any(|window| window == plain));
    let digest = vestibule::secrets::sha256(plain);
    assert!(!stored.windows(digest.len()).any(|window| window == digest));
    let rows =
        app.database.list(vestibule::db::Statement::new("select pair from source_attempts")).await.unwrap();
    assert_eq!(
        rows[0].bytes("pair").unwrap().len(),
        3,
        "and of the keyed digest only so much as tells two apart"
    );
}
