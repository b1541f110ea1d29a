//! The documented call, word for word, and the meaning of every field of its answer.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use vestibule::flows::{NewTenant, create_tenant};
use vestibule::ids::{CustomerId, TenantId};
use vestibule::tenants::{Family, KeyPurpose, NewTenantKey, Profile, Settings};

use crate::support::app::{Answer, PASSWORD, TestApp, password_hash};

const EMAIL: &str = "customer.login.123456@example.test";
const KEY: &str = "a1B2c3D4e5F6g7H8i9J0kLmNopQr";
const SECRET: &str = "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh";
const TENANT: &str = "11111111-2222-4333-8444-555555555555";

/// The tenant of the documentation, with its one customer.
async fn documented_tenant(app: &TestApp) {
    use vestibule::customers::store::NewCustomer;
    use vestibule::customers::{CustomerKind, CustomerStatus};
    let person = crate::support::app::Person::new(Family::Individual, EMAIL);
    let hash = password_hash(PASSWORD);
    let customer = NewCustomer {
        status: CustomerStatus::RegistrationCompleted,
        ..NewCustomer::new(&person.customer, CustomerKind::Individual, "Ada Example")
    };
    let new = NewTenant {
        id: TenantId::parse(TENANT).unwrap(),
        slug: "tenant-demo-001",
        name: "Demo",
        settings: Settings { profile: Profile::Compatible, ..Settings::default() },
        keys: &[NewTenantKey::brought_along(KeyPurpose::Login, KEY.to_owned(), SECRET.to_owned())],
        house: &CustomerId::random(),
        customers: &[customer],
        users: &[person.as_new(&hash)],
        also: Vec::new(),
        actor: vestibule::events::Actor::Operator(None),
        client: None,
    };
    create_tenant(&app.database, &app.app.master, new, app.clock.now()).await.unwrap();
}

/// The documented curl.
fn documented_request() -> Request<Body> {
    let nil = "00000000-0000-0000-0000-000000000000";
    Request::post(format!("/api/v2.1/customer/individual/{nil}/users/{nil}/sessions"))
        .header("Content-Type", "application/json")
        .header("X-Forwarded-For", "127.0.0.1")
        .header("X-Forwarded-From", "client-app")
        .header("X-Tenant-ID", "tenant-demo-001")
        .header("deviceId", "device-demo-001")
        .header("platform", "mobile")
        .body(Body::from(format!(
            r#"{{ "username": "{EMAIL}", "password": "SecurePass123!",
                "tenantKey": "{KEY}", "tenantSecret": "{SECRET}",
                "credentialType": "PASSWORD", "value": "{EMAIL}",
                "tenantId": "{TENANT}" }}"#
        )))
        .unwrap()
}

/// The answer's text with what is random in it named.
fn redacted(answer: &Answer) -> String {
    let mut text = answer.text.clone();
    for field in ["token", "refreshToken", "sessionId", "userId", "customerId"] {
        text = text.replace(answer.field(field), &format!("({field})"));
    }
    text
}

#[tokio::test]
async fn the_documented_call_answers_200_with_exactly_the_documented_body_in_its_order() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    let answer = app.send(documented_request()).await.expect(200);
    insta::assert_snapshot!(redacted(&answer), @r#"{"code":200,"data":{"success":true,"message":"Session created successfully","errorType":"NONE","token":"(token)","accessToken":"(token)","tokenType":"Bearer","refreshToken":"(refreshToken)","sessionId":"(sessionId)","expiresAt":"2026-03-16T20:49:32.000Z","expiresIn":3600,"sessionExpiresAt":"2026-03-17T19:49:32.000Z","sessionIdleExpiresAt":"2026-03-17T19:49:32.000Z","userId":"(userId)","customerId":"(customerId)","tenantId":"11111111-2222-4333-8444-555555555555","roles":["USER"],"sessionMetadata":{"clientIp":"127.0.0.1","clientPlatform":"mobile","userAgent":null,"createdAt":"2026-03-16T19:49:32.000Z"},"user":{"id":"(userId)","customerId":"(customerId)","customerStatus":"CS_REGISTRATION_COMPLETED","email":"customer.login.123456@example.test","fullName":"Ada Example","firstName":"Ada","lastName":"Example","organizationId":null,"role":"USER","phoneNumber":null,"isActive":true,"lastLogin":null,"createdAt":"2026-03-16T19:49:32.000Z","updatedAt":"2026-03-16T19:49:32.000Z","tenantId":"11111111-2222-4333-8444-555555555555","gender":null,"phones":[]}},"message":"Success"}"#);
}

#[tokio::test]
async fn R008_the_answer_is_kept_by_nobody_and_tells_every_field_even_without_a_value() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    app.script("update users set first_name = null, last_name = null, email = null, roles = '[]'").await;
    let answer = app.send(documented_request()).await.expect(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8");
    let user = answer.data()["user"].as_object().unwrap();
    assert_eq!(user.len(), 17);
    for name in ["email", "fullName", "firstName", "lastName", "role", "phoneNumber", "gender", "lastLogin"] {
        assert_eq!(user[name], Value::Null, "{name}");
    }
    assert_eq!(answer.data().as_object().unwrap().len(), 18);
}

#[tokio::test]
async fn an_error_has_the_envelope_in_the_same_order() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    app.script("update users set password_hash = null").await;
    let answer = app.send(documented_request()).await.expect(401);
    insta::assert_snapshot!(answer.without_request_id(), @r#"{"code":401,"data":{"attempts":null,"errorType":"AUTHENTICATION","lockoutTime":null,"maxAttempts":5,"message":"Invalid username or password","requestId":"(id)","success":false},"message":"Authentication failed"}"#);
}

#[tokio::test]
async fn the_profile_tells_the_stored_name_the_highest_role_and_the_first_telephone() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    app.script(
        r#"update users set full_name = 'Dr Ada Example', gender = 'female', roles = '["USER","ADMIN"]', phones =
           '[{"phoneType":"WORK","encoding":"E164","number":"+37060000001"},
             {"phoneType":"MOBILE","encoding":"E164","number":"+37060000002"}]'"#,
    )
    .await;
    let answer = app.send(documented_request()).await.expect(200);
    let user = &answer.data()["user"];
    assert_eq!(user["fullName"], "Dr Ada Example", "stored before joined");
    assert_eq!(user["gender"], "female");
    assert_eq!(user["role"], "ADMIN", "ADMIN before USER");
    assert_eq!(answer.data()["roles"], json!(["USER", "ADMIN"]), "as stored");
    assert_eq!(user["phoneNumber"], "+37060000001");
    assert_eq!(
        user["phones"],
        json!([
            { "phoneType": "WORK", "encoding": "E164", "number": "+37060000001" },
            { "phoneType": "MOBILE", "encoding": "E164", "number": "+37060000002" },
        ])
    );
    app.script("update users set full_name = null, first_name = null, roles = '[\"VIEWER\"]'").await;
    let answer = app.send(documented_request()).await.expect(200);
    assert_eq!(answer.data()["user"]["fullName"], "Example", "joined of what there is");
    assert_eq!(answer.data()["user"]["role"], "VIEWER", "others as given");
}

#[tokio::test]
async fn R013_last_login_is_the_login_before_this_one() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    let last = async || {
        let answer = app.send(documented_request()).await.expect(200);
        answer.data()["user"]["lastLogin"].clone()
    };
    assert_eq!(last().await, Value::Null, "null at the first");
    app.clock.advance(61_007);
    assert_eq!(last().await, "2026-03-16T19:49:32.000Z");
    assert_eq!(last().await, "2026-03-16T19:50:33.007Z");
}

#[tokio::test]
async fn a_customer_in_every_state_but_suspended_and_closed_logs_in_and_is_told_the_documented_word() {
    let app = TestApp::start().await;
    documented_tenant(&app).await;
    for (stored, told) in [
        ("active", "ACTIVE"),
        ("pending_activation", "PENDING_ACTIVATION"),
        ("pending_verification", "PENDING_VERIFICATION"),
        ("registration_completed", "CS_REGISTRATION_COMPLETED"),
    ] {
        app.script(&format!("update customers set status = '{stored}'")).await;
        let answer = app.send(documented_request()).await.expect(200);
        assert_eq!(answer.data()["user"]["customerStatus"], told);
        assert_eq!(answer.data()["user"]["isActive"], true);
    }
    for stored in ["suspended", "closed"] {
        app.script(&format!("update customers set status = '{stored}'")).await;
        app.send(documented_request()).await.expect(401);
    }
}
