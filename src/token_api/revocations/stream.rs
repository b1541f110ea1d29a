//! The feed as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use secrecy::SecretString;
use tokio::time::Instant;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::Error;
use crate::events::revocations::RevocationPage;
use crate::flows::{RevocationReader, authenticate_backend};
use crate::ids::TenantId;
use crate::revocation_watch::WatchOptions;

use super::views::RevocationList;

/// A stream shows that it lives at least every second.
const HEARTBEAT: Duration = Duration::from_millis(800);
/// What nginx is told lest it keeps a stream's events back.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// A stream with the key that opened it, which is asked for again and again: whoever revokes it wants it out soon.
pub(super) struct Stream {
    pub app: SharedApp,
    pub tenant: TenantId,
    /// It has a seat.
    pub reader: RevocationReader,
    pub key: String,
    pub secret: SecretString,
    pub client: Client,
    /// When it began.
    pub began: Instant,
    /// When the key was last found to be good.
    pub asked: Instant,
}

impl Stream {
    pub(super) fn answer(self, first: RevocationPage) -> Response {
        let shown = self.event(first);
        let events = stream::unfold((Some(shown), Some(self)), |(shown, stream)| async move {
            match (shown, stream) {
                (Some(shown), stream) => Some((shown, (None, stream))),
                (None, Some(mut stream)) => {
                    let (page, goes_on) = stream.next().await?;
                    let shown = stream.event(page);
                    Some((shown, (None, Some(stream).filter(|_| goes_on))))
                }
                (None, None) => None,
            }
        });
        let mut response = Sse::new(events.map(Ok::<_, Infallible>)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
        response
    }

    /// What to show next, and whether there will be more. `None`: the end.
    async fn next(&mut self) -> Option<(RevocationPage, bool)> {
        let WatchOptions { believed, lasts, .. } = *self.app.revocations.options();
        if self.began.elapsed() >= lasts {
            return None;
        }
        if self.asked.elapsed() >= believed {
            self.asked = Instant::now();
            match authenticate_backend(&self.app, &self.key, &self.secret, &self.client).await {
                // Nothing new can be seen then either.
                Ok(_) | Err(Error::Unavailable(_)) => (),
                Err(_) => return None,
            }
        }
        self.reader.wait(HEARTBEAT).await.ok()
    }

    fn event(&self, page: RevocationPage) -> sse::Event {
        let list = RevocationList::new(&self.app, &self.tenant, page);
        let text = serde_json::to_string(&list).unwrap_or_default();
        sse::Event::default().id(list.cursor).event("revocations").data(text)
    }
}
