//! One kind of token is no other (R071): each of them, within its own tenant, where another belongs.

use serde_json::json;
use vestibule::tenants::Family;

use super::{INACTIVE, introspect, is_active, revoke, start};
use crate::support::calls::{Call, session_call};
use crate::support::directory::USERS;

#[tokio::test]
async fn R071_each_kind_of_token_is_worth_nothing_where_another_belongs() {
    let (app, tenant, opened) = start().await;
    let name = &tenant.person(Family::Individual).email;
    let reset = app.backend(&tenant, "POST", "/api/v2.1/password-resets", &json!({ "username": name })).await;
    let reset = reset.expect(200).field("resetSecret").to_owned();
    let cursor =
        app.look(&tenant, &format!("{USERS}?limit=1")).await.expect(200).field("nextCursor").to_owned();
    let events =
        app.look(&tenant, "/api/v2.1/events?limit=1").await.expect(200).field("nextCursor").to_owned();
    let operator = app.operator().await;
    let kinds = [
        ("access token", opened.token.as_str()),
        ("refresh token", &opened.refresh),
        ("reset secret", &reset),
        ("list cursor", &cursor),
        ("event cursor", &events),
        ("operator token", &operator),
        ("session id", &opened.session),
        ("tenant secret", &tenant.backend_secret),
    ];
    let mut asked = 0;
    for (kind, token) in kinds {
        let others: Vec<(&str, &str, Call, u16)> = vec![
            (
                "access token",
                "a session",
                { session_call("GET", &tenant, Family::Individual, &opened.session, token) },
                401,
            ),
            (
                "access token",
                "a logout",
                { session_call("DELETE", &tenant, Family::Individual, &opened.session, token) },
                401,
            ),
            ("access token", "the directory", Call::get(USERS).tenant("acme").bearer(token), 401),
            (
                "list cursor",
                "a list",
                Call::get(format!("{USERS}?limit=1&cursor={token}")).backend(&tenant),
                400,
            ),
            (
                "event cursor",
                "the events",
                { Call::get(format!("/api/v2.1/events?limit=1&after={token}")).backend(&tenant) },
                400,
            ),
            (
                "reset secret",
                "a reset",
                {
                    let new = "correct horse battery";
                    let body = json!({ "resetSecret": token, "newPassword": new, "matchingPassword": new });
                    Call::new("POST", "/api/v2.1/password-resets/redeem").tenant("acme").json(&body)
                },
                400,
            ),
            ("tenant secret", "a backend's call", Call::get(USERS).basic(&tenant.backend_key, token), 401),
        ];
        for (belongs, where_, call, status) in others {
            if kind == belongs {
                continue;
            }
            let answer = app.call(call).await;
            assert_eq!(answer.status.as_u16(), status, "{kind} for {where_}: {}", answer.text);
            asked += 1;
        }
        if kind != "operator token" {
            app.operator_call(Call::get("/operator/v1/tenants").bearer(token)).await.expect(401);
        }
        if !["access token", "refresh token"].contains(&kind) {
            assert_eq!(introspect(&app, &tenant, token).await.text, INACTIVE, "{kind}");
            revoke(&app, &tenant, token).await;
        }
    }
    assert!(asked > 45, "{asked}");
    for token in [&opened.token, &opened.refresh] {
        assert!(is_active(&app, &tenant, token).await, "nothing has ended by all that");
    }
}
