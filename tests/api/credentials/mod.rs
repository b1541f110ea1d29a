//! Passwords: changed by their user, set and taken away by staff and backend, reset by a secret.

mod change;
mod concurrency;
mod isolation;
mod resets;
mod rules;
mod set;

use serde_json::{Value, json};
use vestibule::ids::UserId;
use vestibule::tenants::Family;

use crate::support::app::{Answer, NIL, PASSWORD, TestApp, TestTenant, prefix};
use crate::support::calls::{Call, Opened};

/// A password that nobody minds.
const NEW: &str = "nine green bottles";

const SET: &str = "/api/v2.1/admin/users";
const RESET: &str = "/api/v2.1/admin/users/login/reset";
const START: &str = "/api/v2.1/password-resets";
const REDEEM: &str = "/api/v2.1/password-resets/redeem";

/// What a 400 or 401 on a password says.
fn message(answer: &Answer) -> &str {
    answer.json["message"].as_str().unwrap()
}

/// A user's own change, in their session.
pub fn change(tenant: &TestTenant, of: &Opened, current: &str, new: &str) -> Call {
    let path = format!("{}/users/{NIL}/credentials", prefix(of.family, NIL));
    let body = json!({ "currentPassword": current, "newPassword": new, "matchingPassword": new });
    Call::new("PUT", path).tenant(&tenant.slug).bearer(&of.token).json(&body)
}

fn set(user: &UserId, new: &str) -> Call {
    let body = json!({ "newPassword": new, "matchingPassword": new });
    Call::new("PUT", format!("{SET}/{user}/credentials")).json(&body)
}

fn reset(user: &UserId) -> Call {
    Call::new("POST", RESET).json(&json!({ "userId": user, "reason": "the phone was stolen" }))
}

fn start(tenant: &TestTenant, username: &str) -> Call {
    Call::new("POST", START).backend(tenant).json(&json!({ "username": username }))
}

fn redeem(tenant: &TestTenant, secret: &str, new: &str) -> Call {
    let body = json!({ "resetSecret": secret, "newPassword": new, "matchingPassword": new });
    Call::new("POST", REDEEM).tenant(&tenant.slug).json(&body)
}

impl TestApp {
    /// A reset secret for the family's person.
    async fn secret(&self, tenant: &TestTenant, family: Family) -> String {
        let answer = self.call(start(tenant, &tenant.person(family).email)).await.expect(200);
        answer.field("resetSecret").to_owned()
    }

    /// Logs the family's person in by a password, a moment later.
    async fn login_with(&self, tenant: &TestTenant, family: Family, password: &str) -> Answer {
        self.clock.advance(1);
        self.send(tenant.login(family).set("password", password).request()).await
    }

    /// Everything about passwords that a refusal must leave as it is.
    async fn passwords_now(&self) -> Vec<Vec<Option<String>>> {
        let columns = [
            "password_hash",
            "cast(password_version as text)",
            "cast(password_changed_at as text)",
            "cast(sessions_not_before as text)",
            "session_kept",
        ];
        let sql = format!("select {} from users order by tenant_id, id", {
            let named: Vec<_> =
                columns.iter().enumerate().map(|(n, column)| format!("{column} as c{n}")).collect();
            named.join(", ")
        });
        let rows = self.database.list(vestibule::db::Statement::new(sql.leak())).await.unwrap();
        let texts = |row: &vestibule::db::Row| {
            (0..columns.len()).map(|n| row.maybe_text(&format!("c{n}")).unwrap()).collect()
        };
        rows.iter().map(texts).collect()
    }
}

/// The fields and messages of a 400.
fn errors(answer: &Answer) -> Vec<(String, String)> {
    let errors = answer.data()["errors"].as_array().unwrap_or_else(|| panic!("{}", answer.text));
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    errors.iter().map(|error| (text(error, "field"), text(error, "message"))).collect()
}

/// The person's old password works, or does not.
async fn old_password_works(app: &TestApp, tenant: &TestTenant, family: Family) -> bool {
    app.login_with(tenant, family, PASSWORD).await.status.as_u16() == 200
}
