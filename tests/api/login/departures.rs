//! Clients that go: before the hash begins nothing has happened, after it everything does.

use vestibule::tenants::Family;

use crate::support::app::{TestApp, TestTenant};
use crate::support::login::{SLOW_HASH, one_thread, until};

const INDIVIDUAL: Family = Family::Individual;

/// One hash thread; the person of the organization keeps it busy, in a tenant of their own.
async fn busy() -> (TestApp, TestTenant, TestTenant) {
    let app = TestApp::start_with(one_thread()).await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("other").await);
    app.set_hash(other.person(Family::Organization), &SLOW_HASH).await;
    (app, tenant, other)
}

#[tokio::test]
async fn a_client_that_goes_before_its_hash_begins_gets_its_attempt_back() {
    let (app, tenant, other) = busy().await;
    let occupying = app.send_apart(&other.login(Family::Organization));
    app.begun(1).await;
    let mine = format!("attempts where tenant_id = '{}'", tenant.id);
    for password in ["SecurePass123!", "wrong"] {
        let leaving = app.send_apart(&tenant.login(INDIVIDUAL).set("password", password));
        until("the attempt is reserved", async || app.number_of(&mine).await == 1).await;
        leaving.abort();
        until("the attempt is given back", async || app.number_of(&mine).await == 0).await;
    }
    assert!(!occupying.is_finished(), "the thread was busy all the time");
    assert_eq!(app.app.passwords.evaluations(), 1, "nobody else was hashed");
    occupying.await.unwrap().expect(200);
    assert_eq!(app.failures(tenant.person(INDIVIDUAL)).await, 0);
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    app.send(tenant.login(INDIVIDUAL).request()).await.expect(200);
}

#[tokio::test]
async fn a_client_that_goes_after_its_hash_began_has_logged_in_or_failed_all_the_same() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let person = tenant.person(INDIVIDUAL);
    app.set_hash(person, &SLOW_HASH).await;
    let mut hashes = 0;
    for (password, event) in [("wrong", "authn_login_fail"), ("SecurePass123!", "authn_login_success")] {
        let leaving = app.send_apart(&tenant.login(INDIVIDUAL).set("password", password));
        hashes += 1;
        app.begun(hashes).await;
        leaving.abort();
        assert!(leaving.await.unwrap_err().is_cancelled());
        until("it is concluded", async || app.event_names(&tenant).await.iter().any(|name| name == event))
            .await;
        let failed = i64::from(event == "authn_login_fail");
        assert_eq!(app.failures(person).await, failed, "counted, and cleared by the success");
    }
    assert_eq!(app.number_of("sessions").await, 1);
    assert_eq!(app.number_of("attempts").await, 0);
}
