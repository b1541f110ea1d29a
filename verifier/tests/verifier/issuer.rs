//! An issuer that is made up, on a port of its own.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use vestibule_verifier::{AccessToken, Error, Options, Verifier};

use crate::log::Log;
use crate::signer::Signer;

pub const ISSUER: &str = "https://id.example.test/t/acme";

/// How it behaves at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// 503.
    Refusing,
    /// 403, as a suspended tenant's.
    Forbidding,
    /// Takes requests and never answers.
    Silent,
}

pub struct Issuer {
    pub address: String,
    pub signer: Signer,
    known: Arc<Known>,
}

struct Known {
    keys: Mutex<Vec<Value>>,
    revocations: Mutex<Vec<Value>>,
    log: Mutex<Log>,
    news: Notify,
    /// By how a path ends.
    moods: Mutex<HashMap<&'static str, Mood>>,
    /// Changes when an older copy of the database takes over.
    epoch: AtomicUsize,
    page: AtomicUsize,
    behind_ms: AtomicU64,
    inactive: Mutex<HashSet<String>>,
    introspection_endpoint: Mutex<String>,
    calls: Mutex<HashMap<String, usize>>,
}

type Shared = State<Arc<Known>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Issuer {
    pub async fn start() -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn start_on(listener: TcpListener) -> Self {
        let signer = Signer::new("ES256", "key-1");
        let known = Arc::new(Known {
            keys: Mutex::new(vec![signer.jwk.clone()]),
            revocations: Mutex::default(),
            log: Mutex::new(Log::new()),
            news: Notify::new(),
            moods: Mutex::default(),
            epoch: AtomicUsize::new(1),
            page: AtomicUsize::new(1_000),
            behind_ms: AtomicU64::new(0),
            inactive: Mutex::default(),
            introspection_endpoint: Mutex::new("https://id.example.test/oauth2/introspect".into()),
            calls: Mutex::default(),
        });
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/t/acme/.well-known/jwks.json", get(keys))
            .route("/.well-known/oauth-authorization-server/t/acme", get(metadata))
            .route("/t/acme/revocations", get(revocations))
            .route("/oauth2/introspect", post(introspect))
            .layer(from_fn_with_state(Arc::clone(&known), in_its_mood))
            .with_state(Arc::clone(&known));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, signer, known }
    }

    pub fn options(&self) -> Options {
        Options::new(ISSUER, "backend-key", "backend-secret").reach_at(&self.address)
    }

    pub async fn verifier(&self) -> Verifier {
        Verifier::start(self.options()).await.unwrap()
    }

    pub fn set_keys(&self, signers: &[&Signer]) {
        *lock(&self.known.keys) = signers.iter().map(|signer| signer.jwk.clone()).collect();
    }

    pub fn set_mood(&self, path: &'static str, mood: Mood) {
        lock(&self.known.moods).insert(path, mood);
    }

    pub fn set_page(&self, size: usize) {
        self.known.page.store(size, Ordering::SeqCst);
    }

    pub fn set_behind(&self, millis: u64) {
        self.known.behind_ms.store(millis, Ordering::SeqCst);
    }

    pub fn set_introspection_endpoint(&self, url: &str) {
        url.clone_into(&mut lock(&self.known.introspection_endpoint));
    }

    /// Introspection calls a session's tokens inactive.
    pub fn set_inactive(&self, session: &str) {
        lock(&self.known.inactive).insert(session.to_owned());
    }

    pub fn revoke(&self, entry: Value) {
        lock(&self.known.revocations).push(entry);
        self.known.news.notify_waiters();
    }

    /// What it says of its sealed log from now on.
    pub fn set_log(&self, log: Log) {
        *lock(&self.known.log) = log;
    }

    /// An older copy of the database takes over: with these entries, and no longer with the cursors of before.
    pub fn roll_back(&self, entries: Vec<Value>) {
        *lock(&self.known.revocations) = entries;
        self.known.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// The same of a version that takes the cursors of before, as soon as there are as many entries.
    pub fn roll_back_unnoticed(&self, entries: Vec<Value>) {
        *lock(&self.known.revocations) = entries;
    }

    /// How often a path was called that ends like this.
    pub fn calls(&self, end: &str) -> usize {
        let calls = lock(&self.known.calls);
        calls.iter().filter(|(path, _)| path.ends_with(end)).map(|(_, count)| count).sum()
    }

    pub fn token(&self, session: &str) -> String {
        self.signer.token(&claims(session))
    }
}

/// A session's id: a UUID of version 7 with this time.
pub fn session_opened_at(millis: i64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let time = format!("{millis:012x}");
    format!("{}-{}-7000-8000-{:012x}", &time[..8], &time[8..], NEXT.fetch_add(1, Ordering::SeqCst))
}

pub fn session() -> String {
    session_opened_at(now_millis())
}

pub fn now_millis() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub fn claims(session: &str) -> Value {
    let now = now_millis() / 1_000;
    json!({
        "iss": ISSUER, "aud": ISSUER, "sub": "user-1", "exp": now + 300, "iat": now, "tenantId": "tenant-1",
        "customerId": "customer-1", "userId": "user-1", "userType": "CONSUMER", "roles": ["USER"],
        "jti": "token-1", "sid": session, "auth_time": now, "acr": "aal1", "amr": ["pwd"], "client_id": "key-7",
    })
}

/// Waits until a token is answered as wanted, and tells how long that took.
pub async fn until(
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

async fn in_its_mood(State(known): Shared, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    *lock(&known.calls).entry(path.clone()).or_default() += 1;
    let mood = || {
        let moods = lock(&known.moods);
        let found = moods.iter().find(|(end, mood)| path.ends_with(**end) && **mood != Mood::Well);
        found.map_or(Mood::Well, |(_, mood)| *mood)
    };
    let mut answer = None;
    if mood() == Mood::Well {
        answer = Some(next.run(request).await);
    }
    // Also what was cut off while it waited.
    match (mood(), answer) {
        (Mood::Well, Some(answer)) => answer,
        (Mood::Silent, _) => std::future::pending().await,
        (Mood::Forbidding, _) => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn keys(State(known): Shared) -> Json<Value> {
    Json(json!({ "keys": *lock(&known.keys) }))
}

async fn metadata(State(known): Shared) -> Json<Value> {
    Json(json!({ "issuer": ISSUER, "introspection_endpoint": *lock(&known.introspection_endpoint) }))
}

fn has_key(headers: &HeaderMap) -> bool {
    let expected = format!("Basic {}", STANDARD.encode("backend-key:backend-secret"));
    headers.get("authorization").is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

async fn revocations(
    State(known): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if !has_key(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let epoch = known.epoch.load(Ordering::SeqCst);
    let after = match query.get("after").map(|cursor| cursor.split_once('-').unwrap()) {
        None => 0,
        Some((of, position)) if of == epoch.to_string() => position.parse::<usize>().unwrap(),
        Some(_) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let wait = query.get("wait").map_or(0, |seconds| seconds.parse::<u64>().unwrap());
    let deadline = tokio::time::Instant::now() + Duration::from_secs(wait);
    loop {
        let news = known.news.notified();
        let (page, all) = {
            let all = lock(&known.revocations);
            let some = all.iter().skip(after).take(known.page.load(Ordering::SeqCst)).cloned();
            (some.collect::<Vec<_>>(), all.len())
        };
        if page.is_empty() && tokio::time::timeout_at(deadline, news).await.is_ok() {
            continue;
        }
        let next = after + page.len();
        let behind = known.behind_ms.load(Ordering::SeqCst);
        let mut data = json!({
            "revocations": page, "cursor": format!("{epoch}-{next}"), "more": next < all, "asOf": now_millis(),
            "behindMs": behind, "keepSeconds": 3_670,
        });
        if let Some(size) = query.get("checkpoint") {
            data["checkpoint"] = lock(&known.log).told(size.parse().unwrap());
        }
        return Json(json!({ "code": 200, "message": "Success", "data": data })).into_response();
    }
}

async fn introspect(State(known): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = String::from_utf8(body.to_vec()).unwrap();
    let kind = headers.get("content-type").map(|value| value.as_bytes().to_vec());
    if !has_key(&headers) || kind.as_deref() != Some(b"application/x-www-form-urlencoded") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = form.split('&').find_map(|part| part.strip_prefix("token=")).unwrap();
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    let active = !lock(&known.inactive).contains(claims["sid"].as_str().unwrap());
    Json(if active { json!({ "active": true, "sub": claims["sub"] }) } else { json!({ "active": false }) })
        .into_response()
}
