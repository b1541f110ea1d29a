//! The documented login on all three families.

use axum::http::Method;
use vestibule::tenants::Family;

use crate::support::app::TestApp;

#[tokio::test]
async fn a_login_on_each_family_opens_a_session_that_its_token_shows_and_ends() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let opened = app.login(&tenant, family).await.expect(200);
        let (session, token) = (opened.field("sessionId"), opened.field("token"));
        let shown = app.session_call(Method::GET, &tenant, family, session, token).await.expect(200);
        assert_eq!(shown.data()["endedAt"], serde_json::Value::Null);
        let ended = app.session_call(Method::DELETE, &tenant, family, session, token).await.expect(200);
        assert_eq!(ended.field("endReason"), "logout");
        app.session_call(Method::GET, &tenant, family, session, token).await.expect(401);
    }
}
