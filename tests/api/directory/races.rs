//! What happens when two do it at the same moment, on two instances of the service.

use std::collections::BTreeSet;

use axum::Router;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::{Call, Opened};
use crate::support::directory::{CUSTOMERS, INDIVIDUAL, USERS, individual};
use crate::support::login::{answer, two_instances};
use vestibule::tenants::Family;

/// Sends calls all at once, every other one to the second instance.
async fn at_once(routers: [&Router; 2], calls: Vec<Call>) -> Vec<Answer> {
    let mut sent = JoinSet::new();
    for (number, call) in calls.into_iter().enumerate() {
        sent.spawn(answer(routers[number % 2].clone(), call.request()));
    }
    sent.join_all().await
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_registrations_with_one_email_at_the_same_moment_one_wins_and_the_others_leave_nothing() {
    let (app, beside) = two_instances().await;
    let acme = app.tenant("acme").await;
    for round in 0..5 {
        let tables = ["customers", "users", "login_names", "user_phones", "events"];
        let mut before = Vec::new();
        for table in tables {
            before.push(app.number_of(table).await);
        }
        let email = format!("ada{round}@example.test");
        let calls = (0..8).map(|number| {
            // Spelled in two ways, and the phone is everybody's.
            let email = if number % 3 == 0 { email.to_uppercase() } else { email.clone() };
            Call::new("POST", INDIVIDUAL).backend(&acme).json(&individual(&email))
        });
        let answers = at_once([&app.router, &beside], calls.collect()).await;
        assert_eq!(statuses(&answers), [200, 409, 409, 409, 409, 409, 409, 409]);
        for (table, before) in tables.into_iter().zip(before) {
            let more = if table == "events" { 2 } else { 1 };
            assert_eq!(app.number_of(table).await, before + more, "{table}");
        }
        app.open_as(&acme, Family::Individual, &email).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_users_who_want_one_email_at_the_same_moment_one_gets_it_and_all_keep_what_they_had() {
    let (app, beside) = two_instances().await;
    let acme = app.tenant("acme").await;
    let mut users = Vec::new();
    for number in 0..6 {
        users.push(app.individual(&acme, &format!("user{number}@example.test")).await.1);
    }
    let want = json!({ "email": "wanted@example.test" });
    let call = |user: &String| Call::new("PATCH", format!("{USERS}/{user}")).backend(&acme).json(&want);
    let answers = at_once([&app.router, &beside], users.iter().map(call).collect()).await;
    assert_eq!(statuses(&answers), [200, 409, 409, 409, 409, 409]);
    let mut emails = BTreeSet::new();
    for user in &users {
        let email = app.look(&acme, &format!("{USERS}/{user}")).await.field("email").to_owned();
        app.open_as(&acme, Family::Individual, &email).await;
        emails.insert(email);
    }
    assert_eq!(emails.len(), 6);
    assert!(emails.contains("wanted@example.test"));
    assert_eq!(app.number_of("login_names where name like '%example.test'").await, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_one_user_at_the_same_moment_all_happen_and_the_search_knows_them_all() {
    let (app, beside) = two_instances().await;
    let acme = app.tenant("acme").await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    let changes = [
        json!({ "firstName": "Augusta" }),
        json!({ "lastName": "Byron" }),
        json!({ "fullName": "Countess" }),
        json!({ "username": "enchantress" }),
        json!({ "metadata": { "tier": "gold" } }),
    ];
    let call = |body: &Value| Call::new("PATCH", format!("{USERS}/{user}")).backend(&acme).json(body);
    let answers = at_once([&app.router, &beside], changes.iter().map(call).collect()).await;
    assert_eq!(statuses(&answers), [200; 5]);
    for text in ["augusta", "byron", "countess", "enchantress"] {
        let found = app.look(&acme, &format!("{USERS}?text={text}")).await.expect(200);
        assert_eq!(found.data()["items"].as_array().unwrap().len(), 1, "{text}");
    }
    let seen = app.look(&acme, &format!("{USERS}/{user}")).await;
    assert_eq!(seen.data()["metadata"], json!({ "tier": "gold" }));
    assert_eq!(app.details_of(&acme, "user_updated").await.len(), 5);
}

/// Two ADMINs, the only ones, who each take the other's power away at the same moment.
async fn the_last_admin_stays(act: impl Fn(&str) -> (String, Value)) {
    let (app, beside) = two_instances().await;
    for round in 0..8 {
        let acme = app.tenant(&format!("acme-{round}")).await;
        let one = app.open(&acme, Family::Admin).await;
        let two = app.staff(&acme, &["ADMIN", "AUDITOR"]).await;
        let call = |by: &Opened, whom: &Opened| {
            let (path, body) = act(whom.data["userId"].as_str().unwrap());
            let method = if body["roles"].is_array() { "PATCH" } else { "POST" };
            Call::new(method, path).tenant(&acme.slug).bearer(&by.token).json(&body)
        };
        let answers = at_once([&app.router, &beside], vec![call(&one, &two), call(&two, &one)]).await;
        // The loser is told of the last ADMIN, or is no ADMIN any more when the call comes.
        let all = statuses(&answers);
        assert!([[200, 401], [200, 403], [200, 409]].contains(&[all[0], all[1]]), "{all:?}");
        assert_eq!(admins(&app, &acme).await, 1);
    }
}

async fn admins(app: &TestApp, tenant: &TestTenant) -> i64 {
    let tenant = &tenant.id;
    app.number_of(&format!(
        "users where tenant_id = '{tenant}' and kind = 'staff' and status = 'active' and roles like '%\"ADMIN\"%'"
    ))
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_admins_who_suspend_each_other_at_the_same_moment_leave_one() {
    the_last_admin_stays(|user| (format!("{USERS}/{user}/suspend"), json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_admins_who_close_each_other_at_the_same_moment_leave_one() {
    the_last_admin_stays(|user| (format!("{USERS}/{user}/close"), json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_admins_who_erase_each_other_at_the_same_moment_leave_one() {
    the_last_admin_stays(|user| (format!("{USERS}/{user}/erase"), json!({}))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_admins_who_take_each_others_role_at_the_same_moment_leave_one() {
    the_last_admin_stays(|user| (format!("{USERS}/{user}"), json!({ "roles": ["VIEWER"] }))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_erase_or_close_one_at_the_same_moment_each_is_answered_and_one_event_is_left() {
    let (app, beside) = two_instances().await;
    let acme = app.tenant("acme").await;
    for round in 0..5 {
        let (customer, user) = app.organization(&acme, &format!("office{round}@example.test")).await;
        // Once from active, once from closed already.
        if round % 2 == 0 {
            app.act(&acme, USERS, &user, "close").await.expect(200);
        }
        let call = |number: usize| {
            let path = match number % 4 {
                0 => format!("{CUSTOMERS}/{customer}/erase"),
                1 => format!("{USERS}/{user}/close"),
                _ => format!("{USERS}/{user}/erase"),
            };
            Call::new("POST", path).backend(&acme)
        };
        let answers = at_once([&app.router, &beside], (0..8).map(call).collect()).await;
        assert_eq!(statuses(&answers), [200; 8]);
        for (name, column, id) in
            [("user_erased", "user_id", &user), ("customer_erased", "customer_id", &customer)]
        {
            let of_it = format!("events where name = '{name}' and {column} = '{id}'");
            assert_eq!(app.number_of(&of_it).await, 1, "{name}");
        }
        let closed = format!("events where name = 'user_status_changed' and user_id = '{user}'");
        assert_eq!(app.number_of(&closed).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn R064_no_login_under_way_survives_the_answer_to_a_suspension() {
    let (app, beside) = two_instances().await;
    let acme = app.tenant("acme").await;
    let person = acme.person(Family::Individual);
    for act in ["suspend", "close"] {
        let mut logins = JoinSet::new();
        for number in 0..12 {
            let router = if number % 2 == 0 { app.router.clone() } else { beside.clone() };
            logins.spawn(answer(router, acme.login(Family::Individual).request()));
        }
        app.act(&acme, USERS, person.id.as_str(), act).await.expect(200);
        let mut opened = 0;
        for login in logins.join_all().await {
            if login.status == 200 {
                opened += 1;
                let path = format!(
                    "{}/users/{}/sessions/{}",
                    crate::support::app::prefix(Family::Individual, person.customer.as_str()),
                    person.id,
                    login.field("sessionId")
                );
                let view = Call::get(path).tenant(&acme.slug).bearer(login.field("token"));
                app.call(view).await.expect(401);
            }
        }
        assert!(opened <= 12);
        if act == "suspend" {
            app.act(&acme, USERS, person.id.as_str(), "resume").await.expect(200);
        }
    }
}
