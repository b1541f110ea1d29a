//! The queue in front of the hash threads: bounded, fair between tenants, with a deadline.
//!
//! A [`Ticket`] is a place, counted from the moment it is given until its hash is done or it is
//! dropped. A job is a ticket with a password, ready to be hashed. Threads take ready jobs only, the
//! tenants' in turn and each tenant's in order, so a ticket whose job is not ready holds nobody up.
//!
//! Total places stay bounded though each tenant's count is compared with its own only: with room for
//! `n` jobs within the deadline, at most `(n + 1) / x` tenants can have come to `x` places, which
//! sums up to less than `(n + 1) (1 + ln (n + 1))`.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::presence::Presence;
use super::schemes::PasswordHash;
use super::{NotHashed, Overloaded, Verdict};

/// However fast the hashes and far the deadline, no more than so many wait for each thread: it
/// bounds what the queue's passwords occupy. At a deadline of a second no allowed cost comes near it.
const MOST_AHEAD_OF_A_THREAD: u32 = 512;

/// A place is given where the hash should begin within this part of the deadline. What is ahead is an estimate: of those let
/// in up to the deadline itself up to a fifth missed it on a full queue, and what was done for them was for nothing.
const EXPECTED_WITHIN: (u32, u32) = (4, 5);

/// A hash thread that has had no job for so long has time for other things.
const IDLE: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(10) };

/// What is to be hashed.
pub(super) enum Work {
    Verify { password: SecretString, stored: Option<PasswordHash> },
    Hash { password: SecretString },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Verdict(Verdict),
    Hash(PasswordHash),
}

pub(super) type Outcome = Result<Answer, NotHashed>;

/// The queue, shared by the handles, the tickets and the hash threads.
pub(super) struct Queue {
    threads: u32,
    deadline: Duration,
    /// What each thread has for itself; a job that needs more is large.
    memory_kib: u32,
    state: Mutex<State>,
    ready: Condvar,
}

struct State {
    /// Tenants with at least one place.
    tenants: HashMap<Arc<str>, Tenant>,
    /// Tenants with a ready job, the next one to be served first.
    turns: VecDeque<Arc<str>>,
    /// Ready jobs of all tenants.
    waiting: u32,
    /// The moving average of what one evaluation takes.
    mean: Duration,
    /// Whether a job runs that takes memory beyond its thread's own.
    large_running: bool,
    next_job: u64,
    closing: bool,
}

#[derive(Default)]
struct Tenant {
    places: u32,
    ready: VecDeque<Job>,
}

/// A ticket with a password, ready to be hashed.
pub(super) struct Job {
    id: u64,
    pub(super) ticket: Ticket,
    pub(super) work: Work,
    large: bool,
    caller: Presence,
    ready_at: Instant,
    answer: oneshot::Sender<Outcome>,
}

/// A place in the hash queue. Dropping it unused frees the place.
#[must_use = "a dropped ticket gives the place back"]
pub struct Ticket {
    queue: Arc<Queue>,
    tenant: Arc<str>,
    deadline: Instant,
}

/// The caller's end of a job.
pub(super) struct Submitted {
    queue: Arc<Queue>,
    tenant: Arc<str>,
    id: u64,
    answer: oneshot::Receiver<Outcome>,
}

impl Queue {
    /// A queue for so many threads, with the measured time of one evaluation to begin with.
    pub(super) fn new(threads: u32, deadline: Duration, memory_kib: u32, mean: Duration) -> Arc<Self> {
        let state = State {
            tenants: HashMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            mean,
            large_running: false,
            next_job: 0,
            closing: false,
        };
        Arc::new(Self { threads, deadline, memory_kib, state: Mutex::new(state), ready: Condvar::new() })
    }

    /// Takes a place, or says at once that a hash would begin too late.
    ///
    /// Tenants are served in turn, so before this tenant's next job come its own, and of every other
    /// tenant at most as many and one more. Jobs that run count in full.
    pub(super) fn ticket(self: &Arc<Self>, tenant: &str) -> Result<Ticket, Overloaded> {
        let mut state = self.lock();
        let own = state.tenants.get(tenant).map_or(0, |tenant| tenant.places);
        let ahead = state.tenants.values().map(|tenant| tenant.places.min(own + 1)).sum::<u32>();
        let wait = state.mean.saturating_mul(ahead) / self.threads;
        let (part, of) = EXPECTED_WITHIN;
        if state.closing || wait > self.deadline * part / of || ahead > self.threads * MOST_AHEAD_OF_A_THREAD
        {
            metrics::counter!("vestibule_hash_refusals_total", "reason" => "queue_full").increment(1);
            return Err(Overloaded { retry_after: Duration::from_secs(wait.as_secs() + 1) });
        }
        let tenant =
            state.tenants.get_key_value(tenant).map_or_else(|| Arc::from(tenant), |(name, _)| name.clone());
        state.tenants.entry(tenant.clone()).or_default().places += 1;
        Ok(Ticket { queue: self.clone(), tenant, deadline: Instant::now() + self.deadline })
    }

    /// Blocks until there is a job whose caller still waits for it, and begins it: from here on it
    /// always completes. `None` when the queue is closed. Calls `idle` once when nothing has come for [`IDLE`].
    pub(super) fn next(&self, idle: impl FnOnce()) -> Option<Job> {
        let mut idle = Some(idle);
        let mut state = self.lock();
        while !state.closing {
            let Some(job) = state.take() else {
                state = self.wait(state, &mut idle);
                continue;
            };
            if let Some(reason) = job.is_pointless() {
                drop(state);
                job.refuse(reason);
                state = self.lock();
                continue;
            }
            state.large_running |= job.large;
            drop(state);
            metrics::histogram!("vestibule_hash_wait_seconds").record(job.ready_at.elapsed());
            return Some(job);
        }
        None
    }

    /// Waits until something may have come; calls `idle`, if it was not called yet, once nothing has for [`IDLE`].
    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        idle: &mut Option<impl FnOnce()>,
    ) -> MutexGuard<'a, State> {
        if idle.is_none() {
            return self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (state, waited) = self.ready.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
        match idle.take_if(|_| waited.timed_out() && state.waiting == 0) {
            None => state,
            Some(idle) => {
                drop(state);
                idle();
                self.lock()
            }
        }
    }

    /// Whether a job waits that is ready to be hashed.
    pub(super) fn is_waited_for(&self) -> bool {
        self.lock().waiting > 0
    }

    /// Ends a job that was begun: frees its place, wipes its password, answers its caller.
    pub(super) fn finish(&self, job: Job, took: Duration, outcome: Outcome) {
        let mut state = self.lock();
        state.mean = (state.mean * 7 + took) / 8;
        if job.large {
            state.large_running = false;
            self.ready.notify_one(); // a thread that slept because the only jobs were large
        }
        drop(state);
        let Job { ticket, work, answer, .. } = job;
        drop(work);
        drop(ticket);
        // The caller may have been dropped since; the hash was made all the same.
        answer.send(outcome).ok();
    }

    /// Refuses what waits and what will come; what runs completes.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        let refused = state.drain();
        drop(state);
        self.ready.notify_all();
        for job in refused {
            job.refuse(NotHashed::ShuttingDown);
        }
    }

    /// Takes a job out that has not begun.
    fn withdraw(&self, tenant: &Arc<str>, id: u64) -> Option<Job> {
        let mut state = self.lock();
        let ready = &mut state.tenants.get_mut(tenant)?.ready;
        let at = ready.iter().position(|job| job.id == id)?;
        let job = ready.remove(at);
        if ready.is_empty() {
            state.turns.retain(|turn| turn != tenant);
        }
        state.count_waiting(-1);
        job
    }

    /// No panic happens under this lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next job in turn that there is memory for.
    fn take(&mut self) -> Option<Job> {
        for turn in 0..self.turns.len() {
            let ready = &mut self.tenants.get_mut(self.turns.get(turn)?)?.ready;
            let Some(at) = ready.iter().position(|job| !(job.large && self.large_running)) else { continue };
            let job = ready.remove(at);
            let is_last = ready.is_empty();
            if let Some(tenant) = self.turns.remove(turn).filter(|_| !is_last) {
                self.turns.push_back(tenant);
            }
            self.count_waiting(-1);
            return job;
        }
        None
    }

    fn put(&mut self, tenant: &Arc<str>, job: Job) {
        let ready = &mut self.tenants.entry(tenant.clone()).or_default().ready;
        if ready.is_empty() {
            self.turns.push_back(tenant.clone());
        }
        ready.push_back(job);
        self.count_waiting(1);
    }

    fn drain(&mut self) -> Vec<Job> {
        self.turns.clear();
        let jobs = self.tenants.values_mut().flat_map(|tenant| tenant.ready.drain(..)).collect();
        metrics::gauge!("vestibule_hash_queue_depth").decrement(self.waiting);
        self.waiting = 0;
        jobs
    }

    /// The gauge is of all queues together.
    fn count_waiting(&mut self, change: i32) {
        self.waiting = self.waiting.saturating_add_signed(change);
        metrics::gauge!("vestibule_hash_queue_depth").increment(f64::from(change));
    }
}

impl Ticket {
    /// When its hash must have begun.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Whether it is one of this tenant's places.
    #[must_use]
    pub fn is_of(&self, tenant: &str) -> bool {
        *self.tenant == *tenant
    }

    /// Takes a place in `queue` for it, if it is of another one, with the deadline it has.
    pub(super) fn moved_to(self, queue: &Arc<Queue>) -> Result<Self, NotHashed> {
        if Arc::ptr_eq(&self.queue, queue) {
            return Ok(self);
        }
        let mut moved = queue.ticket(&self.tenant).map_err(|_| NotHashed::DeadlinePassed)?;
        moved.deadline = self.deadline;
        Ok(moved)
    }

    /// Makes it a job.
    pub(super) fn submit(self, work: Work, caller: Presence) -> Result<Submitted, NotHashed> {
        let (queue, tenant) = (self.queue.clone(), self.tenant.clone());
        let (sender, answer) = oneshot::channel();
        let large = matches!(&work, Work::Verify { stored: Some(stored), .. } if stored.memory_kib() > queue.memory_kib);
        let ready_at = Instant::now();
        let mut job = Job { id: 0, ticket: self, work, large, caller, ready_at, answer: sender };
        let mut state = queue.lock();
        let pointless = if state.closing { Some(NotHashed::ShuttingDown) } else { job.is_pointless() };
        if let Some(reason) = pointless {
            drop(state);
            job.refuse(reason);
            return Err(reason);
        }
        let id = state.next_job;
        state.next_job += 1;
        job.id = id;
        state.put(&tenant, job);
        drop(state);
        queue.ready.notify_one();
        Ok(Submitted { queue, tenant, id, answer })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if let Some(tenant) = state.tenants.get_mut(&self.tenant) {
            tenant.places -= 1;
            if tenant.places == 0 {
                state.tenants.remove(&self.tenant);
            }
        }
    }
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl Job {
    /// Why it need not be hashed any more.
    fn is_pointless(&self) -> Option<NotHashed> {
        if self.caller.is_gone() || self.answer.is_closed() {
            Some(NotHashed::Abandoned)
        } else if Instant::now() >= self.ticket.deadline {
            Some(NotHashed::DeadlinePassed)
        } else {
            None
        }
    }

    /// Ends it unhashed. Not under the lock: its ticket takes it.
    fn refuse(self, reason: NotHashed) {
        let label = match reason {
            NotHashed::Abandoned => Some("abandoned"),
            NotHashed::DeadlinePassed => Some("deadline"),
            NotHashed::ShuttingDown | NotHashed::TooLong | NotHashed::Failed | NotHashed::Panicked => None,
        };
        if let Some(label) = label {
            metrics::counter!("vestibule_hash_refusals_total", "reason" => label).increment(1);
        }
        let Self { ticket, answer, .. } = self;
        drop(ticket);
        answer.send(Err(reason)).ok();
    }
}

impl Submitted {
    /// Waits for the outcome; takes the job out of the queue as soon as its client goes or its
    /// deadline passes, unless it has begun.
    pub(super) async fn outcome(mut self, deadline: Instant, caller: &Presence) -> Outcome {
        let reason = tokio::select! {
            biased;
            outcome = &mut self.answer => return outcome.unwrap_or(Err(NotHashed::Failed)),
            () = caller.gone() => NotHashed::Abandoned,
            () = tokio::time::sleep_until(deadline.into()) => NotHashed::DeadlinePassed,
        };
        if let Some(job) = self.queue.withdraw(&self.tenant, self.id) {
            job.refuse(reason);
        }
        (&mut self.answer).await.unwrap_or(Err(NotHashed::Failed))
    }
}

impl Drop for Submitted {
    /// A caller dropped in the middle abandons what has not begun.
    fn drop(&mut self) {
        if let Some(job) = self.queue.withdraw(&self.tenant, self.id) {
            job.refuse(NotHashed::Abandoned);
        }
    }
}

#[cfg(test)]
mod tests;
