//! What is shown here is a credential: it is logged nowhere and stored nowhere (R137).

use std::io;
use std::sync::{Arc, Mutex};

use vestibule::config::LogFormat;
use vestibule::telemetry;

use super::{INTROSPECT, REVOKE, start, with_token};
use crate::support::calls::Call;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn R137_neither_token_nor_key_is_logged_or_stored_whatever_becomes_of_the_call() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = telemetry::subscriber(LogFormat::Json, "trace", move || writer.clone()).unwrap();
    // With one subscriber alone, `tracing` asks only the thread that meets a line first, and that may be another test's.
    let _second = tracing::Dispatch::new(telemetry::subscriber(LogFormat::Json, "off", io::sink).unwrap());
    let _guard = tracing::subscriber::set_default(subscriber);
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
    let logged = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
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
