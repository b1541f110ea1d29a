//! Customers and users, by a tenant's backend and staff.

mod changes;
mod erasure;
mod fields;
mod lists;
mod metadata;
mod old_rows;
mod races;
mod registration;
mod statuses;

use crate::support::app::{TestApp, TestTenant};

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}
