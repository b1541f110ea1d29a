//! A tenant's settings: one versioned schema, kept as JSON, with bounds and reasons.

use serde::{Deserialize, Serialize};

use crate::access_tokens::{Algorithm, TokenType};

/// The three families of session routes. The family is part of a session's identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Customer users of an individual.
    Individual,
    /// Customer users of an organization.
    Organization,
    /// The tenant's staff.
    Admin,
}

impl Family {
    pub const ALL: [Self; 3] = [Self::Individual, Self::Organization, Self::Admin];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Individual => "individual",
            Self::Organization => "organization",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == text)
    }
}

/// Lifetimes by kind of service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Access 5 min, idle 30 min, absolute 12 h.
    Standard,
    /// Access 2 min, idle 5 min (RTS art. 4(3)(d)), absolute 12 h.
    Payment,
    /// Access 60 min, idle 24 h, absolute 24 h: the documented ones.
    Compatible,
    /// Access 10 min, idle 30 d, absolute 30 d (NIST SP 800-63B AAL1).
    Consumer,
}

/// How long things live, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    pub access_seconds: i64,
    pub idle_seconds: i64,
    pub absolute_seconds: i64,
}

impl Profile {
    #[must_use]
    pub const fn lifetimes(self) -> Lifetimes {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        let (access_seconds, idle_seconds, absolute_seconds) = match self {
            Self::Standard => (5 * MINUTE, 30 * MINUTE, 12 * HOUR),
            Self::Payment => (2 * MINUTE, 5 * MINUTE, 12 * HOUR),
            Self::Compatible => (60 * MINUTE, DAY, DAY),
            Self::Consumer => (10 * MINUTE, 30 * DAY, 30 * DAY),
        };
        Lifetimes { access_seconds, idle_seconds, absolute_seconds }
    }
}

/// A tenant's settings. An unknown or ill-valued one is an error, never passed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Settings {
    /// The version of this schema.
    pub version: u32,
    pub profile: Profile,
    /// Overrides the profile's access-token lifetime, in seconds.
    pub access_seconds: Option<i64>,
    /// Overrides the profile's idle limit, in seconds.
    pub idle_seconds: Option<i64>,
    /// Overrides the profile's absolute limit, in seconds.
    pub absolute_seconds: Option<i64>,
    /// The families whose login needs no tenant key: X-Tenant-ID alone names the tenant there.
    pub key_optional: Vec<Family>,
    /// The algorithm of the next signing key; each key keeps the one it was made for.
    pub algorithm: Algorithm,
    /// The access tokens' `typ`.
    pub token_type: TokenType,
    /// The tokens' `aud`; the issuer when null.
    pub audience: Option<String>,
    /// Show how many attempts have failed. Tells a stranger that somebody else has been trying.
    pub show_attempts: bool,
    /// Answer a locked name like a wrong password. The owner then cannot know why either.
    pub hide_lock: bool,
    /// Believe the X-Forwarded-For of a login that shows a `backend` key.
    pub trust_backend_address: bool,
    /// The shortest password that may be set, in code points (NIST SP 800-63B-4 §3.1.1.2; floor 8).
    pub password_min_length: usize,
    /// The keys of users' metadata that travel in the access token, in the claim `metadata`.
    pub metadata_claims: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: 1,
            profile: Profile::Standard,
            access_seconds: None,
            idle_seconds: None,
            absolute_seconds: None,
            key_optional: Vec::new(),
            algorithm: Algorithm::ES256,
            token_type: TokenType::default(),
            audience: None,
            show_attempts: false,
            hide_lock: false,
            trust_backend_address: false,
            password_min_length: 12,
            metadata_claims: Vec::new(),
        }
    }
}

impl Settings {
    /// The lifetimes in force: the profile's, with the overrides.
    #[must_use]
    pub fn lifetimes(&self) -> Lifetimes {
        let profile = self.profile.lifetimes();
        Lifetimes {
            access_seconds: self.access_seconds.unwrap_or(profile.access_seconds),
            idle_seconds: self.idle_seconds.unwrap_or(profile.idle_seconds),
            absolute_seconds: self.absolute_seconds.unwrap_or(profile.absolute_seconds),
        }
    }

    /// Checks the bounds: what is wrong, or nothing.
    pub fn check(&self) -> Result<(), String> {
        let Lifetimes { access_seconds: access, idle_seconds: idle, absolute_seconds: absolute } =
            self.lifetimes();
        let within = |name: &str, value: i64, least: i64, most: i64| {
            (least..=most)
                .contains(&value)
                .then_some(())
                .ok_or_else(|| format!("{name} is {value} and must be {least} to {most}"))
        };
        within("version", i64::from(self.version), 1, 1)?;
        within("accessSeconds", access, 60, 3_600)?;
        within("idleSeconds", idle, 120, 2_592_000)?;
        within("absoluteSeconds", absolute, idle, 2_592_000)?;
        within("passwordMinLength", i64::try_from(self.password_min_length).unwrap_or(i64::MAX), 8, 64)?;
        if access * 2 > idle {
            return Err(format!(
                "accessSeconds is {access} and idleSeconds {idle}: an access token may live at most half the idle limit"
            ));
        }
        // A key that metadata cannot have does no harm: it is never there.
        if self.metadata_claims.len() > 8 || self.metadata_claims.iter().any(|key| key.len() > 64) {
            return Err("metadataClaims may have 8 keys of 64 characters at most".to_owned());
        }
        if self.hide_lock && self.show_attempts {
            return Err("hideLock and showAttempts: the number of attempts would show the lock; choose one"
                .to_owned());
        }
        match &self.audience {
            Some(audience) if audience.is_empty() || audience.len() > 256 => {
                Err("audience must have 1 to 256 characters, or be null".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R075_every_profile_is_within_the_bounds_and_overrides_are_held_to_them() {
        for profile in [Profile::Standard, Profile::Payment, Profile::Compatible, Profile::Consumer] {
            Settings { profile, ..Settings::default() }.check().unwrap();
        }
        let odd = Settings { access_seconds: Some(1_200), ..Settings::default() };
        let message = odd.check().unwrap_err();
        assert!(message.contains("accessSeconds is 1200 and idleSeconds 1800"), "{message}");
        let short = Settings { access_seconds: Some(59), ..Settings::default() };
        assert!(short.check().is_err());
        let long = Settings { absolute_seconds: Some(2_592_001), ..Settings::default() };
        assert!(long.check().is_err());
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let error = serde_json::from_str::<Settings>(r#"{"profil":"standard"}"#).unwrap_err().to_string();
        assert!(error.contains("profil"), "{error}");
    }
}
