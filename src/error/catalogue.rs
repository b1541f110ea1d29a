//! All errors with what they mean: what `docs/errors.md` and the OpenAPI document's examples show.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::clock::Timestamp;

use super::{Error, Exceeded, FieldError, TenantProblem, TokenProblem};

impl Error {
    /// One of each, with what it means: what `docs/errors.md` and the OpenAPI examples show.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table")]
    pub fn catalogue() -> Vec<(Self, &'static str)> {
        let lock = Timestamp::from_millis(1_773_694_172_000);
        vec![
            (
                Self::Validation(vec![FieldError::new("username", "is required: the login name or e-mail")]),
                "Something in the path, a header or the body cannot be. All that is wrong with the body's fields is listed.",
            ),
            (
                Self::MissingHeaders(vec![FieldError::new("deviceId", "is required")]),
                "Required headers are missing or empty. All of them are listed.",
            ),
            (
                Self::malformed("body", "is not JSON: EOF while parsing an object at line 1 column 1"),
                "The request could not be read: broken JSON, unknown or repeated fields, a header or a query \
                 parameter that must not be there.",
            ),
            (
                Self::Authentication { attempts: None },
                "The login failed. Every reason a stranger could learn from has this one answer.",
            ),
            (
                Self::Locked { until: lock },
                "Too many failed logins for this name, whether or not it exists. `lockoutTime` is when it ends.",
            ),
            (Self::Token(TokenProblem::Missing), "The call needs an access token and came without one."),
            (
                Self::Token(TokenProblem::Invalid),
                "The access token is not one of ours, has expired, or its session has ended. Log in again.",
            ),
            (
                Self::SessionEnded { at: lock, reason: "logout".to_owned() },
                "The token's session has ended: `endReason` says why, by one word of a closed list, and `endedAt` since when. Only the holder of a well-signed token of that very session is told. Log in again.",
            ),
            (
                Self::RefreshToken,
                "The refresh token is not one of ours, is not this device's, or its session is no more. One answer for \
                 all. Log in again.",
            ),
            (
                Self::BackendKey,
                "The call needs a backend key and came without a good one: unknown, wrong, expired, revoked, or of a \
                 tenant that is not active. One answer for all.",
            ),
            (
                Self::Tenant(TenantProblem::Unknown),
                "The tenant is unknown, suspended, wrongly or not authenticated, or the web app's origin is not \
                 one of the tenant's. One answer for all.",
            ),
            (
                Self::Forbidden { needs: "the staff role ADMIN, or a backend key" },
                "The caller is known and may not do this. Roles are looked at before ids, so the answer tells nothing \
                 of what is there.",
            ),
            (
                Self::NotFound,
                "There is no such path, or no such thing that this caller may know of: another tenant's things \
                 are absent.",
            ),
            (
                Self::MethodNotAllowed,
                "The path exists and does not answer this method; `Allow` lists those it does.",
            ),
            (Self::Timeout, "The body did not arrive within the time limit."),
            (
                Self::conflict("email", "is taken; choose another"),
                "What is asked for contradicts what is there: a name that is taken, a status that does not allow it. \
                 Nothing was changed.",
            ),
            (
                Self::SessionLimit { most: 10 },
                "The password was right, and the user has as many sessions as the tenant allows at a time (`maxSessions`, \
                 with `sessionLimitAction` `refuse`). Nothing was changed.",
            ),
            (Self::TooLarge { limit: 16_384 }, "The body is over the limit: 16 KiB for a login."),
            (
                Self::MediaType,
                "The body is not declared as `application/json` (with or without `charset=utf-8`).",
            ),
            (
                Self::TooManyRequests(Exceeded {
                    limit: "login-minute",
                    quota: 10,
                    window_seconds: 60,
                    retry_after: 42,
                }),
                "A limit is used up: failed logins or wrong keys from one address, or requests of one caller or tenant. \
                 `RateLimit-Policy` names it. Nothing was looked at; `Retry-After` says when to come back.",
            ),
            (
                Self::Internal(anyhow::anyhow!("example")),
                "A mistake of ours. The log has the cause under the requestId.",
            ),
            (
                Self::Overloaded { retry_after: 1 },
                "More logins at once than the machine can check in time. Nothing was changed; `Retry-After` says \
                 when to come back.",
            ),
            (
                Self::Unavailable(anyhow::anyhow!("example")),
                "The database is away or did not say whether it wrote, or the server is stopping. `Retry-After` says when to \
                 come back.",
            ),
        ]
    }
}

/// The tables of `docs/errors.md`.
#[must_use]
pub fn errors_document() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Made from `src/error/` by a test (`UPDATE_DOCS=1 cargo test` writes it anew); do not edit.\n\n\
         Every error, whatever layer refuses the request, has the envelope `{ \"code\", \"data\", \"message\" }`;\n\
         `code` is the HTTP status, `data.errorType` one of the words below, `data.requestId` the request's id in\n\
         the log. The order of the fields in `data` means nothing. Two exceptions: what is not HTTP at all (broken\n\
         framing, headers beyond the limits) is answered by the HTTP library with a bare 400 or 431; and under `/oauth2/`\n\
         errors have the RFCs' own format (RFC 6749 §5.2) without the envelope, `{ \"error\", \"error_description\" }`:\n\
         `invalid_request` (400, 404, 405, 408, 413, 415), `invalid_client` (401, with a Basic challenge),\n\
         `unauthorized_client` (403: X-Tenant-ID or the origin is another tenant's), `server_error` (500) and\n\
         `temporarily_unavailable` (429 and 503, with `Retry-After`). The request's id is in `X-Request-ID` there.\n\n\
         | status | errorType | message | when |\n| --- | --- | --- | --- |\n",
    );
    for (error, meaning) in Error::catalogue() {
        let (status, kind) = error.parts();
        let _ = writeln!(text, "| {status} | `{kind}` | {error} | {meaning} |");
    }
    text.push_str("\n## Bodies\n");
    for (error, _) in Error::catalogue() {
        let (status, kind) = error.parts();
        let body = example(&error);
        let body = serde_json::to_string_pretty(&body).unwrap_or_default();
        let _ = writeln!(text, "\n{status} `{kind}`, {error}\n\n```json\n{body}\n```");
    }
    text
}

/// An error's body as it is sent, with an example's request id.
#[must_use]
pub fn example(error: &Error) -> Value {
    let mut data = error.data();
    data.insert("requestId".to_owned(), json!("0b8c7e1e-6f0e-4f5d-9d2a-3f6c1f0f9a11"));
    json!({ "code": error.parts().0, "message": error.to_string(), "data": data })
}
