//! What earlier entries of the file have taken: a name or an id that is there twice is found without the database.

use std::collections::{HashMap, HashSet};

use crate::customers::moved::MovedCustomer;
use crate::customers::{CustomerKind, CustomerStatus};
use crate::ids::{CustomerId, UserId};
use crate::secrets::sha256;
use crate::users::LoginName;

/// The first half of a SHA-256: no two names share it by chance.
type Digest = [u8; 16];

/// Ids and names, 20 bytes or so for each.
#[derive(Default, Debug)]
pub struct Seen {
    taken: HashSet<Digest>,
    customers: HashMap<Digest, (CustomerKind, CustomerStatus)>,
}

impl Seen {
    #[must_use]
    pub fn has_user(&self, id: &UserId) -> bool {
        self.taken.contains(&digest("user", id.as_str()))
    }

    /// Whether somebody has it, as a username or as an e-mail.
    #[must_use]
    pub fn has_name(&self, name: &LoginName) -> bool {
        self.taken.contains(&digest("name", name.as_str()))
    }

    /// What an earlier entry has said of the customer.
    #[must_use]
    pub fn customer(&self, id: &CustomerId) -> Option<(CustomerKind, CustomerStatus)> {
        self.customers.get(&digest("customer", id.as_str())).copied()
    }

    pub fn add_user(&mut self, id: &UserId) {
        self.taken.insert(digest("user", id.as_str()));
    }

    pub fn add_name(&mut self, name: &LoginName) {
        self.taken.insert(digest("name", name.as_str()));
    }

    pub fn add_customer(&mut self, customer: &MovedCustomer) {
        let known = self.customers.entry(digest("customer", customer.id.as_str()));
        known.or_insert((customer.kind, customer.status));
    }
}

fn digest(kind: &str, text: &str) -> Digest {
    let whole = sha256(format!("{kind} {text}").as_bytes());
    let mut half = Digest::default();
    half.copy_from_slice(&whole[..16]);
    half
}
