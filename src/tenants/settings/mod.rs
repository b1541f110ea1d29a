//! A tenant's settings: one versioned schema, kept as JSON, with bounds and reasons.

mod change;
pub mod schema;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access_tokens::{Algorithm, TokenType};
use crate::clock::Timestamp;
use crate::error::FieldError;

pub use change::{SettingsChange, differences};

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

/// What a login beyond the limit of parallel sessions does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionLimitAction {
    EndOldest,
    Refuse,
}

/// A tenant's settings, as [`schema::SETTINGS`] explains them. A stored one that this version does not know was set
/// by a newer one that runs beside it, and is passed over; whoever sets one is held to the schema.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// The version of the schema that last wrote them.
    pub version: u32,
    pub profile: Profile,
    /// Overrides the profile's access-token lifetime, in seconds.
    pub access_seconds: Option<i64>,
    /// Overrides the profile's idle limit, in seconds.
    pub idle_seconds: Option<i64>,
    /// Overrides the profile's absolute limit, in seconds.
    pub absolute_seconds: Option<i64>,
    /// How long after a refresh its answer can be asked for again, in seconds.
    pub refresh_grace_seconds: i64,
    /// How many live sessions a user may have at a time.
    pub max_sessions: i64,
    pub session_limit_action: SessionLimitAction,
    /// A customer's login from a device ends that user's other sessions of the device.
    pub replace_device_session: bool,
    /// The families whose login needs no tenant key: X-Tenant-ID alone names the tenant there.
    pub key_optional: Vec<Family>,
    /// The algorithm of the next signing key; each key keeps the one it was made for.
    pub algorithm: Algorithm,
    /// After how many days of signing a signing key is replaced; 0: never by itself.
    pub signing_key_days: i64,
    /// The access tokens' `typ`.
    pub token_type: TokenType,
    /// The tokens' `aud`; the issuer when null.
    pub audience: Option<String>,
    /// The keys of a user's metadata that travel in the token.
    pub metadata_claims: Vec<String>,
    /// Show how many attempts have failed. Tells a stranger that somebody else has been trying.
    pub show_attempts: bool,
    /// Answer a locked name like a wrong password. The owner then cannot know why either.
    pub hide_lock: bool,
    /// Believe the X-Forwarded-For of a login that shows a `backend` key.
    pub trust_backend_address: bool,
    /// How many requests a second the tenant's callers may send to each node; 0: any number.
    pub requests_per_second: i64,
    /// How many logins may fail in a minute from one address; 0: any number, and the next two do not count.
    pub source_failures_per_minute: i64,
    /// How many in an hour.
    pub source_failures_per_hour: i64,
    /// How many different guesses from one address shut it out for a day; 0: any number may be made.
    pub spray_pairs: i64,
    /// The shortest password that may be set, in code points (NIST SP 800-63B-4 §3.1.1.2; floor 8).
    pub password_min_length: usize,
    /// For how many days events are kept, and sessions that have ended; 0: for ever.
    pub audit_retention_days: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: schema::VERSION,
            profile: Profile::Standard,
            access_seconds: None,
            idle_seconds: None,
            absolute_seconds: None,
            refresh_grace_seconds: 60,
            max_sessions: 10,
            session_limit_action: SessionLimitAction::EndOldest,
            replace_device_session: false,
            key_optional: Vec::new(),
            algorithm: Algorithm::ES256,
            signing_key_days: 90,
            token_type: TokenType::default(),
            audience: None,
            metadata_claims: Vec::new(),
            show_attempts: false,
            hide_lock: false,
            trust_backend_address: false,
            requests_per_second: 5_000,
            source_failures_per_minute: 10,
            source_failures_per_hour: 100,
            spray_pairs: 15,
            password_min_length: 12,
            audit_retention_days: 400,
        }
    }
}

impl Settings {
    /// Reads what [`Settings::stored`] wrote, or a version beside this one.
    pub fn from_stored(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What is stored of them: what differs from the default, and the schema's version.
    #[must_use]
    pub fn stored(&self) -> String {
        let mut values = self.shown();
        change::forget_defaults(&mut values);
        Value::Object(values).to_string()
    }

    /// All of them, by the names of the schema.
    #[must_use]
    pub fn shown(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(values)) => values,
            _ => Map::new(),
        }
    }

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

    /// Since when events are kept, and sessions that have ended; `None`: for ever. None of a tenant's goes earlier than it
    /// may: that bound is not the database's to say.
    #[must_use]
    pub fn kept_since(&self, now: Timestamp) -> Option<Timestamp> {
        let days = self.audit_retention_days;
        (days > 0).then(|| now.plus_seconds(-days.max(schema::LEAST_AUDIT_DAYS) * 24 * 3_600))
    }

    /// Everything that is wrong with them, alone and together.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldError> {
        let values = self.shown();
        let alone = schema::SETTINGS.iter().filter_map(|setting| {
            let problem = setting.check(values.get(setting.name).unwrap_or(&Value::Null)).err()?;
            Some(FieldError::new(format!("settings.{}", setting.name), problem))
        });
        alone.chain(self.contradictions()).collect()
    }

    fn contradictions(&self) -> Vec<FieldError> {
        let Lifetimes { access_seconds: access, idle_seconds: idle, absolute_seconds: absolute } =
            self.lifetimes();
        let mut problems = Vec::new();
        if access * 2 > idle {
            problems.push(FieldError::new(
                "settings.accessSeconds",
                format!(
                    "is {access} and idleSeconds {idle}: an access token may live at most half the idle limit"
                ),
            ));
        }
        if absolute < idle {
            problems.push(FieldError::new(
                "settings.absoluteSeconds",
                format!("is {absolute} and idleSeconds {idle}: it must not be below the idle limit"),
            ));
        }
        if self.hide_lock && self.show_attempts {
            problems.push(FieldError::new(
                "settings.hideLock",
                "and showAttempts exclude each other, as the number of attempts would show the lock; choose one",
            ));
        }
        problems
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R075_every_profile_is_within_the_bounds_and_overrides_are_held_to_them() {
        for profile in [Profile::Standard, Profile::Payment, Profile::Compatible, Profile::Consumer] {
            let settings = Settings { profile, ..Settings::default() };
            assert_eq!(settings.problems(), []);
            let Lifetimes { access_seconds, idle_seconds, absolute_seconds } = settings.lifetimes();
            let spelled_out = Settings {
                access_seconds: Some(access_seconds),
                idle_seconds: Some(idle_seconds),
                absolute_seconds: Some(absolute_seconds),
                ..Settings::default()
            };
            assert_eq!(spelled_out.problems(), []);
        }
        let odd = Settings { access_seconds: Some(1_200), ..Settings::default() };
        let problems = odd.problems();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.contains("is 1200 and idleSeconds 1800"), "{problems:?}");
        let short = Settings { access_seconds: Some(59), ..Settings::default() };
        assert_eq!(short.problems()[0].field, "settings.accessSeconds");
        let long = Settings { absolute_seconds: Some(2_592_001), ..Settings::default() };
        assert_eq!(long.problems()[0].field, "settings.absoluteSeconds");
    }

    #[test]
    fn the_schema_has_exactly_the_settings_and_its_bounds_admit_the_defaults() {
        let mut shown = Settings::default().shown();
        assert!(shown.remove("version").is_some());
        assert_eq!(shown.len(), schema::SETTINGS.len());
        for setting in &schema::SETTINGS {
            setting.check(&shown[setting.name]).unwrap();
        }
    }

    #[test]
    fn what_was_stored_by_another_version_is_read_and_only_differences_are_stored() {
        assert_eq!(Settings::default().stored(), r#"{"version":3}"#);
        // As the first version of the schema wrote them: all of them, and fewer than there are now.
        let old = r#"{"version":1,"profile":"payment","accessSeconds":null,"idleSeconds":null,
            "absoluteSeconds":null,"keyOptional":["admin"],"algorithm":"EdDSA","tokenType":"JWT","audience":null,
            "showAttempts":true,"hideLock":false,"trustBackendAddress":false,"passwordMinLength":8}"#;
        let settings = Settings::from_stored(old).unwrap();
        assert_eq!((settings.profile, settings.max_sessions), (Profile::Payment, 10));
        assert_eq!(Settings::from_stored(&settings.stored()).unwrap(), settings);
        // As a newer version will write them.
        let newer = r#"{"version":4,"profile":"payment","dpop":"required"}"#;
        assert_eq!(Settings::from_stored(newer).unwrap().profile, Profile::Payment);
        // A value that says nothing to this version is not taken for the default, which may be laxer.
        Settings::from_stored(r#"{"profile":"fapi"}"#).unwrap_err();
    }
}
