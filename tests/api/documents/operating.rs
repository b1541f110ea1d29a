//! What an operator watches: readiness and metrics.

use std::collections::{BTreeMap, BTreeSet};

use vestibule::db::Statement;
use vestibule::telemetry::{METRICS, metrics};
use vestibule::tenants::Family;

use super::by_operator;
use crate::support::app::{TestApp, Wanted};
use crate::support::calls::Call;

#[tokio::test]
async fn readiness_is_503_when_the_database_is_away_or_its_migrations_are_not_current() {
    let app = TestApp::start().await;
    let ready = app.call(Call::get("/readyz")).await.expect(200);
    assert_eq!(ready.field("status"), "ready");
    assert_eq!(ready.field("keys"), "ok");

    let database = crate::support::database().await;
    let bare = TestApp::on(database, Wanted::default());
    let answer = bare.call(Call::get("/readyz")).await.expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE");
    assert_eq!(answer.headers["retry-after"], "2");
    bare.call(Call::get("/healthz")).await.expect(200);

    let forgotten =
        Statement::new("delete from vestibule_migrations where version = 1 returning version as id");
    app.change(forgotten).await;
    app.call(Call::get("/readyz")).await.expect(503);

    let app = TestApp::start().await;
    app.database.close().await;
    let answer = app.call(Call::get("/readyz")).await.expect(503);
    assert_eq!(answer.error_type(), "UNAVAILABLE");
    assert!(!answer.text.contains("closed"), "{}", answer.text);
    app.call(Call::get("/healthz")).await.expect(200);
}

#[tokio::test]
async fn metrics_have_the_documented_names_and_labels_and_name_nobody() {
    // Recorded from the first call on.
    drop(metrics());
    let app = TestApp::start().await;
    let tenant = app.tenant("metrics-tenant").await;
    let opened = app.open(&tenant, Family::Individual).await;
    app.view(&tenant, &opened).await.expect(200);
    app.send(tenant.login(Family::Admin).set("password", "wrong").request()).await.expect(401);
    app.call(Call::get("/metrics-nowhere/S3cret")).await.expect(404);
    app.call(Call::new("METRICSVERB", "/healthz")).await.expect(405);
    app.call(Call::get("/t/metrics-tenant/.well-known/jwks.json")).await.expect(200);
    let app = by_operator(app);
    let answer = app.call(Call::get("/metrics")).await.expect(200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");

    let documented: BTreeMap<_, _> = METRICS.iter().map(|metric| (metric.name, metric.labels)).collect();
    let mut seen = BTreeSet::new();
    for line in answer.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, rest.rsplit_once('}').unwrap().0),
            None => (line.split(' ').next().unwrap(), ""),
        };
        let base = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|base| documented.contains_key(base)));
        let name = base.unwrap_or(name);
        let allowed = documented.get(name).unwrap_or_else(|| panic!("{name} is not documented"));
        for label in labels.split("\",").filter(|label| !label.is_empty()) {
            let label = label.split('=').next().unwrap();
            assert!(label == "le" || allowed.contains(&label), "{name} has the label {label}");
        }
        seen.insert(name.to_owned());
    }
    for name in [
        "vestibule_http_requests_total",
        "vestibule_http_request_seconds",
        "vestibule_logins_total",
        "vestibule_hash_wait_seconds",
        "vestibule_hash_seconds",
        "vestibule_hash_evaluations_total",
        "vestibule_db_wait_seconds",
        "vestibule_build_info",
    ] {
        assert!(seen.contains(name), "{name} is missing");
    }
    let person = tenant.person(Family::Individual);
    for value in [
        tenant.slug.as_str(),
        tenant.id.as_str(),
        person.id.as_str(),
        person.customer.as_str(),
        &person.email,
        &opened.session,
        "127.0.0.1",
        "device-1",
        "test-agent",
        "S3cret",
        "METRICSVERB",
        &tenant.key,
    ] {
        assert!(!answer.text.contains(value), "a metric names {value}");
    }
    for part in [
        "method=\"OTHER\"",
        "route=\"(none)\"",
        "route=\"/t/{slug}/.well-known/jwks.json\"",
        "vestibule_logins_total{outcome=\"success\"}",
        "vestibule_logins_total{outcome=\"failed\"}",
    ] {
        assert!(answer.text.contains(part), "{part}");
    }
}
