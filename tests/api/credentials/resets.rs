//! "Forgot my password": a secret for whoever has the name, once and not for long.

use serde_json::json;
use vestibule::tenants::Family;

use super::{NEW, REDEEM, START, change, errors, old_password_works, redeem, set, start};
use crate::support::app::{PASSWORD, TestApp};
use crate::support::calls::Call;

#[tokio::test]
async fn R041_a_secret_sets_a_password_once_ends_all_sessions_and_lifts_the_lock() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let opened = app.open(&tenant, family).await;
        app.fail(&tenant.login(family), 5).await;
        let secret = app.secret(&tenant, family).await;
        assert!(secret.starts_with("vpr1.") && secret.len() == 5 + 43, "256 bits: {secret}");
        assert!(!String::from_utf8_lossy(&app.everything_stored().await).contains(&secret));
        app.view(&tenant, &opened).await.expect(200);
        app.clock.advance(1);
        let answer = app.call(redeem(&tenant, &secret, NEW)).await.expect(200);
        assert_eq!(answer.field("userId"), tenant.person(family).id.as_str());
        assert_eq!(answer.field("passwordChangedAt"), app.clock.now().to_string());
        app.view(&tenant, &opened).await.expect(401);
        assert_eq!(app.failures(tenant.person(family)).await, 0);
        app.login_with(&tenant, family, NEW).await.expect(200);
        app.call(redeem(&tenant, &secret, "ten green bottles")).await.expect(400);
        app.login_with(&tenant, family, NEW).await.expect(200);
    }
    let events = app.events_named(tenant.id.as_str(), "authn_password_change").await;
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event.text("reason").unwrap() == "reset_secret"));
}

#[tokio::test]
async fn R041_names_that_nobody_has_or_may_not_log_in_get_the_same_answer_for_the_same_work() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let other = app.tenant("globex").await;
    app.add_person(&other, Family::Individual, "elsewhere@x.test").await;
    let add = async |name: &str, set: &str, of_customer: bool| {
        let person = app.add_person(&tenant, Family::Individual, name).await;
        if of_customer {
            app.update_customer(&person, set).await;
        } else {
            app.update_user(&person, set).await;
        }
    };
    add("suspended@x.test", "status = 'suspended'", false).await;
    add("closed@x.test", "status = 'closed'", false).await;
    add("of.suspended@x.test", "status = 'suspended'", true).await;
    add("of.closed@x.test", "status = 'closed'", true).await;
    add("bare@x.test", "password_hash = null", false).await;
    let known = app.call(start(&tenant, "individual@example.test")).await.expect(200);
    let shape = |answer: &crate::support::app::Answer| {
        answer.fingerprint().replace(answer.field("resetSecret"), "(secret)")
    };
    let mut rows = app.number_of("password_resets").await;
    for (name, opens) in [
        ("nobody@x.test", false),
        ("elsewhere@x.test", false),
        ("suspended@x.test", false),
        ("closed@x.test", false),
        ("of.suspended@x.test", false),
        ("of.closed@x.test", false),
        ("bare@x.test", true),
    ] {
        let answer = app.call(start(&tenant, name)).await.expect(200);
        assert_eq!(shape(&answer), shape(&known), "{name}");
        let now = app.number_of("password_resets").await;
        assert_eq!(now, rows + 1, "{name} is written down like any other");
        rows = now;
        let redeemed = app.call(redeem(&tenant, answer.field("resetSecret"), NEW)).await;
        assert_eq!(redeemed.status.as_u16(), if opens { 200 } else { 400 }, "{name}");
    }
    let events = app.events_named(tenant.id.as_str(), "authn_password_reset_request").await;
    assert_eq!(events.len(), 8);
    // Not even when the user is resumed.
    let answer = app.call(start(&tenant, "suspended@x.test")).await.expect(200);
    app.script("update users set status = 'active'").await;
    app.call(redeem(&tenant, answer.field("resetSecret"), NEW)).await.expect(400);
}

#[tokio::test]
async fn R041_a_secret_that_is_not_good_has_one_answer_byte_for_byte() {
    let app = TestApp::start().await;
    let (tenant, other) = (app.tenant("acme").await, app.tenant("globex").await);
    let family = Family::Individual;
    let used = app.secret(&tenant, family).await;
    app.call(redeem(&tenant, &used, NEW)).await.expect(200);
    let (last, start_last) =
        (app.add_person(&tenant, family, "last@x.test").await, start(&tenant, "last@x.test"));
    let used_last = app.call(start_last).await.expect(200).field("resetSecret").to_owned();
    app.call(redeem(&tenant, &used_last, NEW)).await.expect(200);
    assert!(app.number_of(&format!("password_resets where user_id = '{}'", last.id)).await == 1);
    let replaced = app.secret(&tenant, family).await;
    let newer = app.secret(&tenant, family).await;
    let overtaken = app.secret(&tenant, Family::Organization).await;
    app.call(set(&tenant.person(Family::Organization).id, NEW).backend(&tenant)).await.expect(200);
    let late = app.secret(&tenant, Family::Admin).await;
    let theirs = app.secret(&other, family).await;
    let nobodys = app.call(start(&tenant, "nobody@x.test")).await.expect(200).field("resetSecret").to_owned();
    let suspended = app.add_person(&tenant, family, "suspended@x.test").await;
    let of_suspended =
        app.call(start(&tenant, "suspended@x.test")).await.expect(200).field("resetSecret").to_owned();
    app.update_user(&suspended, "status = 'suspended'").await;
    app.clock.advance(1_800_000 - 1);
    let mut before_the_end = vec![("replaced", replaced.as_str()), ("overtaken", &overtaken)];
    let hashes = app.app.passwords.evaluations();
    let before = app.passwords_now().await;
    let unknown = app.call(redeem(&tenant, "vpr1.unknown", NEW)).await.expect(400);
    assert_eq!(
        errors(&unknown),
        [("resetSecret".to_owned(), "is not good, or no longer; ask for a new one".to_owned())]
    );
    before_the_end.extend([
        ("used", used.as_str()),
        ("used and not replaced", &used_last),
        ("another tenant's", &theirs),
        ("nobody's", &nobodys),
    ]);
    before_the_end.extend([
        ("of one who was suspended", of_suspended.as_str()),
        ("empty", ""),
        ("NUL", "\0"),
    ]);
    for (why, secret) in before_the_end {
        let answer = app.call(redeem(&tenant, secret, NEW)).await;
        assert_eq!(answer.fingerprint(), unknown.fingerprint(), "{why}");
    }
    app.clock.advance(1);
    for (why, secret) in [("over", late.as_str()), ("over, the newer one", &newer)] {
        let answer = app.call(redeem(&tenant, secret, NEW)).await;
        assert_eq!(answer.fingerprint(), unknown.fingerprint(), "{why}");
    }
    assert_eq!(app.passwords_now().await, before);
    assert_eq!(app.app.passwords.evaluations(), hashes, "what opens nothing costs no hash");
}

#[tokio::test]
async fn R041_a_secret_is_good_until_its_end_and_the_backend_says_how_long() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let email = &tenant.person(Family::Individual).email;
    let ask = |seconds: serde_json::Value| {
        start(&tenant, email).body(json!({ "username": email, "validSeconds": seconds }).to_string())
    };
    for (seconds, good) in [(59, false), (60, true), (86_400, true), (86_401, false), (-1, false)] {
        let answer = app.call(ask(json!(seconds))).await;
        if good {
            let until = app.clock.now().plus_seconds(seconds);
            assert_eq!(answer.expect(200).field("expiresAt"), until.to_string());
        } else {
            assert_eq!(answer.expect(400).complaints(), ["validSeconds"]);
        }
    }
    let secret = app.call(ask(json!(60))).await.expect(200).field("resetSecret").to_owned();
    app.clock.advance(59_999);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(200);
    let secret = app.call(ask(json!(60))).await.expect(200).field("resetSecret").to_owned();
    app.clock.advance(60_000);
    app.call(redeem(&tenant, &secret, "ten green bottles")).await.expect(400);
    for body in [json!({}), json!({ "username": "" }), json!({ "username": "a b" })] {
        let call = Call::new("POST", START).backend(&tenant).json(&body);
        assert_eq!(app.call(call).await.expect(400).complaints(), ["username"], "{body}");
    }
}

#[tokio::test]
async fn R041_a_secret_is_no_password_and_none_becomes_one() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let secret = app.secret(&tenant, family).await;
    app.login_with(&tenant, family, &secret).await.expect(401);
    let answer = app.call(redeem(&tenant, &secret, &secret)).await.expect(400);
    assert_eq!(answer.complaints(), ["newPassword"]);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(200);
}

#[tokio::test]
async fn every_new_password_makes_a_secret_that_is_out_void() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let secret = app.secret(&tenant, family).await;
    let opened = app.open(&tenant, family).await;
    app.call(change(&tenant, &opened, PASSWORD, NEW)).await.expect(200);
    app.call(redeem(&tenant, &secret, "ten green bottles")).await.expect(400);
    assert!(!old_password_works(&app, &tenant, family).await);
    app.login_with(&tenant, family, NEW).await.expect(200);
}

#[tokio::test]
async fn a_secret_does_not_outlive_the_name_it_was_sent_to_nor_a_suspension_nor_the_person() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let path = format!("/api/v2.1/admin/users/{}", tenant.person(family).id);
    let act = |act: &str| Call::new("POST", format!("{path}/{act}")).backend(&tenant);
    let edit = |body: serde_json::Value| Call::new("PATCH", path.clone()).backend(&tenant).json(&body);

    let secret = app.secret(&tenant, family).await;
    app.call(edit(json!({ "firstName": "Another" }))).await.expect(200);
    assert_eq!(app.number_of("password_resets").await, 1, "what is no login name does not matter");
    app.call(edit(json!({ "email": "moved@example.test" }))).await.expect(200);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(400);
    app.call(edit(json!({ "email": tenant.person(family).email }))).await.expect(200);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(400);

    let secret = app.secret(&tenant, family).await;
    for what in ["suspend", "resume"] {
        app.call(act(what)).await.expect(200);
    }
    app.call(redeem(&tenant, &secret, NEW)).await.expect(400);

    let secret = app.secret(&tenant, family).await;
    let customer = format!("/api/v2.1/admin/customers/{}", tenant.person(family).customer);
    for what in ["suspend", "resume"] {
        app.call(Call::new("POST", format!("{customer}/{what}")).backend(&tenant)).await.expect(200);
    }
    app.call(redeem(&tenant, &secret, NEW)).await.expect(400);

    let secret = app.secret(&tenant, family).await;
    app.call(act("close")).await.expect(200);
    assert_eq!(app.number_of("password_resets").await, 0);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(400);
    // As an older version left it.
    app.script(&format!(
        "insert into password_resets (tenant_id, secret_digest, user_id, created_at, expires_at) \
         select tenant_id, salt, '{}', 0, 1 from events limit 1",
        tenant.person(family).id
    ))
    .await;
    app.call(act("erase")).await.expect(200);
    assert_eq!(app.number_of("password_resets").await, 0);
}

#[tokio::test]
async fn a_web_app_of_the_tenant_may_redeem_and_no_other() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.database
        .apply(vestibule::tenants::store::insert_origin(&tenant.id, "https://app.acme.test"))
        .await
        .unwrap();
    let secret = app.secret(&tenant, Family::Individual).await;
    let foreign =
        app.call(redeem(&tenant, &secret, NEW).and("origin", "https://evil.test")).await.expect(403);
    assert_eq!(foreign.error_type(), "TENANT");
    let own =
        app.call(redeem(&tenant, &secret, NEW).and("origin", "https://app.acme.test")).await.expect(200);
    assert_eq!(own.headers["access-control-allow-origin"], "https://app.acme.test");
}

#[tokio::test]
async fn what_is_wrong_with_a_redemption_is_told_and_spends_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let secret = app.secret(&tenant, Family::Individual).await;
    let long = "v".repeat(257);
    for (body, fields) in [
        (json!({}), vec!["resetSecret", "newPassword", "matchingPassword"]),
        (
            json!({ "resetSecret": secret, "newPassword": NEW, "matchingPassword": "x" }),
            vec!["matchingPassword"],
        ),
        (json!({ "resetSecret": long, "newPassword": NEW, "matchingPassword": NEW }), vec!["resetSecret"]),
    ] {
        let call = Call::new("POST", REDEEM).tenant("acme").json(&body);
        assert_eq!(app.call(call).await.expect(400).complaints(), fields);
    }
    let call = redeem(&tenant, &secret, NEW);
    app.call(Call { headers: call.headers[1..].to_vec(), ..call.clone() }).await.expect(400);
    for unknown in ["nobody", "system"] {
        let elsewhere = Call { headers: call.headers[1..].to_vec(), ..call.clone() }.tenant(unknown);
        assert_eq!(app.call(elsewhere).await.expect(403).error_type(), "TENANT");
    }
    app.script("update tenants set status = 'suspended' where slug = 'acme'").await;
    assert_eq!(app.call(call.clone()).await.expect(403).error_type(), "TENANT");
    app.script("update tenants set status = 'active' where slug = 'acme'").await;
    app.call(call).await.expect(200);
}

#[tokio::test]
async fn what_is_over_is_deleted_in_the_background_and_what_is_good_stays() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let now = app.clock.now().as_millis();
    let row = |n: i64| format!("('{}', {}, null, {now}, {})", tenant.id, bytes(n), now + n);
    let rows: Vec<_> = (0..2_500).map(row).collect();
    app.script(&format!(
        "insert into password_resets (tenant_id, secret_digest, user_id, created_at, expires_at) values {}",
        rows.join(", ")
    ))
    .await;
    let secret = app.secret(&tenant, Family::Individual).await;
    app.clock.advance(2_400);
    vestibule::flows::delete_expired_resets(&app.app).await.unwrap();
    assert_eq!(app.number_of("password_resets").await, 101);
    app.call(redeem(&tenant, &secret, NEW)).await.expect(200);
}

/// A digest, as both engines write bytes.
fn bytes(n: i64) -> String {
    if crate::support::on_postgres() { format!("'\\x{n:08x}'") } else { format!("x'{n:08x}'") }
}
