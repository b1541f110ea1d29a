//! Signing keys on schedule: by `signingKeyDays`, without anybody's doing (R080, R081).

use serde_json::json;
use vestibule::flows::{retire_replaced_signing_keys, rotate_due_signing_keys};
use vestibule::signing_keys::{KEPT_SECONDS, PUBLISHED_SECONDS};
use vestibule::tenants::{self, Profile, Settings};

use super::signing_keys::{published, signed_with, state_of};
use super::{Operator, details};
use crate::support::app::{START, TestApp, TestTenant};

const DAY: i64 = 24 * 3_600_000;

/// What upkeep does once an hour.
async fn upkeep(app: &TestApp) {
    rotate_due_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
}

/// What upkeep does once a minute.
async fn retire(app: &TestApp) {
    retire_replaced_signing_keys(&app.database, &app.app.master, app.clock.now()).await.unwrap();
}

async fn keys_of(app: &TestApp, tenant: &TestTenant) -> i64 {
    app.number_of(&format!("signing_keys where tenant_id = '{}'", tenant.id)).await
}

async fn with_days(app: &TestApp, slug: &str, signing_key_days: i64) -> TestTenant {
    app.tenant_with(slug, Settings { signing_key_days, ..Settings::default() }).await
}

#[tokio::test]
async fn R080_R081_after_ninety_days_the_next_key_is_published_signs_and_outlives_the_old_ones_tokens() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let long = Settings { profile: Profile::Compatible, ..Settings::default() };
    let acme = app.tenant_with("acme", long).await;
    let (old, _) = signed_with(&app, &acme).await;
    app.clock.advance(90 * DAY - 1);
    upkeep(&app).await;
    assert_eq!(published(&app, "acme").await, [old.as_str()], "its time is not over yet");
    app.clock.advance(1);
    upkeep(&app).await;
    let both = published(&app, "acme").await;
    assert_eq!(both.len(), 2);
    let new = both.iter().find(|kid| **kid != old).unwrap().clone();
    assert_eq!(state_of(&olga, &new).await, "next");
    // Once more, and by another node later: that one is enough.
    upkeep(&app).await;
    assert_eq!(keys_of(&app, &acme).await, 2);

    app.clock.advance(PUBLISHED_SECONDS * 1_000 - 1);
    let (kid, last) = signed_with(&app, &acme).await;
    assert_eq!(kid, old, "no verifier may keep a key set without the new one when it signs");
    app.clock.advance(1);
    let (kid, first) = signed_with(&app, &acme).await;
    assert_eq!(kid, new);
    upkeep(&app).await;
    assert_eq!(keys_of(&app, &acme).await, 2, "it has just begun to sign");

    // To the last second of the last token of the old key.
    app.clock.advance(3_598_999);
    retire(&app).await;
    for opened in [&last, &first] {
        app.view(&acme, opened).await.expect(200);
    }
    app.clock.advance(KEPT_SECONDS * 1_000 - 3_599_000);
    retire(&app).await;
    assert_eq!(published(&app, "acme").await.len(), 2);
    app.clock.advance(1);
    retire(&app).await;
    assert_eq!(published(&app, "acme").await, [new.as_str()]);

    // The next ninety days count from when it began to sign, not from when it was made.
    let began = START.plus_millis(90 * DAY).plus_seconds(PUBLISHED_SECONDS);
    app.clock.advance(began.plus_millis(90 * DAY).as_millis() - app.clock.now().as_millis() - 1);
    upkeep(&app).await;
    assert_eq!(keys_of(&app, &acme).await, 2);
    app.clock.advance(1);
    upkeep(&app).await;
    assert_eq!(keys_of(&app, &acme).await, 3);
    let events = app.events_named(acme.id.as_str(), "signing_key_created").await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].text("actor_kind").unwrap(), "system");
    assert_eq!(details(&events[0])["kid"], json!(new));
}

#[tokio::test]
async fn R081_each_tenants_number_of_days_counts_and_who_cannot_or_will_not_is_passed_over() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let week = with_days(&app, "week", 7).await;
    let never = with_days(&app, "never", 0).await;
    let year = with_days(&app, "year", 365).await;
    let suspended = with_days(&app, "suspended", 7).await;
    let deleted = with_days(&app, "deleted", 7).await;
    let pending = with_days(&app, "pending", 7).await;
    let unreadable = with_days(&app, "unreadable", 7).await;
    let rotated = with_days(&app, "rotated", 7).await;
    app.change(tenants::store::suspend(&suspended.id, START)).await;
    app.script(&format!("update tenants set status = 'deleted' where id = '{}'", deleted.id)).await;
    app.script(&format!(
        "update tenants set settings = '{{\"profile\":\"fapi\"}}' where id = '{}'",
        unreadable.id
    ))
    .await;
    app.clock.advance(6 * DAY);
    // An operator's own rotation begins the days anew.
    olga.post("/tenants/rotated/signing-keys", json!({ "now": true })).await.expect(200);
    app.clock.advance(DAY);
    olga.post("/tenants/pending/signing-keys", json!({})).await.expect(200);
    upkeep(&app).await;
    let all = [&week, &never, &year, &suspended, &deleted, &pending, &unreadable, &rotated];
    let mut keys = Vec::new();
    for tenant in all {
        keys.push(keys_of(&app, tenant).await);
    }
    assert_eq!(keys, [2, 1, 1, 1, 1, 2, 1, 2]);
    // From the next hour on after it can, or wants to, again.
    app.change(tenants::store::resume(&suspended.id, app.clock.now())).await;
    app.script(&format!(
        "update tenants set settings = '{{\"signingKeyDays\":7}}' where id = '{}'",
        unreadable.id
    ))
    .await;
    let sooner = json!({ "settings": { "signingKeyDays": 7 } });
    olga.patch("/tenants/never", sooner.clone()).await.expect(200);
    olga.patch("/tenants/year", sooner).await.expect(200);
    app.clock.advance(3_600_000);
    upkeep(&app).await;
    let mut keys = Vec::new();
    for tenant in all {
        keys.push(keys_of(&app, tenant).await);
    }
    assert_eq!(keys, [2, 2, 2, 2, 1, 2, 2, 2]);
    // With as many keys as there may be, one more cannot be made; the others get theirs.
    for _ in 0..7 {
        olga.post("/tenants/week/signing-keys", json!({ "now": true })).await;
    }
    assert_eq!(keys_of(&app, &week).await, 8);
    app.clock.advance(8 * DAY);
    upkeep(&app).await;
    assert_eq!((keys_of(&app, &week).await, keys_of(&app, &rotated).await), (8, 3));
    retire(&app).await;
    upkeep(&app).await;
    assert_eq!(keys_of(&app, &week).await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R081_of_several_nodes_at_once_one_makes_the_key() {
    let app = TestApp::start().await;
    let mut tenants = Vec::new();
    for index in 0..5 {
        tenants.push(app.tenant(&format!("t{index}")).await);
    }
    app.clock.advance(91 * DAY);
    let now = app.clock.now();
    let mut nodes = Vec::new();
    for _ in 0..4 {
        let (db, app) = (app.database.open_again().await, app.app.clone());
        nodes.push(tokio::spawn(async move { rotate_due_signing_keys(&db, &app.master, now).await }));
    }
    for node in nodes {
        node.await.unwrap().unwrap();
    }
    for tenant in &tenants {
        assert_eq!(keys_of(&app, tenant).await, 2);
        assert_eq!(app.events_named(tenant.id.as_str(), "signing_key_created").await.len(), 1);
        assert_eq!(published(&app, &tenant.slug).await.len(), 2);
    }
}

#[tokio::test]
async fn R081_of_many_tenants_each_gets_its_key_so_many_in_an_hour() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let row = |columns: &str, values: &str, table: &str| {
        format!(
            "insert into {table} ({columns}) with recursive n (i) as \
             (select 1 union all select i + 1 from n where i < 1100) select {values} from n join {table} x on "
        )
    };
    // Ids on both sides of acme's, in an order of their own; every other one due.
    let tenants = row(
        "id, slug, name, search, status, settings, signing_kid, valid_kids, created_at, updated_at",
        "substr('0123456789abcdef', 1 + i % 16, 1) || '0000000-0000-4000-8000-' || (100000000000 + i), 'many-' || i, 'x', \
         'x', 'active', case when i % 2 = 0 then '{}' else '{\"signingKeyDays\":0}' end, x.signing_kid, x.valid_kids, \
         x.created_at, x.updated_at",
        "tenants",
    );
    let keys = "insert into signing_keys (tenant_id, kid, algorithm, private_key, public_jwk, created_at) \
                select t.id, k.kid, k.algorithm, k.private_key, k.public_jwk, k.created_at from signing_keys k \
                join tenants t on t.slug like 'many-%'";
    app.script(&format!("{tenants} x.id = '{}'; {keys}", acme.id)).await;
    // One without any key, which cannot be, stops nobody.
    app.script("update tenants set signing_kid = null where slug = 'many-2'").await;
    app.clock.advance(90 * DAY);
    let mut made = Vec::new();
    for _ in 0..3 {
        upkeep(&app).await;
        made.push(app.number_of("events where name = 'signing_key_created'").await);
    }
    assert_eq!(made, [500, 550, 550], "acme's and those of 549 others");
    let thrice = "(select tenant_id from signing_keys group by tenant_id having count(*) > 2) x";
    assert_eq!(app.number_of(thrice).await, 0);
}
