//! Query parameters: each route takes those that its operation in the OpenAPI document names, once each, and no
//! others. Credentials are never among them (R010).

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::Method;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};

use crate::error::Error;

use super::routes::{Describe, Described};

/// The longest query, in bytes.
const MAX_BYTES: usize = 4_096;

/// Which parameters each route takes, by its path; a path that is not here takes none.
#[derive(Default, Debug)]
pub struct QueryNames(HashMap<String, Taken>);

/// What a path's handlers say that they take, which is asked when there is the first query.
#[derive(Debug)]
struct Taken {
    describe: Vec<Describe>,
    by_method: OnceLock<HashMap<Method, BTreeSet<String>>>,
}

impl QueryNames {
    /// Has the handlers say it.
    #[must_use]
    pub fn of(described: Described) -> Self {
        let taken = |describe| Taken { describe, by_method: OnceLock::new() };
        Self(described.0.into_iter().map(|(path, describe)| (path, taken(describe))).collect())
    }

    /// Refuses a query that the request's route does not take.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        let Some(query) = request.uri().query().filter(|query| !query.is_empty()) else { return Ok(()) };
        if query.len() > MAX_BYTES {
            return Err(Error::malformed("query", format!("may have {MAX_BYTES} bytes at most")));
        }
        let path = request.extensions().get::<MatchedPath>();
        let methods = path.and_then(|path| self.0.get(path.as_str())).map(Taken::by_method);
        // HEAD is GET without a body (RFC 9110 §9.3.2).
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        // What the route does not have is the router's to refuse, with the methods that it has.
        if methods.is_some_and(|methods| !methods.contains_key(method)) {
            return Ok(());
        }
        let taken = methods.and_then(|methods| methods.get(method));
        let Some(taken) = taken.filter(|taken| !taken.is_empty()) else {
            return Err(Error::malformed("query", "must be empty: this call has no query parameters"));
        };
        let mut seen = BTreeSet::new();
        for (name, _) in form_urlencoded::parse(query.as_bytes()) {
            if !taken.contains(&*name) {
                let known = taken.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(Error::malformed("query", format!("may have only: {known}")));
            }
            if !seen.insert(name.into_owned()) {
                return Err(Error::malformed("query", "must have each parameter once"));
            }
        }
        Ok(())
    }
}

impl Taken {
    fn by_method(&self) -> &HashMap<Method, BTreeSet<String>> {
        self.by_method.get_or_init(|| {
            let items = self.describe.iter().flat_map(|describe| describe().1.paths.into_values());
            items.flat_map(|item| of_path(&item)).collect()
        })
    }
}

fn of_path(item: &PathItem) -> Vec<(Method, BTreeSet<String>)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let taken =
        |(method, operation): (Method, &Option<Operation>)| Some((method, of_operation(operation.as_ref()?)));
    all.into_iter().filter_map(taken).collect()
}

fn of_operation(operation: &Operation) -> BTreeSet<String> {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let queries = parameters.filter(|parameter| parameter.parameter_in == ParameterIn::Query);
    queries.map(|parameter| parameter.name.clone()).collect()
}

/// A request's query parameters as a struct. An empty value is an error like any other that is not one.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let query = parts.uri.query().unwrap_or_default();
        // serde_json knows the field that is wrong; a query's values are texts.
        let values: serde_json::Map<_, _> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), serde_json::Value::String(value.into_owned())))
            .collect();
        if let Some((name, _)) = values
            .iter()
            .find(|(_, value)| value.as_str().is_some_and(|text| text.is_empty() || text.contains('\0')))
        {
            return Err(Error::invalid(name, "must not be empty or hold NUL; leave it out"));
        }
        serde_path_to_error::deserialize(serde_json::Value::Object(values)).map(Self).map_err(|error| {
            let field = error.path().to_string();
            let field = if field == "." || field == "?" { "query".to_owned() } else { field };
            Error::invalid(field, format!("is not a value of this parameter: {}", error.into_inner()))
        })
    }
}
