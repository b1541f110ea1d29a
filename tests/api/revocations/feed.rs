//! What one request is answered.

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::events::revocations::KEPT_SECONDS;
use vestibule::flows::MOST_REVOCATIONS;
use vestibule::tenants::Family;

use super::{entries, is_revoked, path};
use crate::support::app::{START, TestApp, TestTenant};
use crate::support::calls::Call;
use crate::support::forge::claims;

fn cursor(page: &crate::support::app::Answer) -> String {
    page.field("cursor").to_owned()
}

/// Puts endings of sessions into a tenant, past the API, with numbers from `first` on.
pub async fn put_endings(app: &TestApp, tenant: &TestTenant, first: i64, number: i64, occurred_at: i64) {
    let last = first + number - 1;
    app.script(&format!(
        "insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, session_id, reason, \
         details, salt, ends) \
         with recursive n(i) as (select {first} union all select i + 1 from n where i < {last}) \
         select '{tenant}', 'put' || i, i, 'session_expired', 'success', {occurred_at}, 'user', 's' || i, 'logout', \
         '{{}}', (select salt from events limit 1), 'session' from n; \
         update event_heads set position = {last} where tenant_id = '{tenant}'",
        tenant = tenant.id
    ))
    .await;
}

#[tokio::test]
async fn R079_a_logout_is_on_the_feed_by_its_session_until_no_token_can_live() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let (ended, lives) =
        (app.open(&tenant, Family::Individual).await, app.open(&tenant, Family::Individual).await);
    app.number_events().await;
    let before = app.revocations(&tenant, "").await.expect(200);
    assert_eq!(before.data()["revocations"], json!([]));
    app.end(&tenant, &ended).await.expect(200);
    app.number_events().await;
    let page = app.revocations(&tenant, &format!("?after={}", cursor(&before))).await.expect(200);
    let now = START.as_millis();
    assert_eq!(
        *page.data(),
        json!({
            "revocations": [{ "sessionId": ended.session, "reason": "logout" }], "cursor": page.field("cursor"),
            "more": false, "asOf": now, "behindMs": 0, "keepSeconds": 3_670,
        })
    );
    assert_eq!(page.headers["cache-control"], "no-store");
    assert!(is_revoked(&claims(&ended.token), &entries(&page)));
    assert!(!is_revoked(&claims(&lives.token), &entries(&page)));
    // From the beginning it is there too; from its end on nothing is.
    assert_eq!(entries(&app.revocations(&tenant, "").await), entries(&page));
    let end = app.revocations(&tenant, &format!("?after={}", cursor(&page))).await.expect(200);
    assert_eq!((entries(&end), cursor(&end)), (vec![], cursor(&page)));
    // It stays for as long as a token could.
    for (millis, there) in [(KEPT_SECONDS * 1_000, 1), (1, 0)] {
        app.clock.advance(millis);
        for query in [String::new(), format!("?after={}", cursor(&before))] {
            let page = app.revocations(&tenant, &query).await.expect(200);
            assert_eq!(entries(&page).len(), there, "{query}");
            assert_eq!(page.data()["more"], false);
        }
    }
}

#[tokio::test]
async fn a_long_feed_comes_in_pages_and_what_is_too_old_is_jumped_over() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.number_events().await;
    let begin = cursor(&app.revocations(&tenant, "").await);
    let (old, now) = (START.as_millis() - KEPT_SECONDS * 1_000 - 1, START.as_millis());
    // Far more that is too old than a page looks through, then more than a page has; and an old one that got its number
    // late.
    put_endings(&app, &tenant, 5, 25_000, old).await;
    let most = i64::from(MOST_REVOCATIONS);
    put_endings(&app, &tenant, 25_005, most, now).await;
    put_endings(&app, &tenant, 25_005 + most, 1, old).await;
    put_endings(&app, &tenant, 25_006 + most, 3, now).await;
    for query in [String::new(), format!("?after={begin}")] {
        let first = app.revocations(&tenant, &query).await.expect(200);
        let (first_entries, length) = (entries(&first), usize::try_from(most).unwrap());
        assert_eq!((first_entries.len(), &first.data()["more"]), (length, &json!(true)));
        assert_eq!(first_entries[0]["sessionId"], "s25005");
        assert_eq!(first_entries[length - 1]["sessionId"], format!("s{}", 25_004 + most));
        let second = app.revocations(&tenant, &format!("?after={}", cursor(&first))).await.expect(200);
        let ids: Vec<_> = entries(&second).iter().map(|entry| entry["sessionId"].clone()).collect();
        let expected: Vec<_> = (25_006..25_009).map(|number| json!(format!("s{}", number + most))).collect();
        assert_eq!((ids, &second.data()["more"]), (expected, &json!(false)));
    }
}

#[tokio::test]
async fn R056_a_cursor_of_the_feed_is_good_for_its_tenant_only_not_when_altered_and_not_ahead_of_the_newest_event()
 {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    app.number_events().await;
    let good = cursor(&app.revocations(&acme, "").await.expect(200));
    let events = app.feed(&acme, "").await.expect(200).field("nextCursor").to_owned();
    for (tenant, query, says) in [
        (&globex, format!("after={good}"), "begin without one"),
        (&acme, format!("after={events}"), "begin without one"),
        (&acme, format!("after={}", good.replace("vpc1.", "vpc2.")), "begin without one"),
        (&acme, format!("after={good}A"), "begin without one"),
        (&acme, "after=4".to_owned(), "begin without one"),
        (&acme, "after=".to_owned(), "must not be empty"),
    ] {
        let answer = app.revocations(tenant, &format!("?{query}")).await.expect(400);
        assert_eq!((answer.error_type(), answer.complaints()), ("VALIDATION", vec!["after"]), "{query}");
        assert!(answer.text.contains(says), "{query}: {}", answer.text);
        // A stream is refused alike, before it begins.
        let call = Call::get(format!("{}?{query}", path(tenant))).and("accept", "text/event-stream");
        let stream = app.call(call.backend(tenant)).await.expect(400);
        assert_eq!(stream.complaints(), ["after"]);
    }
    let back = "update event_heads set position = 2 where tenant_id = $1 returning position";
    app.change(Statement::new(back).bind(&acme.id)).await;
    let answer = app.revocations(&acme, &format!("?after={good}")).await.expect(400);
    assert_eq!((answer.error_type(), answer.complaints()), ("VALIDATION", vec!["after"]));
    assert!(answer.text.contains("older copy"), "{}", answer.text);
}

#[tokio::test]
async fn what_is_wrong_with_a_query_of_the_feed_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (query, field, says) in [
        ("?wait=26", "wait", "0 to 25"),
        ("?wait=-1", "wait", "0 to 25"),
        ("?wait=1.5", "wait", "0 to 25"),
        ("?wait=", "wait", "must not be empty"),
        ("?limit=1", "query", "after, checkpoint, wait"),
        ("?wait=0&wait=0", "query", "once"),
        ("?tenantSecret=x", "query", "after, checkpoint, wait"),
    ] {
        let answer = app.revocations(&tenant, query).await.expect(400);
        let text = &answer.text;
        assert!(text.contains(&format!("\"{field}\"")) && text.contains(says), "{query}: {text}");
    }
}

#[tokio::test]
async fn R049_the_feed_is_the_tenants_own_backends_and_anothers_is_as_absent_as_none() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let user = app.open(&acme, Family::Individual).await;
    let theirs = app.open(&globex, Family::Individual).await;
    app.end(&globex, &theirs).await.expect(200);
    assert_eq!(app.all_revocations(&globex).await.len(), 1);
    assert_eq!(app.all_revocations(&acme).await, Vec::<Value>::new());
    let absent = app.call(Call::get("/t/absent/revocations").backend(&acme)).await.expect(404);
    let anothers = app.call(Call::get(path(&globex)).backend(&acme)).await.expect(404);
    let by_id = app.call(Call::get(format!("/t/{}/revocations", acme.id)).backend(&acme)).await.expect(404);
    assert_eq!(absent.fingerprint(), anothers.fingerprint());
    assert_eq!(absent.fingerprint(), by_id.fingerprint());
    for call in [
        Call::get(path(&acme)),
        Call::get(path(&acme)).basic(&acme.key, &acme.secret),
        Call::get(path(&acme)).basic(&acme.backend_key, "wrong"),
    ] {
        for call in [call.clone(), call.and("accept", "text/event-stream")] {
            assert_eq!(app.call(call).await.expect(401).error_type(), "BACKEND_KEY");
        }
    }
    let call = Call::get(path(&acme)).tenant("acme").bearer(&user.token);
    assert_eq!(app.call(call).await.expect(403).error_type(), "FORBIDDEN");
}

#[tokio::test]
async fn while_events_wait_for_their_numbers_the_feed_says_how_far_it_is_behind() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let opened = app.open(&acme, Family::Individual).await;
    app.number_events().await;
    app.clock.advance(10_000);
    let seen = async |tenant: &TestTenant| {
        let answer = app.revocations(tenant, "").await.expect(200);
        let number = |field: &str| answer.data()[field].as_i64().unwrap();
        assert_eq!(number("asOf") + number("behindMs"), app.clock.now().as_millis());
        (entries(&answer).len(), number("behindMs"))
    };
    assert_eq!(seen(&acme).await, (0, 0), "nothing waits");
    // The sealer is stuck: nothing numbers what comes now.
    app.end(&acme, &opened).await.expect(200);
    assert_eq!(seen(&acme).await, (0, 0), "this very instant");
    app.clock.advance(7_000);
    assert_eq!(seen(&acme).await, (0, 7_000));
    assert_eq!(seen(&globex).await, (0, 0), "only who is behind is");
    app.clock.advance(500);
    assert_eq!(seen(&acme).await, (0, 7_500));
    app.number_events().await;
    assert_eq!(seen(&acme).await, (1, 0));

    // A crowd of another tenant's, before ours: then it is not known, and the crowd's age is told.
    app.script(&format!(
        "insert into events (tenant_id, id, name, outcome, occurred_at, actor_kind, details, salt) \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1500) \
         select '{}', '0-' || (10000 + i), 'user_updated', 'success', {}, 'system', '{{}}', \
         (select salt from events limit 1) from n",
        globex.id,
        app.clock.now().as_millis()
    ))
    .await;
    app.clock.advance(3_000);
    assert_eq!(seen(&acme).await, (1, 3_000));
}
