//! What can go wrong, once and for all: the variants are the API's error types.
//!
//! `docs/errors.md` and the examples in the OpenAPI document come from [`Error::catalogue`]. How an
//! error becomes an HTTP answer stands in `http::envelope`.

mod catalogue;
mod exceeded;

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::db::DbError;

pub use catalogue::{errors_document, example};
pub use exceeded::Exceeded;

/// After this many failures in a row a name is locked (as documented; PCI DSS 8.3.4 allows ten).
pub const MAX_ATTEMPTS: i64 = 5;

/// How long a lock lasts, in minutes (PCI DSS 8.3.4).
pub const LOCKOUT_MINUTES: i64 = 30;

/// One thing that is wrong with one field (or header, or query parameter).
#[derive(Clone, PartialEq, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// The field's name as the caller wrote it, or should have.
    #[schema(example = "username")]
    pub field: String,
    /// What is wrong and what would be right.
    #[schema(example = "is required: the login name or e-mail")]
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Every refusal that the API knows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Request validation failed")]
    Validation(Vec<FieldError>),
    #[error("Missing required header(s)")]
    MissingHeaders(Vec<FieldError>),
    /// Not even readable: broken JSON, a header twice, a query where none belongs.
    #[error("Malformed request")]
    Malformed(FieldError),
    /// Every reason a stranger could learn from has this one answer (R001).
    #[error("Authentication failed")]
    Authentication { attempts: Option<i64> },
    #[error("Account locked")]
    Locked { until: Timestamp },
    /// No access token, or one that is not (or no longer) good.
    #[error("Authentication required")]
    Token(TokenProblem),
    /// A well-signed token of a session that has ended: its holder may know why.
    #[error("Session ended")]
    SessionEnded { at: Timestamp, reason: String },
    /// A refresh token that is not ours, or comes from another device: one answer for all.
    #[error("Refresh failed")]
    RefreshToken,
    /// The user has as many sessions as the tenant allows, and the tenant refuses one more.
    #[error("Session limit reached")]
    SessionLimit { most: i64 },
    /// No backend key, or one that is not (or no longer) good: one answer for all (R045).
    #[error("Backend key required")]
    BackendKey,
    /// Known, and not allowed: the caller's role is not enough, whatever the ids in the path.
    #[error("Not allowed")]
    Forbidden { needs: &'static str },
    /// What is asked for contradicts what is there: a name that is taken, a status that does not allow it.
    #[error("Conflict")]
    Conflict(FieldError),
    /// Unknown, suspended, wrongly or not authenticated, or not from this origin: one answer (R045).
    #[error("Invalid tenant")]
    Tenant(TenantProblem),
    #[error("Not found")]
    NotFound,
    #[error("Method not allowed")]
    MethodNotAllowed,
    #[error("Request too large")]
    TooLarge { limit: usize },
    #[error("Request took too long to arrive")]
    Timeout,
    #[error("Unsupported media type")]
    MediaType,
    /// More than a limit lets through.
    #[error("Too many requests")]
    TooManyRequests(Exceeded),
    /// More logins at once than can be hashed in time.
    #[error("Too busy")]
    Overloaded { retry_after: u64 },
    /// The database is away or did not say whether it wrote.
    #[error("Temporarily unavailable")]
    Unavailable(#[source] anyhow::Error),
    #[error("Internal error")]
    Internal(#[from] anyhow::Error),
}

/// What was wrong with the tenant: for the operator's log, never in the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TenantProblem {
    /// Nobody is called that.
    Unknown,
    /// Suspended or deleted.
    Inactive,
    /// X-Tenant-ID, `tenantId` and the token do not name the same one.
    Mismatch,
    /// There is no key, or half of one, where one is needed.
    KeyMissing,
    /// The key is not this tenant's, is over, or its secret is another.
    KeyWrong,
    /// The web app's origin is not one of the tenant's.
    Origin,
}

impl TenantProblem {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_tenant",
            Self::Inactive => "inactive",
            Self::Mismatch => "mismatch",
            Self::KeyMissing => "key_missing",
            Self::KeyWrong => "key_wrong",
            Self::Origin => "origin",
        }
    }
}

/// Why a bearer was not accepted, as far as its sender may know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenProblem {
    /// There was none: RFC 6750 §3.1 answers a challenge without an error code.
    Missing,
    /// It is not a token of ours, is expired, or its session has ended.
    Invalid,
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) | DbError::UnknownOutcome(_) => Self::Unavailable(error.into()),
            DbError::Refused(_) | DbError::Failed(_) => Self::Internal(error.into()),
        }
    }
}

impl Error {
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Validation(vec![FieldError::new(field, message)])
    }

    pub fn conflict(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Conflict(FieldError::new(field, message))
    }

    pub fn malformed(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Malformed(FieldError::new(field, message))
    }

    /// The HTTP status and the `errorType`.
    #[must_use]
    pub fn parts(&self) -> (u16, &'static str) {
        match self {
            Self::Validation(_) => (400, "VALIDATION"),
            Self::MissingHeaders(_) => (400, "MISSING_HEADERS"),
            Self::Malformed(_) => (400, "MALFORMED_REQUEST"),
            Self::Authentication { .. } | Self::Locked { .. } => (401, "AUTHENTICATION"),
            Self::Token(_) => (401, "TOKEN"),
            Self::SessionEnded { .. } => (401, "SESSION_ENDED"),
            Self::RefreshToken => (401, "REFRESH_TOKEN"),
            Self::BackendKey => (401, "BACKEND_KEY"),
            Self::Tenant(_) => (403, "TENANT"),
            Self::Forbidden { .. } => (403, "FORBIDDEN"),
            Self::NotFound => (404, "NOT_FOUND"),
            Self::MethodNotAllowed => (405, "METHOD_NOT_ALLOWED"),
            Self::Timeout => (408, "REQUEST_TIMEOUT"),
            Self::Conflict(_) => (409, "CONFLICT"),
            Self::SessionLimit { .. } => (409, "SESSION_LIMIT"),
            Self::TooLarge { .. } => (413, "PAYLOAD_TOO_LARGE"),
            Self::MediaType => (415, "UNSUPPORTED_MEDIA_TYPE"),
            Self::TooManyRequests(_) => (429, "TOO_MANY_REQUESTS"),
            Self::Internal(_) => (500, "INTERNAL"),
            Self::Overloaded { .. } => (503, "OVERLOADED"),
            Self::Unavailable(_) => (503, "UNAVAILABLE"),
        }
    }

    /// Seconds for `Retry-After` (RFC 9110 §10.2.3), where trying again is the remedy.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests(Exceeded { retry_after, .. }) | Self::Overloaded { retry_after } => {
                Some(*retry_after)
            }
            Self::Unavailable(_) => Some(2),
            _ => None,
        }
    }

    /// `WWW-Authenticate` of a 401 (RFC 9110 §11.6.1, RFC 6750 §3).
    #[must_use]
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::Token(TokenProblem::Invalid) | Self::SessionEnded { .. } | Self::RefreshToken => {
                Some("Bearer error=\"invalid_token\"")
            }
            Self::Token(TokenProblem::Missing) | Self::Authentication { .. } | Self::Locked { .. } => {
                Some("Bearer")
            }
            // RFC 7617 §2.
            Self::BackendKey => Some("Basic realm=\"vestibule\", charset=\"UTF-8\""),
            _ => None,
        }
    }

    /// The envelope's `data`, all but the request id.
    #[must_use]
    pub fn data(&self) -> Map<String, Value> {
        let value = match self {
            Self::Validation(errors) | Self::MissingHeaders(errors) => json!({ "errors": errors }),
            Self::Authentication { attempts } => json!({
                "message": "Invalid username or password",
                "attempts": attempts, "maxAttempts": MAX_ATTEMPTS, "lockoutTime": null,
            }),
            Self::Locked { until } => json!({
                "message": "Invalid username or password",
                "attempts": null, "maxAttempts": MAX_ATTEMPTS, "lockoutTime": until.to_string(),
                "lockoutDuration": format!("{LOCKOUT_MINUTES} minutes"),
            }),
            Self::SessionEnded { at, reason } => {
                let mut value = self.explanation();
                value["endedAt"] = json!(at.to_string());
                value["endReason"] = json!(reason);
                value
            }
            _ => self.explanation(),
        };
        let mut data = Map::new();
        data.insert("success".to_owned(), Value::Bool(false));
        data.insert("errorType".to_owned(), json!(self.parts().1));
        if let Value::Object(more) = value {
            data.extend(more);
        }
        data
    }

    /// The documented shape of "other" errors: error, details, field, suggestions.
    fn explanation(&self) -> Value {
        let (details, field, suggestion): (String, Option<&str>, &str) = match self {
            Self::Malformed(problem) => (
                format!("{} {}", problem.field, problem.message),
                Some(&problem.field),
                "Send the request as the API documentation shows it.",
            ),
            Self::Conflict(problem) => (
                format!("{} {}", problem.field, problem.message),
                Some(&problem.field),
                "Look at what is there, and send the request anew.",
            ),
            Self::Token(TokenProblem::Missing) => (
                "This call needs a token.".to_owned(),
                Some("Authorization"),
                "Send the header `Authorization: Bearer <token>`.",
            ),
            Self::BackendKey => (
                "The key is not one of a tenant's backend keys, its secret is another, it has expired or is \
                 revoked, or its tenant is not active."
                    .to_owned(),
                Some("Authorization"),
                "Send the header `Authorization: Basic base64(<tenantKey>:<tenantSecret>)` of a key of purpose \
                 `backend`.",
            ),
            Self::Forbidden { needs } => (
                format!("This call needs {needs}."),
                Some("Authorization"),
                "Let somebody call it who may, or ask an ADMIN for the role.",
            ),
            Self::Token(TokenProblem::Invalid) => (
                "The access token is not valid, has expired, or its session has ended.".to_owned(),
                Some("Authorization"),
                "Log in again.",
            ),
            Self::SessionEnded { .. } => (
                "The session has ended; endReason says why.".to_owned(),
                Some("Authorization"),
                "Log in again.",
            ),
            Self::RefreshToken => {
                ("The refresh token is not valid here.".to_owned(), Some("refreshToken"), "Log in again.")
            }
            Self::SessionLimit { most } => (
                format!("The user has {most} sessions already, as many as the tenant allows."),
                None,
                "Log out of one of them, on this device or another, and log in again.",
            ),
            Self::Tenant(_) => (
                "The tenant is unknown or not active, its credentials do not fit, or this origin is not \
                 one of its own."
                    .to_owned(),
                Some("X-Tenant-ID"),
                "Check X-Tenant-ID, tenantId, tenantKey, tenantSecret and the web app's origin.",
            ),
            Self::NotFound => (
                "There is nothing here under this path.".to_owned(),
                None,
                "Check the path and the ids in it.",
            ),
            Self::MethodNotAllowed => (
                "This path does not answer this method.".to_owned(),
                None,
                "Use one of the methods that the Allow header lists.",
            ),
            Self::Timeout => {
                ("The request's body did not arrive in time.".to_owned(), None, "Send the request again.")
            }
            Self::TooLarge { limit } => {
                (format!("The body may have {limit} bytes at most."), None, "Send a smaller body.")
            }
            Self::MediaType => (
                "The body must be JSON in UTF-8.".to_owned(),
                Some("Content-Type"),
                "Send the header `Content-Type: application/json`.",
            ),
            Self::TooManyRequests(Exceeded { limit, quota, window_seconds, .. }) => (
                format!(
                    "The limit \"{limit}\" lets {quota} through in {window_seconds} seconds, and they are used up."
                ),
                None,
                "Try again after the seconds in Retry-After.",
            ),
            Self::Overloaded { .. } => (
                "There are more logins at once than can be checked in time. Nothing was changed.".to_owned(),
                None,
                "Try again after the seconds in Retry-After.",
            ),
            Self::Unavailable(_) => (
                "This could not be finished in time; nothing is known to have changed.".to_owned(),
                None,
                "Try again after the seconds in Retry-After.",
            ),
            _ => (
                "Something went wrong here; it has been logged.".to_owned(),
                None,
                "Report the requestId to the operator.",
            ),
        };
        json!({ "error": self.to_string(), "details": details, "field": field, "suggestions": [suggestion] })
    }
}
