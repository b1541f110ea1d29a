//! Whose session is whose: what the matrix has no column for, like sessions that ended, and other families'.

use std::collections::BTreeSet;

use vestibule::ids::SessionId;
use vestibule::tenants::Family;

use super::{Permission, operations};
use crate::support::app::{Answer, NIL, Person, TestApp, TestTenant};
use crate::support::calls::{Call, session_path};

pub struct Tenants {
    pub app: TestApp,
    pub acme: TestTenant,
    pub globex: TestTenant,
    /// One more user in each family of acme.
    others: Vec<Person>,
}

impl Tenants {
    pub async fn new() -> Self {
        let app = TestApp::start().await;
        let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
        let mut others = Vec::new();
        for family in Family::ALL {
            others.push(app.another(&acme, family, &format!("{}2@example.test", family.as_str())).await);
        }
        Self { app, acme, globex, others }
    }

    pub fn other(&self, family: Family) -> &Person {
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
pub fn all_alike(answers: &[(&str, Answer)], status: u16) {
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
    let world = Tenants::new().await;
    let Tenants { app, acme, globex, .. } = &world;
    for operation in operations().iter().filter(|operation| operation.path.ends_with("/{sessionId}")) {
        let Permission::Own(family) = operation.permission() else {
            // A refresh shows no access token, and who manages sessions has one of their own.
            let of_staff = operation.path.starts_with("/api/v2.1/admin/users/");
            assert!(operation.method == "PUT" || of_staff, "{operation:?}");
            continue;
        };
        let method = operation.method.as_str();
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
        assert_eq!(dead[0].1.error_type(), "SESSION_ENDED");

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
async fn R051_two_tenants_with_everything_alike_are_told_apart_call_by_call() {
    let world = Tenants::new().await;
    let Tenants { app, acme, globex, .. } = &world;
    let mut kids = BTreeSet::new();
    for tenant in [acme, globex] {
        let keys = app.call(Call::get(format!("/t/{}/.well-known/jwks.json", tenant.slug))).await.expect(200);
        let keys = keys.json["keys"].as_array().unwrap();
        kids.extend(keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()));
    }
    assert_eq!(kids.len(), 2, "a key of each");
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
