//! What an access token says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Invalid;

/// How far ahead of our clock a token's `iat` may be, in seconds (R076).
const CLOCK_SKEW_SECONDS: i64 = 10;

/// The claims as they stand in a token. Claims that a later Vestibule may add are passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub exp: i64,
    pub iat: i64,
    #[serde(rename = "tenantId")]
    pub tenant_id: String,
    #[serde(rename = "customerId")]
    pub customer_id: String,
    #[serde(rename = "userId")]
    pub user_id: String,
    #[serde(rename = "userType")]
    pub user_type: String,
    pub roles: Vec<String>,
    pub jti: String,
    pub sid: String,
    pub auth_time: i64,
    pub acr: String,
    pub amr: Vec<String>,
    pub client_id: String,
    #[serde(default, deserialize_with = "object")]
    pub metadata: Option<Map<String, Value>>,
}

/// Absent or an object: null is neither.
fn object<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Map<String, Value>>, D::Error> {
    Map::deserialize(from).map(Some)
}

impl Claims {
    /// Whether they are for us and of now (R072, R076, R077).
    pub fn check(&self, issuer: &str, audience: &str, now: SystemTime) -> Result<(), Invalid> {
        if self.iss != issuer {
            return Err(Invalid::Issuer);
        }
        if self.aud != audience {
            return Err(Invalid::Audience);
        }
        let ids = [&self.sub, &self.tenant_id, &self.customer_id, &self.jti, &self.sid, &self.client_id];
        let whole = self.sub == self.user_id && ids.iter().all(|id| !id.is_empty());
        if !whole || self.iat < 0 || self.auth_time < 0 {
            return Err(Invalid::Claims);
        }
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        if self.exp <= now {
            return Err(Invalid::Expired);
        }
        if self.iat > now.saturating_add(CLOCK_SKEW_SECONDS) {
            return Err(Invalid::Future);
        }
        Ok(())
    }

    /// From `iat` to `exp`.
    pub fn life(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.exp.saturating_sub(self.iat)).unwrap_or(0))
    }
}

/// An access token that has passed every check: it is the issuer's, for this audience, of now, and its session lived when it
/// was last heard of. There is no other way to one, and none to a token's claims before that:
///
/// ```compile_fail,E0451
/// let forge = |claims| vestibule_verifier::AccessToken { claims };
/// ```
///
/// Keep it for one request: a session that ends later does not reach it.
#[derive(Clone)]
pub struct AccessToken {
    claims: Claims,
}

impl AccessToken {
    /// To be called when everything has been checked, and nowhere else.
    pub(crate) const fn all_checked(claims: Claims) -> Self {
        Self { claims }
    }

    /// The tenant's id, never its slug.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.claims.tenant_id
    }

    /// For whom the user acts: an individual, or an organization.
    #[must_use]
    pub fn customer_id(&self) -> &str {
        &self.claims.customer_id
    }

    /// The user's id.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.claims.user_id
    }

    /// `CONSUMER` or `ADMIN`. Permission comes from the roles, never from it.
    #[must_use]
    pub fn user_type(&self) -> &str {
        &self.claims.user_type
    }

    /// As they were when the token was signed.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.claims.roles
    }

    /// Whether this is one of the roles, to the letter.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.claims.roles.iter().any(|own| own == role)
    }

    /// The session's id: the same for every token of the session.
    #[must_use]
    pub fn session_id(&self) -> &str {
        &self.claims.sid
    }

    /// The token's own id (`jti`): no two tokens share it.
    #[must_use]
    pub fn token_id(&self) -> &str {
        &self.claims.jti
    }

    /// The id of the tenant key that opened the session.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.claims.client_id
    }

    /// How sure the login was of the user: `aal1` by password alone.
    #[must_use]
    pub fn acr(&self) -> &str {
        &self.claims.acr
    }

    /// By what the user was recognized (RFC 8176).
    #[must_use]
    pub fn amr(&self) -> &[String] {
        &self.claims.amr
    }

    /// When the credentials were checked, to the second.
    #[must_use]
    pub fn authenticated_at(&self) -> SystemTime {
        instant(self.claims.auth_time)
    }

    /// When the token was signed, to the second.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        instant(self.claims.iat)
    }

    /// From when on it is refused.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        instant(self.claims.exp)
    }

    /// What the tenant's settings let through of the user's metadata.
    #[must_use]
    pub const fn metadata(&self) -> Option<&Map<String, Value>> {
        self.claims.metadata.as_ref()
    }
}

fn instant(seconds: i64) -> SystemTime {
    // Both are checked to be after the epoch; what no calendar holds is its end.
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

/// Without the metadata: it may be personal.
impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken")
            .field("tenant", &self.claims.tenant_id)
            .field("user", &self.claims.user_id)
            .field("session", &self.claims.sid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_773_690_572;

    fn claims(changes: &[(&str, Value)]) -> Claims {
        let mut all = json!({
            "iss": "https://id.example.test/t/a", "aud": "https://api.example.test", "sub": "u1", "exp": NOW + 300,
            "iat": NOW, "tenantId": "t1", "customerId": "c1", "userId": "u1", "userType": "CONSUMER",
            "roles": ["USER"], "jti": "j1", "sid": "s1", "auth_time": NOW, "acr": "aal1", "amr": ["pwd"],
            "client_id": "k1",
        });
        for (name, value) in changes {
            all[name] = value.clone();
        }
        serde_json::from_value(all).unwrap()
    }

    fn check(changes: &[(&str, Value)]) -> Result<(), Invalid> {
        claims(changes).check("https://id.example.test/t/a", "https://api.example.test", instant(NOW))
    }

    #[test]
    fn R076_times_are_held_to_ten_seconds_of_skew() {
        for (ahead, result) in [
            (-61, Ok(())),
            (0, Ok(())),
            (10, Ok(())),
            (11, Err(Invalid::Future)),
            (60, Err(Invalid::Future)),
            (61, Err(Invalid::Future)),
        ] {
            assert_eq!(check(&[("iat", json!(NOW + ahead))]), result, "{ahead}");
        }
        assert_eq!(check(&[("exp", json!(NOW + 1))]), Ok(()));
        for past in [NOW, NOW - 1, NOW - 61, 0, -1, i64::MIN] {
            assert_eq!(check(&[("exp", json!(past))]), Err(Invalid::Expired), "{past}");
        }
        assert_eq!(
            claims(&[("exp", json!(i64::MAX)), ("iat", json!(0))]).life().as_secs(),
            9_223_372_036_854_775_807
        );
    }

    #[test]
    fn R077_issuer_and_audience_are_exact() {
        for other in
            ["https://id.example.test/t/b", "https://id.example.test/t/a/", "https://id.example.test/t/", ""]
        {
            assert_eq!(check(&[("iss", json!(other))]), Err(Invalid::Issuer), "{other}");
        }
        for other in ["https://api.example.test/", "https://api.example", "https://id.example.test/t/a", ""] {
            assert_eq!(check(&[("aud", json!(other))]), Err(Invalid::Audience), "{other}");
        }
    }

    #[test]
    fn R072_what_says_whose_the_session_is_must_be_there_and_agree() {
        for name in ["tenantId", "customerId", "jti", "sid", "client_id"] {
            assert_eq!(check(&[(name, json!(""))]), Err(Invalid::Claims), "{name}");
        }
        assert_eq!(check(&[("sub", json!("u2"))]), Err(Invalid::Claims));
        assert_eq!(check(&[("sub", json!("")), ("userId", json!(""))]), Err(Invalid::Claims));
        for name in ["iat", "auth_time"] {
            assert_eq!(check(&[(name, json!(-1))]), Err(Invalid::Claims), "{name}");
        }
    }
}
