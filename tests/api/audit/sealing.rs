//! The sealer: every event goes into its tenant's tree, once, and the checkpoint says so.

use futures_util::future::join_all;
use serde_json::Value;
use vestibule::app::App;
use vestibule::config::LogFormat;
use vestibule::db::Statement;
use vestibule::events::sealing::AuditKey;
use vestibule::flows::{Witness, export_events, number_events, seal_events};
use vestibule::secrets::MasterKeys;
use vestibule::tenants::Family;
use vestibule::upkeep;
use vestibule_audit::Checkpoint;

use super::by_the_book;

use crate::support::app::{TestApp, TestTenant};
use crate::support::directory::USERS;
use crate::support::lines::Lines;
use crate::support::login::until;

/// Puts so many events into a tenant, past the API.
pub async fn put_many(app: &TestApp, tenant: &TestTenant, many: usize) {
    app.script(&format!(
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {many}) \
         select '{}', 'x' || (1000000 + i), 'user_updated', 'success', 1, 'system', '{{}}', \
         (select salt from events limit 1) from n",
        tenant.id
    ))
    .await;
}

#[tokio::test]
async fn R139_every_event_is_sealed_in_its_tenants_log_and_the_checkpoint_is_signed_under_the_logs_name() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    app.login(&acme, Family::Individual).await.expect(200);
    assert_eq!(app.seal_events().await, 4 + 2 + 4);
    assert_eq!(app.seal_events().await, 0, "once");
    for (tenant, size) in [(&acme, 6), (&globex, 4)] {
        let leaves = app.leaves(&tenant.id).await;
        let checkpoint = app.checkpoint(tenant).await;
        assert_eq!((checkpoint.size, leaves.len()), (size, usize::try_from(size).unwrap()));
        assert_eq!(checkpoint.root, by_the_book(&leaves));
        assert_eq!(checkpoint.origin, format!("id.example.test/t/{}", tenant.slug));
    }
    // One log's checkpoint is not another's.
    let note = app.head(&acme.id).await.text("checkpoint").unwrap();
    Checkpoint::verify(&note, &app.verifier("globex").await).unwrap_err();
    // It grows.
    for _ in 0..3 {
        app.login(&acme, Family::Admin).await.expect(200);
        app.seal_events().await;
        assert_eq!(app.checkpoint(&acme).await.root, by_the_book(&app.leaves(&acme.id).await));
    }
    // What is personal can go without a change to what is sealed.
    let before = app.leaves(&acme.id).await;
    let person = acme.person(Family::Individual);
    app.act(&acme, USERS, person.id.as_str(), "erase").await.expect(200);
    let emptied = "events where personal is null and personal_digest is not null";
    assert!(app.number_of(emptied).await > 0, "there was something");
    assert_eq!(app.leaves(&acme.id).await[..before.len()], before);
}

#[tokio::test]
async fn R139_the_events_of_a_version_that_did_not_seal_are_sealed_in_slices_over_many_rows_of_hashes() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    // As they were before there were digests.
    app.script("update events set personal_digest = null").await;
    put_many(&app, &tenant, 2_500).await;
    app.number_events().await;
    let round = seal_events(&app.app.db, &app.app.master, &app.app.options.public_url, app.clock.now());
    let round = round.await.unwrap();
    assert_eq!((round.events, round.more), (1_000, true), "{round:?}");
    assert_eq!(app.checkpoint(&tenant).await.size, 1_000);
    assert_eq!(app.seal_events().await, 1_504);
    let checkpoint = app.checkpoint(&tenant).await;
    assert_eq!(checkpoint.size, 2_504);
    assert_eq!(checkpoint.root, by_the_book(&app.leaves(&tenant.id).await));
    let tiles = |level: i64| format!("event_tiles where tenant_id = '{}' and level = {level}", tenant.id);
    assert_eq!((app.number_of(&tiles(0)).await, app.number_of(&tiles(1)).await), (10, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn R139_of_many_sealers_at_once_each_event_is_sealed_once_and_no_half_is_ever_seen() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let second = app.database.open_again().await;
    let sealed = std::sync::atomic::AtomicUsize::new(0);
    let refused = std::sync::atomic::AtomicUsize::new(0);
    let work = async |db: &vestibule::db::Database| {
        for _ in 0..40 {
            number_events(db, None, app.clock.now()).await.unwrap();
            let round = seal_events(db, &app.app.master, &app.app.options.public_url, app.clock.now()).await;
            let round = round.unwrap();
            assert!(round.failure.is_none(), "{round:?}");
            sealed.fetch_add(round.events, std::sync::atomic::Ordering::SeqCst);
            refused.fetch_add(usize::from(round.more), std::sync::atomic::Ordering::SeqCst);
        }
    };
    let log_in = async {
        for _ in 0..60 {
            app.login(&tenant, Family::Individual).await.expect(200);
        }
    };
    let sealers = [&app.database, &app.database, &second, &second].map(work);
    tokio::join!(log_in, join_all(sealers));
    let rest = app.seal_events().await;
    let leaves = app.leaves(&tenant.id).await;
    assert_eq!(sealed.into_inner() + rest, leaves.len(), "each once");
    assert_eq!(app.checkpoint(&tenant).await.root, by_the_book(&leaves));
    assert!(refused.into_inner() > 0, "the sealers met");
    second.close().await;
}

#[tokio::test]
async fn R139_a_log_that_was_altered_is_not_sealed_on_and_keeps_no_other_tenant_from_it() {
    for altered in [
        "update event_heads set root = (select root from event_heads where tenant_id = '{other}') where tenant_id = '{it}'",
        "update event_heads set checkpoint = (select checkpoint from event_heads where tenant_id = '{other}') \
         where tenant_id = '{it}'",
        "update event_heads set sealed = 3 where tenant_id = '{it}'",
        "update event_tiles set hashes = (select hashes from event_tiles where tenant_id = '{other}') \
         where tenant_id = '{it}'",
        "delete from event_tiles where tenant_id = '{it}'",
        "update events set position = null where tenant_id = '{it}' and position = 6",
    ] {
        let app = TestApp::start().await;
        let (it, other) = (app.tenant("acme").await, app.tenant("globex").await);
        app.seal_events().await;
        for tenant in [&it, &other] {
            app.login(tenant, Family::Individual).await.expect(200);
        }
        app.number_events().await;
        let fill = |text: &str| text.replace("{it}", it.id.as_str()).replace("{other}", other.id.as_str());
        app.script(&fill(altered)).await;
        let round = seal_events(&app.app.db, &app.app.master, &app.app.options.public_url, app.clock.now());
        let round = round.await.unwrap();
        assert!(round.failure.is_some(), "{altered}: {round:?}");
        assert_eq!(round.events, 2, "{altered}");
        assert_eq!(app.checkpoint(&other).await.size, 6);
    }
}

#[tokio::test]
async fn R139_a_full_slice_with_a_gap_is_not_sealed_in_closed_ranks() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    put_many(&app, &tenant, 1_200).await;
    app.number_events().await;
    app.script("update events set position = null where position = 100").await;
    let round = seal_events(&app.app.db, &app.app.master, &app.app.options.public_url, app.clock.now());
    let round = round.await.unwrap();
    let failure = round.failure.map(|error| format!("{:#}", anyhow::Error::from(error)));
    assert_eq!(failure.as_deref(), Some("Internal error: there is no event at position 100"));
    assert_eq!(app.head(&tenant.id).await.int("sealed").unwrap(), 0);
}

#[tokio::test]
async fn R139_what_is_not_sealed_yet_is_left_to_the_next_export() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    app.login(&tenant, Family::Individual).await.expect(200);
    app.number_events().await;
    let export = async |after| export_events(&app.app.db, &tenant.id, after, &mut Vec::new()).await.unwrap();
    assert_eq!((export(0).await, export(4).await), ((4, 4), (0, 4)));
    app.seal_events().await;
    assert_eq!(export(4).await, (2, 6));
}

#[tokio::test]
async fn the_audit_key_is_made_once_and_opens_under_its_master_key_only() {
    let app = TestApp::start().await;
    let keys = join_all((0..8).map(|_| AuditKey::get(&app.app.db, &app.app.master, app.clock.now()))).await;
    let shown: std::collections::BTreeSet<_> =
        keys.iter().map(|key| key.as_ref().unwrap().verifier("x").unwrap().to_string()).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(app.number_of("audit_keys").await, 1);
    let stranger = MasterKeys::parse(&MasterKeys::generate()).unwrap();
    AuditKey::find(&app.app.db, &stranger).await.unwrap_err();
    let other = "update audit_keys set public_key = $1 returning id";
    app.change(Statement::new(other).bind(vec![7; 32])).await;
    let error = AuditKey::find(&app.app.db, &app.app.master).await.unwrap_err();
    assert!(error.to_string().contains("was altered"), "{error}");
}

/// What was logged since the last time, by the message.
fn logged(lines: &Lines, message: &str) -> Vec<Value> {
    let text = lines.take();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"].as_str().is_some_and(|said| said.starts_with(message))).collect()
}

#[tokio::test]
async fn R139_the_newest_checkpoint_of_each_log_that_changed_goes_to_the_programs_log_at_any_level_once() {
    for level in ["info", "error", "off", "vestibule=off"] {
        let (lines, _logging) = Lines::of(LogFormat::Json, level);
        let app = TestApp::start().await;
        let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
        let witness = Witness::default();
        let told = async || {
            witness.tell_checkpoints(&app.app.db).await.unwrap();
            logged(&lines, "the audit log's checkpoint")
        };
        assert_eq!(told().await.len(), 0, "nothing is sealed");
        app.seal_events().await;
        assert_eq!(told().await.len(), 2, "{level}");
        assert_eq!(told().await.len(), 0, "once");
        app.login(&globex, Family::Individual).await.expect(200);
        app.seal_events().await;
        let lines = told().await;
        assert_eq!((lines.len(), &lines[0]["tenant"]), (1, &globex.id.as_str().into()));
        let note = lines[0]["checkpoint"].as_str().unwrap();
        assert_eq!(Checkpoint::verify(note, &app.verifier("globex").await).unwrap().size, 6);
        assert_eq!(app.checkpoint(&acme).await.size, 4);
    }
}

#[tokio::test]
async fn R139_a_server_says_in_its_log_that_a_sealed_log_was_put_back_or_made_anew() {
    let (lines, _logging) = Lines::of(LogFormat::Json, "off");
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    let tables = ["event_heads", "event_tiles"];
    for table in tables {
        app.script(&format!("create table kept_{table} as select * from {table}")).await;
    }
    let witness = Witness::default();
    let contradicts = async || {
        witness.tell_checkpoints(&app.app.db).await.unwrap();
        logged(&lines, "the audit log").iter().filter(|line| line["level"] == "ERROR").count()
    };
    for _ in 0..3 {
        app.login(&tenant, Family::Individual).await.expect(200);
        app.seal_events().await;
        assert_eq!(contradicts().await, 0, "it grows");
    }
    app.script("update events set position = null where position > 4").await;
    for table in tables {
        app.script(&format!("delete from {table}; insert into {table} select * from kept_{table}")).await;
    }
    assert_eq!(contradicts().await, 1, "put back");
    assert_eq!(contradicts().await, 0, "once");
    app.seal_events().await;
    assert_eq!(contradicts().await, 0, "it grows from there");
    app.script("update events set reason = 'another' where position = 2").await;
    app.script("delete from event_tiles; update event_heads set sealed = 0, root = null, checkpoint = null")
        .await;
    app.login(&tenant, Family::Individual).await.expect(200);
    app.seal_events().await;
    assert_eq!(contradicts().await, 1, "made anew, and signed like the first one");
    app.script("update event_heads set checkpoint = 'none'").await;
    assert_eq!(contradicts().await, 1);
}

#[tokio::test]
async fn R139_where_something_is_sealed_no_other_audit_key_is_made() {
    let (lines, _logging) = Lines::of(LogFormat::Json, "off");
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    assert_eq!(logged(&lines, "the audit key was made").len(), 1, "also where there was none it is said");
    app.script("create table kept_audit_keys as select * from audit_keys; delete from audit_keys").await;
    app.login(&tenant, Family::Individual).await.expect(200);
    app.number_events().await;
    let round = async || {
        let App { db, master, options, .. } = &*app.app;
        seal_events(db, master, &options.public_url, app.clock.now()).await
    };
    let error = round().await.unwrap_err();
    let error = format!("{:#}", anyhow::Error::from(error));
    assert!(error.contains("the audit key is gone"), "{error}");
    assert_eq!(app.number_of("audit_keys").await, 0);
    app.script("insert into audit_keys select * from kept_audit_keys").await;
    assert_eq!(round().await.unwrap().events, 2);
    assert_eq!(logged(&lines, "the audit key was made").len(), 0);
}

/// One line, whose cause says what somebody has to look at.
#[tokio::test]
async fn R142_why_a_log_is_not_sealed_on_is_told() {
    let (lines, _logging) = Lines::of(LogFormat::Json, "warn");
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.seal_events().await;
    app.script("update event_heads set sealed = 3").await;
    app.login(&tenant, Family::Individual).await.expect(200);
    let told = until("it is told", async || {
        let told = logged(&lines, "events are not being sealed");
        assert!(
            told.iter().all(|line| line["cause"].as_str().unwrap().contains("it was altered")),
            "{told:?}"
        );
        !told.is_empty()
    });
    tokio::select! {
        () = upkeep::run(app.app.clone()) => unreachable!("it goes on for ever"),
        () = told => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_background_seals_what_it_numbers() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let background = tokio::spawn(upkeep::run(app.app.clone()));
    let sealed = async |size| {
        app.number_of(&format!("event_heads where sealed = {size} and tenant_id = '{}'", tenant.id)).await
            == 1
    };
    until("the first are sealed", async || sealed(4).await).await;
    app.login(&tenant, Family::Individual).await.expect(200);
    until("the next are sealed", async || sealed(6).await).await;
    background.abort();
    assert_eq!(app.checkpoint(&tenant).await.root, by_the_book(&app.leaves(&tenant.id).await));
}
