//! Hashes that were imported: their queue, their thread, their floor.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use futures_util::FutureExt;

use crate::passwords::tests::{Gate, options, secret, start, verify};
use crate::passwords::*;

/// "password", by RFC 6070's vector.
const FOREIGN: &str = "$pbkdf2-sha1$i=4096,l=20$c2FsdA$SwB5AbdlSJq+rUnZJvch0GWkKcE";

fn foreign() -> PasswordHash {
    PasswordHash::parse(FOREIGN).expect("well-formed")
}

#[tokio::test]
async fn R035_every_foreign_hash_is_replaced_after_it_matched() {
    for implementation in [Implementation::Argon2Rust, Implementation::RustCrypto] {
        let passwords = Passwords::start(Options { implementation, ..options() }).expect("started");
        for text in [
            FOREIGN,
            "$2b$04$qlpVrHYdwWUo9pf/JSfD0uIbMCYdD0SL1sThXaOz495Z.GrJ1qK7q",
            "$django-bcrypt-sha256$2b$04$qSOMC0JmvDGhN4pe4pvGZe43ogbAVrLwP7PjIPppepyJ7ewO/Fjo2",
            "$scrypt$ln=4,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5gzj9G0nR7qKsgNcPg4Yas0xwhUoZTaHQhxQ6yZLRRA",
            "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21l$t89crdiTALyrW2IEd2dGnncVj4dYlBG2YwVSrD//Sas",
            "$argon2d$v=16$m=64,t=2,p=1$c29tZXNhbHRzb21l$EmEtyhzLJkPVhtdLvQiBLe56WtrAh9Z8ftsQ/1Iv9/E",
        ] {
            let stored = PasswordHash::parse(text).expect("well-formed");
            let before = passwords.evaluations();
            let password = if text == FOREIGN { "password" } else { "SecurePass123!" };
            let right = verify(&passwords, password, Some(&stored)).await;
            assert_eq!(right, Verdict { matches: true, needs_rehash: true }, "{text}");
            let wrong = verify(&passwords, "wrong", Some(&stored)).await;
            assert_eq!(wrong, Verdict { matches: false, needs_rehash: false }, "{text}");
            assert_eq!(passwords.evaluations(), before + 2, "R002");
        }
        passwords.close().await;
    }
}

#[tokio::test]
async fn R037_foreign_hashes_have_one_thread_that_is_nobody_elses() {
    let gate = Gate::default();
    let passwords = gate.start(Options { threads: 1, ..options() });
    let caller = Presence::always();
    let verify = |stored: Option<PasswordHash>| {
        let ticket = passwords.ticket_for("t", stored.as_ref()).expect("a place");
        let verdict = passwords.verify(ticket, secret("password"), stored, &caller);
        let mut verdict = Box::pin(verdict);
        assert!((&mut verdict).now_or_never().is_none());
        verdict
    };
    // One of each begins, whichever came first; the second foreign one waits.
    let foreign_ones = [verify(Some(foreign())), verify(Some(foreign()))];
    gate.wait_until_begun(1);
    let own = verify(None);
    gate.wait_until_begun(2);
    assert_eq!(passwords.evaluations(), 2);
    assert!(passwords.0.shared.foreign.is_waited_for() && !passwords.0.shared.queue.is_waited_for());
    gate.let_pass(usize::MAX);
    assert!(!own.await.expect("a verdict").matches);
    for verdict in foreign_ones {
        assert!(verdict.await.expect("a verdict").matches);
    }
    assert_eq!(passwords.evaluations(), 3);
}

#[tokio::test]
async fn R037_a_flood_of_foreign_hashes_is_refused_and_takes_no_place_of_others() {
    let gate = Gate::default();
    let passwords = gate.start(Options { deadline: Duration::from_secs(1), ..options() });
    let stored = foreign();
    let flood: Vec<_> =
        std::iter::from_fn(|| passwords.ticket_for("t", Some(&stored)).ok()).take(1000).collect();
    assert_eq!(flood.len(), 4, "what begins in time, as far as is known");
    let refused = passwords.ticket_for("t", Some(&stored)).expect_err("full");
    assert_eq!(refused.retry_after, Duration::from_secs(2));
    assert!(passwords.ticket_for("u", Some(&stored)).is_ok(), "fair between tenants");
    assert!(passwords.ticket("t").is_ok() && passwords.ticket_for("t", None).is_ok());

    // One that would be moved there is refused too, and gives its place back.
    let ticket = passwords.ticket("t").expect("a place");
    let caller = Presence::always();
    let late = passwords.verify(ticket, secret("x"), Some(stored), &caller).now_or_never();
    assert_eq!(late, Some(Err(NotHashed::DeadlinePassed)));
    assert_eq!(passwords.evaluations(), 0);
}

#[tokio::test]
async fn R037_a_ticket_of_the_other_queue_is_exchanged() {
    let passwords = start();
    let caller = Presence::always();
    let stored = foreign();
    let ticket = passwords.ticket("t").expect("a place");
    let verdict = passwords.verify(ticket, secret("password"), Some(stored.clone()), &caller).await;
    assert!(verdict.expect("a verdict").matches);
    // Whoever is locked is compared with nobody's hash, on a hash thread.
    let ticket = passwords.ticket_for("t", Some(&stored)).expect("a place");
    let verdict = passwords.verify(ticket, secret("password"), None, &caller).await;
    assert!(!verdict.expect("a verdict").matches);
    let ticket = passwords.ticket_for("t", Some(&stored)).expect("a place");
    let hash = passwords.hash(ticket, secret("password"), &caller).await.expect("hashed");
    assert!(!hash.is_imported());
    assert_eq!(passwords.evaluations(), 3);
}

#[tokio::test]
async fn R037_a_client_gone_before_its_foreign_hash_began_costs_none() {
    let gate = Gate::default();
    let passwords = gate.start(options());
    let caller = Presence::always();
    let ticket = passwords.ticket_for("t", Some(&foreign())).expect("a place");
    let mut running = Box::pin(passwords.verify(ticket, secret("x"), Some(foreign()), &caller));
    assert!((&mut running).now_or_never().is_none());
    gate.wait_until_begun(1);
    let (gone, guard) = Presence::new();
    let ticket = passwords.ticket_for("t", Some(&foreign())).expect("a place");
    let mut abandoned = Box::pin(passwords.verify(ticket, secret("x"), Some(foreign()), &gone));
    assert!((&mut abandoned).now_or_never().is_none());
    drop(guard);
    assert_eq!(abandoned.await, Err(NotHashed::Abandoned));
    let mut closing = Box::pin(passwords.close());
    assert!((&mut closing).now_or_never().is_none());
    assert!(passwords.ticket_for("t", Some(&foreign())).is_err());
    gate.let_pass(usize::MAX);
    assert!(running.await.is_ok());
    closing.await;
    assert_eq!(passwords.evaluations(), 1);
}

#[tokio::test]
async fn R037_the_thread_for_foreign_hashes_rests_while_others_wait() {
    let gate = Gate::default();
    let passwords = gate.start(Options { threads: 1, ..options() });
    let caller = Presence::always();
    let queue = &passwords.0.shared.queue;
    let (short, long) = (Duration::from_millis(60), Duration::from_secs(2));
    assert_eq!(worker::rest(queue, short), Duration::ZERO);
    let mut all = Vec::new();
    for number in 0..2 {
        let ticket = passwords.ticket("t").expect("a place");
        all.push(Box::pin(passwords.hash(ticket, secret("x"), &caller)));
        assert!(all.last_mut().expect("one").now_or_never().is_none());
        if number == 0 {
            gate.wait_until_begun(1);
            assert_eq!(worker::rest(queue, short), Duration::ZERO, "what runs does not wait");
        }
    }
    assert_eq!(worker::rest(queue, short), short);
    assert_eq!(worker::rest(queue, long), Duration::from_millis(250));
    gate.let_pass(usize::MAX);
    for hash in all {
        assert!(hash.await.is_ok());
    }
}

#[test]
fn R004_the_floor_is_more_than_the_hash_takes_and_is_measured_once() {
    let ours = hash_blocking(&options(), &secret("x")).expect("hashed");
    let now = options().cost;
    assert_eq!(floor_for(&ours, now).expect("measured"), Duration::ZERO);
    // One of ours at another cost stands out like any other.
    let then = floor_for(&ours, Cost { passes: now.passes + 1, ..now }).expect("measured");
    assert!(then > Duration::from_millis(100));
    let slow = PasswordHash::parse(&FOREIGN.replace("4096", "400000")).expect("well-formed");
    let started = Instant::now();
    let floor = floor_for(&slow, now).expect("measured");
    let took = started.elapsed();
    assert!(floor > Duration::from_millis(100) && floor < Duration::from_millis(100) + 3 * took);
    let other = PasswordHash::parse(&slow.as_str().replace("c2FsdA", "b3RoZXI")).expect("well-formed");
    assert_eq!(floor_for(&other, now).expect("measured"), floor);
    let quick = floor_for(&foreign(), now).expect("measured");
    assert!(Duration::from_millis(100) < quick && quick < floor);
}
