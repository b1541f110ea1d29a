//! The examples of the OpenAPI document that several operations share: the demo's people.

use serde_json::{Value, json};

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CREATED: &str = "2026-03-01T08:00:00.000Z";
pub(super) const CUSTOMER: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d001";
pub(super) const ORGANIZATION: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d002";
const HOUSE: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d003";
pub(super) const USER: &str = "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001";
const ORGANIZATIONS_USER: &str = "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d002";
const STAFF: &str = "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d003";

/// The envelope.
pub(super) fn success(data: &Value) -> Value {
    json!({ "code": 200, "data": data, "message": "Success" })
}

/// The envelope of a list's only page.
pub(super) fn page(item: &Value) -> Value {
    success(&json!({ "items": [item], "nextCursor": null }))
}

/// An individual in this status.
pub(super) fn customer(status: &str) -> Value {
    json!({
        "id": CUSTOMER, "tenantId": TENANT, "individual": true, "organization": false,
        "customerType": "CT_PERSON", "customerStatus": status, "customerName": "Ada Customer",
        "customerCategory": { "id": "retail", "name": "Retail" },
        "organizationDetails": {
            "legalName": null, "tradingName": null, "registrationNumber": null, "taxId": null,
        },
        "house": false, "createdAt": CREATED, "updatedAt": CREATED, "erasedAt": null,
    })
}

/// An individual of whom nothing personal is left.
pub(super) fn erased_customer() -> Value {
    let mut customer = customer("CLOSED");
    customer["customerName"] = Value::Null;
    customer["customerCategory"] = json!({ "id": null, "name": null });
    customer["erasedAt"] = json!(CREATED);
    customer
}

/// An individual's user in this status.
pub(super) fn user(status: &str) -> Value {
    json!({
        "id": USER, "tenantId": TENANT, "customerId": CUSTOMER, "kind": "customer", "status": status,
        "username": null, "email": "customer.login.123456@example.test", "firstName": "Ada", "lastName": "Customer",
        "fullName": null, "gender": null, "dateOfBirth": "1990-12-10", "nationality": "LT", "placeOfBirth": null,
        "pincode": null, "phones": [{ "phoneType": "MOBILE", "encoding": "E164", "number": "+37060000000" }],
        "roles": ["USER"], "metadata": { "tier": "gold" }, "hasPassword": true, "lastLogin": null,
        "createdAt": CREATED, "updatedAt": CREATED, "erasedAt": null,
    })
}

/// A user of whom nothing personal is left.
pub(super) fn erased_user() -> Value {
    let mut user = user("CLOSED");
    for field in ["email", "firstName", "lastName", "dateOfBirth", "nationality"] {
        user[field] = Value::Null;
    }
    user["phones"] = json!([]);
    user["metadata"] = json!({});
    user["hasPassword"] = json!(false);
    user["erasedAt"] = json!(CREATED);
    user
}

/// A user of an organization.
pub(super) fn organizations_user() -> Value {
    let mut user = user("ACTIVE");
    user["id"] = json!(ORGANIZATIONS_USER);
    user["customerId"] = json!(ORGANIZATION);
    user["email"] = json!("business.login.123456@example.test");
    user["firstName"] = json!("Bo");
    user["lastName"] = json!("Business");
    user
}

/// A member of staff.
pub(super) fn staff() -> Value {
    let mut user = user("ACTIVE");
    user["id"] = json!(STAFF);
    user["customerId"] = json!(HOUSE);
    user["kind"] = json!("staff");
    user["email"] = json!("staff.login.123456@example.test");
    user["firstName"] = json!("Sam");
    user["lastName"] = json!("Staff");
    user["roles"] = json!(["OPERATOR"]);
    user
}

/// What adds a user.
pub(super) fn new_user(email: &str, role: &str) -> Value {
    json!({
        "email": email, "firstName": "Sam", "lastName": "Staff", "phones": [{ "number": "+37060000002" }],
        "roles": [role], "password": "correct horse battery", "matchingPassword": "correct horse battery",
    })
}

/// A registration's answer.
pub(super) fn registered(organization: bool) -> Value {
    let (customer, user) =
        if organization { (ORGANIZATION, organizations_user()) } else { (CUSTOMER, self::user("ACTIVE")) };
    let mut person = json!({ "phone": "+37060000000" });
    for field in
        ["firstName", "lastName", "email", "dateOfBirth", "gender", "nationality", "placeOfBirth", "pincode"]
    {
        person[field] = user[field].clone();
    }
    json!({
        "code": 200,
        "data": {
            "organization": organization, "individual": !organization, "id": customer, "tenantId": TENANT,
            "customerType": if organization { "CT_ORGANIZATION" } else { "CT_PERSON" },
            "customerStatus": "CS_REGISTRATION_COMPLETED", "person": person, "user": user,
            "categorization": { "id": "retail", "name": "Retail" },
        },
        "message": "Success",
        "redirectUrl": null,
    })
}
