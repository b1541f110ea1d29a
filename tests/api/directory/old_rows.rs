//! Rows of the schema from before the directory, whether they were there or an older node writes them still.

use vestibule::flows::complete_old_rows;

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
