//! A sealed log that is made up, and what one can say of it that is not so.

use aws_lc_rs::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use vestibule_audit::{
    Checkpoint, Digest, Frontier, Hash, Tiles, VerifierKey, consistency_proof, leaf_hash, root,
};

pub const ORIGIN: &str = "id.example.test/t/acme";

/// A log whose server says what it is told to.
#[derive(Clone)]
pub struct Log {
    leaves: Vec<Hash>,
    /// The key's, which signs.
    seed: u8,
    origin: String,
    /// The name that the key signs under.
    name: String,
    /// Something else than the proof.
    proof: Option<Vec<Digest>>,
    silent: bool,
}

impl Log {
    pub fn new() -> Self {
        let (origin, name) = (ORIGIN.to_owned(), ORIGIN.to_owned());
        Self { leaves: Vec::new(), seed: 1, origin, name, proof: None, silent: false }
    }

    pub fn of(size: u64) -> Self {
        Self { leaves: (0..size).map(|number| leaf_hash(&number.to_be_bytes())).collect(), ..Self::new() }
    }

    /// With another event where this one was.
    pub fn altered(mut self, index: usize) -> Self {
        self.leaves[index] = leaf_hash(b"another");
        self
    }

    pub fn signed_by(self, seed: u8) -> Self {
        Self { seed, ..self }
    }

    pub fn named(self, origin: &str, name: &str) -> Self {
        Self { origin: origin.to_owned(), name: name.to_owned(), ..self }
    }

    pub fn with_proof(self, proof: Vec<Hash>) -> Self {
        Self { proof: Some(proof.into_iter().map(Digest).collect()), ..self }
    }

    /// Tells of no log at all.
    pub fn silent(self) -> Self {
        Self { silent: true, ..self }
    }

    pub fn key(&self) -> String {
        VerifierKey::of(&self.name, &self.pair()).unwrap().to_string()
    }

    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[self.seed; 32]).unwrap()
    }

    fn size(&self) -> u64 {
        self.leaves.len().try_into().unwrap()
    }

    pub fn note(&self) -> String {
        let root = root(self.size(), &self.tiles()).unwrap();
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: self.size(), root };
        checkpoint.sign(&self.pair(), &self.name).unwrap()
    }

    fn tiles(&self) -> Tiles {
        let mut tiles = Tiles::new();
        for (size, leaf) in (0..).zip(&self.leaves) {
            assert!(tiles.push(size, *leaf));
        }
        tiles
    }

    /// The feed's word, for whoever holds a checkpoint of this size.
    pub fn told(&self, held: u64) -> Value {
        if self.leaves.is_empty() || self.silent {
            return Value::Null;
        }
        let proof = consistency_proof(held, self.size(), &self.tiles()).unwrap_or_default();
        let proof = self.proof.clone().unwrap_or_else(|| proof.into_iter().map(Digest).collect());
        json!({ "note": self.note(), "verifierKey": self.key(), "consistencyProof": proof })
    }
}

#[test]
fn the_made_up_log_is_one() {
    let log = Log::of(300);
    let mut frontier = Frontier::new();
    log.leaves.iter().for_each(|leaf| frontier.push(*leaf));
    let key = log.key().parse().unwrap();
    assert_eq!(Checkpoint::verify(&log.note(), &key).unwrap().root, frontier.root());
    assert!(log.told(7)["consistencyProof"].as_array().unwrap().len() > 2);
}
