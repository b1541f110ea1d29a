//! The proof, at every start, that this machine computes Argon2id right. A wrong answer would store
//! hashes that no other build can verify, or let in a password that is not the user's.

use super::argon2id::{Broken, Engine, Implementation, Inputs, Variant};
use super::cost::Cost;

struct Case {
    source: &'static str,
    inputs: Inputs<'static>,
    tag: [u8; 32],
}

const CASES: [Case; 3] = [
    Case {
        source: "RFC 9106 §5.3",
        inputs: Inputs {
            variant: Variant::ARGON2ID,
            cost: Cost { memory_kib: 32, passes: 3, lanes: 4 },
            password: &[1; 32],
            salt: &[2; 16],
            key: &[3; 8],
            data: &[4; 12],
        },
        tag: [
            0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c, 0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9,
            0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e, 0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59,
        ],
    },
    // The reference implementation's test.c: 256 KiB are more than one segment's addresses.
    Case {
        source: "phc-winner-argon2, m=256,t=2,p=1",
        inputs: Inputs {
            variant: Variant::ARGON2ID,
            cost: Cost { memory_kib: 256, passes: 2, lanes: 1 },
            password: b"password",
            salt: b"somesalt",
            key: &[],
            data: &[],
        },
        tag: [
            0x9d, 0xfe, 0xb9, 0x10, 0xe8, 0x0b, 0xad, 0x03, 0x11, 0xfe, 0xe2, 0x0f, 0x9c, 0x0e, 0x2b, 0x12,
            0xc1, 0x79, 0x87, 0xb4, 0xca, 0xc9, 0x0c, 0x2e, 0xf5, 0x4d, 0x5b, 0x30, 0x21, 0xc6, 0x8b, 0xfe,
        ],
    },
    Case {
        source: "phc-winner-argon2, m=256,t=2,p=2",
        inputs: Inputs {
            variant: Variant::ARGON2ID,
            cost: Cost { memory_kib: 256, passes: 2, lanes: 2 },
            password: b"password",
            salt: b"somesalt",
            key: &[],
            data: &[],
        },
        tag: [
            0x6d, 0x09, 0x3c, 0x50, 0x1f, 0xd5, 0x99, 0x96, 0x45, 0xe0, 0xea, 0x3b, 0xf6, 0x20, 0xd7, 0xb8,
            0xbe, 0x7f, 0xd2, 0xdb, 0x59, 0xc2, 0x0d, 0x9f, 0xff, 0x95, 0x39, 0xda, 0x2b, 0xf5, 0x70, 0x37,
        ],
    },
];

/// Refuses to go on when the implementation does not give the published tags, or, for the younger
/// crate, when the older one gives another tag at the configured cost (its large memory is mapped,
/// and its code chosen, in ways that small vectors do not reach).
///
/// The younger crate's tag is computed by `engine`, whose memory it touches for the first time.
pub(super) fn run(implementation: Implementation, cost: Cost, engine: &mut Engine) -> anyhow::Result<()> {
    published(|inputs, tag| Engine::new(implementation, inputs.cost)?.tag(inputs, tag))?;
    if implementation == Implementation::Argon2Rust {
        let inputs = Inputs {
            variant: Variant::ARGON2ID,
            cost,
            password: "pässwörd".as_bytes(),
            salt: b"sixteen bytes of",
            key: &[],
            data: &[],
        };
        let (mut ours, mut theirs) = ([0; 32], [0; 32]);
        // Beside each other, for somebody waits for the start.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("self-test".to_owned());
            let other = thread.spawn_scoped(scope, || {
                Engine::new(Implementation::RustCrypto, cost)?.tag(inputs, &mut theirs)
            })?;
            engine.tag(inputs, &mut ours)?;
            other
                .join()
                .map_err(|_panic| anyhow::anyhow!("RustCrypto's Argon2 panicked"))?
                .map_err(anyhow::Error::from)
        })?;
        anyhow::ensure!(
            ours == theirs,
            "the two Argon2id implementations disagree at {cost}: set the other one and report this machine"
        );
    }
    Ok(())
}

fn published(mut evaluate: impl FnMut(Inputs<'_>, &mut [u8]) -> Result<(), Broken>) -> anyhow::Result<()> {
    for case in &CASES {
        let mut tag = [0; 32];
        evaluate(case.inputs, &mut tag)?;
        anyhow::ensure!(tag == case.tag, "Argon2id gives a wrong tag for {}", case.source);
    }
    Ok(())
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R034_both_implementations_give_the_published_tags() {
        for implementation in [Implementation::Argon2Rust, Implementation::RustCrypto] {
            let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
            let mut engine = Engine::new(implementation, cost).expect("an engine");
            run(implementation, cost, &mut engine).expect("the published tags");
        }
    }

    #[test]
    fn R034_a_wrong_tag_is_found_out() {
        for (wrong, wrong_case) in CASES.iter().enumerate() {
            let mut case = 0;
            let found = published(|inputs, tag| {
                Engine::new(Implementation::RustCrypto, inputs.cost)?.tag(inputs, tag)?;
                if case == wrong {
                    tag[31] ^= 1;
                }
                case += 1;
                Ok(())
            });
            let error = found.expect_err("one bit is wrong");
            assert!(error.to_string().contains(wrong_case.source), "{error}");
        }
    }
}
