//! Checkpoints and keys.

use proptest::prelude::*;
use vestibule_audit::{Checkpoint, CheckpointError, NoteError, VerifierKey};

use super::{ORIGIN, frontier, pair};

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: frontier(42).root() }
}

fn signed() -> (String, VerifierKey) {
    (checkpoint().sign(&pair(1), ORIGIN).unwrap(), VerifierKey::of(ORIGIN, &pair(1)).unwrap())
}

#[test]
fn r139_a_checkpoint_is_read_with_the_key_that_signed_it_and_with_no_other() {
    let (note, key) = signed();
    assert_eq!(Checkpoint::verify(&note, &key), Ok(checkpoint()));
    assert_eq!(Checkpoint::read_unverified(&note), Ok(checkpoint()));
    assert!(note.starts_with("id.example.com/t/acme\n42\n"), "{note}");
    let unknown = Err(CheckpointError::Note(NoteError::UnknownKey));
    assert_eq!(Checkpoint::verify(&note, &VerifierKey::of(ORIGIN, &pair(2)).unwrap()), unknown);
    assert_eq!(Checkpoint::verify(&note, &VerifierKey::of("another", &pair(1)).unwrap()), unknown);
}

#[test]
fn r139_no_byte_of_a_checkpoint_can_be_altered() {
    let (note, key) = signed();
    for at in 0..note.len() {
        for flip in [1, 2, 4, 8, 16, 32, 64] {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(other) = String::from_utf8(bytes) else { continue };
            assert!(Checkpoint::verify(&other, &key).is_err(), "byte {at}: {other}");
        }
    }
    for end in 0..note.len() {
        if let Some(part) = note.get(..end) {
            assert!(Checkpoint::verify(part, &key).is_err(), "{part}");
        }
    }
}

#[test]
fn a_witness_may_sign_it_too_and_a_false_signature_of_the_key_spoils_it() {
    let (note, key) = signed();
    let theirs = checkpoint().sign(&pair(9), "witness.example").unwrap();
    let line = theirs.lines().last().unwrap();
    for both in [format!("{note}{line}\n"), note.replacen("\n\n", &format!("\n\n{line}\n"), 1)] {
        assert_eq!(Checkpoint::verify(&both, &key), Ok(checkpoint()));
    }
    let other = Checkpoint { size: 43, ..checkpoint() }.sign(&pair(1), ORIGIN).unwrap();
    let spoiled = format!("{note}{}\n", other.lines().last().unwrap());
    assert_eq!(Checkpoint::verify(&spoiled, &key), Err(CheckpointError::Note(NoteError::Signature)));
}

#[test]
fn what_cannot_be_read_again_is_not_signed() {
    for origin in ["", "two\nlines", "a\rb", "a\u{85}b"] {
        let odd = Checkpoint { origin: origin.to_owned(), ..checkpoint() };
        assert_eq!(odd.sign(&pair(1), ORIGIN), Err(CheckpointError::Text), "{origin:?}");
    }
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
        let refused = Err(CheckpointError::Note(NoteError::KeyName));
        assert_eq!(checkpoint().sign(&pair(1), name), refused, "{name:?}");
    }
    for size in [0, u64::MAX] {
        let great = Checkpoint { size, ..checkpoint() };
        let note = great.sign(&pair(1), ORIGIN).unwrap();
        assert_eq!(Checkpoint::verify(&note, &signed().1), Ok(great));
    }
}

#[test]
fn a_size_has_one_spelling_and_a_root_32_bytes() {
    let text = checkpoint().text();
    let root = text.lines().nth(2).unwrap();
    for odd in [
        format!("{ORIGIN}\n042\n{root}\n"),
        format!("{ORIGIN}\n+42\n{root}\n"),
        format!("{ORIGIN}\n-1\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("{ORIGIN}\n42\n{}\n", &root[4..]),
        format!("{ORIGIN}\n42\n{}\n", root.trim_end_matches('=')),
        format!("{ORIGIN}\n42\n"),
        format!("{ORIGIN}\n42\n{root}\n\nmore\n"),
        format!("\n42\n{root}\n"),
    ] {
        let note = format!("{odd}\n\u{2014} a AAAAAAA=\n");
        assert!(Checkpoint::read_unverified(&note).is_err(), "{odd}");
    }
    let further = format!("{ORIGIN}\n42\n{root}\nmore\n\n\u{2014} a AAAAAAA=\n");
    assert_eq!(Checkpoint::read_unverified(&further), Ok(checkpoint()));
}

#[test]
fn a_key_is_written_as_others_write_theirs() {
    for published in [
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    ] {
        assert_eq!(published.parse::<VerifierKey>().unwrap().to_string(), published);
    }
    let good = signed().1.to_string();
    for at in 0..good.len() {
        for flip in [1, 2, 4, 8, 16] {
            let mut bytes = good.clone().into_bytes();
            bytes[at] ^= flip;
            let other = String::from_utf8(bytes).unwrap();
            assert!(other.parse::<VerifierKey>().is_err(), "byte {at}: {other}");
        }
        assert!(good[..at].parse::<VerifierKey>().is_err(), "{}", &good[..at]);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "(?s).{0,300}", lines in prop::collection::vec("[ -~—\u{0}\n]{0,40}", 0..9)) {
        let (_, key) = signed();
        for note in [text, lines.join("\n"), format!("{}\n\n\u{2014} {}\n", lines.join("\n"), lines.concat())] {
            let _ = Checkpoint::verify(&note, &key);
            let _ = Checkpoint::read_unverified(&note);
            let _ = note.parse::<VerifierKey>();
        }
    }
}
