//! An individual is their own only user: who erases one must not erase another with them.

use serde_json::{Value, json};
use vestibule::db::Statement;

use super::Place;
use crate::support::program::Ended;

const USED: &str = "customer.id: is an individual who has a user already";

fn user(email: &str, customer: &str) -> Value {
    json!({ "email": email, "customer": { "id": customer, "name": "Ada" } })
}

#[tokio::test]
async fn R137_nobody_moves_into_an_individual_who_has_a_user() {
    let place = Place::new().await;
    // Within one file, which is one batch; then of what is in the database.
    let second = |name: &str| {
        [
            user(&format!("{name}1@x.test"), "ada"),
            json!({ "email": format!("{name}2@x.test"), "customerId": "ada" }),
        ]
    };
    let first = [vec![user("a@x.test", "ada")], second("b").to_vec()].concat();
    let told = "customerId: is an individual, who is their own only user";
    place.write_lines("users.jsonl", &first);
    for dry in [true, false] {
        let mut arguments = vec!["users.jsonl"];
        arguments.extend(dry.then_some("--dry-run"));
        let ended = place.run_import(&arguments);
        assert!(ended.errors.starts_with(&format!("line 2: {USED}\nline 3: {told}\n")), "{ended:?}");
    }
    assert_eq!(place.users().await, 1);
    place.write_lines("users.jsonl", &second("c"));
    for dry in [true, false] {
        let mut arguments = vec!["users.jsonl"];
        arguments.extend(dry.then_some("--dry-run"));
        let ended = place.run_import(&arguments);
        assert!(ended.errors.starts_with(&format!("line 1: {USED}\nline 2: {told}\n")), "{ended:?}");
    }
    assert_eq!(place.users().await, 1);
}

#[tokio::test]
async fn a_customer_that_was_erased_takes_nobody() {
    let place = Place::new().await;
    let organization = |email: &str| {
        let shop = json!({ "id": "shop", "kind": "organization", "name": "Shop", "status": "CLOSED" });
        json!({ "email": email, "customer": shop })
    };
    place.write_lines("users.jsonl", &[organization("a@x.test")]);
    place.run_import(&["users.jsonl"]).well();
    place.database.execute_script("update customers set erased_at = 1 where id = 'shop'").await.unwrap();
    place.write_lines(
        "users.jsonl",
        &[organization("b@x.test"), json!({ "email": "c@x.test", "customerId": "shop" })],
    );
    let erased = "is a customer who was erased";
    let ended = place.run_import(&["users.jsonl"]);
    let told = format!("line 1: customer.id: {erased}\nline 2: customerId: {erased}\n");
    assert!(ended.errors.starts_with(&told), "{ended:?}");
    assert_eq!(place.users().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R053_of_two_imports_at_once_one_lets_a_user_into_an_individual() {
    const NUMBER: usize = 200;
    let place = Place::new().await;
    let with = |prefix: &str| -> Vec<Value> {
        (0..NUMBER).map(|at| user(&format!("{prefix}{at}@x.test"), &format!("ada{at}"))).collect()
    };
    // Individuals without a user: nobody waits for who makes them.
    place.write_lines("first.jsonl", &with("first"));
    place.run_import(&["first.jsonl"]).well();
    let bare = "delete from login_names where user_id in (select id from users where kind = 'customer'); \
                delete from users where kind = 'customer'";
    place.database.execute_script(bare).await.unwrap();
    let runs: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let file = format!("{name}.jsonl");
            place.write_lines(&file, &with(name));
            let mut command = place.import(&[&file]);
            std::thread::spawn(move || Ended::of(&mut command))
        })
        .collect();
    let ended: Vec<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
    let doubled =
        "select customer_id from users where kind = 'customer' group by customer_id having count(*) > 1";
    let doubled = place.database.list(Statement::new(doubled)).await.unwrap();
    assert_eq!(doubled.len(), 0, "{ended:?}");
    assert_eq!(place.users().await, i64::try_from(NUMBER).unwrap());
}
