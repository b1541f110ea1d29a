//! The doors of a tenant: who logs in by whose ids, and whose documents are served.

use vestibule::db::Statement;

use super::sessions::{Tenants, all_alike};
use super::{Permission, operations};
use crate::support::app::NIL;
use crate::support::calls::Call;

#[tokio::test]
async fn R049_a_login_by_another_users_ids_is_answered_like_one_by_ids_of_nobody() {
    let world = Tenants::new().await;
    for operation in operations() {
        let Permission::Login(family) = operation.permission() else { continue };
        let own = world.acme.person(family);
        let other = world.other(family);
        let theirs = world.globex.person(family);
        let (customer, user) = (own.customer.as_str(), own.id.as_str());
        let mut answers = Vec::new();
        for (whose, owner, id) in [
            ("absent user", customer, "nobody"),
            ("absent customer", "nobody", user),
            ("another user", customer, other.id.as_str()),
            ("another tenant's customer", theirs.customer.as_str(), user),
        ] {
            let call = world.acme.login(family).at(family, owner, id);
            answers.push((whose, world.app.send(call.request()).await));
            // A success between: five failures in a row would lock the name.
            let good = world.acme.login(family).at(family, customer, user);
            world.app.send(good.request()).await.expect(200);
        }
        let call = world.acme.login(family).at(family, customer, theirs.id.as_str());
        answers.push(("another tenant's user", world.app.send(call.request()).await));
        let call = world.acme.login(family).set("password", "not the password");
        answers.push(("wrong password", world.app.send(call.request()).await));
        all_alike(&answers, 401);
    }
}

#[tokio::test]
async fn R049_an_issuer_that_is_not_served_is_answered_like_one_that_never_was() {
    let world = Tenants::new().await;
    let deleted = world.app.tenant("deleted").await;
    let sql = "update tenants set status = 'deleted' where id = $1 returning id";
    world.app.change(Statement::new(sql).bind(&deleted.id)).await;
    for operation in operations() {
        if operation.permission() != Permission::Public {
            continue;
        }
        let ask = |slug: &str| world.app.call(Call::get(operation.path.replace("{slug}", slug)));
        ask("acme").await.expect(200);
        let mut answers = Vec::new();
        for slug in ["absent", "system", "deleted", NIL, world.acme.id.as_str(), "ACME", "*", "acme."] {
            answers.push((slug, ask(slug).await));
        }
        all_alike(&answers, 404);
    }
}
