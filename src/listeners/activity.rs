//! What keeps a connection open: requests. Bytes alone do not: an HTTP/2 client can send them for ever (R119).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::connection::Peer;

/// When a connection's requests last did something: one began, was being worked on, or a piece of its answer was taken.
#[derive(Debug)]
pub(super) struct Activity {
    accepted: Instant,
    /// Milliseconds after that.
    last: AtomicU64,
    in_handlers: AtomicUsize,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { accepted: Instant::now(), last: AtomicU64::new(0), in_handlers: AtomicUsize::new(0) }
    }

    /// The last of it that was seen until `now`.
    pub(super) fn last(&self, now: Instant) -> Instant {
        if self.in_handlers.load(Ordering::Acquire) > 0 {
            return now;
        }
        self.accepted + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn note(&self) {
        let millis = u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.fetch_max(millis, Ordering::Relaxed);
    }
}

/// A request that is being worked on.
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: Arc<Activity>) -> Self {
        activity.in_handlers.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // In this order: nobody sees it neither under way nor noted.
        self.0.note();
        self.0.in_handlers.fetch_sub(1, Ordering::Release);
    }
}

/// The outermost layer: notes what goes on, and tells who asks as everything else wants to know it.
pub(super) async fn watch(
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.address));
    let under_way = UnderWay::begin(Arc::clone(&peer.activity));
    let response = next.run(request).await;
    drop(under_way);
    // hyper asks for a piece when there is room for it: that tells that the client reads.
    response.map(|body| Body::new(body.inspect_frame(move |_| peer.activity.note())))
}
