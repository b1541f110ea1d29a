//! What a body may say, and what it may not.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::db::Statement;

use super::start;
use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::directory::{
    CUSTOMERS, INDIVIDUAL, ORGANIZATION, USERS, individual, new_user, organization,
};

/// Every column of the tables that the directory writes, also as JSON spells it.
async fn columns(app: &TestApp) -> BTreeSet<String> {
    let sql = if app.database.is_sqlite() {
        "select p.name as c from sqlite_master m join pragma_table_info(m.name) p where m.type = 'table' \
         and m.name in ('customers', 'users', 'login_names', 'user_phones', 'sessions', 'tenants')"
    } else {
        "select column_name::text as c from information_schema.columns where table_schema = 'public' \
         and table_name in ('customers', 'users', 'login_names', 'user_phones', 'sessions', 'tenants')"
    };
    let rows = app.database.list(Statement::new(sql)).await.unwrap();
    let columns: BTreeSet<String> = rows.iter().map(|row| row.text("c").unwrap()).collect();
    assert!(columns.len() > 50 && columns.contains("password_hash") && columns.contains("house"));
    let camel = |column: &String| {
        let mut parts = column.split('_');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
    };
    columns.iter().map(camel).chain(columns.clone()).collect()
}

/// Everything in the directory's tables.
async fn rows(app: &TestApp) -> Vec<i64> {
    let mut all = Vec::new();
    for from in [
        "customers",
        "users",
        "login_names",
        "events",
        "users where status = 'active'",
        "customers where status = 'active' or house",
    ] {
        all.push(app.number_of(from).await);
    }
    all
}

#[tokio::test]
async fn R126_no_column_is_a_field_unless_it_is_documented() {
    let (app, acme) = start().await;
    let (customer, _) = app.organization(&acme, "office@example.test").await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    let person = ["gender", "email", "username", "metadata", "phones", "roles"];
    let names = ["firstName", "lastName", "fullName"];
    let calls: [(&str, String, Value, Vec<&str>); 7] = [
        (
            "POST",
            INDIVIDUAL.to_owned(),
            individual("one@example.test"),
            vec!["gender", "email", "username", "metadata", "firstName", "lastName"],
        ),
        (
            "POST",
            ORGANIZATION.to_owned(),
            organization("two@example.test"),
            vec!["email", "username", "metadata", "firstName", "lastName"],
        ),
        (
            "POST",
            format!("{CUSTOMERS}/{customer}/users"),
            new_user("three@example.test", &["USER"]),
            [&person[..], &names].concat(),
        ),
        (
            "POST",
            USERS.to_owned(),
            new_user("four@example.test", &["VIEWER"]),
            [&person[..], &names].concat(),
        ),
        ("PATCH", format!("{USERS}/{user}"), json!({ "gender": "x" }), [&person[..], &names].concat()),
        ("PATCH", format!("{CUSTOMERS}/{customer}"), json!({ "customerName": "x" }), vec![]),
        ("POST", format!("{USERS}/{user}/suspend"), json!({ "reason": "x" }), vec!["reason"]),
    ];
    let before = rows(&app).await;
    let mut tried = 0;
    for (method, path, body, allowed) in calls {
        for column in columns(&app).await {
            if allowed.contains(&column.as_str()) {
                continue;
            }
            for value in [json!("active"), json!(true), json!(1)] {
                let mut body = body.clone();
                body[&column] = value;
                let answer = app.backend(&acme, method, &path, &body).await.expect(400);
                assert_eq!(answer.error_type(), "MALFORMED_REQUEST", "{method} {path} {column}");
                assert!(answer.field("details").contains(&column), "{}", answer.text);
                tried += 1;
            }
        }
    }
    assert!(tried > 1_000);
    assert_eq!(rows(&app).await, before);
}

/// The fields that an answer complains of.
fn complained(answer: &Answer) -> Vec<String> {
    match answer.data()["errors"].as_array() {
        Some(errors) => errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect(),
        None => vec![answer.field("field").to_owned()],
    }
}

async fn refused(app: &TestApp, tenant: &TestTenant, call: (&str, &str, &Value), field: &str) {
    let (method, path, body) = call;
    let answer = app.backend(tenant, method, path, body).await;
    assert_eq!(answer.status.as_u16(), 400, "{method} {path} {body}: {}", answer.text);
    assert_eq!(complained(&answer), [field], "{method} {path} {body}: {}", answer.text);
}

#[tokio::test]
async fn every_odd_value_is_a_400_that_names_its_field() {
    let (app, acme) = start().await;
    let (customer, user) = app.organization(&acme, "office@example.test").await;
    let long = |length: usize| "x".repeat(length);
    let metadata = |value: Value| ("metadata", value, "metadata");
    for (field, value, complaint) in [
        ("firstName", json!(long(101)), "firstName"),
        ("firstName", json!("a\u{0}b"), "firstName"),
        ("firstName", json!(5), "firstName"),
        ("lastName", json!("a\u{200b}b"), "lastName"),
        ("email", json!(format!("{}@example.test", long(250))), "email"),
        ("email", json!("a@b@example.test"), "email"),
        ("email", json!("Ada <ada@example.test>"), "email"),
        ("email", json!(["ada@example.test"]), "email"),
        ("username", json!(long(257)), "username"),
        ("gender", json!(long(65)), "gender"),
        ("dateOfBirth", json!("10.12.1990"), "dateOfBirth"),
        ("dateOfBirth", json!("1990-02-30"), "dateOfBirth"),
        ("dateOfBirth", json!("2999-01-01"), "dateOfBirth"),
        ("nationality", json!(long(65)), "nationality"),
        ("pincode", json!(long(65)), "pincode"),
        metadata(json!({ "a": { "b": { "c": { "d": 1 } } } })),
        metadata(json!({ "a.b": 1 })),
        metadata(json!({ "a": long(4_096) })),
        metadata(json!([])),
        metadata(json!("text")),
    ] {
        let mut body = individual("one@example.test");
        body[field] = value.clone();
        refused(&app, &acme, ("POST", INDIVIDUAL, &body), complaint).await;
        let change = json!({ field: value });
        refused(&app, &acme, ("PATCH", &format!("{USERS}/{user}"), &change), complaint).await;
    }
    let many: Vec<_> = (0..21).map(|number| format!("R{number}")).collect();
    for (roles, complaint) in [
        (json!(many), "roles"),
        (json!(["user"]), "roles"),
        (json!([""]), "roles"),
        (json!(["A".repeat(65)]), "roles"),
        (json!(["USER", "USER"]), "roles"),
        (json!(["USER", 5]), "roles[1]"),
        (json!("USER"), "roles"),
    ] {
        let change = json!({ "roles": roles });
        refused(&app, &acme, ("PATCH", &format!("{USERS}/{user}"), &change), complaint).await;
    }
    for (phones, complaint) in [
        (json!([{}]), "phones[0].number"),
        (json!([{ "number": "+37060000001" }, { "number": "0" }]), "phones[1].number"),
        (json!([{ "number": "+37060000001", "phoneType": "FAX" }]), "phones[0].phoneType"),
        (json!([{ "number": "+37060000001", "encoding": "NATIONAL" }]), "phones"),
        (json!([{ "number": "+37060000001", "verified": true }]), "phones[0].verified"),
        (json!(vec![json!({ "number": "+37060000001" }); 11]), "phones"),
    ] {
        let change = json!({ "phones": phones });
        refused(&app, &acme, ("PATCH", &format!("{USERS}/{user}"), &change), complaint).await;
    }
    for (change, complaint) in [
        (json!({ "customerName": "" }), "customerName"),
        (json!({ "customerName": long(201) }), "customerName"),
        (json!({ "customerCategory": { "id": long(65) } }), "customerCategory.id"),
        (json!({ "customerCategory": { "rank": 1 } }), "customerCategory.rank"),
        (json!({ "organization": { "taxId": long(65) } }), "organization.taxId"),
        (json!({ "customerStatus": "ACTIVE" }), "customerStatus"),
        (json!({ "status": "active" }), "status"),
    ] {
        refused(&app, &acme, ("PATCH", &format!("{CUSTOMERS}/{customer}"), &change), complaint).await;
    }
    for reason in [json!(""), json!("a b"), json!("é"), json!(long(65)), json!(5)] {
        let body = json!({ "reason": reason });
        refused(&app, &acme, ("POST", &format!("{USERS}/{user}/suspend"), &body), "reason").await;
        refused(&app, &acme, ("POST", &format!("{CUSTOMERS}/{customer}/suspend"), &body), "reason").await;
    }
    assert_eq!(app.look(&acme, &format!("{USERS}/{user}")).await.field("status"), "ACTIVE");
}

#[tokio::test]
async fn R117_metadata_with_a_key_twice_is_refused_on_every_level() {
    let (app, acme) = start().await;
    let (_, user) = app.individual(&acme, "ada@example.test").await;
    for body in [r#"{"metadata":{"a":1,"a":2}}"#, r#"{"metadata":{"o":[{"a":1,"a":2}]}}"#] {
        let call = Call::new("PATCH", format!("{USERS}/{user}")).backend(&acme);
        let answer = app.call(call.and("content-type", "application/json").body(body)).await.expect(400);
        assert_eq!(answer.error_type(), "MALFORMED_REQUEST", "{}", answer.text);
    }
}

#[tokio::test]
async fn R115_a_directorys_body_has_64_KiB_at_most() {
    let (app, acme) = start().await;
    let mut body = individual("ada@example.test").to_string();
    let padding = 64 * 1024 - body.len();
    body.insert_str(1, &" ".repeat(padding));
    let post = |body: &str| {
        Call::new("POST", INDIVIDUAL).backend(&acme).and("content-type", "application/json").body(body)
    };
    app.call(post(&format!(" {body}"))).await.expect(413);
    app.call(post(&body)).await.expect(200);
}

#[tokio::test]
async fn an_id_that_is_none_is_a_400_and_one_that_nobody_has_a_404() {
    let (app, acme) = start().await;
    for (what, field) in [(USERS, "userId"), (CUSTOMERS, "customerId")] {
        for act in ["", "/suspend", "/resume", "/close", "/erase"] {
            let method = if act.is_empty() { "GET" } else { "POST" };
            let call = |id: &str| Call::new(method, format!("{what}/{id}{act}")).backend(&acme);
            let answer = app.call(call("a.b")).await.expect(400);
            assert_eq!(answer.complaints(), [field]);
            app.call(call("nobody")).await.expect(404);
            app.call(call(crate::support::app::NIL)).await.expect(404);
        }
    }
}
