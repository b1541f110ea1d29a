//! Two nodes on one database: what one does, the other says of a token on its next request (R102).

use axum::Router;
use serde_json::json;
use vestibule::tenants::Family;

use super::{INACTIVE, INTROSPECT, REVOKE, with_token};
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::login::two_instances;

async fn told(app: &TestApp, node: &Router, tenant: &TestTenant, token: &str) -> Answer {
    app.send_to(node, with_token(INTROSPECT, tenant, token).request()).await.expect(200)
}

#[tokio::test]
async fn R102_what_one_node_revokes_is_not_active_on_the_next_request_of_another() {
    let (app, other) = two_instances().await;
    let tenant = app.tenant("acme").await;
    for round in 0..10 {
        let opened = app.open(&tenant, Family::Individual).await;
        // Both nodes know the session and its key.
        for node in [&app.router, &other] {
            for token in [&opened.token, &opened.refresh] {
                assert_eq!(told(&app, node, &tenant, token).await.json["active"], true);
            }
        }
        let (by, asked) = if round % 2 == 0 { (&app.router, &other) } else { (&other, &app.router) };
        let token = if round % 3 == 0 { &opened.refresh } else { &opened.token };
        app.send_to(by, with_token(REVOKE, &tenant, token).request()).await.expect(200);
        for node in [asked, by] {
            for token in [&opened.token, &opened.refresh] {
                assert_eq!(told(&app, node, &tenant, token).await.text, INACTIVE, "round {round}");
            }
        }
    }
}

#[tokio::test]
async fn R102_roles_and_states_that_one_node_sets_are_told_by_another_on_its_next_request() {
    let (app, other) = two_instances().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    let person = tenant.person(Family::Individual);
    assert_eq!(told(&app, &other, &tenant, &opened.token).await.json["roles"], json!(["USER"]));
    let path = format!("/api/v2.1/admin/users/{}", person.id);
    app.backend(&tenant, "PATCH", &path, &json!({ "roles": ["USER", "ACCOUNT_OWNER"] })).await.expect(200);
    for node in [&other, &app.router] {
        let roles = told(&app, node, &tenant, &opened.token).await.json["roles"].clone();
        assert_eq!(roles, json!(["USER", "ACCOUNT_OWNER"]));
    }
    app.act(&tenant, "/api/v2.1/admin/users", person.id.as_str(), "suspend").await.expect(200);
    assert_eq!(told(&app, &other, &tenant, &opened.token).await.text, INACTIVE);
    app.act(&tenant, "/api/v2.1/admin/users", person.id.as_str(), "resume").await.expect(200);
    assert_eq!(told(&app, &other, &tenant, &opened.token).await.text, INACTIVE, "it does not live again");
}
