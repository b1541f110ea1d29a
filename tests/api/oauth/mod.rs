//! What a tenant's backends ask of tokens, in the RFCs' own formats: introspection and revocation.

mod formats;
mod introspection;
mod kinds;
mod logs;
mod metadata;
mod nodes;
mod refresh_tokens;
mod revocation;
mod storage;

use vestibule::tenants::Family;

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::{Call, Opened};

const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";

/// All that is said of what is not active (R099).
const INACTIVE: &str = r#"{"active":false}"#;

/// A backend's call with a token.
fn with_token(path: &str, tenant: &TestTenant, token: &str) -> Call {
    Call::new("POST", path).backend(tenant).form(&[("token", token)])
}

async fn introspect(app: &TestApp, tenant: &TestTenant, token: &str) -> Answer {
    app.call(with_token(INTROSPECT, tenant, token)).await.expect(200)
}

async fn is_active(app: &TestApp, tenant: &TestTenant, token: &str) -> bool {
    let answer = introspect(app, tenant, token).await;
    if answer.text == INACTIVE {
        return false;
    }
    assert_eq!(answer.json["active"], true, "{}", answer.text);
    true
}

/// Revokes a token: 200 and nothing else, whatever it is.
async fn revoke(app: &TestApp, tenant: &TestTenant, token: &str) -> Answer {
    let answer = app.call(with_token(REVOKE, tenant, token)).await.expect(200);
    assert_eq!(answer.text, "");
    answer
}

async fn start() -> (TestApp, TestTenant, Opened) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let opened = app.open(&tenant, Family::Individual).await;
    (app, tenant, opened)
}
