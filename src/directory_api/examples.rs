//! The examples of the OpenAPI document that several operations share: the demo's people.

use serde_json::{Value, json};

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
const CREATED: &str = "2026-03-01T08:00:00.000Z";
pub(super) const CUSTOMER: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d001";
pub(super) const ORGANIZATION: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d002";
const HOUSE: &str = "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d003";
pub(super) const USER: &str = "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001";
pub(super) const SESSION: &str = "019cf818-6d1e-7c3e-9b1a-5d0f6f1e2a3b";
pub(super) const OPERATION: &str = "6a0e1c7d-4b58-4f93-8d2e-b7c1f05a9e64";
pub(super) const DEVICE: &str = "c1a7e0d2-5b64-4f3f-8a90-2e6d4b8f7c15";
const ORGANIZATIONS_USER: &str = "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d002";
const NEW_CUSTOMER: &str = "7d1e9b54-2f6a-4c83-a05e-6b1c8d2f3a47";
const NEW_USER: &str = "e25c4a10-93bd-4f7e-8b61-0d5f7a9c1e36";

/// The envelope.
pub(super) fn success(data: &Value) -> Value {
    json!({ "code": 200, "data": data, "message": "Success" })
}

/// The envelope of a list's only page.
pub(super) fn page(items: &[Value]) -> Value {
    success(&json!({ "items": items, "nextCursor": null }))
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

/// A user of whom the demo knows little.
fn plain_user(id: &str, customer: &str, kind: &str, email: &str, names: [&str; 2], role: &str) -> Value {
    let mut user = user("ACTIVE");
    user["id"] = json!(id);
    user["customerId"] = json!(customer);
    user["kind"] = json!(kind);
    user["email"] = json!(email);
    user["firstName"] = json!(names[0]);
    user["lastName"] = json!(names[1]);
    user["dateOfBirth"] = Value::Null;
    user["nationality"] = Value::Null;
    user["roles"] = json!([role]);
    user["metadata"] = json!({});
    user
}

/// A user of an organization.
pub(super) fn organizations_user() -> Value {
    let email = "business.login.123456@example.test";
    plain_user(ORGANIZATIONS_USER, ORGANIZATION, "customer", email, ["Bo", "Business"], "USER")
}

const SECOND_EMAIL: &str = "bo.second@example.test";
const STAFF_EMAIL: &str = "sam.staff@example.test";

/// What adds a user to an organization, and its answer.
pub(super) fn adding_to_organization() -> (Value, Value) {
    adding(ORGANIZATION, "customer", SECOND_EMAIL, "ACCOUNTANT")
}

/// What adds a member of staff, and its answer.
pub(super) fn adding_staff() -> (Value, Value) {
    adding(HOUSE, "staff", STAFF_EMAIL, "OPERATOR")
}

fn adding(customer: &str, kind: &str, email: &str, role: &str) -> (Value, Value) {
    let mut user = plain_user(NEW_USER, customer, kind, email, ["Sam", "Second"], role);
    user["phones"][0]["number"] = json!("+37060000002");
    let request = json!({
        "email": email, "firstName": "Sam", "lastName": "Second", "phones": [{ "number": "+37060000002" }],
        "roles": [role], "password": "correct horse battery", "matchingPassword": "correct horse battery",
    });
    (request, success(&user))
}

/// The registration of an individual, and its answer.
pub(super) fn registering_individual() -> (Value, Value) {
    let request = json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": "ada.lovelace@example.test", "phone": "+37060000001",
        "password": "correct horse battery", "matchingPassword": "correct horse battery",
        "dateOfBirth": "1990-12-10", "gender": "female", "nationality": "LT", "placeOfBirth": "Vilnius",
        "pincode": "01100", "roleIds": ["ACCOUNT_OWNER", "USER"],
        "customerCategory": { "id": "retail", "name": "Retail" },
        "individualCustomer": { "customerName": "Ada Lovelace", "tenantId": TENANT },
    });
    let answer = registered(&request, "CT_PERSON");
    (request, answer)
}

/// The registration of an organization, and its answer.
pub(super) fn registering_organization() -> (Value, Value) {
    let request = json!({
        "email": "office@engines.example.test", "password": "correct horse battery",
        "matchingPassword": "correct horse battery", "roleIds": ["ACCOUNT_OWNER"],
        "customerCategory": { "id": "business", "name": "Business" },
        "organizationCustomer": {
            "customerName": "Analytical Engines",
            "organization": {
                "legalName": "Analytical Engines UAB", "tradingName": "Engines", "registrationNumber": "305000001",
                "taxId": "LT100000000001",
            },
        },
    });
    let answer = registered(&request, "CT_ORGANIZATION");
    (request, answer)
}

fn registered(request: &Value, customer_type: &str) -> Value {
    let mut user = plain_user(NEW_USER, NEW_CUSTOMER, "customer", "", ["", ""], "");
    let mut person = json!({ "phone": request["phone"] });
    for field in
        ["firstName", "lastName", "email", "dateOfBirth", "gender", "nationality", "placeOfBirth", "pincode"]
    {
        user[field] = request[field].clone();
        person[field] = request[field].clone();
    }
    user["roles"] = request["roleIds"].clone();
    user["phones"] = match &request["phone"] {
        Value::Null => json!([]),
        number => json!([{ "phoneType": "MOBILE", "encoding": "E164", "number": number }]),
    };
    let organization = customer_type == "CT_ORGANIZATION";
    json!({
        "code": 200,
        "data": {
            "organization": organization, "individual": !organization, "id": NEW_CUSTOMER, "tenantId": TENANT,
            "customerType": customer_type, "customerStatus": "CS_REGISTRATION_COMPLETED", "person": person,
            "user": user, "categorization": request["customerCategory"],
        },
        "message": "Success",
        "redirectUrl": null,
    })
}

/// A session of the individual's user.
pub(super) fn session() -> Value {
    json!({
        "sessionId": SESSION, "userId": USER, "customerId": CUSTOMER, "tenantId": TENANT, "family": "individual",
        "state": "live", "deviceId": "device-demo-001",
        "sessionMetadata": {
            "clientIp": "127.0.0.1", "clientPlatform": "mobile", "userAgent": "curl/8.14.1",
            "createdAt": "2026-03-16T19:49:32.410Z",
        },
        "lastClientIp": null, "tenantKeyId": "3b9f2c61-8e4d-4a70-9c15-d27e6f80b1a3", "refreshes": 0,
        "lastRefreshedAt": null, "sessionIdleExpiresAt": "2026-03-17T19:49:32.410Z",
        "sessionExpiresAt": "2026-03-17T19:49:32.410Z", "endedAt": null, "endReason": null,
    })
}

/// The end of it.
pub(super) fn session_ended() -> Value {
    json!({
        "success": true, "message": "Session ended", "errorType": "NONE", "sessionId": SESSION,
        "endedAt": "2026-03-16T20:10:00.000Z", "endReason": "ended_by_backend",
    })
}

/// The end of all of the user's.
pub(super) fn user_sessions_ended() -> Value {
    json!({ "userId": USER, "endedAt": "2026-03-16T20:10:00.000Z", "endReason": "ended_by_backend" })
}

/// The answer that begins it.
pub(super) fn ending_sessions() -> Value {
    json!({ "matched": null, "exact": null, "operationId": OPERATION, "state": "settling", "ended": 0 })
}

/// An operation that has found nothing.
pub(super) fn session_operation() -> Value {
    json!({
        "operationId": OPERATION, "state": "settling", "ended": 0, "endReason": "ended_by_backend",
        "reason": "stolen-devices", "startedAt": "2026-03-16T20:10:00.000Z", "updatedAt": "2026-03-16T20:10:00.120Z",
        "finishedAt": null,
    })
}
/// A device of the individual's user.
pub(super) fn device() -> Value {
    json!({
        "id": DEVICE, "deviceId": "device-demo-001", "name": "Ada's phone", "platform": "mobile",
        "firstSeenAt": "2026-03-16T19:49:32.410Z", "lastSeenAt": "2026-03-16T19:49:32.410Z", "current": false,
        "sessions": 1,
    })
}

/// A device that was forgotten.
pub(super) fn device_forgotten() -> Value {
    json!({
        "success": true, "message": "Device forgotten", "errorType": "NONE", "id": DEVICE, "sessionsEnded": 1,
    })
}

/// The first step of a session.
pub(super) fn login_step() -> Value {
    json!({
        "type": "authn_login_success", "time": "2026-03-16T19:49:32.410Z", "outcome": "success", "reason": null,
        "rule": null, "actor": { "kind": "user", "id": USER }, "clientIp": "127.0.0.1", "clientIpReason": "peer",
        "platform": "mobile", "deviceId": "device-demo-001", "userAgent": "curl/8.14.1", "count": null,
    })
}

/// A user's locks, after a stranger's guesses.
pub(super) fn locks() -> Value {
    json!({ "items": [{
        "id": "none", "proof": "none", "device": null, "deviceId": null, "deviceName": null, "failures": 5, "failuresInAll": 5, "locked": true,
        "forGood": false, "lockedSince": "2026-03-16T19:50:00.000Z", "lockedUntil": "2026-03-16T20:20:00.000Z",
        "lastFailures": [{
            "at": "2026-03-16T19:50:00.000Z", "attempt": "login", "reason": "wrong_password", "clientIp": "198.51.100.7",
        }],
    }] })
}

/// A user who is unlocked.
pub(super) fn unlocked() -> Value {
    json!({
        "success": true, "message": "User unlocked", "errorType": "NONE", "userId": USER, "lock": null,
    })
}

/// Evidence of a session of which nothing but the login is sealed, the first of the log's events.
pub(super) fn evidence() -> Value {
    let digest = "mFpFXq1uMYJTJ7IdhIDTa3XtT6c5WjxXCi5cFqWDFPM=";
    json!({
        "format": "vestibule-evidence-1",
        "checkpoint": "127.0.0.1:8080/t/tenant-demo-001\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
                       — 127.0.0.1:8080/t/tenant-demo-001 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n",
        "verifierKey": "127.0.0.1:8080/t/tenant-demo-001+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "events": [{
            "event": {
                "tenantId": TENANT, "position": 1, "id": "019cf818-6d1e-7c3e-9b1a-5d0f6f1e2a3c",
                "name": "authn_login_success", "outcome": "success", "occurredAt": 1_773_690_572_410_i64,
                "actorKind": "user", "actorId": USER, "userId": USER, "customerId": CUSTOMER, "sessionId": SESSION,
                "reason": null, "requestId": "019cf818-6d1d-7a02-8c4e-2b7f90d1e6a5", "details": "{}", "ends": null,
                "endsUntil": null, "endsNot": null, "personalDigest": digest,
            },
            "personal": "{\"clientIp\":\"127.0.0.1\"}", "salt": "MDEyMzQ1Njc4OWFiY2RlZg==", "inclusionProof": [],
        }],
    })
}

/// The second, where the device is a new one.
pub(super) fn new_device_step() -> Value {
    let mut step = login_step();
    step["type"] = json!("authn_login_new_device");
    step
}
