//! What is another's is absent (R049): every route that names a tenant's thing × whose thing it is × who
//! asks. The rows come from the OpenAPI document, so that a new route without one fails.

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::db::Statement;
use vestibule::ids::SessionId;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, Person, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened, session_path};

/// How a route is asked.
enum Row {
    /// It names no tenant's thing.
    Open,
    /// `POST …/sessions`.
    Login(Family),
    /// `GET` or `DELETE …/sessions/{sessionId}`.
    Session { method: &'static str, family: Family },
    /// A document of a tenant's issuer; its path with `{slug}`.
    Issuer,
    /// It stands in the matrix.
    Matrix,
}

/// The table. A route that is not in it has not been thought of.
fn row(operation: &str, method: &str, path: &str) -> Row {
    let family = Family::ALL.into_iter().find(|family| {
        path.starts_with(&format!("{}/", prefix(*family, "{customerId}")))
            || path.starts_with(&format!("{}/", prefix(*family, "{organizationId}")))
    });
    match (operation, family) {
        // The last four are asked in credentials/isolation.rs.
        (
            "getHealth"
            | "getReadiness"
            | "setPassword"
            | "resetLogin"
            | "startPasswordReset"
            | "redeemPasswordReset",
            None,
        ) => Row::Open,
        (id, Some(_)) if id.starts_with("changePassword") => Row::Open,
        (
            "getEvents"
            | "registerIndividual"
            | "registerOrganization"
            | "listCustomers"
            | "getCustomer"
            | "changeCustomer"
            | "activateCustomer"
            | "suspendCustomer"
            | "resumeCustomer"
            | "closeCustomer"
            | "eraseCustomer"
            | "listCustomerUsers"
            | "addCustomerUser"
            | "listUsers"
            | "addStaff"
            | "getUser"
            | "changeUser"
            | "suspendUser"
            | "resumeUser"
            | "closeUser"
            | "eraseUser",
            None,
        ) => Row::Matrix,
        ("getKeys" | "getIssuerMetadata" | "getOpenidConfiguration", None) => Row::Issuer,
        (id, Some(family)) if id.starts_with("startSession") && method == "post" => Row::Login(family),
        (id, Some(family)) if id.starts_with("getSession") && method == "get" => {
            Row::Session { method: "GET", family }
        }
        (id, Some(family)) if id.starts_with("endSession") && method == "delete" => {
            Row::Session { method: "DELETE", family }
        }
        _ => panic!("{method} {path} ({operation}) has no row in the isolation table: give it one"),
    }
}

/// Every operation of the document: id, method, path.
fn operations() -> Vec<(String, String, String)> {
    let document = serde_json::to_value(vestibule::server::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Some(id) = operation["operationId"].as_str() {
                operations.push((id.to_owned(), method.clone(), path.clone()));
            }
        }
    }
    operations
}

#[test]
fn R049_every_route_has_a_row() {
    let operations = operations();
    assert!(operations.len() >= 22, "{operations:?}");
    for (id, method, path) in operations {
        row(&id, &method, &path);
    }
}

struct World {
    app: TestApp,
    acme: TestTenant,
    globex: TestTenant,
    /// One more user in each family of acme.
    others: Vec<Person>,
}

impl World {
    async fn new() -> Self {
        let app = TestApp::start().await;
        let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
        let mut others = Vec::new();
        for family in Family::ALL {
            others.push(app.another(&acme, family, &format!("{}2@example.test", family.as_str())).await);
        }
        Self { app, acme, globex, others }
    }

    fn other(&self, family: Family) -> &Person {
        self.others.iter().find(|person| person.family == family).unwrap()
    }

    async fn ask(&self, method: &str, path: &str, tenant: &TestTenant, token: Option<&str>) -> Answer {
        let call = Call::new(method, path).tenant(&tenant.slug);
        self.app
            .call(match token {
                Some(token) => call.bearer(token),
                None => call,
            })
            .await
    }
}

/// All answers are the same bytes, but for the request's id.
#[track_caller]
fn all_alike(answers: &[(&str, Answer)], status: u16) {
    let (first, one) = &answers[0];
    for (whose, answer) in answers {
        assert_eq!(answer.status.as_u16(), status, "{whose}: {}", answer.text);
        assert_eq!(answer.without_request_id(), one.without_request_id(), "{whose} and {first}");
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(names(answer), names(one), "{whose} and {first}");
    }
}

#[tokio::test]
async fn R049_anothers_session_is_answered_like_one_that_never_was() {
    let world = World::new().await;
    let World { app, acme, globex, .. } = &world;
    for (id, method, path) in operations() {
        let Row::Session { method, family } = row(&id, &method, &path) else { continue };
        let elsewhere = Family::ALL.into_iter().find(|other| *other != family).unwrap();
        let own = app.open(acme, family).await;
        let ended = app.open(acme, family).await;
        app.end(acme, &ended).await.expect(200);
        let theirs = app.open(globex, family).await;
        let users = app.open_as(acme, family, &world.other(family).email).await;
        let families = app.open(acme, elsewhere).await;
        let absent = SessionId::at(app.clock.now()).to_string();
        let not_own = [
            ("absent", absent.as_str()),
            ("nil", NIL),
            ("another tenant's", &theirs.session),
            ("another user's", &users.session),
            ("another family's", &families.session),
        ];
        let whole = |session: &str| session_path(family, NIL, NIL, session);

        // The right token: its own thing, and nothing else.
        let mut answers = Vec::new();
        for (whose, session) in not_own {
            answers.push((whose, world.ask(method, &whole(session), acme, Some(&own.token)).await));
        }
        // Its own session under ids that are not its own.
        let person = acme.person(family);
        let (customer, user) = (person.customer.as_str(), person.id.as_str());
        for (whose, owner, user) in [
            ("own session, absent customer", "nobody", user),
            ("own session, absent user", customer, "nobody"),
            ("own session, another user", customer, world.other(family).id.as_str()),
            ("own session, another's customer", world.other(Family::Individual).customer.as_str(), user),
            ("own session, another tenant's user", customer, globex.person(family).id.as_str()),
            ("own session, another tenant's customer", globex.person(family).customer.as_str(), user),
        ] {
            let path = session_path(family, owner, user, &own.session);
            answers.push((whose, world.ask(method, &path, acme, Some(&own.token)).await));
        }
        all_alike(&answers, 404);

        // Another tenant's token is nobody here, and at home it reaches nothing of ours.
        let everything = || not_own.into_iter().chain([("own", own.session.as_str())]);
        let (mut here, mut at_home, mut other_family, mut dead, mut none) =
            (vec![], vec![], vec![], vec![], vec![]);
        for (whose, session) in everything() {
            here.push((whose, world.ask(method, &whole(session), acme, Some(&theirs.token)).await));
            if session != theirs.session {
                at_home.push((whose, world.ask(method, &whole(session), globex, Some(&theirs.token)).await));
            }
            other_family.push((whose, world.ask(method, &whole(session), acme, Some(&families.token)).await));
            dead.push((whose, world.ask(method, &whole(session), acme, Some(&ended.token)).await));
            none.push((whose, world.ask(method, &whole(session), acme, None).await));
        }
        all_alike(&here, 403);
        all_alike(&at_home, 404);
        all_alike(&other_family, 404);
        all_alike(&dead, 401);
        all_alike(&none, 401);
        assert_eq!(dead[0].1.error_type(), "TOKEN");

        // Nobody's session has ended by all that, and its own token still reaches it by any ids of its own.
        for (tenant, session) in [(acme, &own), (globex, &theirs), (acme, &users), (acme, &families)] {
            app.view(tenant, session).await.expect(200);
        }
        for (owner, id) in [(customer, user), (NIL, user), (customer, NIL), (NIL, NIL)] {
            let path = session_path(family, owner, id, &own.session);
            world.ask(method, &path, acme, Some(&own.token)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn R049_a_login_by_another_users_ids_is_answered_like_one_by_ids_of_nobody() {
    let world = World::new().await;
    for (id, method, path) in operations() {
        let Row::Login(family) = row(&id, &method, &path) else { continue };
        let own = world.acme.person(family);
        let other = world.other(family);
        let theirs = world.globex.person(family);
        let (customer, user) = (own.customer.as_str(), own.id.as_str());
        let mut answers = Vec::new();
        for (whose, owner, id) in [
            ("absent user", customer, "nobody"),
            ("absent customer", "nobody", user),
            ("another user", customer, other.id.as_str()),
            ("another tenant's customer", theirs.customer.as_str(), user),
        ] {
            let call = world.acme.login(family).at(family, owner, id);
            answers.push((whose, world.app.send(call.request()).await));
            // A success between: five failures in a row would lock the name.
            let good = world.acme.login(family).at(family, customer, user);
            world.app.send(good.request()).await.expect(200);
        }
        let call = world.acme.login(family).at(family, customer, theirs.id.as_str());
        answers.push(("another tenant's user", world.app.send(call.request()).await));
        let call = world.acme.login(family).set("password", "not the password");
        answers.push(("wrong password", world.app.send(call.request()).await));
        all_alike(&answers, 401);
    }
}

#[tokio::test]
async fn R049_an_issuer_that_is_not_served_is_answered_like_one_that_never_was() {
    let world = World::new().await;
    let deleted = world.app.tenant("deleted").await;
    let sql = "update tenants set status = 'deleted' where id = $1 returning id";
    world.app.change(Statement::new(sql).bind(&deleted.id)).await;
    for (id, method, path) in operations() {
        if !matches!(row(&id, &method, &path), Row::Issuer) {
            continue;
        }
        let ask = |slug: &str| world.app.call(Call::get(path.replace("{slug}", slug)));
        ask("acme").await.expect(200);
        let mut answers = Vec::new();
        for slug in ["absent", "system", "deleted", NIL, world.acme.id.as_str(), "ACME", "*", "acme."] {
            answers.push((slug, ask(slug).await));
        }
        all_alike(&answers, 404);
    }
}

fn kids(answer: &Answer) -> BTreeSet<String> {
    let keys = answer.json["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn R050_no_token_of_one_tenant_is_taken_at_any_bearer_route_of_another() {
    let world = World::new().await;
    let World { app, acme, globex, .. } = &world;
    let jwks = |tenant: &TestTenant| app.call(Call::get(format!("/t/{}/.well-known/jwks.json", tenant.slug)));
    let (ours, theirs) = (kids(&jwks(acme).await), kids(&jwks(globex).await));
    assert_eq!((ours.len(), theirs.len()), (1, 1));
    assert!(ours.is_disjoint(&theirs));
    for (id, method, path) in operations() {
        let Row::Session { method, family } = row(&id, &method, &path) else { continue };
        for (home, away) in [(acme, globex), (globex, acme)] {
            let at_home = app.open(home, family).await;
            let at_away = app.open(away, family).await;
            for (kind, token, status) in [
                ("access token", at_home.token.as_str(), 403),
                ("refresh token", &at_home.refresh, 401),
                ("session id", &at_home.session, 401),
                ("login key", &home.key, 401),
                ("backend secret", &home.backend_secret, 401),
                ("garbage", "garbage", 401),
                ("nothing", "", 401),
                ("a hundred dots", &".".repeat(100), 401),
            ] {
                // Its own session's path and the other's.
                for session in [&at_home.session, &at_away.session] {
                    let path = session_path(family, NIL, NIL, session);
                    let answer = world.ask(method, &path, away, Some(token)).await;
                    assert_eq!(answer.status.as_u16(), status, "{method} {kind}: {}", answer.text);
                    if status == 401 {
                        let answer = world.ask(method, &path, home, Some(token)).await;
                        assert_eq!(
                            answer.status.as_u16(),
                            status,
                            "{method} {kind} at home: {}",
                            answer.text
                        );
                    }
                }
            }
            assert_alive(app, home, &at_home).await;
            assert_alive(app, away, &at_away).await;
        }
    }
}

async fn assert_alive(app: &TestApp, tenant: &TestTenant, opened: &Opened) {
    assert_eq!(app.view(tenant, opened).await.expect(200).data()["endedAt"], Value::Null);
}

#[tokio::test]
async fn R051_two_tenants_with_everything_alike_are_told_apart_call_by_call() {
    let world = World::new().await;
    let World { app, acme, globex, .. } = &world;
    // The same user names, devices, and even the same session id.
    let (ours, theirs) =
        (app.open(acme, Family::Individual).await, app.open(globex, Family::Individual).await);
    for _ in 0..3 {
        for (tenant, opened) in [(acme, &ours), (globex, &theirs)] {
            let seen = app.view(tenant, opened).await.expect(200);
            assert_eq!(seen.field("tenantId"), tenant.id.as_str());
            assert_eq!(seen.field("userId"), tenant.person(Family::Individual).id.as_str());
        }
    }
    app.end(acme, &ours).await.expect(200);
    app.view(acme, &ours).await.expect(401);
    app.view(globex, &theirs).await.expect(200);
}
