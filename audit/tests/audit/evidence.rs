//! Evidence, and what becomes of it when it is altered.

use proptest::prelude::*;
use serde_json::{Value, json};
use vestibule_audit::{
    Checkpoint, Digest, Evidence, EvidenceError, ProvenEvent, VerifierKey, event_leaf, inclusion_proof,
    nodes_for_inclusion, personal_digest, tiles_of,
};

use super::events::event;
use super::{ORIGIN, Stored, pair};

const PERSONAL: &str = "{\"clientIp\":\"203.0.113.7\"}";
const SALT: &[u8] = b"0123456789abcdef";

/// Evidence of three events of twenty: one with its personal part, one whose was erased, one that never had any.
fn evidence() -> Evidence {
    let mut events: Vec<_> = (1..=20).map(event).collect();
    for at in [4, 8] {
        events[at].personal_digest = Digest(personal_digest(SALT, PERSONAL));
    }
    events[16].personal_digest = Digest::default();
    let mut stored = Stored::default();
    stored.append(events.iter().map(event_leaf));
    let root = stored.all().root(20).unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 20, root }.sign(&pair(1), ORIGIN).unwrap();
    let proven = [4, 8, 16].map(|at| {
        let nodes = stored.load(tiles_of(nodes_for_inclusion(at, 20)));
        let proof = inclusion_proof(at, 20, &nodes).unwrap();
        ProvenEvent {
            event: events[usize::try_from(at).unwrap()].clone(),
            personal: (at == 4).then(|| PERSONAL.to_owned()),
            salt: (at == 4).then(|| "MDEyMzQ1Njc4OWFiY2RlZg==".to_owned()),
            inclusion_proof: proof.into_iter().map(Digest).collect(),
        }
    });
    Evidence::new(checkpoint, &VerifierKey::of(ORIGIN, &pair(1)).unwrap(), proven.to_vec())
}

fn own_key() -> VerifierKey {
    VerifierKey::of(ORIGIN, &pair(1)).unwrap()
}

#[test]
fn r139_evidence_holds_with_and_without_a_key_also_where_a_person_was_erased() {
    let evidence = evidence();
    let text = serde_json::to_string_pretty(&evidence).unwrap();
    let read = Evidence::from_json(&text).unwrap();
    assert_eq!(read, evidence);
    let answer = json!({ "code": 200, "data": evidence, "message": "Success" });
    assert_eq!(Evidence::from_json(&answer.to_string()).unwrap(), evidence, "as the server answers it");
    for key in [None, Some(&own_key())] {
        let checkpoint = read.verify(key).unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), (ORIGIN, 20));
    }
    let another = VerifierKey::of(ORIGIN, &pair(2)).unwrap();
    assert!(matches!(read.verify(Some(&another)), Err(EvidenceError::OtherKey(_))));
}

#[test]
fn r139_no_byte_of_evidence_can_be_altered() {
    let evidence = evidence();
    let text = serde_json::to_string(&evidence).unwrap();
    for at in 0..text.len() {
        for flip in [1, 4, 32] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= flip;
            let Ok(other) = String::from_utf8(bytes) else { continue };
            // With the real key, and also with the one that it brings along.
            let refused = Evidence::from_json(&other)
                .map_or(true, |read| read == evidence || read.verify(None).is_err());
            assert!(refused, "byte {at}: {other}");
        }
    }
}

fn verified(change: impl FnOnce(&mut Value)) -> Result<Checkpoint, EvidenceError> {
    let mut value = serde_json::to_value(evidence()).unwrap();
    change(&mut value);
    Evidence::from_json(&value.to_string())?.verify(Some(&own_key()))
}

#[test]
fn r139_each_field_of_an_event_is_held_against_what_was_sealed_and_named() {
    let fields: Vec<_> = {
        let value = serde_json::to_value(evidence()).unwrap();
        value["events"][1]["event"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(fields.len(), 18);
    for field in fields {
        let error = verified(|value| {
            let place = &mut value["events"][1]["event"][&field];
            *place = match (field.as_str(), &*place) {
                ("position", _) => json!(10),
                ("endsUntil", _) => json!(1),
                ("personalDigest", _) => json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                (_, Value::Number(number)) => json!(number.as_i64().unwrap() + 1),
                _ => json!("another"),
            };
        })
        .unwrap_err();
        let EvidenceError::Event { position, problem, .. } = error else { panic!("{field}: {error}") };
        assert!(position == 9 || field == "position", "{field}");
        assert!(problem.contains("sealed") || problem.contains("tenant"), "{field}: {problem}");
    }
}

type Alteration<'a> = &'a dyn Fn(&mut Value);

#[test]
fn r139_what_was_altered_is_named() {
    let table: [(&str, Alteration); 14] = [
        ("format", &|value| value["format"] = json!("vestibule-evidence-2")),
        ("no events", &|value| value["events"] = json!([])),
        ("verifier key", &|value| value["verifierKey"] = json!("a+b+c")),
        ("its key is another", &|value| {
            value["verifierKey"] = json!(VerifierKey::of(ORIGIN, &pair(3)).unwrap().to_string());
        }),
        ("checkpoint does not hold", &|value| {
            let other = Checkpoint { origin: ORIGIN.to_owned(), size: 20, root: [1; 32] };
            value["checkpoint"] = json!(other.sign(&pair(3), ORIGIN).unwrap());
        }),
        ("was sealed at its position", &|value| {
            let other = Checkpoint { origin: ORIGIN.to_owned(), size: 20, root: [1; 32] };
            value["checkpoint"] = json!(other.sign(&pair(1), ORIGIN).unwrap());
        }),
        ("of the log elsewhere", &|value| {
            let other = Checkpoint { origin: "elsewhere".to_owned(), size: 20, root: [1; 32] };
            value["checkpoint"] = json!(other.sign(&pair(1), ORIGIN).unwrap());
        }),
        ("personal part", &|value| value["events"][0]["personal"] = json!("{\"clientIp\":\"203.0.113.8\"}")),
        ("personal part", &|value| value["events"][0]["salt"] = json!("MDEyMzQ1Njc4OWFiY2RlZw==")),
        // `{` went over from the text to the salt.
        ("personal part", &|value| {
            value["events"][0]["salt"] = json!("MDEyMzQ1Njc4OWFiY2RlZns=");
            value["events"][0]["personal"] = json!(PERSONAL[1..]);
        }),
        ("personal part", &|value| value["events"][0]["salt"] = Value::Null),
        ("sealed at its position", &|value| {
            value["events"][0]["inclusionProof"].as_array_mut().unwrap().pop();
        }),
        ("behind the one before", &|value| value["events"].as_array_mut().unwrap().swap(0, 1)),
        ("not in the log at the size", &|value| value["events"][2]["event"]["position"] = json!(0)),
    ];
    for (named, change) in table {
        let error = verified(change).unwrap_err().to_string();
        assert!(error.contains(named), "{named}: {error}");
    }
    assert!(verified(|_| ()).is_ok());
    let unknown = verified(|value| value["more"] = json!(1)).unwrap_err();
    assert!(unknown.to_string().contains("more"), "{unknown}");
    let doubled = verified(|value| {
        let again = value["events"][0].clone();
        value["events"].as_array_mut().unwrap().insert(0, again);
    });
    assert!(doubled.is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s).{0,200}") {
        let _ = Evidence::from_json(&text).map(|evidence| evidence.verify(None));
    }
}
