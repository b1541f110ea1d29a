//! The calls that are measured, as an app or a backend makes them, and what each must be answered.

use std::collections::VecDeque;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use crate::http::Body;
use crate::load::{Answer, Caller};
use crate::seed::{DEVICE, PASSWORD, Person, Session};

/// "Whoever the username says".
const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// A session with an access token of its own.
#[derive(Clone, Debug)]
pub struct Live {
    pub session: Session,
    pub access_token: String,
}

fn sessions_path(customer: &str, user: &str) -> String {
    format!("/api/v2.1/customer/individual/{customer}/users/{user}/sessions")
}

fn own_path(session: &Session) -> String {
    format!("{}/{}", sessions_path(&session.person.customer, &session.person.user), session.id)
}

fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Option<Request<Body>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "bench");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::new(body.into())).ok()
}

/// What apps send with every call.
fn app_headers(person: &Person) -> [(&'static str, &str); 6] {
    [
        ("content-type", "application/json"),
        ("x-tenant-id", &person.tenant.slug),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-from", "bench"),
        ("platform", "web"),
        ("deviceid", DEVICE),
    ]
}

fn expect(status: StatusCode, wanted: StatusCode) -> Answer {
    match status {
        _ if status == wanted => Answer::Done,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Answer::Refused,
        _ => Answer::Failed,
    }
}

/// The text of a member of a JSON document of ours, without reading the rest of it.
fn member<'a>(body: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// Logs people in, one after the other.
pub struct Login {
    people: VecDeque<Person>,
}

impl Login {
    pub fn new(people: impl IntoIterator<Item = Person>) -> Self {
        Self { people: people.into_iter().collect() }
    }
}

impl Caller for Login {
    fn request(&mut self) -> Option<Request<Body>> {
        self.people.rotate_left(1);
        let person = self.people.front()?;
        let body = json!({
            "username": person.name, "password": PASSWORD,
            "tenantKey": person.tenant.login.public, "tenantSecret": person.tenant.login.secret,
        });
        request(Method::POST, &sessions_path(NIL, NIL), &app_headers(person), body.to_string())
    }

    fn answered(&mut self, status: StatusCode, _: &[u8]) -> Answer {
        expect(status, StatusCode::OK)
    }
}

/// Refreshes sessions, one after the other, each with the token that its last refresh gave.
pub struct Refresh {
    sessions: VecDeque<Live>,
}

impl Refresh {
    pub fn new(sessions: impl IntoIterator<Item = Live>) -> Self {
        Self { sessions: sessions.into_iter().collect() }
    }

    pub fn into_sessions(self) -> impl Iterator<Item = Live> {
        self.sessions.into_iter()
    }
}

impl Caller for Refresh {
    fn request(&mut self) -> Option<Request<Body>> {
        self.sessions.rotate_left(1);
        let Live { session, .. } = self.sessions.front()?;
        let body = json!({ "refreshToken": session.refresh_token }).to_string();
        request(Method::PUT, &own_path(session), &app_headers(&session.person), body)
    }

    fn answered(&mut self, status: StatusCode, body: &[u8]) -> Answer {
        let tokens = (member(body, "refreshToken"), member(body, "accessToken"));
        match (expect(status, StatusCode::OK), tokens, self.sessions.front_mut()) {
            (Answer::Done, (Some(refresh), Some(access)), Some(live)) => {
                refresh.clone_into(&mut live.session.refresh_token);
                access.clone_into(&mut live.access_token);
                Answer::Done
            }
            (Answer::Done, ..) => Answer::Failed,
            (answer, ..) => answer,
        }
    }
}

/// Refreshes each of its sessions once, and then has no call left.
pub struct RefreshOnce {
    refresh: Refresh,
    left: usize,
}

impl RefreshOnce {
    pub fn new(sessions: impl IntoIterator<Item = Live>) -> Self {
        let refresh = Refresh::new(sessions);
        Self { left: refresh.sessions.len(), refresh }
    }

    pub fn into_sessions(self) -> impl Iterator<Item = Live> {
        self.refresh.into_sessions()
    }
}

impl Caller for RefreshOnce {
    fn request(&mut self) -> Option<Request<Body>> {
        self.left = self.left.checked_sub(1)?;
        self.refresh.request()
    }

    fn answered(&mut self, status: StatusCode, body: &[u8]) -> Answer {
        self.refresh.answered(status, body)
    }
}

/// A request that is made before.
struct Ready {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Ready {
    fn request(&self) -> Option<Request<Body>> {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(self.method.clone(), &self.path, &headers, self.body.clone())
    }
}

/// Sends requests that are made before, again and again or each once.
pub struct Prepared {
    requests: VecDeque<Ready>,
    once: bool,
    /// Must stand in the answer, which is a 200.
    says: &'static str,
}

impl Caller for Prepared {
    fn request(&mut self) -> Option<Request<Body>> {
        let next = self.requests.pop_front()?;
        let request = next.request();
        if !self.once {
            self.requests.push_back(next);
        }
        request
    }

    fn answered(&mut self, status: StatusCode, body: &[u8]) -> Answer {
        match expect(status, StatusCode::OK) {
            Answer::Done if says(body, self.says) => Answer::Done,
            Answer::Done => Answer::Failed,
            answer => answer,
        }
    }
}

fn says(body: &[u8], word: &str) -> bool {
    word.is_empty() || body.windows(word.len()).any(|window| window == word.as_bytes())
}

const fn read(path: String, headers: Vec<(&'static str, String)>) -> Ready {
    Ready { method: Method::GET, path, headers, body: Bytes::new() }
}

fn bearer(live: &Live) -> Vec<(&'static str, String)> {
    let tenant = live.session.person.tenant.slug.clone();
    vec![("authorization", format!("Bearer {}", live.access_token)), ("x-tenant-id", tenant)]
}

/// `GET …/sessions/{id}` of each session, again and again.
pub fn check(sessions: &[Live]) -> Prepared {
    let requests = sessions.iter().map(|live| read(own_path(&live.session), bearer(live)));
    Prepared { requests: requests.collect(), once: false, says: "\"sessionId\"" }
}

/// `POST /oauth2/introspect` of each session's access token by its tenant's backend.
pub fn introspect(sessions: &[Live]) -> Prepared {
    let requests = sessions.iter().map(|live| {
        let backend = &live.session.person.tenant.backend;
        let basic = STANDARD.encode(format!("{}:{}", backend.public, backend.secret));
        let headers = vec![
            ("authorization", format!("Basic {basic}")),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ];
        let body = Bytes::from(format!("token={}", live.access_token));
        Ready { method: Method::POST, path: "/oauth2/introspect".to_owned(), headers, body }
    });
    Prepared { requests: requests.collect(), once: false, says: "\"active\":true" }
}

/// `DELETE …/sessions/{id}`, each session once.
pub fn log_out(sessions: &[Live]) -> Prepared {
    let requests = sessions
        .iter()
        .map(|live| Ready { method: Method::DELETE, ..read(own_path(&live.session), bearer(live)) });
    Prepared { requests: requests.collect(), once: true, says: "" }
}

/// A page of 50 of the user's own sessions.
pub fn list(sessions: &[Live]) -> Prepared {
    let requests = sessions.iter().map(|live| {
        let person = &live.session.person;
        let path = format!("{}?limit=50", sessions_path(&person.customer, &person.user));
        read(path, bearer(live))
    });
    Prepared { requests: requests.collect(), once: false, says: "\"sessionId\"" }
}

/// The revocation feed as a backend that follows it asks: from its cursor on, without waiting.
pub fn feed(person: &Person, cursor: Option<&str>) -> Prepared {
    let Person { tenant, .. } = person;
    let basic = STANDARD.encode(format!("{}:{}", tenant.backend.public, tenant.backend.secret));
    let headers = vec![("authorization", format!("Basic {basic}"))];
    let after = cursor.map_or_else(String::new, |cursor| format!("?after={cursor}"));
    let path = format!("/t/{}/revocations{after}", tenant.slug);
    let requests = [read(path, headers)];
    Prepared { requests: requests.into(), once: false, says: "" }
}

/// Registrations of new people, by the tenant's backend.
pub struct Register {
    person: Person,
    prefix: String,
    number: u64,
}

impl Register {
    pub fn new(person: &Person, prefix: String) -> Self {
        Self { person: person.clone(), prefix, number: 0 }
    }
}

impl Caller for Register {
    fn request(&mut self) -> Option<Request<Body>> {
        self.number += 1;
        let Person { tenant, .. } = &self.person;
        let basic = format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", tenant.backend.public, tenant.backend.secret))
        );
        let body = json!({
            "firstName": "Ada", "lastName": "Example", "email": format!("{}-{}@new.test", self.prefix, self.number),
            "password": PASSWORD, "matchingPassword": PASSWORD,
        });
        let headers = [("content-type", "application/json"), ("authorization", basic.as_str())];
        request(Method::POST, "/api/v2.1/customer/individual/registration", &headers, body.to_string())
    }

    fn answered(&mut self, status: StatusCode, _: &[u8]) -> Answer {
        expect(status, StatusCode::OK)
    }
}

/// A `GET` of one path, for the bare server.
pub fn get(path: &str, headers: Vec<(&'static str, String)>) -> Prepared {
    let requests = [read(path.to_owned(), headers)];
    Prepared { requests: requests.into(), once: false, says: "" }
}

/// Where the feed is now.
pub async fn feed_cursor(address: std::net::SocketAddr, person: &Person) -> Result<String> {
    let mut connection = crate::http::Connection::open(address, std::net::Ipv4Addr::LOCALHOST).await?;
    let first = feed(person, None).requests.pop_front().context("a request")?;
    let request = first.request().context("a request")?;
    let (status, body) = connection.send(request).await?;
    let text = String::from_utf8_lossy(&body);
    member(&body, "cursor")
        .map(str::to_owned)
        .with_context(|| format!("the feed has no cursor: {status} {text}"))
}
