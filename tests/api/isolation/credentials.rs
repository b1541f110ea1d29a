//! What one tenant issued is worth nothing with another (R050): every kind of it, at every operation that asks for a
//! credential, as a bearer and as either half of HTTP Basic.

use std::collections::BTreeSet;

use vestibule::tenants::Family;

use super::callers::{Caller, Party};
use super::places::{Place, Whose};
use super::rows::unchanged;
use super::world::World;
use super::{Operation, Permission, operations};
use crate::support::app::{Answer, TestTenant};
use crate::support::calls::Call;
use crate::support::directory::USERS;

/// Everything that one tenant's people and programs hold.
struct Held {
    /// Of a customer's user, and of staff with every right.
    access_tokens: [String; 2],
    backend: [String; 2],
    login: [String; 2],
    others: Vec<String>,
}

impl Held {
    async fn of(world: &World, tenant: &TestTenant) -> Self {
        let app = &world.app;
        let user = app.open(tenant, Family::Individual).await;
        let staff = app.staff(tenant, &["ADMIN", "OPERATOR", "VIEWER"]).await;
        let name = &tenant.person(Family::Individual).email;
        let reset = serde_json::json!({ "username": name });
        let reset = app.backend(tenant, "POST", "/api/v2.1/password-resets", &reset).await.expect(200);
        let page = app.look(tenant, &format!("{USERS}?limit=1")).await.expect(200);
        Self {
            others: vec![
                user.refresh,
                staff.refresh,
                user.session,
                staff.session,
                reset.field("resetSecret").to_owned(),
                page.field("nextCursor").to_owned(),
                tenant.id.to_string(),
            ],
            access_tokens: [user.token, staff.token],
            backend: [tenant.backend_key.clone(), tenant.backend_secret.clone()],
            login: [tenant.key.clone(), tenant.secret.clone()],
        }
    }

    fn words(&self) -> Vec<&str> {
        let all = self.access_tokens.iter().chain(&self.backend).chain(&self.login).chain(&self.others);
        all.map(String::as_str).collect()
    }
}

/// The status of a credential that opens nothing.
fn refused_at(permission: Permission, basic: bool) -> (u16, &'static str) {
    match permission {
        Permission::Backend => (401, "BACKEND_KEY"),
        Permission::Client => (401, "invalid_client"),
        Permission::Read | Permission::Manage | Permission::ManageSessions if basic => (401, "BACKEND_KEY"),
        _ => (401, "TOKEN"),
    }
}

struct Door<'a> {
    world: &'a World,
    operation: &'a Operation,
    /// A request for what is there, by nobody yet.
    call: Call,
    seen: &'a mut BTreeSet<(u16, String)>,
}

impl Door<'_> {
    async fn refuses(&mut self, call: Call, what: &str, expected: (u16, &str)) {
        let answer: Answer = self.world.send(self.operation, call).await;
        let seen = (answer.status.as_u16(), answer.error_type().to_owned());
        assert_eq!((seen.0, seen.1.as_str()), expected, "{} with {what}", self.operation.id);
        self.seen.insert(seen);
    }

    /// What `held` has is another tenant's, whatever tenant the call names.
    async fn refuses_all(&mut self, held: &Held, away: &TestTenant, home: &TestTenant) {
        let permission = self.operation.permission();
        let to = |tenant: &TestTenant| self.call.clone().tenant(&tenant.slug);
        let (bearer, basic) = (refused_at(permission, false), refused_at(permission, true));
        let mut calls = Vec::new();
        for token in &held.access_tokens {
            // They are good, at home: the tenant that they are shown to is not theirs.
            let own = matches!(
                permission,
                Permission::Own(_) | Permission::Read | Permission::Manage | Permission::ManageSessions
            );
            calls.push((
                to(away).bearer(token),
                "an access token",
                if own { (403, "TENANT") } else { bearer },
            ));
        }
        let [key, secret] = &held.backend;
        let shown = match permission {
            Permission::Read | Permission::Manage | Permission::ManageSessions | Permission::Backend => {
                (403, "TENANT")
            }
            Permission::Client => (403, "unauthorized_client"),
            _ => basic,
        };
        calls.push((to(away).basic(key, secret), "a backend key", shown));
        for tenant in [away, home] {
            let [key, secret] = &held.login;
            calls.push((to(tenant).basic(key, secret), "a login key", basic));
            for word in held.words().into_iter().skip(held.access_tokens.len()) {
                calls.push((to(tenant).bearer(word), "a bearer that is no access token", bearer));
            }
        }
        for word in held.words() {
            let mut pairs =
                vec![(word, word), (away.backend_key.as_str(), word), (word, &*away.backend_secret)];
            pairs.extend([("vestibule", word), (home.backend_key.as_str(), &*away.backend_secret)]);
            for (name, password) in pairs {
                calls.push((to(away).basic(name, password), "a mixture by Basic", basic));
            }
        }
        for (call, what, expected) in calls {
            self.refuses(call, what, expected).await;
        }
    }
}

#[tokio::test]
async fn R050_nothing_that_one_tenant_issued_opens_any_operation_of_another() {
    let world = World::new().await;
    let World { acme, globex, operator, rows, .. } = &world;
    let (ours, theirs) = (Held::of(&world, acme).await, Held::of(&world, globex).await);
    let (mut seen, mut asked) = (BTreeSet::new(), 0);
    for operation in &operations() {
        let permission = operation.permission();
        let open = [Permission::Open, Permission::Public, Permission::Secret].contains(&permission);
        // A login and a refresh ignore Authorization; `refresh::bindings` has what a refresh takes.
        if open || matches!(permission, Permission::Login(_) | Permission::Refresh(_)) {
            continue;
        }
        asked += 1;
        let nobody = Party::new(&world, Caller::Nobody).await;
        let own = world.own(operation, &nobody).await;
        let before = rows.all(&world.app).await;
        let places: Vec<Place> =
            operation.places().into_iter().filter(|place| !matches!(place, Place::Query(_))).collect();
        let naming = |whose| places.iter().map(|place| (place.clone(), whose)).collect::<Vec<_>>();
        let others = if permission == Permission::Operator { Whose::Own } else { Whose::Anothers };
        for (held, home, away, whose) in [(&theirs, globex, acme, Whose::Own), (&ours, acme, globex, others)]
        {
            let call = world.request(operation, &own, &naming(whose)).await;
            let mut door = Door { world: &world, operation, call, seen: &mut seen };
            door.refuses_all(held, away, home).await;
            if permission != Permission::Operator {
                let call = || door.call.clone().tenant(&away.slug);
                let calls = [call().bearer(operator), call().basic(operator, operator)];
                for (call, basic) in calls.into_iter().zip([false, true]) {
                    door.refuses(call, "an operator's token", refused_at(permission, basic)).await;
                }
            }
        }
        unchanged(&before, &rows.all(&world.app).await, &operation.id);
    }
    assert!(asked >= 50, "{asked} operations");
    let seen: Vec<_> = seen.iter().map(|(status, error_type)| (*status, error_type.as_str())).collect();
    let bare = [(401, "invalid_client"), (403, "unauthorized_client")];
    assert_eq!(seen, [(401, "BACKEND_KEY"), (401, "TOKEN"), bare[0], (403, "TENANT"), bare[1]]);
}
