//! A request's body: declared, bounded and timed (R115, R116).

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::app::App;
use crate::error::Error;

/// Reads a body of this media type; one over the limit is refused without reading the rest of it.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    media: &str,
    limit: usize,
    app: &App,
) -> Result<Bytes, Error> {
    if !is_declared(headers, media) {
        return Err(Error::MediaType);
    }
    // What says that it is too large is not waited for.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(Error::TooLarge { limit });
    }
    let reading = Limited::new(body, limit).collect();
    let collected =
        tokio::time::timeout(app.options.body_timeout, reading).await.map_err(|_| Error::Timeout)?;
    let collected = collected.map_err(|error| {
        if error.downcast_ref::<LengthLimitError>().is_some() {
            Error::TooLarge { limit }
        } else {
            Error::malformed("body", "did not arrive whole")
        }
    })?;
    Ok(collected.to_bytes())
}

/// This media type, with or without `charset=utf-8`; nothing else.
fn is_declared(headers: &HeaderMap, media: &str) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let declared = parts.next().is_some_and(|part| part.eq_ignore_ascii_case(media));
    declared
        && parts.all(|parameter| {
            parameter.is_empty()
                || parameter.split_once('=').is_some_and(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("charset")
                        && value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
                })
        })
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn R116_only_json_in_utf_8_is_taken() {
        for (value, good) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json;charset=\"utf-8\"", true),
            ("application/json; charset=latin1", false),
            ("application/json; boundary=x", false),
            ("application/problem+json", false),
            ("application/x-www-form-urlencoded", false),
            ("text/plain", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            assert_eq!(is_declared(&headers, "application/json"), good, "{value}");
        }
    }
}
