//! Evidence of a session: what it holds, and what it says when a byte of it, or of the database, is another.

mod command;

use serde_json::Value;
use vestibule::events::sealing::AuditKey;
use vestibule::tenants::Family;
use vestibule_audit::{Evidence, EvidenceError, VerifierKey};

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::directory::USERS;

/// The call of a tenant's backend.
fn call(tenant: &TestTenant, of: &Opened) -> Call {
    let user = of.data["userId"].as_str().unwrap();
    Call::get(format!("{USERS}/{user}/sessions/{}/evidence", of.session)).backend(tenant)
}

impl TestApp {
    async fn evidence(&self, tenant: &TestTenant, of: &Opened) -> Evidence {
        read(&self.call(call(tenant, of)).await.expect(200))
    }

    async fn log_key(&self, tenant: &TestTenant) -> VerifierKey {
        let key = AuditKey::get(&self.app.db, &self.app.master, self.clock.now()).await.unwrap();
        key.verifier(&format!("id.example.test/t/{}", tenant.slug)).unwrap()
    }
}

/// As it came: the whole answer.
fn read(answer: &Answer) -> Evidence {
    let answer = serde_json::json!({ "code": 200, "data": answer.data(), "message": "Success" });
    Evidence::from_json(&answer.to_string()).unwrap()
}

fn names(evidence: &Evidence) -> Vec<&str> {
    evidence.events.iter().map(|proven| proven.event.name.as_str()).collect()
}

#[tokio::test]
async fn R139_a_sessions_evidence_has_its_events_and_no_others_and_holds_under_the_logs_key() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let beside = app.open(&tenant, family).await;
        app.seal_events().await;
        let evidence = app.evidence(&tenant, &opened).await;
        assert_eq!(names(&evidence), ["authn_login_success", "authn_login_new_device"]);
        app.end(&tenant, &opened).await.expect(200);
        assert_eq!(app.evidence(&tenant, &opened).await, evidence, "what is not sealed is not in it");
        app.seal_events().await;
        let ended = app.evidence(&tenant, &opened).await;
        assert_eq!(names(&ended), ["authn_login_success", "authn_login_new_device", "session_expired"]);
        for evidence in [&evidence, &ended] {
            let checkpoint = evidence.verify(Some(&app.log_key(&tenant).await)).unwrap();
            assert_eq!(checkpoint.origin, "id.example.test/t/acme");
            for proven in &evidence.events {
                assert_eq!(proven.event.session_id.as_ref(), Some(&opened.session));
                assert_eq!(proven.event.tenant_id, tenant.id.as_str());
                let personal: Value = serde_json::from_str(proven.personal.as_ref().unwrap()).unwrap();
                assert_eq!(personal["clientIp"], "127.0.0.1");
            }
            let wrong = evidence.verify(Some(&app.log_key(&other).await));
            assert!(matches!(wrong, Err(EvidenceError::OtherKey(_))), "one log's key is not another's");
        }
        assert!(!names(&app.evidence(&tenant, &beside).await).contains(&"session_expired"));
    }
}

#[tokio::test]
async fn R139_evidence_is_refused_while_nothing_is_sealed() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    let answer = app.call(call(&tenant, &opened)).await.expect(503);
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn R139_an_erased_persons_events_hold_without_what_was_personal() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.seal_events().await;
    let before = app.evidence(&tenant, &opened).await;
    let user = opened.data["userId"].as_str().unwrap();
    app.act(&tenant, USERS, user, "erase").await.expect(200);
    app.seal_events().await;
    let after = app.evidence(&tenant, &opened).await;
    let key = app.log_key(&tenant).await;
    before.verify(Some(&key)).unwrap();
    after.verify(Some(&key)).unwrap();
    assert!(before.events.iter().all(|proven| proven.personal.is_some() && proven.salt.is_some()));
    assert!(after.events.iter().all(|proven| proven.personal.is_none() && proven.salt.is_none()));
    let digests = |evidence: &Evidence| -> Vec<_> {
        evidence.events.iter().take(2).map(|proven| proven.event.personal_digest).collect()
    };
    assert_eq!(digests(&before), digests(&after), "what is sealed of it stays");
}

/// What is behind the checkpoint's back another in the database, the evidence says so, and of which event.
#[tokio::test]
async fn R139_evidence_of_a_row_that_was_altered_does_not_hold_and_names_it() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.seal_events().await;
    let key = app.log_key(&tenant).await;
    let good = app.evidence(&tenant, &opened).await;
    let of = &good.events[1].event;
    let row = format!("tenant_id = '{}' and id = '{}'", tenant.id, of.id);
    for (column, value, back) in [
        ("name", "'authn_login_fail'", "'authn_login_new_device'".to_owned()),
        ("outcome", "'failure'", "'success'".to_owned()),
        ("occurred_at", "occurred_at + 1", "occurred_at - 1".to_owned()),
        ("actor_kind", "'staff'", format!("'{}'", of.actor_kind)),
        ("actor_id", "'somebody'", format!("'{}'", of.actor_id.as_ref().unwrap())),
        ("user_id", "'somebody'", format!("'{}'", of.user_id.as_ref().unwrap())),
        ("customer_id", "'somebody'", format!("'{}'", of.customer_id.as_ref().unwrap())),
        ("reason", "'logout'", "null".to_owned()),
        ("request_id", "'another'", format!("'{}'", of.request_id.as_ref().unwrap())),
        ("details", "'{}'", format!("'{}'", of.details)),
        ("ends", "'session'", "null".to_owned()),
        ("ends_until", "7", "null".to_owned()),
        ("ends_not", "'another'", "null".to_owned()),
        (
            "personal",
            "'{\"clientIp\":\"203.0.113.9\"}'",
            format!("'{}'", good.events[1].personal.as_ref().unwrap()),
        ),
    ] {
        app.script(&format!("update events set {column} = {value} where {row}")).await;
        let error = app.evidence(&tenant, &opened).await.verify(Some(&key)).unwrap_err();
        let EvidenceError::Event { position, id, .. } = &error else { panic!("{column}: {error}") };
        assert_eq!((*position, id), (of.position, &of.id), "{column}");
        app.script(&format!("update events set {column} = {back} where {row}")).await;
        assert_eq!(app.evidence(&tenant, &opened).await, good, "{column}");
    }
    // Without the tree's hashes there is no proof.
    app.script(&format!("delete from event_tiles where tenant_id = '{}'", tenant.id)).await;
    app.call(call(&tenant, &opened)).await.expect(500);
}
