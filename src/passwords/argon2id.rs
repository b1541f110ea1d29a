//! Argon2 by either of two crates, in memory that stays. No other module may call them (R014).

use secrecy::zeroize::Zeroize;
use serde::{Deserialize, Serialize};

use super::cost::Cost;

/// Which crate computes the hashes. Their results are the same; docs/decisions/0001 says why two.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Implementation {
    /// The `argon2-rust` crate: faster, young.
    #[default]
    Argon2Rust,
    /// `RustCrypto`'s `argon2` crate: slower, widely used.
    RustCrypto,
}

/// Which Argon2: ours is Argon2id of version 19, the others come from elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Variant {
    pub(super) kind: Kind,
    pub(super) version: Version,
}

impl Variant {
    /// What new hashes are.
    pub(super) const ARGON2ID: Self = Self { kind: Kind::Id, version: Version::V19 };
}

/// In which order the memory is read (RFC 9106 §3.1: `y`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    D,
    I,
    Id,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::D => "argon2d",
            Self::I => "argon2i",
            Self::Id => "argon2id",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::D, Self::I, Self::Id].into_iter().find(|kind| kind.name() == name)
    }
}

/// Which version: 16 is 1.0, before the RFC; 19 is 1.3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    V16,
    V19,
}

/// The evaluation broke off without a result: no memory, or a fault in the crate.
#[derive(Debug, thiserror::Error)]
#[error("Argon2 failed: {0}")]
pub(super) struct Broken(String);

/// What goes into one tag. The key and the associated data are of the RFC's test vector only.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) variant: Variant,
    pub(super) cost: Cost,
    pub(super) password: &'a [u8],
    pub(super) salt: &'a [u8],
    pub(super) key: &'a [u8],
    pub(super) data: &'a [u8],
}

/// One hash thread's Argon2 and its memory.
///
/// The memory is enough for hashes of one cost and is wiped after each: its first blocks are
/// `BLAKE2b` of the password, so whoever read them could guess without paying for Argon2. A hash that
/// needs less uses a part of it. One that needs more gets memory for itself, at most 64 MiB, freed
/// with it; the queue lets only one such hash run at a time.
pub(super) struct Engine {
    implementation: Implementation,
    own: Cost,
    memory: Memory,
}

enum Memory {
    Argon2Rust(argon2_rust::Hasher),
    RustCrypto(Vec<argon2::Block>),
}

impl Engine {
    /// An engine whose memory is not there yet.
    pub(super) fn new(implementation: Implementation, own: Cost) -> Result<Self, Broken> {
        let memory = match implementation {
            Implementation::Argon2Rust => {
                let context = argon2_rust_context(Variant::ARGON2ID, own, super::schemes::TAG_BYTES)?;
                Memory::Argon2Rust(context.hasher())
            }
            Implementation::RustCrypto => Memory::RustCrypto(Vec::new()),
        };
        Ok(Self { implementation, own, memory })
    }

    /// Takes the memory now, so that too little of it is found out at start.
    pub(super) fn reserve(&mut self) -> Result<(), Broken> {
        match &mut self.memory {
            Memory::Argon2Rust(hasher) => hasher.reserve().map_err(broken),
            Memory::RustCrypto(blocks) => grow(blocks, self.own),
        }
    }

    /// Forgets memory of which an unwound evaluation may have left anything.
    pub(super) fn replace_memory(&mut self) -> Result<(), Broken> {
        *self = Self::new(self.implementation, self.own)?;
        Ok(())
    }

    /// Gives the memory back to the system, and where that touches none of it takes as much again, to be there when it is
    /// needed.
    pub(super) fn forget_memory(&mut self) -> Result<(), Broken> {
        self.replace_memory()?;
        match &mut self.memory {
            Memory::Argon2Rust(_) => self.reserve(),
            // What it reserves it also writes to.
            Memory::RustCrypto(_) => Ok(()),
        }
    }

    /// Computes the tag, of the length of `tag`.
    pub(super) fn tag(&mut self, inputs: Inputs<'_>, tag: &mut [u8]) -> Result<(), Broken> {
        let fits = inputs.cost.memory_kib <= self.own.memory_kib;
        let Inputs { variant, cost, password, salt, key, data } = inputs;
        match &mut self.memory {
            Memory::Argon2Rust(hasher) => {
                let context = argon2_rust_context(variant, cost, tag.len())?;
                if fits {
                    hasher.set_argon2(context);
                    hasher.hash_into_with_ad(password, salt, key, data, tag).map_err(broken)
                } else {
                    context.hash_into_with_ad(password, salt, key, data, tag).map_err(broken)
                }
            }
            Memory::RustCrypto(blocks) if fits => {
                grow(blocks, self.own)?;
                rust_crypto_tag(inputs, blocks, tag)
            }
            Memory::RustCrypto(_) => {
                let mut blocks = Vec::new();
                grow(&mut blocks, cost)?;
                rust_crypto_tag(inputs, &mut blocks, tag)
            }
        }
    }
}

fn argon2_rust_context(
    variant: Variant,
    cost: Cost,
    tag_bytes: usize,
) -> Result<argon2_rust::Argon2, Broken> {
    use argon2_rust::params::{Memory, TagLen};
    let params = argon2_rust::Params::builder()
        .memory(Memory::kib(u64::from(cost.memory_kib)))
        .passes(cost.passes)
        .lanes(cost.lanes)
        // The lanes of a hash are computed by the thread that took it: there are as many as cores.
        .threads(1)
        .tag_len(TagLen::bytes(tag_bytes as u64))
        .build()
        .map_err(broken)?;
    let algorithm = match variant.kind {
        Kind::D => argon2_rust::Algorithm::Argon2d,
        Kind::I => argon2_rust::Algorithm::Argon2i,
        Kind::Id => argon2_rust::Algorithm::Argon2id,
    };
    let version = match variant.version {
        Version::V16 => argon2_rust::Version::V0x10,
        Version::V19 => argon2_rust::Version::V0x13,
    };
    Ok(argon2_rust::Argon2::new(algorithm, version, params))
}

fn rust_crypto_tag(inputs: Inputs<'_>, blocks: &mut [argon2::Block], tag: &mut [u8]) -> Result<(), Broken> {
    let Inputs { variant, cost, password, salt, key, data } = inputs;
    let params = argon2::ParamsBuilder::new()
        .m_cost(cost.memory_kib)
        .t_cost(cost.passes)
        .p_cost(cost.lanes)
        .output_len(tag.len())
        .data(argon2::AssociatedData::new(data).map_err(broken)?)
        .build()
        .map_err(broken)?;
    let used = params.block_count();
    let algorithm = match variant.kind {
        Kind::D => argon2::Algorithm::Argon2d,
        Kind::I => argon2::Algorithm::Argon2i,
        Kind::Id => argon2::Algorithm::Argon2id,
    };
    let version = match variant.version {
        Version::V16 => argon2::Version::V0x10,
        Version::V19 => argon2::Version::V0x13,
    };
    let context = argon2::Argon2::new_with_secret(key, algorithm, version, params).map_err(broken)?;
    let done = context.hash_password_into_with_memory(password, salt, tag, &mut *blocks);
    for block in blocks.iter_mut().take(used) {
        block.as_mut().zeroize();
    }
    done.map_err(broken)
}

/// Makes room for a hash of this cost; no memory is an error, not the end of the process.
fn grow(blocks: &mut Vec<argon2::Block>, cost: Cost) -> Result<(), Broken> {
    let wanted = usize::try_from(cost.memory_kib).map_err(broken)?;
    blocks.try_reserve_exact(wanted.saturating_sub(blocks.len())).map_err(broken)?;
    if blocks.len() < wanted {
        blocks.resize(wanted, argon2::Block::new());
    }
    Ok(())
}

fn broken(error: impl std::fmt::Display) -> Broken {
    Broken(error.to_string())
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn R034_both_implementations_agree_on_any_input(
            lanes in 1_u32..=4, memory in 0_u32..=96, passes in 1_u32..=4,
            password in proptest::collection::vec(any::<u8>(), 0..200),
            salt in proptest::collection::vec(any::<u8>(), 8..=64),
            tag_bytes in 16_usize..=64,
            kind in proptest::sample::select(vec![Kind::D, Kind::I, Kind::Id]),
            version in proptest::sample::select(vec![Version::V16, Version::V19]),
        ) {
            let variant = Variant { kind, version };
            let cost = Cost { memory_kib: 8 * lanes + memory, passes, lanes };
            let inputs = Inputs { variant, cost, password: &password, salt: &salt, key: &[], data: &[] };
            let mut tags = Vec::new();
            for implementation in [Implementation::Argon2Rust, Implementation::RustCrypto] {
                // Hashes that need less than the engine's own memory, as much, and more.
                for own_kib in [8, cost.memory_kib, 200] {
                    let own = Cost { memory_kib: own_kib, passes: 1, lanes: 1 };
                    let mut engine = Engine::new(implementation, own).expect("a valid cost");
                    let mut tag = vec![0; tag_bytes];
                    for _ in 0..2 {
                        engine.tag(inputs, &mut tag).expect("a tag");
                        tags.push(tag.clone());
                    }
                }
            }
            prop_assert!(tags.iter().all(|tag| *tag == tags[0]));
        }
    }

    #[test]
    fn R037_memory_is_wiped_and_does_not_grow_with_a_larger_hash() {
        let own = Cost { memory_kib: 16, passes: 1, lanes: 1 };
        let large = Cost { memory_kib: 64, ..own };
        for implementation in [Implementation::Argon2Rust, Implementation::RustCrypto] {
            let mut engine = Engine::new(implementation, own).expect("a valid cost");
            engine.reserve().expect("16 KiB");
            for cost in [own, large, own] {
                let variant = Variant::ARGON2ID;
                let inputs =
                    Inputs { variant, cost, password: b"secret", salt: b"somesalt", key: &[], data: &[] };
                engine.tag(inputs, &mut [0; 32]).expect("a tag");
                match &engine.memory {
                    Memory::Argon2Rust(hasher) => assert_eq!(hasher.reserved_blocks(), 16),
                    Memory::RustCrypto(blocks) => {
                        assert_eq!(blocks.len(), 16);
                        assert!(blocks.iter().all(|block| block.as_ref().iter().all(|&word| word == 0)));
                    }
                }
            }
        }
    }
}
