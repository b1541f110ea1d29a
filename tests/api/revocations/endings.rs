//! Every way in which sessions end is on the feed, and nothing else is: a verifier by itself decides as we do.

use serde_json::{Value, json};
use vestibule::sessions::EndReason;
use vestibule::tenants::Family;

use super::is_revoked;
use crate::support::app::{Answer, NIL, PASSWORD, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened, session_call, session_path};
use crate::support::directory::{CUSTOMERS, USERS, new_user};
use crate::support::forge::claims;

const NEW: &str = "nine green bottles";

/// A way in which sessions end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Logout,
    LogoutOfOthers,
    LogoutEverywhere,
    RefreshReuse,
    Limit,
    Replaced,
    ForgetDevice,
    StaffEndOne,
    StaffEndAllOfUser,
    BackendEndsMatching,
    RevokeAccessToken,
    RevokeRefreshToken,
    ChangePassword,
    SetPassword,
    ResetLogin,
    RedeemReset,
    SuspendUser,
    CloseUser,
    EraseUser,
    EraseIndividualsUser,
    SuspendCustomer,
    CloseCustomer,
    EraseCustomer,
    SuspendTenant,
    OperatorEndsTenants,
    Nothing,
}

/// Each way with the number of sessions that it ends of those in [`World`].
const WAYS: [(Way, usize); 26] = [
    (Way::Logout, 1),
    (Way::LogoutOfOthers, 2),
    (Way::LogoutEverywhere, 3),
    (Way::RefreshReuse, 1),
    (Way::Limit, 1),
    (Way::Replaced, 3),
    (Way::ForgetDevice, 3),
    (Way::StaffEndOne, 1),
    (Way::StaffEndAllOfUser, 3),
    // Those that were opened until now, by the clock of the node that looks for them.
    (Way::BackendEndsMatching, 2),
    (Way::RevokeAccessToken, 1),
    (Way::RevokeRefreshToken, 1),
    (Way::ChangePassword, 2),
    (Way::SetPassword, 3),
    (Way::ResetLogin, 3),
    (Way::RedeemReset, 3),
    (Way::SuspendUser, 3),
    (Way::CloseUser, 3),
    (Way::EraseUser, 3),
    (Way::EraseIndividualsUser, 1),
    (Way::SuspendCustomer, 4),
    (Way::CloseCustomer, 4),
    (Way::EraseCustomer, 4),
    (Way::SuspendTenant, 6),
    (Way::OperatorEndsTenants, 6),
    (Way::Nothing, 0),
];

/// A tenant with an organization of two users, an individual, and staff: the first user has three sessions, of which the
/// last was opened by a node whose clock is ahead; the others have one each.
struct World<'a> {
    app: &'a TestApp,
    tenant: TestTenant,
    customer: String,
    user: String,
    sessions: Vec<Opened>,
}

const FIRST: &str = "first@example.test";

impl<'a> World<'a> {
    async fn new(app: &'a TestApp, slug: &str) -> Self {
        let tenant = app.tenant(slug).await;
        let (customer, user) = app.organization(&tenant, FIRST).await;
        let users = format!("{CUSTOMERS}/{customer}/users");
        let second = new_user("second@example.test", &["USER"]);
        app.backend(&tenant, "POST", &users, &second).await.expect(200);
        let mut sessions = Vec::new();
        for name in [FIRST, FIRST, "second@example.test"] {
            sessions.push(app.open_as(&tenant, Family::Organization, name).await);
        }
        for family in [Family::Individual, Family::Admin] {
            sessions.push(app.open(&tenant, family).await);
        }
        app.clock.advance(1_000);
        app.clock.advance(5_000);
        sessions.push(app.open_as(&tenant, Family::Organization, FIRST).await);
        app.clock.advance(-5_000);
        Self { app, tenant, customer, user, sessions }
    }

    async fn act(&self, what: &str, id: &str, act: &str) {
        self.app.act(&self.tenant, what, id, act).await.expect(200);
    }

    async fn operate(&self, method: &str, path: &str, body: &Value) {
        let call = Call::new(method, format!("/operator/v1/tenants/{}{path}", self.tenant.slug));
        let call = call.bearer(&self.app.operator().await).json(body);
        self.app.operator_call(call).await.expect(200);
    }

    /// A login of the first user while the tenant has these settings.
    async fn log_in_with(&self, settings: Value, usual: Value) {
        self.operate("PATCH", "", &json!({ "settings": settings })).await;
        self.app.open_as(&self.tenant, Family::Organization, FIRST).await;
        self.operate("PATCH", "", &json!({ "settings": usual })).await;
    }

    /// By the user's own token.
    async fn own(&self, method: &str, path: &str, body: &Value) {
        let path = format!("{}/users/{NIL}{path}", prefix(Family::Organization, NIL));
        let call = Call::new(method, path).tenant(&self.tenant.slug).bearer(&self.sessions[0].token);
        let call = if body.is_null() { call } else { call.json(body) };
        self.app.call(call).await.expect(200);
    }

    async fn refresh(&self, token: &str) -> Answer {
        let path = session_path(Family::Organization, NIL, NIL, &self.sessions[0].session);
        let call = Call::new("PUT", path).tenant(&self.tenant.slug).and("deviceid", "device-1");
        self.app.call(call.json(&json!({ "refreshToken": token }))).await
    }

    async fn revoke(&self, token: &str) {
        let call = Call::new("POST", "/oauth2/revoke").backend(&self.tenant);
        let call = call.and("content-type", "application/x-www-form-urlencoded");
        self.app.call(call.body(format!("token={token}"))).await.expect(200);
    }

    async fn go(&self, way: Way) {
        let Self { app, tenant, customer, user, sessions } = self;
        match way {
            Way::Logout => drop(app.end(tenant, &sessions[0]).await.expect(200)),
            Way::LogoutOfOthers => self.own("DELETE", "/sessions?except=current", &Value::Null).await,
            Way::LogoutEverywhere => self.own("DELETE", "/sessions", &Value::Null).await,
            Way::RefreshReuse => {
                let second = self.refresh(&sessions[0].refresh).await.expect(200);
                self.refresh(second.field("refreshToken")).await.expect(200);
                let replay = self.refresh(&sessions[0].refresh).await.expect(401);
                assert_eq!(replay.field("endReason"), "refresh_reuse");
            }
            Way::Limit => self.log_in_with(json!({ "maxSessions": 3 }), json!({ "maxSessions": 10 })).await,
            Way::Replaced => {
                let set = |on: bool| json!({ "replaceDeviceSession": on });
                self.log_in_with(set(true), set(false)).await;
            }
            Way::ForgetDevice => {
                let devices = format!("{}/users/{NIL}/devices", prefix(Family::Organization, NIL));
                let mine = |method: &str, path: String| {
                    Call::new(method, path).tenant(&tenant.slug).bearer(&sessions[0].token)
                };
                let list = app.call(mine("GET", devices.clone())).await.expect(200);
                let device = list.data()["items"][0]["id"].as_str().unwrap();
                app.call(mine("DELETE", format!("{devices}/{device}"))).await.expect(200);
            }
            Way::StaffEndOne | Way::StaffEndAllOfUser => {
                let one =
                    if way == Way::StaffEndOne { format!("/{}", sessions[0].session) } else { String::new() };
                let staff = app.staff(tenant, &["ADMIN"]).await;
                let path = format!("{USERS}/{user}/sessions{one}");
                app.by(&staff, tenant, "DELETE", &path, &json!({ "reason": "logout" })).await.expect(200);
            }
            Way::BackendEndsMatching => {
                let body = json!({ "filter": { "userId": user } });
                let begun =
                    app.backend(tenant, "POST", "/api/v2.1/admin/sessions/end", &body).await.expect(200);
                assert_eq!(begun.data()["ended"], 2, "{}", begun.text);
            }
            Way::RevokeAccessToken => self.revoke(&sessions[0].token).await,
            Way::RevokeRefreshToken => self.revoke(&sessions[0].refresh).await,
            Way::ChangePassword => {
                let body =
                    json!({ "currentPassword": PASSWORD, "newPassword": NEW, "matchingPassword": NEW });
                self.own("PUT", "/credentials", &body).await;
            }
            Way::SetPassword => {
                let body = json!({ "newPassword": NEW, "matchingPassword": NEW });
                app.backend(tenant, "PUT", &format!("{USERS}/{user}/credentials"), &body).await.expect(200);
            }
            Way::ResetLogin => {
                let body = json!({ "userId": user, "reason": "logout" });
                app.backend(tenant, "POST", &format!("{USERS}/login/reset"), &body).await.expect(200);
            }
            Way::RedeemReset => {
                let start = json!({ "username": FIRST });
                let reset =
                    app.backend(tenant, "POST", "/api/v2.1/password-resets", &start).await.expect(200);
                let body = json!({
                    "resetSecret": reset.field("resetSecret"), "newPassword": NEW, "matchingPassword": NEW,
                });
                let call = Call::new("POST", "/api/v2.1/password-resets/redeem").tenant(&tenant.slug);
                app.call(call.json(&body)).await.expect(200);
            }
            Way::SuspendUser => self.act(USERS, user, "suspend").await,
            Way::CloseUser => self.act(USERS, user, "close").await,
            Way::EraseUser => self.act(USERS, user, "erase").await,
            Way::EraseIndividualsUser => {
                self.act(USERS, tenant.person(Family::Individual).id.as_str(), "erase").await;
            }
            Way::SuspendCustomer => {
                self.act(CUSTOMERS, customer, "suspend").await;
                self.act(CUSTOMERS, customer, "resume").await;
            }
            Way::CloseCustomer => self.act(CUSTOMERS, customer, "close").await,
            Way::EraseCustomer => self.act(CUSTOMERS, customer, "erase").await,
            Way::SuspendTenant => {
                self.operate("POST", "/suspend", &json!({})).await;
                self.operate("POST", "/resume", &json!({})).await;
            }
            Way::OperatorEndsTenants => self.operate("POST", "/sessions/end", &json!({})).await,
            Way::Nothing => (),
        }
    }

    /// Whether and why a session has ended, by its own token.
    async fn ended(&self, opened: &Opened) -> Option<String> {
        let call = session_call("GET", &self.tenant, opened.family, &opened.session, &opened.token);
        let answer = self.app.call(call).await;
        (answer.status != 200).then(|| {
            assert_eq!(
                (answer.status.as_u16(), answer.error_type()),
                (401, "SESSION_ENDED"),
                "{}",
                answer.text
            );
            answer.field("endReason").to_owned()
        })
    }
}

/// That the feed says of each session what we say. How many have ended.
async fn agrees(world: &World<'_>, sessions: &[Opened], entries: &[Value], way: Way) -> usize {
    let mut number = 0;
    for (index, opened) in sessions.iter().enumerate() {
        let (ended, claims) = (world.ended(opened).await, claims(&opened.token));
        let revoked = is_revoked(&claims, entries);
        assert_eq!(revoked, ended.is_some(), "{way:?}, session {index}, ended {ended:?}: {entries:#?}");
        if let Some(reason) = ended {
            let told = |entry: &Value| {
                is_revoked(&claims, std::slice::from_ref(entry)) && entry["reason"] == *reason
            };
            assert!(entries.iter().any(told), "{way:?}, session {index}, {reason}: {entries:#?}");
            number += 1;
        }
    }
    number
}

#[tokio::test]
async fn R079_every_way_in_which_sessions_end_is_on_the_feed_with_its_reason_and_what_lives_is_not() {
    let app = TestApp::start().await;
    for (index, (way, ends)) in WAYS.into_iter().enumerate() {
        let mut world = World::new(&app, &format!("t{index}")).await;
        assert_eq!(app.all_revocations(&world.tenant).await, Vec::<Value>::new(), "{way:?}");
        world.go(way).await;
        let entries = app.all_revocations(&world.tenant).await;
        assert_eq!(agrees(&world, &world.sessions, &entries, way).await, ends, "{way:?}: {entries:#?}");
        let reasons = EndReason::ALL.map(EndReason::as_str);
        for entry in &entries {
            assert!(reasons.contains(&entry["reason"].as_str().unwrap()), "{way:?}: {entry}");
        }
        // One row, one entry, and one more for what a faster clock opened; else each session has its own.
        let one_by_one = [Way::Replaced, Way::ForgetDevice, Way::BackendEndsMatching].contains(&way);
        let erases = [Way::EraseCustomer, Way::EraseIndividualsUser].contains(&way);
        let most = if erases { 4 } else { 2 + usize::from(one_by_one) };
        assert!(entries.len() <= most, "{way:?}: {entries:#?}");

        // Who logs in afterwards is not concerned. The clock that was ahead is not yet reached.
        app.clock.advance(1);
        for (family, name, password) in [
            (Family::Organization, FIRST, PASSWORD),
            (Family::Organization, FIRST, NEW),
            (Family::Organization, "second@example.test", PASSWORD),
            (Family::Individual, "individual@example.test", PASSWORD),
        ] {
            let login = world.tenant.login(family).named(name).set("password", password);
            let answer = app.send(login.request()).await;
            if answer.status == 200 {
                let later = Opened {
                    family,
                    session: answer.field("sessionId").to_owned(),
                    token: answer.field("token").to_owned(),
                    refresh: answer.field("refreshToken").to_owned(),
                    data: answer.data().clone(),
                };
                assert_eq!(agrees(&world, std::slice::from_ref(&later), &entries, way).await, 0, "{way:?}");
                world.sessions.push(later);
            }
        }
        assert!(world.sessions.len() > 6, "{way:?}: somebody logs in again");
        // What has ended is ended once more by nothing: a logout of an ended session is no news.
        let old = &world.sessions[0];
        let call = session_call("DELETE", &world.tenant, old.family, &old.session, &old.token);
        let again = app.call(call).await;
        let more = app.all_revocations(&world.tenant).await;
        let was_alive = !is_revoked(&claims(&old.token), &entries);
        assert_eq!(more.len(), entries.len() + usize::from(was_alive), "{way:?}: {}", again.text);
    }
}
