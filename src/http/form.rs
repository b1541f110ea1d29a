//! A request's form: `application/x-www-form-urlencoded`, as the OAuth RFCs have their parameters (RFC 6749 §3.2).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use crate::app::App;
use crate::error::Error;

use super::body;

/// The parameters by name, each once. Any of them may be a credential.
#[derive(Debug)]
pub struct Form(BTreeMap<String, SecretString>);

impl Form {
    /// Reads a form. A parameter that is there twice is an error, whatever its name; what nobody asks for is ignored.
    pub async fn read(headers: &HeaderMap, body: Body, limit: usize, app: &App) -> Result<Self, Error> {
        let bytes = body::read(headers, body, "application/x-www-form-urlencoded", limit, app).await?;
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            // Not by its name: what is there twice may be anything.
            if parameters.insert(name.into_owned(), SecretString::from(value.into_owned())).is_some() {
                return Err(Error::malformed("body", "must have each parameter once"));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter's value. One without a value counts as left out (RFC 6749 §3.2).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(ExposeSecret::expose_secret).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_read_once_and_one_without_a_value_is_left_out() {
        let form = Form::parse(b"token=a%2Bb+c&x&empty=&%74=1&bad=%ff").unwrap();
        assert_eq!(form.get("token"), Some("a+b c"));
        assert_eq!((form.get("x"), form.get("empty"), form.get("absent")), (None, None, None));
        assert_eq!((form.get("t"), form.get("bad")), (Some("1"), Some("\u{fffd}")));
        for twice in ["token=a&token=a", "token=&token=a", "x&x", "%74oken=a&token=b"] {
            Form::parse(twice.as_bytes()).unwrap_err();
        }
        assert!(!format!("{form:?}").contains("a+b"));
    }
}
