//! The login that `demo` and `init` print, ready to paste into a shell.

use crate::ids::NIL;
use crate::tenants::Family;

/// A login by curl, of whoever the username says.
pub(super) struct LoginCall<'a> {
    pub base: &'a str,
    pub family: Family,
    pub tenant_slug: &'a str,
    pub tenant_id: &'a str,
    pub tenant_key: &'a str,
    pub tenant_secret: &'a str,
    pub email: &'a str,
    pub password: &'a str,
    pub device: &'a str,
    pub platform: &'a str,
}

impl std::fmt::Display for LoginCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = match self.family {
            Family::Individual => "customer/individual",
            Family::Organization => "customer/organization",
            Family::Admin => "admin/organization",
        };
        let Self { base, tenant_slug, device, platform, .. } = self;
        let [email, password, id, key, secret] =
            [self.email, self.password, self.tenant_id, self.tenant_key, self.tenant_secret].map(quoted);
        write!(
            f,
            "curl --request POST \\\n  \
             --url {base}/api/v2.1/{path}/{NIL}/users/{NIL}/sessions \\\n  \
             --header 'Content-Type: application/json' \\\n  \
             --header 'X-Forwarded-For: 127.0.0.1' --header 'X-Forwarded-From: client-app' \\\n  \
             --header 'X-Tenant-ID: {tenant_slug}' --header 'deviceId: {device}' --header 'platform: {platform}' \\\n  \
             --data '{{ \"username\": {email}, \"password\": {password},\n            \
             \"tenantKey\": {key}, \"tenantSecret\": {secret},\n            \
             \"credentialType\": \"PASSWORD\", \"value\": {email},\n            \
             \"tenantId\": {id} }}'"
        )
    }
}

/// A JSON string that can stand between a shell's single quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\'', "'\\''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apostrophe_does_not_end_the_shells_quotes() {
        assert_eq!(quoted("o'brien\"@acme.test"), "\"o'\\''brien\\\"@acme.test\"");
    }
}
