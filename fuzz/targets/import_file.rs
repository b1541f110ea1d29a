//! Files to import, in each format: every entry is let in whole or refused with a reason, and no file panics.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use vestibule::clock::Timestamp;
use vestibule::fuzzing;
use vestibule::ids::CustomerId;
use vestibule::imports::Premises;
use vestibule::passwords::{Cost, Peppers};

static PREMISES: LazyLock<Premises> = LazyLock::new(|| Premises {
    now: Timestamp::from_millis(1_800_000_000_000),
    house: CustomerId::parse("0190a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b").expect("an id"),
    tenant_slug: "acme".to_owned(),
    tenant_name: "Acme".to_owned(),
    hash_cost: Cost::DEFAULT,
    peppers: Peppers::default(),
    password_min_length: 12,
    breached: None,
});

fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else { return };
    let name = ["users.jsonl", "users.csv", "users.json"][usize::from(kind % 3)];
    let mut last = 0;
    let read = fuzzing::import(Path::new(name), text.to_vec(), &PREMISES, &mut |line| {
        assert!(line.number > last, "entries come in their order");
        last = line.number;
        match line.read {
            Ok(arrival) => assert!(
                arrival.username.is_some() || arrival.email.is_some(),
                "nobody comes in without a name to log in with"
            ),
            Err(problems) => assert!(!problems.is_empty(), "a refusal has a reason"),
        }
    });
    if let Err(problem) = read {
        assert!(!problem.to_string().is_empty());
    }
});
