//! The queue alone, served by hand: no threads, no hashes, no waiting.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;
use crate::passwords::cost::Cost;
use crate::passwords::presence::PresenceGuard;
use crate::passwords::schemes::Argon2id;

const HOUR: Duration = Duration::from_hours(1);

/// Room for ten jobs to each thread: a tenth of a second each, within four fifths of the deadline.
fn queue(threads: u32) -> Arc<Queue> {
    Queue::new(threads, Duration::from_millis(1_250), 64, Duration::from_millis(100))
}

/// A queue whose deadline no test outlives, with room for ten jobs.
fn patient_queue() -> Arc<Queue> {
    Queue::new(1, HOUR * 5 / 4, 64, HOUR / 10)
}

fn work() -> Work {
    Work::Hash { password: SecretString::from("secret") }
}

fn large_work() -> Work {
    let cost = Cost { memory_kib: 65, passes: 1, lanes: 1 };
    let stored = Argon2id { cost, pepper: None, salt: vec![0; 16], tag: vec![0; 32] }.into();
    Work::Verify { password: SecretString::from("secret"), stored: Some(stored) }
}

fn submit(queue: &Arc<Queue>, tenant: &str, work: Work) -> Submitted {
    queue.ticket(tenant).expect("a place").submit(work, Presence::always()).expect("submitted")
}

fn present() -> (Presence, PresenceGuard) {
    Presence::new()
}

fn tickets(queue: &Arc<Queue>, tenant: &str) -> Vec<Ticket> {
    std::iter::from_fn(|| queue.ticket(tenant).ok()).collect()
}

fn places(queue: &Queue) -> u32 {
    queue.lock().tenants.values().map(|tenant| tenant.places).sum()
}

fn tenant_of(job: &Job) -> String {
    job.ticket.tenant.to_string()
}

/// Begins the next job, ends it without a hash and tells whose it was.
fn serve(queue: &Queue) -> String {
    let job = queue.next(|| ()).expect("a job");
    let tenant = tenant_of(&job);
    queue.finish(job, HOUR / 10, Err(NotHashed::Failed));
    tenant
}

#[test]
fn R037_a_queue_refuses_what_would_begin_too_late_and_recovers() {
    for threads in [1, 2, 5] {
        let queue = queue(threads);
        let mut held = tickets(&queue, "a");
        assert_eq!(held.len(), threads as usize * 10 + 1, "so many ahead are a second's work");
        let refused = queue.ticket("a").expect_err("full");
        assert_eq!(refused.retry_after, Duration::from_secs(2));
        held.pop();
        held.push(queue.ticket("a").expect("a place was freed"));
        assert!(queue.ticket("a").is_err());
        held.clear();
        assert_eq!(places(&queue), 0);
        assert!(queue.lock().tenants.is_empty());
        assert_eq!(tickets(&queue, "a").len(), threads as usize * 10 + 1);
    }
}

#[test]
fn R037_an_idle_queue_admits_one_however_slow_the_hashes_are() {
    let queue = Queue::new(2, Duration::from_secs(1), 64, Duration::from_secs(30));
    let first = queue.ticket("a").expect("nobody is ahead");
    assert_eq!(queue.ticket("b").expect_err("too slow").retry_after, Duration::from_secs(16));
    drop(first);
    assert!(queue.ticket("b").is_ok());
}

#[tokio::test]
async fn R037_slower_hashes_make_the_queue_shorter() {
    let queue = queue(1);
    for _ in 0..100 {
        let submitted = submit(&queue, "a", work());
        let job = queue.next(|| ()).expect("a job");
        queue.finish(job, Duration::from_millis(200), Err(NotHashed::Failed));
        assert!(submitted.outcome(Instant::now() + HOUR, &Presence::always()).await.is_err());
    }
    assert_eq!(tickets(&queue, "a").len(), 6);
}

#[test]
fn R037_two_thousand_tickets_at_once_are_bounded() {
    // Hashes that take no time, a deadline that never comes: only the hard bound is left.
    let queue = Queue::new(1, HOUR, 64, Duration::ZERO);
    let held: Vec<_> = (0..2000).map_while(|_| queue.ticket("a").ok()).collect();
    assert_eq!(held.len(), MOST_AHEAD_OF_A_THREAD as usize + 1);
    assert_eq!(queue.ticket("a").expect_err("full").retry_after, Duration::from_secs(1));

    // Tenants that come one after another, each taking all it gets: the harmonic bound.
    let mut all = held;
    for tenant in 0..MOST_AHEAD_OF_A_THREAD {
        all.extend(tickets(&queue, &format!("tenant {tenant}")));
    }
    let room = f64::from(MOST_AHEAD_OF_A_THREAD + 1);
    assert!(f64::from(places(&queue)) < room * (1.0 + room.ln()), "{}", places(&queue));
    assert!(queue.ticket("one more").is_err());
    drop(all);
    assert_eq!(places(&queue), 0);
}

#[test]
fn R037_a_tenant_that_floods_neither_refuses_nor_starves_another() {
    let queue = patient_queue();
    let flood: Vec<_> = std::iter::from_fn(|| queue.ticket("a").ok())
        .map(|ticket| ticket.submit(work(), Presence::always()).expect("submitted"))
        .collect();
    assert_eq!(flood.len(), 11);
    assert!(queue.ticket("a").is_err());

    let first = submit(&queue, "b", work());
    let second = submit(&queue, "b", work());
    let served: Vec<_> = (0..5).map(|_| serve(&queue)).collect();
    assert_eq!(served, ["a", "b", "a", "b", "a"]);
    drop((first, second));

    // The flood goes on as fast as it is served: the other is still next but one.
    let mut more = Vec::new();
    for _ in 0..20 {
        more.extend(
            std::iter::from_fn(|| queue.ticket("a").ok())
                .map(|ticket| ticket.submit(work(), Presence::always()).expect("submitted")),
        );
        let honest = submit(&queue, "b", work());
        assert!([serve(&queue), serve(&queue)].contains(&"b".to_owned()));
        drop(honest);
    }
}

#[test]
fn R037_a_tenants_own_jobs_are_served_in_order() {
    let queue = patient_queue();
    let submitted: Vec<_> = (0..5).map(|_| submit(&queue, "a", work())).collect();
    for one in &submitted {
        let job = queue.next(|| ()).expect("a job");
        assert_eq!(job.id, one.id);
        queue.finish(job, HOUR / 10, Err(NotHashed::Failed));
    }
}

#[tokio::test]
async fn R037_a_ticket_without_its_job_counts_but_holds_nobody_up() {
    let queue = patient_queue();
    let early = queue.ticket("a").expect("a place");
    let later = submit(&queue, "a", work());
    assert_eq!(places(&queue), 2);
    assert_eq!(serve(&queue), "a");
    assert!(later.outcome(Instant::now() + HOUR, &Presence::always()).await.is_err());
    let early = early.submit(work(), Presence::always()).expect("submitted");
    assert_eq!(serve(&queue), "a");
    drop(early);
    assert_eq!(places(&queue), 0);
}

#[test]
fn R037_jobs_beyond_a_threads_own_memory_run_one_at_a_time() {
    let queue = patient_queue();
    let submitted = [
        submit(&queue, "a", large_work()),
        submit(&queue, "a", large_work()),
        submit(&queue, "b", large_work()),
        submit(&queue, "a", work()),
    ];
    let large = queue.next(|| ()).expect("a job");
    assert_eq!(large.id, submitted[0].id);
    // Another thread passes over the large ones of both tenants, and takes what fits.
    let small = queue.next(|| ()).expect("a job");
    assert_eq!(small.id, submitted[3].id);
    assert!(queue.lock().take().is_none());
    queue.finish(large, HOUR / 10, Err(NotHashed::Failed));
    let large = queue.next(|| ()).expect("a job");
    assert!(large.large);
    queue.finish(small, HOUR / 10, Err(NotHashed::Failed));
    assert!(queue.lock().take().is_none());
    queue.finish(large, HOUR / 10, Err(NotHashed::Failed));
    serve(&queue);
    assert_eq!(places(&queue), 0);
}

#[tokio::test]
async fn R037_a_job_whose_client_has_gone_leaves_the_queue() {
    let queue = patient_queue();
    let (caller, guard) = present();
    let ticket = queue.ticket("a").expect("a place");
    let deadline = ticket.deadline();
    let waiting = ticket.submit(work(), caller.clone()).expect("submitted");
    let mut outcome = std::pin::pin!(waiting.outcome(deadline, &caller));
    assert!((&mut outcome).now_or_never().is_none());
    drop(guard);
    assert_eq!(outcome.await.expect_err("gone"), NotHashed::Abandoned);
    assert_eq!(places(&queue), 0);
    assert!(queue.lock().take().is_none() && queue.lock().turns.is_empty());

    let ticket = queue.ticket("a").expect("a place");
    assert_eq!(ticket.submit(work(), caller.clone()).err(), Some(NotHashed::Abandoned));
    assert_eq!(places(&queue), 0);
}

#[tokio::test]
async fn R037_a_job_whose_deadline_has_passed_leaves_the_queue() {
    let queue = patient_queue();
    let caller = Presence::always();
    let waiting = submit(&queue, "a", work());
    assert_eq!(waiting.outcome(Instant::now(), &caller).await.expect_err("late"), NotHashed::DeadlinePassed);
    assert_eq!(places(&queue), 0);

    // A thread that comes to it before the timer does refuses it as well, and takes the next.
    let mut ticket = queue.ticket("a").expect("a place");
    ticket.deadline = Instant::now();
    assert_eq!(ticket.submit(work(), caller.clone()).err(), Some(NotHashed::DeadlinePassed));
    let (late, next) = (submit(&queue, "a", work()), submit(&queue, "a", work()));
    queue.lock().tenants.get_mut("a").expect("a tenant").ready[0].ticket.deadline = Instant::now();
    let job = queue.next(|| ()).expect("a job");
    assert_eq!(job.id, next.id);
    assert_eq!(
        late.outcome(Instant::now() + HOUR, &caller).await.expect_err("late"),
        NotHashed::DeadlinePassed
    );
    queue.finish(job, HOUR / 10, Err(NotHashed::Failed));
    assert_eq!(places(&queue), 0);
}

#[tokio::test]
async fn R037_once_begun_a_job_completes_whoever_goes_and_whatever_the_time() {
    let queue = patient_queue();
    let (caller, guard) = present();
    let ticket = queue.ticket("a").expect("a place");
    let waiting = ticket.submit(work(), caller.clone()).expect("submitted");
    let job = queue.next(|| ()).expect("a job");
    drop(guard);
    let mut outcome = std::pin::pin!(waiting.outcome(Instant::now(), &caller));
    assert!((&mut outcome).now_or_never().is_none());
    let verdict = Verdict { matches: true, needs_rehash: false };
    queue.finish(job, HOUR / 10, Ok(Answer::Verdict(verdict)));
    assert!(matches!(outcome.await, Ok(Answer::Verdict(answer)) if answer == verdict));
}

#[test]
fn R037_a_caller_dropped_in_the_middle_leaves_the_queue() {
    let queue = patient_queue();
    let kept = submit(&queue, "a", work());
    drop(submit(&queue, "a", work()));
    drop(submit(&queue, "b", work()));
    assert_eq!((places(&queue), queue.lock().waiting), (1, 1));
    assert_eq!(serve(&queue), "a");
    drop(kept);
    assert!(queue.lock().turns.is_empty());
}

#[tokio::test]
async fn a_closed_queue_refuses_what_waits_and_what_comes() {
    let queue = patient_queue();
    let caller = Presence::always();
    let running = submit(&queue, "a", work());
    let job = queue.next(|| ()).expect("a job");
    let waiting = submit(&queue, "a", work());
    let ticket = queue.ticket("b").expect("a place");
    queue.close();
    let at_once = |submitted: Submitted| {
        let outcome = submitted.outcome(Instant::now() + HOUR, &caller);
        outcome.now_or_never().expect("answered").expect_err("refused")
    };
    assert_eq!(at_once(waiting), NotHashed::ShuttingDown);
    assert_eq!(ticket.submit(work(), Presence::always()).err(), Some(NotHashed::ShuttingDown));
    assert!(queue.ticket("c").is_err());
    assert!(queue.next(|| ()).is_none());
    queue.finish(job, HOUR / 10, Err(NotHashed::Failed));
    assert_eq!(at_once(running), NotHashed::Failed);
    assert_eq!(places(&queue), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Ticket(u8),
    DropTicket(usize),
    Submit(usize, bool),
    DropSubmitted(usize),
    Begin,
    Finish(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_u8..4).prop_map(Step::Ticket),
        1 => any::<usize>().prop_map(Step::DropTicket),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, large)| Step::Submit(which, large)),
        1 => any::<usize>().prop_map(Step::DropSubmitted),
        3 => Just(Step::Begin),
        3 => any::<usize>().prop_map(Step::Finish),
    ];
    proptest::collection::vec(step, 0..200)
}

fn take<T>(from: &mut Vec<T>, which: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.swap_remove(which % from.len()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn R037_the_queues_books_balance_whatever_happens(steps in steps()) {
        let queue = patient_queue();
        let (mut held, mut submitted, mut running) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Ticket(tenant) => held.extend(queue.ticket(&tenant.to_string()).ok()),
                Step::DropTicket(which) => drop(take(&mut held, which)),
                Step::Submit(which, large) => {
                    if let Some(ticket) = take(&mut held, which) {
                        let work = if large { large_work() } else { work() };
                        submitted.push(ticket.submit(work, Presence::always()).expect("submitted"));
                    }
                }
                Step::DropSubmitted(which) => drop(take(&mut submitted, which)),
                Step::Begin => {
                    let job = queue.lock().take();
                    if let Some(job) = job {
                        queue.lock().large_running |= job.large;
                        running.push(job);
                    }
                }
                Step::Finish(which) => {
                    if let Some(job) = take(&mut running, which) {
                        queue.finish(job, HOUR / 10, Err(NotHashed::Failed));
                    }
                }
            }
            let state = queue.lock();
            let ready = state.tenants.values().map(|tenant| tenant.ready.len()).sum::<usize>();
            let places = state.tenants.values().map(|tenant| tenant.places as usize).sum::<usize>();
            let mut due: Vec<_> = state.tenants.iter().filter(|(_, tenant)| !tenant.ready.is_empty()).map(|(name, _)| name).collect();
            let mut turns: Vec<_> = state.turns.iter().collect();
            due.sort();
            turns.sort();
            prop_assert_eq!(turns, due);
            prop_assert_eq!(state.waiting as usize, ready);
            prop_assert_eq!(places, held.len() + ready + running.len());
            prop_assert!(state.tenants.values().all(|tenant| tenant.places > 0));
            prop_assert!(running.iter().filter(|job: &&Job| job.large).count() <= 1);
        }
        drop((held, submitted, running));
        prop_assert_eq!(self::places(&queue), 0);
    }
}

#[tokio::test]
async fn a_thread_without_work_is_told_once_and_takes_the_job_that_comes_then() {
    let queue = patient_queue();
    let waiting = queue.clone();
    let thread = std::thread::spawn(move || {
        let mut told = 0;
        let job = waiting.next(|| told += 1).expect("a job");
        waiting.finish(job, Duration::ZERO, Err(NotHashed::Failed));
        told
    });
    tokio::time::sleep(IDLE * 5).await;
    drop(submit(&queue, "a", work()).outcome(Instant::now() + HOUR, &Presence::always()).await);
    assert_eq!(thread.join().unwrap(), 1);
}
