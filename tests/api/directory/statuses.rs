//! Statuses: which move leads where, and what ends with it.

use serde_json::json;
use vestibule::customers::CustomerStatus;
use vestibule::db::Statement;
use vestibule::ids::{CustomerId, UserId};
use vestibule::tenants::Family;

use super::start;
use crate::support::calls::Call;
use crate::support::directory::{CUSTOMERS, USERS};

#[tokio::test]
async fn a_customers_moves_lead_where_the_table_says_and_all_others_are_a_409_that_says_what_is() {
    let (app, acme) = start().await;
    let (id, _) = app.organization(&acme, "office@example.test").await;
    let customer = CustomerId::parse(&id).unwrap();
    for (status, moves) in [
        ("active", ["ACTIVE", "SUSPENDED", "ACTIVE", "CLOSED"]),
        ("pending_activation", ["ACTIVE", "SUSPENDED", "409", "CLOSED"]),
        ("pending_verification", ["ACTIVE", "SUSPENDED", "409", "CLOSED"]),
        ("registration_completed", ["ACTIVE", "SUSPENDED", "409", "CLOSED"]),
        ("suspended", ["409", "SUSPENDED", "CS_REGISTRATION_COMPLETED", "CLOSED"]),
        ("closed", ["409", "409", "409", "CLOSED"]),
    ] {
        for (act, expected) in ["activate", "suspend", "resume", "close"].into_iter().zip(moves) {
            let sql = "update customers set status = $3, status_before = 'registration_completed' \
                       where tenant_id = $1 and id = $2 returning id";
            app.change(Statement::new(sql).bind(&acme.id).bind(&customer).bind(status)).await;
            let answer = app.act(&acme, CUSTOMERS, &id, act).await;
            if expected == "409" {
                let answer = answer.expect(409);
                assert_eq!(answer.field("field"), "status");
                let shown = CustomerStatus::parse(status).unwrap().documented();
                let details = answer.field("details");
                assert!(details.contains(shown) || act == "resume", "{details}");
            } else {
                assert_eq!(answer.expect(200).field("customerStatus"), expected, "{status} {act}");
            }
        }
    }
}

#[tokio::test]
async fn a_users_moves_lead_where_the_table_says_and_all_others_are_a_409_that_says_what_is() {
    let (app, acme) = start().await;
    let (_, id) = app.organization(&acme, "office@example.test").await;
    let user = UserId::parse(&id).unwrap();
    for (status, moves) in [
        ("active", ["SUSPENDED", "ACTIVE", "CLOSED"]),
        ("suspended", ["SUSPENDED", "ACTIVE", "CLOSED"]),
        ("closed", ["409", "409", "CLOSED"]),
    ] {
        for (act, expected) in ["suspend", "resume", "close"].into_iter().zip(moves) {
            let sql = "update users set status = $3 where tenant_id = $1 and id = $2 returning id";
            app.change(Statement::new(sql).bind(&acme.id).bind(&user).bind(status)).await;
            let answer = app.act(&acme, USERS, &id, act).await;
            if expected == "409" {
                let answer = answer.expect(409);
                assert_eq!(answer.field("field"), "status");
                assert!(answer.field("details").contains("CLOSED"));
            } else {
                assert_eq!(answer.expect(200).field("status"), expected, "{status} {act}");
            }
        }
    }
}

#[tokio::test]
async fn resuming_gives_back_what_a_customer_was_and_is_no_activation() {
    let (app, acme) = start().await;
    let (id, _) = app.individual(&acme, "ada@example.test").await;
    app.act(&acme, CUSTOMERS, &id, "suspend").await.expect(200);
    let answer = app.act(&acme, CUSTOMERS, &id, "resume").await.expect(200);
    assert_eq!(answer.field("customerStatus"), "CS_REGISTRATION_COMPLETED");
    app.act(&acme, CUSTOMERS, &id, "activate").await.expect(200);
    app.act(&acme, CUSTOMERS, &id, "suspend").await.expect(200);
    assert_eq!(app.act(&acme, CUSTOMERS, &id, "resume").await.field("customerStatus"), "ACTIVE");
}

#[tokio::test]
async fn R064_who_is_suspended_or_closed_has_no_session_from_the_next_request_on_and_resuming_revives_none() {
    let (app, acme) = start().await;
    for (family, email) in
        [(Family::Individual, "ada@example.test"), (Family::Organization, "office@example.test")]
    {
        let (customer, user) = if family == Family::Individual {
            app.individual(&acme, email).await
        } else {
            app.organization(&acme, email).await
        };
        for (what, id, reason) in
            [(USERS, &user, "user_disabled"), (CUSTOMERS, &customer, "customer_suspended")]
        {
            app.clock.advance(1_000);
            let opened = app.open_as(&acme, family, email).await;
            app.view(&acme, &opened).await.expect(200);
            app.act(&acme, what, id, "suspend").await.expect(200);
            app.view(&acme, &opened).await.expect(401);
            app.send(acme.login(family).named(email).request()).await.expect(401);
            app.clock.advance(1_000);
            app.act(&acme, what, id, "resume").await.expect(200);
            app.view(&acme, &opened).await.expect(401);
            assert_eq!(app.end(&acme, &opened).await.expect(200).field("endReason"), reason);
            let again = app.open_as(&acme, family, email).await;
            app.view(&acme, &again).await.expect(200);
        }
        app.clock.advance(1_000);
        let opened = app.open_as(&acme, family, email).await;
        app.act(&acme, USERS, &user, "close").await.expect(200);
        app.view(&acme, &opened).await.expect(401);
        app.send(acme.login(family).named(email).request()).await.expect(401);
    }
}

#[tokio::test]
async fn a_session_that_a_password_change_spared_ends_with_a_suspension_and_stays_ended() {
    let (app, acme) = start().await;
    let (_, id) = app.individual(&acme, "ada@example.test").await;
    let opened = app.open_as(&acme, Family::Individual, "ada@example.test").await;
    let user = UserId::parse(&id).unwrap();
    let sql = "update users set session_kept = $3, sessions_not_before = $4, sessions_end_reason = 'password_changed' \
               where tenant_id = $1 and id = $2 returning id";
    let spared = Statement::new(sql).bind(&acme.id).bind(&user).bind(opened.session.as_str());
    app.change(spared.bind(app.clock.now())).await;
    app.clock.advance(1_000);
    app.act(&acme, USERS, &id, "suspend").await.expect(200);
    app.act(&acme, USERS, &id, "resume").await.expect(200);
    app.view(&acme, &opened).await.expect(401);
    assert_eq!(app.number_of("users where session_kept is not null").await, 0);
}

#[tokio::test]
async fn the_same_move_again_is_answered_alike_and_leaves_one_event_with_its_reason() {
    let (app, acme) = start().await;
    let (customer, user) = app.organization(&acme, "office@example.test").await;
    for (what, id, event) in
        [(USERS, &user, "user_status_changed"), (CUSTOMERS, &customer, "customer_status_changed")]
    {
        let body = json!({ "reason": "lost-phone" });
        let path = format!("{what}/{id}/suspend");
        let first = app.backend(&acme, "POST", &path, &body).await.expect(200);
        app.clock.advance(1_000);
        let again = app.backend(&acme, "POST", &path, &body).await.expect(200);
        assert_eq!(first.text, again.text);
        let events = app.events_named(acme.id.as_str(), event).await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].text("reason").unwrap(), "lost-phone");
        let before = if what == USERS { "active" } else { "registration_completed" };
        assert_eq!(app.details_of(&acme, event).await, [json!({ "before": before, "after": "suspended" })]);
        // Without a body, and with an empty one.
        app.call(Call::new("POST", &path).backend(&acme)).await.expect(200);
        app.backend(&acme, "POST", &path, &json!({})).await.expect(200);
        app.call(Call::new("POST", &path).backend(&acme).body("{}")).await.expect(415);
    }
}

#[tokio::test]
async fn the_tenants_own_organization_keeps_its_status() {
    let (app, acme) = start().await;
    let house = acme.person(Family::Admin).customer.as_str();
    let admin = app.open(&acme, Family::Admin).await;
    for act in ["activate", "suspend", "resume", "close", "erase"] {
        let answer = app.act(&acme, CUSTOMERS, house, act).await.expect(409);
        assert_eq!(answer.field("field"), "customerId");
    }
    app.view(&acme, &admin).await.expect(200);
    let seen = app.look(&acme, &format!("{CUSTOMERS}/{house}")).await.expect(200);
    assert_eq!((&seen.data()["house"], seen.field("customerStatus")), (&json!(true), "ACTIVE"));
    let listed = app.look(&acme, CUSTOMERS).await.expect(200);
    assert!(!listed.text.contains(house), "it is nobody's customer");
}
