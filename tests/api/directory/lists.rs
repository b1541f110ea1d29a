//! Lists: every filter, and cursors across pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::start;
use crate::support::app::{TestApp, TestTenant};
use crate::support::directory::{CUSTOMERS, INDIVIDUAL, USERS, individual, new_user};

/// The ids of one page, and the cursor of the next.
async fn page(app: &TestApp, tenant: &TestTenant, path: &str) -> (Vec<String>, Option<String>) {
    let answer = app.look(tenant, path).await.expect(200);
    let items = answer.data()["items"].as_array().unwrap();
    let ids = items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    (ids, answer.data()["nextCursor"].as_str().map(str::to_owned))
}

/// The ids of all pages of so many.
async fn all(app: &TestApp, tenant: &TestTenant, path: &str, limit: usize) -> Vec<String> {
    let join = if path.contains('?') { '&' } else { '?' };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let after = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("{path}{join}limit={limit}{after}");
        let (ids, next) = page(app, tenant, &path).await;
        assert!(ids.len() <= limit);
        found.extend(ids);
        match next {
            Some(next) => cursor = Some(next),
            None => return found,
        }
    }
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[tokio::test]
async fn pages_show_everybody_who_was_there_once_whoever_comes_in_between() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    app.individual(&globex, "elsewhere@example.test").await;
    let (mut users, mut customers) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..9 {
        let (customer, user) = app.individual(&acme, &format!("user{number}@example.test")).await;
        users.insert(user);
        customers.insert(customer);
    }
    for (what, there) in [(USERS, &users), (CUSTOMERS, &customers)] {
        let (mut seen, mut cursor, mut number) = (Vec::new(), String::new(), 0);
        loop {
            let (ids, next) = page(&app, &acme, &format!("{what}?limit=2{cursor}")).await;
            seen.extend(ids);
            number += 1;
            app.individual(&acme, &format!("{}@example.test", vestibule::ids::random_uuid())).await;
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert!(number >= 5);
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        assert_eq!(distinct.len(), seen.len(), "nobody twice");
        assert!(distinct.is_superset(there));
        assert!(seen.is_sorted() || !app.database.is_sqlite());
    }
    let whole = all(&app, &acme, USERS, 200).await;
    for limit in [1, 2, 3, 50] {
        assert_eq!(all(&app, &acme, USERS, limit).await, whole, "pages of {limit}");
    }
    // A page that is exactly full is the last where nobody follows.
    assert_eq!(page(&app, &acme, &format!("{USERS}?limit={}", whole.len())).await, (whole, None));
}

#[tokio::test]
async fn every_filter_of_users_finds_whom_it_should_and_nobody_else() {
    let (app, acme) = start().await;
    let (one_customer, one) = app.individual(&acme, "ada.one@example.test").await;
    let mut body = individual("ada.two@example.test");
    body["phone"] = json!("+37060000002");
    body["username"] = json!("Enchantress");
    body["lastName"] = json!("Byron");
    let two = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200);
    let two = two.data()["user"]["id"].as_str().unwrap().to_owned();
    let (office, three) = app.organization(&acme, "office@example.test").await;
    let path = format!("{CUSTOMERS}/{office}/users");
    let mut body = new_user("grace@example.test", &["USER"]);
    body["phones"] = json!([{ "number": "+37060000001", "phoneType": "WORK" }, { "number": "+37060000004" }]);
    let four = app.backend(&acme, "POST", &path, &body).await.expect(200).field("id").to_owned();
    app.act(&acme, USERS, &two, "suspend").await.expect(200);
    app.act(&acme, USERS, &three, "close").await.expect(200);
    let staff = &acme.people[2].id.to_string();
    let (first, second) = (&acme.people[0].id.to_string(), &acme.people[1].id.to_string());
    for (query, expected) in [
        ("", vec![&one, &two, &three, &four, staff, first, second]),
        ("status=ACTIVE", vec![&one, &four, staff, first, second]),
        ("status=SUSPENDED", vec![&two]),
        ("status=CLOSED", vec![&three]),
        ("kind=staff", vec![staff]),
        ("kind=customer&status=ACTIVE", vec![&one, &four, first, second]),
        (&format!("customerId={office}"), vec![&three, &four]),
        (&format!("customerId={office}&status=ACTIVE"), vec![&four]),
        (&format!("customerId={one_customer}"), vec![&one]),
        ("customerId=nobody", vec![]),
        ("email=ADA.one@example.test", vec![&one]),
        ("email=ada.one@example.test&status=CLOSED", vec![]),
        ("email=ada.one@example.test&phone=%2B37060000001", vec![&one]),
        ("email=ada.one@example.test&phone=%2B37060000002", vec![]),
        ("email=ada.two@example.test", vec![&two]),
        ("email=ada@example.test", vec![]),
        ("phone=%2B37060000001", vec![&one, &four]),
        ("phone=%2B370%20600-00004", vec![&four]),
        (&format!("phone=%2B37060000001&customerId={office}"), vec![&four]),
        ("phone=%2B37060000009", vec![]),
        ("text=ADA", vec![&one, &two, first, second, staff]),
        ("text=byron", vec![&two]),
        ("text=enchantr", vec![&two]),
        ("text=60000004", vec![&four]),
        ("text=grace%20hopper", vec![&four]),
        ("text=one@ex&kind=customer&status=ACTIVE", vec![&one]),
        ("text=nobody", vec![]),
    ] {
        for limit in [1, 100] {
            let found = all(&app, &acme, &format!("{USERS}?{query}"), limit).await;
            let distinct: BTreeSet<_> = found.iter().cloned().collect();
            assert_eq!(distinct, set(&expected), "{query}");
            assert_eq!(found.len(), expected.len(), "{query}: nobody twice");
        }
    }
}

#[tokio::test]
async fn every_filter_of_customers_finds_what_it_should_and_nothing_else() {
    let (app, acme) = start().await;
    let (one, _) = app.individual(&acme, "ada.one@example.test").await;
    let mut body = individual("ada.two@example.test");
    body["phone"] = json!("+37060000002");
    body["individualCustomer"] = json!({ "customerName": "Straße 100%" });
    let two = app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200).field("id").to_owned();
    let (three, _) = app.organization(&acme, "office@example.test").await;
    // Two users with one number are one customer.
    for email in ["a@example.test", "b@example.test"] {
        let mut body = new_user(email, &["USER"]);
        body["phones"] = json!([{ "number": "+37060000001" }]);
        app.backend(&acme, "POST", &format!("{CUSTOMERS}/{three}/users"), &body).await.expect(200);
    }
    app.act(&acme, CUSTOMERS, &two, "suspend").await.expect(200);
    app.act(&acme, CUSTOMERS, &three, "activate").await.expect(200);
    let (first, second) = (&acme.people[0].customer.to_string(), &acme.people[1].customer.to_string());
    for (query, expected) in [
        ("", vec![&one, &two, &three, first, second]),
        ("kind=individual", vec![&one, &two, first]),
        ("kind=organization", vec![&three, second]),
        ("status=CS_REGISTRATION_COMPLETED", vec![&one]),
        ("status=SUSPENDED", vec![&two]),
        ("status=ACTIVE&kind=organization", vec![&three, second]),
        ("status=PENDING_ACTIVATION", vec![]),
        ("email=ADA.ONE@example.test", vec![&one]),
        ("email=b@example.test", vec![&three]),
        ("email=b@example.test&kind=individual", vec![]),
        ("email=b@example.test&phone=%2B37060000001", vec![&three]),
        ("email=ada.two@example.test&phone=%2B37060000001", vec![]),
        ("phone=%2B37060000001", vec![&one, &three]),
        ("phone=%2B37060000001&kind=organization", vec![&three]),
        ("text=lovelace", vec![&one]),
        ("text=STRA%C3%9FE", vec![&two]),
        ("text=305000001", vec![&three]),
        ("text=engines", vec![&three]),
        ("text=a%20customer", vec![first, second]),
        ("text=staff", vec![]),
    ] {
        for limit in [1, 100] {
            let found = all(&app, &acme, &format!("{CUSTOMERS}?{query}"), limit).await;
            let distinct: BTreeSet<_> = found.iter().cloned().collect();
            assert_eq!(distinct, set(&expected), "{query}");
            assert_eq!(found.len(), expected.len(), "{query}: none twice");
        }
    }
}

#[tokio::test]
async fn what_is_searched_for_means_itself() {
    let (app, acme) = start().await;
    for (email, name) in [("a@example.test", "50% off_\\x"), ("b@example.test", "50 of off-x")] {
        let mut body = individual(email);
        body["lastName"] = json!(name);
        app.backend(&acme, "POST", INDIVIDUAL, &body).await.expect(200);
    }
    for (text, number) in [
        ("50%25", 1),
        ("off_", 1),
        ("_", 1),
        ("%25", 1),
        ("%5C", 1),
        ("%5C%5C", 0),
        ("5%25f", 0),
        ("50", 2),
        ("'", 0),
        ("%25%27%20or%201=1--", 0),
    ] {
        let (found, _) = page(&app, &acme, &format!("{USERS}?text={text}")).await;
        assert_eq!(found.len(), number, "{text}");
    }
}

#[tokio::test]
async fn a_filter_that_is_none_is_a_400_that_names_it_and_what_it_may_be() {
    let (app, acme) = start().await;
    for (path, field, says) in [
        (format!("{USERS}?status=DELETED"), "status", "ACTIVE, SUSPENDED, CLOSED"),
        (format!("{USERS}?status=active"), "status", "ACTIVE, SUSPENDED, CLOSED"),
        (format!("{USERS}?kind=operator"), "kind", "customer, staff"),
        (format!("{USERS}?email=nobody"), "email", "e-mail"),
        (format!("{USERS}?phone=123"), "phone", "E.164"),
        (format!("{USERS}?customerId=a.b"), "customerId", "letters"),
        (format!("{USERS}?text={}", "x".repeat(101)), "text", "100"),
        (format!("{USERS}?text="), "text", "empty"),
        (format!("{USERS}?limit=0"), "limit", "1 to 200"),
        (format!("{USERS}?limit=201"), "limit", "1 to 200"),
        (format!("{USERS}?cursor=x"), "cursor", "begin without"),
        (format!("{CUSTOMERS}?status=CS_UNKNOWN"), "status", "CS_REGISTRATION_COMPLETED"),
        (format!("{CUSTOMERS}?kind=CT_PERSON"), "kind", "individual, organization"),
    ] {
        let answer = app.look(&acme, &path).await.expect(400);
        assert_eq!(answer.complaints(), [field], "{path}");
        assert!(answer.text.contains(says), "{path}: {}", answer.text);
    }
    for path in
        [format!("{USERS}?house=true"), format!("{CUSTOMERS}?customerId=x"), format!("{USERS}/x?limit=1")]
    {
        let answer = app.look(&acme, &path).await.expect(400);
        assert_eq!(answer.error_type(), "MALFORMED_REQUEST", "{path}");
    }
}

#[tokio::test]
async fn R056_a_cursor_of_another_list_filter_tenant_or_customer_is_a_400() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let (office, _) = app.organization(&acme, "office@example.test").await;
    let more = new_user("more@example.test", &["USER"]);
    app.backend(&acme, "POST", &format!("{CUSTOMERS}/{office}/users"), &more).await.expect(200);
    let other = acme.people[1].customer.to_string();
    let lists = [
        USERS.to_owned(),
        format!("{USERS}?status=ACTIVE"),
        format!("{USERS}?kind=customer"),
        format!("{USERS}?customerId={office}"),
        CUSTOMERS.to_owned(),
        format!("{CUSTOMERS}?kind=organization"),
        format!("{CUSTOMERS}/{office}/users"),
        format!("{CUSTOMERS}/{other}/users"),
    ];
    let with = |path: &str, more: &str| format!("{path}{}{more}", if path.contains('?') { '&' } else { '?' });
    let mut cursors = Vec::new();
    for list in &lists[..7] {
        let (_, cursor) = page(&app, &acme, &with(list, "limit=1")).await;
        cursors.push((list, cursor.unwrap_or_else(|| panic!("{list} has a second page"))));
    }
    for (of, cursor) in cursors {
        for list in &lists {
            let path = with(list, &format!("cursor={cursor}"));
            let expected = if list == of { 200 } else { 400 };
            app.look(&acme, &path).await.expect(expected);
            if list == of && !list.contains("/users") {
                app.look(&globex, &path).await.expect(400);
            }
        }
    }
}

#[tokio::test]
async fn a_page_looks_at_20_000_rows_at_most_and_the_next_goes_on_from_there() {
    let (app, acme) = start().await;
    let (tenant, customer) = (&acme.id, &acme.people[1].customer);
    app.script(&format!(
        "insert into customers (tenant_id, id, kind, house, status, name, created_at, updated_at, search) \
         select tenant_id, 'bulk' || (10000 * a.n + b.n), 'individual', house, status, name, 0, 0, 'bulk' \
         from customers, (select 1 as n union all select 2 union all select 3) a, \
         (with recursive n(n) as (select 1 union all select n + 1 from n where n < 9000) select n from n) b \
         where id = '{customer}'; \
         insert into users (tenant_id, id, customer_id, kind, status, roles, phones, search, created_at, updated_at) \
         select tenant_id, id, id, 'customer', 'active', '[]', '[]', \
         case when id = 'bulk38999' then 'needle' else 'hay' end, 0, 0 from customers where name = 'A customer' \
         and tenant_id = '{tenant}' and search = 'bulk'"
    ))
    .await;
    for (path, found) in [
        (format!("{USERS}?text=needle&limit=5"), vec!["bulk38999"]),
        (format!("{CUSTOMERS}?text=nothing&limit=5"), vec![]),
    ] {
        let (first, next) = page(&app, &acme, &path).await;
        assert_eq!(first, Vec::<String>::new(), "{path}");
        let (second, last) = page(&app, &acme, &format!("{path}&cursor={}", next.unwrap())).await;
        assert_eq!((second, last), (found.iter().map(|id| (*id).to_owned()).collect(), None), "{path}");
    }
    // Whom an index finds is found at once.
    let (_, user) = app.individual(&acme, "zz@example.test").await;
    for query in ["email=zz@example.test", "phone=%2B37060000001"] {
        assert_eq!(page(&app, &acme, &format!("{USERS}?{query}")).await, (vec![user.clone()], None));
    }
    let listed: Value = app.look(&acme, &format!("{USERS}?limit=200")).await.expect(200).json;
    assert_eq!(listed["data"]["items"].as_array().unwrap().len(), 200);
}
