//! What is a proof, what is half a one, and what is none.

use vestibule::flows::delete_old_sessions;
use vestibule::tenants::Family;

use super::{INDIVIDUAL, from, is_locked, phone, proven, start, stranger, wrong};
use crate::credentials::change;
use crate::support::app::{LoginCall, NIL, PASSWORD, TestApp, TestTenant};
use crate::support::calls::{Call, Opened, session_path};

#[tokio::test]
async fn R020_a_stranger_locks_the_name_for_strangers_and_never_for_the_owners_phone() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    app.fail(&stranger(&tenant), 5).await;
    assert!(
        is_locked(&app.send(stranger(&tenant).request()).await),
        "the right password, on a device nobody knows"
    );
    // At home the device is half a proof, and anywhere with an earlier refresh token a whole one.
    app.send(phone(&tenant).request()).await.expect(200);
    let abroad = from(&tenant, "192.0.2.77", "phone");
    assert!(is_locked(&app.send(abroad.request()).await), "a device id is no proof by itself");
    app.send(proven(abroad.clone(), &opened.refresh).request()).await.expect(200);
    // From there it is known now, too.
    app.send(abroad.request()).await.expect(200);
    // Who guesses the device's id has what every stranger has.
    assert!(is_locked(&app.send(from(&tenant, "198.51.100.7", "phone").request()).await));
    assert!(is_locked(&app.send(from(&tenant, "203.0.113.9", "another phone").request()).await));
}

#[tokio::test]
async fn R020_each_proof_has_five_failures_of_its_own_and_a_success_clears_only_these() {
    let (app, tenant) = start().await;
    let user = &tenant.person(INDIVIDUAL).id;
    let opened = app.on_the_phone(&tenant).await;
    let (none, half) = (stranger(&tenant), phone(&tenant));
    let full = proven(half.clone(), &opened.refresh);
    app.fail(&none, 4).await;
    app.fail(&half, 3).await;
    app.fail(&full, 2).await;
    let budgets = |none, half, full| {
        [("none", none), ("full", full), ("half", half)]
            .into_iter()
            .filter(|(_, failures)| *failures > 0)
            .map(|(proof, failures)| (proof.to_owned(), failures, failures))
            .collect::<Vec<_>>()
    };
    assert_eq!(app.budgets(user).await, budgets(4, 3, 2));
    app.send(half.request()).await.expect(200);
    assert_eq!(app.budgets(user).await, budgets(4, 0, 2));
    app.fail(&full, 3).await;
    assert!(is_locked(&app.send(full.request()).await), "the owner's own five");
    assert_eq!(app.budgets(user).await, budgets(4, 0, 5));
    app.send(half.request()).await.expect(200);
    app.send(none.request()).await.expect(200);
    assert_eq!(app.budgets(user).await, budgets(0, 0, 5));
    app.clock.advance(30 * super::MINUTE);
    app.send(full.request()).await.expect(200);
    assert_eq!(app.budgets(user).await, []);
}

#[tokio::test]
async fn R020_two_phones_have_failures_of_their_own() {
    let (app, tenant) = start().await;
    let one = app.on_the_phone(&tenant).await;
    let other = from(&tenant, "203.0.113.9", "tablet");
    let two = Opened::of(INDIVIDUAL, &app.send(other.request()).await.expect(200));
    app.fail(&proven(phone(&tenant), &one.refresh), 5).await;
    assert!(is_locked(&app.send(proven(phone(&tenant), &one.refresh).request()).await));
    app.send(proven(other, &two.refresh).request()).await.expect(200);
}

#[tokio::test]
async fn R014_logins_with_proof_and_changes_in_the_session_count_together() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    let login = proven(phone(&tenant), &opened.refresh);
    let new = "nine green bottles";
    for round in 0..5 {
        let answer = if round % 2 == 0 {
            app.call(change(&tenant, &opened, "wrong", new)).await
        } else {
            app.send(wrong(&login).request()).await
        };
        assert_eq!(answer.expect(401).json["message"], "Authentication failed", "{round}");
    }
    assert!(is_locked(&app.send(login.request()).await));
    assert!(is_locked(&app.call(change(&tenant, &opened, PASSWORD, new)).await));
    // Which is nobody else's matter.
    app.send(stranger(&tenant).request()).await.expect(200);
}

#[tokio::test]
async fn R020_a_proof_holds_after_refreshes_after_the_session_and_after_another_password() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    app.fail(&stranger(&tenant), 5).await;
    let full = proven(from(&tenant, "192.0.2.1", "phone"), &opened.refresh);
    let path = session_path(INDIVIDUAL, NIL, NIL, &opened.session);
    let refresh = Call::new("PUT", path)
        .tenant(&tenant.slug)
        .and("deviceid", "phone")
        .json(&serde_json::json!({ "refreshToken": opened.refresh }));
    app.call(refresh).await.expect(200);
    let answer = app.send(wrong(&full).request()).await.expect(401);
    assert_eq!(app.proof_of(&tenant, &answer).await, "full", "an earlier generation");
    app.end(&tenant, &opened).await.expect(200);
    let answer = app.send(wrong(&full).request()).await.expect(401);
    assert_eq!(app.proof_of(&tenant, &answer).await, "full", "after a logout");
    app.clock.advance(400 * super::DAY);
    let answer = app.send(full.request()).await.expect(200);
    assert_eq!(app.proof_of(&tenant, &answer).await, "full", "a year later");
}

#[tokio::test]
async fn R020_a_proof_holds_for_as_long_as_its_session_is_kept_after_its_end() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    app.end(&tenant, &opened).await.expect(200);
    let abroad = proven(from(&tenant, "192.0.2.1", "phone"), &opened.refresh);
    app.clock.advance(400 * super::DAY);
    delete_old_sessions(&app.database, app.clock.now(), 0).await.unwrap();
    assert_eq!(proves(&app, &tenant, &abroad).await, "full", "400 days after it");
    app.clock.advance(1);
    delete_old_sessions(&app.database, app.clock.now(), 0).await.unwrap();
    assert_eq!(proves(&app, &tenant, &abroad).await, "none", "its row is gone");
    // The device is known still, where it was used.
    assert_eq!(proves(&app, &tenant, &proven(phone(&tenant), &opened.refresh)).await, "half");
    let again = app.on_the_phone(&tenant).await;
    let abroad = proven(from(&tenant, "192.0.2.1", "phone"), &again.refresh);
    assert_eq!(proves(&app, &tenant, &abroad).await, "full");
}

/// Sends it wrongly and says what it proved; the answer is in any case that of a wrong password.
async fn proves(app: &TestApp, tenant: &TestTenant, call: &LoginCall) -> String {
    let answer = app.send(wrong(call).request()).await.expect(401);
    assert_eq!(answer.json["message"], "Authentication failed", "{}", answer.text);
    let proof = app.proof_of(tenant, &answer).await;
    app.script("delete from throttles").await;
    proof
}

#[tokio::test]
async fn R020_R092_what_is_not_this_users_token_of_this_device_is_as_if_it_were_not_there() {
    let (app, tenant) = start().await;
    let globex = app.tenant("globex").await;
    let opened = app.on_the_phone(&tenant).await;
    let other = app.another(&tenant, INDIVIDUAL, "eve@example.test").await;
    let others = app.send(phone(&tenant).named(&other.email).request()).await.expect(200);
    let elsewhere = app.send(phone(&globex).request()).await.expect(200);
    let tablet = app.send(from(&tenant, "203.0.113.9", "tablet").request()).await.expect(200);
    let abroad = from(&tenant, "192.0.2.1", "phone");
    assert_eq!(proves(&app, &tenant, &abroad).await, "none");
    assert_eq!(proves(&app, &tenant, &proven(abroad.clone(), &opened.refresh)).await, "full");
    let mut forged = opened.refresh.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'E' } else { 'A' });
    let truncated = &opened.refresh[..opened.refresh.len() - 8];
    let long = "q".repeat(4_000);
    for (what, proof) in [
        ("another user's", others.field("refreshToken")),
        ("another tenant's", elsewhere.field("refreshToken")),
        ("another device's", tablet.field("refreshToken")),
        ("forged", &forged),
        ("truncated", truncated),
        ("an access token", &opened.token),
        ("garbage", "vrt1.garbage"),
        ("long", &long),
        ("empty", ""),
        ("not text", "vrt1.\u{e9}"),
    ] {
        assert_eq!(proves(&app, &tenant, &proven(abroad.clone(), proof)).await, "none", "{what}");
    }
    // Its own device goes with it.
    let with = |device| proven(from(&tenant, "192.0.2.1", device), &opened.refresh);
    assert_eq!(proves(&app, &tenant, &with("tablet")).await, "none");
    assert_eq!(proves(&app, &tenant, &with("nobody's")).await, "none");
    // And it is nothing for another name, nor for one that nobody has.
    assert_eq!(proves(&app, &tenant, &proven(abroad.named(&other.email), &opened.refresh)).await, "none");
    let nobody = proven(phone(&tenant).named("nobody@x.test"), &opened.refresh);
    assert_eq!(proves(&app, &tenant, &nobody).await, "none");
}

#[tokio::test]
async fn R020_the_token_of_a_device_that_was_forgotten_proves_nothing_even_when_the_device_comes_back() {
    let (app, tenant) = start().await;
    let user = tenant.person(INDIVIDUAL).id.clone();
    let lost = app.on_the_phone(&tenant).await;
    let path = format!("/api/v2.1/admin/users/{user}/devices");
    let devices = app.call(Call::get(&path).backend(&tenant)).await.expect(200);
    let id = devices.data()["items"][0]["id"].as_str().unwrap();
    app.call(Call::new("DELETE", format!("{path}/{id}")).backend(&tenant)).await.expect(200);
    let thief = proven(phone(&tenant), &lost.refresh);
    assert_eq!(proves(&app, &tenant, &thief).await, "none");
    app.clock.advance(1_000);
    let found = app.on_the_phone(&tenant).await;
    let abroad = from(&tenant, "192.0.2.1", "phone");
    assert_eq!(proves(&app, &tenant, &proven(abroad.clone(), &lost.refresh)).await, "none");
    assert_eq!(proves(&app, &tenant, &proven(abroad, &found.refresh)).await, "full");
}

#[tokio::test]
async fn R018_R020_a_proof_makes_no_difference_for_a_stranger_in_answer_or_work() {
    let (app, tenant) = start().await;
    let opened = app.on_the_phone(&tenant).await;
    let known = proven(stranger(&tenant), &opened.refresh);
    let nobody = known.clone().named("nobody@x.test");
    for round in 0..8 {
        let (known, known_hashes) = app.hashes_of(&wrong(&known)).await;
        let (unknown, unknown_hashes) = app.hashes_of(&wrong(&nobody)).await;
        assert_eq!(known.fingerprint(), unknown.fingerprint(), "{round}");
        assert_eq!((known_hashes, unknown_hashes), (1, 1));
        assert_eq!(is_locked(&known), round >= 5);
    }
}

#[tokio::test]
async fn a_device_keeps_the_latest_sixteen_networks() {
    let (app, tenant) = start().await;
    for third in 0..20 {
        app.send(from(&tenant, &format!("203.0.{third}.1"), "phone").request()).await.expect(200);
        app.send(from(&tenant, &format!("203.0.{third}.2"), "phone").request()).await.expect(200);
    }
    let rows =
        app.database.list(vestibule::db::Statement::new("select networks from devices")).await.unwrap();
    let networks: Vec<String> = serde_json::from_str(&rows[0].text("networks").unwrap()).unwrap();
    assert_eq!(networks.len(), 16);
    assert_eq!((&*networks[0], &*networks[15]), ("203.0.4.0/24", "203.0.19.0/24"));
}

#[tokio::test]
async fn R133_a_proof_that_is_sent_twice_is_refused_as_any_header_of_ours_is() {
    let (app, tenant) = start().await;
    let mut call = proven(phone(&tenant), "one");
    call.headers.push(("x-device-proof".to_owned(), b"two".to_vec()));
    let answer = app.send(call.request()).await.expect(400);
    assert_eq!(answer.field("field"), "X-Device-Proof");
}

#[tokio::test]
async fn R020_staff_are_locked_by_proof_like_everybody() {
    let (app, tenant) = start().await;
    let call = |device: &str| tenant.login(Family::Admin).header("deviceid", device);
    let opened = app.send(call("desk").request()).await.expect(200);
    app.fail(&call("elsewhere"), 5).await;
    assert!(is_locked(&app.send(call("elsewhere").request()).await));
    app.send(proven(call("desk"), opened.field("refreshToken")).request()).await.expect(200);
}
