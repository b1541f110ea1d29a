//! What is for everybody: health, the OpenAPI document and its page.

pub mod docs;
mod examples;
pub mod health;
pub mod openapi;
