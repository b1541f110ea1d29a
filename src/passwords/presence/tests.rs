//! Who is there, and what becomes of the hash of whoever leaves.
#![expect(non_snake_case, reason = "test names carry requirement ids")]

use futures_util::FutureExt;

use crate::passwords::tests::{Gate, options, secret, verify};
use crate::passwords::*;

#[test]
fn a_client_is_there_until_its_guard_is_dropped() {
    let (presence, guard) = Presence::new();
    let copy = presence.clone();
    assert!(!presence.is_gone());
    assert!(presence.gone().now_or_never().is_none());
    drop(guard);
    assert!(presence.is_gone() && copy.is_gone());
    assert!(presence.gone().now_or_never().is_some());
    assert!(!Presence::always().is_gone());
    assert!(Presence::always().gone().now_or_never().is_none());
}

#[tokio::test]
async fn R037_a_client_gone_before_its_hash_began_costs_none() {
    let gate = Gate::default();
    let passwords = gate.start(Options { threads: 1, ..options() });
    let caller = Presence::always();
    let ticket = passwords.ticket("t").expect("a place");
    let mut running = Box::pin(passwords.hash(ticket, secret("first"), &caller));
    assert!((&mut running).now_or_never().is_none());
    gate.wait_until_begun(1);

    let (gone, guard) = Presence::new();
    let ticket = passwords.ticket("t").expect("a place");
    let mut abandoned = Box::pin(passwords.verify(ticket, secret("second"), None, &gone));
    assert!((&mut abandoned).now_or_never().is_none());
    drop(guard);
    assert_eq!(abandoned.await, Err(NotHashed::Abandoned));

    let ticket = passwords.ticket("t").expect("a place");
    let mut dropped = Box::pin(passwords.verify(ticket, secret("third"), None, &caller));
    assert!((&mut dropped).now_or_never().is_none());
    drop(dropped);

    gate.let_pass(usize::MAX);
    assert!(running.await.is_ok());
    verify(&passwords, "fourth", None).await;
    assert_eq!(passwords.evaluations(), 2);
}

#[tokio::test]
async fn R037_a_client_gone_after_its_hash_began_gets_it_completed() {
    let gate = Gate::default();
    let passwords = gate.start(Options { threads: 1, ..options() });
    let (gone, guard) = Presence::new();
    let ticket = passwords.ticket("t").expect("a place");
    let mut running = Box::pin(passwords.verify(ticket, secret("x"), None, &gone));
    assert!((&mut running).now_or_never().is_none());
    gate.wait_until_begun(1);
    drop(guard);
    assert!((&mut running).now_or_never().is_none());
    gate.let_pass(1);
    assert_eq!(running.await, Ok(Verdict { matches: false, needs_rehash: false }));
    assert_eq!(passwords.evaluations(), 1);
}
