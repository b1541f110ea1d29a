//! Passwords: hashed and verified by a fixed set of threads that never keep anything else waiting.
//!
//! A login takes a [`Ticket`] first, so that what cannot be hashed in time is refused before it
//! reserves an attempt; then [`Passwords::verify`] costs exactly one evaluation, whether or not there
//! is a hash to verify (R002). Memory is bounded: each thread owns what one hash at the configured
//! cost needs, and stored hashes that need more (64 MiB at most, R036) run one at a time.
//!
//! Hashes that other systems made ([`imports`]) are verified by one more thread with a queue of its own,
//! in 128 MiB at most, until the next login replaces them (R035).

mod argon2id;
mod cost;
mod failure_floor;
mod foreign;
pub mod imports;
mod pepper;
mod presence;
mod scheduler;
mod schemes;
mod self_test;
#[cfg(test)]
mod tests;
mod worker;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

pub use argon2id::Implementation;
pub use cost::{Cost, Floor, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};
pub use failure_floor::floor_for;
pub use pepper::Peppers;
pub use presence::{Presence, PresenceGuard};
pub use scheduler::Ticket;
pub use schemes::{InvalidHash, PasswordHash};

use argon2id::Engine;
use scheduler::{Answer, Job, Queue, Work};
use schemes::Scheme;

/// The longest password, in bytes as received (R031). Callers refuse a longer one before they look
/// anybody up; here it is refused once more.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// What verifying a foreign hash is held to take until the first one was measured: bcrypt at cost 12.
const FOREIGN_AT_FIRST: Duration = Duration::from_millis(250);

/// How passwords are hashed.
#[derive(Clone, Debug)]
pub struct Options {
    /// Hash threads; by default as many as cores.
    pub threads: usize,
    /// How long after its ticket a hash must have begun; by default a second.
    pub deadline: Duration,
    /// What a new hash costs.
    pub cost: Cost,
    /// The least that [`Options::cost`] may be. Only tests change it.
    pub floor: Floor,
    /// Which crate computes the hashes.
    pub implementation: Implementation,
    /// What passwords are put through before; by default nothing.
    pub peppers: Peppers,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            deadline: Duration::from_secs(1),
            cost: Cost::DEFAULT,
            floor: Floor::Owasp,
            implementation: Implementation::default(),
            peppers: Peppers::default(),
        }
    }
}

/// What verifying a password found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Whether it is the password of the stored hash. Without a stored hash, never.
    pub matches: bool,
    /// Whether it matches a hash that is not as [`Passwords::hash`] would make it now (R035).
    pub needs_rehash: bool,
}

/// Why there is no verdict and no hash.
///
/// All but [`NotHashed::Failed`] and [`NotHashed::Panicked`] mean that nothing was evaluated. None tells anything about the
/// password, so a reserved attempt may be given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotHashed {
    /// The client went away before the hash began.
    #[error("the client went away before the password was hashed")]
    Abandoned,
    /// The hash could not begin in time.
    #[error("the password could not be hashed in time")]
    DeadlinePassed,
    /// [`Passwords::close`] was called.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// The password is longer than [`MAX_PASSWORD_BYTES`].
    #[error("the password is too long")]
    TooLong,
    /// The evaluation broke off for want of memory, randomness or its line of the pepper file. Its cause is in the log.
    #[error("the password could not be hashed")]
    Failed,
    /// The evaluation panicked: a mistake of ours, which another try may well meet again.
    #[error("hashing the password panicked")]
    Panicked,
}

/// A hash could not begin within the deadline. Nothing was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("too many passwords wait to be hashed")]
pub struct Overloaded {
    /// When it is worth trying again: whole seconds, at least one.
    pub retry_after: Duration,
}

/// The hash threads and their queue. Clones share them; they end with [`Passwords::close`] or with
/// the last clone.
#[derive(Clone)]
pub struct Passwords(Arc<Handle>);

struct Handle {
    shared: Arc<worker::Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Passwords {
    /// Proves that Argon2id is computed right here, takes the memory and starts the threads.
    ///
    /// Fails on a wrong tag, on a cost out of bounds and when there is too little memory.
    pub fn start(options: Options) -> anyhow::Result<Self> {
        Self::start_observed(options, |_| ())
    }

    /// [`Passwords::start`], with what a hash thread does when a job has begun: for tests, which make it fail there.
    #[doc(hidden)]
    pub fn start_hindered(
        options: Options,
        begun: impl Fn() + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        Self::start_observed(options, move |_| begun())
    }

    /// [`Passwords::start`], with a function that is called when a job has begun.
    fn start_observed(
        options: Options,
        begun: impl Fn(&Job) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let Options { threads, deadline, cost, floor, implementation, peppers } = options;
        cost.check(floor)?;
        anyhow::ensure!((1..=1024).contains(&threads), "hash threads must be 1 to 1,024, not {threads}");
        anyhow::ensure!(!deadline.is_zero(), "the deadline of a password hash must be more than nothing");
        let mut engines = Vec::new();
        for _ in 0..threads {
            let mut engine = Engine::new(implementation, cost)?;
            engine.reserve().context("no memory for the hash threads")?;
            engines.push(engine);
        }
        let mut measured = Duration::ZERO;
        if let Some(engine) = engines.first_mut() {
            self_test::run(implementation, cost, engine)?;
            let started = Instant::now();
            worker::hash(engine, cost, &peppers, &SecretString::from("measured"))?;
            measured = started.elapsed();
            // Until somebody logs in, nobody needs it: an idle process stays small.
            engine.forget_memory().context("no memory for the hash threads")?;
        }
        // It has no memory of its own: no two foreign hashes need the same.
        let foreign_engine = Engine::new(implementation, Cost { memory_kib: 8, passes: 1, lanes: 1 })?;
        let shared = Arc::new(worker::Shared {
            queue: Queue::new(u32::try_from(threads)?, deadline, cost.memory_kib, measured),
            foreign: Queue::new(1, deadline, MAX_MEMORY_KIB, FOREIGN_AT_FIRST),
            cost,
            dummy: worker::random(cost, &peppers)?,
            peppers,
            evaluations: AtomicU64::new(0),
            begun: Box::new(begun),
        });
        let handle = Handle { shared, threads: Mutex::default() };
        for (number, engine) in engines.into_iter().enumerate() {
            handle.spawn(format!("hash-{number}"), |shared| worker::run(shared, engine))?;
        }
        handle.spawn("hash-foreign".to_owned(), |shared| worker::run_foreign(shared, foreign_engine))?;
        tracing::info!(threads, %cost, ?implementation, ?measured, "hash threads started");
        Ok(Self(Arc::new(handle)))
    }

    /// A place in the queue, to be taken before the login reserves an attempt. Its deadline runs from
    /// now. Never blocks and never waits.
    pub fn ticket(&self, tenant: &str) -> Result<Ticket, Overloaded> {
        self.ticket_for(tenant, None)
    }

    /// [`Passwords::ticket`], in the queue in which `stored` will be verified.
    pub fn ticket_for(&self, tenant: &str, stored: Option<&PasswordHash>) -> Result<Ticket, Overloaded> {
        self.0.queue_for(stored).ticket(tenant)
    }

    /// Whether hashes wait for a thread.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.0.shared.queue.is_waited_for()
    }

    /// Verifies a password, as received, with exactly one evaluation: of `stored`, or of a dummy of
    /// the configured cost when there is none. A ticket that is of another queue than [`Passwords::ticket_for`]
    /// gives is exchanged first, if there is room.
    ///
    /// Once the evaluation has begun it completes, whoever has gone. Dropping this future before that
    /// takes the job out of the queue.
    pub async fn verify(
        &self,
        ticket: Ticket,
        password: SecretString,
        stored: Option<PasswordHash>,
        caller: &Presence,
    ) -> Result<Verdict, NotHashed> {
        refuse_too_long(&password)?;
        let ticket = ticket.moved_to(self.0.queue_for(stored.as_ref()))?;
        match submit(ticket, Work::Verify { password, stored }, caller).await? {
            Answer::Verdict(verdict) => Ok(verdict),
            Answer::Hash(_) => Err(NotHashed::Failed),
        }
    }

    /// Makes the hash to store of a password, as received, at the configured cost and with a new salt.
    pub async fn hash(
        &self,
        ticket: Ticket,
        password: SecretString,
        caller: &Presence,
    ) -> Result<PasswordHash, NotHashed> {
        refuse_too_long(&password)?;
        let ticket = ticket.moved_to(self.0.queue_for(None))?;
        match submit(ticket, Work::Hash { password }, caller).await? {
            Answer::Hash(hash) => Ok(hash),
            Answer::Verdict(_) => Err(NotHashed::Failed),
        }
    }

    /// The lines of the pepper file that it uses.
    #[must_use]
    pub fn peppers(&self) -> &Peppers {
        &self.0.shared.peppers
    }

    /// How many evaluations have begun, for the tests that count them (R002).
    #[must_use]
    pub fn evaluations(&self) -> u64 {
        self.0.shared.evaluations.load(Ordering::SeqCst)
    }

    /// Refuses what waits, lets what runs complete, and returns when the threads have ended.
    pub async fn close(&self) {
        self.0.refuse_all();
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined =
            tokio::task::spawn_blocking(move || threads.into_iter().all(|thread| thread.join().is_ok()));
        if !joined.await.unwrap_or(false) {
            tracing::error!("a hash thread ended with a panic");
        }
    }
}

impl Handle {
    fn spawn(&self, name: String, run: impl FnOnce(&worker::Shared) + Send + 'static) -> anyhow::Result<()> {
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&shared));
        let thread = thread.context("a hash thread did not start")?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn queue_for(&self, stored: Option<&PasswordHash>) -> &Arc<Queue> {
        match stored.map(PasswordHash::scheme) {
            Some(Scheme::Foreign(_)) => &self.shared.foreign,
            Some(Scheme::Argon2id(_)) | None => &self.shared.queue,
        }
    }

    fn refuse_all(&self) {
        self.shared.queue.close();
        self.shared.foreign.close();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.refuse_all();
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").field("cost", &self.0.shared.cost).finish_non_exhaustive()
    }
}

async fn submit(ticket: Ticket, work: Work, caller: &Presence) -> Result<Answer, NotHashed> {
    let deadline = ticket.deadline();
    ticket.submit(work, caller.clone())?.outcome(deadline, caller).await
}

/// A hash made on the calling thread, for commands: they have no queue and nobody waits for them.
pub fn hash_blocking(options: &Options, password: &SecretString) -> anyhow::Result<PasswordHash> {
    options.cost.check(options.floor)?;
    refuse_too_long(password)?;
    let mut engine = Engine::new(options.implementation, options.cost)?;
    self_test::run(options.implementation, options.cost, &mut engine)?;
    worker::hash(&mut engine, options.cost, &options.peppers, password)
}

/// The one thing that is done to a password: NFC, as NIST SP 800-63B-4 has it. No trimming, no folding of case.
///
/// Hashing and verifying do it themselves; a rule about a password's characters should see it too.
#[must_use]
pub fn normalise(password: &str) -> SecretString {
    if password.is_ascii() {
        return SecretString::from(password);
    }
    // NFC at most trebles UTF-8 (UAX #15): a buffer that never moves leaves no copy behind.
    let mut normal = Zeroizing::new(String::with_capacity(password.len() * 3));
    normal.extend(password.nfc());
    SecretString::from(normal.as_str())
}

fn refuse_too_long(password: &SecretString) -> Result<(), NotHashed> {
    if password.expose_secret().len() > MAX_PASSWORD_BYTES { Err(NotHashed::TooLong) } else { Ok(()) }
}
