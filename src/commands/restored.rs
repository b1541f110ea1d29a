//! `vestibule restored`: makes a database that was restored by other means one that may be served.

use std::io::Write;
use std::path::Path;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::Global;
use super::desk::at_the_desk;
use super::first_tenant::explain;
use super::show::{Array, Shape, object, table};
use crate::clock::Timestamp;
use crate::db::Database;
use crate::events::deeds::Deed;
use crate::flows::{Author, StoreRestored, deeds_since, store_restored};

/// What is good again after a restore, and nobody can know of.
const TO_CHECK: &str = "\
What was done after the copy was made is undone, and this database cannot know of it. Do again what still holds:";
/// The same where the database that was replaced could not be asked.
const WITHDRAWN: &str = "  \
  operators, tenant keys and signing keys that were revoked or retired    operator, keys, signing-keys
  users, customers and tenants that were suspended, closed or erased      staff, tenant suspend";
/// The same in any case.
const CHANGED: &str = "  \
  passwords that were replaced open again, also stolen ones: set others   staff, backends
  roles that were changed; locks and failures                             staff
  what was registered, imported or set                                    the tenants";

/// How long before the copy's newest event a deed may have begun that is not in the copy: an event bears the instant at
/// which its deed began, and a deed that waits or hashes is durable later. What is listed twice harms nobody.
const BEGAN_BEFORE_SECONDS: i64 = 300;

/// What `restored` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  vestibule restored                                   after pg_restore or a recovery to a point in time
  vestibule restored --since 2026-11-24T06:00:00.000Z  list what was done since, and change nothing

It ends every session of every tenant that was opened until now, makes all reset secrets void, and writes an event
store_restored for each tenant: nothing that had ended after the copy was made comes alive again. Run it before a server is
started; one that runs sees it with its next request. `vestibule restore` does it by itself.

--since reads whatever database is configured. Where the old one can still be read, set VESTIBULE_DATABASE_URL to it and
learn what has to be done again.")]
pub(super) struct Restored {
    #[command(flatten)]
    shape: Shape,
    /// List the deeds since this instant (RFC 3339, UTC) instead, and change nothing
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    since: Option<Timestamp>,
}

fn instant(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse(text).ok_or("must be an instant in UTC, like 2026-11-24T06:00:00.000Z")
}

pub(super) fn run(restored: &Restored, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let json = restored.shape.json;
    at_the_desk(global, async |desk| {
        if let Some(since) = restored.since {
            return list(&desk.db, since, json, out).await;
        }
        let now = desk.now();
        let done = store_restored(&desk.db, Author::TERMINAL, now).await.map_err(explain)?;
        tell(done, now, json, out)
    })
}

/// The outcome, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    ended_until: String,
    tenants: usize,
    reset_secrets: usize,
}

fn tell(done: StoreRestored, now: Timestamp, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let StoreRestored { tenants, resets } = done;
    if json {
        return object(out, &Outcome { ended_until: now.to_string(), tenants, reset_secrets: resets });
    }
    writeln!(
        out,
        "All sessions of {tenants} tenants that were opened until {now} have ended; {resets} reset secrets are void."
    )?;
    print_what_to_check(&Undone::default(), out)
}

/// What is known of what a restore has undone.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Undone<'a> {
    /// Where the database is that was replaced.
    pub old: Option<&'a Path>,
    /// The copy's newest event.
    pub newest: Option<Timestamp>,
    /// Whether what counted no more in the replaced one counts no more in the copy.
    pub carried_over: bool,
}

/// What else a restore has brought back, and how to learn of it.
pub(super) fn print_what_to_check(undone: &Undone<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "\n{TO_CHECK}")?;
    if !undone.carried_over {
        writeln!(out, "{WITHDRAWN}")?;
    }
    writeln!(out, "{CHANGED}")?;
    if let Some(old) = undone.old {
        let since =
            undone.newest.map_or(Timestamp::from_millis(0), |at| at.plus_seconds(-BEGAN_BEFORE_SECONDS));
        writeln!(
            out,
            "\nThe database that was there is {0}. If it can be read, this lists what was done in it since:\n  \
             VESTIBULE_DATABASE_URL=sqlite:{0} vestibule restored --since {since}",
            old.display()
        )?;
    }
    Ok(())
}

/// A deed, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeedView<'a> {
    at: String,
    tenant: &'a str,
    event: &'a str,
    whom: Option<&'a str>,
    reason: Option<&'a str>,
    details: Value,
}

async fn list(db: &Database, since: Timestamp, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut found = Vec::new();
    deeds_since(db, since, |tenant, deed| {
        found.push((tenant.to_owned(), deed));
        Ok::<_, crate::error::Error>(())
    })
    .await
    .map_err(explain)?;
    if json {
        let mut array = Array::begin(out)?;
        for (tenant, Deed { at, name, reason, whom, details }) in &found {
            let details =
                serde_json::from_str(details).map_err(|error| anyhow!("an event's details: {error}"))?;
            let (whom, reason) = (whom.as_deref(), reason.as_deref());
            array.push(&DeedView { at: at.to_string(), tenant, event: name, whom, reason, details })?;
        }
        return array.end();
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows = found.into_iter().map(|(tenant, deed)| {
        [deed.at.to_string(), tenant, deed.name, or_none(deed.whom), or_none(deed.reason), deed.details]
    });
    table(out, ["WHEN", "TENANT", "EVENT", "WHOM", "REASON", "DETAILS"], rows)
}
