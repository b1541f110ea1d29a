//! What a refresh answers, and what it needs to be asked.

use serde_json::{Value, json};
use vestibule::tenants::{self, Family};

use super::{INDIVIDUAL, MINUTE, refresh_call, refresh_with, refresh_without_id, refused, start};
use crate::support::app::{NIL, START, TestApp};
use crate::support::calls::{Call, Opened, session_path};
use crate::support::forge::claims;

/// All of an answer's fields, with those inside of them, in their order.
fn fields(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        all.push(name.clone());
        all.extend(fields(value).into_iter().map(|inner| format!("{name}.{inner}")));
    }
    all
}

#[tokio::test]
async fn a_refresh_answers_like_a_login_in_every_family_and_by_both_paths() {
    let (app, tenant) = start().await;
    for family in Family::ALL {
        app.open(&tenant, family).await;
        app.clock.advance(MINUTE);
        let mut current = app.open(&tenant, family).await;
        let login = current.data.clone();
        for by_id in [true, false] {
            app.clock.advance(MINUTE);
            let call =
                if by_id { refresh_call(&tenant, &current) } else { refresh_without_id(&tenant, &current) };
            let answer = app.call(call).await.expect(200);
            assert_eq!((&answer.json["code"], &answer.json["message"]), (&json!(200), &json!("Success")));
            assert_eq!(answer.headers["cache-control"], "no-store");
            let data = answer.data();
            assert_eq!(fields(data), fields(&login), "the same fields in the same order");
            assert_eq!(data["message"], "Session refreshed successfully");
            assert_eq!(data["token"], data["accessToken"]);
            for field in ["token", "refreshToken", "expiresAt", "sessionIdleExpiresAt"] {
                assert_ne!(data[field], current.data[field], "{field} is a new one");
            }
            for field in login.as_object().unwrap().keys() {
                let new =
                    ["message", "token", "accessToken", "refreshToken", "expiresAt", "sessionIdleExpiresAt"];
                if !new.contains(&field.as_str()) {
                    assert_eq!(data[field], login[field], "{field} is the login's");
                }
            }
            let now = app.clock.now();
            assert_eq!(data["expiresAt"], now.plus_seconds(300).to_string());
            assert_eq!(data["expiresIn"], 300);
            assert_eq!(data["sessionIdleExpiresAt"], now.plus_seconds(1_800).to_string());
            // The login before this session's, as that one told it.
            assert_eq!(data["user"]["lastLogin"], login["user"]["lastLogin"]);
            assert!(data["user"]["lastLogin"].is_string());
            current = current.next(&answer);
            let view = app.view(&tenant, &current).await.expect(200);
            assert_eq!(view.field("lastRefreshedAt"), now.to_string());
            assert_eq!(view.data()["sessionIdleExpiresAt"], data["sessionIdleExpiresAt"]);
        }
    }
}

#[tokio::test]
async fn R069_R096_a_hundred_refreshes_raise_nothing_and_widen_nothing() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let login = claims(&opened.token);
    assert_eq!(login["auth_time"], START.as_seconds());
    let mut current = opened;
    for round in 1..=100 {
        app.clock.advance(MINUTE);
        current = app.refreshed(&tenant, &current).await;
        let now = claims(&current.token);
        for (name, value) in login.as_object().unwrap() {
            match name.as_str() {
                "iat" => assert_eq!(now[name], START.plus_seconds(60 * round).as_seconds()),
                "exp" => assert_eq!(now[name], START.plus_seconds(60 * round + 300).as_seconds()),
                "jti" => assert_ne!(now[name], *value),
                _ => assert_eq!(now[name], *value, "{name}"),
            }
        }
        assert_eq!(fields(&now), fields(&login));
    }
    // There is nothing to ask more by.
    for field in ["scope", "acr", "aud", "audience", "roles", "expiresIn"] {
        let body = json!({ "refreshToken": current.refresh, field: "more" });
        let answer = app.call(refresh_with(&tenant, &current, &body)).await.expect(400);
        assert_eq!(answer.error_type(), "MALFORMED_REQUEST");
    }
    app.refreshed(&tenant, &current).await;
}

#[tokio::test]
async fn R068_a_refresh_is_activity_and_metadata_stays_that_of_the_login() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    app.clock.advance(29 * MINUTE);
    let call = refresh_call(&tenant, &opened)
        .and("x-forwarded-for", "198.51.100.7")
        .and("x-forwarded-from", "other-app")
        .and("platform", "web")
        .and("user-agent", "other-agent/2");
    let next = opened.next(&app.call(call).await.expect(200));
    assert_eq!(next.data["sessionMetadata"], opened.data["sessionMetadata"]);
    app.clock.advance(29 * MINUTE);
    app.refreshed(&tenant, &next).await;
}

#[tokio::test]
async fn a_refresh_needs_no_header_but_the_tenant_and_the_sessions_device() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let bare = refresh_call(&tenant, &opened);
    for name in [tenant.slug.as_str(), tenant.id.as_str(), &tenant.id.as_str().to_uppercase()] {
        app.call(bare.clone().for_tenant(name)).await.expect(200);
    }
    for alias in ["x-device-id", "device-id"] {
        app.call(bare.clone().on_device(None).and(alias, "device-1")).await.expect(200);
    }
    // Whatever stands in Authorization: the access token may long be dead.
    for value in ["Bearer x", "Basic eDp5", "nonsense", &format!("Bearer {}", opened.token)] {
        app.call(bare.clone().and("authorization", value)).await.expect(200);
    }
    // The tenant is missing: told to everybody.
    let mut without = bare.clone();
    without.headers.retain(|(name, _)| name != "x-tenant-id");
    for call in [without.clone(), without.tenant(" ")] {
        let answer = app.call(call).await.expect(400);
        assert_eq!((answer.error_type(), answer.complaints()), ("MISSING_HEADERS", vec!["X-Tenant-ID"]));
    }
    // The device is missing: told to whoever holds the session's token.
    for call in [bare.clone().on_device(None), bare.clone().on_device(Some(" "))] {
        let answer = app.call(call.clone()).await.expect(400);
        assert_eq!((answer.error_type(), answer.complaints()), ("MISSING_HEADERS", vec!["deviceId"]));
        let stranger = Call { body: json!({ "refreshToken": "vrt1.x" }).to_string().into(), ..call };
        refused(app.call(stranger).await);
    }
    app.refreshed(&tenant, &opened).await;
}

#[tokio::test]
async fn a_session_without_a_device_is_refreshed_from_any() {
    let (app, tenant) = start().await;
    let call = tenant.login(Family::Admin).without("deviceid");
    let answer = app.send(call.request()).await.expect(200);
    let opened = Opened {
        family: Family::Admin,
        session: answer.field("sessionId").to_owned(),
        token: answer.field("token").to_owned(),
        refresh: answer.field("refreshToken").to_owned(),
        data: answer.data().clone(),
    };
    let first = refresh_call(&tenant, &opened).on_device(None);
    let second = opened.next(&app.call(first.clone()).await.expect(200));
    app.call(first).await.expect(200);
    app.call(refresh_call(&tenant, &second).on_device(Some("any"))).await.expect(200);
}

#[tokio::test]
async fn R115_R117_a_body_that_is_not_one_is_told_by_its_field() {
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    for (body, status, error_type, field) in [
        (json!({}), 400, "VALIDATION", Some("refreshToken")),
        (json!({ "refreshToken": null }), 400, "VALIDATION", Some("refreshToken")),
        (json!({ "refreshToken": 5 }), 400, "MALFORMED_REQUEST", None),
        (json!({ "refresh_token": opened.refresh }), 400, "MALFORMED_REQUEST", None),
        (json!({ "refreshToken": opened.refresh, "tenantId": tenant.id }), 400, "MALFORMED_REQUEST", None),
        (json!([]), 400, "MALFORMED_REQUEST", None),
        (
            json!({ "refreshToken": opened.refresh, "tenantKey": "k".repeat(257) }),
            400,
            "VALIDATION",
            Some("tenantKey"),
        ),
        (
            json!({ "refreshToken": opened.refresh, "tenantSecret": "a\u{0}b" }),
            400,
            "VALIDATION",
            Some("tenantSecret"),
        ),
        (json!({ "refreshToken": "x".repeat(16 * 1024) }), 413, "PAYLOAD_TOO_LARGE", None),
    ] {
        let answer = app.call(refresh_with(&tenant, &opened, &body)).await.expect(status);
        assert_eq!(answer.error_type(), error_type, "{body}");
        if let Some(field) = field {
            assert_eq!(answer.complaints(), [field]);
        }
        assert!(!answer.text.contains(&opened.refresh), "what was sent is not repeated");
    }
    let form = refresh_call(&tenant, &opened);
    let headers = form.headers.iter().filter(|(name, _)| name != "content-type").cloned().collect::<Vec<_>>();
    let answer = app.call(Call { headers, ..form }.and("content-type", "text/plain")).await.expect(415);
    assert_eq!(answer.error_type(), "UNSUPPORTED_MEDIA_TYPE");
    let path = format!("{}?refreshToken=x", session_path(INDIVIDUAL, NIL, NIL, &opened.session));
    app.call(Call { path, ..refresh_call(&tenant, &opened) }).await.expect(400);
    app.refreshed(&tenant, &opened).await;
}

#[tokio::test]
async fn R124_a_web_app_refreshes_where_its_tenant_lets_it_and_nowhere_else() {
    const APP: &str = "https://app.example.test";
    let (app, tenant) = start().await;
    let opened = app.open(&tenant, INDIVIDUAL).await;
    let from = |app_origin: &str| refresh_call(&tenant, &opened).and("origin", app_origin);
    let answer = app.call(from(APP)).await.expect(403);
    assert_eq!(answer.error_type(), "TENANT");
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
    assert_eq!(app.row_of(&opened).await[0].as_deref(), Some("1"), "nothing has happened");
    app.database.apply(tenants::store::insert_origin(&tenant.id, APP)).await.unwrap();
    let answer = app.call(from(APP)).await.expect(200);
    assert_eq!(answer.headers["access-control-allow-origin"], APP);
    app.call(from("https://app.example.tes")).await.expect(403);
    // Why it was refused can be read as well.
    let other = app.call(from(APP).on_device(Some("other"))).await.expect(401);
    assert_eq!(other.headers["access-control-allow-origin"], APP);
}

#[tokio::test]
async fn R086_R137_no_refresh_token_is_stored_or_told_again() {
    let (app, tenant) = start().await;
    let first = app.open(&tenant, INDIVIDUAL).await;
    let second = app.refreshed(&tenant, &first).await;
    let third = app.refreshed(&tenant, &second).await;
    app.refresh(&tenant, &first).await.expect(401);
    let all = app.everything_stored().await;
    for opened in [&first, &second, &third] {
        let text = opened.refresh.strip_prefix("vrt1.").unwrap();
        let bytes = vestibule::secrets::from_base64url(text).unwrap();
        assert_eq!(opened.refresh, format!("vrt1.{text}"), "its prefix tells what it is");
        for secret in [text.as_bytes(), &bytes[bytes.len() - 32..], opened.token.as_bytes()] {
            assert!(!all.windows(secret.len()).any(|window| window == secret));
        }
    }
    assert!(TestApp::row_of(&app, &third).await[8].as_deref() == Some("refresh_reuse"));
}
