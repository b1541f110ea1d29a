//! A session after its login: looked at, ended, timed out, taken away.

mod bearers;
mod endings;
mod logout;
mod looks;

use crate::support::app::{TestApp, TestTenant};

async fn start() -> (TestApp, TestTenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    (app, tenant)
}
