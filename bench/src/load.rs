//! Load on a server: callers who each keep a connection, as quick as they are answered (closed loop) or at a fixed rate
//! (open loop: the latency counts from when a call was due, so queueing is not left out).

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use hdrhistogram::Histogram;
use hyper::{Request, StatusCode};
use tokio::task::LocalSet;

use crate::http::{Body, Connection};
use crate::process::Meter;

/// Somebody who calls again and again.
pub trait Caller: Send + 'static {
    /// The next call; `None` when there is nothing left to call for.
    fn request(&mut self) -> Option<Request<Body>>;

    /// What the answer is.
    fn answered(&mut self, status: StatusCode, body: &[u8]) -> Answer;
}

/// What an answer counts as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Done,
    /// Refused for want of room, as it may be under overload.
    Refused,
    /// Anything that should not have happened.
    Failed,
}

/// How to load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls a second over all callers; `None` for a closed loop.
    pub rate: Option<f64>,
    pub warm_up: Duration,
    pub measured: Duration,
    /// Whether all call from one address, like an office; otherwise each has its own, as customers do.
    pub one_address: bool,
}

/// What was seen in the measured time.
#[derive(Debug)]
pub struct Seen {
    pub done: u64,
    pub refused: u64,
    pub failed: u64,
    /// What a failed one was answered.
    pub failure: Option<String>,
    pub elapsed: Duration,
    /// The processor time of the server's processes.
    pub cpu: Duration,
    /// Of the calls that were done, in microseconds.
    pub latency: Histogram<u64>,
    /// Of those that were refused.
    pub refused_latency: Histogram<u64>,
}

impl Seen {
    fn nothing() -> Result<Self> {
        Ok(Self {
            done: 0,
            refused: 0,
            failed: 0,
            failure: None,
            elapsed: Duration::ZERO,
            cpu: Duration::ZERO,
            latency: histogram()?,
            refused_latency: histogram()?,
        })
    }

    pub fn per_second(&self) -> f64 {
        as_f64(self.done) / self.elapsed.as_secs_f64()
    }

    /// Microseconds of the server's processor time for each call that was done.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / as_f64(self.done.max(1))
    }
}

/// A count as a number to divide by: no count here comes near 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// An empty histogram of microseconds up to a minute, to three digits.
pub fn histogram() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, 60_000_000, 3).map_err(|error| anyhow!("{error:?}"))
}

/// Loads a server and gives the callers back. It has a thread of its own with one event loop, so that little of the
/// machine goes to the callers.
pub fn run<C: Caller>(
    address: SocketAddr,
    load: Load,
    callers: Vec<C>,
    server: &Meter,
) -> Result<(Seen, Vec<C>)> {
    let server = server.clone();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, drive(address, load, callers, &server))
    };
    let joined = thread::Builder::new().name("load".into()).spawn(work)?.join();
    joined.map_err(|_| anyhow!("the load's thread panicked"))?
}

/// A loopback address for a caller alone: failures are counted, and their number bounded, by address.
fn own_address(number: usize) -> Result<Ipv4Addr> {
    const FIRST: u32 = u32::from_be_bytes([127, 1, 0, 1]);
    Ok(Ipv4Addr::from_bits(FIRST + u32::try_from(number)?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measured,
    Over,
}

/// What the callers share.
struct Shared {
    phase: Cell<Phase>,
    began: Instant,
    rate: Option<f64>,
    /// How many calls have been due so far.
    due: Cell<u64>,
    seen: RefCell<Seen>,
}

async fn drive<C: Caller>(
    address: SocketAddr,
    load: Load,
    callers: Vec<C>,
    server: &Meter,
) -> Result<(Seen, Vec<C>)> {
    let mut connections = Vec::with_capacity(callers.len());
    for number in 0..callers.len() {
        let from = if load.one_address { Ipv4Addr::LOCALHOST } else { own_address(number)? };
        connections.push(Connection::open(address, from).await?);
    }
    let shared = Rc::new(Shared {
        phase: Cell::new(Phase::WarmUp),
        began: Instant::now(),
        rate: load.rate,
        due: Cell::new(0),
        seen: RefCell::new(Seen::nothing()?),
    });
    let calling: Vec<_> = callers
        .into_iter()
        .zip(connections)
        .map(|(caller, connection)| tokio::task::spawn_local(call_on(caller, connection, shared.clone())))
        .collect();

    tokio::time::sleep(load.warm_up).await;
    let (cpu, began) = (server.cpu(), Instant::now());
    shared.phase.set(Phase::Measured);
    let until = tokio::time::Instant::from_std(began + load.measured);
    // Those that have a fixed number of calls may be ready before.
    while tokio::time::Instant::now() < until && calling.iter().any(|task| !task.is_finished()) {
        tokio::time::sleep(Duration::from_millis(20).min(until - tokio::time::Instant::now())).await;
    }
    shared.phase.set(Phase::Over);
    let (elapsed, cpu) = (began.elapsed(), server.cpu().saturating_sub(cpu));

    let mut back = Vec::new();
    for task in calling {
        back.push(task.await.context("a caller panicked")??);
    }
    let seen = shared.seen.replace(Seen::nothing()?);
    ensure!(seen.done + seen.refused > 0, "no call was answered well: {:?}", seen.failure);
    Ok((Seen { elapsed, cpu, ..seen }, back))
}

async fn call_on<C: Caller>(mut caller: C, mut connection: Connection, shared: Rc<Shared>) -> Result<C> {
    while shared.phase.get() != Phase::Over {
        let due = match shared.rate {
            Some(rate) => {
                let number = shared.due.replace(shared.due.get() + 1);
                let due = shared.began + Duration::from_secs_f64(as_f64(number) / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
            None => Instant::now(),
        };
        let Some(request) = caller.request() else { break };
        let (answer, failure) = match connection.send(request).await {
            Ok((status, body)) => match caller.answered(status, &body) {
                Answer::Failed => {
                    (Answer::Failed, Some(format!("{status} {}", String::from_utf8_lossy(&body))))
                }
                answer => (answer, None),
            },
            Err(error) => (Answer::Failed, Some(format!("{error:#}"))),
        };
        if shared.phase.get() == Phase::Measured {
            note(&shared, answer, failure, due.elapsed());
        }
    }
    Ok(caller)
}

fn note(shared: &Shared, answer: Answer, failure: Option<String>, took: Duration) {
    let mut seen = shared.seen.borrow_mut();
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    match answer {
        Answer::Done => {
            seen.done += 1;
            seen.latency.saturating_record(micros);
        }
        Answer::Refused => {
            seen.refused += 1;
            seen.refused_latency.saturating_record(micros);
        }
        Answer::Failed => {
            seen.failed += 1;
            seen.failure = seen.failure.take().or(failure);
        }
    }
}
