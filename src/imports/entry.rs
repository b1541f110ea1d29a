//! An entry as a file spells it, before anything of it is judged. The names are the directory API's.

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;

use crate::error::FieldError;
use crate::passwords::{InvalidHash, PasswordHash};
use crate::users::Metadata;

/// What a file says of one user. What is null is not said.
#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "an object")]
pub struct Entry {
    pub id: Option<String>,
    pub kind: Option<String>,
    pub status: Option<String>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub gender: Option<String>,
    pub phones: Option<Vec<PhoneEntry>>,
    pub roles: Option<Vec<String>>,
    pub metadata: Option<Metadata>,
    pub date_of_birth: Option<String>,
    pub nationality: Option<String>,
    pub place_of_birth: Option<String>,
    pub pincode: Option<String>,
    pub customer_id: Option<String>,
    pub customer: Option<CustomerEntry>,
    /// In any spelling that `passwords::imports::hash` reads.
    pub password_hash: Option<SecretString>,
    /// In clear.
    pub password: Option<SecretString>,
    pub password_changed_at: Option<String>,
    pub last_login: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    /// A hash that came in parts.
    #[serde(skip)]
    pub read_hash: Option<Result<PasswordHash, InvalidHash>>,
}

/// A telephone number.
#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "an object")]
pub struct PhoneEntry {
    pub phone_type: Option<String>,
    pub encoding: Option<String>,
    pub number: Option<String>,
}

/// The customer whose user it is.
#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "an object")]
pub struct CustomerEntry {
    pub id: Option<String>,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub status: Option<String>,
    pub status_before: Option<String>,
    pub category: Option<CategoryEntry>,
    pub organization: Option<OrganizationEntry>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
}

/// The tenant's own sorting of its customers.
#[derive(Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct CategoryEntry {
    pub id: Option<String>,
    pub name: Option<String>,
}

/// What the registers say of an organization.
#[derive(Default, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default, expecting = "an object")]
pub struct OrganizationEntry {
    pub legal_name: Option<String>,
    pub trading_name: Option<String>,
    pub registration_number: Option<String>,
    pub tax_id: Option<String>,
}

/// Reads one JSON object.
pub fn parse_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, FieldError> {
    // serde would read an array into a struct, field by field.
    if text.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(FieldError::new("line", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| explain(&error))?;
    reader.end().map_err(|_| FieldError::new("line", "has something after its object"))?;
    Ok(read)
}

/// Reads an object that another format was turned into.
pub fn parse_value<T: DeserializeOwned>(value: Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| explain(&error))
}

/// The longest path that is repeated, in bytes. All of ours are shorter.
const MAX_PATH: usize = 128;

/// Whether a path can be one of ours with a slip in it. Others are not repeated: a terminal would obey what is in them,
/// and where names and values were swapped they are secrets.
fn is_tellable(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.[]-".contains(&byte);
    path.len() <= MAX_PATH && path.bytes().all(plain)
}

/// What is wrong and where, without what was found there: it may be a password in the wrong place.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> FieldError {
    let path = error.path().to_string();
    let field = if path == "." || path == "?" || !is_tellable(&path) { "line".to_owned() } else { path };
    let message = error.inner().to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let problem = match error.inner().classify() {
        Category::Eof => "ends before its object does".to_owned(),
        Category::Syntax | Category::Io => "is not JSON".to_owned(),
        Category::Data => match message.split_once(", expected ") {
            Some((found, _)) if found.starts_with("unknown field") => {
                "is not a field of an import".to_owned()
            }
            Some((_, expected)) => format!("is of the wrong type: expected {expected}"),
            None if message.starts_with("duplicate field") => "stands there twice".to_owned(),
            // Our own, of metadata.
            None if message.starts_with("must ") => message.to_owned(),
            None => "is not as an import reads it".to_owned(),
        },
    };
    // The name of a field that is there twice is one of ours.
    let twice = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`'));
    let field = match twice {
        Some(name) if field == "line" => name.to_owned(),
        Some(name) => format!("{field}.{name}"),
        None => field,
    };
    FieldError::new(field, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let FieldError { field, message } = parse_json::<Entry>(text.as_bytes()).unwrap_err();
        format!("{field}: {message}")
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field_and_without_what_was_found() {
        for (text, told) in [
            (r#"{"email":5551234}"#, "email: is of the wrong type: expected a string"),
            (r#"{"password":5551234}"#, "password: is of the wrong type: expected a string"),
            (r#"{"password":["5551234"]}"#, "password: is of the wrong type: expected a string"),
            (r#"{"passwd":"5551234"}"#, "passwd: is not a field of an import"),
            (r#"{"customer":{"tier":"5551234"}}"#, "customer.tier: is not a field of an import"),
            (r#"{"email":"a","email":"5551234"}"#, "email: stands there twice"),
            (r#"{"phones":["5551234"]}"#, "phones[0]: is of the wrong type: expected an object"),
            (r#"{"metadata":[5551234]}"#, "metadata: must be an object"),
            (r#"{"metadata":{"a":1,"a":5551234}}"#, "metadata: must not have a key twice"),
            (r#"{"email":"5551234""#, "line: ends before its object does"),
            (r#"{"email":x5551234}"#, "email: is not JSON"),
            (r#"{"email":"5551234"} {}"#, "line: has something after its object"),
            (r#"["5551234"]"#, "line: must be a JSON object"),
            ("", "line: must be a JSON object"),
            // Names that a terminal would obey, or that are no slip.
            (r#"{"\u001b[2J5551234":"a"}"#, "line: is not a field of an import"),
            (r#"{"customer":{"5551234 and more":"a"}}"#, "line: is not a field of an import"),
            (r#"{"$2b$12$5551234":"a"}"#, "line: is not a field of an import"),
            (r#"{"pässwd":"a"}"#, "line: is not a field of an import"),
        ] {
            assert_eq!(problem(text), told);
        }
        for (length, field) in [(128, "x".repeat(128)), (129, "line".to_owned())] {
            let text = format!(r#"{{"{}":1}}"#, "x".repeat(length));
            assert_eq!(problem(&text), format!("{field}: is not a field of an import"));
        }
    }
}
