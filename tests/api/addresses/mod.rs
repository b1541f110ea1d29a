//! The client's address: who is believed, what is ignored, and how the decision is told.

mod explained;
mod proxies;

use std::net::SocketAddr;

use axum::extract::ConnectInfo;

use crate::support::app::{Answer, LoginCall, TestApp, Wanted};

/// An application with a proxy's network, and the header that it writes.
async fn behind_proxies(proxy_header: &'static str) -> TestApp {
    TestApp::start_with(Wanted { trusted_proxies: vec!["10.0.0.0/8"], proxy_header, ..Wanted::default() })
        .await
}

/// The call, as it comes from this peer.
async fn send_from(app: &TestApp, peer: &str, call: &LoginCall) -> Answer {
    let mut request = call.request();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 40_000)));
    app.send(request).await
}
