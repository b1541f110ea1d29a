//! Users whose password hashes other systems made: they log in as everybody does, and nobody can tell.

mod failure_floor;
mod logins;

use vestibule::passwords::{PasswordHash, imports};

/// Everybody's password, as Django 5.2, passlib 1.7, argon2-cffi, pyca/bcrypt and Python's hashlib hashed it.
pub const HASHES: [&str; 10] = [
    "pbkdf2_sha256$1000$seasalt2Kq9$qqp/Mez4hDZdNFTJ/Nws14Vc/uEMJ/xblhtrlW45+j0=",
    "pbkdf2_sha1$1000$seasalt2Kq9$PK84kNA2JFSnyHlF3t3z7pIkbVw=",
    "$pbkdf2-sha512$1000$ByBkbC3FWIuxNobwXovx3g$Ad0FyIMaORFoxtxqJI1TJzdVdhWmqtMvM3Bv5DCcU8YavoWtt8dLUjWNW7jCn8nCRxMgumZgvCzPQnlb06qfcA",
    "scrypt$64$seasalt2Kq9$8$2$WkPd8D/sNFX5M9r3mgT+/kH4oOAuXV9MXDdFhA4glp5YXQ0A3R5FmGTLEcXcE7lu79JvKJajnA9NJBXYHNJpQQ==",
    "$scrypt$ln=4,r=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5gzj9G0nR7qKsgNcPg4Yas0xwhUoZTaHQhxQ6yZLRRA",
    "bcrypt$$2b$04$qlpVrHYdwWUo9pf/JSfD0uIbMCYdD0SL1sThXaOz495Z.GrJ1qK7q",
    "$2b$12$FVaS72yPL0RzST7/kKcLt.4L4hG0.ZDWW5NM9xIE5yM0c1f3YV9uu",
    "bcrypt_sha256$$2b$04$qSOMC0JmvDGhN4pe4pvGZe43ogbAVrLwP7PjIPppepyJ7ewO/Fjo2",
    "$argon2i$v=19$m=64,t=2,p=1$c29tZXNhbHRzb21l$t89crdiTALyrW2IEd2dGnncVj4dYlBG2YwVSrD//Sas",
    "$argon2d$v=16$m=64,t=2,p=1$c29tZXNhbHRzb21l$EmEtyhzLJkPVhtdLvQiBLe56WtrAh9Z8ftsQ/1Iv9/E",
];

/// The same, as Keycloak keeps it: `secretData` and `credentialData`.
const KEYCLOAK: [(&str, &str); 2] = [
    (
        r#"{"value":"RAqc0A3SzkVT5Ypi7UhU7fQMQSZbMaYrlxIzeuUGuzJJKx7msqfDv0xvL+56ZimrHODdw1hXQr2cMULA8t4Q+g==","salt":"MDEyMzQ1Njc4OWFiY2RlZg=="}"#,
        r#"{"hashIterations":1000,"algorithm":"pbkdf2-sha512","additionalParameters":{}}"#,
    ),
    (
        r#"{"value":"by7vPDFbcBQ/Jcc0QqOKfNexUZdHJxQXwTxPOdmUQnc=","salt":"MDEyMzQ1Njc4OWFiY2RlZg=="}"#,
        r#"{"hashIterations":2,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["64"],"type":["i"],"version":["1.3"],"parallelism":["1"]}}"#,
    ),
];

pub fn all_kinds() -> Vec<PasswordHash> {
    let hashes = HASHES.iter().map(|text| imports::hash(text));
    let keycloak = KEYCLOAK.iter().map(|(secret, credential)| imports::keycloak(secret, credential));
    hashes.chain(keycloak).map(Result::unwrap).collect()
}

/// One that is quick to verify.
fn quick() -> PasswordHash {
    imports::hash(HASHES[4]).unwrap()
}
