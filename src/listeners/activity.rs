//! What keeps a connection open: requests. Bytes alone do not: an HTTP/2 client can send them for ever (R119).

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
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
    response.map(|body| Body::new(Watched { body, rest: Bytes::new(), activity: peer.activity }))
}

/// The longest piece of an answer that is handed out at once, in bytes.
const PIECE: usize = 16 * 1024;

/// An answer that notes when a piece of it is taken: hyper asks for one when there is room for it, which tells that the
/// client reads, however slowly.
struct Watched {
    body: Body,
    /// What is left of a frame that is longer than a piece.
    rest: Bytes,
    activity: Arc<Activity>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else {
                return Poll::Ready(None);
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.activity.note();
        let piece = self.rest.len().min(PIECE);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, mut hint) = (self.rest.len() as u64, self.body.size_hint());
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_long_answer_is_handed_out_in_pieces_and_keeps_its_length() {
        let text: Vec<_> = (0..100_000_u32).map(|at| at.to_le_bytes()[0]).collect();
        let activity = Arc::new(Activity::new());
        let mut watched =
            Watched { body: Body::from(text.clone()), rest: Bytes::new(), activity: Arc::clone(&activity) };
        let mut read = Vec::new();
        while !watched.is_end_stream() {
            assert_eq!(watched.size_hint().exact(), Some((text.len() - read.len()) as u64));
            tokio::time::sleep(Duration::from_millis(3)).await;
            let noted = activity.last.load(Ordering::Relaxed);
            let piece = watched.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(!piece.is_empty() && piece.len() <= PIECE);
            assert!(activity.last.load(Ordering::Relaxed) > noted, "the client reads");
            read.extend_from_slice(&piece);
        }
        assert!(watched.frame().await.is_none());
        assert_eq!(read, text);
    }
}
