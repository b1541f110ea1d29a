//! Tenants: founded, listed, shown, suspended, resumed.

use serde_json::{Value, json};
use vestibule::ids::NIL as SYSTEM;
use vestibule::tenants::Family;

use super::{Operator, details, door};
use crate::support::app::TestApp;

#[tokio::test]
async fn a_tenant_is_founded_whole_and_its_keys_open_at_once() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let founded = olga
        .post(
            "/tenants",
            json!({
                "slug": "acme", "name": "Acme Payments", "settings": { "profile": "payment", "maxSessions": 3 },
                "origins": ["https://b.example", "https://a.example", "https://a.example"],
            }),
        )
        .await
        .expect(200);
    let tenant = &founded.data()["tenant"];
    assert_eq!(tenant["status"], "active");
    assert_eq!(tenant["issuer"], "https://id.example.test/t/acme");
    assert_eq!(tenant["origins"], json!(["https://a.example", "https://b.example"]));
    assert_eq!(tenant["settings"]["profile"], "payment");
    assert_eq!(tenant["settings"]["maxSessions"], 3);
    assert_eq!(tenant["settings"]["refreshGraceSeconds"], 60);
    assert_eq!(tenant["settings"]["version"], 3);
    let keys = founded.data()["keys"].as_array().unwrap();
    let purposes: Vec<_> = keys.iter().map(|key| key["key"]["purpose"].as_str().unwrap()).collect();
    assert_eq!(purposes, ["login", "backend"]);
    for key in keys {
        let (name, secret) = (&key["key"]["tenantKey"], &key["tenantSecret"]);
        assert_eq!(door(&app, "acme", name.as_str().unwrap(), secret.as_str().unwrap()).await, 401);
    }
    assert_eq!(olga.get("/tenants/acme").await.expect(200).data(), tenant);
    let by_id = format!("/tenants/{}", tenant["id"].as_str().unwrap().to_uppercase());
    assert_eq!(olga.get(&by_id).await.expect(200).data(), tenant);
    let house = format!("customers where house and id = '{}'", founded.field("organizationId"));
    assert_eq!(app.number_of(&house).await, 1);
    let events = app.events_named(tenant["id"].as_str().unwrap(), "tenant_created").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].text("actor_kind").unwrap(), "operator");
    assert_eq!(details(&events[0])["keys"].as_array().unwrap().len(), 2);
    assert!(events[0].text("personal").unwrap().contains("clientIp"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R052_of_many_foundings_of_one_slug_one_succeeds_and_nothing_is_half_done() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let found = || olga.call("POST", "/tenants").json(&json!({ "slug": "acme", "name": "Acme" }));
    let statuses = olga.at_once((0..8).map(|_| found()).collect()).await;
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    for (table, rows) in [("tenants", 2), ("tenant_keys", 2), ("signing_keys", 1), ("customers", 1)] {
        assert_eq!(app.number_of(table).await, rows, "{table}");
    }
    let system = olga.post("/tenants", json!({ "slug": "system", "name": "System" })).await.expect(409);
    assert_eq!(system.field("field"), "slug");
}

#[tokio::test]
async fn what_cannot_be_a_tenant_is_refused_by_name_all_at_once() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let eleven = vec![json!({ "purpose": "login" }); 3];
    for (change, fields) in [
        (json!({ "slug": "" }), vec!["slug"]),
        (json!({ "slug": "a b" }), vec!["slug"]),
        (json!({ "slug": "é" }), vec!["slug"]),
        (json!({ "slug": "x".repeat(65) }), vec!["slug"]),
        (json!({ "slug": "11111111-2222-4333-8444-555555555555" }), vec!["slug"]),
        (json!({ "name": "" }), vec!["name"]),
        (json!({ "name": "x".repeat(201) }), vec!["name"]),
        (json!({ "name": "a\u{0}b" }), vec!["name"]),
        (
            json!({ "settings": { "profil": 1, "maxSessions": 0 } }),
            vec!["settings.maxSessions", "settings.profil"],
        ),
        (json!({ "settings": { "accessSeconds": 1_200 } }), vec!["settings.accessSeconds"]),
        (
            json!({ "origins": ["https://a.example/", "x", "http://a.example"] }),
            vec!["origins[0]", "origins[1]", "origins[2]"],
        ),
        (json!({ "origins": vec!["https://a.example"; 51] }), vec!["origins"]),
        (json!({ "keys": eleven }), vec!["keys"]),
        (json!({ "keys": [{ "purpose": "login" }, { "purpose": "x" }] }), vec!["keys[1].purpose"]),
        (json!({ "keys": [{ "purpose": "login", "name": "" }] }), vec!["keys[0].name"]),
        (
            json!({ "slug": "*", "name": "", "settings": { "hideLock": 1 }, "origins": ["x"] }),
            vec!["slug", "name", "settings.hideLock", "origins[0]"],
        ),
    ] {
        let mut body = json!({ "slug": "acme", "name": "Acme" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert_eq!(olga.post("/tenants", body).await.expect(400).complaints(), fields, "{change}");
    }
    for (body, part) in [
        (r#"{"slug":"acme"}"#, "name"),
        (r#"{"name":"Acme"}"#, "slug"),
        (r#"{"slug":"acme","name":"Acme","id":"x"}"#, "id"),
        (r#"{"slug":"acme","name":"Acme","status":"active"}"#, "status"),
        (r#"{"slug":"acme","name":"Acme","valid_kids":"[]"}"#, "valid_kids"),
        (
            r#"{"slug":"acme","name":"Acme","settings":{"profile":"payment","profile":"standard"}}"#,
            "settings",
        ),
        (r#"{"slug":"acme","name":"Acme","settings":[]}"#, "settings"),
        (r#"{"slug":"acme","name":"Acme","keys":[{"purpose":"login","secret":"x"}]}"#, "keys[0]"),
    ] {
        let call = olga.call("POST", "/tenants").and("content-type", "application/json").body(body);
        let answer = olga.send(call).await.expect(400);
        assert!(answer.field("details").contains(part), "{body}: {}", answer.text);
    }
    let large = json!({ "slug": "acme", "name": "x".repeat(65_536) });
    olga.post("/tenants", large).await.expect(413);
    assert_eq!(app.number_of("tenants").await, 1);
}

fn slugs(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|tenant| tenant["slug"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn R056_tenants_are_listed_by_pages_and_filters_and_the_system_tenant_is_not_there() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    assert_eq!(slugs(olga.get("/tenants").await.expect(200).data()), [""; 0]);
    for (slug, name) in
        [("alpha", "Größe 100%"), ("beta_1", "Under_score"), ("Gamma", "ACME"), ("delta", "acme two")]
    {
        let origins = ["https://a.example", "https://b.example"];
        let body = json!({ "slug": slug, "name": name, "origins": origins, "keys": [] });
        olga.post("/tenants", body).await.expect(200);
    }
    olga.post("/tenants/beta_1/suspend", json!({})).await.expect(200);
    olga.delete_tenant("delta").await.expect(200);
    for (query, expected) in [
        ("", vec!["Gamma", "alpha", "beta_1", "delta"]),
        ("?status=active", vec!["Gamma", "alpha"]),
        ("?status=suspended", vec!["beta_1"]),
        ("?status=deleted", vec!["delta"]),
        ("?text=acme", vec!["Gamma", "delta"]),
        ("?text=ACME&status=active", vec!["Gamma"]),
        ("?text=gr%C3%96%C3%9Fe", vec!["alpha"]),
        ("?text=_", vec!["beta_1"]),
        ("?text=%25", vec!["alpha"]),
        ("?text=!", vec![]),
        ("?text=GAM", vec!["Gamma"]),
        ("?text=system", vec![]),
        ("?text=vestibule", vec![]),
    ] {
        let answer = olga.get(&format!("/tenants{query}")).await.expect(200);
        let mut found = slugs(answer.data());
        // PostgreSQL's order of letters is its own.
        found.sort_unstable();
        assert_eq!(found, expected, "{query}");
        assert_eq!(answer.data()["nextCursor"], Value::Null);
    }
    // Page by page, with one more made between; each has its own origins, whatever the page's size.
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = olga.get(&format!("/tenants?limit=1{cursor}")).await.expect(200);
        let items = page.data()["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        let count = items[0]["origins"].as_array().unwrap().len();
        assert_eq!(count, if items[0]["slug"] == "delta" && count == 0 { 0 } else { 2 }, "{items:?}");
        seen.push(items[0]["slug"].as_str().unwrap().to_owned());
        let Some(next) = page.data()["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    seen.sort_unstable();
    assert_eq!(seen, ["Gamma", "alpha", "beta_1", "delta"]);
    // A cursor is good for its own list only.
    let first = olga.get("/tenants?limit=1").await.expect(200);
    let cursor = first.field("nextCursor");
    olga.get(&format!("/tenants?limit=2&cursor={cursor}")).await.expect(200);
    for query in [
        format!("?limit=1&status=active&cursor={cursor}"),
        format!("?limit=1&text=a&cursor={cursor}"),
        format!("?limit=1&cursor={cursor}x"),
        "?cursor=alpha".to_owned(),
        "?limit=0".to_owned(),
        "?limit=201".to_owned(),
        "?limit=x".to_owned(),
        "?status=gone".to_owned(),
        "?status=".to_owned(),
        format!("?text={}", "x".repeat(101)),
        "?name=acme".to_owned(),
        "?text=a&text=b".to_owned(),
    ] {
        olga.get(&format!("/tenants{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn R049_what_is_no_tenant_and_the_system_tenant_are_absent_on_every_route() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let reference = olga.get("/tenants/nobody").await.expect(404).without_request_id();
    for name in ["nobody", "system", SYSTEM, "11111111-2222-4333-8444-555555555555", "*", "a.b", "-"] {
        let at = |rest: &str| format!("/tenants/{name}{rest}");
        let answers = [
            olga.get(&at("")).await,
            olga.patch(&at(""), json!({ "name": "Mine" })).await,
            olga.send(olga.call("DELETE", &at("")).json(&json!({ "slug": name }))).await,
            olga.post(&at("/suspend"), json!({})).await,
            olga.post(&at("/resume"), json!({})).await,
            olga.get(&at("/keys")).await,
            olga.post(&at("/keys"), json!({ "purpose": "login" })).await,
            olga.delete(&at("/keys/x")).await,
            olga.get(&at("/signing-keys")).await,
            olga.post(&at("/signing-keys"), json!({})).await,
            olga.delete(&at("/signing-keys/x")).await,
        ];
        for answer in answers {
            assert_eq!(answer.expect(404).without_request_id(), reference, "{name}");
        }
    }
    assert_eq!(
        app.number_of("tenants where slug = 'system' and status = 'active' and updated_at = 0").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R054_a_tenant_is_suspended_mid_session_and_resuming_does_not_revive() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let acme = app.tenant("acme").await;
    let other = app.tenant("other").await;
    let opened = app.open(&acme, Family::Individual).await;
    let others = app.open(&other, Family::Individual).await;
    app.clock.advance(1_000);
    let suspend = || olga.call("POST", "/tenants/acme/suspend").json(&json!({ "reason": "unpaid" }));
    assert_eq!(olga.at_once((0..6).map(|_| suspend()).collect()).await, [200; 6]);
    assert_eq!(olga.get("/tenants/acme").await.expect(200).field("status"), "suspended");
    // No reason needs no body.
    olga.send(olga.call("POST", "/tenants/acme/suspend")).await.expect(200);
    app.view(&acme, &opened).await.expect(401);
    app.login(&acme, Family::Individual).await.expect(403);
    app.view(&other, &others).await.expect(200);
    app.clock.advance(1_000);
    let resume = || olga.call("POST", "/tenants/acme/resume").json(&json!({}));
    assert_eq!(olga.at_once((0..6).map(|_| resume()).collect()).await, [200; 6]);
    app.view(&acme, &opened).await.expect(401);
    app.login(&acme, Family::Individual).await.expect(200);
    let events = app.events_named(acme.id.as_str(), "tenant_status_changed").await;
    let told: Vec<_> = events.iter().map(details).collect();
    assert_eq!(
        told,
        [json!({ "to": "suspended", "note": "unpaid" }), json!({ "to": "active", "note": null })]
    );
    for body in [json!({ "reason": "" }), json!({ "reason": "x".repeat(501) }), json!({ "reason": "a\u{7}" })]
    {
        assert_eq!(olga.post("/tenants/acme/suspend", body).await.expect(400).complaints(), ["reason"]);
    }
    olga.post("/tenants/acme/suspend", json!({ "status": "deleted" })).await.expect(400);
    app.login(&acme, Family::Individual).await.expect(200);
}

#[tokio::test]
async fn R065_an_operator_ends_all_sessions_of_one_tenant_with_one_row() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    let (acme, other) = (app.tenant("acme").await, app.tenant("other").await);
    let mut opened = Vec::new();
    for family in Family::ALL {
        opened.push(app.open(&acme, family).await);
    }
    let others = app.open(&other, Family::Individual).await;
    app.clock.advance(1_000);
    let body = json!({ "reason": "tokens may have leaked" });
    let ended = olga.post("/tenants/acme/sessions/end", body).await.expect(200);
    let now = app.clock.now().to_string();
    assert_eq!(
        *ended.data(),
        json!({ "tenantId": acme.id, "slug": "acme", "endedAt": now, "endReason": "ended_by_operator" })
    );
    for opened in &opened {
        assert_eq!(app.view(&acme, opened).await.expect(401).field("endReason"), "ended_by_operator");
    }
    app.view(&other, &others).await.expect(200);
    // Who is let in is let in again, and once more ends those too; by id, and without a body.
    app.clock.advance(1_000);
    let again = app.open(&acme, Family::Individual).await;
    app.view(&acme, &again).await.expect(200);
    app.clock.advance(1_000);
    olga.send(olga.call("POST", &format!("/tenants/{}/sessions/end", acme.id))).await.expect(200);
    app.view(&acme, &again).await.expect(401);
    let events = app.events_named(acme.id.as_str(), "sessions_ended").await;
    let told: Vec<_> = events.iter().map(details).collect();
    assert_eq!(told, [json!({ "of": "tenant", "kept": false }), json!({ "of": "tenant", "kept": false })]);
    assert!(events[0].text("personal").unwrap().contains("tokens may have leaked"));
    assert_eq!(app.number_of("events where ends = 'tenant' and ends_until is not null").await, 2);
    for body in [json!({ "reason": "" }), json!({ "reason": "x".repeat(501) })] {
        let answer = olga.post("/tenants/acme/sessions/end", body).await.expect(400);
        assert_eq!(answer.complaints(), ["reason"]);
    }
    for slug in ["nobody", "system"] {
        olga.post(&format!("/tenants/{slug}/sessions/end"), json!({})).await.expect(404);
    }
    olga.delete_tenant("acme").await.expect(200);
    let answer = olga.post("/tenants/acme/sessions/end", json!({})).await.expect(409);
    assert_eq!(answer.error_type(), "CONFLICT");
}

#[tokio::test]
async fn a_deleted_tenant_is_shown_and_does_nothing_any_more() {
    let app = TestApp::start().await;
    let olga = Operator::of(&app).await;
    olga.post("/tenants", json!({ "slug": "acme", "name": "Acme" })).await.expect(200);
    olga.delete_tenant("acme").await.expect(200);
    assert_eq!(olga.get("/tenants/acme").await.expect(200).field("status"), "deleted");
    for answer in [
        olga.patch("/tenants/acme", json!({ "name": "Again" })).await,
        olga.post("/tenants/acme/suspend", json!({})).await,
        olga.post("/tenants/acme/resume", json!({})).await,
        olga.post("/tenants/acme/keys", json!({ "purpose": "login" })).await,
        olga.post("/tenants/acme/signing-keys", json!({ "now": true })).await,
        olga.delete("/tenants/acme/signing-keys/x").await,
        olga.post("/tenants", json!({ "slug": "acme", "name": "Again" })).await,
    ] {
        assert_eq!(answer.expect(409).error_type(), "CONFLICT");
    }
    // Once more is no other deletion.
    app.clock.advance(5_000);
    olga.delete_tenant("acme").await.expect(200);
    assert_eq!(app.number_of("events where name = 'tenant_status_changed'").await, 1);
}
