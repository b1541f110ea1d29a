//! The errors of what stands under `/oauth2/`, in the RFCs' own format (RFC 6749 §5.2): no envelope, whatever layer
//! refuses.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::error::Error;

use super::envelope::render_as;

/// Whether this path is answered so.
#[must_use]
pub fn is_spoken_at(path: &str) -> bool {
    path.starts_with("/oauth2/")
}

/// Gives any refusal its body and headers; the request's id stands in its header alone.
#[must_use]
pub fn render(response: axum::response::Response) -> axum::response::Response {
    render_as(response, |error, _| {
        let (status, _) = parts(error);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let challenge = (status == StatusCode::UNAUTHORIZED).then(|| Error::BackendKey.challenge()).flatten();
        (status, body(error).to_string().into_bytes(), challenge)
    })
}

/// The HTTP status and the error code.
#[must_use]
pub fn parts(error: &Error) -> (u16, &'static str) {
    match error.parts().0 {
        // A user's token is no client authentication, however good it is.
        401 => (401, "invalid_client"),
        403 if matches!(error, Error::Forbidden { .. }) => (401, "invalid_client"),
        403 => (403, "unauthorized_client"),
        status @ (429 | 503) => (status, "temporarily_unavailable"),
        status @ 500.. => (status, "server_error"),
        status => (status, "invalid_request"),
    }
}

/// The body.
#[must_use]
pub fn body(error: &Error) -> Value {
    let (_, code) = parts(error);
    json!({ "error": code, "error_description": description(error) })
}

/// What is wrong, in the characters that RFC 6749 §5.2 allows.
fn description(error: &Error) -> String {
    let text = match error {
        Error::Validation(problems) | Error::MissingHeaders(problems) => {
            let problems: Vec<_> =
                problems.iter().map(|problem| format!("{} {}", problem.field, problem.message)).collect();
            problems.join("; ")
        }
        Error::MediaType => {
            "The body must be a form: send Content-Type: application/x-www-form-urlencoded.".to_owned()
        }
        Error::BackendKey | Error::Forbidden { .. } => {
            "This call needs a backend key, by HTTP Basic alone: one that is known, right, not expired and not revoked, \
             of a tenant that is active."
                .to_owned()
        }
        error => {
            let details = error.data().get("details").and_then(Value::as_str).map(str::to_owned);
            details.unwrap_or_else(|| error.to_string())
        }
    };
    let allowed = |c: char| matches!(c, ' '..='~') && c != '\\';
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            c if allowed(c) => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_a_code_of_the_rfcs_and_a_description_in_their_characters() {
        for (error, _) in Error::catalogue() {
            let body = body(&error);
            let code = body["error"].as_str().unwrap();
            let codes = [
                "invalid_request",
                "invalid_client",
                "unauthorized_client",
                "temporarily_unavailable",
                "server_error",
            ];
            assert!(codes.contains(&code), "{body}");
            let text = body["error_description"].as_str().unwrap();
            let fits = |c: char| matches!(c, '\x20'..='\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
            assert!(!text.is_empty() && text.chars().all(fits), "{body}");
        }
        let odd = Error::malformed("x\"\\\u{e9}\n", "is odd");
        assert_eq!(body(&odd)["error_description"], "x'??? is odd");
    }
}
