//! The three families: who logs in where, and what the path's ids mean.

use axum::http::Method;
use serde_json::json;
use vestibule::tenants::Family;

use crate::support::app::{NIL, TestApp};

#[tokio::test]
async fn a_login_on_each_family_opens_a_session_that_its_token_shows_and_ends() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let opened = app.login(&tenant, family).await.expect(200);
        let (session, token) = (opened.field("sessionId"), opened.field("token"));
        let shown = app.session_call(Method::GET, &tenant, family, session, token).await.expect(200);
        assert_eq!(shown.data()["endedAt"], serde_json::Value::Null);
        let ended = app.session_call(Method::DELETE, &tenant, family, session, token).await.expect(200);
        assert_eq!(ended.field("endReason"), "logout");
        app.session_call(Method::GET, &tenant, family, session, token).await.expect(401);
    }
}

#[tokio::test]
async fn on_organization_and_admin_the_customer_is_the_organization() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let answer = app.login(&tenant, family).await.expect(200);
        let person = tenant.person(family);
        let (data, user) = (answer.data(), &answer.data()["user"]);
        for id in [&data["customerId"], &user["customerId"], &answer.claims()["customerId"]] {
            assert_eq!(id, person.customer.as_str(), "{family:?}");
        }
        for id in [&data["userId"], &user["id"], &answer.claims()["userId"], &answer.claims()["sub"]] {
            assert_eq!(id, person.id.as_str(), "{family:?}");
        }
        for id in [&data["tenantId"], &user["tenantId"], &answer.claims()["tenantId"]] {
            assert_eq!(id, tenant.id.as_str(), "{family:?}");
        }
        let organization = if family == Family::Individual { json!(null) } else { json!(person.customer) };
        assert_eq!(user["organizationId"], organization, "{family:?}");
        let (role, kind) = if family == Family::Admin { ("ADMIN", "ADMIN") } else { ("USER", "CONSUMER") };
        assert_eq!((&data["roles"], &user["role"]), (&json!([role]), &json!(role)), "{family:?}");
        assert_eq!(answer.claims()["userType"], kind, "{family:?}");
        assert_eq!(answer.claims()["roles"], json!([role]), "{family:?}");
    }
}

#[tokio::test]
async fn a_staff_user_of_a_lesser_role_is_still_an_admin_by_type() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.update_user(tenant.person(Family::Admin), "roles = '[\"VIEWER\"]'").await;
    let answer = app.login(&tenant, Family::Admin).await.expect(200);
    assert_eq!(answer.claims()["userType"], "ADMIN");
    assert_eq!(answer.claims()["roles"], json!(["VIEWER"]));
    // Nor does a customer's role make staff of a customer.
    app.update_user(tenant.person(Family::Individual), "roles = '[\"ADMIN\"]'").await;
    let answer = app.login(&tenant, Family::Individual).await.expect(200);
    assert_eq!(answer.claims()["userType"], "CONSUMER");
    app.send(tenant.login(Family::Individual).at(Family::Admin, NIL, NIL).request()).await.expect(401);
}

#[tokio::test]
async fn ids_in_the_path_are_nil_or_the_users_own_in_any_case_and_anything_else_is_a_wrong_password() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let (own, other) = (tenant.person(family), app.add_person(&tenant, family, "other@x.test").await);
        app.script("delete from login_names where name = 'other@x.test'").await;
        let (customer, user) = (own.customer.as_str(), own.id.as_str());
        let upper = (customer.to_uppercase(), user.to_uppercase());
        let opaque = "6r1k1hw6npq";
        for (owner, id, status) in [
            (NIL, NIL, 200),
            (customer, NIL, 200),
            (NIL, user, 200),
            (customer, user, 200),
            (&upper.0, &upper.1, 200),
            (other.customer.as_str(), user, 401),
            (customer, other.id.as_str(), 401),
            (other.customer.as_str(), other.id.as_str(), 401),
            (user, customer, 401),
            (opaque, NIL, 401),
            (NIL, opaque, 401),
            ("a.b", NIL, 400),
            (NIL, "a.b", 400),
            (NIL, &"x".repeat(65), 400),
        ] {
            let answer = app.send(tenant.login(family).at(family, owner, id).request()).await;
            assert_eq!(answer.status, status, "{family:?} {owner} {id}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn imported_ids_that_are_no_uuids_stand_in_path_answer_and_token() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let email = &tenant.person(Family::Individual).email;
    let (tenant_id, user) = (&tenant.id, "6r1k1hw6npq");
    app.script(&format!(
        "insert into users (tenant_id, id, customer_id, kind, status, password_hash, roles, phones, created_at, \
         updated_at) select tenant_id, '{user}', customer_id, kind, status, password_hash, roles, phones, 0, 0 \
         from users where email = '{email}'; \
         update login_names set user_id = '{user}' where tenant_id = '{tenant_id}' and name = '{email}'"
    ))
    .await;
    let call = tenant.login(Family::Individual).at(Family::Individual, NIL, user);
    let answer = app.send(call.request()).await.expect(200);
    assert_eq!((answer.field("userId"), answer.claims()["sub"].as_str()), (user, Some(user)));
}

#[tokio::test]
async fn each_family_admits_only_its_own_people_and_answers_the_rest_like_a_wrong_password() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let wrong =
        app.send(tenant.login(Family::Individual).set("password", "wrong").request()).await.expect(401);
    for asked in Family::ALL {
        for whose in Family::ALL.into_iter().filter(|whose| *whose != asked) {
            let person = tenant.person(whose);
            for (owner, user) in [(NIL, NIL), (person.customer.as_str(), person.id.as_str())] {
                let call = tenant.login(whose).at(asked, owner, user);
                let (answer, hashes) = app.hashes_of(&call).await;
                assert_eq!(answer.fingerprint(), wrong.fingerprint(), "{whose:?} on {asked:?}");
                assert_eq!(hashes, 1);
                app.script("update throttles set failures = 0").await;
            }
        }
    }
}
