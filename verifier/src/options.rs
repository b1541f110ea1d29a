//! What a verifier is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// What happens to good tokens while the feed is older than the longest age.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenStale {
    /// They are refused with [`Error::Stale`](crate::Error::Stale), a 503.
    #[default]
    Refuse,
    /// The issuer is asked about each (RFC 7662); where it does not answer, they are refused as above.
    Introspect,
}

/// Whose tokens are verified, and how.
#[derive(Clone, Debug)]
pub struct Options {
    pub(crate) issuer: String,
    pub(crate) key: String,
    pub(crate) secret: SecretString,
    pub(crate) audience: String,
    pub(crate) when_stale: WhenStale,
    pub(crate) max_age: Duration,
    pub(crate) address: Option<String>,
    pub(crate) plain_http: bool,
    pub(crate) max_entries: usize,
    pub(crate) witness: bool,
    pub(crate) log_key: Option<String>,
    pub(crate) checkpoint_file: Option<PathBuf>,
}

impl Options {
    /// For the tokens of one issuer, `https://…/t/<slug>` to the letter as it stands in their `iss`, with a tenant key of
    /// purpose `backend` and its secret: they open the feed and introspection.
    #[must_use]
    pub fn new(issuer: impl Into<String>, key: impl Into<String>, secret: impl Into<SecretString>) -> Self {
        let issuer = issuer.into();
        Self {
            audience: issuer.clone(),
            issuer,
            key: key.into(),
            secret: secret.into(),
            when_stale: WhenStale::default(),
            max_age: Duration::from_secs(5),
            address: None,
            plain_http: false,
            max_entries: 1_000_000,
            witness: true,
            log_key: None,
            checkpoint_file: None,
        }
    }

    /// The one `aud` that is accepted: the issuer, unless the tenant's settings name another.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// What happens while the feed is too old: [`WhenStale::Refuse`] unless told otherwise.
    #[must_use]
    pub const fn when_stale(mut self, then: WhenStale) -> Self {
        self.when_stale = then;
        self
    }

    /// The longest age of what is known of ended sessions: 5 s unless told otherwise, 3 to 60 s.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Where the server is reached if not at the issuer's own address: `http://vestibule.internal:8080`, say.
    #[must_use]
    pub fn reach_at(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Lets keys, feed and the backend key's secret go over the network unprotected. Without it plain HTTP is for this
    /// machine's own addresses only.
    #[must_use]
    pub const fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// The key of the tenant's sealed log, as `vestibule audit key` prints it. Without it the first one that the server
    /// tells is trusted, which a line in the log says.
    #[must_use]
    pub fn log_key(mut self, key: impl Into<String>) -> Self {
        self.log_key = Some(key.into());
        self
    }

    /// Where the newest checkpoint of the sealed log is kept, and its key, so that a program that starts anew is still
    /// the witness of what it was told before. Without it they are kept in memory.
    #[must_use]
    pub fn checkpoint_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.checkpoint_file = Some(path.into());
        self
    }

    /// Asks for no checkpoints of the sealed log: for servers that do not seal yet.
    #[must_use]
    pub const fn without_witness(mut self) -> Self {
        self.witness = false;
        self
    }

    /// How many entries of the feed are held, a million unless told otherwise, in about 100 bytes each. What is more than
    /// that makes the verifier stale.
    #[must_use]
    pub const fn max_entries(mut self, most: usize) -> Self {
        self.max_entries = most;
        self
    }
}
