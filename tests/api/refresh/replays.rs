//! One token, one successor: repetitions within the grace, and replays.

use serde_json::{Value, json};
use vestibule::tenants::Settings;

use super::{INDIVIDUAL, MINUTE, SECOND, ended, refresh_call, refused, start, start_with};
use crate::isolation::rows::Rows;
use crate::races::rounds;
use crate::support::app::TestTenant;
use crate::support::calls::Call;
use crate::support::login::two_instances;

#[tokio::test]
async fn R095_within_the_grace_the_same_refresh_token_is_answered_again_with_a_fresh_access_token() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(MINUTE);
    let second = app.refreshed(&tenant, &first).await;
    let row = app.row_of(&second).await;
    for wait in [0, 1, 59 * SECOND, SECOND - 1] {
        app.clock.advance(wait);
        let again = app.refreshed(&tenant, &first).await;
        assert_eq!(again.refresh, second.refresh);
        assert_ne!(again.token, second.token);
        app.view(&tenant, &again).await.expect(200);
        for field in ["sessionId", "sessionExpiresAt", "sessionIdleExpiresAt", "sessionMetadata", "user"] {
            assert_eq!(again.data[field], second.data[field], "{field}");
        }
        assert_eq!(app.row_of(&second).await, row, "nothing is written");
    }
    // To the millisecond, and then it is a replay, though nobody has used the successor.
    app.clock.advance(1);
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
    app.is_over(&tenant, &second, "refresh_reuse").await;
}

#[tokio::test]
async fn R095_once_the_successor_is_used_its_parent_is_a_replay() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    let third = app.refreshed(&tenant, &second).await;
    assert_eq!(app.refreshed(&tenant, &second).await.refresh, third.refresh);
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
    app.is_over(&tenant, &third, "refresh_reuse").await;
}

#[tokio::test]
async fn R095_without_a_grace_every_repetition_is_a_replay() {
    let (app, tenant) = start_with(Settings { refresh_grace_seconds: 0, ..Settings::default() }).await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
    app.is_over(&tenant, &second, "refresh_reuse").await;
}

#[tokio::test]
async fn R095_the_grace_is_as_long_as_the_tenant_says_now() {
    let (app, tenant) = start_with(Settings { refresh_grace_seconds: 600, ..Settings::default() }).await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    app.clock.advance(10 * MINUTE);
    assert_eq!(app.refreshed(&tenant, &first).await.refresh, second.refresh);
    app.set_settings(&tenant, &Settings { refresh_grace_seconds: 599, ..Settings::default() }).await;
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
}

#[tokio::test]
async fn R088_a_replay_at_any_depth_ends_the_session_with_everything_that_was_made_of_it() {
    let (app, tenant) = start().await;
    for depth in 1..=20_usize {
        let mut all = vec![app.open(&tenant, INDIVIDUAL).await];
        for _ in 0..depth {
            let next = app.refreshed(&tenant, &all[all.len() - 1]).await;
            all.push(next);
        }
        for opened in &all {
            app.view(&tenant, opened).await.expect(200);
        }
        // Of the last but one it is a repetition until the grace is over.
        app.clock.advance(if depth == 1 { 61 * SECOND } else { 0 });
        let answer = ended(app.refresh(&tenant, &all[0]).await, "refresh_reuse");
        for opened in &all {
            let again = ended(app.refresh(&tenant, opened).await, "refresh_reuse");
            assert_eq!(again.field("endedAt"), answer.field("endedAt"));
            app.view(&tenant, opened).await.expect(401);
        }
        assert_eq!(app.end_reason(&all[0]).await.as_deref(), Some("refresh_reuse"));
        let events = app.events_named(tenant.id.as_str(), "authn_token_reuse").await;
        assert_eq!(events.len(), depth, "one event of one replay");
        let event = &events[depth - 1];
        assert_eq!(event.text("session_id").unwrap(), all[0].session);
        assert_eq!(event.text("reason").unwrap(), "refresh_reuse");
        let details: Value = serde_json::from_str(&event.text("details").unwrap()).unwrap();
        let current = depth + 1;
        let rule = "refreshGraceSeconds=60";
        assert_eq!(details, json!({ "generation": 1, "current": current, "rule": rule }));
        assert_eq!(app.ends_of(&tenant, "authn_token_reuse").await, vec!["session"; depth]);
    }
}

/// What a call is sent otherwise than it should be.
type Change = fn(Call, &TestTenant) -> Call;

#[tokio::test]
async fn R088_a_replay_is_one_wherever_it_comes_to_and_tells_nothing_first() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let change: [(&str, Change); 6] = [
        ("another path", |call, _| Call { path: call.path.replace("individual", "organization"), ..call }),
        ("another tenant", |call, globex| call.for_tenant(&globex.slug)),
        ("no device", |call, _| call.on_device(None)),
        ("another device", |call, _| call.on_device(Some("device-2"))),
        ("an origin that is not listed", |call, _| call.and("origin", "https://elsewhere.example")),
        ("its own door", |call, _| call),
    ];
    for (how, change) in change {
        let first = app.open(&tenant, INDIVIDUAL).await;
        let second = app.refreshed(&tenant, &first).await;
        let third = app.refreshed(&tenant, &second).await;
        let call = change(refresh_call(&tenant, &first), &globex);
        let answer = ended(app.call(call).await, "refresh_reuse");
        assert_eq!(answer.error_type(), "SESSION_ENDED", "{how}");
        app.is_over(&tenant, &third, "refresh_reuse").await;
    }
    // Within the grace the latest that was used up may come again, so there its door is asked for as ever.
    let first = app.open(&tenant, INDIVIDUAL).await;
    app.refreshed(&tenant, &first).await;
    app.call(refresh_call(&tenant, &first).on_device(None)).await.expect(400);
    app.call(refresh_call(&tenant, &first).for_tenant(&globex.slug)).await.expect(403);
    app.refreshed(&tenant, &first).await;
}

#[tokio::test]
async fn R089_fifty_refreshes_in_one_frozen_second_are_fifty_generations() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let mut current = first.clone();
    let mut seen = vec![first.refresh.clone()];
    for generation in 2..=51 {
        current = app.refreshed(&tenant, &current).await;
        assert_eq!(current.generation(), generation);
        assert!(!seen.contains(&current.refresh));
        seen.push(current.refresh.clone());
    }
    app.view(&tenant, &current).await.expect(200);
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
    app.is_over(&tenant, &current, "refresh_reuse").await;
}

#[tokio::test]
async fn R090_what_was_used_up_is_so_on_every_node() {
    let (app, other) = two_instances().await;
    let tenant = app.tenant("acme").await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    let third = app.refreshed(&tenant, &second).await;
    // Any node computes the same.
    let again = app.send_to(&other, refresh_call(&tenant, &second).request()).await;
    assert_eq!(again.expect(200).field("refreshToken"), third.refresh);
    ended(app.send_to(&other, refresh_call(&tenant, &first).request()).await, "refresh_reuse");
    app.is_over(&tenant, &third, "refresh_reuse").await;
}

#[tokio::test]
async fn a_token_ahead_of_its_row_tells_of_a_database_that_went_back() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    for ahead in [3, 4, 1_000] {
        let token = app.token_of(&tenant, &second, ahead).await;
        refused(app.refresh(&tenant, &token).await);
        // It is told once a minute.
        refused(app.refresh(&tenant, &token).await);
        app.clock.advance(MINUTE);
    }
    let events = app.events_named(tenant.id.as_str(), "store_rolled_back").await;
    assert_eq!(events.len(), 3);
    let details: Value = serde_json::from_str(&events[0].text("details").unwrap()).unwrap();
    assert_eq!(details, json!({ "generation": 3, "current": 2 }));
    // Nothing else became of it.
    app.refreshed(&tenant, &second).await;
}

#[tokio::test]
async fn R098_thousands_of_refreshes_add_no_row_and_the_first_token_is_still_known_as_used() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await.len();
    let mut current = first.clone();
    let refreshes = rounds(2_000, 10_000);
    for _ in 0..refreshes {
        current = app.refreshed(&tenant, &current).await;
    }
    assert_eq!(rows.all(&app).await.len(), before);
    assert_eq!(current.generation(), refreshes as u64 + 1);
    ended(app.refresh(&tenant, &first).await, "refresh_reuse");
}
