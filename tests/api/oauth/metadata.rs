//! What the issuer's two documents say of these calls.

use serde_json::json;

use super::start;
use crate::support::calls::Call;

#[tokio::test]
async fn both_documents_name_the_calls_and_the_one_way_to_show_a_key() {
    let (app, tenant, opened) = start().await;
    let (mut calls, mut documents) = (Vec::new(), Vec::new());
    for path in ["/.well-known/oauth-authorization-server/t/acme", "/t/acme/.well-known/openid-configuration"]
    {
        let document = app.call(Call::get(path)).await.expect(200).json;
        assert_eq!(document["introspection_endpoint"], "https://id.example.test/oauth2/introspect");
        assert_eq!(document["revocation_endpoint"], "https://id.example.test/oauth2/revoke");
        for call in ["introspection", "revocation"] {
            let methods = &document[format!("{call}_endpoint_auth_methods_supported")];
            assert_eq!(*methods, json!(["client_secret_basic"]));
            let url = document[format!("{call}_endpoint")].as_str().unwrap().to_owned();
            calls.push(url.strip_prefix("https://id.example.test").unwrap().to_owned());
        }
        assert_eq!(document["revocations_endpoint"], "https://id.example.test/t/acme/revocations");
        documents.push(document);
    }
    assert_eq!(documents[0], documents[1]);
    for path in calls {
        let call = Call::new("POST", path).backend(&tenant).form(&[("token", &opened.token)]);
        app.call(call).await.expect(200);
    }
}
