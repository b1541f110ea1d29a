//! `vestibule tenant`, beside a running server and without one.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::clock::Clock;
use vestibule::db::Statement;
use vestibule::flows::{Author, delete_tenant};
use vestibule::ids::TenantId;
use vestibule::tenants::{Family, TenantName};

use super::desk::look;
use super::init::{Installation, contents};
use crate::support::program::credentials;

fn names(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

#[tokio::test]
async fn R043_a_tenant_is_made_with_the_server_down_and_its_keys_open_when_it_is_up() {
    let made = Installation::new().await;
    let said = made.run(&[
        "tenant",
        "create",
        "beta",
        "name=Beta = Co",
        "profile=payment",
        "keyOptional=admin,individual",
        "origins=https://b.example,https://a.example",
    ]);
    let word = |label: &str, at: usize| {
        let rest = said.split(&format!("{label}  ")).nth(at).unwrap();
        rest.split_whitespace().next().unwrap()
    };
    assert!(said.contains("The secrets are shown now and never again"), "{said}");
    let stored = contents(&made.database).await;
    for at in [1, 2] {
        assert!(stored.contains(word("tenantKey", at)), "the search finds what is there");
        assert_eq!(said.matches(word("tenantSecret", at)).count(), 1);
        assert!(!stored.contains(word("tenantSecret", at)));
    }
    let created = made.json(&["tenant", "create", "gamma"]);
    assert_eq!(created["tenant"]["name"], "gamma", "its slug, if it is given no name");
    assert_eq!(made.json(&["tenant", "create", "delta", "--without-keys"])["keys"], json!([]));

    let server = made.folder.serve(&[]);
    let (_, by_api) = made
        .ask(&server, Method::POST, "/tenants", Some(json!({ "slug": "epsilon", "name": "Epsilon" })))
        .await;
    let by_api = &by_api["data"];
    assert_eq!(names(&created), names(by_api), "the same as the API says");
    assert_eq!(names(&created["tenant"]), names(&by_api["tenant"]));
    assert_eq!(names(&created["keys"][0]), names(&by_api["keys"][0]));
    for (slug, key, secret, status) in [
        ("beta", word("tenantKey", 1), word("tenantSecret", 1), 401),
        ("beta", word("tenantKey", 2), word("tenantSecret", 2), 401),
        ("beta", word("tenantKey", 1), word("tenantSecret", 2), 403),
        ("gamma", word("tenantKey", 1), word("tenantSecret", 1), 403),
    ] {
        let body = credentials("nobody@example.test", "nobody's password", key, secret);
        let (answered, answer) = server.login(Family::Organization, slug, &body).await;
        assert_eq!(answered, status, "{slug}: {answer}");
    }
    for slug in ["acme", "beta", "gamma", "delta", "epsilon"] {
        let shown = made.json(&["tenant", "show", slug]);
        assert_eq!(shown, made.data(&server, &format!("/tenants/{slug}")).await);
    }
    let beta = made.json(&["tenant", "show", "beta"]);
    assert_eq!(
        (&beta["name"], &beta["issuer"]),
        (&json!("Beta = Co"), &json!("http://127.0.0.1:8080/t/beta"))
    );
    assert_eq!(beta["settings"]["keyOptional"], json!(["admin", "individual"]));
    assert_eq!(beta["origins"], json!(["https://a.example", "https://b.example"]));
    assert_eq!(made.json(&["tenant", "list"]), made.data(&server, "/tenants").await["items"]);
    for (filter, slugs) in [
        (&["--text", "BETA"][..], &["beta"][..]),
        (&["--status", "active", "--text", "a = c"], &["beta"]),
        (&["--status", "suspended"], &[]),
        (&["--text", "%"], &[]),
    ] {
        let listed = made.json(&[&["tenant", "list"], filter].concat());
        let listed: Vec<_> = listed.as_array().unwrap().iter().map(|tenant| &tenant["slug"]).collect();
        assert_eq!(listed, slugs, "{filter:?}");
    }
}

#[tokio::test]
async fn all_tenants_are_listed_however_many_pages_they_are() {
    let made = Installation::new().await;
    let values: Vec<_> = (0..1_100)
        .map(|at| {
            format!(
                "('{at:08}-0000-4000-8000-000000000000', 't{at:04}', 'T', 't', 'active', '{{}}', '[]', 1, 1)"
            )
        })
        .collect();
    let sql = format!(
        "insert into tenants (id, slug, name, search, status, settings, valid_kids, created_at, updated_at) values {}",
        values.join(",")
    );
    made.database.apply(Statement::new(sql.leak())).await.unwrap();
    let listed = made.json(&["tenant", "list"]);
    let slugs: Vec<_> =
        listed.as_array().unwrap().iter().map(|tenant| tenant["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs.len(), 1_101);
    assert!(slugs.is_sorted() && slugs[1_100] == "t1099");
    assert_eq!(made.run(&["tenant", "list"]).lines().count(), 1_102);
}

#[tokio::test]
async fn R065_all_sessions_of_a_tenant_end_beside_a_running_server_and_everybody_may_log_in_again() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let login = async || server.login(Family::Admin, "acme", &made.login()).await;
    let (status, opened) = login().await;
    assert_eq!((status, look(&server, "acme", &opened).await), (200, 200));
    let ended = made.json(&["tenant", "end-sessions", "acme", "--reason", "tokens may have leaked"]);
    assert_eq!(names(&ended), ["endReason", "endedAt", "slug", "tenantId"]);
    assert_eq!((&ended["slug"], &ended["endReason"]), (&json!("acme"), &json!("ended_by_operator")));
    assert_eq!(look(&server, "acme", &opened).await, 401, "on the next request");
    let (status, again) = login().await;
    assert_eq!((status, look(&server, "acme", &again).await), (200, 200));
    let said = made.run(&["tenant", "end-sessions", "acme"]);
    assert!(said.starts_with("All sessions of tenant acme that were opened until 20"), "{said}");
    assert_eq!(look(&server, "acme", &again).await, 401);
    let events =
        Statement::new("select actor_kind, personal from events where name = 'sessions_ended' order by id");
    let events = made.database.list(events).await.unwrap();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.text("actor_kind").unwrap() == "operator"));
    assert!(events[0].text("personal").unwrap().contains("tokens may have leaked"));
}

#[tokio::test]
async fn R054_a_tenant_is_suspended_and_resumed_beside_a_running_server() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let login = async || server.login(Family::Admin, "acme", &made.login()).await;
    let (status, opened) = login().await;
    assert_eq!((status, look(&server, "acme", &opened).await), (200, 200));
    let suspended = made.json(&["tenant", "suspend", "acme", "--reason", "contract ended"]);
    assert_eq!(suspended["status"], "suspended");
    assert_eq!(login().await.0, 403, "on the next request");
    assert_eq!(look(&server, "acme", &opened).await, 401);
    assert_eq!(made.json(&["tenant", "suspend", "acme"]), suspended, "once more is no more");
    assert!(made.run(&["tenant", "resume", "acme"]).contains("acme is active"));
    assert_eq!(login().await.0, 200, "on the next request");
    assert_eq!(look(&server, "acme", &opened).await, 401, "what ended stays ended");
    let events = Statement::new(
        "select actor_kind, details from events where name = 'tenant_status_changed' order by id",
    );
    let events = made.database.list(events).await.unwrap();
    let told: Vec<_> = events.iter().map(|event| event.text("details").unwrap()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("contract ended") && told[1].contains("active"), "{told:?}");
    assert!(events.iter().all(|event| event.text("actor_kind").unwrap() == "operator"));
}

#[tokio::test]
async fn what_cannot_be_a_tenant_is_refused_and_none_is_made() {
    let made = Installation::new().await;
    let before = made.json(&["tenant", "list"]);
    for (arguments, reasons) in [
        (&["create", "b b"][..], &["slug must be 1 to 64 letters"][..]),
        (&["create", "system"], &["slug system is or was another tenant's"]),
        (&["create", "acme"], &["slug acme is or was another tenant's"]),
        (&["create", "beta", "origins+=https://a.example"], &["write origins=URL,URL"]),
        (
            &["create", "", "profil=x", "origins=x"],
            &["4 problems", "\n  - slug", "\n  - name", "\n  - settings.profil", "\n  - origins[0]"],
        ),
        (&["show", "system"], &["there is no tenant \"system\""]),
        (&["show", "00000000-0000-0000-0000-000000000000"], &["there is no tenant"]),
        (&["show", "*"], &["there is no tenant \"*\"; `vestibule tenant list` shows them"]),
        (&["suspend", "nobody"], &["there is no tenant"]),
        (&["suspend", "acme", "--reason", "a\nb"], &["reason must have 1 to 500 bytes"]),
        (&["end-sessions", "nobody"], &["there is no tenant"]),
        (&["end-sessions", "acme", "--reason", "a\nb"], &["reason must have 1 to 500 bytes"]),
        (&["resume", "nobody"], &["there is no tenant"]),
        (&["delete", "nobody", "--confirm", "nobody"], &["there is no tenant"]),
        (&["delete", "acme", "--confirm", "Acme"], &["--confirm \"Acme\": must repeat the tenant's slug"]),
    ] {
        made.refused(&[&["tenant"], arguments].concat(), reasons);
    }
    for arguments in [&["delete", "acme"][..], &["list", "--status", "gone"], &["create"], &[]] {
        let ended = made.folder.run(&[&["tenant"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
    assert_eq!(made.json(&["tenant", "list"]), before);
}

/// How many rows a tenant has, its own row and its events apart.
async fn rows_of(made: &Installation, tenant: &str) -> i64 {
    let mut rows = 0;
    for table in [
        "customers",
        "users",
        "login_names",
        "sessions",
        "devices",
        "tenant_keys",
        "signing_keys",
        "tenant_origins",
        "throttles",
        "attempts",
    ] {
        let sql = format!("select count(*) as number from {table} where tenant_id = $1");
        let counted = made.database.list(Statement::new(sql.leak()).bind(tenant)).await.unwrap();
        rows += counted[0].int("number").unwrap();
    }
    rows
}

#[tokio::test]
async fn R055_a_tenant_is_deleted_to_the_end_beside_a_running_server() {
    let made = Installation::new().await;
    let server = made.folder.serve(&[]);
    let (_, opened) = server.login(Family::Admin, "acme", &made.login()).await;
    let id = opened["data"]["tenantId"].as_str().unwrap().to_owned();
    many_throttles(&made, &id, 2_500).await;
    assert!(rows_of(&made, &id).await > 2_500);
    let ended = made.folder.run(&["tenant", "delete", "acme", "--confirm", "acme"]);
    assert!(ended.errors.is_empty() || ended.errors.contains("rows are gone"), "{ended:?}");
    let said = ended.well();
    assert!(said.contains("acme is deleted, and nothing is left of it but its events"), "{said}");
    assert_eq!(rows_of(&made, &id).await, 0);
    assert_eq!(server.login(Family::Admin, "acme", &made.login()).await.0, 403);
    assert_eq!(look(&server, "acme", &opened).await, 401);
    let kept = Statement::new("select personal from events where tenant_id = $1").bind(id.as_str());
    let kept = made.database.list(kept).await.unwrap();
    assert!(kept.len() >= 3 && kept.iter().all(|event| event.maybe_text("personal").unwrap().is_none()));

    let again = made.json(&["tenant", "delete", "acme", "--confirm", "acme"]);
    assert_eq!((&again["status"], &again["slug"]), (&json!("deleted"), &json!("acme")));
    made.refused(&["tenant", "create", "acme"], &["slug acme is or was another tenant's"]);
    for arguments in [
        &["tenant", "set", "acme", "profile=payment"][..],
        &["tenant", "resume", "acme"],
        &["keys", "create", "acme", "--purpose", "login"],
        &["signing-keys", "rotate", "acme"],
    ] {
        made.refused(arguments, &["tenant is deleted, for good"]);
    }
}

#[tokio::test]
async fn R055_a_deletion_that_was_interrupted_goes_on_when_it_is_repeated() {
    let made = Installation::new().await;
    let id = made.json(&["tenant", "show", "acme"])["id"].as_str().unwrap().to_owned();
    many_throttles(&made, &id, 1_500).await;
    let name = TenantName::Id(TenantId::from_stored(id.clone()));
    // As it is left by whoever is stopped right after the deletion, before the first slice.
    delete_tenant(&made.database, Author::TERMINAL, &name, "acme", Clock::system().now()).await.unwrap();
    assert!(rows_of(&made, &id).await > 1_500);
    let said = made.run(&["tenant", "delete", "acme", "--confirm", "acme"]);
    assert!(said.contains("nothing is left"), "{said}");
    assert_eq!(rows_of(&made, &id).await, 0);
}

/// Failures counted against so many names.
async fn many_throttles(made: &Installation, tenant: &str, count: i64) {
    for from in (0..count).step_by(500) {
        let values: Vec<_> =
            (from..count.min(from + 500)).map(|at| format!("('{tenant}', 's{at}', 1, 1, 'c')")).collect();
        let sql = format!(
            "insert into throttles (tenant_id, subject, failures, updated_at, change_id) values {}",
            values.join(",")
        );
        made.database.apply(Statement::new(sql.leak())).await.unwrap();
    }
}
