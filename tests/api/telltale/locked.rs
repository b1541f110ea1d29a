//! A locked name: one 401, one dummy hash, whoever has the name and whatever the password.

use vestibule::tenants::{Family, Settings};

use super::Set;
use crate::imported_hashes::all_kinds;
use crate::support::app::{PASSWORD, TestApp};

#[tokio::test]
async fn R001_R002_R018_a_locked_name_is_one_401_of_one_hash_and_as_many_round_trips() {
    let app = TestApp::start().await;
    let mut set = Set::default();
    for family in Family::ALL {
        let tenant = app.tenant(&format!("acme-{}", family.as_str())).await;
        app.login(&tenant, family).await.expect(200);
        let imported = app.add_person_with(&tenant, family, "imported@x.test", &all_kinds()[5]).await;
        let disabled = app.add_person(&tenant, family, "disabled@x.test").await;
        app.update_user(&disabled, "status = 'suspended'").await;
        let bare = app.add_person(&tenant, family, "bare@x.test").await;
        app.update_user(&bare, "password_hash = null").await;
        let own = &tenant.person(family).email;
        for name in [own, "nobody@x.test", &imported.email, &disabled.email, &bare.email] {
            let call = tenant.login(family).named(name);
            app.fail(&call, 5).await;
            for password in [PASSWORD, "wrong", ""] {
                let what = format!("{name} with {password:?} on {family:?}");
                set.send(&app, &what, &call.clone().set("password", password), 401).await;
                // Even where the ids are somebody else's.
                let elsewhere = call.clone().set("password", password).at(family, "nobody", "nobody");
                set.send(&app, &what, &elsewhere, 401).await;
            }
        }
    }
    let cost = set.is_of_one_kind(90, "Account locked", 1);
    assert_eq!(cost.calls, 3, "it is read, not reserved, and told");
}

#[tokio::test]
async fn R018_a_hidden_lock_is_answered_as_a_wrong_password_by_the_same_hash() {
    let app = TestApp::start().await;
    let tenant = app.tenant_with("acme", Settings { hide_lock: true, ..Settings::default() }).await;
    let call = tenant.login(Family::Individual);
    app.send(call.request()).await.expect(200);
    let mut set = Set::default();
    for name in [tenant.person(Family::Individual).email.as_str(), "nobody@x.test"] {
        let call = call.clone().named(name);
        let first = app.send(call.clone().set("password", "wrong").request()).await.expect(401).fingerprint();
        app.fail(&call, 4).await;
        for password in [PASSWORD, "wrong", ""] {
            set.send(&app, name, &call.clone().set("password", password), 401).await;
        }
        assert_eq!(set.seen.last().unwrap().1, first);
    }
    set.is_of_one_kind(6, "Authentication failed", 1);
}
