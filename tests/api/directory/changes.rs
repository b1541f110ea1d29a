//! What is changed of customers and users, and what follows.

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::start;
use crate::support::app::{TestApp, TestTenant};
use crate::support::directory::{CUSTOMERS, INDIVIDUAL, USERS, individual, new_user};

async fn user(app: &TestApp, tenant: &TestTenant, id: &str) -> Value {
    app.look(tenant, &format!("{USERS}/{id}")).await.expect(200).data().clone()
}

#[tokio::test]
async fn what_is_left_out_stays_null_takes_away_and_a_value_is_put_in_its_place() {
    let (app, acme) = start().await;
    let (_, id) = app.individual(&acme, "ada@example.test").await;
    let path = format!("{USERS}/{id}");
    let mut expected = user(&app, &acme, &id).await;
    for (field, value) in [
        ("firstName", json!("Augusta")),
        ("lastName", json!("King")),
        ("fullName", json!("Countess of Lovelace")),
        ("gender", json!("f")),
        ("username", json!("countess")),
        ("email", json!("Countess@example.test")),
        ("dateOfBirth", json!("1815-12-10")),
        ("nationality", json!("GB")),
        ("placeOfBirth", json!("London")),
        ("pincode", json!("W1")),
        ("roles", json!(["MASTER"])),
        ("metadata", json!({ "tier": "gold" })),
        ("phones", json!([{ "phoneType": "HOME", "encoding": "E164", "number": "+442071234567" }])),
    ] {
        app.clock.advance(1_000);
        let answer = app.backend(&acme, "PATCH", &path, &json!({ field: value })).await.expect(200);
        expected[field] = value;
        expected["updatedAt"] = json!(app.clock.now().to_string());
        assert_eq!(*answer.data(), expected, "{field}");
        assert_eq!(user(&app, &acme, &id).await, expected);
    }
    for (field, gone) in [
        ("firstName", Value::Null),
        ("lastName", Value::Null),
        ("fullName", Value::Null),
        ("gender", Value::Null),
        ("username", Value::Null),
        ("dateOfBirth", Value::Null),
        ("nationality", Value::Null),
        ("placeOfBirth", Value::Null),
        ("pincode", Value::Null),
        ("roles", json!([])),
        ("metadata", json!({})),
        ("phones", json!([])),
    ] {
        app.backend(&acme, "PATCH", &path, &json!({ field: null })).await.expect(200);
        expected[field] = gone;
        assert_eq!(user(&app, &acme, &id).await, expected, "{field}");
    }
    let answer = app.backend(&acme, "PATCH", &path, &json!({ "email": null })).await.expect(400);
    assert_eq!(answer.complaints(), ["email"], "the last name to log in by");
}

#[tokio::test]
async fn nothing_different_is_no_change_and_no_event() {
    let (app, acme) = start().await;
    let (customer, id) = app.organization(&acme, "ada@example.test").await;
    let (before, events) = (user(&app, &acme, &id).await, app.number_of("events").await);
    app.clock.advance(1_000);
    for body in
        [json!({}), json!({ "email": "ada@example.test", "gender": null, "roles": ["ACCOUNT_OWNER"] })]
    {
        let answer = app.backend(&acme, "PATCH", &format!("{USERS}/{id}"), &body).await.expect(200);
        assert_eq!(*answer.data(), before);
    }
    let same = json!({ "customerName": "Analytical Engines" });
    app.backend(&acme, "PATCH", &format!("{CUSTOMERS}/{customer}"), &same).await.expect(200);
    assert_eq!(app.number_of("events").await, events);
}

#[tokio::test]
async fn R064_a_changed_email_is_the_name_at_once_the_old_one_nobodys_and_sessions_go_on() {
    let (app, acme) = start().await;
    let (_, id) = app.individual(&acme, "old@example.test").await;
    let opened = app.open_as(&acme, Family::Individual, "old@example.test").await;
    let path = format!("{USERS}/{id}");
    app.backend(&acme, "PATCH", &path, &json!({ "email": "new@example.test" })).await.expect(200);
    app.view(&acme, &opened).await.expect(200);
    app.open_as(&acme, Family::Individual, "new@example.test").await;
    app.send(acme.login(Family::Individual).named("old@example.test").request()).await.expect(401);
    // Another may have the old one, and is another user.
    let (_, other) = app.individual(&acme, "old@example.test").await;
    assert_ne!(other, id);
    let answer =
        app.backend(&acme, "PATCH", &path, &json!({ "email": "OLD@example.test" })).await.expect(409);
    assert_eq!(answer.field("field"), "email");
    assert_eq!(user(&app, &acme, &id).await["email"], "new@example.test");
    app.open_as(&acme, Family::Individual, "new@example.test").await;
    // The same name in other letters is the same name, and is shown as typed.
    app.backend(&acme, "PATCH", &path, &json!({ "email": "New@Example.test" })).await.expect(200);
    assert_eq!(user(&app, &acme, &id).await["email"], "New@Example.test");
    assert_eq!(app.details_of(&acme, "user_updated").await[0], json!({ "fields": ["email"] }));
}

#[tokio::test]
async fn two_changes_can_swap_names_in_two_steps_and_a_username_may_become_the_email() {
    let (app, acme) = start().await;
    let mut body = individual("ada@example.test");
    body["username"] = json!("ada");
    let answer = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200);
    let path = format!("{USERS}/{}", answer.data()["user"]["id"].as_str().unwrap());
    for change in [
        json!({ "username": "ada@example.test" }),
        json!({ "username": "ada.b", "email": "b@example.test" }),
        json!({ "username": null }),
        json!({ "username": "only", "email": null }),
    ] {
        app.backend(&acme, "PATCH", &path, &change).await.expect(200);
    }
    app.open_as(&acme, Family::Individual, "only").await;
    for gone in ["ada", "ada@example.test", "ada.b", "b@example.test"] {
        app.send(acme.login(Family::Individual).named(gone).request()).await.expect(401);
    }
    let answer =
        app.backend(&acme, "PATCH", &path, &json!({ "username": "v@example.test" })).await.expect(400);
    assert_eq!(answer.complaints(), ["username"]);
}

#[tokio::test]
async fn other_roles_are_an_event_with_both_lists_and_hold_from_the_next_request_and_token_on() {
    let (app, acme) = start().await;
    let (_, id) = app.individual(&acme, "ada@example.test").await;
    let opened = app.open_as(&acme, Family::Individual, "ada@example.test").await;
    let roles = json!({ "roles": ["ACCOUNTANT"] });
    app.backend(&acme, "PATCH", &format!("{USERS}/{id}"), &roles).await.expect(200);
    assert_eq!(app.view(&acme, &opened).await.expect(200).data()["roles"], json!(["ACCOUNTANT"]));
    let next = app.send(acme.login(Family::Individual).named("ada@example.test").request()).await;
    assert_eq!(next.claims()["roles"], json!(["ACCOUNTANT"]));
    let events = app.details_of(&acme, "privilege_permissions_changed").await;
    assert_eq!(events, [json!({ "before": ["ACCOUNT_OWNER", "USER"], "after": ["ACCOUNTANT"] })]);
    assert!(app.details_of(&acme, "user_updated").await.is_empty());

    // Staff can do at once what their new role lets them, and no longer what the old one did.
    let admin = app.open(&acme, Family::Admin).await;
    let staff = app.staff(&acme, &["VIEWER"]).await;
    let body = json!({ "gender": "x" });
    let path = format!("{USERS}/{id}");
    app.by(&staff, &acme, "PATCH", &path, &body).await.expect(403);
    let staffs = format!("{USERS}/{}", staff.data["userId"].as_str().unwrap());
    app.by(&admin, &acme, "PATCH", &staffs, &json!({ "roles": ["ADMIN"] })).await.expect(200);
    app.by(&staff, &acme, "PATCH", &path, &body).await.expect(200);
    app.by(&admin, &acme, "PATCH", &staffs, &json!({ "roles": ["AUDITOR"] })).await.expect(400);
    app.by(&admin, &acme, "PATCH", &staffs, &json!({ "roles": ["VIEWER", "AUDITOR"] })).await.expect(200);
    app.by(&staff, &acme, "PATCH", &path, &json!({ "gender": "y" })).await.expect(403);
}

#[tokio::test]
async fn an_admin_takes_nothing_from_themselves_and_the_last_one_stays_but_a_backend_may() {
    let (app, acme) = start().await;
    let admin = app.open(&acme, Family::Admin).await;
    let own = format!("{USERS}/{}", admin.data["userId"].as_str().unwrap());
    let other = app.staff(&acme, &["ADMIN"]).await;
    for (method, path, body) in [
        ("PATCH", own.clone(), json!({ "roles": ["VIEWER"] })),
        ("POST", format!("{own}/suspend"), json!({})),
        ("POST", format!("{own}/close"), json!({})),
        ("POST", format!("{own}/erase"), json!({})),
    ] {
        let answer = app.by(&admin, &acme, method, &path, &body).await.expect(409);
        assert_eq!(answer.field("field"), "userId", "{path}");
    }
    // What takes no power away is theirs to do.
    app.by(&admin, &acme, "PATCH", &own, &json!({ "roles": ["ADMIN", "AUDITOR"], "gender": "x" }))
        .await
        .expect(200);
    let others = format!("{USERS}/{}", other.data["userId"].as_str().unwrap());
    app.by(&admin, &acme, "POST", &format!("{others}/suspend"), &json!({})).await.expect(200);
    app.by(&admin, &acme, "POST", &format!("{others}/close"), &json!({})).await.expect(200);
    app.act(&acme, USERS, admin.data["userId"].as_str().unwrap(), "suspend").await.expect(200);
    app.view(&acme, &admin).await.expect(401);
}

#[tokio::test]
async fn a_member_of_staff_is_added_to_the_house_with_a_role_that_permits_something() {
    let (app, acme) = start().await;
    let admin = app.open(&acme, Family::Admin).await;
    let body = new_user("grace@example.test", &["VIEWER", "COMPLIANCE_OFFICER"]);
    let added = app.by(&admin, &acme, "POST", USERS, &body).await.expect(200);
    assert_eq!(added.field("kind"), "staff");
    assert_eq!(added.data()["customerId"], admin.data["customerId"]);
    let grace = app.open_as(&acme, Family::Admin, "grace@example.test").await;
    assert_eq!(grace.data["roles"], json!(["VIEWER", "COMPLIANCE_OFFICER"]));
    app.by(&grace, &acme, "POST", USERS, &new_user("x@example.test", &["VIEWER"])).await.expect(403);
    for roles in [&[][..], &["USER"], &["COMPLIANCE_OFFICER"]] {
        let answer = app.backend(&acme, "POST", USERS, &new_user("y@example.test", roles)).await.expect(400);
        assert_eq!(answer.complaints(), ["roles"]);
    }
    // Without a password they are there and cannot log in.
    let mut body = new_user("alan@example.test", &["OPERATOR"]);
    body["password"] = Value::Null;
    body["matchingPassword"] = Value::Null;
    let added = app.backend(&acme, "POST", USERS, &body).await.expect(200);
    assert_eq!(added.data()["hasPassword"], false);
    app.send(acme.login(Family::Admin).named("alan@example.test").request()).await.expect(401);
    let answer = app.backend(&acme, "POST", USERS, &body).await.expect(409);
    assert_eq!(answer.field("field"), "email");
}

#[tokio::test]
async fn an_organization_has_many_users_and_an_individual_one() {
    let (app, acme) = start().await;
    let (organization, first) = app.organization(&acme, "office@example.test").await;
    let (individual, _) = app.individual(&acme, "ada@example.test").await;
    let path = format!("{CUSTOMERS}/{organization}/users");
    let mut body = new_user("grace@example.test", &["ACCOUNTANT"]);
    body["phones"] = json!([{ "number": "+370 600 00009" }]);
    let added = app.backend(&acme, "POST", &path, &body).await.expect(200);
    assert_eq!(added.data()["customerId"], json!(organization));
    assert_eq!(added.data()["phones"][0]["number"], "+37060000009");
    let opened = app.open_as(&acme, Family::Organization, "grace@example.test").await;
    assert_eq!(opened.data["customerId"], json!(organization));
    let listed = app.look(&acme, &path).await.expect(200);
    let mut ids: Vec<_> = listed.data()["items"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
    ids.sort_by_key(ToString::to_string);
    let mut expected = [&json!(first), &added.data()["id"]];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(ids, expected);

    let house = acme.person(Family::Admin).customer.as_str();
    let other = new_user("other@example.test", &["USER"]);
    for customer in [individual.as_str(), house] {
        let path = format!("{CUSTOMERS}/{customer}/users");
        let answer = app.backend(&acme, "POST", &path, &other).await.expect(409);
        assert_eq!(answer.field("field"), "customerId");
    }
    app.act(&acme, CUSTOMERS, &organization, "suspend").await.expect(200);
    app.backend(&acme, "POST", &path, &other).await.expect(200);
    app.send(acme.login(Family::Organization).named("other@example.test").request()).await.expect(401);
    app.act(&acme, CUSTOMERS, &organization, "close").await.expect(200);
    let answer = app.backend(&acme, "POST", &path, &new_user("z@example.test", &["USER"])).await.expect(409);
    assert_eq!(answer.field("field"), "customerId");
}

#[tokio::test]
async fn a_customer_is_changed_part_by_part_and_an_individual_has_no_register() {
    let (app, acme) = start().await;
    let (organization, _) = app.organization(&acme, "office@example.test").await;
    let path = format!("{CUSTOMERS}/{organization}");
    let change = json!({ "customerName": " Difference Engines ", "customerCategory": null,
                         "organization": { "legalName": "Difference Engines AB" } });
    let answer = app.backend(&acme, "PATCH", &path, &change).await.expect(200);
    assert_eq!(answer.field("customerName"), "Difference Engines");
    assert_eq!(answer.data()["customerCategory"], json!({ "id": null, "name": null }));
    assert_eq!(
        answer.data()["organizationDetails"],
        json!({ "legalName": "Difference Engines AB", "tradingName": null, "registrationNumber": null, "taxId": null })
    );
    let fields = json!(["customerName", "customerCategory", "organization"]);
    assert_eq!(app.details_of(&acme, "customer_updated").await, [json!({ "fields": fields })]);
    let found = app.look(&acme, &format!("{CUSTOMERS}?text=difference")).await;
    assert_eq!(found.data()["items"].as_array().unwrap().len(), 1);

    let (individual, _) = app.individual(&acme, "ada@example.test").await;
    let answer = app
        .backend(
            &acme,
            "PATCH",
            &format!("{CUSTOMERS}/{individual}"),
            &json!({ "organization": { "taxId": "1" } }),
        )
        .await
        .expect(400);
    assert_eq!(answer.complaints(), ["organization"]);
}

#[tokio::test]
async fn nothing_of_what_is_closed_is_changed() {
    let (app, acme) = start().await;
    let (customer, _) = app.organization(&acme, "office@example.test").await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    app.act(&acme, USERS, &user, "close").await.expect(200);
    app.act(&acme, CUSTOMERS, &customer, "close").await.expect(200);
    for (path, body) in [
        (format!("{USERS}/{user}"), json!({ "gender": "x" })),
        (format!("{CUSTOMERS}/{customer}"), json!({ "customerName": "x" })),
    ] {
        let answer = app.backend(&acme, "PATCH", &path, &body).await.expect(409);
        assert_eq!(answer.field("field"), "status");
    }
}

#[tokio::test]
async fn an_individual_without_a_name_of_its_own_is_called_as_its_user_is() {
    let (app, acme) = start().await;
    let (customer, user) = app.individual(&acme, "ada@example.test").await;
    let customer = format!("{CUSTOMERS}/{customer}");
    let rename = async |field: &str, name: &str| {
        let body = json!({ field: name });
        app.backend(&acme, "PATCH", &format!("{USERS}/{user}"), &body).await.expect(200);
        app.look(&acme, &customer).await.expect(200).field("customerName").to_owned()
    };
    let last = app.look(&acme, &format!("{USERS}/{user}")).await.expect(200).field("lastName").to_owned();
    assert_eq!(rename("firstName", "Augusta").await, format!("Augusta {last}"));
    assert_eq!(rename("lastName", "King").await, "Augusta King");
    let found = app.look(&acme, &format!("{CUSTOMERS}?text=augusta%20king")).await.expect(200);
    assert_eq!(found.data()["items"].as_array().unwrap().len(), 1);
    app.backend(&acme, "PATCH", &customer, &json!({ "customerName": "The Countess" })).await.expect(200);
    assert_eq!(rename("lastName", "Byron").await, "The Countess");
}
