//! The user's own list, and that of any user.

use serde_json::{Value, json};
use vestibule::tenants::Family;

use super::{all, ids, of_user, own, start};
use crate::support::calls::{Call, session_call};

#[tokio::test]
async fn R065_a_user_lists_their_own_sessions_the_newest_first_and_each_is_told_as_by_itself() {
    let (app, acme) = start().await;
    for family in Family::ALL {
        let mut opened = Vec::new();
        for _ in 0..5 {
            opened.push(app.later(&acme, family).await);
        }
        let stranger = app.another(&acme, family, &format!("{}-2@example.test", family.as_str())).await;
        app.open_as(&acme, family, &stranger.email).await;
        app.end(&acme, &opened[1]).await.expect(200);
        let newest = opened.last().unwrap();
        let expected: Vec<_> = opened.iter().rev().map(|opened| opened.session.clone()).collect();
        let ask =
            async |path: String| app.call(Call::get(path).tenant(&acme.slug).bearer(&newest.token)).await;
        for limit in [1, 2, 5, 200] {
            assert_eq!(all(&own(family), limit, ask).await, expected, "pages of {limit}");
        }
        let with = |state: &str| format!("{}?state={state}", own(family));
        assert_eq!(all(&with("all"), 2, ask).await, expected);
        assert_eq!(all(&with("ended"), 2, ask).await, [opened[1].session.clone()]);
        let live: Vec<_> = expected.iter().filter(|id| **id != opened[1].session).cloned().collect();
        assert_eq!(all(&with("live"), 2, ask).await, live);
        // An item is what the GET of one says.
        let listed = app.own_list(&acme, newest, "").await;
        for item in listed.data()["items"].as_array().unwrap() {
            let id = item["sessionId"].as_str().unwrap();
            let one = app.call(session_call("GET", &acme, family, id, &newest.token)).await.expect(200);
            assert_eq!(*one.data(), *item);
            assert_eq!(item["current"], json!(id == newest.session));
            assert_eq!(item["lastClientIp"], Value::Null);
        }
    }
}

#[tokio::test]
async fn R056_a_cursor_is_good_for_its_own_list_whole_and_in_its_tenant_only() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let family = Family::Individual;
    let mut opened = Vec::new();
    for _ in 0..3 {
        opened.push(app.later(&acme, family).await);
    }
    let theirs = app.later(&globex, family).await;
    let neighbour = app.another(&acme, family, "two@example.test").await;
    let neighbour = app.open_as(&acme, family, &neighbour.email).await;
    let cursor = app.own_list(&acme, &opened[2], "?limit=1").await.expect(200);
    let cursor = cursor.field("nextCursor").to_owned();
    let with = |more: &str| format!("?cursor={cursor}{more}");
    let next = app.own_list(&acme, &opened[0], &with("&limit=1")).await.expect(200);
    assert_eq!(ids(&next), [opened[1].session.clone()], "any session of the user's may go on");
    for answer in [
        app.own_list(&globex, &theirs, &with("")).await,
        app.own_list(&acme, &neighbour, &with("")).await,
        app.own_list(&acme, &opened[0], &with("&state=live")).await,
        app.look(&acme, &format!("{}{}", of_user(acme.person(family).id.as_str()), with(""))).await,
        app.look(&acme, &format!("{}{}", super::SESSIONS, with(""))).await,
    ] {
        assert_eq!(answer.expect(400).complaints(), ["cursor"]);
    }
    // Every byte of it counts.
    let search = app.look(&acme, &format!("{}?limit=1", super::SESSIONS)).await.expect(200);
    let search = search.field("nextCursor").to_owned();
    app.look(&acme, &format!("{}?cursor={search}", super::SESSIONS)).await.expect(200);
    app.look(&globex, &format!("{}?cursor={search}", super::SESSIONS)).await.expect(400);
    for at in 0..search.len() {
        let mut bytes = search.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(bytes).unwrap();
        let answer = app.look(&acme, &format!("{}?cursor={altered}", super::SESSIONS)).await.expect(400);
        assert_eq!(answer.complaints(), ["cursor"], "{altered}");
    }
}

#[tokio::test]
async fn staff_and_backend_list_any_users_sessions_and_look_at_each() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    for family in Family::ALL {
        let user = acme.person(family).id.as_str();
        let (first, second) = (app.later(&acme, family).await, app.later(&acme, family).await);
        app.end(&acme, &first).await.expect(200);
        let path = of_user(user);
        let ask = async |path: String| app.look(&acme, &path).await;
        let both = vec![second.session.clone(), first.session.clone()];
        assert_eq!(all(&path, 1, ask).await, both);
        assert_eq!(all(&format!("{path}?state=live"), 1, ask).await, std::slice::from_ref(&second.session));
        assert_eq!(all(&format!("{path}?state=ended"), 1, ask).await, std::slice::from_ref(&first.session));
        let listed = app.by(&viewer, &acme, "GET", &path, &Value::Null).await.expect(200);
        for item in listed.data()["items"].as_array().unwrap() {
            let one = format!("{path}/{}", item["sessionId"].as_str().unwrap());
            assert_eq!(*app.look(&acme, &one).await.expect(200).data(), *item);
        }
        let [of_second, of_first] = [0, 1].map(|at| listed.data()["items"][at].clone());
        assert_eq!((&of_second["state"], &of_second["endReason"]), (&json!("live"), &Value::Null));
        assert_eq!((&of_first["state"], &of_first["endReason"]), (&json!("ended"), &json!("logout")));
        assert_eq!(of_first["family"], family.as_str());
        assert_eq!(of_first["deviceId"], "device-1");
        assert_eq!(of_first["refreshes"], 0);
        assert_eq!(of_first["sessionMetadata"]["clientIp"], "127.0.0.1");
        // Another user's, another tenant's, and one that never was are alike.
        let other = Family::ALL.into_iter().find(|other| *other != family).unwrap();
        for path in [
            format!("{}/{}", of_user(acme.person(other).id.as_str()), second.session),
            format!("{}/{}", of_user("absent"), second.session),
            format!("{path}/absent"),
            of_user("absent"),
        ] {
            app.look(&acme, &path).await.expect(404);
        }
        app.look(&globex, &path).await.expect(404);
        app.look(&globex, &format!("{path}/{}", second.session)).await.expect(404);
    }
    for (query, field) in [("?state=dead", "state"), ("?limit=0", "limit"), ("?cursor=x", "cursor")] {
        let path = format!("{}{query}", of_user(acme.people[0].id.as_str()));
        assert_eq!(app.look(&acme, &path).await.expect(400).complaints(), [field]);
    }
}

#[tokio::test]
async fn R062_R064_a_list_tells_each_ending_as_it_is_at_that_moment_whatever_the_row_says() {
    let (app, acme) = start().await;
    let family = Family::Organization;
    let user = acme.person(family).id.as_str();
    let opened = app.later(&acme, family).await;
    let first = async || {
        let answer = app.look(&acme, &of_user(user)).await.expect(200);
        let item = answer.data()["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(item["sessionId"], json!(opened.session));
        let live = ids(&app.look(&acme, &format!("{}?state=live", of_user(user))).await);
        let ended = ids(&app.look(&acme, &format!("{}?state=ended", of_user(user))).await);
        // Each is in exactly one of the two.
        assert_eq!(live.contains(&opened.session), item["state"] == "live");
        assert_eq!(ended.contains(&opened.session), item["state"] == "ended");
        item["endReason"].clone()
    };
    assert_eq!(first().await, Value::Null);
    app.clock.advance(31 * 60_000);
    assert_eq!(first().await, "expired_idle");
    app.update_user(acme.person(family), "status = 'suspended'").await;
    assert_eq!(first().await, "expired_idle", "the first ending");
    app.update_user(acme.person(family), "status = 'active'").await;
    // Ended by the user's row, in which no session is kept: nothing is neither live nor ended.
    let second = app.later(&acme, family).await;
    app.clock.advance(10);
    let at = app.clock.now().as_millis();
    let set =
        format!("sessions_not_before = {at}, sessions_end_reason = 'password_changed', session_kept = null");
    app.update_user(acme.person(family), &set).await;
    let ended = app.look(&acme, &format!("{}?state=ended", of_user(user))).await.expect(200);
    assert_eq!(ids(&ended), [second.session.clone(), opened.session.clone()]);
    assert_eq!(ended.data()["items"][0]["endReason"], "password_changed");
    assert_eq!(ids(&app.look(&acme, &format!("{}?state=live", of_user(user))).await), Vec::<String>::new());
    app.update_user(acme.person(family), &format!("session_kept = '{}'", second.session)).await;
    let live = ids(&app.look(&acme, &format!("{}?state=live", of_user(user))).await);
    assert_eq!(live, [second.session]);
}
