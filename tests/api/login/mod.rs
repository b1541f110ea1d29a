//! The login: what it answers to whom, what it costs, and what it leaves behind.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

mod answers;
mod body;
mod commits;
mod concurrency;
mod departures;
mod documented_call;
mod events;
mod families;
mod headers;
mod lifetimes;
mod overload;
mod plans;
mod strength;
mod tenants;
mod throttle;
mod tokens;
