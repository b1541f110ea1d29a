//! The one table of a tenant's settings: what each does, what it may be, and why. What is refused, the JSON Schema
//! that is served and `docs/settings.md` all come from it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::Settings;

/// The version of this table: one more when a setting is added or means something else.
pub const VERSION: u32 = 3;

/// For how many days events are kept at least.
pub(super) const LEAST_AUDIT_DAYS: i64 = 365;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// What it does.
    pub meaning: &'static str,
    /// Why its default and its bounds are what they are.
    pub reason: &'static str,
}

/// What a setting's value may be. Where the default is null, null is one too.
#[derive(Debug)]
pub enum Kind {
    /// true or false.
    Flag,
    /// A whole number.
    Number { least: i64, most: i64, unit: &'static str },
    /// A whole number, or 0 for never.
    NumberOrNever { least: i64, most: i64, unit: &'static str },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of these words, each once.
    Words(&'static [&'static str]),
    /// 1 to so many characters without control characters.
    Text { most: usize },
    /// A list of at most so many names of 1 to 64 letters, digits and underscores, each once.
    Names { most: usize },
}

/// All settings, in the order in which they are shown.
pub const SETTINGS: [Setting; 23] = [
    Setting {
        name: "profile",
        kind: Kind::Word(&["standard", "payment", "compatible", "consumer"]),
        meaning: "The lifetimes of access tokens and sessions (access, idle, absolute): `standard` 5 min, 30 min, 12 h; \
                  `payment` 2 min, 5 min, 12 h; `compatible` 60 min, 24 h, 24 h; `consumer` 10 min, 30 d, 30 d.",
        reason: "`payment` ends what has been idle for 5 minutes, as RTS (EU) 2018/389 art. 4(3)(d) asks of payment \
                 accounts; `compatible` has the documented lifetimes; `consumer` those of NIST SP 800-63B at AAL1.",
    },
    Setting {
        name: "accessSeconds",
        kind: Kind::Number { least: 60, most: 3_600, unit: "seconds" },
        meaning: "How long an access token lives, in place of the profile's.",
        reason: "Whoever verifies tokens without asking us believes one until it expires, so an hour is the most; below a \
                 minute apps would do nothing but refresh. At most half the idle limit, so that a refresh is always in time.",
    },
    Setting {
        name: "idleSeconds",
        kind: Kind::Number { least: 120, most: 2_592_000, unit: "seconds" },
        meaning: "After how long without a refresh a session ends, in place of the profile's.",
        reason: "30 days are the most that NIST SP 800-63B allows a session at AAL1.",
    },
    Setting {
        name: "absoluteSeconds",
        kind: Kind::Number { least: 120, most: 2_592_000, unit: "seconds" },
        meaning: "When a session ends whatever its use, in place of the profile's; not before its idle limit.",
        reason: "30 days are the most that NIST SP 800-63B allows a session at AAL1.",
    },
    Setting {
        name: "refreshGraceSeconds",
        kind: Kind::Number { least: 0, most: 600, unit: "seconds" },
        meaning: "How long after a refresh its answer can be asked for again, with the token that it used up and from the \
                  same device: the same next refresh token comes, and nothing is changed. Any other use of a token that \
                  was used up ends the session.",
        reason: "Phones lose answers for longer than servers think: a minute lets them ask again; beyond ten minutes a \
                 stolen token would be of use. 0 takes every repetition for a theft.",
    },
    Setting {
        name: "maxSessions",
        kind: Kind::Number { least: 1, most: 1_000, unit: "sessions" },
        meaning: "How many live sessions a user may have at a time; sessionLimitAction says what the next login does. \
                  What a lower number leaves over ends at the user's next login.",
        reason: "Ten are enough for a person's devices, and few enough to look through; a thousand keep a list bounded.",
    },
    Setting {
        name: "sessionLimitAction",
        kind: Kind::Word(&["end_oldest", "refuse"]),
        meaning: "What a login beyond maxSessions does: `end_oldest` ends the oldest sessions (`limit`), `refuse` is \
                  answered 409.",
        reason: "Who lost a phone can still log in; `refuse` shows a thief's sessions, and lets them keep the owner out.",
    },
    Setting {
        name: "replaceDeviceSession",
        kind: Kind::Flag,
        meaning: "Whether a customer's login from a device ends that user's other sessions of the same deviceId \
                  (`replaced`). Staff's never do.",
        reason: "A deviceId is what the app says it is: several apps or browsers may share one.",
    },
    Setting {
        name: "keyOptional",
        kind: Kind::Words(&["individual", "organization", "admin"]),
        meaning: "The families whose login needs no tenant key: X-Tenant-ID alone names the tenant there. A key that is \
                  sent is checked all the same.",
        reason: "A key is asked for everywhere unless the tenant's clients send none.",
    },
    Setting {
        name: "algorithm",
        kind: Kind::Word(&["ES256", "EdDSA", "PS256", "RS256"]),
        meaning: "What the tenant's next signing key is made for; each key keeps the one it was made for, so the change \
                  takes effect when the key is rotated.",
        reason: "ES256 is short, quick and known to nearly every verifier; RS256 is for gateways that take only RSA.",
    },
    Setting {
        name: "signingKeyDays",
        kind: Kind::NumberOrNever { least: 7, most: 365, unit: "days" },
        meaning: "After how many days of signing a signing key is replaced: the next one is made within an hour then, and \
                  signs once it has been published for long enough. 0 leaves it to operators.",
        reason: "A key that somebody copied unnoticed is of use until it is replaced, so it is, without anybody having to \
                 think of it. Below a week a key set would never come to rest; 0 is for verifiers that pin a key.",
    },
    Setting {
        name: "tokenType",
        kind: Kind::Word(&["JWT", "at+jwt"]),
        meaning: "The access tokens' `typ`.",
        reason: "`JWT` is documented and what most libraries expect; `at+jwt` is RFC 9068's.",
    },
    Setting {
        name: "audience",
        kind: Kind::Text { most: 256 },
        meaning: "The access tokens' `aud`; the issuer when null. Tokens of another audience are refused from then on.",
        reason: "An issuer of one tenant is an audience that nobody else's tokens have.",
    },
    Setting {
        name: "metadataClaims",
        kind: Kind::Names { most: 8 },
        meaning: "The keys of a user's metadata that travel in the access token, under the claim `metadata`.",
        reason: "A token is sent with every call and readable by its bearer: none unless asked for, and few.",
    },
    Setting {
        name: "showAttempts",
        kind: Kind::Flag,
        meaning: "Whether a failed login tells how many attempts have failed. Not together with hideLock.",
        reason: "It tells a stranger that somebody else has been trying.",
    },
    Setting {
        name: "hideLock",
        kind: Kind::Flag,
        meaning: "Whether a locked name is answered like a wrong password. Not together with showAttempts.",
        reason: "The owner cannot know then either why the right password does not work.",
    },
    Setting {
        name: "trustBackendAddress",
        kind: Kind::Flag,
        meaning: "Whether the X-Forwarded-For of a login that shows a `backend` key is believed.",
        reason: "Only where all the tenant's backends set it from what they see themselves. Without it a backend's \
                 address stands for all its users, so the limits by source do not apply to logins with its key.",
    },
    Setting {
        name: "requestsPerSecond",
        kind: Kind::NumberOrNever { least: 1, most: 1_000_000, unit: "requests" },
        meaning: "How many requests a second the tenant's apps and backends may send to each node; what is over is answered \
                  429. Counted is what comes with a good key or token, logins and all else each for itself. 0: any number.",
        reason: "One tenant's burst is not to be the others' wait. Few tenants ever come near the default; whoever does can \
                 have more.",
    },
    Setting {
        name: "sourceFailuresPerMinute",
        kind: Kind::NumberOrNever { least: 1, most: 100, unit: "failures" },
        meaning: "How many logins may fail in a minute from one address (IPv4, or IPv6 /64), whoever they are for; then it \
                  is answered 429. 0 switches off all limits by source: this, sourceFailuresPerHour and sprayPairs.",
        reason: "People mistype a few times; a program that guesses does so for as long as it is let. More is for tenants \
                 many of whose customers share one address (a company's, a mobile provider's).",
    },
    Setting {
        name: "sourceFailuresPerHour",
        kind: Kind::Number { least: 1, most: 1_000, unit: "failures" },
        meaning: "How many in an hour.",
        reason: "A guesser who keeps to the minute's limit would make 600 an hour. A thousand bounds what is kept.",
    },
    Setting {
        name: "sprayPairs",
        kind: Kind::NumberOrNever { least: 5, most: 1_000, unit: "guesses" },
        meaning: "How many different failed guesses, each a user and a password, within 3 hours shut an address out for 24 \
                  hours (429). 0: none do, and no address is shut out any longer.",
        reason: "Who tries one password on many users fails once with each. Somebody who mistypes makes few different \
                 guesses, and an app that repeats a wrong password makes one.",
    },
    Setting {
        name: "passwordMinLength",
        kind: Kind::Number { least: 8, most: 64, unit: "characters" },
        meaning: "The shortest password that may be set, in code points.",
        reason: "NIST SP 800-63B-4 §3.1.1.2 has 8 as the floor, and asks that 64 be possible. Passwords that exist stay.",
    },
    Setting {
        name: "auditRetentionDays",
        kind: Kind::NumberOrNever { least: LEAST_AUDIT_DAYS, most: 3_650, unit: "days" },
        meaning: "For how many days events are kept, and sessions after their end. Older ones are deleted; what is sealed of \
                  the events stays, so that the log can be verified as before. 0 keeps them for ever.",
        reason: "PCI DSS 10.5.1 asks for twelve months, of which three are at hand: here all are. 400 leave a month to export \
                 them.",
    },
];

/// The setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// The value it has when it is not set.
    #[must_use]
    pub fn default(&self) -> Value {
        Settings::default().shown().get(self.name).cloned().unwrap_or_default()
    }

    /// What is wrong with a value, if anything is.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let nullable = self.default().is_null();
        if (nullable && value.is_null()) || self.kind.admits(value) {
            return Ok(());
        }
        let or_null = if nullable { ", or null" } else { "" };
        Err(format!("must be {}{or_null}", self.kind.in_words()))
    }

    /// Reads a value as the command line has it: `null`, a number, a word, or words with commas between them.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let list = || Value::from(text.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        let value = match (&self.kind, text) {
            (_, "null") => return Ok(Value::Null),
            (Kind::Flag, "true") => Value::Bool(true),
            (Kind::Flag, "false") => Value::Bool(false),
            (Kind::Number { .. } | Kind::NumberOrNever { .. }, number) => {
                number.parse::<i64>().map_or_else(|_| Value::from(number), Value::from)
            }
            (Kind::Words(_) | Kind::Names { .. }, _) => list(),
            (_, word) => Value::from(word),
        };
        self.check(&value).map(|()| value)
    }

    /// Its JSON Schema.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut schema = self.kind.json_schema();
        let default = self.default();
        if default.is_null() {
            schema["type"] = json!([schema["type"], "null"]);
        }
        schema["default"] = default;
        schema["description"] = json!(format!("{} {}", self.meaning, self.reason));
        schema
    }
}

impl Kind {
    fn admits(&self, value: &Value) -> bool {
        let texts = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let distinct = |words: &[String]| (1..words.len()).all(|at| !words[..at].contains(&words[at]));
        match self {
            Self::Flag => value.is_boolean(),
            Self::Number { least, most, .. } => {
                value.as_i64().is_some_and(|number| (*least..=*most).contains(&number))
            }
            Self::NumberOrNever { least, most, .. } => {
                value.as_i64().is_some_and(|number| number == 0 || (*least..=*most).contains(&number))
            }
            Self::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Self::Words(known) => texts(value).is_some_and(|words| {
                distinct(&words) && words.iter().all(|word| known.contains(&word.as_str()))
            }),
            Self::Text { most } => value.as_str().is_some_and(|text| {
                (1..=*most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
            }),
            Self::Names { most } => texts(value).is_some_and(|names| {
                names.len() <= *most && distinct(&names) && names.iter().all(|name| is_name(name))
            }),
        }
    }

    /// What it admits, to stand after "must be".
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Number { least, most, unit } => format!("a whole number of {unit} from {least} to {most}"),
            Self::NumberOrNever { least, most, unit } => {
                format!("a whole number of {unit} from {least} to {most}, or 0 for never")
            }
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Words(words) => format!("a list of {}, each at most once", words.join(", ")),
            Self::Text { most } => format!("a text of 1 to {most} characters without control characters"),
            Self::Names { most } => format!(
                "a list of at most {most} names of 1 to 64 letters, digits and underscores, each at most once"
            ),
        }
    }

    fn json_schema(&self) -> Value {
        match self {
            Self::Flag => json!({ "type": "boolean" }),
            Self::Number { least, most, .. } => {
                json!({ "type": "integer", "minimum": least, "maximum": most })
            }
            Self::NumberOrNever { least, most, .. } => json!({
                "type": "integer", "anyOf": [{ "const": 0 }, { "minimum": least, "maximum": most }],
            }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::Words(words) => {
                json!({ "type": "array", "items": { "type": "string", "enum": words }, "uniqueItems": true })
            }
            Self::Text { most } => json!({ "type": "string", "minLength": 1, "maxLength": most }),
            Self::Names { most } => {
                let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_]{1,64}$" });
                json!({ "type": "array", "items": name, "maxItems": most, "uniqueItems": true })
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The JSON Schema (2020-12) of a tenant's settings as they are shown.
#[must_use]
pub fn json_schema() -> Value {
    let mut properties = Map::new();
    let version =
        json!({ "type": "integer", "const": VERSION, "description": "The version of this schema." });
    properties.insert("version".to_owned(), version);
    properties.extend(SETTINGS.iter().map(|setting| (setting.name.to_owned(), setting.json_schema())));
    let names: Vec<_> = properties.keys().cloned().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A tenant's settings",
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

/// `docs/settings.md`.
#[must_use]
pub fn settings_document() -> String {
    let mut text = format!(
        "# A tenant's settings\n\n\
         Made from `src/tenants/settings/schema.rs` by a test (`UPDATE_DOCS=1 cargo test` writes it anew); do not edit.\n\n\
         Version {VERSION} of the schema. An operator sets them with `PATCH /operator/v1/tenants/{{tenant}}` or on the command\n\
         line; null sets one back to its default. A change takes effect on the next request. What is not listed here, or is\n\
         out of its bounds, is refused with a 400 that names it, and nothing changes. `GET /operator/v1/settings-schema`\n\
         answers the same as JSON Schema.\n\n\
         Stored is only what differs from the default. Two adjacent versions of Vestibule run side by side: a setting that\n\
         a newer one stored is passed over by the older one, and kept.\n\n\
         A tenant's browser origins (CORS) are shown and set beside its settings, as `origins`.\n\n\
         | setting | default | may be | what it does | why |\n| --- | --- | --- | --- | --- |\n"
    );
    for setting in &SETTINGS {
        let Setting { name, kind, meaning, reason } = setting;
        let default = setting.default();
        let or_null = if default.is_null() { ", or null" } else { "" };
        let _ = writeln!(
            text,
            "| `{name}` | `{default}` | {}{or_null} | {meaning} | {reason} |",
            kind.in_words()
        );
    }
    text.push_str(
        "\nTogether: an access token lives at most half the idle limit, a session's absolute limit is not below its idle\n\
         limit, and `showAttempts` and `hideLock` exclude each other.\n",
    );
    text
}
