//! A line that is wrong is told with its number, its field and the reason, and never with a secret; the others go in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Place, QUICK, people};

/// Lines, and the field and a part of the reason with which each is refused.
fn bad_lines() -> Vec<(Value, &'static str, &'static str)> {
    let with = |field: &str, value: Value| {
        let mut line = json!({ "email": "a@x.test" });
        line[field] = value;
        line
    };
    let customer = |customer: Value| with("customer", customer);
    vec![
        (json!({ "firstName": "Ada" }), "email", "is required where there is no username"),
        (json!({ "username": "a@x.test" }), "username", "must have no @, or be the e-mail itself"),
        (json!({ "username": "a b" }), "username", "must not have spaces"),
        (with("email", json!("hunter2")), "email", "must be an e-mail address"),
        (with("email", json!(7)), "email", "is of the wrong type: expected a string"),
        (with("id", json!("a b")), "id", "must be 1 to 64 letters"),
        (with("kind", json!("robot")), "kind", "must be one of customer, staff"),
        (with("status", json!("LOCKED")), "status", "must be one of ACTIVE, SUSPENDED, CLOSED"),
        (with("kind", json!("staff")), "roles", "must have at least one of ADMIN"),
        (with("roles", json!(["ADMIN"])), "roles", "must not have ADMIN"),
        (with("roles", json!("USER")), "roles", "is of the wrong type"),
        (with("firstName", json!("x".repeat(101))), "firstName", "may have 100 characters at most"),
        (with("phones", json!([{ "number": "112" }])), "phones[0].number", "must be a number in E.164"),
        (
            with("phones", json!([{ "number": "+37060000000", "phoneType": "FAX" }])),
            "phones[0].phoneType",
            "MOBILE",
        ),
        (with("metadata", json!({ "a.b": 1 })), "metadata", "must have keys of"),
        (with("dateOfBirth", json!("31.12.1990")), "dateOfBirth", "must be a day that is over"),
        (with("createdAt", json!("yesterday")), "createdAt", "must be an instant"),
        (with("lastLogin", json!("2999-01-01T00:00:00Z")), "lastLogin", "that is over"),
        (with("customerId", json!("nobody")), "customerId", "is no customer that is there"),
        (customer(json!({ "kind": "organization" })), "customer.name", "is required of an organization"),
        (customer(json!({ "status": "GONE" })), "customer.status", "must be one of ACTIVE"),
        (customer(json!({ "tier": "gold" })), "customer.tier", "is not a field of an import"),
        (with("surname", json!("hunter2")), "surname", "is not a field of an import"),
        (with("passwordHash", json!("hunter2hunter2")), "passwordHash", "is not a well-formed password hash"),
        (
            with("passwordHash", json!("$6$hunter2$hash")),
            "passwordHash",
            "of the scheme sha512-crypt, which is not",
        ),
        (
            with("passwordHash", json!(format!("$2b$31${}", "x".repeat(53)))),
            "passwordHash",
            "whose bcrypt cost is 31",
        ),
        (with("password", json!("hunter2")), "password", "must have 12 characters at least"),
        (with("password", json!({ "hunter2": 1 })), "password", "is of the wrong type"),
        (
            json!({ "email": "a@x.test", "password": "hunter2 and more of it", "passwordHash": QUICK }),
            "password",
            "must be left out where there is a hash",
        ),
    ]
}

/// The lines of a report.
fn report(place: &Place, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(place.folder.path(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn R137_a_bad_line_is_told_with_number_field_and_reason_and_without_what_it_holds() {
    let place = Place::new().await;
    let bad = bad_lines();
    let good = people(0, bad.len());
    let lines: Vec<_> =
        bad.iter().zip(&good).flat_map(|((bad, ..), good)| [good.clone(), bad.clone()]).collect();
    place.write_lines("users.jsonl", &lines);
    let (told, ended) = place.import_json(&["users.jsonl", "--report", "report.jsonl"]);
    assert_eq!(ended.code, Some(1));
    let number = bad.len();
    assert_eq!(
        (&told["created"], &told["refused"], &told["present"]),
        (&json!(number), &json!(number), &json!(0))
    );
    assert_eq!(place.users().await, i64::try_from(number).unwrap());

    let mut problems: BTreeMap<u64, Vec<Value>> = BTreeMap::new();
    for problem in report(&place, "report.jsonl") {
        problems.entry(problem["line"].as_u64().unwrap()).or_default().push(problem);
    }
    for (at, (line, field, reason)) in (1..).zip(&bad) {
        let told = problems.remove(&(2 * at)).unwrap_or_default();
        let is = |problem: &Value| {
            problem["field"] == *field && problem["reason"].as_str().unwrap().contains(reason)
        };
        assert!(told.iter().any(is), "{line}: {told:?}");
        assert!(told.iter().all(|problem| problem["outcome"] == "refused"));
    }
    assert!(problems.is_empty(), "good lines: {problems:?}");
    let report = std::fs::read_to_string(place.folder.path("report.jsonl")).unwrap();
    for said in [&ended.errors, &ended.out, &report] {
        assert!(!said.contains("hunter2") && !said.contains(QUICK), "{said}");
    }
    assert_eq!(place.folder.mode("report.jsonl"), 0o600);
    // With a report, standard error shows the first of them.
    assert_eq!(ended.errors.matches("\nline ").count() + 1, 20, "{}", ended.errors);
    let all = place.import_json(&["users.jsonl", "--dry-run"]).1;
    assert_eq!(all.out.matches("created").count(), 1);
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_does_and_writes_nothing() {
    let place = Place::new().await;
    place.write_lines("before.jsonl", &people(3, 2));
    place.run_import(&["before.jsonl"]).well();
    let mut lines = people(0, 600);
    lines.extend(people(599, 1)); // across two batches
    lines.extend(people(700, 1));
    lines.extend(people(700, 1)); // within one
    lines.push(json!({ "email": "c@x.test", "customerId": "later" }));
    lines.push(json!({ "email": "d@x.test", "customer": { "id": "later" } }));
    lines.push(json!({ "email": "e@x.test", "customerId": "later" }));
    lines.push(
        json!({ "email": "f@x.test", "customer": { "id": "later", "kind": "organization", "name": "x" } }),
    );
    lines.push(json!({ "email": "root@acme.test" }));
    place.write_lines("users.jsonl", &lines);
    let tables = ["users", "customers", "login_names", "user_phones", "events", "imports"];
    let counts = async || {
        let mut counts = Vec::new();
        for table in tables {
            counts.push(place.count(table).await);
        }
        counts
    };
    let before = counts().await;
    let (dry, dry_end) = place.import_json(&["users.jsonl", "--dry-run", "--report", "dry.jsonl"]);
    assert_eq!(counts().await, before);
    let (wet, wet_end) = place.import_json(&["users.jsonl", "--report", "wet.jsonl"]);
    assert_eq!(report(&place, "dry.jsonl"), report(&place, "wet.jsonl"));
    for field in ["read", "created", "present", "refused"] {
        assert_eq!(dry[field], wet[field], "{field}");
    }
    assert_eq!((&wet["created"], &wet["present"], &wet["refused"]), (&json!(600), &json!(5), &json!(3)));
    assert_eq!((dry_end.code, wet_end.code), (Some(1), Some(1)));
    let problems: Vec<_> = report(&place, "wet.jsonl")
        .iter()
        .map(|it| {
            format!("{} {} {} {}", it["line"], it["outcome"], it["field"], it["reason"]).replace('"', "")
        })
        .collect();
    assert_eq!(
        problems,
        [
            "4 present username is taken",
            "4 present email is taken",
            "5 present username is taken",
            "5 present email is taken",
            "601 present username is taken",
            "601 present email is taken",
            "603 present username is taken",
            "603 present email is taken",
            "604 refused customerId is no customer that is there; put it before its users, or give it with them as \
             customer",
            "606 refused customerId is an individual, who is their own only user",
            "607 refused customer.kind is organization, and the customer of this id is individual",
            "608 present email is taken",
        ]
    );
}

#[tokio::test]
async fn a_changed_file_doubles_nobody_and_lets_the_new_ones_in() {
    let place = Place::new().await;
    place.write_lines("users.jsonl", &people(0, 700));
    place.run_import(&["users.jsonl"]).well();
    let mut lines = people(0, 650);
    lines.extend(people(700, 30));
    // Another spelling of a name that somebody has, once as a username and once as an e-mail.
    lines.push(json!({ "email": "USER.7@X.TEST" }));
    lines.push(json!({ "username": "ｕｓｅｒ８" }));
    place.write_lines("users.jsonl", &lines);
    let (told, ended) = place.import_json(&["users.jsonl"]);
    assert_eq!((&told["created"], &told["present"], &told["refused"]), (&json!(30), &json!(652), &json!(0)));
    assert_eq!(told["resumedAfterLine"], 0, "it is another import");
    assert!(ended.errors.contains("line 681: email: is taken\nline 682: username: is taken\n"));
    assert_eq!(place.users().await, 730);
    assert_eq!(place.count("customers where not house").await, 730);

    place.write_lines(
        "ids.jsonl",
        &[json!({ "id": "a", "username": "one" }), json!({ "id": "a", "username": "two" })],
    );
    assert!(place.run_import(&["ids.jsonl"]).errors.starts_with("line 2: id: is taken\n"));
    place.write_lines("ids.jsonl", &[json!({ "id": "a", "username": "three" })]);
    assert!(place.run_import(&["ids.jsonl"]).errors.starts_with("line 1: id: is taken\n"));
    assert_eq!(place.users().await, 731);
}

#[tokio::test]
async fn a_closed_customer_takes_nobody_in_and_the_tenants_own_organization_no_customers_user() {
    let place = Place::new().await;
    let shop =
        |status: &str| json!({ "id": "shop", "name": "Shop", "kind": "organization", "status": status });
    let house = {
        let row = vestibule::db::Statement::new("select id from customers where house");
        place.database.list(row).await.unwrap()[0].text("id").unwrap()
    };
    place.write_lines(
        "users.jsonl",
        &[
            json!({ "email": "a@x.test", "customer": shop("CLOSED"), "status": "CLOSED" }),
            json!({ "email": "b@x.test", "customer": shop("CLOSED"), "status": "CLOSED" }),
            json!({ "email": "c@x.test", "customer": shop("ACTIVE") }),
            json!({ "email": "d@x.test", "customerId": "shop" }),
            json!({ "email": "e@x.test", "customerId": house }),
            json!({ "email": "f@x.test", "customer": { "id": house } }),
            json!({ "email": "g@x.test", "kind": "staff", "roles": ["VIEWER"], "customerId": "shop" }),
        ],
    );
    let ended = place.run_import(&["users.jsonl"]);
    let lines: Vec<_> = ended.errors.lines().collect();
    assert_eq!(
        lines,
        [
            "line 3: customer.id: is a customer that is closed",
            "line 4: customerId: is a customer that is closed",
            "line 5: customerId: is the tenant's own organization, whose users are staff: add kind staff",
            "line 6: customer.id: is the tenant's own organization, whose users are staff: add kind staff",
            "line 7: customerId: must be left out: staff belong to the tenant's own organization",
            "error: 5 of the lines did not go in",
        ]
    );
    assert_eq!(place.users().await, 2);

    // The same of one that is in the database, which is asked only when it has refused.
    for line in [
        json!({ "email": "c@x.test", "customer": shop("ACTIVE") }),
        json!({ "email": "c@x.test", "customerId": "shop" }),
        json!({ "email": "c@x.test", "customer": { "id": "shop", "status": "CLOSED" } }),
    ] {
        place.write_lines("users.jsonl", &people(0, 1).into_iter().chain([line]).collect::<Vec<_>>());
        place.run_import(&["users.jsonl"]).badly(&["line 2: customer"]);
    }
    assert_eq!(place.users().await, 3);
}

#[tokio::test]
async fn what_cannot_be_imported_at_all_is_refused_before_anything_is_written() {
    let place = Place::new().await;
    place.folder.write("empty.jsonl", "");
    place.folder.write("notes", "not a report\n");
    place.write_lines("users.jsonl", &people(0, 1));
    for (arguments, reason) in [
        (&["absent.jsonl"][..], "absent.jsonl: cannot be read"),
        (&["."], ".: is no file"),
        (&["empty.jsonl"], "there is nothing in it"),
        (&["users.jsonl", "--report", "notes"], "--report notes: is something else already"),
        (&["users.jsonl", "--report", "no/where"], "--report no/where: cannot be written"),
    ] {
        place.run_import(arguments).badly(&[reason]);
    }
    let other = place.folder.run(&["user", "import", "users.jsonl", "--tenant", "nobody"]);
    other.badly(&["--tenant nobody: there is no such tenant"]);
    place
        .folder
        .run(&["user", "import", "users.jsonl", "--tenant", "system"])
        .badly(&["there is no such tenant"]);
    assert_eq!(std::fs::read_to_string(place.folder.path("notes")).unwrap(), "not a report\n");
    assert_eq!(place.users().await, 0);
    assert_eq!(place.folder.run(&["user", "import", "users.jsonl"]).code, Some(2));
}
