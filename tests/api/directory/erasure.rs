//! Erasing: what is personal goes, everywhere; what is sealed stays verifiable; nothing comes back.

use serde_json::{Value, json};
use vestibule::db::{Row, Statement};
use vestibule::flows::finish_erasures;
use vestibule::ids::EventId;
use vestibule::secrets::sha256;
use vestibule::tenants::Family;

use super::start;
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::directory::{CUSTOMERS, INDIVIDUAL, USERS, individual, new_user};

const CANARIES: [&str; 11] = [
    "canary-mail",
    "Canaryfirst",
    "canaryfirst",
    "Canarylast",
    "37061234567",
    "canaryname",
    "Canarybirthplace",
    "canary-tier",
    "canary-device",
    "canary-agent",
    "203.0.113.77",
];

/// Registers somebody whose every trace can be told, and lets them log in and fail.
async fn canary(app: &TestApp, tenant: &TestTenant) -> (String, String) {
    let mut body = individual("Canary-Mail@example.test");
    for (field, value) in [
        ("firstName", json!("Canaryfirst")),
        ("lastName", json!("Canarylast")),
        ("phone", json!("+37061234567")),
        ("username", json!("canaryname")),
        ("placeOfBirth", json!("Canarybirthplace")),
        ("metadata", json!({ "tier": "canary-tier" })),
        ("individualCustomer", json!({ "customerName": "Canaryfirst Canarylast" })),
        ("customerCategory", json!({ "id": "canary-tier" })),
    ] {
        body[field] = value;
    }
    let answer = app.backend(tenant, "POST", INDIVIDUAL, &body).await.expect(200);
    let login = |password: &str| {
        tenant
            .login(Family::Individual)
            .named("canary-mail@example.test")
            .set("password", password)
            .header("deviceid", "canary-device")
            .header("user-agent", "canary-agent")
            .header("x-forwarded-for", "203.0.113.77")
            .request()
    };
    for password in [crate::support::app::PASSWORD, "wrong", crate::support::app::PASSWORD] {
        app.send(login(password)).await;
    }
    (answer.field("id").to_owned(), answer.data()["user"]["id"].as_str().unwrap().to_owned())
}

/// Which of the canaries stand anywhere in the database.
async fn traces(app: &TestApp) -> Vec<&'static str> {
    let stored = String::from_utf8_lossy(&app.everything_stored().await).into_owned();
    CANARIES.into_iter().filter(|canary| stored.contains(canary)).collect()
}

async fn events_of(app: &TestApp, user: &str) -> Vec<Row> {
    let sql = "select id, name, personal, salt, personal_digest, details from events where user_id = $1 order by id";
    app.database.list(Statement::new(sql).bind(user)).await.unwrap()
}

/// Lets upkeep do what it does, until nothing is left.
async fn upkeep(app: &TestApp) {
    while finish_erasures(&app.database, app.clock.now()).await.unwrap().more {}
    app.clock.advance(301_000);
    while finish_erasures(&app.database, app.clock.now()).await.unwrap().more {}
    assert_eq!(
        app.number_of("users where erasing").await + app.number_of("customers where erasing").await,
        0
    );
}

#[tokio::test]
async fn of_an_erased_user_nothing_personal_is_left_and_what_is_sealed_can_be_verified() {
    for what in [USERS, CUSTOMERS] {
        let (app, acme) = start().await;
        let (customer, user) = canary(&app, &acme).await;
        assert_eq!(traces(&app).await, CANARIES, "all of them are there before");
        let before = events_of(&app, &user).await;
        assert!(before.len() >= 4);
        let id = if what == USERS { &user } else { &customer };
        let answer = app.act(&acme, what, id, "erase").await.expect(200);
        assert!(answer.data()["erasedAt"].is_string());
        assert_eq!(traces(&app).await, Vec::<&str>::new());

        // The ids, the events and the digests of what was personal stay.
        let after = events_of(&app, &user).await;
        for row in &before {
            let id = row.text("id").unwrap();
            let now = after.iter().find(|other| other.text("id").unwrap() == id).unwrap();
            assert_eq!(now.text("details").unwrap(), row.text("details").unwrap());
            assert_eq!(now.maybe_text("personal").unwrap(), None);
            assert_eq!(now.bytes("salt").unwrap(), Vec::<u8>::new());
            let personal = row.text("personal").unwrap();
            let sealed = sha256(&[&row.bytes("salt").unwrap()[..], personal.as_bytes()].concat());
            assert_eq!(now.bytes("personal_digest").unwrap(), sealed);
        }
        let names: Vec<_> = after.iter().map(|row| row.text("name").unwrap()).collect();
        assert!(
            names.contains(&"user_erased".to_owned()) && names.contains(&"user_status_changed".to_owned())
        );
        let seen = app.look(&acme, &format!("{USERS}/{user}")).await.expect(200);
        assert_eq!((seen.field("status"), &seen.data()["hasPassword"]), ("CLOSED", &json!(false)));
        for field in ["email", "username", "firstName", "lastName", "gender", "dateOfBirth", "pincode"] {
            assert_eq!(seen.data()[field], Value::Null, "{field}");
        }
        let seen = app.look(&acme, &format!("{CUSTOMERS}/{customer}")).await.expect(200);
        assert_eq!((seen.field("customerStatus"), &seen.data()["customerName"]), ("CLOSED", &Value::Null));
        upkeep(&app).await;
    }
}

/// A call of the backend's that passes on where the person themselves did it from.
fn from_the_person(tenant: &TestTenant, method: &'static str, path: String) -> Call {
    Call::new(method, path)
        .backend(tenant)
        .and("deviceid", "canary-device")
        .and("user-agent", "canary-agent")
        .and("x-forwarded-for", "203.0.113.77")
}

#[tokio::test]
async fn what_was_done_to_the_customer_itself_no_longer_says_from_where() {
    for what in [USERS, CUSTOMERS] {
        let (app, acme) = start().await;
        let body = individual("ada@example.test");
        let registered = from_the_person(&acme, "POST", INDIVIDUAL.to_owned()).json(&body);
        let answer = app.call(registered).await.expect(200);
        let customer = answer.field("id").to_owned();
        let user = answer.data()["user"]["id"].as_str().unwrap().to_owned();
        let renamed = from_the_person(&acme, "PATCH", format!("{CUSTOMERS}/{customer}"));
        app.call(renamed.json(&json!({ "customerName": "Ada" }))).await.expect(200);
        for act in ["suspend", "resume"] {
            let acted = from_the_person(&acme, "POST", format!("{CUSTOMERS}/{customer}/{act}"));
            app.call(acted).await.expect(200);
        }
        let of_customer = format!("events where customer_id = '{customer}' and user_id is null");
        assert_eq!(app.number_of(&format!("{of_customer} and personal is not null")).await, 4);
        let before = traces(&app).await;
        assert_eq!(before, ["canary-device", "canary-agent", "203.0.113.77"]);

        let id = if what == USERS { &user } else { &customer };
        app.call(from_the_person(&acme, "POST", format!("{what}/{id}/erase"))).await.expect(200);
        assert_eq!(traces(&app).await, Vec::<&str>::new(), "the erasing itself does not say it either");
        // Written by what was under way.
        app.script(&format!(
            "update events set personal = 'canary-agent' where customer_id = '{customer}' and user_id is null"
        ))
        .await;
        upkeep(&app).await;
        assert_eq!(traces(&app).await, Vec::<&str>::new());
        assert_eq!(app.number_of(&of_customer).await, 6, "that it happened stays");
        let digests = format!("{of_customer} and personal_digest is not null");
        assert_eq!(app.number_of(&digests).await, 6, "and so does what is sealed");
    }
}

#[tokio::test]
async fn of_a_customer_without_users_it_goes_too() {
    let (app, acme) = start().await;
    let (office, user) = app.organization(&acme, "office@example.test").await;
    app.act(&acme, USERS, &user, "erase").await.expect(200);
    let closed = from_the_person(&acme, "POST", format!("{CUSTOMERS}/{office}/close"));
    app.call(closed).await.expect(200);
    upkeep(&app).await;
    assert!(!traces(&app).await.is_empty(), "the organization is nobody who was erased");
    app.act(&acme, CUSTOMERS, &office, "erase").await.expect(200);
    assert_eq!(traces(&app).await, Vec::<&str>::new());
    upkeep(&app).await;
}

#[tokio::test]
async fn R052_an_erased_users_names_are_anothers_to_take_and_their_id_is_nobodys() {
    let (app, acme) = start().await;
    let (_, user) = canary(&app, &acme).await;
    app.act(&acme, USERS, &user, "erase").await.expect(200);
    let gone = app.send(acme.login(Family::Individual).named("canary-mail@example.test").request()).await;
    let never = app.send(acme.login(Family::Individual).named("never@example.test").request()).await;
    assert_eq!(gone.expect(401).without_request_id(), never.expect(401).without_request_id());
    let (_, again) = app.individual(&acme, "canary-mail@example.test").await;
    assert_ne!(again, user);
    let opened = app.open_as(&acme, Family::Individual, "canary-mail@example.test").await;
    assert_eq!(opened.data["userId"], json!(again));
    for (act, status) in [("resume", 409), ("suspend", 409), ("close", 200), ("erase", 200)] {
        app.act(&acme, USERS, &user, act).await.expect(status);
    }
    app.backend(&acme, "PATCH", &format!("{USERS}/{user}"), &json!({ "email": "x@example.test" }))
        .await
        .expect(409);
}

#[tokio::test]
async fn erasing_again_changes_nothing_and_a_logout_with_an_old_token_leaves_no_new_trace() {
    let (app, acme) = start().await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    let opened = app.open_as(&acme, Family::Individual, "ada@example.test").await;
    app.clock.advance(1_000);
    let first = app.act(&acme, USERS, &user, "erase").await.expect(200);
    app.clock.advance(1_000);
    assert_eq!(app.act(&acme, USERS, &user, "erase").await.expect(200).text, first.text);
    assert_eq!(app.events_named(acme.id.as_str(), "user_erased").await.len(), 1);
    app.view(&acme, &opened).await.expect(401);
    let events = app.number_of("events").await;
    let logout = app.end(&acme, &opened).await.expect(200);
    assert_eq!(logout.field("endReason"), "user_disabled");
    assert_eq!(app.number_of("events").await, events, "its ending was written down when it was erased");
}

#[tokio::test]
async fn what_an_erasure_left_when_it_was_cut_off_goes_with_the_next_upkeep_old_rows_too() {
    let (app, acme) = start().await;
    let (_, user) = canary(&app, &acme).await;
    // Rows from before digests were kept.
    app.script(&format!("update events set personal_digest = null where user_id = '{user}'")).await;
    let before = events_of(&app, &user).await;
    app.act(&acme, USERS, &user, "erase").await.expect(200);
    let digests: Vec<_> = events_of(&app, &user)
        .await
        .iter()
        .filter(|row| before.iter().any(|old| old.text("id").unwrap() == row.text("id").unwrap()))
        .map(|row| row.bytes("personal_digest").unwrap())
        .collect();
    for (row, digest) in before.iter().zip(digests) {
        let personal = row.text("personal").unwrap();
        assert_eq!(digest, sha256(&[&row.bytes("salt").unwrap()[..], personal.as_bytes()].concat()));
    }
    while finish_erasures(&app.database, app.clock.now()).await.unwrap().more {}
    let late = EventId::at(app.clock.now());
    // What a login under way writes after it.
    app.script(&format!(
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, user_id, details, personal, salt) \
         select tenant_id, '{late}', 'authn_login_fail', 'failure', 0, 'unknown', '{user}', '{{}}', \
         '{{\"userAgent\":\"canary-agent\"}}', salt from events where user_id = '{user}' limit 1; \
         update sessions set client_ip = '203.0.113.77' where user_id = '{user}'"
    ))
    .await;
    assert_eq!(traces(&app).await, ["canary-agent", "203.0.113.77"]);
    upkeep(&app).await;
    assert_eq!(traces(&app).await, Vec::<&str>::new());
    assert!(!finish_erasures(&app.database, app.clock.now()).await.unwrap().more);
}

#[tokio::test]
async fn a_large_organization_is_closed_at_once_and_erased_to_its_last_user() {
    let (app, acme) = start().await;
    let (office, first) = app.organization(&acme, "office@example.test").await;
    app.script(&format!(
        "insert into users (tenant_id, id, customer_id, kind, status, roles, phones, email, search, created_at, updated_at) \
         select u.tenant_id, 'bulk' || n.n, u.customer_id, u.kind, u.status, '[]', '[]', 'canary-mail', 'canary-mail', 0, 0 \
         from users u, (with recursive n(n) as (select 1 union all select n + 1 from n where n < 250) select n from n) n \
         where u.id = '{first}'"
    ))
    .await;
    let opened = app.open_as(&acme, Family::Organization, "office@example.test").await;
    let answer = app.act(&acme, CUSTOMERS, &office, "erase").await.expect(200);
    assert_eq!(answer.field("customerStatus"), "CLOSED");
    app.view(&acme, &opened).await.expect(401);
    assert_eq!(traces(&app).await, ["canary-mail"], "the rest is for upkeep");
    upkeep(&app).await;
    assert_eq!(traces(&app).await, Vec::<&str>::new());
    let left = app.number_of(&format!("users where customer_id = '{office}' and erased_at is null")).await;
    assert_eq!(left, 0);
    assert_eq!(app.events_named(acme.id.as_str(), "user_erased").await.len(), 251);
    // Whoever is added to it now would be left behind.
    let more = new_user("late@example.test", &["USER"]);
    app.backend(&acme, "POST", &format!("{CUSTOMERS}/{office}/users"), &more).await.expect(409);
}

#[tokio::test]
async fn one_that_cannot_be_erased_keeps_nobody_else_from_it() {
    let (app, acme) = start().await;
    let mut people =
        [app.individual(&acme, "ada@example.test").await, app.individual(&acme, "bob@example.test").await];
    people.sort();
    let [(_, broken), (_, other)] = people;
    app.script(&format!(
        "update customers set status = 'closed', erased_at = 1, erasing = true where not house; \
         update users set phones = 'not JSON' where id = '{broken}'"
    ))
    .await;
    let round = finish_erasures(&app.database, app.clock.now()).await.unwrap();
    assert!(round.failure.is_some());
    assert!(round.more, "there may be more of the others: no minute is waited for");
    let unerased = |id: &str| format!("users where id = '{id}' and erased_at is null");
    assert_eq!(app.number_of(&unerased(&other)).await, 0);
    assert_eq!(app.number_of(&unerased(&broken)).await, 1);
}

#[tokio::test]
async fn of_erased_staff_it_also_goes_from_where_they_did_what_to_others() {
    let (app, acme) = start().await;
    let staff = app.staff(&acme, &["ADMIN"]).await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    let suspend = Call::new("POST", format!("{USERS}/{user}/suspend"))
        .tenant("acme")
        .bearer(&staff.token)
        .and("user-agent", "canary-agent");
    app.call(suspend).await.expect(200);
    assert_eq!(traces(&app).await, ["canary-agent"]);
    app.act(&acme, USERS, staff.data["userId"].as_str().unwrap(), "erase").await.expect(200);
    assert_eq!(traces(&app).await, Vec::<&str>::new());
    let events = app.events_named(acme.id.as_str(), "user_status_changed").await;
    let done = events.iter().find(|row| row.text("actor_kind").unwrap() == "staff").unwrap();
    assert_eq!(done.text("actor_id").unwrap(), staff.data["userId"].as_str().unwrap(), "who did it stays");
}
