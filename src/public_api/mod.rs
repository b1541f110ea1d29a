//! What is for everybody: health, metrics, the OpenAPI document and its page.

pub mod docs;
mod examples;
pub mod health;
pub mod metrics;
pub mod openapi;
