//! What is shown here is a credential: it is logged nowhere and stored nowhere (R137).

use vestibule::config::LogFormat;

use super::{INTROSPECT, REVOKE, start, with_token};
use crate::support::calls::Call;
use crate::support::lines::Lines;

#[tokio::test]
async fn R137_neither_token_nor_key_is_logged_or_stored_whatever_becomes_of_the_call() {
    let (lines, _logging) = Lines::of(LogFormat::Json, "trace");
    let (app, tenant, opened) = start().await;
    for path in [INTROSPECT, REVOKE] {
        for token in [&opened.token, &opened.refresh] {
            let form = |fields: &[(&str, &str)]| Call::new("POST", path).backend(&tenant).form(fields);
            let twice = form(&[("token", token), ("token", token)]);
            let json = Call::new("POST", path).backend(&tenant).json(&serde_json::json!({ "token": token }));
            let in_the_url =
                Call { path: format!("{path}?token={token}"), ..with_token(path, &tenant, token) };
            let nobody = Call::new("POST", path).bearer(token).form(&[("token", token)]);
            for call in [twice, json, in_the_url, nobody, with_token(path, &tenant, token)] {
                let answer = app.call(call).await;
                assert!(!answer.text.contains(token.as_str()), "{}", answer.text);
            }
        }
    }
    app.database.close().await;
    app.call(with_token(REVOKE, &tenant, &opened.refresh)).await.expect(503);
    let logged = lines.take();
    for route in [INTROSPECT, REVOKE] {
        assert!(logged.contains(route), "the lines are there: {logged}");
    }
    let basic = with_token(REVOKE, &tenant, "x").headers.remove(0).1;
    let basic = String::from_utf8(basic).unwrap().replace("Basic ", "");
    let signature = opened.token.rsplit('.').next().unwrap();
    for secret in [signature, &opened.refresh[5..], &tenant.backend_secret, &basic] {
        assert!(!logged.contains(secret), "{logged}");
    }
}

#[tokio::test]
async fn R137_no_token_is_stored() {
    let (app, tenant, opened) = start().await;
    for path in [INTROSPECT, REVOKE] {
        for token in [&opened.token, &opened.refresh] {
            app.call(with_token(path, &tenant, token)).await.expect(200);
        }
    }
    let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
    assert!(stored.contains("ended_by_backend"));
    for secret in [opened.token.rsplit('.').next().unwrap(), &opened.refresh[5..], &tenant.backend_secret] {
        assert!(!stored.contains(secret));
    }
}
