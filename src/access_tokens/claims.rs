//! What an access token says.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// How far ahead of our clock a token's `iat` may be, in seconds (FAPI 2.0 §5.3.2.1 (13); R076).
pub const CLOCK_SKEW_SECONDS: i64 = 10;

/// The claims, in the documented order with ours after them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The tenant's issuer: `{public_url}/t/{slug}`.
    pub iss: String,
    /// The issuer too, unless the tenant names an audience.
    pub aud: String,
    /// The user's id.
    pub sub: String,
    /// Seconds since the epoch, as all times in claims.
    pub exp: i64,
    /// When the token was signed.
    pub iat: i64,
    /// The tenant's UUID, never its slug.
    #[serde(rename = "tenantId")]
    pub tenant_id: String,
    /// The organization's id on the organization and admin families.
    #[serde(rename = "customerId")]
    pub customer_id: String,
    /// The same as `sub`.
    #[serde(rename = "userId")]
    pub user_id: String,
    /// `CONSUMER` or `ADMIN`; permission comes from `roles`, never from it.
    #[serde(rename = "userType")]
    pub user_type: String,
    /// As they were when the token was signed.
    pub roles: Vec<String>,
    /// The token's own id: no two tokens share it.
    pub jti: String,
    /// The session's id.
    pub sid: String,
    /// When the credentials were checked.
    pub auth_time: i64,
    /// How sure the login was of the user: `aal1` by password alone.
    pub acr: String,
    /// By what the user was recognized (RFC 8176): `pwd`.
    pub amr: Vec<String>,
    /// The id of the tenant key that opened the session; the tenant's id where none was needed.
    pub client_id: String,
    /// What the tenant's settings let through of the user's metadata; absent when that is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Claims {
    /// Whether the token's own times hold: not expired, and not from the future.
    #[must_use]
    pub fn in_time(&self, now: Timestamp) -> bool {
        self.exp > now.as_seconds() && self.issued_in_time(now)
    }

    /// Whether it is not from the future.
    #[must_use]
    pub fn issued_in_time(&self, now: Timestamp) -> bool {
        self.iat <= now.as_seconds() + CLOCK_SKEW_SECONDS
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::super::samples::claims;
    use super::*;

    #[test]
    fn R076_times_are_held_to_ten_seconds_of_skew() {
        let now = Timestamp::from_millis(1_500_000);
        for (ahead, good) in [(-61, true), (0, true), (10, true), (11, false), (61, false)] {
            let claims = Claims { iat: 1_500 + ahead, ..claims() };
            assert_eq!(claims.in_time(now), good, "{ahead}");
        }
        assert!(Claims { exp: 1_501, ..claims() }.in_time(now));
        assert!(!Claims { exp: 1_500, ..claims() }.in_time(now));
    }
}
