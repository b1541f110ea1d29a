//! Rows of the schema from before the directory, whether they were there or an older node writes them still.

use serde_json::json;
use vestibule::flows::complete_old_rows;
use vestibule::ids::UserId;
use vestibule::tenants::Family;
use vestibule::users;
use vestibule::users::directory::UserRecord;

use super::start;
use crate::support::app::{TestApp, TestTenant};
use crate::support::directory::{CUSTOMERS, USERS};

/// The ids on the first page.
async fn found(app: &TestApp, tenant: &TestTenant, path: &str) -> Vec<String> {
    let answer = app.look(tenant, path).await.expect(200);
    answer.data()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_older_versions_customers_and_users_are_found_by_text_and_number_like_all_others() {
    let (app, acme) = start().await;
    let (office, user) = app.organization(&acme, "office@example.test").await;
    // More than one slice of them, and one that is erased.
    app.script(&format!(
        "insert into customers (tenant_id, id, kind, house, status, name, created_at, updated_at) \
         select c.tenant_id, 'old' || n.n, c.kind, c.house, c.status, 'Old Mill ' || n.n, 7, 7 from customers c, \
         (with recursive n(n) as (select 1 union all select n + 1 from n where n < 130) select n from n) n \
         where c.id = '{office}'; \
         insert into users (tenant_id, id, customer_id, kind, status, roles, phones, email, first_name, created_at, updated_at) \
         select u.tenant_id, 'old' || n.n, 'old' || n.n, u.kind, u.status, u.roles, \
         '[{{\"phoneType\":\"MOBILE\",\"encoding\":\"E164\",\"number\":\"+3706120' || (1000 + n.n) || '\"}}]', \
         'miller' || n.n || '@example.test', 'Millerson', 7, 7 from users u, \
         (with recursive n(n) as (select 1 union all select n + 1 from n where n < 130) select n from n) n \
         where u.id = '{user}'; \
         insert into login_names (tenant_id, name, user_id, kind) \
         select tenant_id, 'the-miller', id, 'username' from users where id = 'old77'; \
         update users set erased_at = 7, status = 'closed', phones = '[]', email = null, first_name = null \
         where id = 'old130'"
    ))
    .await;
    let searches = [
        (USERS, "text=millerson&limit=200", 129),
        (USERS, "phone=%2B37061201077", 1),
        (CUSTOMERS, "phone=%2B37061201077", 1),
    ];
    assert!(found(&app, &acme, &format!("{USERS}?phone=%2B37061201077")).await.is_empty());
    for _ in 0..2 {
        complete_old_rows(&app.database).await.unwrap();
        for (what, search, number) in searches {
            assert_eq!(found(&app, &acme, &format!("{what}?{search}")).await.len(), number, "{search}");
        }
        assert_eq!(found(&app, &acme, &format!("{USERS}?text=THE-MILLER")).await, ["old77"]);
        assert_eq!(found(&app, &acme, &format!("{USERS}?text=miller129%40")).await, ["old129"]);
        assert_eq!(found(&app, &acme, &format!("{CUSTOMERS}?text=old%20mill%20129")).await, ["old129"]);
        let seen = app.look(&acme, &format!("{USERS}/old77")).await.expect(200);
        assert_eq!(seen.field("username"), "the-miller");
        let touched =
            app.number_of("users where id like 'old%' and (revision <> 2 or updated_at <> 7)").await;
        assert_eq!(touched, 1, "each once, without a trace of it, and the erased one not at all");
        assert_eq!(app.number_of("user_phones where user_id like 'old%'").await, 129);
        assert_eq!(app.number_of("users where search = '' and erased_at is null").await, 0);
        assert_eq!(app.number_of("customers where search = ''").await, 0);
    }
}

#[tokio::test]
async fn an_older_versions_user_who_is_changed_first_keeps_the_username() {
    let (app, acme) = start().await;
    let person = acme.person(Family::Individual);
    app.script(&format!(
        "update users set username = null, search = '' where id = '{0}'; \
         insert into login_names (tenant_id, name, user_id, kind) \
         select tenant_id, 'the-miller', id, 'username' from users where id = '{0}'",
        person.id
    ))
    .await;
    let path = format!("{USERS}/{}", person.id);
    for body in [json!({ "lastName": "Miller" }), json!({ "email": "moved@example.test" })] {
        let answer = app.backend(&acme, "PATCH", &path, &body).await.expect(200);
        assert_eq!(answer.field("username"), "the-miller");
    }
    let login = acme.login(Family::Individual).named("the-miller");
    app.send(login.request()).await.expect(200);
}

#[tokio::test]
async fn what_was_erased_meanwhile_is_not_written_back() {
    let (app, acme) = start().await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    let user = UserId::parse(&user).unwrap();
    let rows = app.database.fetch(users::directory::store::find(&acme.id, &user)).await.unwrap();
    let read = UserRecord::from_row(&rows[0]).unwrap();
    app.act(&acme, USERS, user.as_str(), "close").await.expect(200);
    let rows = app.database.fetch(users::directory::store::find(&acme.id, &user)).await.unwrap();
    let closed = UserRecord::from_row(&rows[0]).unwrap();
    app.act(&acme, USERS, user.as_str(), "erase").await.expect(200);
    for record in [read, closed] {
        let late = users::directory::store::update(&acme.id, &record, app.clock.now());
        app.database.apply(late).await.unwrap_err();
    }
    assert_eq!(app.look(&acme, &format!("{USERS}/{user}")).await.expect(200).data()["email"], json!(null));
}
