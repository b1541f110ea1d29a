//! What can be read: JSON Lines, CSV and Keycloak's exports, with the hashes of many systems.

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{PASSWORD, Place, QUICK, people};
use crate::imported_hashes::HASHES;
use crate::support::program::{Ended, credentials};

#[tokio::test]
async fn R035_users_with_hashes_of_other_systems_are_imported_and_log_in() {
    let place = Place::new().await;
    let user = |(at, hash): (usize, &&str)| json!({ "email": format!("u{at}@x.test"), "passwordHash": hash });
    let lines: Vec<_> = HASHES.iter().enumerate().map(user).collect();
    place.write_lines("users.jsonl", &lines);
    place.run_import(&["users.jsonl"]).well();
    let number = i64::try_from(HASHES.len()).unwrap();
    assert_eq!(place.count("users where password_imported").await, number);
    // The slowest of them: no failure is answered sooner.
    assert_eq!(place.count("tenants where slug = 'acme' and failure_floor_ms > 100").await, 1);

    let server = place.serve();
    for at in 0..HASHES.len() {
        let email = format!("U{at}@x.test");
        assert_eq!(place.login(&server, &email, PASSWORD).await, 200, "{at}");
    }
    assert_eq!(place.login(&server, "u0@x.test", "wrong").await, 401);
    server.stop();
}

#[tokio::test]
async fn every_field_arrives_where_the_directory_has_it() {
    let place = Place::new().await;
    let whole = json!({
        "id": "User-1",
        "kind": "customer",
        "status": "SUSPENDED",
        "username": "Ada",
        "email": "Ada@X.test",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "fullName": "Ada King, Countess of Lovelace",
        "gender": "female",
        "phones": [
            { "phoneType": "MOBILE", "encoding": "E164", "number": "+37060000000" },
            { "phoneType": "WORK", "encoding": "E164", "number": "+37060000001" },
        ],
        "roles": ["ACCOUNT_OWNER", "USER"],
        "metadata": { "tier": "gold", "limits": { "daily": 5000 } },
        "dateOfBirth": "1990-12-31",
        "nationality": "LT",
        "placeOfBirth": "Vilnius",
        "pincode": "LT-01100",
        "customer": {
            "id": "Customer-1",
            "kind": "organization",
            "name": "Engines",
            "status": "SUSPENDED",
            "statusBefore": "PENDING_VERIFICATION",
            "category": { "id": "7", "name": "corporate" },
            "organization": {
                "legalName": "Engines UAB",
                "tradingName": "Engines",
                "registrationNumber": "302",
                "taxId": "LT100",
            },
            "createdAt": "2019-01-01T00:00:00.000Z",
            "updatedAt": "2019-01-02T00:00:00.000Z",
        },
        "passwordHash": QUICK,
        "passwordChangedAt": "2021-03-16T20:49:32.001Z",
        "lastLogin": "2022-03-16T20:49:32.002Z",
        "createdAt": "2020-03-16T20:49:32.003Z",
        "updatedAt": "2023-03-16T20:49:32.004Z",
    });
    let colleague = json!({ "email": "b@x.test", "customerId": "Customer-1", "phones": null, "id": null });
    place.write_lines("users.jsonl", &[whole.clone(), colleague]);
    place.run_import(&["users.jsonl"]).well();
    assert_eq!(place.exported("Ada@X.test"), whole);
    let colleague = place.exported("b@x.test");
    assert_eq!(colleague["customer"], whole["customer"]);
    assert_eq!(colleague["roles"], json!(["USER"]));
    assert!(colleague.get("passwordHash").is_none());
    assert_eq!(place.count("customers where not house").await, 1);
    assert_eq!(
        place.count("login_names where name in ('ada', 'ada@x.test') and user_id = 'User-1'").await,
        2
    );
    assert_eq!(place.count("user_phones where user_id = 'User-1'").await, 2);
    let found = "users where search like '%ada king%' and search like '%+37060000001%'";
    assert_eq!(place.count(found).await, 1);
}

#[tokio::test]
async fn a_user_alone_is_an_individual_with_a_customer_of_their_own() {
    let place = Place::new().await;
    place.write_lines("users.jsonl", &[json!({ "email": "a@x.test", "firstName": "Ada", "lastName": "L" })]);
    place.run_import(&["users.jsonl"]).well();
    let user = place.exported("a@x.test");
    let customer = &user["customer"];
    assert_eq!((&customer["kind"], &customer["status"]), (&json!("individual"), &json!("ACTIVE")));
    assert_eq!(customer["name"], "Ada L");
    assert_eq!(user["status"], "ACTIVE");
}

#[tokio::test]
async fn staff_come_into_the_tenants_own_organization() {
    let place = Place::new().await;
    place.write_lines(
        "users.jsonl",
        &[json!({ "email": "s@x.test", "kind": "staff", "roles": ["OPERATOR"], "passwordHash": QUICK })],
    );
    place.run_import(&["users.jsonl"]).well();
    let house = "users u join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
                 where c.house and u.kind = 'staff' and u.email = 's@x.test'";
    assert_eq!(place.count(house).await, 1);
    assert!(place.exported("s@x.test").get("customer").is_none());
    let server = place.serve();
    let body = credentials("s@x.test", PASSWORD, &place.key, &place.secret);
    assert_eq!(server.login(Family::Admin, "acme", &body).await.0, 200);
    server.stop();
}

#[tokio::test]
async fn csv_is_read_by_the_names_in_its_first_line() {
    let place = Place::new().await;
    let text = format!(
        "\u{feff}email, firstName ,\"roles\",phones,metadata.tier,customer.kind,customer.name,passwordHash,createdAt\r\n\
         a@x.test,Ada,ACCOUNT_OWNER  USER,+370 600 00000; WORK:+37060000001,gold,,,\"{QUICK}\",2020-01-01T00:00:00+02:00\r\n\
         \r\n\
         b@x.test,\"Bo \"\"B\"\", the\nsecond\",,,,organization,\"Engines, Ltd\",,\r\n\
         c@x.test,too few\r\n\
         d@x.test,Dee,user,,,,,,\r\n"
    );
    place.folder.write("users.csv", &text);
    let (told, ended) = place.import_json(&["users.csv"]);
    let lines: Vec<_> = ended.errors.lines().collect();
    assert_eq!(
        lines,
        [
            "line 4: firstName: must not have control, formatting or invisible characters",
            "line 6: line: has 2 columns, and the first line names 9",
            "line 7: roles: must be words of 1 to 64 letters A to Z, digits and _",
            "error: 3 of the lines did not go in",
        ]
    );
    assert_eq!((&told["format"], &told["created"], &told["refused"]), (&json!("csv"), &json!(1), &json!(3)));
    let ada = place.exported("a@x.test");
    assert_eq!(ada["roles"], json!(["ACCOUNT_OWNER", "USER"]));
    assert_eq!(ada["metadata"], json!({ "tier": "gold" }));
    assert_eq!(ada["createdAt"], "2019-12-31T22:00:00.000Z");
    let phones = ada["phones"].as_array().unwrap();
    let phones: Vec<_> = phones.iter().map(|phone| (&phone["phoneType"], &phone["number"])).collect();
    let (mobile, work) = (json!("MOBILE"), json!("WORK"));
    assert_eq!(phones, [(&mobile, &json!("+37060000000")), (&work, &json!("+37060000001"))]);
}

#[tokio::test]
async fn csv_whose_last_quote_is_never_closed_is_told_by_the_line_on_which_its_record_begins() {
    let place = Place::new().await;
    place.folder.write("users.csv", "email,firstName,lastName\nb@x.test,Bo,\"Berg\nand more\n");
    let ended = place.run_import(&["users.csv"]);
    assert!(ended.errors.starts_with("line 2: lastName: "), "{ended:?}");
}

#[tokio::test]
async fn csv_without_a_header_or_with_an_unknown_column_is_refused_and_not_repeated() {
    let place = Place::new().await;
    for (text, reasons) in [
        ("hunter2secret,$2b$12$abc\n", &["line 1: must name the columns"][..]),
        ("email;firstName\n", &["line 1: must name the columns, separated by commas"]),
        ("email,hunter2secret\n", &["line 1: column 2 is not a field of an import"]),
        ("email,full_name\n", &["line 1: column 2 (full_name) is not a field of an import"]),
        ("email,email\n", &["line 1: column 2 (email) stands there twice"]),
    ] {
        place.folder.write("users.csv", text);
        let ended = place.run_import(&["users.csv"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(!ended.errors.contains("hunter2") && !ended.errors.contains("$2b$"), "{ended:?}");
        ended.badly(reasons);
    }
    let endless = format!("email,firstName\na@x.test,\"{}", "x,\n".repeat(200_000));
    place.folder.write("users.csv", &endless);
    place.run_import(&["users.csv"]).badly(&["line 2", "is a quote or a bracket not closed?"]);
    assert_eq!(place.users().await, 0);
}

#[tokio::test]
async fn R035_a_realm_as_keycloak_exports_it_is_imported_directly() {
    let place = Place::new().await;
    place.folder.write("bank-realm.json", include_str!("realm.json"));
    let (told, ended) = place.import_json(&["bank-realm.json"]);
    let lines: Vec<_> = ended.errors.lines().collect();
    assert_eq!(
        lines,
        [
            "line 6: passwordHash: is a password hash of an unknown scheme or version",
            "line 7: roles: must not have ADMIN, which is a role of the tenant's staff",
            "line 8: serviceAccountClientId: is a client's own account, not a person",
            "error: 3 of the lines did not go in",
        ]
    );
    assert_eq!((&told["format"], &told["created"]), (&json!("keycloak"), &json!(5)));
    let mut kim = place.exported("kim@example.test");
    kim["customer"] = Value::Null;
    let expected = json!({
        "id": "dbfcd8d1-f119-4c89-9409-544382000001",
        "kind": "customer",
        "status": "ACTIVE",
        "username": "kim",
        "email": "kim@example.test",
        "firstName": "User",
        "lastName": "Number 1",
        "phones": [{ "phoneType": "MOBILE", "encoding": "E164", "number": "+37060000001" }],
        "roles": ["ACCOUNT_OWNER"],
        "metadata": { "locale": "lt", "legacy_id": "4711", "segments": ["retail", "premium"] },
        "passwordHash": kim["passwordHash"],
        "passwordChangedAt": "2023-11-06T14:38:06.749Z",
        "createdAt": "2023-09-02T15:50:53.580Z",
        "updatedAt": kim["updatedAt"],
        "customer": null,
    });
    assert_eq!(kim, expected);
    assert_eq!(place.exported("noa@example.test")["status"], "SUSPENDED");
    assert_eq!(place.exported("noa@example.test")["roles"], json!([]));

    let server = place.serve();
    for name in ["kim", "lee", "max"] {
        assert_eq!(place.login(&server, name, "wrong").await, 401, "{name}");
        assert_eq!(place.login(&server, name, PASSWORD).await, 200, "{name}");
    }
    assert_eq!(place.login(&server, "noa", PASSWORD).await, 401, "was disabled");
    assert_eq!(place.login(&server, "oda", PASSWORD).await, 401, "has no password");
    server.stop();
}

#[tokio::test]
async fn what_is_no_export_of_keycloaks_is_refused_with_its_place() {
    let place = Place::new().await;
    for (text, reason) in [
        ("{\n\"realm\": \"bank\"}", "it has no users"),
        ("[{\"realm\": \"bank\"}]", "line 1, column 1: is not an export of Keycloak's"),
        ("{\"users\": [{\"username\": \"hunter2\"}, {\"username\": ", "behind user 1: is not an export"),
        ("{\"users\": {\"hunter2\": 1}}", "is not an export of Keycloak's"),
        (
            "{\"users\": [], \"users\": [{\"username\": \"a\"}]}",
            "it has two lists of users; leave one of them",
        ),
    ] {
        place.folder.write("realm.json", text);
        let ended = place.run_import(&["realm.json", "--format", "keycloak"]);
        ended.badly(&[reason]);
        assert!(!ended.errors.contains("hunter2"), "{ended:?}");
    }
}

#[tokio::test]
async fn standard_input_is_read_once() {
    let place = Place::new().await;
    place.write_lines("users.jsonl", &people(0, 3));
    let input = || std::fs::File::open(place.folder.path("users.jsonl")).unwrap();
    let said = Ended::of(place.import(&["-"]).stdin(input())).well();
    assert!(said.starts_with("3 read, 3 created, 0 there already, 0 refused\n"), "{said}");
    assert_eq!(place.count("imports").await, 0, "there is nothing to go on with");
    let again = Ended::of(place.import(&["-"]).stdin(input()));
    assert_eq!(again.code, Some(1));
    assert!(again.out.starts_with("3 read, 0 created, 3 there already, 0 refused\n"), "{again:?}");
    assert_eq!(place.users().await, 3);
}
