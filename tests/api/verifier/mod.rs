//! `vestibule-verifier` beside the program itself, over real HTTP: what ends here is refused there.

mod endings;
mod nodes;
mod witness;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::tenants::Family;
use vestibule_verifier::{AccessToken, Error, Options, Verifier};

use crate::commands::init::Installation;
use crate::support::app::{NIL, prefix};
use crate::support::program::{Server, credentials};

const PASSWORD: &str = "nine green bottles";

/// The longest that an end may take to reach a verifier (R102).
const SOON: Duration = Duration::from_secs(1);

/// An installation with an individual, Grace, beside the administrator.
struct Bank {
    made: Installation,
    server: Server,
    /// Grace's id.
    user: String,
    customer: String,
}

/// A session of Grace's.
struct Session {
    id: String,
    token: String,
}

impl Bank {
    async fn open() -> Self {
        let made = Installation::new().await;
        let server = made.folder.serve(&[]);
        let body = json!({ "firstName": "Grace", "lastName": "Hopper", "email": "grace@example.test",
                           "password": PASSWORD, "matchingPassword": PASSWORD });
        let mut bank = Self { made, server, user: String::new(), customer: String::new() };
        let path = "/api/v2.1/customer/individual/registration";
        let registered = bank.backend(Method::POST, path, Some(body)).await;
        let id = |name: &str| registered["data"]["user"][name].as_str().unwrap().to_owned();
        (bank.user, bank.customer) = (id("id"), id("customerId"));
        bank
    }

    /// The tenant's backend key and its secret: the second that `init` printed.
    fn key(&self) -> (&str, &str) {
        (self.made.printed("tenantKey")[1], self.made.printed("tenantSecret")[1])
    }

    /// A call with the backend key, which goes well.
    async fn backend(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (key, secret) = self.key();
        let url = format!("{}{path}", self.server.public);
        let mut request = reqwest::Client::new().request(method, url).basic_auth(key, Some(secret));
        if let Some(body) = body {
            request = request.json(&body);
        }
        well(request).await
    }

    /// A call in a session of Grace's, which goes well.
    async fn in_session(&self, method: Method, of: &Session, path: &str, body: Option<Value>) {
        let url = format!("{}{}/users/{NIL}{path}", self.server.public, prefix(Family::Individual, NIL));
        let mut request = reqwest::Client::new().request(method, url);
        request = request.header("x-tenant-id", "acme").bearer_auth(&of.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        well(request).await;
    }

    async fn log_in(&self) -> Session {
        let (key, secret) = (self.made.printed("tenantKey")[0], self.made.printed("tenantSecret")[0]);
        let body = credentials("grace@example.test", PASSWORD, key, secret);
        let (status, answer) = self.server.login(Family::Individual, "acme", &body).await;
        assert_eq!(status, 200, "{answer}");
        let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        Session { id: text("sessionId"), token: text("accessToken") }
    }

    fn options(&self) -> Options {
        let (key, secret) = self.key();
        Options::new("http://127.0.0.1:8080/t/acme", key, secret).reach_at(&self.server.public)
    }

    async fn verifier(&self) -> Verifier {
        Verifier::start(self.options()).await.unwrap()
    }
}

async fn well(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Waits until a token is answered as wanted, and tells how long that took.
async fn until(
    verifier: &Verifier,
    token: &str,
    wanted: impl Fn(&Result<AccessToken, Error>) -> bool,
) -> Duration {
    let began = Instant::now();
    loop {
        let answer = verifier.verify(token).await;
        if wanted(&answer) {
            return began.elapsed();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "still {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// That the session's end was told with this reason, within a second.
async fn ends_soon(verifier: &Verifier, session: &Session, reason: &str) {
    let ended = |answer: &Result<AccessToken, Error>| matches!(answer, Err(Error::Ended { reason: Some(told) }) if **told == *reason);
    let after = until(verifier, &session.token, ended).await;
    assert!(after < SOON, "{reason}: {after:?}");
}
