//! Whatever is wrong with name and password: one 401, one hash.

use vestibule::tenants::Family;

use super::Set;
use crate::imported_hashes::all_kinds;
use crate::support::app::{LoginCall, NIL, PASSWORD, Person, TestApp, TestTenant};
use crate::support::dice::Dice;

/// Every reason why a login fails after its tenant is known, each of a name of its own.
async fn reasons(app: &TestApp, tenant: &TestTenant, family: Family) -> Vec<(String, LoginCall)> {
    let base = tenant.login(family);
    let other_tenant = app.tenant(&format!("other-{}", family.as_str())).await;
    app.add_person(&other_tenant, family, "elsewhere@x.test").await;
    let add = async |name: &str| app.add_person(tenant, family, &format!("{name}@x.test")).await;
    let call = |person: &Person| base.clone().named(&person.email);
    let mut reasons = vec![
        ("unknown user".to_owned(), base.clone().named("nobody@x.test")),
        ("user of another tenant".to_owned(), base.clone().named("elsewhere@x.test")),
        ("wrong password".to_owned(), call(&add("wrong").await).set("password", "Securepass123!")),
        ("empty password".to_owned(), call(&add("empty").await).set("password", "")),
        ("empty password of nobody".to_owned(), base.clone().named("nobody.2@x.test").set("password", "")),
    ];
    let mut add_reason = |reason: &str, call: LoginCall| reasons.push((reason.to_owned(), call));
    for (reason, name, set) in [
        ("suspended user", "suspended", "status = 'suspended'"),
        ("closed user", "closed", "status = 'closed'"),
        ("no password set", "bare", "password_hash = null"),
    ] {
        let person = add(name).await;
        app.update_user(&person, set).await;
        add_reason(reason, call(&person));
        add_reason(reason, call(&person).set("password", ""));
        add_reason(reason, call(&person).set("password", "wrong"));
    }
    for (reason, name, set) in [
        ("suspended customer", "of.suspended", "status = 'suspended'"),
        ("closed customer", "of.closed", "status = 'closed'"),
    ] {
        let person = add(name).await;
        app.update_customer(&person, set).await;
        add_reason(reason, call(&person));
    }
    let (own, theirs) = (add("own").await, add("theirs").await);
    add_reason("another's user id", call(&own).at(family, NIL, theirs.id.as_str()));
    add_reason("another's customer id", call(&own).at(family, theirs.customer.as_str(), NIL));
    add_reason("ids of nobody", call(&own).at(family, "nobody", "nobody"));
    for wrong in Family::ALL.into_iter().filter(|wrong| *wrong != family) {
        let person = app.add_person(tenant, wrong, &format!("{}@x.test", wrong.as_str())).await;
        add_reason("wrong family", call(&person));
    }
    for (number, hash) in all_kinds().into_iter().enumerate() {
        let person = app.add_person_with(tenant, family, &format!("imported.{number}@x.test"), &hash).await;
        for password in ["wrong", ""] {
            add_reason(hash.scheme_name(), call(&person).set("password", password));
        }
    }
    reasons
}

#[tokio::test]
async fn R001_R002_R003_every_reason_is_one_401_byte_for_byte_of_one_hash_and_as_many_round_trips() {
    let app = TestApp::start().await;
    let mut set = Set::default();
    for family in Family::ALL {
        let tenant = app.tenant(&format!("acme-{}", family.as_str())).await;
        let reasons = reasons(&app, &tenant, family).await;
        // The tenant's signing key is in memory from here on.
        app.login(&tenant, family).await.expect(200);
        let number = reasons.len();
        for (reason, call) in reasons {
            set.send(&app, &format!("{reason} on {family:?}"), &call, 401).await;
        }
        let failures = app.event_names(&tenant).await;
        let failures = failures.iter().filter(|name| *name == "authn_login_fail").count();
        assert_eq!(failures, number, "an event each");
    }
    let cost = set.is_of_one_kind(120, "Invalid username or password", 1);
    assert_eq!(cost.calls, 3, "it is read, reserved and concluded");
    assert!(set.seen[0].1.contains("Authentication failed"));
}

#[tokio::test]
async fn R002_whatever_the_user_and_the_password_are_it_costs_one_hash() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let seed = 5;
    let mut dice = Dice::new(seed);
    let hashes = all_kinds();
    app.login(&tenant, Family::Individual).await.expect(200);
    for round in 0..80 {
        let family = Family::ALL[usize::try_from(dice.below(3)).unwrap()];
        let email = format!("user.{round}@x.test");
        let person = match dice.below(4) {
            0 => None,
            1 => {
                let hash = &hashes[usize::try_from(dice.below(hashes.len() as u64)).unwrap()];
                Some(app.add_person_with(&tenant, family, &email, hash).await)
            }
            _ => Some(app.add_person(&tenant, family, &email).await),
        };
        if let Some(person) = &person {
            let states =
                ["status = 'active'", "status = 'suspended'", "password_hash = null", "status = 'closed'"];
            app.update_user(person, states[usize::try_from(dice.below(4)).unwrap()]).await;
        }
        if dice.below(4) == 0 {
            let failures = dice.below(6);
            for _ in 0..failures {
                app.send(tenant.login(family).named(&email).set("password", "wrong").request()).await;
            }
        }
        let passwords = [PASSWORD, "", "wrong", "\u{1F511}", " SecurePass123!", &"x".repeat(1_024)];
        let password = passwords[usize::try_from(dice.below(6)).unwrap()];
        let asked = Family::ALL[usize::try_from(dice.below(3)).unwrap()];
        let call = tenant.login(asked).named(&email).set("password", password);
        let (answer, cost) = app.cost_of(&call).await;
        assert!([200, 401].contains(&answer.status.as_u16()), "seed {seed}, round {round}: {}", answer.text);
        if answer.status == 401 {
            assert_eq!(cost.hashes, 1, "seed {seed}, round {round}: {email} {password:?}");
        }
    }
}
