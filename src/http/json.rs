//! A request's JSON body: bounded, timed, and strict (R115–R117).

use axum::body::Body;
use axum::http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::error::Error;

use super::body;

/// The largest login body, in bytes (R115).
pub const LOGIN_LIMIT: usize = 16 * 1024;

/// Reads a JSON object. Unknown and repeated fields, wrong types and trailing data are errors that name
/// the field; a body over the limit is refused without reading the rest of it.
pub async fn read<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
    app: &App,
) -> Result<T, Error> {
    parse(&body::read(headers, body, "application/json", limit, app).await?)
}

/// The same, of bytes that have been read.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // serde would read an array into a struct, field by field.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'{') {
        return Err(Error::malformed("body", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let problem = without_value(&error.into_inner().to_string());
        // serde_path_to_error calls "?" what it was not inside of; a field may be called nothing.
        if path.is_empty() || path == "." || path == "?" {
            Error::malformed("body", problem)
        } else {
            Error::malformed(path, problem)
        }
    })?;
    reader.end().map_err(|_| Error::malformed("body", "has something after its end"))?;
    Ok(value)
}

/// serde's messages quote what they found, and what they found may be a password in the wrong place.
fn without_value(message: &str) -> String {
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected ")) {
        Some((_, expected)) => format!("is of the wrong type: expected {expected}"),
        None if message.starts_with("unknown field") => message.split_once("`, ").map_or_else(
            || "is not a field of this call".to_owned(),
            |(field, _)| format!("is not read: {field}`; this call has no such field"),
        ),
        None => format!("is not JSON that this call reads: {message}"),
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its type is tested")]
        name: Option<String>,
    }

    fn refusal(text: &str) -> String {
        match parse::<Body>(text.as_bytes()) {
            Err(Error::Malformed(problem)) => format!("{} {}", problem.field, problem.message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn R117_only_one_object_of_known_fields_once_each_is_read() {
        parse::<Body>(br#" {"name":"x"} "#).unwrap();
        assert_eq!(
            refusal(r#"{"name":5}"#),
            "name is of the wrong type: expected a string at line 1 column 9"
        );
        assert!(refusal(r#"{"name":"a","name":"b"}"#).contains("duplicate field `name`"));
        assert!(refusal(r#"{"Name":"a"}"#).contains("unknown field `Name`"));
        assert!(
            refusal(r#"{"":"a"}"#).starts_with("body "),
            "a field that is called nothing cannot be named"
        );
        assert!(refusal(r#"{"name":"a"} x"#).contains("after its end"));
        assert!(refusal(r#"{"name":"a"}{}"#).contains("after its end"));
        for text in ["", "[]", r#"["a"]"#, "null", "\u{feff}{}", "1"] {
            assert!(refusal(text).contains("must be a JSON object"), "{text:?}");
        }
        assert!(refusal("{\"name\":\"\\ud800\"}").contains("hex escape"), "half of a surrogate pair");
        assert!(matches!(parse::<Body>(b"{\"name\":\"\xff\"}"), Err(Error::Malformed(_))));
    }

    #[test]
    fn R137_a_refusal_does_not_repeat_what_was_sent() {
        assert!(!refusal(r#"{"name":123456789}"#).contains("123456789"));
        assert!(!refusal(r#"{"name":["S3cret"]}"#).contains("S3cret"));
    }
}
