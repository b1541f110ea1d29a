//! The examples of the OpenAPI document: one of every request and of every success.

use serde_json::{Value, json};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, RefOr};

use crate::http::bare;
use crate::tenants::Family;

const TENANT: &str = "11111111-2222-4333-8444-555555555555";
pub(super) const SESSION: &str = "019cf818-6d1e-7c3e-9b1a-5d0f6f1e2a3b";
const REFRESH: &str = "vrt1.AAg5ZjJjMWI3YQAkMTExMTExMTEtMjIyMi00MzMzLTg0NDQtNTU1NTU1NTU1NTU1ACQwMTljZjgxOC02ZDFlLTdjM2UtOWIxYS01ZDBmNmYxZTJhM2I";
pub(super) const DEVICE: &str = "c1a7e0d2-5b64-4f3f-8a90-2e6d4b8f7c15";

/// Whom a family's examples are about: the demo's user of that family, so that an example can be tried there as it
/// stands.
struct Person {
    customer: &'static str,
    user: &'static str,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
    role: &'static str,
}

impl Person {
    const fn of(family: Family) -> Self {
        match family {
            Family::Individual => Self {
                customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d001",
                user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
                email: "customer.login.123456@example.test",
                first_name: "Ada",
                last_name: "Customer",
                role: "USER",
            },
            Family::Organization => Self {
                customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d002",
                user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d002",
                email: "business.login.123456@example.test",
                first_name: "Bo",
                last_name: "Business",
                role: "USER",
            },
            Family::Admin => Self {
                customer: "0b6f3c52-7c1e-4a7e-9d38-51c1a0a1d003",
                user: "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d003",
                email: "staff.login.123456@example.test",
                first_name: "Sam",
                last_name: "Staff",
                role: "ADMIN",
            },
        }
    }
}

/// Puts the example of an operation's 200 (and of its request) where it belongs. An operation that is not here has
/// its examples from its handler.
pub fn add(operation: &mut Operation, family: Option<Family>, path: &str) {
    let id = operation.operation_id.clone().unwrap_or_default();
    let login = family.filter(|_| path.contains("/sessions"));
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let request = match login {
            Some(_) if id.starts_with("refreshSession") => Some(refresh_request()),
            Some(family) => Some(login_request(&Person::of(family))),
            None => bare::is_spoken_at(path).then(|| json!({ "token": REFRESH })),
        };
        if let Some(request) = request {
            set_example(body.content.values_mut(), Some(&request));
        }
    }
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") else { return };
    set_example(response.content.values_mut(), success(&id, family).as_ref());
}

fn set_example<'a>(contents: impl Iterator<Item = &'a mut RefOr<Content>>, example: Option<&Value>) {
    for content in contents {
        if let (RefOr::T(content), Some(example)) = (content, example) {
            content.example = Some(example.clone());
        }
    }
}

fn success(operation_id: &str, family: Option<Family>) -> Option<Value> {
    let data = match operation_id {
        "getKeys" => return Some(jwks()),
        "getIssuerMetadata" | "getOpenidConfiguration" => return Some(metadata()),
        "introspectToken" => return Some(introspected(&Person::of(Family::Individual))),
        "getHealth" => json!({ "status": "ok" }),
        "getReadiness" => {
            json!({ "status": "ready", "database": "ok", "migrations": "ok", "keys": "ok" })
        }
        id if id.starts_with("startSession") => started(family?, "Session created successfully"),
        id if id.starts_with("refreshSession") => started(family?, "Session refreshed successfully"),
        id if id.starts_with("getSession") => viewed(&Person::of(family?)),
        id if id.starts_with("listSessions") => {
            json!({ "items": [viewed(&Person::of(family?))], "nextCursor": null })
        }
        id if id.starts_with("listSessionEvents") => {
            json!({ "items": first_steps(&Person::of(family?)), "nextCursor": null })
        }
        id if id.starts_with("listDevices") => json!({ "items": [device(None)], "nextCursor": null }),
        id if id.starts_with("changeDevice") => device(Some("My phone")),
        id if id.starts_with("forgetDevice") => json!({
            "success": true, "message": "Device forgotten", "errorType": "NONE", "id": DEVICE, "sessionsEnded": 1,
        }),
        id if id.starts_with("changePassword") => json!({
            "userId": Person::of(family?).user, "passwordChangedAt": "2026-03-16T19:55:00.000Z", "sessionsEnded": true,
        }),
        id if id.starts_with("endSessions") => json!({
            "success": true, "message": "Sessions ended", "errorType": "NONE", "endedAt": "2026-03-16T20:10:00.000Z",
        }),
        id if id.starts_with("endSession") => json!({
            "success": true, "message": "Session ended", "errorType": "NONE", "sessionId": SESSION,
            "endedAt": "2026-03-16T20:10:00.000Z", "endReason": "logout",
        }),
        _ => return None,
    };
    Some(json!({ "code": 200, "data": data, "message": "Success" }))
}

/// The documented call.
fn login_request(person: &Person) -> Value {
    json!({
        "username": person.email, "password": "SecurePass123!",
        "tenantKey": "a1B2c3D4e5F6g7H8i9J0kLmNopQr", "tenantSecret": "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh",
        "credentialType": "PASSWORD", "value": person.email, "tenantId": TENANT,
    })
}

fn refresh_request() -> Value {
    json!({ "refreshToken": REFRESH })
}

fn started(family: Family, message: &str) -> Value {
    let Person { customer, user, email, first_name, last_name, role } = Person::of(family);
    let organization = (family != Family::Individual).then_some(customer);
    let token = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Ii4uLiJ9.eyJpc3MiOiIuLi4ifQ.c2lnbmF0dXJl";
    json!({
        "success": true, "message": message, "errorType": "NONE",
        "token": token, "accessToken": token, "tokenType": "Bearer",
        "refreshToken": REFRESH,
        "sessionId": SESSION, "expiresAt": "2026-03-16T20:49:32.000Z", "expiresIn": 3600,
        "sessionExpiresAt": "2026-03-17T19:49:32.410Z", "sessionIdleExpiresAt": "2026-03-17T19:49:32.410Z",
        "userId": user, "customerId": customer, "tenantId": TENANT, "roles": [role],
        "sessionMetadata": metadata_of_session(),
        "user": {
            "id": user, "customerId": customer, "customerStatus": "ACTIVE",
            "email": email, "fullName": format!("{first_name} {last_name}"), "firstName": first_name,
            "lastName": last_name, "organizationId": organization, "role": role,
            "phoneNumber": "+37060000000", "isActive": true, "lastLogin": null,
            "createdAt": "2026-03-01T08:00:00.000Z", "updatedAt": "2026-03-01T08:00:00.000Z",
            "tenantId": TENANT, "gender": null,
            "phones": [{ "phoneType": "MOBILE", "encoding": "E164", "number": "+37060000000" }],
        },
    })
}

fn viewed(person: &Person) -> Value {
    json!({
        "success": true, "message": "Session found", "errorType": "NONE", "sessionId": SESSION, "userId": person.user,
        "customerId": person.customer, "tenantId": TENANT, "roles": [person.role], "deviceId": "device-demo-001",
        "sessionMetadata": metadata_of_session(), "lastClientIp": null, "lastRefreshedAt": null,
        "sessionIdleExpiresAt": "2026-03-17T19:49:32.410Z", "sessionExpiresAt": "2026-03-17T19:49:32.410Z",
        "endedAt": null, "endReason": null, "current": true,
    })
}

fn device(name: Option<&str>) -> Value {
    json!({
        "id": DEVICE, "deviceId": "device-demo-001", "name": name, "platform": "mobile",
        "firstSeenAt": "2026-03-16T19:49:32.410Z", "lastSeenAt": "2026-03-16T19:49:32.410Z", "current": true,
        "sessions": 1,
    })
}

/// How a session begins that is opened on a new device.
fn first_steps(person: &Person) -> Value {
    let kind = if person.role == "ADMIN" { "staff" } else { "user" };
    let step = |word: &str| {
        json!({
            "type": word, "time": "2026-03-16T19:49:32.410Z", "outcome": "success", "reason": null, "rule": null,
            "actor": { "kind": kind, "id": person.user }, "clientIp": "127.0.0.1", "clientIpReason": "peer",
            "platform": "mobile", "deviceId": "device-demo-001", "userAgent": "curl/8.14.1", "count": null,
        })
    };
    json!([step("authn_login_success"), step("authn_login_new_device")])
}

fn metadata_of_session() -> Value {
    json!({
        "clientIp": "127.0.0.1", "clientPlatform": "mobile", "userAgent": "curl/8.14.1",
        "createdAt": "2026-03-16T19:49:32.410Z",
    })
}

fn introspected(person: &Person) -> Value {
    let issuer = "https://id.example.com/t/tenant-demo-001";
    json!({
        "active": true, "token_type": "Bearer", "iss": issuer, "sub": person.user, "aud": issuer, "exp": 1_773_694_172,
        "iat": 1_773_690_572, "jti": "8d2f7f5e-5f5b-4b7e-9f0d-0c7f6d0a4f11",
        "client_id": "5e1f0f3c-2c39-4b58-9d8e-6a3f0d5b7c21", "username": person.email, "sid": SESSION,
        "auth_time": 1_773_690_572, "acr": "aal1", "amr": ["pwd"], "tenantId": TENANT, "customerId": person.customer,
        "userId": person.user, "userType": "CONSUMER", "roles": [person.role],
    })
}

fn jwks() -> Value {
    json!({ "keys": [{
        "alg": "ES256", "crv": "P-256", "kid": "kLw5Yh0a2uLr5oXW1lWmJtN8cQ1b3Z1o6i1hYw0b0yI", "kty": "EC", "use": "sig",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }] })
}

fn metadata() -> Value {
    json!({
        "issuer": "https://id.example.com/t/tenant-demo-001",
        "jwks_uri": "https://id.example.com/t/tenant-demo-001/.well-known/jwks.json",
        "response_types_supported": [], "grant_types_supported": [], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "introspection_endpoint": "https://id.example.com/oauth2/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint": "https://id.example.com/oauth2/revoke",
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocations_endpoint": "https://id.example.com/t/tenant-demo-001/revocations",
    })
}
