//! A hash thread: one evaluation for each job, in memory of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::argon2id::{Engine, Inputs, Variant};
use super::cost::Cost;
use super::pepper::Peppers;
use super::scheduler::{Answer, Job, Outcome, Queue, Work};
use super::schemes::{Argon2id, MAX_TAG_BYTES, PasswordHash, SALT_BYTES, Scheme, TAG_BYTES};
use super::{NotHashed, Verdict, foreign, normalise};

/// The longest that the thread for foreign hashes rests after one of them.
const LONGEST_REST: Duration = Duration::from_millis(250);

/// How much nicer than the rest hash threads are: 5 leaves them a quarter of a core that somebody else wants as well, and all
/// of one that nobody wants. More would let a flood of requests that cost nothing keep logins from their hash.
const NICE: i32 = 5;

/// What the hash threads share.
pub(super) struct Shared {
    pub(super) queue: Arc<Queue>,
    /// The queue of the one thread that verifies foreign hashes.
    pub(super) foreign: Arc<Queue>,
    /// What new hashes cost.
    pub(super) cost: Cost,
    /// What passwords are put through before.
    pub(super) peppers: Peppers,
    /// Verified for whoever has no hash, at the same cost (R002).
    pub(super) dummy: Argon2id,
    pub(super) evaluations: AtomicU64,
    /// Called when a job has begun, before it is evaluated: where the tests hold a thread.
    pub(super) begun: Box<dyn Fn(&Job) + Send + Sync>,
}

/// Hashes until the queue is closed.
pub(super) fn run(shared: &Shared, engine: Engine) {
    serve(shared, &shared.queue, engine, |_| Duration::ZERO);
}

/// Verifies foreign hashes until their queue is closed. There are as many hash threads as cores without this
/// one: while they have work to do it rests for as long as it worked, so that they lose little to it.
pub(super) fn run_foreign(shared: &Shared, engine: Engine) {
    serve(shared, &shared.foreign, engine, |took| rest(&shared.queue, took));
}

/// How long to leave the cores to the hash threads after having worked for so long.
pub(super) fn rest(queue: &Queue, took: Duration) -> Duration {
    if queue.is_waited_for() { took.min(LONGEST_REST) } else { Duration::ZERO }
}

fn serve(shared: &Shared, queue: &Queue, mut engine: Engine, rest: impl Fn(Duration) -> Duration) {
    give_way();
    while let Some(job) = queue.next(|| forget_memory(&mut engine)) {
        shared.evaluations.fetch_add(1, Ordering::SeqCst);
        metrics::counter!("vestibule_hash_evaluations_total").increment(1);
        let started = Instant::now();
        let evaluation = catch_unwind(AssertUnwindSafe(|| {
            (shared.begun)(&job);
            answer(shared, &mut engine, &job.work)
        }));
        let took = started.elapsed();
        metrics::histogram!("vestibule_hash_seconds").record(took);
        let outcome = evaluation.unwrap_or_else(|_panic| {
            tracing::error!("a password hash panicked");
            if let Err(error) = engine.replace_memory() {
                failed(&error);
            }
            Err(NotHashed::Panicked)
        });
        let rest = rest(took);
        queue.finish(job, took + rest, outcome);
        std::thread::sleep(rest);
    }
}

/// After a while without work: what a login burst took is given back.
fn forget_memory(engine: &mut Engine) {
    if let Err(error) = engine.forget_memory() {
        failed(&error);
    }
}

/// Lets all other threads go first (nice(2), on Linux of the calling thread alone): hashes fill every core for as long as
/// anybody logs in, and what answers refreshes and session checks needs one for microseconds only.
fn give_way() {
    // Elsewhere it is of the whole process.
    if !cfg!(target_os = "linux") {
        return;
    }
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::warn!(%error, "hash threads keep the priority of all others: a login flood slows everything down");
    }
}

fn answer(shared: &Shared, engine: &mut Engine, work: &Work) -> Outcome {
    match work {
        Work::Verify { password, stored } => {
            verify(shared, engine, password, stored.as_ref()).map(Answer::Verdict)
        }
        Work::Hash { password } => hash(engine, shared.cost, &shared.peppers, password)
            .map(Answer::Hash)
            .map_err(|error| failed(&error)),
    }
}

/// One evaluation, whether or not there is a hash; the dummy matches nobody.
pub(super) fn verify(
    shared: &Shared,
    engine: &mut Engine,
    password: &SecretString,
    stored: Option<&PasswordHash>,
) -> Result<Verdict, NotHashed> {
    let argon2id = match stored.map(PasswordHash::scheme) {
        Some(Scheme::Argon2id(argon2id)) => argon2id,
        Some(Scheme::Foreign(hash)) => {
            let matches = foreign::verify(engine, hash, password).map_err(|error| failed(&error))?;
            return Ok(Verdict { matches, needs_rehash: matches });
        }
        None => &shared.dummy,
    };
    let mut buffer = Zeroizing::new([0; MAX_TAG_BYTES as usize]);
    let tag = buffer.get_mut(..argon2id.tag.len()).ok_or(NotHashed::Failed)?;
    evaluate(engine, argon2id, &shared.peppers, password, tag).map_err(|error| failed(&error))?;
    let is_equal = bool::from(argon2id.tag.ct_eq(tag));
    let matches = is_equal & stored.is_some();
    Ok(Verdict {
        matches,
        needs_rehash: matches && argon2id.differs_from(shared.cost, shared.peppers.current()),
    })
}

/// A new hash, with a salt of its own.
pub(super) fn hash(
    engine: &mut Engine,
    cost: Cost,
    peppers: &Peppers,
    password: &SecretString,
) -> anyhow::Result<PasswordHash> {
    let argon2id = random(cost, peppers)?;
    let mut tag = vec![0; TAG_BYTES];
    evaluate(engine, &argon2id, peppers, password, &mut tag)?;
    Ok(Argon2id { tag, ..argon2id }.into())
}

/// A salt, and a tag that no password is known to have.
pub(super) fn random(cost: Cost, peppers: &Peppers) -> anyhow::Result<Argon2id> {
    let (mut salt, mut tag) = (vec![0; SALT_BYTES], vec![0; TAG_BYTES]);
    for bytes in [&mut salt, &mut tag] {
        aws_lc_rs::rand::fill(bytes).map_err(|_| anyhow::anyhow!("no random bytes"))?;
    }
    Ok(Argon2id { cost, pepper: peppers.current().map(str::to_owned), salt, tag })
}

pub(super) fn evaluate(
    engine: &mut Engine,
    argon2id: &Argon2id,
    peppers: &Peppers,
    password: &SecretString,
    tag: &mut [u8],
) -> anyhow::Result<()> {
    let Argon2id { cost, pepper, salt, .. } = argon2id;
    // Here and nowhere else, so that no caller can forget it at either end.
    let password = normalise(password.expose_secret());
    let password = peppers.season(pepper.as_deref(), password.expose_secret().as_bytes());
    let password = &password.context("its line of the pepper file is not there")?;
    let inputs = Inputs { variant: Variant::ARGON2ID, cost: *cost, password, salt, key: &[], data: &[] };
    Ok(engine.tag(inputs, tag)?)
}

fn failed(error: &dyn std::fmt::Display) -> NotHashed {
    tracing::error!(%error, "a password could not be hashed");
    NotHashed::Failed
}
