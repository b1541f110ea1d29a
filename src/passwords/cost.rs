//! What a hash may cost: Argon2id's parameters, their floor and their caps.

use serde::{Deserialize, Serialize};

/// The most memory a hash may ask for, stored or configured: 64 MiB.
pub const MAX_MEMORY_KIB: u32 = 65_536;
/// The most passes a hash may ask for.
pub const MAX_PASSES: u32 = 10;
/// The most lanes a hash may ask for.
pub const MAX_LANES: u32 = 4;

/// Memory in KiB and passes of the sets the OWASP Password Storage Cheat Sheet holds to be equal.
const OWASP_SETS: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// What one Argon2id hash costs (RFC 9106 §3.1: `m`, `t`, `p`).
///
/// More than one lane buys nothing here: a hash thread computes them one after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// The OWASP default: 19 MiB, two passes.
    pub const DEFAULT: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// The throughput profile: 7 MiB stay in the processor's cache, and OWASP holds the five passes
    /// to be worth the memory. Twice the logins of the default on the machine we measured.
    pub const THROUGHPUT: Self = Self { memory_kib: 7_168, passes: 5, lanes: 1 };

    /// Whether Argon2 can compute it and we are willing to.
    #[must_use]
    pub const fn is_within_caps(self) -> bool {
        1 <= self.passes
            && self.passes <= MAX_PASSES
            && 1 <= self.lanes
            && self.lanes <= MAX_LANES
            && 8 * self.lanes <= self.memory_kib
            && self.memory_kib <= MAX_MEMORY_KIB
    }

    /// Whether it is at least one of the equal sets of the OWASP cheat sheet (R034).
    #[must_use]
    pub fn meets_owasp(self) -> bool {
        OWASP_SETS.iter().any(|&(memory_kib, passes)| memory_kib <= self.memory_kib && passes <= self.passes)
    }

    /// Whether new hashes may be made at it.
    pub(super) fn check(self, floor: Floor) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.is_within_caps(),
            "a password hash of {self} is out of bounds: at most m={MAX_MEMORY_KIB} KiB, t={MAX_PASSES}, \
             p={MAX_LANES}, and at least 8 KiB for each lane"
        );
        anyhow::ensure!(
            floor == Floor::TestsOnly || self.meets_owasp(),
            "a password hash of {self} is too weak: use {} or {}, or more (OWASP Password Storage Cheat Sheet)",
            Self::DEFAULT,
            Self::THROUGHPUT
        );
        Ok(())
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "m={},t={},p={}", self.memory_kib, self.passes, self.lanes)
    }
}

/// The least that new hashes may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Floor {
    /// One of the OWASP sets.
    #[default]
    Owasp,
    /// Whatever Argon2 can compute. For tests, which hash thousands of times; no setting leads here.
    TestsOnly,
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use std::time::{Duration, Instant};

    use secrecy::SecretString;

    use super::super::{Options, hash_blocking};
    use super::*;

    #[test]
    fn R034_every_owasp_set_is_allowed_and_anything_less_is_not() {
        for (memory_kib, passes) in OWASP_SETS {
            assert!(Cost { memory_kib, passes, lanes: 1 }.check(Floor::Owasp).is_ok());
            assert!(Cost { memory_kib: memory_kib - 1, passes, lanes: 1 }.check(Floor::Owasp).is_err());
        }
        assert!(Cost::DEFAULT.check(Floor::Owasp).is_ok());
        assert!(Cost::THROUGHPUT.check(Floor::Owasp).is_ok());
        assert!(Cost { memory_kib: 65_536, passes: 10, lanes: 4 }.check(Floor::Owasp).is_ok());
        assert!(Cost { memory_kib: 8, passes: 1, lanes: 1 }.check(Floor::Owasp).is_err());
    }

    #[test]
    fn R040_one_hash_takes_less_than_a_second_and_nobody_waits_longer_than_that_for_its_beginning() {
        for cost in [Cost::DEFAULT, Cost::THROUGHPUT] {
            let options = Options { cost, ..Options::default() };
            assert_eq!(options.deadline, Duration::from_secs(1));
            let took = || {
                let started = Instant::now();
                hash_blocking(&options, &SecretString::from("measured")).expect("hashed");
                started.elapsed()
            };
            // The machine may be busy with something else for a while.
            let least = [took(), took(), took()].into_iter().min().expect("three");
            assert!(least < Duration::from_secs(1), "{cost}: {least:?}");
        }
    }

    #[test]
    fn R036_a_cost_beyond_the_caps_is_refused_even_without_a_floor() {
        for (memory_kib, passes, lanes) in [
            (65_537, 1, 1),
            (u32::MAX, 1, 1),
            (64, 0, 1),
            (64, 11, 1),
            (64, 1, 0),
            (64, 1, 5),
            (64, 1, u32::MAX),
            (7, 1, 1),
            (31, 1, 4),
        ] {
            let cost = Cost { memory_kib, passes, lanes };
            assert!(!cost.is_within_caps(), "{cost}");
            assert!(cost.check(Floor::TestsOnly).is_err(), "{cost}");
        }
        assert!(Cost { memory_kib: 8, passes: 1, lanes: 1 }.check(Floor::TestsOnly).is_ok());
    }
}
