//! What a verifier refuses, and why.

use std::sync::Arc;

/// Why there is no [`AccessToken`](crate::AccessToken).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The token is none, is not for here, or is over. Log the reason; the caller needs none.
    #[error("the access token is not valid: {0}")]
    Invalid(Invalid),
    /// A good token whose session has ended.
    #[error("the access token's session has ended")]
    Ended {
        /// Why, as the feed says: `logout`, `password_changed`, `tenant_suspended` and so on. `None` where introspection
        /// answered: it gives no reasons.
        reason: Option<Arc<str>>,
    },
    /// A good token, but what is known of ended sessions is too old to let it pass.
    #[error("what is known of ended sessions is too old")]
    Stale,
    /// The issuer's keys are not known, or what is known of them is too old.
    #[error("the issuer's keys are not known at present")]
    Unavailable,
}

impl Error {
    /// The HTTP status of the answer: 401 where another token would help, 503 where only time will.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Ended { .. } => 401,
            Self::Stale | Self::Unavailable => 503,
        }
    }

    /// The `WWW-Authenticate` of a 401 (RFC 6750 §3); `None` for a 503.
    #[must_use]
    pub const fn www_authenticate(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(Invalid::Missing) => Some("Bearer"),
            Self::Invalid(_) | Self::Ended { .. } => Some("Bearer error=\"invalid_token\""),
            Self::Stale | Self::Unavailable => None,
        }
    }
}

impl From<Invalid> for Error {
    fn from(reason: Invalid) -> Self {
        Self::Invalid(reason)
    }
}

/// What is wrong with a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// There is no bearer token.
    #[error("there is none")]
    Missing,
    /// Longer than any of ours.
    #[error("it is longer than 8 KiB")]
    TooLong,
    /// Not three parts of canonical base64url, or a header with more, less or other than `alg`, `typ` and `kid`.
    #[error("it is no compact JWS of ours")]
    Shape,
    /// A claim is missing, there twice, or of another type.
    #[error("its claims are not those of an access token")]
    Claims,
    /// `iss` is another.
    #[error("it is another issuer's")]
    Issuer,
    /// `aud` is another.
    #[error("it is for another audience")]
    Audience,
    /// `exp` is past.
    #[error("it has expired")]
    Expired,
    /// `iat` is more than ten seconds ahead.
    #[error("it is from the future")]
    Future,
    /// It would live longer than the feed remembers.
    #[error("it lives too long")]
    Lifetime,
    /// The issuer has no such key, or has it no more.
    #[error("its key is none of the issuer's")]
    UnknownKey,
    /// The signature is not the key's, or `alg` is not the key's algorithm.
    #[error("its signature does not hold")]
    Signature,
}

/// Why a verifier does not start: something only a programmer or a configuration can mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The issuer is not one.
    #[error("the issuer {0}: expected https://…/t/<slug>")]
    Issuer(&'static str),
    /// The address that takes the issuer's place is not one.
    #[error("the address to reach the server at {0}: expected https://host[:port]")]
    Address(&'static str),
    /// The backend key or its secret is empty, or the key has a colon, which HTTP Basic cannot carry.
    #[error("the backend key or its secret is empty, or the key has a colon")]
    Key,
    /// An age that no feed can keep, or that promises nothing.
    #[error("max_age must be 3 to 60 seconds")]
    MaxAge,
    /// The sealed log's key that is pinned is no verifier key, or not the key of this issuer's log.
    #[error("log_key must be the verifier key of the issuer's log: `vestibule audit key` prints it")]
    LogKey,
    /// The file of the sealed log's checkpoint cannot be read, or is not what was written there, for this issuer and key.
    #[error("the file of the sealed log's checkpoint {0}")]
    CheckpointFile(String),
    /// The HTTP client could not be made: the system's trusted certificates, most likely.
    #[error("the HTTP client could not be made")]
    Http(#[from] reqwest::Error),
}
