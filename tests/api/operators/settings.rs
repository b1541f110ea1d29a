//! A tenant's settings: one schema, in force on the next request.

use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::tenants::Family;
use vestibule::tenants::settings::schema::{Kind, SETTINGS};

use super::{Operator, details};
use crate::support::app::TestApp;
use crate::support::calls::Call;

#[tokio::test]
async fn the_served_schema_explains_every_setting_that_is_shown() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    app.tenant("acme").await;
    let schema = olga.get("/settings-schema").await.expect(200);
    let properties = schema.data()["properties"].as_object().unwrap();
    let tenant = olga.get("/tenants/acme").await.expect(200);
    let shown = tenant.data()["settings"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), shown.keys().collect::<Vec<_>>());
    for (name, property) in properties.iter().filter(|(name, _)| *name != "version") {
        assert!(property["description"].as_str().unwrap().len() > 40, "{name}");
        assert_eq!(property["default"], shown[name], "{name}");
    }
}

/// Values that a setting may not have.
fn wrong(kind: &Kind) -> Vec<Value> {
    let mut values = vec![json!({}), json!([[]]), json!("\u{0}"), json!(1.5), json!("no such word")];
    match kind {
        Kind::Number { least, most, .. } => {
            values.extend([json!(least - 1), json!(most + 1), json!("60"), json!(true)]);
        }
        Kind::NumberOrNever { least, most, .. } => {
            let less = if *least > 1 { least - 1 } else { -2 };
            values.extend([json!(less), json!(most + 1), json!(-1), json!("0"), json!(false)]);
        }
        Kind::Words(words) => values.extend([json!([words[0], words[0]]), json!(words[0]), json!(["x"])]),
        Kind::Names { most } => {
            let many: Vec<_> = (0..=*most).map(|number| format!("n{number}")).collect();
            values.extend([
                json!(many),
                json!(["a b"]),
                json!([""]),
                json!(["a", "a"]),
                json!(["x".repeat(65)]),
            ]);
        }
        Kind::Text { most } => {
            values.retain(|value| value != "no such word");
            values.extend([json!(""), json!("x".repeat(most + 1)), json!("a\nb"), json!(["a"])]);
        }
        Kind::Flag => values.extend([json!("true"), json!(1)]),
        Kind::Word(_) => values.push(json!("")),
    }
    values
}

#[tokio::test]
async fn R126_every_setting_is_held_to_its_bounds_and_a_refusal_changes_nothing() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    app.tenant("acme").await;
    let before = olga.get("/tenants/acme").await.expect(200);
    for setting in &SETTINGS {
        for value in wrong(&setting.kind) {
            let body = json!({ "name": "Changed", "settings": { setting.name: value } });
            let answer = olga.patch("/tenants/acme", body).await.expect(400);
            assert_eq!(answer.complaints(), [format!("settings.{}", setting.name)], "{value}");
            let message = answer.data()["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(&setting.kind.in_words()), "{message}");
        }
    }
    for (body, fields) in [
        (json!({ "settings": { "nothing": 1 } }), vec!["settings.nothing"]),
        (json!({ "settings": { "version": 4 } }), vec!["settings.version"]),
        (json!({ "settings": { "accessSeconds": 901 } }), vec!["settings.accessSeconds"]),
        (json!({ "settings": { "idleSeconds": 599 } }), vec!["settings.accessSeconds"]),
        (json!({ "settings": { "absoluteSeconds": 1_799 } }), vec!["settings.absoluteSeconds"]),
        (json!({ "settings": { "hideLock": true, "showAttempts": true } }), vec!["settings.hideLock"]),
        (
            json!({ "name": "", "origins": ["x"], "settings": { "x": 1 } }),
            vec!["name", "origins[0]", "settings.x"],
        ),
    ] {
        assert_eq!(
            olga.patch("/tenants/acme", body.clone()).await.expect(400).complaints(),
            fields,
            "{body}"
        );
    }
    for column in
        ["id", "slug", "status", "signing_kid", "valid_kids", "sessions_not_before", "created_at", "search"]
    {
        olga.patch("/tenants/acme", json!({ column: "x" })).await.expect(400);
    }
    assert_eq!(olga.get("/tenants/acme").await.expect(200).data(), before.data());
    assert_eq!(app.number_of("events where name = 'tenant_updated'").await, 0);
}

#[tokio::test]
async fn a_change_of_settings_is_in_force_on_the_next_request_and_null_takes_it_back() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let set = |settings: Value| olga.patch("/tenants/acme", json!({ "settings": settings }));
    let seconds = async || app.login(&acme, Family::Individual).await.expect(200).data()["expiresIn"].clone();
    assert_eq!(seconds().await, 300);
    let answer = set(json!({ "profile": "payment" })).await.expect(200);
    assert_eq!(answer.data()["settings"]["profile"], "payment");
    assert_eq!(seconds().await, 120);
    set(json!({ "accessSeconds": 60 })).await.expect(200);
    assert_eq!(seconds().await, 60);
    set(json!({ "accessSeconds": null })).await.expect(200);
    assert_eq!(seconds().await, 120);
    set(json!({ "profile": null, "tokenType": "at+jwt", "audience": "acme-api" })).await.expect(200);
    let login = app.login(&acme, Family::Individual).await.expect(200);
    assert!(login.token_parts().0.contains("at+jwt"));
    assert_eq!(login.claims()["aud"], "acme-api");
    let keyless = || acme.login(Family::Admin).set("tenantKey", ()).set("tenantSecret", ()).request();
    app.send(keyless()).await.expect(403);
    set(json!({ "keyOptional": ["admin"] })).await.expect(200);
    app.send(keyless()).await.expect(200);
    set(json!({ "keyOptional": [] })).await.expect(200);
    app.send(keyless()).await.expect(403);
    // What stays as it is leaves no event; what changes, what it was and what it is.
    let number = async || app.events_named(acme.id.as_str(), "tenant_updated").await.len();
    let before = number().await;
    set(json!({ "keyOptional": [], "profile": "standard" })).await.expect(200);
    olga.patch("/tenants/acme", json!({})).await.expect(200);
    assert_eq!(number().await, before);
    olga.patch("/tenants/acme", json!({ "name": "Acme II", "settings": { "maxSessions": 2 } }))
        .await
        .expect(200);
    let events = app.events_named(acme.id.as_str(), "tenant_updated").await;
    let told = details(events.last().unwrap());
    assert_eq!(
        told,
        json!({ "name": { "from": "acme", "to": "Acme II" }, "settings": { "maxSessions": { "from": 10, "to": 2 } } })
    );
    assert_eq!(events.last().unwrap().text("actor_kind").unwrap(), "operator");
    assert_eq!(
        olga.get("/tenants?text=acme%20ii").await.expect(200).data()["items"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn R124_origins_are_set_beside_the_settings_and_hold_on_the_next_request() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    app.tenant("acme").await;
    let allowed = async |origin: &str| {
        let preflight = Call::new("OPTIONS", "/healthz").and("origin", origin);
        let answer = app.call(preflight.and("access-control-request-method", "GET")).await;
        answer.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN)
    };
    assert!(!allowed("https://a.example").await);
    let set = |origins: &[&str]| olga.patch("/tenants/acme", json!({ "origins": origins }));
    set(&["https://a.example", "https://b.example"]).await.expect(200);
    assert!(allowed("https://a.example").await);
    olga.patch("/tenants/acme", json!({ "name": "Acme" })).await.expect(200);
    assert!(allowed("https://a.example").await, "what is not named stays");
    let answer = set(&["https://b.example", "https://b.example", "http://localhost:3000"]).await.expect(200);
    assert_eq!(answer.data()["origins"], json!(["http://localhost:3000", "https://b.example"]));
    assert!(!allowed("https://a.example").await);
    assert!(allowed("https://b.example").await);
    set(&[]).await.expect(200);
    assert!(!allowed("https://b.example").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_changes_of_different_settings_at_once_all_hold() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    app.tenant("acme").await;
    let set = |settings: Value| olga.call("PATCH", "/tenants/acme").json(&json!({ "settings": settings }));
    let statuses = olga
        .at_once(vec![
            set(json!({ "maxSessions": 3 })),
            set(json!({ "passwordMinLength": 16 })),
            set(json!({ "profile": "consumer" })),
            set(json!({ "hideLock": true })),
        ])
        .await;
    assert_eq!(statuses, [200; 4]);
    let settings = olga.get("/tenants/acme").await.expect(200).data()["settings"].clone();
    assert_eq!(settings["maxSessions"], 3);
    assert_eq!(settings["passwordMinLength"], 16);
    assert_eq!(settings["profile"], "consumer");
    assert_eq!(settings["hideLock"], true);
    // Of two that contradict each other one is refused, whichever comes second.
    let statuses = olga
        .at_once(vec![
            set(json!({ "hideLock": false, "showAttempts": true })),
            set(json!({ "absoluteSeconds": 120 })),
        ])
        .await;
    assert_eq!(statuses, [200, 400]);
}

#[tokio::test]
async fn what_a_newer_version_has_set_refuses_no_login_and_is_kept() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let newer = r#"{"version":4,"profile":"payment","senderConstrained":["dpop"],"riskLevel":3}"#;
    let store = "update tenants set settings = $2 where id = $1 returning id";
    app.change(Statement::new(store).bind(&acme.id).bind(newer)).await;
    assert_eq!(app.login(&acme, Family::Individual).await.expect(200).data()["expiresIn"], 120);
    let shown = olga.get("/tenants/acme").await.expect(200);
    assert_eq!(shown.data()["settings"]["version"], 3);
    assert!(!shown.text.contains("riskLevel"), "what is not known is not shown");
    let refused = olga.patch("/tenants/acme", json!({ "settings": { "riskLevel": 1 } })).await.expect(400);
    assert_eq!(refused.complaints(), ["settings.riskLevel"]);
    olga.patch("/tenants/acme", json!({ "settings": { "maxSessions": 5, "profile": null } }))
        .await
        .expect(200);
    let kept = r#"tenants where settings = '{"maxSessions":5,"riskLevel":3,"senderConstrained":["dpop"],"version":4}'"#;
    assert_eq!(app.number_of(kept).await, 1);
    assert_eq!(app.login(&acme, Family::Individual).await.expect(200).data()["expiresIn"], 300);
}

#[tokio::test]
async fn a_tenant_with_settings_of_a_newer_version_lets_nobody_in_and_can_be_managed() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let opened = app.open(&acme, Family::Individual).await;
    let newer = "update tenants set settings = $2 where id = $1 returning id";
    let newer = || Statement::new(newer).bind(&acme.id).bind(r#"{"profile":"ultra","hideLock":true}"#);
    app.change(newer()).await;
    app.login(&acme, Family::Individual).await.expect(500);
    app.view(&acme, &opened).await.expect(500);
    let shown = olga.get("/tenants/acme").await.expect(200);
    assert!(shown.field("settingsProblem").contains("ultra"), "{}", shown.text);
    let list = olga.get("/tenants").await.expect(200);
    assert!(list.data()["items"][0]["settingsProblem"].is_string());
    olga.get("/tenants/acme/keys").await.expect(200);
    olga.post("/tenants/acme/signing-keys", json!({})).await.expect(409);
    olga.patch("/tenants/acme", json!({ "name": "Acme" })).await.expect(400);

    // Set right, the rest of what was set is in force.
    let body = json!({ "settings": { "profile": "standard" } });
    let repaired = olga.patch("/tenants/acme", body).await.expect(200);
    assert!(repaired.data()["settingsProblem"].is_null());
    assert_eq!(repaired.data()["settings"]["hideLock"], true);
    app.login(&acme, Family::Individual).await.expect(200);

    app.change(newer()).await;
    olga.post("/tenants/acme/suspend", json!({})).await.expect(200);
    olga.post("/tenants/acme/resume", json!({})).await.expect(200);
    olga.delete_tenant("acme").await.expect(200);
}
