//! One answer and one amount of work for every reason that a stranger could learn from.

use vestibule::tenants::Family;

use crate::support::app::{LoginCall, NIL, PASSWORD, Person, TestApp, TestTenant};

/// Every reason why a login fails after its tenant is known, each of a name of its own.
async fn reasons(app: &TestApp, tenant: &TestTenant, family: Family) -> Vec<(&'static str, LoginCall)> {
    let base = tenant.login(family);
    let other_tenant = app.tenant(&format!("other-{}", family.as_str())).await;
    app.add_person(&other_tenant, family, "elsewhere@x.test").await;
    let add = async |name: &str| app.add_person(tenant, family, &format!("{name}@x.test")).await;
    let call = |person: &Person| base.clone().named(&person.email);
    let mut reasons = vec![
        ("unknown user", base.clone().named("nobody@x.test")),
        ("user of another tenant", base.clone().named("elsewhere@x.test")),
        ("wrong password", call(&add("wrong").await).set("password", "Securepass123!")),
        ("empty password", call(&add("empty").await).set("password", "")),
        ("empty password of nobody", base.clone().named("nobody.2@x.test").set("password", "")),
    ];
    for (reason, name, set) in [
        ("suspended user", "suspended", "status = 'suspended'"),
        ("closed user", "closed", "status = 'closed'"),
        ("no password set", "bare", "password_hash = null"),
    ] {
        let person = add(name).await;
        app.update_user(&person, set).await;
        reasons.push((reason, call(&person)));
        reasons.push((reason, call(&person).set("password", "")));
        app.script(&format!("delete from throttles where subject = 'user:{}'", person.id)).await;
    }
    for (reason, name, set) in [
        ("suspended customer", "of.suspended", "status = 'suspended'"),
        ("closed customer", "of.closed", "status = 'closed'"),
    ] {
        let person = add(name).await;
        app.update_customer(&person, set).await;
        reasons.push((reason, call(&person)));
    }
    let (own, theirs) = (add("own").await, add("theirs").await);
    reasons.push(("another's user id", call(&own).at(family, NIL, theirs.id.as_str())));
    reasons.push(("another's customer id", call(&own).at(family, theirs.customer.as_str(), NIL)));
    reasons.push(("ids of nobody", call(&own).at(family, "nobody", "nobody")));
    for wrong in Family::ALL.into_iter().filter(|wrong| *wrong != family) {
        let person = app.add_person(tenant, wrong, &format!("{}@x.test", wrong.as_str())).await;
        reasons.push(("wrong family", call(&person)));
    }
    reasons
}

#[tokio::test]
async fn R001_R002_every_reason_has_one_answer_byte_for_byte_and_costs_exactly_one_hash() {
    let app = TestApp::start().await;
    let mut answers = Vec::new();
    for family in Family::ALL {
        let tenant = app.tenant(&format!("acme-{}", family.as_str())).await;
        let reasons = reasons(&app, &tenant, family).await;
        let number = reasons.len();
        for (reason, call) in reasons {
            let (answer, hashes) = app.hashes_of(&call).await;
            assert_eq!(hashes, 1, "{reason} on {family:?}: hashes");
            answers.push((reason, answer.expect(401).fingerprint()));
        }
        assert_eq!(app.event_names(&tenant).await, vec!["authn_login_fail"; number], "an event each");
    }
    assert!(answers.len() >= 48);
    let (_, expected) = &answers[0];
    for (reason, answer) in &answers {
        assert_eq!(answer, expected, "{reason}");
    }
    assert!(expected.contains("Invalid username or password"));
}

#[tokio::test]
async fn R002_R018_a_locked_name_costs_one_hash_and_answers_alike_whether_or_not_it_exists() {
    let app = TestApp::start().await;
    for family in Family::ALL {
        let tenant = app.tenant(&format!("acme-{}", family.as_str())).await;
        let known = tenant.login(family);
        let unknown = tenant.login(family).named("nobody@x.test");
        let mut locked = Vec::new();
        for call in [&known, &unknown] {
            app.fail(call, 5).await;
            for password in [PASSWORD, "wrong", ""] {
                let (answer, hashes) = app.hashes_of(&call.clone().set("password", password)).await;
                assert_eq!(hashes, 1, "{password:?}");
                locked.push(answer.expect(401).fingerprint());
            }
            // Even where the ids are somebody else's.
            let elsewhere = call.clone().at(family, "nobody", "nobody");
            locked.push(app.hashes_of(&elsewhere).await.0.expect(401).fingerprint());
        }
        assert!(locked.iter().all(|answer| *answer == locked[0]), "{locked:#?}");
        assert!(locked[0].contains("Account locked"));
    }
}

#[tokio::test]
async fn R002_what_is_not_well_formed_costs_no_hash_and_leaves_no_event() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for name in [tenant.person(Family::Individual).email.as_str(), "nobody@x.test"] {
        let call = tenant.login(Family::Individual).named(name);
        let mut answers = Vec::new();
        for (what, call) in [
            ("a long password", call.clone().set("password", "x".repeat(1_025))),
            ("no password", call.clone().set("password", ())),
            ("a field nobody knows", call.clone().set("otp", "1")),
            ("no name", call.clone().set("username", ()).set("value", ())),
            ("another kind", call.clone().set("credentialType", "OTP")),
            ("no JSON", call.clone().raw("{")),
            ("no device", call.clone().without("deviceid")),
            ("a malformed id", call.clone().at(Family::Individual, "a.b", NIL)),
        ] {
            let (answer, hashes) = app.hashes_of(&call).await;
            assert_eq!((answer.status.as_u16(), hashes), (400, 0), "{what}: {}", answer.text);
            answers.push(answer.without_request_id());
        }
        assert!(answers.iter().all(|answer| !answer.contains("SecurePass")));
    }
    assert_eq!(app.event_names(&tenant).await, [""; 0]);
    assert_eq!(app.number_of("throttles").await, 0);
}

#[tokio::test]
async fn a_success_costs_exactly_one_hash_as_well() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for family in Family::ALL {
        let (answer, hashes) = app.hashes_of(&tenant.login(family)).await;
        answer.expect(200);
        assert_eq!(hashes, 1);
    }
}

#[tokio::test]
async fn R009_no_id_that_a_client_sends_is_ever_adopted() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let chosen = "01900000-0000-7000-8000-000000000001";
    let call = tenant.login(Family::Individual);
    for field in ["sessionId", "session_id", "sid", "id", "jti", "refreshToken"] {
        app.send(call.clone().set(field, chosen).request()).await.expect(400);
    }
    let call = call
        .header("x-session-id", chosen)
        .header("sessionid", chosen)
        .header("cookie", format!("sessionId={chosen}; sid={chosen}"))
        .header("x-request-id", chosen)
        .header("deviceid", chosen);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let answer = app.send(call.request()).await.expect(200);
        for id in [answer.field("sessionId"), answer.claims()["jti"].as_str().unwrap()] {
            assert_ne!(id, chosen);
            assert!(seen.insert(id.to_owned()), "{id} twice");
        }
        assert!(seen.insert(answer.field("refreshToken").to_owned()), "a refresh token twice");
    }
}

#[tokio::test]
async fn R009_authorization_on_a_login_is_ignored_and_ends_nothing() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let family = Family::Individual;
    let first = app.login(&tenant, family).await.expect(200);
    let bearer = format!("Bearer {}", first.field("token"));
    for value in [bearer.as_str(), "Bearer x", "Basic Og==", "garbage", "", "\u{e9}", "Bearer"] {
        let call = tenant.login(family).header("authorization", value);
        let answer = app.send(call.request()).await.expect(200);
        assert_ne!(answer.field("sessionId"), first.field("sessionId"));
    }
    let (session, token) = (first.field("sessionId"), first.field("token"));
    let shown = app.session_call(axum::http::Method::GET, &tenant, family, session, token).await.expect(200);
    assert_eq!(shown.data()["endedAt"], serde_json::Value::Null);
    // A good bearer opens nothing by itself either.
    let call = tenant.login(family).header("authorization", bearer).set("password", "wrong");
    app.send(call.request()).await.expect(401);
}
