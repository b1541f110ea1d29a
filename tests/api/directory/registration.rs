//! The documented registrations.

use std::time::Duration;

use serde_json::{Value, json};
use vestibule::tenants::{Family, Settings};
use vestibule::users::StaffRole;

use super::start;
use crate::support::app::{PASSWORD, TestApp};
use crate::support::calls::Call;
use crate::support::directory::{
    CUSTOMERS, INDIVIDUAL, ORGANIZATION, USERS, individual, new_user, organization,
};
use crate::support::login::{SLOW_HASH, one_thread};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The top-level keys of a JSON text in their order.
fn order(text: &str) -> Vec<usize> {
    let places = ["\"code\":", "\"data\":", "\"message\":\"Success\"", "\"redirectUrl\":"];
    places.map(|key| text.find(key).unwrap()).to_vec()
}

#[tokio::test]
async fn a_registered_individual_is_answered_as_documented_and_logs_in_at_once() {
    let (app, acme) = start().await;
    let mut body = individual("Ada.Lovelace@Example.TEST");
    body["individualCustomer"]["tenantId"] = json!(acme.id);
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200);
    assert_eq!(keys(&answer.json), ["code", "data", "message", "redirectUrl"]);
    assert!(order(&answer.text).is_sorted(), "{}", answer.text);
    assert_eq!(answer.json["redirectUrl"], Value::Null);
    let data = answer.data();
    assert_eq!((&data["organization"], &data["individual"]), (&json!(false), &json!(true)));
    assert_eq!(data["tenantId"], json!(acme.id));
    assert_eq!(data["customerType"], "CT_PERSON");
    assert_eq!(data["customerStatus"], "CS_REGISTRATION_COMPLETED");
    assert_eq!(
        data["person"],
        json!({
            "firstName": "Ada", "lastName": "Lovelace", "email": "Ada.Lovelace@Example.TEST", "phone": "+37060000001",
            "dateOfBirth": "1990-12-10", "gender": "female", "nationality": "LT", "placeOfBirth": "Vilnius",
            "pincode": "01100",
        })
    );
    assert_eq!(data["user"]["roles"], json!(["ACCOUNT_OWNER", "USER"]));
    assert_eq!(data["categorization"], json!({ "id": "retail", "name": "Retail" }));
    assert!(!answer.text.contains(PASSWORD) && !answer.text.contains("argon2"), "no password, no hash");

    let opened = app.open_as(&acme, Family::Individual, "ada.lovelace@example.test").await;
    assert_eq!(opened.data["customerId"], data["id"]);
    assert_eq!(opened.data["userId"], data["user"]["id"]);
    assert_eq!(opened.data["roles"], json!(["ACCOUNT_OWNER", "USER"]));
    assert_eq!(opened.data["user"]["customerStatus"], "CS_REGISTRATION_COMPLETED");
    assert_eq!(opened.data["user"]["phoneNumber"], "+37060000001");
    assert_eq!(opened.data["user"]["gender"], "female");

    // Both are found by their ids, as they were answered.
    let id = answer.field("id");
    let customer = app.look(&acme, &format!("{CUSTOMERS}/{id}")).await.expect(200);
    assert_eq!(customer.field("customerName"), "Ada Lovelace");
    assert_eq!(customer.data()["customerCategory"], data["categorization"]);
    let user =
        app.look(&acme, &format!("{USERS}/{}", data["user"]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(user.field("customerId"), id);
    assert!(user.data()["lastLogin"].is_string());
}

#[tokio::test]
async fn a_registered_organization_is_answered_as_documented_and_its_user_logs_in_for_it() {
    let (app, acme) = start().await;
    let answer =
        app.backend(&acme, "POST", ORGANIZATION, &organization("office@example.test")).await.expect(200);
    let data = answer.data();
    assert_eq!((&data["organization"], &data["individual"]), (&json!(true), &json!(false)));
    assert_eq!(data["customerType"], "CT_ORGANIZATION");
    let opened = app.open_as(&acme, Family::Organization, "office@example.test").await;
    assert_eq!(opened.data["customerId"], data["id"]);
    let customer = app.look(&acme, &format!("{CUSTOMERS}/{}", answer.field("id"))).await.expect(200);
    assert_eq!(customer.field("customerName"), "Analytical Engines");
    assert_eq!(
        customer.data()["organizationDetails"],
        json!({ "legalName": "Analytical Engines UAB", "tradingName": "Engines", "registrationNumber": "305000001",
                "taxId": "LT100000000001" })
    );
    // It is called as it trades where it has no other name.
    let mut unnamed = organization("second@example.test");
    unnamed["organizationCustomer"]["customerName"] = Value::Null;
    let answer = app.backend(&acme, "POST", ORGANIZATION, &unnamed).await.expect(200);
    let customer = app.look(&acme, &format!("{CUSTOMERS}/{}", answer.field("id"))).await.expect(200);
    assert_eq!(customer.field("customerName"), "Engines");
}

#[tokio::test]
async fn an_admin_registers_as_a_backend_does_and_each_leaves_its_events() {
    let (app, acme) = start().await;
    let admin = app.staff(&acme, &["ADMIN"]).await;
    app.by(&admin, &acme, "POST", INDIVIDUAL, &individual("one@example.test")).await.expect(200);
    app.backend(&acme, "POST", INDIVIDUAL, &individual("two@example.test")).await.expect(200);
    for name in ["customer_created", "user_created"] {
        let events = app.events_named(acme.id.as_str(), name).await;
        let of = |kind: &str| {
            let mut events = events.iter().filter(|row| row.text("actor_kind").unwrap() == kind);
            let event = events.next().unwrap_or_else(|| panic!("{name} by {kind}"));
            assert!(events.next().is_none() || kind == "operator");
            assert!(event.text("personal").unwrap().contains("clientIp"));
            event.text("actor_id").unwrap()
        };
        assert_eq!(of("staff"), admin.data["userId"].as_str().unwrap());
        of("backend");
        for event in &events {
            for secret in ["example.test", "Lovelace", PASSWORD] {
                assert!(!event.text("details").unwrap().contains(secret), "{name} tells {secret}");
            }
        }
    }
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_registration_is_told_at_once_and_nothing_happens() {
    let (app, acme) = start().await;
    let body = json!({
        "lastName": "x\u{202e}y", "email": "nobody", "phone": "12", "password": "short", "matchingPassword": "other",
        "dateOfBirth": "2026-03-18", "gender": "g".repeat(65), "roleIds": ["lower"],
        "individualCustomer": { "tenantId": "globex" }, "metadata": { "a b": 1 }, "username": "a b",
        "customerCategory": { "name": "n".repeat(101) },
    });
    let before = app.number_of("events").await;
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(400);
    let mut complaints = answer.complaints();
    complaints.sort_unstable();
    // The password breaks several rules, each of which is told.
    complaints.dedup();
    assert_eq!(
        complaints,
        [
            "customerCategory.name",
            "dateOfBirth",
            "email",
            "firstName",
            "gender",
            "individualCustomer.tenantId",
            "lastName",
            "matchingPassword",
            "metadata",
            "password",
            "phone",
            "roleIds",
            "username"
        ]
    );
    assert_eq!(app.number_of("events").await, before);
    let answer = app.backend(&acme, "POST", ORGANIZATION, &json!({})).await.expect(400);
    assert_eq!(answer.complaints(), ["email", "organizationCustomer.customerName", "password"]);
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &json!({})).await.expect(400);
    assert_eq!(answer.complaints(), ["firstName", "lastName", "email", "password"]);
}

#[tokio::test]
async fn a_password_that_is_not_repeated_is_a_400_on_matchingPassword() {
    let (app, acme) = start().await;
    for matching in [json!("SecurePass123?"), json!(""), Value::Null] {
        let mut body = individual("ada@example.test");
        body["matchingPassword"] = matching;
        let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(400);
        assert_eq!(answer.complaints(), ["matchingPassword"]);
    }
    app.backend(&acme, "POST", INDIVIDUAL, &individual("ada@example.test")).await.expect(200);
}

#[tokio::test]
async fn a_new_password_has_the_tenants_least_length_and_a_kilobyte_at_most() {
    let app = TestApp::start().await;
    let acme = app.tenant_with("acme", Settings { password_min_length: 20, ..Settings::default() }).await;
    for (password, good) in [
        ("kolibri-tango-57-moon"[..19].to_owned(), false),
        // Code points, not bytes.
        ("kolibři-tángo-57-mo".to_owned(), false),
        ("kolibři-tángo-57-moo".to_owned(), true),
        ("x".repeat(1024), true),
        ("x".repeat(1025), false),
    ] {
        let mut body = individual(&format!("{}@example.test", vestibule::ids::random_uuid()));
        body["password"] = json!(password);
        body["matchingPassword"] = json!(password);
        let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await;
        assert_eq!(answer.status.as_u16(), if good { 200 } else { 400 }, "{}", answer.text);
        assert!(good || answer.complaints() == ["password"]);
    }
}

#[tokio::test]
async fn a_staff_role_is_refused_for_a_customers_user_wherever_roles_are_set() {
    let (app, acme) = start().await;
    let (organization_id, user) = app.organization(&acme, "office@example.test").await;
    for role in StaffRole::ALL {
        let roles = json!(["USER", role.as_str()]);
        let mut one = individual("one@example.test");
        one["roleIds"] = roles.clone();
        let mut two = organization("two@example.test");
        two["roleIds"] = roles.clone();
        let third = new_user("three@example.test", &["USER", role.as_str()]);
        for (method, path, body, field) in [
            ("POST", INDIVIDUAL.to_owned(), one, "roleIds"),
            ("POST", ORGANIZATION.to_owned(), two, "roleIds"),
            ("POST", format!("{CUSTOMERS}/{organization_id}/users"), third, "roles"),
            ("PATCH", format!("{USERS}/{user}"), json!({ "roles": roles }), "roles"),
        ] {
            let answer = app.backend(&acme, method, &path, &body).await.expect(400);
            assert_eq!(answer.complaints(), [field], "{method} {path}");
        }
    }
    assert_eq!(app.look(&acme, &format!("{USERS}/{user}")).await.data()["roles"], json!(["ACCOUNT_OWNER"]));
}

#[tokio::test]
async fn R053_one_email_in_two_tenants_is_two_users_and_in_one_tenant_a_conflict_however_spelled() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let (_, ours) = app.individual(&acme, "ada@example.test").await;
    let (_, theirs) = app.individual(&globex, "ada@example.test").await;
    assert_ne!(ours, theirs);
    for spelled in ["ada@example.test", "ADA@EXAMPLE.TEST", "ａda@example.test"] {
        for (path, body) in [(INDIVIDUAL, individual(spelled)), (ORGANIZATION, organization(spelled))] {
            let answer = app.backend(&acme, "POST", path, &body).await.expect(409);
            assert_eq!(answer.error_type(), "CONFLICT");
            assert_eq!(answer.field("field"), "email");
        }
    }
    // What is done to one is not done to the other.
    let rename = json!({ "email": "countess@example.test" });
    app.backend(&acme, "PATCH", &format!("{USERS}/{ours}"), &rename).await.expect(200);
    app.act(&acme, USERS, &ours, "suspend").await.expect(200);
    app.open_as(&globex, Family::Individual, "ada@example.test").await;
    let user = app.look(&globex, &format!("{USERS}/{theirs}")).await.expect(200);
    assert_eq!((user.field("email"), user.field("status")), ("ada@example.test", "ACTIVE"));
}

#[tokio::test]
async fn a_username_is_a_second_name_to_log_in_by_and_no_other_users_email() {
    let (app, acme) = start().await;
    let mut body = individual("ada@example.test");
    body["username"] = json!("Countess.Ada");
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200);
    assert_eq!(answer.data()["user"]["username"], "Countess.Ada");
    for name in ["ada@example.test", "countess.ada", "COUNTESS.ADA"] {
        app.open_as(&acme, Family::Individual, name).await;
    }
    let mut other = individual("other@example.test");
    other["username"] = json!("countess.ada");
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &other).await.expect(409);
    assert_eq!(answer.field("field"), "username");
    // Somebody's e-mail that is not registered yet cannot be taken as a username.
    other["username"] = json!("victim@example.test");
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &other).await.expect(400);
    assert_eq!(answer.complaints(), ["username"]);
    other["username"] = json!("Other@example.test");
    app.backend(&acme, "POST", INDIVIDUAL, &other).await.expect(200);
}

#[tokio::test]
async fn a_registration_costs_one_hash_and_a_refused_one_none() {
    let (app, acme) = start().await;
    let hashes = || app.app.passwords.evaluations();
    let before = hashes();
    app.individual(&acme, "ada@example.test").await;
    assert_eq!(hashes(), before + 1);
    app.backend(&acme, "POST", INDIVIDUAL, &json!({ "email": "x" })).await.expect(400);
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    let before = hashes();
    app.by(&viewer, &acme, "POST", INDIVIDUAL, &individual("two@example.test")).await.expect(403);
    app.call(Call::new("POST", INDIVIDUAL).json(&individual("two@example.test"))).await.expect(401);
    assert_eq!(hashes(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn R037_a_registration_that_cannot_be_hashed_in_time_is_503_and_leaves_nothing() {
    let mut wanted = one_thread();
    wanted.passwords.deadline = Duration::from_millis(50);
    let app = TestApp::start_with(wanted).await;
    let acme = app.tenant("acme").await;
    // The one thread is busy for longer than that.
    app.set_hash(acme.person(Family::Individual), &SLOW_HASH).await;
    let before = app.number_of("customers").await;
    let login = app.send_apart(&acme.login(Family::Individual));
    app.begun(1).await;
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &individual("ada@example.test")).await.expect(503);
    assert_eq!(answer.error_type(), "OVERLOADED");
    assert!(answer.headers.contains_key("retry-after"));
    assert_eq!(app.number_of("customers").await, before);
    login.await.unwrap().expect(200);
}
