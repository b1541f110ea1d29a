//! The bodies of the directory's calls.

use axum::body::HttpBody;
use axum::extract::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::json;

use super::fields::Fields;

/// The largest body, in bytes (R115).
const LIMIT: usize = 64 * 1024;

/// Reads a request's body.
pub(super) async fn read<T: DeserializeOwned>(request: Request, app: &SharedApp) -> Result<T, Error> {
    let (parts, body) = request.into_parts();
    json::read(&parts.headers, body, LIMIT, app).await
}

/// What is said of a reason that is none.
pub(super) const NO_WORD: &str = "must be a word of 1 to 64 letters, digits, -, _ and .: it is kept for good";

/// Whether a text can be a reason.
pub(super) fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Why something is done. The body may be left out altogether.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// A word of the caller's own that the event keeps for good, so nothing personal: 1 to 64 letters, digits, `-`,
    /// `_` and `.`.
    #[schema(max_length = 64, pattern = "^[A-Za-z0-9._-]+$", example = "chargeback")]
    reason: Option<String>,
}

impl Reason {
    /// Reads it from a request's body, if there is one.
    pub(super) async fn read(request: Request, app: &SharedApp) -> Result<Option<String>, Error> {
        if request.body().size_hint().exact() == Some(0) {
            return Ok(None);
        }
        let Self { reason } = read(request, app).await?;
        let mut fields = Fields::default();
        if reason.as_deref().is_some_and(|reason| !is_word(reason)) {
            fields.wrong("reason", NO_WORD);
        }
        fields.finish()?;
        Ok(reason)
    }
}
