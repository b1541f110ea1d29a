//! What is sent and what comes back.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::Value;
use vestibule::tenants::Family;

use super::prefix;

/// A login that is being put together.
#[derive(Clone)]
pub struct LoginCall {
    pub path: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Value,
    /// Sent in place of `body`.
    pub raw: Option<Vec<u8>>,
}

impl LoginCall {
    /// Sets a body field; null takes it away.
    pub fn set(mut self, field: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => drop(self.body.as_object_mut().unwrap().remove(field)),
            value => self.body[field] = value,
        }
        self
    }

    /// Names another user, in both places.
    pub fn named(self, name: &str) -> Self {
        self.set("username", name).set("value", name)
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    pub fn raw(mut self, body: impl AsRef<[u8]>) -> Self {
        self.raw = Some(body.as_ref().to_vec());
        self
    }

    /// With these ids in the path.
    pub fn at(mut self, family: Family, owner: &str, user: &str) -> Self {
        self.path = format!("{}/users/{user}/sessions", prefix(family, owner));
        self
    }

    pub fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(Method::POST).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_slice());
        }
        let body = self.raw.clone().unwrap_or_else(|| serde_json::to_vec(&self.body).unwrap());
        request.body(Body::from(body)).unwrap()
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: axum::http::HeaderMap,
    /// Null where the body is not JSON.
    pub json: Value,
    pub text: String,
}

impl Answer {
    pub fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub fn field(&self, name: &str) -> &str {
        self.data()[name].as_str().unwrap_or_else(|| panic!("no text {name} in {}", self.text))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The word for what is wrong: the envelope's, or under `/oauth2/` the RFCs'.
    pub fn error_type(&self) -> &str {
        self.json["error"].as_str().unwrap_or_else(|| self.field("errorType"))
    }

    /// The body without the one thing that differs between equal answers: the request id.
    pub fn without_request_id(&self) -> String {
        match self.data()["requestId"].as_str() {
            Some(id) => self.text.replace(id, "(id)"),
            None => self.text.clone(),
        }
    }
}
