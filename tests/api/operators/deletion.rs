//! A tenant's deletion: refused at once, emptied in slices, never to be again (R055).

use serde_json::json;
use std::collections::BTreeSet;
use vestibule::db::{Row, Statement};
use vestibule::flows::{delete_tenant_slice, go_on_deleting_tenants};
use vestibule::secrets::sha256;
use vestibule::tenants::Family;
use vestibule::tenants::deletion::store::TABLES;
use vestibule::tenants::deletion::{Deletion, SLICE};

use super::{Operator, door};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::login::until;

/// What stays: the tenant's row, which is not among these, the fixed part of its events, and their seals.
const STAYING: [&str; 3] = ["events", "event_heads", "event_tiles"];

/// All tables whose rows belong to a tenant.
async fn tenants_tables(app: &TestApp) -> BTreeSet<String> {
    let sql = if app.database.is_sqlite() {
        "select m.name as t from sqlite_master m join pragma_table_info(m.name) p \
         where m.type = 'table' and p.name = 'tenant_id'"
    } else {
        "select table_name::text as t from information_schema.columns \
         where table_schema = 'public' and column_name = 'tenant_id'"
    };
    let rows = app.database.list(Statement::new(sql)).await.unwrap();
    rows.iter().map(|row| row.text("t").unwrap()).collect()
}

/// Rows of one tenant in all tables that are to be emptied.
async fn left(app: &TestApp, tenant: &str) -> i64 {
    let mut rows = 0;
    for (table, _) in TABLES {
        rows += app.number_of(&format!("{table} where tenant_id = '{tenant}'")).await;
    }
    rows
}

/// A tenant with a row in every table.
async fn furnished(app: &TestApp, slug: &str) -> TestTenant {
    let tenant = app.tenant(slug).await;
    for family in Family::ALL {
        app.open(&tenant, family).await;
        app.send(tenant.login(family).set("password", "wrong").request()).await.expect(401);
    }
    app.send(tenant.login(Family::Individual).named("nobody@x.test").request()).await.expect(401);
    let person = tenant.person(Family::Individual);
    app.attempt_in_flight(&tenant, person, "a1", 0).await;
    let (id, user) = (&tenant.id, &person.id);
    app.script(&format!(
        "insert into user_phones (tenant_id, number, user_id) values ('{id}', '+37060000000', '{user}'); \
         insert into tenant_origins (tenant_id, origin) values ('{id}', 'https://{slug}.example'); \
         insert into imports (tenant_id, file_digest, lines_done, created, refused, started_at, updated_at) \
         values ('{id}', '00', 1, 1, 0, 0, 0); \
         insert into session_operations (tenant_id, id, filter, end_reason, actor_kind, after_id, ended, started_at, \
         updated_at, change_id) values ('{id}', 'o1', '{{}}', 'ended_by_staff', 'staff', '', 0, 0, 0, 'c1'); \
         insert into login_sources (tenant_id, source, updated_at, change_id, due_at) values ('{id}', '192.0.2.1', 0, 'c1', 0); \
         insert into source_attempts (tenant_id, source, id, reserved_at) values ('{id}', '192.0.2.1', 'a1', 0)"
    ))
    .await;
    let reset = "insert into password_resets (tenant_id, secret_digest, user_id, created_at, expires_at) \
                 values ($1, $2, $3, 0, 1) returning tenant_id";
    app.change(Statement::new(reset).bind(id).bind(vec![1_u8]).bind(user)).await;
    for (table, _) in TABLES {
        let rows = app.number_of(&format!("{table} where tenant_id = '{id}'")).await;
        assert!(rows > 0, "the test puts a row into {table}");
    }
    tenant
}

async fn events(app: &TestApp, tenant: &TestTenant) -> Vec<Row> {
    let sql = "select id, name, details, personal, personal_digest, salt from events where tenant_id = $1 order by id";
    app.database.list(Statement::new(sql).bind(&tenant.id)).await.unwrap()
}

#[tokio::test]
async fn R055_every_table_of_tenants_is_emptied_or_is_known_to_stay() {
    let app = TestApp::start().await;
    let emptied: BTreeSet<_> =
        TABLES.iter().map(|(table, _)| *table).chain(STAYING).map(str::to_owned).collect();
    assert_eq!(
        tenants_tables(&app).await,
        emptied,
        "a new table stands in deletion/store.rs, or is said to stay"
    );
}

#[tokio::test]
async fn R055_a_deleted_tenant_is_refused_at_once_and_nothing_of_it_is_left_but_its_events_fixed_part() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let (acme, other) = (furnished(&app, "acme").await, furnished(&app, "other").await);
    app.another(&acme, Family::Individual, "canary.person@example.test").await;
    let canary = acme.login(Family::Individual).named("canary.person@example.test");
    app.send(canary.header("deviceid", "device-of-a-canary").request()).await.expect(200);
    let opened = app.open(&acme, Family::Individual).await;
    let before = events(&app, &acme).await;
    let others = (left(&app, other.id.as_str()).await, events(&app, &other).await.len());
    // As a version before the digests wrote it.
    let undigested = "update events set personal_digest = null where tenant_id = $1 and id = $2 returning id";
    let oldest = before[0].text("id").unwrap();
    app.change(Statement::new(undigested).bind(&acme.id).bind(oldest.as_str())).await;

    for wrong in ["", "ACME", "other", acme.id.as_str()] {
        let call = olga.call("DELETE", "/tenants/acme").json(&json!({ "slug": wrong }));
        assert_eq!(olga.send(call).await.expect(400).complaints(), ["slug"]);
    }
    olga.send(olga.call("DELETE", "/tenants/acme").json(&json!({}))).await.expect(400);
    olga.send(olga.call("DELETE", "/tenants/acme")).await.expect(415);
    app.view(&acme, &opened).await.expect(200);

    let deleted = olga.delete_tenant("acme").await.expect(200);
    assert_eq!(deleted.field("status"), "deleted");
    app.view(&acme, &opened).await.expect(401);
    app.login(&acme, Family::Individual).await.expect(403);
    assert_eq!(door(&app, "acme", &acme.key, &acme.secret).await, 403);
    app.call(Call::get("/t/acme/.well-known/jwks.json")).await.expect(404);
    until("nothing is left", async || left(&app, acme.id.as_str()).await == 0).await;
    let personal = format!("events where tenant_id = '{}' and personal is not null", acme.id);
    until("no event is personal", async || app.number_of(&personal).await == 0).await;

    let after = events(&app, &acme).await;
    assert_eq!(after.len(), before.len() + 1, "the events stay, and the deletion is one");
    for (then, now) in before.iter().zip(&after) {
        assert_eq!(now.text("details").unwrap(), then.text("details").unwrap());
        if let Some(personal) = then.maybe_text("personal").unwrap() {
            // What is sealed of the personal part can still be verified by whoever kept it.
            let digest = sha256(&[&then.bytes("salt").unwrap(), personal.as_bytes()].concat());
            assert_eq!(now.bytes("personal_digest").unwrap(), digest);
            assert_eq!(now.bytes("salt").unwrap(), [0_u8; 0]);
        }
    }
    let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
    for gone in ["canary.person@example.test", "device-of-a-canary", acme.key.as_str()] {
        assert!(!stored.contains(gone), "{gone} is still there");
    }
    assert_eq!((left(&app, other.id.as_str()).await, events(&app, &other).await.len()), others);
    app.login(&other, Family::Individual).await.expect(200);
    // Its slug stays taken, and its id too.
    olga.post("/tenants", json!({ "slug": "acme", "name": "Again" })).await.expect(409);
}

#[tokio::test]
async fn R055_the_upkeep_goes_on_after_an_interruption_and_takes_what_came_late() {
    let app = TestApp::start().await;
    let acme = furnished(&app, "acme").await;
    let (id, customer) = (acme.id.as_str(), acme.person(Family::Individual).customer.as_str());
    // Several slices of users and of events.
    app.script(&format!(
        "insert into users (tenant_id, id, customer_id, kind, status, roles, phones, created_at, updated_at) \
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500) \
         select '{id}', 'many-' || i, '{customer}', 'customer', 'active', '[]', '[]', 0, 0 from n; \
         insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, personal, salt) \
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500) \
         select '{id}', 'many-' || i, 'x', 'success', 0, 'system', '{{}}', '{{\"i\":1}}', cast('salt' as {}) from n",
        if app.database.is_sqlite() { "blob" } else { "bytea" }
    ))
    .await;
    let now = app.clock.now();
    app.change(vestibule::tenants::store::delete(&acme.id, now)).await;
    // A node begins, and stops in the middle.
    let mut begun = Deletion::of(acme.id.clone());
    let mut slices = 0;
    while app.number_of("users").await > 1_500 {
        let rows = delete_tenant_slice(&app.database, &mut begun, now).await.unwrap();
        assert!((1..=usize::try_from(SLICE).unwrap()).contains(&rows), "{rows}");
        slices += 1;
    }
    assert!(slices > 5);
    drop(begun);
    // Two others go on at the same time.
    let second = app.database.open_again().await;
    let (left_node, right_node) =
        tokio::join!(go_on_deleting_tenants(&app.database, now), go_on_deleting_tenants(&second, now));
    left_node.unwrap();
    right_node.unwrap();
    assert_eq!(left(&app, id).await, 0);
    assert_eq!(app.number_of("events where personal is not null").await, 0);
    let emptied = "tenants where emptied_at is not null";
    assert_eq!(app.number_of(emptied).await, 0, "what was under way may still write");
    app.script(&format!(
        "insert into throttles (tenant_id, subject, failures, updated_at, change_id) values ('{id}', 'late', 1, 0, 'x')"
    ))
    .await;
    app.clock.advance(60_000);
    go_on_deleting_tenants(&app.database, app.clock.now()).await.unwrap();
    assert_eq!(left(&app, id).await, 0);
    assert_eq!(app.number_of(emptied).await, 1);
}
