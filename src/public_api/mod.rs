//! What is for everybody: health, the OpenAPI document and its page.

mod bare_errors;
pub mod docs;
mod examples;
pub mod health;
pub mod openapi;
