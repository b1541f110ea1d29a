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
use crate::flows::{RevocationReader, authenticate_backend, newest_checkpoint};
use crate::ids::TenantId;
use crate::revocation_watch::WatchOptions;

use super::views::{RevocationList, Told};

/// A stream shows that it lives at least every second.
const HEARTBEAT: Duration = Duration::from_millis(800);
/// How often a stream looks for a newer checkpoint.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);
/// What nginx is told lest it keeps a stream's events back.
const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// A stream with the key that opened it, which is asked for again and again: whoever revokes it wants it out soon.
pub(super) struct Stream {
    pub app: SharedApp,
    pub tenant: TenantId,
    /// It has a seat.
    pub reader: RevocationReader,
    /// The sealed log, where its checkpoints were asked for.
    pub log: Option<Followed>,
    pub key: String,
    pub secret: SecretString,
    pub client: Client,
    /// When it began.
    pub began: Instant,
    /// When the key was last found to be good.
    pub asked: Instant,
}

/// How far the stream's reader knows the sealed log.
pub(super) struct Followed {
    held: u64,
    looked: Option<Instant>,
}

impl From<u64> for Followed {
    fn from(held: u64) -> Self {
        Self { held, looked: None }
    }
}

impl Stream {
    pub(super) async fn answer(mut self, first: RevocationPage) -> Result<Response, Error> {
        let told = self.checkpoint().await?;
        let shown = self.event(first, told);
        let events = stream::unfold((Some(shown), Some(self)), |(shown, stream)| async move {
            match (shown, stream) {
                (Some(shown), stream) => Some((shown, (None, stream))),
                (None, Some(mut stream)) => {
                    let (page, goes_on) = stream.next().await?;
                    let told = stream.checkpoint().await.ok()?;
                    let shown = stream.event(page, told);
                    Some((shown, (None, Some(stream).filter(|_| goes_on))))
                }
                (None, None) => None,
            }
        });
        let mut response = Sse::new(events.map(Ok::<_, Infallible>)).into_response();
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert(UNBUFFERED.0, UNBUFFERED.1);
        Ok(response)
    }

    /// What to show next, and whether there will be more. `None`: the end.
    async fn next(&mut self) -> Option<(RevocationPage, bool)> {
        let WatchOptions { believed, lasts, .. } = *self.app.revocations.options();
        if self.began.elapsed() >= lasts {
            return None;
        }
        if self.asked.elapsed() >= believed {
            self.asked = Instant::now();
            match authenticate_backend(&self.app, &self.key, &self.secret, &self.client, None).await {
                // Nothing new can be seen then either.
                Ok(_) | Err(Error::Unavailable(_)) => (),
                Err(_) => return None,
            }
        }
        self.reader.wait(HEARTBEAT).await.ok()
    }

    /// The newest checkpoint, the first time and when there are more events in it. The inner `None`: nothing is sealed.
    async fn checkpoint(&mut self) -> Result<Told, Error> {
        let Some(log) = &mut self.log else { return Ok(None) };
        if log.looked.is_some_and(|at| at.elapsed() < CHECKPOINT_EVERY) {
            return Ok(None);
        }
        let newest = newest_checkpoint(&self.app.db, &self.tenant, log.held).await?;
        let size = newest.as_ref().map_or(0, |newest| newest.checkpoint.size);
        let told = log.looked.is_none() || size != log.held;
        (log.held, log.looked) = (size, Some(Instant::now()));
        Ok(told.then_some(newest))
    }

    fn event(&self, page: RevocationPage, told: Told) -> sse::Event {
        let list = RevocationList::new(&self.app, &self.tenant, page, told);
        let text = serde_json::to_string(&list).unwrap_or_default();
        sse::Event::default().id(list.cursor).event("revocations").data(text)
    }
}
