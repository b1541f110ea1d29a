//! A tenant in words, and the settings there are.

use std::io::Write;

use serde_json::Value;

use super::super::desk::Desk;
use super::super::show::{object, prose, table};
use crate::tenants::TenantDetails;
use crate::tenants::settings::schema::{SETTINGS, Setting, json_schema};

/// One tenant, with all its settings.
pub(super) fn tenant(desk: &Desk, details: &TenantDetails, out: &mut dyn Write) -> anyhow::Result<()> {
    let TenantDetails { tenant, origins } = details;
    let lifetimes = tenant.settings.lifetimes();
    let lines = [
        ("name", tenant.name.clone()),
        ("issuer", tenant.issuer(desk.public_url()?)),
        ("origins", list(origins)),
        (
            "lifetimes",
            format!(
                "access token {} s, session idle {} s, at most {} s",
                lifetimes.access_seconds, lifetimes.idle_seconds, lifetimes.absolute_seconds
            ),
        ),
        ("created", tenant.created_at.to_string()),
        ("changed", tenant.updated_at.to_string()),
    ];
    writeln!(out, "Tenant {} ({}), {}", tenant.slug, tenant.id, tenant.status.as_str())?;
    for (label, value) in lines {
        writeln!(out, "  {label:<11}{value}")?;
    }
    writeln!(out)?;
    if let Some(problem) = &tenant.settings_problem {
        writeln!(out, "The settings cannot be read by this version, so nobody logs in: {problem}")?;
        writeln!(out, "Set what it names, here or by the newer version. Below are the defaults.")?;
        writeln!(out)?;
    }
    let shown = tenant.settings.shown();
    let rows = SETTINGS.iter().map(|setting| {
        let value = shown.get(setting.name).unwrap_or(&Value::Null);
        [setting.name.to_owned(), text(value), mark(setting, value)]
    });
    table(out, ["SETTING", "VALUE", ""], rows)
}

/// Whether a value is the default, and which that is if it is not.
fn mark(setting: &Setting, value: &Value) -> String {
    let default = setting.default();
    if *value == default { "default".to_owned() } else { format!("set; default {}", text(&default)) }
}

/// What some names of `tenant set` stand for now.
pub(super) fn values<'a>(
    details: &TenantDetails,
    names: impl IntoIterator<Item = &'a str>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let shown = details.tenant.settings.shown();
    for name in names {
        let value = match name {
            "name" => details.tenant.name.clone(),
            "origins" => list(&details.origins),
            _ => text(shown.get(name).unwrap_or(&Value::Null)),
        };
        writeln!(out, "  {name:<21}{value}")?;
    }
    Ok(())
}

/// A value as `tenant set` reads it.
fn text(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Array(items) => list(&items.iter().map(text).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "(none)".to_owned() } else { items.join(",") }
}

/// All settings there are: in words, or as JSON Schema.
pub(super) fn settings(json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return object(out, &json_schema());
    }
    let rows = SETTINGS.iter().map(|setting| {
        let Setting { name, kind, meaning, reason } = setting;
        let default = setting.default();
        let or_null = if default.is_null() { ", or null" } else { "" };
        let (may_be, default) = (kind.in_words(), text(&default));
        let plain = |text: &str| text.replace('`', "");
        let (meaning, reason) = (plain(meaning), plain(reason));
        let text = format!("Default {default}; may be {may_be}{or_null}\n{meaning}\nWhy: {reason}\n ");
        [(*name).to_owned(), text]
    });
    prose(out, rows)
}
