//! What `tenant create` and `tenant set` set: `name=VALUE`, `origins=URL,…` and settings by the names of their schema.

use std::str::FromStr;

use anyhow::{bail, ensure};
use serde_json::Value;

use crate::flows::TenantChange;
use crate::tenants::settings::schema;

/// One `NAME=VALUE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Assignment {
    pub name: String,
    how: How,
    value: String,
}

/// What is done with the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    /// `=`: it is the value from now on.
    Set,
    /// `+=`: it is added to a list.
    Add,
    /// `-=`: it is taken out of a list.
    Remove,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .ok_or("write it like name=value; `vestibule tenant settings` lists the names")?;
        let (name, how) = match (name.strip_suffix('+'), name.strip_suffix('-')) {
            (Some(name), _) => (name, How::Add),
            (_, Some(name)) => (name, How::Remove),
            _ => (name, How::Set),
        };
        if how != How::Set && name != "origins" {
            return Err("only origins takes += and -=; write the whole value behind =");
        }
        Ok(Self { name: name.to_owned(), how, value: value.to_owned() })
    }
}

/// All of them as one change. What a setting may be is for the flow to say, in the words of the API.
pub(super) fn change(assignments: &[Assignment]) -> anyhow::Result<TenantChange> {
    let mut change = TenantChange::default();
    for (at, Assignment { name, how, value }) in assignments.iter().enumerate() {
        let again = assignments[..at].iter().any(|before| before.name == *name && before.how == *how);
        ensure!(!again, "{name} is set twice; write it once");
        let urls = || value.split(',').filter(|url| !url.is_empty()).map(str::to_owned).collect();
        match (name.as_str(), how) {
            ("name", _) if value == "null" => bail!("name has no default; write the tenant's name"),
            ("name", _) => change.name = Some(value.clone()),
            ("origins", How::Add) => change.origins_added = urls(),
            ("origins", How::Remove) => change.origins_removed = urls(),
            ("origins", How::Set) if value == "null" => change.origins = Some(Vec::new()),
            ("origins", How::Set) => change.origins = Some(urls()),
            _ => change.settings = change.settings.with(name, read(name, value)),
        }
    }
    Ok(change)
}

/// A setting's value; one that is none stays a text, for which the API's refusal is the right one.
fn read(name: &str, text: &str) -> Value {
    schema::find(name).and_then(|setting| setting.read(text).ok()).unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> anyhow::Result<TenantChange> {
        let assignments: Vec<Assignment> = texts.iter().map(|text| text.parse().unwrap()).collect();
        change(&assignments)
    }

    #[test]
    fn what_is_named_is_changed_and_nothing_else() {
        let change = parsed(&[
            "name=Acme = Co",
            "accessSeconds=120",
            "audience=null",
            "origins=https://a.test,https://b.test",
        ]);
        let change = change.unwrap();
        assert_eq!(change.name.as_deref(), Some("Acme = Co"));
        assert_eq!(change.origins.unwrap(), ["https://a.test", "https://b.test"]);
        let wanted = crate::tenants::SettingsChange::default();
        assert_eq!(change.settings, wanted.with("accessSeconds", 120).with("audience", Value::Null));
        assert_eq!(parsed(&["origins=null"]).unwrap().origins, Some(Vec::new()));
        assert_eq!(parsed(&["origins="]).unwrap().origins, Some(Vec::new()));
    }

    #[test]
    fn origins_come_and_go_one_by_one() {
        let change = parsed(&["origins+=https://a.test", "origins-=https://b.test"]).unwrap();
        assert_eq!((change.origins, change.origins_added), (None, vec!["https://a.test".to_owned()]));
        assert_eq!(change.origins_removed, ["https://b.test"]);
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for bad in ["profile", "keyOptional+=admin", "name-=x"] {
            bad.parse::<Assignment>().unwrap_err();
        }
        parsed(&["profile=payment", "profile=standard"]).unwrap_err();
        parsed(&["name=null"]).unwrap_err();
    }
}
