//! The search: every filter, and that a page ends.

use std::collections::BTreeSet;

use vestibule::tenants::Family;

use super::{SESSIONS, all, ids, start};
use crate::support::calls::Opened;

#[tokio::test]
async fn every_filter_finds_the_sessions_that_it_should_and_no_others() {
    let (app, acme) = start().await;
    let globex = app.tenant("globex").await;
    app.open(&globex, Family::Individual).await;
    let one = app.open_on(&acme, Family::Individual, "phone", "ios").await;
    let two = app.open_on(&acme, Family::Individual, "desk", "web").await;
    let three = app.open_on(&acme, Family::Organization, "phone", "web").await;
    let four = app.open_on(&acme, Family::Admin, "desk", "web").await;
    let (one, two, three, four) = (&one, &two, &three, &four);
    for (opened, address) in [(one, "203.0.113.7"), (three, "203.0.113.7"), (two, "2001:db8::7")] {
        let id = &opened.session;
        app.script(&format!("update sessions set client_ip = '{address}' where id = '{id}'")).await;
    }
    app.end(&acme, three).await.expect(200);
    let at = |opened: &Opened, plus: i64| {
        let created = opened.data["sessionMetadata"]["createdAt"].as_str().unwrap();
        vestibule::clock::Timestamp::parse(created).unwrap().plus_millis(plus).to_string()
    };
    let (user, customer) = (acme.people[0].id.as_str(), acme.people[1].customer.as_str());
    let theirs = globex.people[0].id.as_str();
    for (query, expected) in [
        (String::new(), vec![four, three, two, one]),
        ("state=all".into(), vec![four, three, two, one]),
        ("state=live".into(), vec![four, two, one]),
        ("state=ended".into(), vec![three]),
        (format!("userId={user}"), vec![two, one]),
        (format!("userId={user}&state=live"), vec![two, one]),
        (format!("userId={user}&platform=ios"), vec![one]),
        (format!("userId={user}&deviceId=desk"), vec![two]),
        (format!("userId={theirs}"), vec![]),
        (format!("customerId={customer}"), vec![three]),
        (format!("customerId={customer}&state=live"), vec![]),
        (format!("customerId={customer}&userId={user}"), vec![]),
        ("deviceId=phone".into(), vec![three, one]),
        ("deviceId=phone&state=live".into(), vec![one]),
        ("deviceId=phone&platform=web".into(), vec![three]),
        ("deviceId=pho".into(), vec![]),
        ("platform=web".into(), vec![four, three, two]),
        ("platform=WEB".into(), vec![]),
        ("address=203.0.113.7".into(), vec![three, one]),
        ("address=203.0.113.7&state=ended".into(), vec![three]),
        ("address=%3A%3Affff%3A203.0.113.7".into(), vec![three, one]),
        ("address=2001%3Adb8%3A0%3A0%3A%3A7".into(), vec![two]),
        ("address=203.0.113.8".into(), vec![]),
        (format!("createdAfter={}", at(two, 0)), vec![four, three, two]),
        (format!("createdAfter={}", at(two, 1)), vec![four, three]),
        (format!("createdBefore={}", at(two, 0)), vec![one]),
        (format!("createdBefore={}", at(two, 1)), vec![two, one]),
        (format!("createdAfter={}&createdBefore={}", at(two, 0), at(four, 0)), vec![three, two]),
        (format!("createdAfter={}&deviceId=phone", at(two, 0)), vec![three]),
        (format!("createdAfter={}&createdBefore={}", at(four, 0), at(two, 0)), vec![]),
        ("endReason=logout".into(), vec![three]),
        ("endReason=logout&state=live".into(), vec![]),
        ("endReason=expired_idle".into(), vec![]),
    ] {
        let expected: Vec<_> = expected.iter().map(|opened| opened.session.clone()).collect();
        for limit in [1, 3, 200] {
            let ask = async |path: String| app.look(&acme, &path).await;
            let found = all(&format!("{SESSIONS}?{query}"), limit, ask).await;
            assert_eq!(found, expected, "{query}, pages of {limit}");
        }
    }
}

#[tokio::test]
async fn a_search_by_reason_finds_the_endings_that_no_row_has_written_down() {
    let (app, acme) = start().await;
    let mut idle = BTreeSet::new();
    for _ in 0..4 {
        idle.insert(app.later(&acme, Family::Individual).await.session);
    }
    app.clock.advance(31 * 60_000);
    let logged_out = app.later(&acme, Family::Individual).await;
    app.end(&acme, &logged_out).await.expect(200);
    let suspended = app.later(&acme, Family::Organization).await;
    app.clock.advance(5);
    app.suspend_user(&acme, &acme.people[1].id, app.clock.now()).await;
    let live = app.later(&acme, Family::Admin).await;
    let find = async |reason: &str| {
        let ask = async |path: String| app.look(&acme, &path).await;
        all(&format!("{SESSIONS}?endReason={reason}"), 2, ask).await
    };
    assert_eq!(find("expired_idle").await.into_iter().collect::<BTreeSet<_>>(), idle);
    assert_eq!(find("logout").await, std::slice::from_ref(&logged_out.session));
    assert_eq!(find("user_disabled").await, [suspended.session]);
    assert_eq!(find("password_changed").await, Vec::<String>::new());
    app.view(&acme, &live).await.expect(200);
}

#[tokio::test]
async fn a_page_looks_at_5_000_sessions_at_most_and_the_next_goes_on_from_there() {
    let (app, acme) = start().await;
    let needle = app.open(&acme, Family::Individual).await;
    app.script(&format!("update sessions set platform = 'needle' where id = '{}'", needle.session)).await;
    super::plans::fill(&app, &acme, 12_000).await;
    let (mut cursor, mut pages) = (String::new(), 0);
    loop {
        let path = format!("{SESSIONS}?platform=needle&limit=5{cursor}");
        let answer = app.look(&acme, &path).await.expect(200);
        pages += 1;
        let Some(next) = answer.data()["nextCursor"].as_str() else {
            assert_eq!((ids(&answer), pages), (vec![needle.session.clone()], 3));
            break;
        };
        assert_eq!(ids(&answer), Vec::<String>::new());
        cursor = format!("&cursor={next}");
    }
    // What an index has needs no such steps.
    let by_user = format!("{SESSIONS}?userId={}&limit=5", acme.people[0].id);
    assert_eq!(ids(&app.look(&acme, &by_user).await).len(), 5);
}

#[tokio::test]
async fn a_filter_that_is_none_is_a_400_that_names_it() {
    let (app, acme) = start().await;
    for (query, field) in [
        ("userId=a.b", "userId"),
        ("customerId=a.b", "customerId"),
        ("address=203.0.113", "address"),
        ("address=203.0.113.0%2F24", "address"),
        ("address=%27%20or%201%3D1--", "address"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdBefore=2026-03-16", "createdBefore"),
        ("state=LIVE", "state"),
        ("endReason=gone", "endReason"),
        ("deviceId=", "deviceId"),
        ("limit=201", "limit"),
        ("cursor=vpc1.a.MA.AAAAAAAAAAAAAAAAAAAAAA", "cursor"),
    ] {
        let answer = app.look(&acme, &format!("{SESSIONS}?{query}")).await.expect(400);
        assert_eq!(answer.complaints(), [field], "{query}");
    }
    let answer = app.look(&acme, &format!("{SESSIONS}?tenantId={}", acme.id)).await.expect(400);
    assert_eq!(answer.error_type(), "MALFORMED_REQUEST");
    let answer =
        app.look(&acme, &format!("{SESSIONS}?userId=a.b&address=x&createdAfter=y")).await.expect(400);
    assert_eq!(answer.complaints(), ["userId", "address", "createdAfter"], "all at once");
    // What means something in SQL is text.
    for text in ["%25", "_", "%27", "%27%20or%201%3D1--"] {
        let answer = app.look(&acme, &format!("{SESSIONS}?deviceId={text}")).await.expect(200);
        assert_eq!(ids(&answer), Vec::<String>::new());
    }
}
