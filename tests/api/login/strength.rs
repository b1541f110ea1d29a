//! What a login by password is worth, and what the id of its session is not.

use axum::http::Method;
use serde_json::json;
use vestibule::tenants::Family;

use crate::support::app::{NIL, TestApp, prefix};
use crate::support::calls::{Call, session_call, session_path};

#[tokio::test]
async fn R106_a_login_by_password_is_marked_as_one_factor_in_every_token_of_the_session() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let login = app.login(&tenant, family).await.expect(200);
        let path = format!("{}/users/{NIL}/sessions", prefix(family, NIL));
        let refresh = Call::new("PUT", path).tenant(&tenant.slug).and("deviceid", "device-1");
        let refresh = refresh.json(&json!({ "refreshToken": login.field("refreshToken") }));
        let refreshed = app.call(refresh).await.expect(200);
        for answer in [&login, &refreshed] {
            let claims = answer.claims();
            assert_eq!((&claims["acr"], &claims["amr"]), (&json!("aal1"), &json!(["pwd"])), "{family:?}");
            let asked = Call::new("POST", "/oauth2/introspect").backend(&tenant);
            let told = app.call(asked.form(&[("token", answer.field("token"))])).await.expect(200).json;
            assert_eq!(told["active"], true);
            assert_eq!((&told["acr"], &told["amr"]), (&json!("aal1"), &json!(["pwd"])), "{family:?}: {told}");
        }
        assert_eq!(app.event_of(&tenant, &login).await.details["amr"], json!(["pwd"]));
    }
}

#[tokio::test]
async fn R059_a_sessions_id_opens_nothing_by_itself() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        let (id, path) = (opened.session.as_str(), session_path(family, NIL, NIL, &opened.session));
        for method in ["GET", "DELETE"] {
            let call = || Call::new(method, &path).tenant(&tenant.slug);
            app.call(call()).await.expect(401);
            app.call(call().bearer(id)).await.expect(401);
            app.call(call().basic(id, id)).await.expect(401);
            app.call(call().and("cookie", format!("sessionId={id}")).and("x-session-id", id))
                .await
                .expect(401);
        }
        let refresh = Call::new("PUT", &path).tenant(&tenant.slug).and("deviceid", "device-1");
        app.call(refresh.json(&json!({ "refreshToken": id }))).await.expect(401);
        let asked = Call::new("POST", "/oauth2/introspect").backend(&tenant).form(&[("token", id)]);
        assert_eq!(app.call(asked).await.expect(200).text, r#"{"active":false}"#);
        // It lives, and whoever has its token is told so.
        app.call(session_call(Method::GET.as_str(), &tenant, family, id, &opened.token)).await.expect(200);
    }
}
