//! A change of settings, by name: what is not named stays as it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::FieldError;

use super::Settings;
use super::schema::{SETTINGS, VERSION, find};

/// Values by the names of settings; null sets one back to its default.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct SettingsChange(Map<String, Value>);

impl SettingsChange {
    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Whether it names nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that is wrong with it by itself, whatever is stored.
    pub fn alone(&self) -> Result<(), Vec<FieldError>> {
        let problems: Vec<_> = self.0.iter().filter_map(|(name, value)| problem(name, value)).collect();
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What is stored once this change is made to what is stored now, and the settings that are in force then; or all
    /// that is wrong with it. What a newer version has stored beside it stays there.
    pub fn made_to(&self, stored: &str) -> Result<(String, Settings), Vec<FieldError>> {
        self.alone()?;
        let mut values: Map<String, Value> = serde_json::from_str(stored).map_err(|_| unreadable())?;
        for (name, value) in &self.0 {
            if value.is_null() {
                values.remove(name);
            } else {
                values.insert(name.clone(), value.clone());
            }
        }
        let version = values.get("version").and_then(Value::as_u64).unwrap_or(0).max(u64::from(VERSION));
        values.insert("version".to_owned(), version.into());
        forget_defaults(&mut values);
        let stored = Value::Object(values).to_string();
        let settings = Settings::from_stored(&stored).map_err(|_| unreadable())?;
        let problems = settings.problems();
        if problems.is_empty() { Ok((stored, settings)) } else { Err(problems) }
    }
}

/// What of the new settings differs from the old ones: names, each with its old and its new value.
#[must_use]
pub fn differences(old: &Settings, new: &Settings) -> Map<String, Value> {
    let (old, new) = (old.shown(), new.shown());
    let changed = SETTINGS.iter().filter(|setting| old.get(setting.name) != new.get(setting.name));
    changed
        .map(|setting| {
            let values = serde_json::json!({ "from": old.get(setting.name), "to": new.get(setting.name) });
            (setting.name.to_owned(), values)
        })
        .collect()
}

/// Takes out what is the default anyway: then a better default reaches whoever never chose.
pub(super) fn forget_defaults(values: &mut Map<String, Value>) {
    for setting in &SETTINGS {
        if values.get(setting.name) == Some(&setting.default()) {
            values.remove(setting.name);
        }
    }
}

fn problem(name: &str, value: &Value) -> Option<FieldError> {
    let field = || format!("settings.{name}");
    if name == "version" {
        let right = value.as_u64() == Some(u64::from(VERSION));
        return (!right)
            .then(|| FieldError::new(field(), format!("is the schema's, which is {VERSION}; leave it out")));
    }
    let Some(setting) = find(name) else {
        let known: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
        return Some(FieldError::new(field(), format!("is not a setting; there are {}", known.join(", "))));
    };
    if value.is_null() {
        return None;
    }
    setting.check(value).err().map(|problem| FieldError::new(field(), problem))
}

/// Stored by a newer version, in words that this one does not know.
fn unreadable() -> Vec<FieldError> {
    let remedy =
        "were set by a newer version of Vestibule in a way that this one cannot read; set them there";
    vec![FieldError::new("settings", remedy)]
}

/// An object whose names differ: of two values for one setting neither is meant.
impl<'de> Deserialize<'de> for SettingsChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;

        impl<'de> Visitor<'de> for Values {
            type Value = SettingsChange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of settings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SettingsChange, A::Error> {
                let mut values = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if values.contains_key(&name) {
                        return Err(A::Error::custom("names a setting twice"));
                    }
                    values.insert(name, value);
                }
                Ok(SettingsChange(values))
            }
        }

        deserializer.deserialize_map(Values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(change: &SettingsChange, stored: &str) -> String {
        change.made_to(stored).unwrap().0
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name_also_what_only_a_newer_version_knows() {
        let newer = r#"{"dpop":"required","maxSessions":3,"version":4}"#;
        let change = SettingsChange::default().with("profile", "payment").with("maxSessions", Value::Null);
        assert_eq!(stored(&change, newer), r#"{"dpop":"required","profile":"payment","version":4}"#);
        let back = SettingsChange::default().with("profile", "standard");
        assert_eq!(stored(&back, r#"{"profile":"payment"}"#), r#"{"version":3}"#);
    }

    #[test]
    fn an_unknown_or_ill_valued_setting_is_refused_by_name() {
        let change =
            SettingsChange::default().with("profil", "payment").with("maxSessions", 0).with("version", 4);
        let fields: Vec<_> =
            change.made_to("{}").unwrap_err().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["settings.maxSessions", "settings.profil", "settings.version"]);
        serde_json::from_str::<SettingsChange>(r#"{"profile":"payment","profile":"standard"}"#).unwrap_err();
        serde_json::from_str::<SettingsChange>("[]").unwrap_err();
        serde_json::from_str::<SettingsChange>("null").unwrap_err();
    }

    #[test]
    fn the_command_lines_words_are_read_by_the_schema() {
        let read = |name: &str, text: &str| find(name).unwrap().read(text);
        assert_eq!(read("maxSessions", "3"), Ok(3.into()));
        assert_eq!(read("audience", "null"), Ok(Value::Null));
        assert_eq!(read("audience", "123"), Ok("123".into()));
        assert_eq!(read("keyOptional", "admin,individual"), Ok(serde_json::json!(["admin", "individual"])));
        assert_eq!(read("keyOptional", ""), Ok(serde_json::json!([])));
        assert_eq!(read("hideLock", "yes"), Err("must be true or false".to_owned()));
        assert_eq!(read("signingKeyDays", "0"), Ok(0.into()));
        for days in ["6", "366", "-1", "null days"] {
            assert!(read("signingKeyDays", days).unwrap_err().contains("from 7 to 365, or 0 for never"));
        }
        assert!(read("maxSessions", "many").unwrap_err().contains("from 1 to 1000"));
    }
}
