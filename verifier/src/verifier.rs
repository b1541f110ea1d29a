//! The verifier itself.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::background::{self, Found, KEYS_ASKED_EVERY, Shared};
use crate::feed::Moment;
use crate::jws::Unverified;
use crate::keys::Key;
use crate::token::Claims;
use crate::witness::{self, WitnessedLog};
use crate::{AccessToken, Error, Invalid, Options, StartError, WhenStale};

/// How long a start waits for keys and feed.
const START: Duration = Duration::from_secs(3);

/// How long a token waits for a key that was not there when it came, and how many do at a time.
const KEY_WAIT: Duration = KEYS_ASKED_EVERY.saturating_add(Duration::from_secs(2));
const MAX_WAITING: usize = 64;

/// How long introspection may take with its queue, and how many tokens are asked about at a time.
const ASK_WAIT: Duration = Duration::from_secs(3);
const MAX_ASKING: usize = 64;

/// Verifies the access tokens of one issuer. Clones are one verifier; the background task ends with the last of them.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    options: Options,
    waiting: Semaphore,
    asking: Semaphore,
    task: JoinHandle<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({})", self.inner.options.issuer)
    }
}

/// How a verifier is, for a readiness probe and for metrics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// Whether good tokens pass without a question: keys and feed are young enough.
    pub fresh: bool,
    /// How old what is known of ended sessions is; `None` until it has been caught up with.
    pub feed_age: Option<Duration>,
    /// How many entries of the feed are held.
    pub entries: usize,
    /// How old the keys are; `None` until they have been fetched.
    pub keys_age: Option<Duration>,
    /// How many keys there are.
    pub keys: usize,
}

impl Verifier {
    /// Starts a verifier and its background task; to be called in a tokio runtime. It waits for keys and feed for three
    /// seconds at most, and starts without them: a server that is away is no reason to fail, only to be stale.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let shared = Arc::new(Shared::new(&options)?);
        let (mut keys, mut feed) = (shared.keys_tried.subscribe(), shared.feed_tried.subscribe());
        let task = tokio::spawn(background::run(Arc::clone(&shared)));
        let (waiting, asking) = (Semaphore::new(MAX_WAITING), Semaphore::new(MAX_ASKING));
        let inner = Inner { shared, options, waiting, asking, task };
        let _ = timeout(START, async {
            let _ = keys.wait_for(Option::is_some).await;
            let _ = feed.wait_for(|tried| *tried).await;
        })
        .await;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Verifies the value of an `Authorization` header: `Bearer` and a token (RFC 6750 §2.1).
    pub async fn verify_header(&self, authorization: Option<&str>) -> Result<AccessToken, Error> {
        let (scheme, token) =
            authorization.and_then(|value| value.split_once(' ')).ok_or(Invalid::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Invalid::Missing.into());
        }
        self.verify(token).await
    }

    /// Verifies an access token. Nothing is asked of the server, unless the token's key is unknown or the feed is stale.
    pub async fn verify(&self, token: &str) -> Result<AccessToken, Error> {
        let Options { issuer, audience, when_stale, .. } = &self.inner.options;
        let unverified = Unverified::parse(token)?;
        // What would be refused anyway needs no key.
        unverified.claimed().check(issuer, audience, SystemTime::now())?;
        let key = self.key(unverified.kid()).await?;
        let claims = unverified.verify(&key)?;
        claims.check(issuer, audience, SystemTime::now())?;
        match (self.is_known_to_live(&claims)?, when_stale) {
            (true, _) => (),
            (false, WhenStale::Refuse) => return Err(Error::Stale),
            (false, WhenStale::Introspect) => self.ask(token).await?,
        }
        Ok(AccessToken::all_checked(claims))
    }

    /// How it is.
    #[must_use]
    pub fn health(&self) -> Health {
        let (feed_age, entries) = {
            let feed = self.inner.shared.feed.read().unwrap_or_else(PoisonError::into_inner);
            (feed.age(Moment::now()), feed.len())
        };
        let (keys, keys_age) = self.inner.shared.keys();
        let young = |age: Option<Duration>, most| age.is_some_and(|age| age <= most);
        let fresh = young(feed_age, self.inner.options.max_age) && young(keys_age, background::KEYS_MAX_AGE);
        Health { fresh, feed_age, entries, keys_age, keys }
    }

    /// What is known of the tenant's sealed log, and how it contradicted itself if it did; `None` without a witness.
    #[must_use]
    pub fn log(&self) -> Option<WitnessedLog> {
        self.inner.shared.witness.as_ref().map(|witness| witness::lock(witness).log())
    }

    /// Forgets the log's checkpoint, and its key unless that is pinned, and takes the next as the first. For one case
    /// only: those who run the server have said, in a way you trust, that they had to restore an older copy of it.
    pub fn forget_checkpoint(&self) {
        if let Some(witness) = &self.inner.shared.witness {
            witness::lock(witness).forget();
        }
    }

    /// Whether the feed is young enough to say that the session lives. That it has ended is true at any age.
    fn is_known_to_live(&self, claims: &Claims) -> Result<bool, Error> {
        let feed = self.inner.shared.feed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = feed.end_of(claims) {
            return Err(Error::Ended { reason: Some(reason) });
        }
        if !feed.outlasts(claims.life()) {
            return Err(Invalid::Lifetime.into());
        }
        Ok(feed.age(Moment::now()).is_some_and(|age| age <= self.inner.options.max_age))
    }

    /// The key of this kid. One that is not known may be new: the keys are fetched once more, for all who wait for that.
    async fn key(&self, kid: &str) -> Result<Arc<Key>, Error> {
        let shared = &self.inner.shared;
        let mut tried = shared.keys_tried.subscribe();
        match shared.find_key(kid) {
            Found::Key(key) => return Ok(key),
            // It is tried all the time, and whoever is told so now can come again.
            Found::NoSet if tried.borrow().is_some_and(|last| !last.well) => return Err(Error::Unavailable),
            Found::NoSet | Found::Unknown => (),
        }
        let Ok(_place) = self.inner.waiting.try_acquire() else { return Err(Error::Unavailable) };
        let came = Instant::now();
        shared.keys_wanted.notify_one();
        let since = tried.wait_for(|last| last.is_some_and(|last| last.began >= came));
        let _ = timeout(KEY_WAIT, since).await;
        match shared.find_key(kid) {
            Found::Key(key) => Ok(key),
            Found::Unknown => Err(Invalid::UnknownKey.into()),
            Found::NoSet => Err(Error::Unavailable),
        }
    }

    /// Asks the issuer whether the token is active.
    async fn ask(&self, token: &str) -> Result<(), Error> {
        let endpoint = self.inner.shared.introspection().ok_or(Error::Stale)?;
        let answer = timeout(ASK_WAIT, async {
            let _place = self.inner.asking.acquire().await;
            self.inner.shared.client.introspect(&endpoint, token).await
        });
        match answer.await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(Error::Ended { reason: None }),
            Ok(Err(error)) => {
                tracing::warn!(%error, "introspection failed while the revocation feed is stale");
                Err(Error::Stale)
            }
            Err(_) => Err(Error::Stale),
        }
    }
}
