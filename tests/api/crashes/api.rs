//! The service as its callers see it while it may die.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use vestibule::tenants::Family;

use crate::commands::init::Installation;
use crate::support::app::{NIL, PASSWORD, prefix};
use crate::support::directory::{INDIVIDUAL, individual};

/// Why there is no answer that says anything: whatever was asked for has happened, or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The server is gone.
    Server,
    /// It answered 503.
    Busy,
}

pub type Answered = Result<(u16, Value), Lost>;

/// Somebody who has registered.
#[derive(Clone, Debug)]
pub struct Person {
    pub email: String,
    pub user: String,
}

/// Those who may log in. Whoever has had five answers lost may be locked.
#[derive(Default, Debug)]
pub struct People {
    known: Mutex<Vec<(Person, usize)>>,
    asked: AtomicUsize,
}

impl People {
    pub fn add(&self, person: Person) {
        self.known.lock().unwrap().push((person, 0));
    }

    /// The next one, whoever's turn it is.
    pub fn next(&self) -> Person {
        let known = self.known.lock().unwrap();
        known[self.asked.fetch_add(1, Ordering::SeqCst) % known.len()].0.clone()
    }

    /// That an answer to somebody's login was lost: an attempt of theirs may have died.
    pub fn doubt(&self, person: &Person) {
        let mut known = self.known.lock().unwrap();
        // Another phone may have left them out meanwhile.
        if let Some((_, doubtful)) = known.iter_mut().find(|(one, _)| one.email == person.email) {
            *doubtful += 1;
        }
    }

    /// Leaves out somebody who is locked. That is right only if five attempts of theirs may have died.
    pub fn leave_out(&self, person: &Person) {
        let mut known = self.known.lock().unwrap();
        let place = known.iter().position(|(one, _)| one.email == person.email);
        let Some(place) = place else { return };
        let (_, doubtful) = known.remove(place);
        assert!(doubtful >= 5, "{} is locked after {doubtful} lost answers", person.email);
    }
}

/// How far one round has come.
#[derive(Default, Debug)]
pub struct Round {
    over: AtomicBool,
    acknowledged: AtomicUsize,
}

impl Round {
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Notes that something was acknowledged.
    pub fn note(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }
}

/// One node of the service, with what the tenant's app and backend show.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    base: String,
    login: (String, String),
    backend: (String, String),
}

impl Api {
    pub fn new(made: &Installation, base: &str) -> Self {
        let (keys, secrets) = (made.printed("tenantKey"), made.printed("tenantSecret"));
        let pair = |index: usize| (keys[index].to_owned(), secrets[index].to_owned());
        let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        Self { http, base: base.to_owned(), login: pair(0), backend: pair(1) }
    }

    async fn send(&self, request: RequestBuilder) -> Answered {
        let answer = request.send().await.map_err(|_| Lost::Server)?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|_| Lost::Server)?;
        if status == 503 {
            return Err(Lost::Busy);
        }
        Ok((status, serde_json::from_str(&body).unwrap_or(Value::Null)))
    }

    pub async fn login(&self, person: &Person, password: &str, device: &str, from: &str) -> Answered {
        let url = format!("{}{}/users/{NIL}/sessions", self.base, prefix(Family::Individual, NIL));
        let request = self.http.post(url).header("x-forwarded-for", from);
        let request =
            request.header("x-tenant-id", "acme").header("x-forwarded-from", "app").header("platform", "ios");
        let (key, secret) = &self.login;
        let body = json!({
            "username": person.email, "password": password, "tenantKey": key, "tenantSecret": secret
        });
        self.send(request.header("deviceid", device).json(&body)).await
    }

    fn session(&self, session: &str) -> String {
        format!("{}{}/users/{NIL}/sessions/{session}", self.base, prefix(Family::Individual, NIL))
    }

    pub async fn refresh(&self, session: &str, device: &str, token: &str, from: &str) -> Answered {
        let request = self.http.put(self.session(session)).header("x-tenant-id", "acme");
        let request = request.header("deviceid", device).header("x-forwarded-for", from);
        self.send(request.json(&json!({ "refreshToken": token }))).await
    }

    pub async fn logout(&self, session: &str, access: &str) -> Answered {
        let request = self.http.delete(self.session(session)).header("x-tenant-id", "acme");
        self.send(request.bearer_auth(access)).await
    }

    pub async fn look(&self, session: &str, access: &str) -> Answered {
        let request = self.http.get(self.session(session)).header("x-tenant-id", "acme");
        self.send(request.bearer_auth(access)).await
    }

    /// Registers somebody: customer and user.
    pub async fn register(&self, email: &str) -> Answered {
        let request = self.http.post(format!("{}{INDIVIDUAL}", self.base));
        let (key, secret) = &self.backend;
        let mut body = individual(email);
        body["password"] = json!(PASSWORD);
        body["matchingPassword"] = json!(PASSWORD);
        self.send(request.basic_auth(key, Some(secret)).json(&body)).await
    }
}

/// Asks until there is an answer: the server lives, and may have much to do.
pub async fn surely(mut ask: impl AsyncFnMut() -> Answered) -> (u16, Value) {
    for _ in 0..400 {
        match ask().await {
            Ok(answer) => return answer,
            Err(Lost::Busy) => tokio::time::sleep(Duration::from_millis(25)).await,
            Err(Lost::Server) => panic!("a server that nobody killed is gone"),
        }
    }
    panic!("503 for ten seconds and more");
}

/// That somebody is locked, and not merely refused.
pub fn is_locked((status, body): &(u16, Value)) -> bool {
    *status == 401 && body["message"] == "Account locked"
}
