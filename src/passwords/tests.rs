//! The threads and the queue together, at costs that take microseconds.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use std::sync::Condvar;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;

pub(super) const TINY: Cost = Cost { memory_kib: 16, passes: 1, lanes: 1 };

pub(super) fn options() -> Options {
    Options {
        threads: 2,
        deadline: Duration::from_hours(1),
        cost: TINY,
        floor: Floor::TestsOnly,
        implementation: Implementation::Argon2Rust,
        peppers: Peppers::default(),
    }
}

pub(super) fn start() -> Passwords {
    Passwords::start(options()).expect("started")
}

pub(super) fn secret(password: &str) -> SecretString {
    SecretString::from(password)
}

pub(super) async fn hash(passwords: &Passwords, password: &str) -> PasswordHash {
    let ticket = passwords.ticket("t").expect("a place");
    passwords.hash(ticket, secret(password), &Presence::always()).await.expect("hashed")
}

pub(super) async fn verify(passwords: &Passwords, password: &str, stored: Option<&PasswordHash>) -> Verdict {
    let ticket = passwords.ticket("t").expect("a place");
    passwords.verify(ticket, secret(password), stored.cloned(), &Presence::always()).await.expect("a verdict")
}

/// Holds hash threads between the beginning of a job and its evaluation.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<Held>, Condvar)>);

#[derive(Default)]
struct Held {
    begun: usize,
    passes: usize,
}

impl Gate {
    pub(super) fn start(&self, options: Options) -> Passwords {
        let gate = self.clone();
        Passwords::start_observed(options, move |_| gate.hold()).expect("started")
    }

    pub(super) fn hold(&self) {
        let (held, changed) = &*self.0;
        let mut held = held.lock().expect("not poisoned");
        held.begun += 1;
        changed.notify_all();
        while held.passes == 0 {
            held = changed.wait(held).expect("not poisoned");
        }
        held.passes -= 1;
    }

    pub(super) fn wait_until_begun(&self, jobs: usize) {
        let (held, changed) = &*self.0;
        let held = held.lock().expect("not poisoned");
        let (held, waited) = changed
            .wait_timeout_while(held, Duration::from_mins(1), |held| held.begun < jobs)
            .expect("not poisoned");
        assert!(!waited.timed_out(), "{} have begun, not {jobs}", held.begun);
    }

    pub(super) fn let_pass(&self, jobs: usize) {
        let (held, changed) = &*self.0;
        held.lock().expect("not poisoned").passes += jobs;
        changed.notify_all();
    }
}

#[tokio::test]
async fn R034_a_hash_verifies_with_either_implementation_and_no_two_are_alike() {
    let ours = start();
    let theirs = Passwords::start(Options { implementation: Implementation::RustCrypto, ..options() });
    let theirs = theirs.expect("started");
    for (maker, verifier) in [(&ours, &theirs), (&theirs, &ours)] {
        let (one, two) = (hash(maker, "one password").await, hash(maker, "one password").await);
        assert_ne!(one.as_str(), two.as_str());
        for stored in [one, two] {
            assert!(stored.as_str().starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{}", stored.as_str());
            assert_eq!(stored.as_str().split('$').map(str::len).collect::<Vec<_>>(), [0, 8, 4, 12, 22, 43]);
            let parsed = PasswordHash::parse(stored.as_str()).expect("our own");
            assert_eq!(
                verify(verifier, "one password", Some(&parsed)).await,
                Verdict { matches: true, needs_rehash: false }
            );
            assert!(!verify(verifier, "another", Some(&parsed)).await.matches);
        }
    }
}

#[tokio::test]
async fn R007_a_password_is_verified_whole() {
    let passwords = start();
    let long = "x".repeat(1024);
    let emoji = "\u{1F600}".repeat(64);
    for (set, others) in [
        ("Correct Horse", &["correct horse", "Correct Horse ", " Correct Horse", "Correct Hors", ""][..]),
        ("", &[" ", "\0"]),
        ("nul\0after", &["nul", "nul\0", "nul\0other", "nul\0after\0"]),
        (&long[..73], &[&long[..72], &(long[..72].to_owned() + "y")]),
        (&long, &[&long[..1023], &(long[..1023].to_owned() + "y")]),
        (&emoji, &[&emoji[4..], &emoji.replacen('\u{1F600}', "\u{1F601}", 1)]),
        ("tab\t", &["tab", "tab "]),
    ] {
        let stored = hash(&passwords, set).await;
        assert!(verify(&passwords, set, Some(&stored)).await.matches);
        for other in others {
            assert!(!verify(&passwords, other, Some(&stored)).await.matches, "{other:?} is not {set:?}");
        }
    }
}

#[tokio::test]
async fn R007_nfc_is_the_only_transformation() {
    let passwords = start();
    let stored = hash(&passwords, "pa\u{308}sswo\u{308}rd").await;
    assert!(verify(&passwords, "pässwörd", Some(&stored)).await.matches);
    assert!(!verify(&passwords, "Pässwörd", Some(&stored)).await.matches);
    assert!(!verify(&passwords, "passwort", Some(&stored)).await.matches);
    for (from, to) in [
        ("e\u{301}", "é"),
        ("ﬁ", "ﬁ"),
        ("Ａ", "Ａ"),
        ("\u{212B}", "Å"),
        (" A ", " A "),
        ("ß", "ß"),
        ("\u{1D160}", "\u{1D158}\u{1D165}\u{1D16E}"),
    ] {
        assert_eq!(normalise(from).expose_secret(), to);
        assert_eq!(normalise(to).expose_secret(), to);
    }
    // The worst there is: each of these trebles.
    let worst = "\u{1D160}".repeat(256);
    assert_eq!(normalise(&worst).expose_secret().len(), 3 * worst.len());
    let stored = hash(&passwords, &worst).await;
    assert!(verify(&passwords, &worst, Some(&stored)).await.matches);
}

#[tokio::test]
async fn R031_a_password_of_1025_bytes_is_refused_unhashed_for_all_alike() {
    let passwords = start();
    let stored = hash(&passwords, "short").await;
    let long = "x".repeat(MAX_PASSWORD_BYTES + 1);
    let caller = Presence::always();
    for stored in [Some(stored), None] {
        let ticket = passwords.ticket("t").expect("a place");
        let refused = passwords.verify(ticket, secret(&long), stored, &caller).await;
        assert_eq!(refused, Err(NotHashed::TooLong));
    }
    let ticket = passwords.ticket("t").expect("a place");
    assert_eq!(passwords.hash(ticket, secret(&long), &caller).await, Err(NotHashed::TooLong));
    assert_eq!(passwords.evaluations(), 1);
}

#[tokio::test]
async fn R002_a_missing_user_costs_exactly_one_hash() {
    let passwords = start();
    let stored = hash(&passwords, "right").await;
    let unknown = Some(&stored).filter(|_| false);
    for (password, stored) in [
        ("right", Some(&stored)),
        ("wrong", Some(&stored)),
        ("", Some(&stored)),
        ("right", unknown),
        ("", unknown),
    ] {
        let before = passwords.evaluations();
        let verdict = verify(&passwords, password, stored).await;
        assert_eq!(verdict.matches, password == "right" && stored.is_some());
        assert_eq!(passwords.evaluations(), before + 1);
    }
}

#[tokio::test]
async fn R002_the_dummys_own_hash_never_matches() {
    let passwords = start();
    let mut engine = Engine::new(Implementation::RustCrypto, TINY).expect("a valid cost");
    let mut shared = worker::Shared {
        queue: passwords.0.shared.queue.clone(),
        foreign: passwords.0.shared.foreign.clone(),
        cost: TINY,
        peppers: Peppers::default(),
        dummy: worker::random(TINY, &Peppers::default()).expect("random"),
        evaluations: AtomicU64::new(0),
        begun: Box::new(|_| ()),
    };
    let hash = worker::hash(&mut engine, TINY, &Peppers::default(), &secret("known")).expect("hashed");
    let Scheme::Argon2id(known) = hash.scheme() else { panic!("not what new hashes are") };
    shared.dummy = known.clone();
    let of = |stored| worker::verify(&shared, &mut engine, &secret("known"), stored).expect("a verdict");
    let verdicts = [Some(&hash), None].map(of);
    assert_eq!(verdicts.map(|verdict| verdict.matches), [true, false]);
}

#[tokio::test]
async fn R035_weaker_and_other_parameters_are_rehashed_after_they_matched() {
    let passwords = start();
    for (memory_kib, passes, lanes, other) in
        [(16, 1, 1, false), (8, 1, 1, true), (32, 1, 1, true), (16, 2, 1, true), (64, 2, 4, true)]
    {
        let cost = Cost { memory_kib, passes, lanes };
        let stored = hash_blocking(&Options { cost, ..options() }, &secret("right")).expect("hashed");
        let stored = PasswordHash::parse(stored.as_str()).expect("our own");
        let right = verify(&passwords, "right", Some(&stored)).await;
        assert_eq!(right, Verdict { matches: true, needs_rehash: other }, "{cost}");
        let wrong = verify(&passwords, "wrong", Some(&stored)).await;
        assert_eq!(wrong, Verdict { matches: false, needs_rehash: false }, "{cost}");
    }
    // The reference implementation's own string: its salt of 8 bytes is too short to keep.
    let theirs = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let theirs = PasswordHash::parse(theirs).expect("well-formed");
    let cost = Cost { memory_kib: 256, passes: 2, lanes: 1 };
    let passwords = Passwords::start(Options { cost, ..options() }).expect("started");
    let verdict = verify(&passwords, "password", Some(&theirs)).await;
    assert_eq!(verdict, Verdict { matches: true, needs_rehash: true });
}

#[tokio::test]
async fn R037_a_hash_that_cannot_begin_in_time_is_not_made() {
    let gate = Gate::default();
    // So short that every deadline has passed when its job is submitted.
    let passwords = gate.start(Options { deadline: Duration::from_nanos(1), ..options() });
    let ticket = passwords.ticket("t").expect("nobody is ahead");
    let late = passwords.verify(ticket, secret("x"), None, &Presence::always()).await;
    assert_eq!(late, Err(NotHashed::DeadlinePassed));
    assert_eq!(passwords.evaluations(), 0);
}

#[tokio::test]
async fn R037_a_burst_of_many_tenants_is_hashed_once_each() {
    let passwords = start();
    let caller = Presence::always();
    let stored = hash(&passwords, "right").await;
    let large =
        hash_blocking(&Options { cost: Cost { memory_kib: 64, ..TINY }, ..options() }, &secret("right"));
    let large = large.expect("hashed");
    let before = passwords.evaluations();
    let logins = (0..600_u64).map(|login| {
        let ticket = passwords.ticket(&format!("tenant {}", login % 7)).expect("a place");
        let stored = [Some(&stored), Some(&large), None][usize::try_from(login % 3).expect("small")].cloned();
        let password = ["right", "wrong"][usize::try_from(login % 2).expect("small")];
        passwords.verify(ticket, secret(password), stored, &caller)
    });
    let verdicts = join_all(logins).await;
    for (login, verdict) in verdicts.into_iter().enumerate() {
        let right = login % 2 == 0 && login % 3 != 2;
        assert_eq!(verdict, Ok(Verdict { matches: right, needs_rehash: right && login % 3 == 1 }), "{login}");
    }
    assert_eq!(passwords.evaluations(), before + 600);
}

#[tokio::test]
async fn a_panic_in_a_hash_fails_that_job_and_the_thread_goes_on() {
    let panics = AtomicU64::new(2);
    let observed = move |_: &Job| {
        let left = panics.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "as the test wants");
    };
    let passwords =
        Passwords::start_observed(Options { threads: 1, ..options() }, observed).expect("started");
    for _ in 0..2 {
        let ticket = passwords.ticket("t").expect("a place");
        let failed = passwords.hash(ticket, secret("x"), &Presence::always()).await;
        assert_eq!(failed, Err(NotHashed::Panicked));
    }
    let stored = hash(&passwords, "x").await;
    assert!(verify(&passwords, "x", Some(&stored)).await.matches);
    passwords.close().await;
}

#[tokio::test]
async fn closing_refuses_what_waits_completes_what_runs_and_ends_the_threads() {
    let gate = Gate::default();
    let passwords = gate.start(Options { threads: 1, ..options() });
    let caller = Presence::always();
    let [mut running, mut waiting] = ["first", "second"].map(|password| {
        let ticket = passwords.ticket("t").expect("a place");
        Box::pin(passwords.hash(ticket, secret(password), &caller))
    });
    assert!((&mut running).now_or_never().is_none());
    gate.wait_until_begun(1);
    assert!((&mut waiting).now_or_never().is_none());
    let ticket = passwords.ticket("t").expect("a place");

    let mut closing = Box::pin(passwords.close());
    assert!((&mut closing).now_or_never().is_none());
    assert_eq!(waiting.await, Err(NotHashed::ShuttingDown));
    assert_eq!(passwords.hash(ticket, secret("third"), &caller).await, Err(NotHashed::ShuttingDown));
    assert!(passwords.ticket("t").is_err());
    gate.let_pass(1);
    assert!(running.await.is_ok());
    closing.await;
    passwords.close().await;
    assert_eq!(passwords.evaluations(), 1);
}

#[test]
fn R034_a_weak_or_boundless_cost_does_not_start() {
    let weak = Options { floor: Floor::Owasp, ..options() };
    assert!(Passwords::start(weak.clone()).is_err());
    assert!(hash_blocking(&weak, &secret("x")).is_err());
    let boundless = Cost { memory_kib: 65_537, passes: 1, lanes: 1 };
    assert!(Passwords::start(Options { cost: boundless, ..options() }).is_err());
    assert!(Passwords::start(Options { threads: 0, ..options() }).is_err());
    assert!(Passwords::start(Options { deadline: Duration::ZERO, ..options() }).is_err());
    assert_eq!(Options::default().cost, Cost::DEFAULT);
}

#[test]
fn R034_a_command_hashes_at_the_default_cost() {
    let stored = hash_blocking(&Options::default(), &secret("x")).expect("hashed");
    assert!(stored.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(hash_blocking(&Options::default(), &secret(&"x".repeat(1025))).is_err());
}

#[test]
fn R014_only_two_files_call_the_hash_crates() {
    const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    fn callers(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                callers(&path, found);
            } else {
                let source = std::fs::read_to_string(&path).expect("UTF-8");
                let crates = ["argon2_rust", "argon2", "bcrypt", "scrypt", "pbkdf2"];
                if crates.iter().any(|name| source.contains(&format!("{name}::"))) {
                    found.push(path.strip_prefix(SOURCES).expect("below it").to_string_lossy().into_owned());
                }
            }
        }
    }
    let mut found = Vec::new();
    callers(std::path::Path::new(SOURCES), &mut found);
    found.sort();
    assert_eq!(found, ["passwords/argon2id.rs", "passwords/foreign/mod.rs"]);
}

#[test]
fn R038_the_futures_can_be_spawned() {
    fn is_spawnable(_: &(impl Future + Send)) {}
    let passwords = start();
    let caller = Presence::always();
    is_spawnable(&passwords.verify(passwords.ticket("t").expect("a place"), secret("x"), None, &caller));
    is_spawnable(&passwords.hash(passwords.ticket("t").expect("a place"), secret("x"), &caller));
    is_spawnable(&passwords.close());
}
