//! A login with an imported hash: right, wrong, at once with others, and the hash that takes its place.

use futures_util::future::join_all;
use vestibule::passwords::{PasswordHash, imports};
use vestibule::tenants::Family;

use super::{all_kinds, quick};
use crate::support::app::{LoginCall, Person, TestApp, TestTenant};
use crate::support::login::until;

const INDIVIDUAL: Family = Family::Individual;

async fn import(app: &TestApp, tenant: &TestTenant, email: &str, hash: &PasswordHash) -> (Person, LoginCall) {
    let person = app.add_person_with(tenant, INDIVIDUAL, email, hash).await;
    (person, tenant.login(INDIVIDUAL).named(email))
}

/// Users with a hash of ours, at the cost of today, that no import made.
async fn is_ours(app: &TestApp, person: &Person) -> bool {
    let ours = "password_hash like '$argon2id$v=19$m=8,t=1,p=1$%' and not password_imported";
    app.number_of(&format!("users where id = '{}' and {ours}", person.id)).await == 1
}

#[tokio::test]
async fn R035_users_with_imported_hashes_log_in_and_get_a_hash_of_ours() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (number, hash) in all_kinds().into_iter().enumerate() {
        let (person, call) = import(&app, &tenant, &format!("user.{number}@x.test"), &hash).await;
        let imported = format!("users where id = '{}' and password_imported", person.id);
        assert_eq!(app.number_of(&imported).await, 1, "{}", hash.scheme_name());
        app.fail(&call, 1).await;
        assert_eq!(app.number_of(&imported).await, 1, "a wrong password changes nothing");
        app.send(call.request()).await.expect(200);
        until("the hash is replaced", async || is_ours(&app, &person).await).await;

        let (again, hashes) = app.hashes_of(&call).await;
        again.expect(200);
        assert_eq!(hashes, 1, "the new one stays");
        app.fail(&call, 1).await;
    }
    assert_eq!(app.number_of("users where password_imported").await, 0);
}

#[tokio::test]
async fn R002_a_login_with_an_imported_hash_costs_exactly_one_hash_also_when_it_is_locked() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (number, hash) in all_kinds().into_iter().enumerate() {
        let (_, call) = import(&app, &tenant, &format!("user.{number}@x.test"), &hash).await;
        let (answer, hashes) = app.hashes_of(&call.clone().set("password", "wrong")).await;
        assert_eq!((answer.status.as_u16(), hashes), (401, 1), "{}", hash.scheme_name());
    }
    let call = tenant.login(INDIVIDUAL).named("user.0@x.test");
    app.fail(&call, 4).await;
    let (locked, hashes) = app.hashes_of(&call).await;
    assert_eq!(hashes, 1);
    assert_eq!(locked.expect(401).json["message"], "Account locked");
    assert_eq!(app.number_of("users where password_imported").await, 12, "and none was replaced");
}

#[tokio::test]
async fn R001_a_failure_with_an_imported_hash_is_byte_for_byte_as_any_other() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let nobody = app.send(tenant.login(INDIVIDUAL).named("nobody@x.test").request()).await.fingerprint();
    for (number, hash) in all_kinds().into_iter().enumerate() {
        let (_, call) = import(&app, &tenant, &format!("user.{number}@x.test"), &hash).await;
        let wrong = app.send(call.set("password", "wrong").request()).await.fingerprint();
        assert_eq!(wrong, nobody, "{}", hash.scheme_name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R035_logins_with_imported_hashes_and_ours_at_once_all_pass() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let mut calls = vec![tenant.login(INDIVIDUAL), tenant.login(Family::Admin)];
    for (number, hash) in all_kinds().into_iter().enumerate() {
        calls.push(import(&app, &tenant, &format!("user.{number}@x.test"), &hash).await.1);
    }
    let logins: Vec<_> = (0..3).flat_map(|_| &calls).map(|call| app.send_apart(call)).collect();
    let number = logins.len();
    for answer in join_all(logins).await {
        answer.unwrap().expect(200);
    }
    assert_eq!(app.event_names(&tenant).await, vec!["authn_login_success"; number]);
    let replaced = async || app.number_of("users where password_imported").await == 0;
    until("all hashes are replaced", replaced).await;
    assert_eq!(app.number_of("throttles where failures > 0").await, 0);
}

#[tokio::test]
async fn R007_a_password_of_more_than_72_bytes_matches_no_bcrypt_hash() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    // Of 72 times y.
    let hash = imports::hash("$2b$04$0A7cwKuPRfFLiHm2vzT6hu.hsJbZLT0Bg5IDO8FbX8L3peLfiemm6").unwrap();
    let (person, call) = import(&app, &tenant, "user@x.test", &hash).await;
    for tail in ["y", "\u{e9}", "z"] {
        let call = call.clone().set("password", "y".repeat(72) + tail);
        let (answer, hashes) = app.hashes_of(&call).await;
        assert_eq!(hashes, 1, "it is hashed all the same");
        answer.expect(401);
    }
    assert_eq!(app.failures(&person).await, 3);
    app.send(call.clone().set("password", "y".repeat(72)).request()).await.expect(200);
    // Ours takes it whole.
    until("the hash is replaced", async || is_ours(&app, &person).await).await;
    app.send(call.clone().set("password", "y".repeat(73)).request()).await.expect(401);
    app.send(call.set("password", "y".repeat(72)).request()).await.expect(200);
}

#[tokio::test]
async fn R036_a_stored_hash_that_is_damaged_or_too_costly_is_nobodys_password() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let (person, call) = import(&app, &tenant, "user@x.test", &quick()).await;
    let nobody = app.send(call.clone().named("nobody@x.test").request()).await.fingerprint();
    for (number, damaged) in [
        "$2b$31$FVaS72yPL0RzST7/kKcLt.4L4hG0.ZDWW5NM9xIE5yM0c1f3YV9uu",
        "$2b$04$FVaS72yPL0RzST7/kKcLt.4L4hG0.ZDWW5NM9xIE5yM0c1f3YV9u",
        "$2b$04$é VaS72yPL0RzST7/kKcLt.4L4hG0.ZDWW5NM9xIE5yM0c1f3YV9u",
        "$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$5gzj9G0nR7qKsgNcPg4Yas0xwhUoZTaHQhxQ6yZLRRA",
        "$pbkdf2-sha256$i=4000000000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$5gzj9G0nR7qKsgNcPg4Yas0xwhUoZTaHQhxQ6yZLRRA",
        "$argon2i$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21l$t89crdiTALyrW2IEd2dGnncVj4dYlBG2YwVSrD//Sas",
        "pbkdf2_sha256$1000$seasalt2Kq9$qqp/Mez4hDZdNFTJ/Nws14Vc/uEMJ/xblhtrlW45+j0=",
        "SecurePass123!",
        "",
    ]
    .into_iter()
    .enumerate()
    {
        app.script("delete from attempts; delete from throttles").await;
        app.update_user(&person, &format!("password_hash = '{damaged}'")).await;
        let (answer, hashes) = app.hashes_of(&call).await;
        assert_eq!(hashes, 1, "{number}");
        assert_eq!(answer.expect(401).fingerprint(), nobody, "{number}");
    }
}
