//! What is asked of the server, over HTTP: four calls to fixed addresses. Nothing in a token says where to ask.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::feed::Page;
use crate::keys::{self, Keys};
use crate::{Options, StartError};

/// How long an answer may take, beyond what it was asked to wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a page may take while there is much to catch up with.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes, and the longest page of the feed.
const MAX_BODY: usize = 256 * 1024;
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// The longest cursor that is sent back, in bytes.
const MAX_CURSOR: usize = 1024;

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Away(reqwest::Error),
    #[error("it answers {0}")]
    Refused(StatusCode),
    #[error("it does not know the cursor")]
    Cursor,
    #[error("its answer is not understood: {0}")]
    Unreadable(&'static str),
}

impl Failure {
    /// Whether the server was there and did not want us: not a matter of time.
    pub fn is_final(&self) -> bool {
        let final_ones = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
        matches!(self, Self::Refused(status) if final_ones.contains(status))
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::Away(error.without_url())
    }
}

/// Where the server is, and the key to it.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    issuer: Url,
    /// The issuer as text, as metadata must repeat it.
    issuer_text: String,
    jwks: Url,
    feed: Url,
    metadata: Url,
    key: String,
    secret: SecretString,
}

impl Client {
    pub fn new(options: &Options) -> Result<Self, StartError> {
        let issuer = base_of(&options.issuer).map_err(StartError::Issuer)?;
        if issuer.path() == "/" || issuer.path().ends_with('/') {
            return Err(StartError::Issuer("must have a path, and no slash at its end"));
        }
        let address = match &options.address {
            None => issuer.clone(),
            Some(address) => base_of(address).map_err(StartError::Address)?,
        };
        if options.address.is_some() && address.path() != "/" {
            return Err(StartError::Address("must have no path"));
        }
        let plain = address.scheme() == "http";
        if plain && !options.plain_http && !is_loopback(&address) {
            let reason = "would be called by plain HTTP over the network: see Options::allow_plain_http";
            return Err(match options.address {
                None => StartError::Issuer(reason),
                Some(_) => StartError::Address(reason),
            });
        }
        if options.key.is_empty() || options.key.contains(':') || options.secret.expose_secret().is_empty() {
            return Err(StartError::Key);
        }
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("vestibule-verifier/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(PATIENCE);
        if plain {
            // A proxy would read the secret.
            http = http.no_proxy();
        }
        let at = |path: String| {
            let mut url = address.clone();
            url.set_path(&path);
            url
        };
        let path = issuer.path();
        Ok(Self {
            http: http.build()?,
            jwks: at(format!("{path}/.well-known/jwks.json")),
            feed: at(format!("{path}/revocations")),
            metadata: at(format!("/.well-known/oauth-authorization-server{path}")),
            issuer,
            issuer_text: options.issuer.clone(),
            key: options.key.clone(),
            secret: options.secret.clone(),
        })
    }

    pub async fn keys(&self) -> Result<Keys, Failure> {
        // The set may be cached on its way, and then would be older than it seems.
        let request = self.http.get(self.jwks.clone()).header(CACHE_CONTROL, "no-cache");
        let body = read(request.timeout(PATIENCE), MAX_BODY).await?;
        keys::parse_set(&body).ok_or(Failure::Unreadable("it is no JWK Set"))
    }

    /// Where introspection is, at the address that we know; the metadata must be this issuer's, and so must the endpoint.
    pub async fn find_introspection(&self) -> Result<Url, Failure> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            introspection_endpoint: Option<String>,
        }
        let body = read(self.http.get(self.metadata.clone()).timeout(PATIENCE), MAX_BODY).await?;
        let metadata: Metadata =
            serde_json::from_slice(&body).map_err(|_| Failure::Unreadable("it is no metadata"))?;
        if metadata.issuer != self.issuer_text {
            return Err(Failure::Unreadable("it is another issuer's metadata"));
        }
        let endpoint = metadata.introspection_endpoint.and_then(|text| Url::parse(&text).ok());
        let endpoint = endpoint.filter(|url| url.origin() == self.issuer.origin() && url.query().is_none());
        let endpoint =
            endpoint.ok_or(Failure::Unreadable("it names no introspection endpoint of the issuer"))?;
        let mut url = self.metadata.clone();
        url.set_path(endpoint.path());
        Ok(url)
    }

    /// What has ended since the cursor; the server may wait so many seconds until there is something. With a size of the
    /// sealed log, its newest checkpoint, and the proof that it goes on from there.
    pub async fn revocations(
        &self,
        after: Option<&str>,
        wait: u64,
        caught_up: bool,
        log_size: Option<u64>,
    ) -> Result<Page, Failure> {
        #[derive(Deserialize)]
        struct Envelope {
            data: Page,
        }
        let mut url = self.feed.clone();
        url.query_pairs_mut().extend_pairs(after.map(|cursor| ("after", cursor)));
        url.query_pairs_mut().append_pair("wait", &wait.to_string());
        url.query_pairs_mut().extend_pairs(log_size.map(|size| ("checkpoint", size.to_string())));
        let patience = if caught_up { PATIENCE + Duration::from_secs(wait) } else { CATCHING_UP };
        let body = match read(self.with_key(self.http.get(url)).timeout(patience), MAX_PAGE).await {
            Err(Failure::Refused(StatusCode::BAD_REQUEST)) if after.is_some() => return Err(Failure::Cursor),
            body => body?,
        };
        let Envelope { data: page } = serde_json::from_slice(&body)
            .map_err(|_| Failure::Unreadable("it is no page of the feed, or of a later version"))?;
        if page.cursor.is_empty() || page.cursor.len() > MAX_CURSOR {
            return Err(Failure::Unreadable("its cursor is empty or too long"));
        }
        if page.more && after == Some(&page.cursor) {
            return Err(Failure::Unreadable("it goes round in circles"));
        }
        Ok(page)
    }

    /// Whether the server says that a token is active. The token has been parsed: it needs no escaping in a form.
    pub async fn introspect(&self, endpoint: &Url, token: &str) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            active: bool,
        }
        let request = self
            .with_key(self.http.post(endpoint.clone()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("token={token}&token_type_hint=access_token"));
        let body = read(request.timeout(PATIENCE), MAX_BODY).await?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| Failure::Unreadable("it is no answer of an introspection"))?;
        Ok(answer.active)
    }

    fn with_key(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.key, Some(self.secret.expose_secret()))
    }
}

/// The body of a 200, as far as `most` bytes.
async fn read(request: RequestBuilder, most: usize) -> Result<Vec<u8>, Failure> {
    let mut response = request.send().await?;
    if response.status() != StatusCode::OK {
        return Err(Failure::Refused(response.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Err(Failure::Unreadable("it is too long"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// An address with nothing behind its path, and no credentials in it.
fn base_of(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("is no HTTP URL");
    }
    let bare = url.username().is_empty() && url.password().is_none();
    if !bare || url.query().is_some() || url.fragment().is_some() {
        return Err("has a user, a query or a fragment");
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(issuer: &str, change: impl Fn(Options) -> Options) -> Result<Client, StartError> {
        Client::new(&change(Options::new(issuer, "key", "secret")))
    }

    #[test]
    fn the_addresses_are_the_issuers_or_stand_in_for_them() {
        let own = start("https://id.example.test/t/acme", |options| options).unwrap();
        assert_eq!(own.jwks.as_str(), "https://id.example.test/t/acme/.well-known/jwks.json");
        assert_eq!(own.feed.as_str(), "https://id.example.test/t/acme/revocations");
        let metadata = "https://id.example.test/.well-known/oauth-authorization-server/t/acme";
        assert_eq!(own.metadata.as_str(), metadata);
        let inside =
            start("https://id.example.test/t/acme", |options| options.reach_at("http://127.0.0.1:8080"));
        assert_eq!(inside.unwrap().feed.as_str(), "http://127.0.0.1:8080/t/acme/revocations");
    }

    #[test]
    fn plain_http_leaves_the_machine_only_when_that_is_asked_for() {
        for near in ["http://127.0.0.1:1/t/a", "http://[::1]:1/t/a", "http://localhost/t/a"] {
            assert!(start(near, |options| options).is_ok(), "{near}");
        }
        for far in ["http://id.example.test/t/a", "http://127.0.0.1.example.test/t/a", "http://10.0.0.1/t/a"]
        {
            assert!(matches!(start(far, |options| options), Err(StartError::Issuer(_))), "{far}");
            assert!(start(far, Options::allow_plain_http).is_ok(), "{far}");
            let address = far.trim_end_matches("/t/a");
            let reached = start("https://id.example.test/t/a", |options| options.reach_at(address));
            assert!(matches!(reached, Err(StartError::Address(_))), "{address}");
        }
    }

    #[test]
    fn what_is_no_issuer_no_address_and_no_key_is_refused() {
        for bad in [
            "",
            "acme",
            "ftp://x/t/a",
            "https://x",
            "https://x/t/a/",
            "https://x/t/a?b",
            "https://x/t/a#b",
            "https://u@x/t/a",
            "https://u:p@x/t/a",
        ] {
            assert!(matches!(start(bad, |options| options), Err(StartError::Issuer(_))), "{bad}");
        }
        for bad in ["x", "https://x/y", "https://x?y"] {
            let reached = start("https://x/t/a", |options| options.reach_at(bad));
            assert!(matches!(reached, Err(StartError::Address(_))), "{bad}");
        }
        for (key, secret) in [("", "s"), ("k", ""), ("k:k", "s")] {
            let started = Client::new(&Options::new("https://x/t/a", key, secret));
            assert!(matches!(started, Err(StartError::Key)), "{key} {secret}");
        }
    }
}
