//! The feed of a tenant's events for its backend.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::db::Statement;
use vestibule::events::EventName;
use vestibule::flows::{LOOKED_THROUGH, number_events};
use vestibule::ids::NIL;
use vestibule::tenants::Family;

use crate::support::app::{Answer, TestApp, TestTenant};
use crate::support::calls::Call;

const PATH: &str = "/api/v2.1/events";

impl TestApp {
    /// Gives every event its number, as the background does.
    pub async fn number_events(&self) -> usize {
        number_events(&self.database, None, self.clock.now()).await.unwrap().events
    }

    /// A page of the tenant's feed, by its backend key.
    pub async fn feed(&self, tenant: &TestTenant, query: &str) -> Answer {
        self.call(Call::get(format!("{PATH}{query}")).backend(tenant)).await
    }
}

/// The field of each event on a page.
fn each<'a>(page: &'a Answer, field: &str) -> Vec<&'a Value> {
    page.data()["items"].as_array().unwrap().iter().map(|event| &event[field]).collect()
}

fn cursor(page: &Answer) -> &str {
    page.field("nextCursor")
}

#[tokio::test]
async fn R136_a_backend_reads_its_tenants_events_in_order_with_who_where_and_how() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let call = tenant.login(Family::Individual).header("x-request-id", "request-1");
    let opened = app.send(call.request()).await.expect(200);
    app.fail(&tenant.login(Family::Admin).named("nobody@x.test"), 1).await;
    let empty = app.feed(&tenant, "").await.expect(200);
    assert_eq!(empty.data()["items"], json!([]), "without a number no event is shown");
    assert_eq!(empty.data()["more"], false);
    app.number_events().await;
    let page = app.feed(&tenant, "").await.expect(200);
    // One event makes the tenant, and one each of its three users.
    let types: Vec<_> = each(&page, "type").into_iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(types.len(), 7);
    assert_eq!(
        types.iter().copied().collect::<BTreeSet<_>>(),
        BTreeSet::from([
            "authn_login_fail",
            "authn_login_new_device",
            "authn_login_success",
            "tenant_created",
            "user_created"
        ])
    );
    assert_eq!(each(&page, "position"), (1..=7).collect::<Vec<_>>());
    assert_eq!(page.data()["more"], false);

    let items = page.data()["items"].as_array().unwrap();
    let of = |word: &str| items.iter().find(|event| event["type"] == word).unwrap();
    let person = tenant.person(Family::Individual);
    let success = of("authn_login_success");
    assert_eq!(success["actor"], json!({ "kind": "user", "id": person.id }));
    assert_eq!(success["userId"], person.id.as_str());
    assert_eq!(success["customerId"], person.customer.as_str());
    assert_eq!(success["sessionId"], opened.field("sessionId"));
    assert_eq!(success["occurredAt"], "2026-03-16T19:49:32.000Z");
    assert_eq!(success["requestId"], "request-1");
    assert_eq!((&success["outcome"], &success["reason"]), (&json!("success"), &Value::Null));
    assert_eq!(success["details"]["family"], "individual");
    assert_eq!(success["personal"]["deviceId"], "device-1");
    let fail = of("authn_login_fail");
    assert_eq!(fail["actor"], json!({ "kind": "unknown", "id": null }));
    assert_eq!((&fail["outcome"], &fail["reason"]), (&json!("failure"), &json!("unknown_user")));
    assert_eq!((&fail["userId"], &fail["sessionId"]), (&Value::Null, &Value::Null));
    assert_eq!(of("tenant_created")["personal"], Value::Null, "no request made it");

    // What is erased is null.
    let erased =
        "update events set personal = null where tenant_id = $1 and personal is not null returning id";
    app.change(Statement::new(erased).bind(&tenant.id)).await;
    let page = app.feed(&tenant, "").await.expect(200);
    assert!(each(&page, "personal").iter().all(|personal| personal.is_null()));
}

#[tokio::test]
async fn a_reader_pages_by_limit_and_polls_with_the_last_cursor() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for _ in 0..3 {
        app.login(&tenant, Family::Individual).await.expect(200);
    }
    app.number_events().await;
    let mut seen = Vec::new();
    let mut page = app.feed(&tenant, "?limit=3").await.expect(200);
    loop {
        let positions = each(&page, "position");
        seen.extend(positions.iter().map(|position| position.as_i64().unwrap()));
        if page.data()["more"] == false {
            break;
        }
        assert_eq!(positions.len(), 3);
        page = app.feed(&tenant, &format!("?limit=3&after={}", cursor(&page))).await.expect(200);
    }
    assert_eq!(seen, (1..=8).collect::<Vec<_>>());
    // At the end, again and again; then what is new.
    let end = cursor(&page).to_owned();
    for _ in 0..2 {
        let page = app.feed(&tenant, &format!("?after={end}")).await.expect(200);
        assert_eq!((&page.data()["items"], cursor(&page)), (&json!([]), &*end));
    }
    app.login(&tenant, Family::Individual).await.expect(200);
    app.number_events().await;
    let page = app.feed(&tenant, &format!("?after={end}")).await.expect(200);
    assert_eq!(each(&page, "position"), [9]);
    // A page that ends with the last event has no more, and its cursor is the end.
    let exactly = app.feed(&tenant, "?limit=9").await.expect(200);
    assert_eq!((each(&exactly, "position").len(), &exactly.data()["more"]), (9, &json!(false)));
    assert_eq!(app.feed(&tenant, "").await.expect(200).data()["more"], false);
}

#[tokio::test]
async fn a_feed_by_type_has_these_types_only_and_gets_on_where_there_are_none() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    app.fail(&tenant.login(Family::Individual), 5).await;
    app.login(&tenant, Family::Admin).await.expect(200);
    app.number_events().await;
    let page = app.feed(&tenant, "?type=authn_login_lock,authn_login_new_device").await.expect(200);
    let words = each(&page, "type");
    assert_eq!(words.len(), 2);
    assert!(words.contains(&&json!("authn_login_lock")) && words.contains(&&json!("authn_login_new_device")));
    // The order of the words does not make another feed, nor does saying one twice.
    let same = "authn_login_new_device,authn_login_lock,authn_login_lock";
    let later = app.feed(&tenant, &format!("?type={same}&after={}", cursor(&page))).await.expect(200);
    assert_eq!(later.data()["items"], json!([]));
    // A word is not taken for another that begins like it.
    let page = app.feed(&tenant, "?type=authn_password_change").await.expect(200);
    assert_eq!(page.data()["items"], json!([]));
    assert_eq!(page.data()["more"], false);

    // Far more events of another type than a page looks through.
    let many = usize::try_from(LOOKED_THROUGH).unwrap() + 20;
    let head = app.number_of("event_heads where position = 12").await;
    assert_eq!(head, 1, "the events above");
    app.script(&format!(
        "insert into events (tenant_id, id, position, name, outcome, occurred_at, actor_kind, details, salt) \
         with recursive n(i) as (select 1 union all select i + 1 from n where i < {many}) \
         select '{tenant}', 'x' || i, 12 + i, case when i = {many} then 'authn_login_lock' else 'user_updated' end, \
         'success', 1, 'system', '{{}}', (select salt from events limit 1) from n; \
         update event_heads set position = 12 + {many} where tenant_id = '{tenant}'",
        tenant = tenant.id
    ))
    .await;
    let (mut query, mut found, mut pages) = ("?type=authn_login_lock".to_owned(), 0, 0);
    loop {
        let page = app.feed(&tenant, &query).await.expect(200);
        found += each(&page, "type").len();
        pages += 1;
        if page.data()["more"] == false {
            break;
        }
        query = format!("?type=authn_login_lock&after={}", cursor(&page));
    }
    assert_eq!((found, pages), (2, 2));
}

#[tokio::test]
async fn R136_a_feed_of_one_user_session_or_time_has_nobody_elses_events() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let opened = app.open(&acme, Family::Individual).await;
    app.clock.advance(60_000);
    app.open(&acme, Family::Admin).await;
    app.number_events().await;
    let user = &acme.person(Family::Individual).id;
    let find = async |query: String| app.feed(&acme, &query).await.expect(200);
    let of_user = find(format!("?userId={user}")).await;
    assert_eq!(each(&of_user, "type").len(), 3, "{}", of_user.text);
    assert!(each(&of_user, "userId").iter().all(|id| *id == user.as_str()));
    let of_session = find(format!("?sessionId={}", opened.session)).await;
    assert!(!each(&of_session, "id").is_empty());
    assert!(each(&of_session, "sessionId").iter().all(|id| **id == *opened.session));
    let later = find("?occurredAfter=2026-03-16T19:50:32Z".into()).await;
    assert_eq!(each(&later, "type"), ["authn_login_success", "authn_login_new_device"]);
    let earlier = find("?occurredBefore=2026-03-16T19:50:32Z&limit=200".into()).await;
    assert_eq!(each(&earlier, "type").len(), 6);
    let none = find(format!("?userId={user}&occurredAfter=2026-03-16T19:50:32Z")).await;
    assert_eq!(none.data()["items"], json!([]));
    // Another tenant's user is nobody here.
    let stranger = &globex.person(Family::Individual).id;
    assert_eq!(find(format!("?userId={stranger}")).await.data()["items"], json!([]));
    // A cursor is one of its filters.
    let cursor = cursor(&of_user);
    app.feed(&acme, &format!("?after={cursor}")).await.expect(400);
    app.feed(&acme, &format!("?userId={user}&after={cursor}")).await.expect(200);
}

#[tokio::test]
async fn R056_a_cursor_is_good_for_its_tenant_and_types_only_and_not_when_altered() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    app.number_events().await;
    let page = app.feed(&acme, "?limit=1&type=user_created").await.expect(200);
    let good = cursor(&page).to_owned();
    app.feed(&acme, &format!("?type=user_created&after={good}")).await.expect(200);
    let refused = async |tenant: &TestTenant, query: String| {
        let answer = app.feed(tenant, &query).await.expect(400);
        assert_eq!(answer.complaints(), ["after"], "{query}");
    };
    refused(&globex, format!("?type=user_created&after={good}")).await;
    refused(&acme, format!("?type=user_updated&after={good}")).await;
    refused(&acme, format!("?type=user_created,user_updated&after={good}")).await;
    refused(&acme, format!("?after={good}")).await;
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        refused(&acme, format!("?type=user_created&after={}", String::from_utf8(bytes).unwrap())).await;
    }
    for bad in ["1", "0", "vpc1", "x.y.z.w", "%27%20or%201=1"] {
        refused(&acme, format!("?type=user_created&after={bad}")).await;
    }
    // One of a database that was put back to what it was before.
    let end = cursor(&app.feed(&acme, "").await.expect(200)).to_owned();
    let back = "update event_heads set position = 2 where tenant_id = $1 returning position";
    app.change(Statement::new(back).bind(&acme.id)).await;
    let answer = app.feed(&acme, &format!("?after={end}")).await.expect(400);
    assert!(answer.text.contains("older copy"), "{}", answer.text);
}

#[tokio::test]
async fn what_is_wrong_with_a_query_of_events_is_told() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    for (query, field, says) in [
        ("?type=authn_logins", "type", "docs/events.md"),
        ("?type=user_created,", "type", "no type of event"),
        ("?type=AUTHN_LOGIN_FAIL", "type", "no type of event"),
        ("?type=user_created,%27;drop", "type", "no type of event"),
        ("?type=input_refusals_summary", "type", "no type of event"),
        ("?type=", "type", "must not be empty"),
        ("?after=", "after", "must not be empty"),
        ("?limit=0", "limit", "1 to 200"),
        ("?limit=201", "limit", "1 to 200"),
        ("?limit=x", "limit", "1 to 200"),
        ("?limit=1&limit=2", "query", "once"),
        ("?cursor=x", "query", "after, limit, occurredAfter, occurredBefore, sessionId, type, userId"),
        ("?userId=a%20b", "userId", ""),
        ("?occurredAfter=yesterday", "occurredAfter", "RFC 3339"),
    ] {
        let answer = app.feed(&tenant, query).await.expect(400);
        let text = &answer.text;
        assert!(text.contains(&format!("\"{field}\"")) && text.contains(says), "{query}: {text}");
    }
}

#[tokio::test]
async fn R144_events_are_read_by_the_tenants_own_backend_and_staff_and_by_nobody_else() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let user = app.open(&acme, Family::Individual).await;
    let admin = app.staff(&acme, &["ADMIN"]).await;
    app.login(&globex, Family::Individual).await.expect(200);
    app.number_events().await;

    // Each has its own, numbered from one as if the other were not there.
    for (tenant, other) in [(&acme, &globex), (&globex, &acme)] {
        let page = app.feed(tenant, "?limit=200").await.expect(200);
        let count = i64::try_from(each(&page, "id").len()).unwrap();
        assert_eq!(each(&page, "position"), (1..=count).collect::<Vec<_>>());
        for person in &other.people {
            assert!(!page.text.contains(person.id.as_str()));
        }
        assert!(page.text.contains(tenant.people[0].id.as_str()));
        // The other's name beside the key is refused and not obeyed.
        app.call(Call::get(PATH).backend(tenant).tenant(&other.slug)).await.expect(403);
    }
    for call in [
        Call::get(PATH),
        Call::get(PATH).tenant("acme"),
        Call::get(PATH).tenant("acme").bearer("no.token.ofours"),
        Call::get(PATH).basic(&acme.key, &acme.secret),
        Call::get(PATH).basic(&acme.backend_key, &globex.backend_secret),
        Call::get(PATH).basic(&acme.backend_key, "wrong"),
    ] {
        app.call(call).await.expect(401);
    }
    // A good token is not called a bad one: its app would log in again and again.
    let answer = app.call(Call::get(PATH).tenant("acme").bearer(&user.token)).await.expect(403);
    assert_eq!(answer.error_type(), "FORBIDDEN");
    // Staff see what the backend sees, of their own tenant only.
    let page = app.call(Call::get(PATH).tenant("acme").bearer(&admin.token)).await.expect(200);
    assert_eq!(page.data()["items"], app.feed(&acme, "").await.expect(200).data()["items"]);
    let viewer = app.staff(&acme, &["VIEWER"]).await;
    app.call(Call::get(PATH).tenant("acme").bearer(&viewer.token)).await.expect(200);
    app.call(Call::get(PATH).tenant("globex").bearer(&admin.token)).await.expect(403);
    app.call(Call::new("POST", PATH).backend(&acme)).await.expect(405);
    let suspended = "update tenants set status = 'suspended' where id = $1 returning id";
    app.change(Statement::new(suspended).bind(&acme.id)).await;
    app.feed(&acme, "").await.expect(401);
}

#[tokio::test]
async fn R144_the_system_tenants_events_are_served_to_nobody_not_even_by_a_key_of_its_own() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    app.send(acme.login(Family::Individual).raw("{").request()).await.expect(400);
    vestibule::flows::summarise_refusals(&app.app).await.unwrap();
    app.number_events().await;
    assert_eq!(app.number_of(&format!("events where tenant_id = '{NIL}' and position = 1")).await, 1);
    let moved = "update tenant_keys set tenant_id = $2 where tenant_id = $1 and tenant_key = $3 returning id";
    app.change(Statement::new(moved).bind(&acme.id).bind(NIL).bind(&*acme.backend_key)).await;
    assert_eq!(app.feed(&acme, "").await.expect(401).error_type(), "BACKEND_KEY");
}

#[test]
fn the_documented_words_are_those_that_a_filter_takes() {
    let document = serde_json::to_value(vestibule::server::openapi()).unwrap();
    let parameters = document["paths"][PATH]["get"]["parameters"].as_array().unwrap().clone();
    let parameter = parameters.iter().find(|parameter| parameter["name"] == "type").unwrap();
    let text = parameter["description"].as_str().unwrap().split("The words:").nth(1).unwrap();
    let told: Vec<_> = text.split('`').skip(1).step_by(2).collect();
    let all = EventName::ALL.into_iter().filter(|name| name.is_of_tenants());
    assert_eq!(told, all.map(EventName::as_str).collect::<Vec<_>>());
}
