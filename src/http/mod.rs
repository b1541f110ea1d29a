//! HTTP: the envelope, the request's headers and body, and what every request goes through.

pub mod bare;
mod body;
pub mod cors;
pub mod envelope;
pub mod explain;
pub mod form;
pub mod headers;
pub mod json;
pub mod middleware;
pub mod paging;
pub mod paths;
pub mod query;
pub mod routes;
