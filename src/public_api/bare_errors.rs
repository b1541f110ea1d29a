//! The errors of the operations under `/oauth2/` in the OpenAPI document: the RFCs' format, without the envelope.

use std::collections::BTreeMap;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder, Schema, Type};

use crate::error::Error;
use crate::http::bare::{body, parts};

/// The name of the errors' schema.
pub(super) const SCHEMA: &str = "OAuthError";

/// The statuses of an operation there, with an example of every code that it may answer.
pub(super) fn add(operation: &mut Operation) {
    // No user logs in there, no user's token counts, and nothing contradicts what is there.
    let applies = |error: &Error| {
        !matches!(
            error,
            Error::Authentication { .. }
                | Error::Locked { .. }
                | Error::Token(_)
                | Error::SessionEnded { .. }
                | Error::RefreshToken
                | Error::SessionLimit { .. }
                | Error::Forbidden { .. }
                | Error::Conflict(_)
                | Error::Overloaded { .. }
        )
    };
    let mut by_status: BTreeMap<u16, Vec<(Error, &str)>> = BTreeMap::new();
    for (error, meaning) in Error::catalogue().into_iter().filter(|(error, _)| applies(error)) {
        by_status.entry(parts(&error).0).or_default().push((error, meaning));
    }
    for (status, errors) in by_status {
        let description = match status {
            415 => "The body is not declared as `application/x-www-form-urlencoded`.".to_owned(),
            _ => errors.iter().map(|(_, meaning)| *meaning).collect::<Vec<_>>().join(" "),
        };
        let examples = errors.iter().map(|(error, _)| {
            let shown = ExampleBuilder::new().summary(error.to_string()).value(Some(body(error)));
            (error.parts().1, RefOr::T(shown.build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(SCHEMA)))
            .examples_from_iter(examples)
            .build();
        let response = ResponseBuilder::new().description(description).content("application/json", content);
        operation.responses.responses.insert(status.to_string(), response.build().into());
    }
}

/// The body of every error there (RFC 6749 §5.2).
pub(super) fn schema() -> RefOr<Schema> {
    let string = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .description(Some("Every refusal under `/oauth2/`, whatever layer it comes from (RFC 6749 §5.2)."))
        .property("error", string().description(Some("One word.")))
        .property("error_description", string().description(Some("For people: what is wrong.")))
        .required("error")
        .required("error_description")
        .into()
}
