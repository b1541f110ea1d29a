//! `docs/roles.md`: which credential may call which route of the directory, as it answers.

use std::fmt::Write;

use serde_json::Value;
use vestibule::tenants::Family;

use super::files::is_current;
use super::{document, operations};
use crate::support::app::{TestApp, TestTenant};
use crate::support::calls::{Call, Opened};

/// Those who ask, as the table's head has them.
const CALLERS: [&str; 8] = [
    "`ADMIN`",
    "`OPERATOR`",
    "`VIEWER`",
    "other staff",
    "customer's user",
    "backend key",
    "login key",
    "nobody",
];

/// Operations that take a backend key and other credentials than staff's: what is not here takes both.
fn takes(operation: &Value, scheme: &str) -> bool {
    let needed = operation["security"].as_array().into_iter().flatten();
    needed.into_iter().any(|one| one.get(scheme).is_some())
}

struct Everybody {
    staff: Vec<Opened>,
    customer: Opened,
}

impl Everybody {
    async fn log_in(app: &TestApp, tenant: &TestTenant) -> Self {
        let mut staff = Vec::new();
        for role in ["ADMIN", "OPERATOR", "VIEWER", "COMPLIANCE_OFFICER"] {
            staff.push(app.staff(tenant, &[role]).await);
        }
        // A customer's user whose role has got the word all the same.
        let person = tenant.person(Family::Organization);
        app.update_user(person, "roles = '[\"ADMIN\",\"OPERATOR\",\"VIEWER\"]'").await;
        Self { staff, customer: app.open(tenant, Family::Organization).await }
    }

    /// The call by each of [`CALLERS`].
    fn calls(&self, tenant: &TestTenant, call: &Call) -> Vec<Call> {
        let bearer = |opened: &Opened| call.clone().tenant(&tenant.slug).bearer(&opened.token);
        let mut calls: Vec<_> = self.staff.iter().map(bearer).collect();
        calls.push(bearer(&self.customer));
        calls.push(call.clone().backend(tenant));
        calls.push(call.clone().basic(&tenant.key, &tenant.secret));
        calls.push(call.clone().tenant(&tenant.slug));
        calls
    }
}

/// What a status says of the permission: what lets in goes on to look for the thing, or at the body.
fn word(status: u16) -> &'static str {
    match status {
        200 | 400 | 404 | 409 | 415 => "yes",
        401 => "401",
        403 => "403",
        other => panic!("{other} says nothing of a permission"),
    }
}

#[tokio::test]
async fn R049_docs_roles_md_says_who_may_call_what_and_it_is_so() {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme").await;
    let everybody = Everybody::log_in(&app, &tenant).await;
    let mut out = "# Who may call what\n\n\
         Made by a test that calls every route that takes a backend key with every credential (`UPDATE_DOCS=1 cargo test --test api\n\
         documents` writes it anew); do not edit. *Staff* are a tenant's own users; the roles of other users permit nothing\n\
         here, whatever they are called. `yes` lets in: what follows is judged by what is there. Roles are looked at before\n\
         ids and bodies, so a refusal tells nothing.\n\n"
        .to_owned();
    writeln!(out, "| call | {} |", CALLERS.join(" | ")).unwrap();
    writeln!(out, "| --- |{}", " --- |".repeat(CALLERS.len())).unwrap();
    let document = document();
    let mut rows = 0;
    for (name, operation) in operations(&document).into_iter().filter(|(_, it)| takes(it, "backendKey")) {
        let (method, path) = name.split_once(' ').unwrap();
        let parts = path.split('/').map(|part| if part.starts_with('{') { "absent" } else { part });
        let mut call = Call::new(&method.to_uppercase(), parts.collect::<Vec<_>>().join("/"));
        if operation.get("requestBody").is_some() {
            call = call.json(&serde_json::json!({ "unknown": 1 }));
        }
        let mut words = Vec::new();
        for call in everybody.calls(&tenant, &call) {
            words.push(word(app.call(call).await.status.as_u16()));
        }
        writeln!(out, "| `{} {path}` | {} |", method.to_uppercase(), words.join(" | ")).unwrap();
        rows += 1;
        // What holds for all of them, whatever the table says.
        // There a user's token is no client authentication at all.
        let user = if path.starts_with("/oauth2/") { "401" } else { "403" };
        assert_eq!(words[4..], [user, "yes", "401", "401"], "{name}");
        if path.starts_with("/api/v2.1/admin/users")
            || path.contains("/admin/customers")
            || path.ends_with("/registration")
            || operation["tags"][0] == "Sessions"
        {
            let of_sessions = path.contains("/devices") || path.contains("/sessions");
            let expected = match method {
                "get" => ["yes", "yes", "yes", "403"],
                _ if of_sessions => ["yes", "yes", "403", "403"],
                _ => ["yes", "403", "403", "403"],
            };
            let own = operation["tags"][0] != "Credentials";
            assert!(!own || words[..4] == expected, "{name}: {words:?}");
        }
    }
    assert!(rows >= 20);
    is_current("roles.md", &out);
}
