//! `POST /oauth2/revoke`: the session ends, by either kind of token and once; of what is not the tenant's nothing is told.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::Family;

use super::{REVOKE, is_active, revoke, start, with_token};
use crate::isolation::{Rows, unchanged};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::forge::{Forger, claims};

/// How the session has ended, by its row.
async fn ending(app: &TestApp, tenant: &TestTenant, of: &Opened) -> (Option<i64>, Option<String>) {
    let sql = "select ended_at, end_reason from sessions where tenant_id = $1 and id = $2";
    let statement = Statement::new(sql).bind(&tenant.id).bind(of.session.as_str());
    let rows = app.database.fetch(statement).await.unwrap();
    (rows[0].maybe_int("ended_at").unwrap(), rows[0].maybe_text("end_reason").unwrap())
}

async fn ended_by_backend(app: &TestApp, tenant: &TestTenant, of: &Opened, what: &str) {
    let (at, reason) = ending(app, tenant, of).await;
    assert_eq!(
        (at, reason.as_deref()),
        (Some(app.clock.now().as_millis()), Some("ended_by_backend")),
        "{what}"
    );
    for token in [&of.token, &of.refresh] {
        assert!(!is_active(app, tenant, token).await, "{what}");
    }
    let refused = app.view(tenant, of).await.expect(401);
    assert_eq!(refused.error_type(), "SESSION_ENDED", "{what}");
    assert_eq!(refused.field("endReason"), "ended_by_backend", "{what}");
}

#[tokio::test]
async fn R101_revoking_either_token_ends_the_session_with_both() {
    let (app, tenant, _) = start().await;
    for family in Family::ALL {
        for access in [true, false] {
            let (opened, other) = (app.open(&tenant, family).await, app.open(&tenant, family).await);
            let token = if access { &opened.token } else { &opened.refresh };
            // A hint that is wrong is no reason to miss the token (RFC 7009 §2.1).
            let hint = if access { "refresh_token" } else { "access_token" };
            let fields = [("token", token.as_str()), ("token_type_hint", hint)];
            let answer = app.call(Call::new("POST", REVOKE).backend(&tenant).form(&fields)).await.expect(200);
            assert_eq!(answer.text, "");
            assert_eq!(answer.headers["cache-control"], "no-store");
            let what = format!("{family:?}, access token: {access}");
            ended_by_backend(&app, &tenant, &opened, &what).await;
            assert!(is_active(&app, &tenant, &other.token).await, "{what}: another session lives on");
        }
    }
    let events = app.events_named(tenant.id.as_str(), "session_expired").await;
    assert_eq!(events.len(), 6);
    let keys = app.database.fetch(
        Statement::new("select id from tenant_keys where tenant_id = $1 and purpose = 'backend'")
            .bind(&tenant.id),
    );
    let key = keys.await.unwrap()[0].text("id").unwrap();
    for event in &events {
        assert_eq!(event.text("actor_kind").unwrap(), "backend");
        assert_eq!(event.text("actor_id").unwrap(), key);
        assert_eq!(event.text("reason").unwrap(), "ended_by_backend");
    }
    assert_eq!(app.number_of("events where ends = 'session' and name = 'session_expired'").await, 6);
}

#[tokio::test]
async fn R101_a_token_that_is_over_still_ends_its_session() {
    let (app, tenant, opened) = start().await;
    app.clock.advance(301_000);
    assert!(!is_active(&app, &tenant, &opened.token).await);
    assert!(is_active(&app, &tenant, &opened.refresh).await);
    revoke(&app, &tenant, &opened.token).await;
    ended_by_backend(&app, &tenant, &opened, "an expired access token").await;

    // Refresh tokens of every age: spent ones, and those of a row that was put back.
    for generation in [2, 3, 900, 0] {
        let opened = app.open(&tenant, Family::Individual).await;
        let sql = "update sessions set generation = $3, refreshed_at = $4 where tenant_id = $1 and id = $2 returning id";
        let aged = Statement::new(sql).bind(&tenant.id).bind(opened.session.as_str());
        app.change(aged.bind(generation).bind(app.clock.now().plus_seconds(-3_600))).await;
        assert!(!is_active(&app, &tenant, &opened.refresh).await);
        revoke(&app, &tenant, &opened.refresh).await;
        ended_by_backend(&app, &tenant, &opened, &format!("the first refresh token at {generation}")).await;
    }

    // An access token whose audience is not the tenant's any more.
    let opened = app.open(&tenant, Family::Individual).await;
    let sql = "update tenants set settings = '{\"audience\":\"apis\"}' where id = $1 returning id";
    app.change(Statement::new(sql).bind(&tenant.id)).await;
    revoke(&app, &tenant, &opened.token).await;
    let (_, reason) = ending(&app, &tenant, &opened).await;
    assert_eq!(reason.as_deref(), Some("ended_by_backend"));
}

#[tokio::test]
async fn R101_the_first_ending_stays() {
    let (app, tenant, opened) = start().await;
    app.end(&tenant, &opened).await.expect(200);
    let first = ending(&app, &tenant, &opened).await;
    app.clock.advance(5_000);
    revoke(&app, &tenant, &opened.token).await;
    revoke(&app, &tenant, &opened.refresh).await;
    assert_eq!(ending(&app, &tenant, &opened).await, first);
    // One that a limit ended, in no row yet.
    let opened = app.open(&tenant, Family::Individual).await;
    let over = app.clock.now().plus_seconds(1_800).as_millis();
    app.clock.advance(3_600_000);
    revoke(&app, &tenant, &opened.refresh).await;
    let idle = (Some(over), Some("expired_idle".to_owned()));
    assert_eq!(ending(&app, &tenant, &opened).await, idle);
    // And what is revoked twice, at once or later.
    let opened = app.open(&tenant, Family::Individual).await;
    let calls = (0..8).map(|index| {
        let token = if index % 2 == 0 { &opened.token } else { &opened.refresh };
        app.call(with_token(REVOKE, &tenant, token))
    });
    for answer in futures_util::future::join_all(calls).await {
        answer.expect(200);
    }
    let first = ending(&app, &tenant, &opened).await;
    app.clock.advance(1_000);
    revoke(&app, &tenant, &opened.token).await;
    assert_eq!(ending(&app, &tenant, &opened).await, first);
    assert_eq!(app.events_named(tenant.id.as_str(), "session_expired").await.len(), 3);
}

#[tokio::test]
async fn R101_what_is_not_the_tenants_is_answered_like_what_was_revoked_and_nothing_changes() {
    let (app, tenant, opened) = start().await;
    let globex = app.tenant("globex").await;
    let theirs = app.open(&globex, Family::Individual).await;
    let forger = Forger::of(&app, &globex).await;
    let signed_by_them = forger.token(&claims(&opened.token));
    let mut mine = claims(&theirs.token);
    mine["tenantId"] = json!(tenant.id);
    let absent = {
        let mut claims = claims(&opened.token);
        claims["sid"] = json!("absent");
        Forger::of(&app, &tenant).await.token(&claims)
    };
    let mut altered = opened.refresh.clone();
    altered.replace_range(altered.len() - 3.., "AAA");
    let rows = Rows::new(&app).await;
    let before = rows.all(&app).await;
    let mut seen = BTreeSet::new();
    for (what, token) in [
        ("garbage", "x"),
        ("a session id", &opened.session),
        ("another tenant's access token", &theirs.token),
        ("another tenant's refresh token", &theirs.refresh),
        ("our claims under another tenant's key", &signed_by_them),
        ("another tenant's session as ours", &forger.token(&mine)),
        ("a session that never was", &absent),
        ("an altered refresh token", &altered),
        ("an operator's token", "vop1.AAAA"),
    ] {
        let answer = revoke(&app, &tenant, token).await;
        unchanged(&before, &rows.all(&app).await, what);
        seen.insert(answer.fingerprint());
    }
    let real = revoke(&app, &tenant, &opened.token).await;
    seen.insert(real.fingerprint());
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(is_active(&app, &globex, &theirs.token).await);
}

#[tokio::test]
async fn R101_a_signature_by_a_key_that_counts_no_more_ends_nothing() {
    let (app, tenant, opened) = start().await;
    let olga = app.operator().await;
    let kid = Forger::of(&app, &tenant).await.kid;
    // As after a key's theft: whoever has it ends no sessions with it.
    let retire = Call::new("DELETE", format!("/operator/v1/tenants/acme/signing-keys/{kid}")).bearer(&olga);
    app.operator_call(retire).await.expect(200);
    revoke(&app, &tenant, &opened.token).await;
    assert_eq!(ending(&app, &tenant, &opened).await, (None, None));
    revoke(&app, &tenant, &opened.refresh).await;
    assert_eq!(ending(&app, &tenant, &opened).await.1.as_deref(), Some("ended_by_backend"));
    assert_eq!(app.view(&tenant, &opened).await.expect(401).data()["endReason"], Value::Null);
}
