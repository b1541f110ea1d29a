//! A tenant's name, settings and origins are set. They are in force on the next request.

use std::collections::BTreeSet;

use serde_json::json;

use crate::clock::Timestamp;
use crate::config::Origin;
use crate::db::{Change, Database, DbError, Statement};
use crate::error::{Error, FieldError};
use crate::events::{self, Event, EventName};
use crate::ids::TenantId;
use crate::tenants::settings::differences;
use crate::tenants::{self, MAX_ORIGINS, SettingsChange, TenantDetails, TenantName};

use super::get_tenant::is_deleted;
use super::{Author, get_tenant};

/// How often a change is tried anew because somebody else set something meanwhile.
const TRIES: usize = 5;

/// What is to be set; what is `None` or not named stays.
#[derive(Clone, Default, Debug)]
pub struct TenantChange {
    pub name: Option<String>,
    pub settings: SettingsChange,
    /// All of them.
    pub origins: Option<Vec<String>>,
    /// Beside those that are there; of two such changes at once both hold.
    pub origins_added: Vec<String>,
    /// From those that are there.
    pub origins_removed: Vec<String>,
}

/// Sets what the change names. Nothing that differs is nothing done; of two changes at once of different things both
/// hold.
pub async fn update_tenant(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    change: &TenantChange,
    now: Timestamp,
) -> Result<TenantDetails, Error> {
    let origins = check(change)?;
    for _ in 0..TRIES {
        let rows = db.fetch(tenants::store::find_details(name)).await?;
        let details = TenantDetails::from_rows(&rows)?.pop().ok_or(Error::NotFound)?;
        if details.tenant.deleted {
            return Err(is_deleted());
        }
        let stored = rows.first().map(|row| row.text("tenant_settings")).transpose()?.unwrap_or_default();
        let Some(change) = statements(author, &details, &stored, change, &origins, now)? else {
            return Ok(details);
        };
        match db.apply(change).await {
            Ok(_) => return get_tenant(db, name).await,
            Err(DbError::Refused("settings")) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::conflict("settings", "are being set by others all the time; try again"))
}

/// The origins that a change names, read.
struct Origins {
    all: Option<BTreeSet<String>>,
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
}

impl Origins {
    /// Those that there are once the change is made.
    fn after(&self, before: &[String]) -> BTreeSet<String> {
        let kept = self.all.clone().unwrap_or_else(|| before.iter().cloned().collect());
        &(&kept | &self.added) - &self.removed
    }

    /// What makes them so. One that comes or goes alone leaves the others to whoever sets those.
    fn statements(&self, tenant: &TenantId, after: &BTreeSet<String>) -> Vec<Statement> {
        let insert = |origin: &String| tenants::store::insert_origin(tenant, origin);
        if self.all.is_some() {
            let anew = after.iter().map(insert);
            return std::iter::once(tenants::store::delete_origins(tenant)).chain(anew).collect();
        }
        let gone = self.removed.iter().map(|origin| tenants::store::delete_origin(tenant, origin));
        self.added.iter().map(insert).chain(gone).collect()
    }
}

fn check(change: &TenantChange) -> Result<Origins, Error> {
    let mut problems = Vec::new();
    if let Some(Err(problem)) = change.name.as_deref().map(tenants::name) {
        problems.push(FieldError::new("name", problem));
    }
    let mut read = |texts: &[String]| {
        parse_origins(texts).unwrap_or_else(|wrong| {
            problems.extend(wrong);
            BTreeSet::new()
        })
    };
    let origins = Origins {
        all: change.origins.as_deref().map(&mut read),
        added: read(&change.origins_added),
        removed: read(&change.origins_removed),
    };
    // The settings that are there may add to what is wrong; what is wrong by itself is told with the rest.
    if let Err(wrong) = change.settings.alone() {
        problems.extend(wrong);
    }
    if problems.is_empty() { Ok(origins) } else { Err(Error::Validation(problems)) }
}

/// Reads browser origins as they are sent by browsers, each once.
pub(super) fn parse_origins(texts: &[String]) -> Result<BTreeSet<String>, Vec<FieldError>> {
    if texts.len() > MAX_ORIGINS {
        return Err(vec![too_many_origins()]);
    }
    let (mut origins, mut problems) = (BTreeSet::new(), Vec::new());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<Origin>() {
            Ok(origin) => drop(origins.insert(origin.to_string())),
            Err(problem) => problems.push(FieldError::new(format!("origins[{index}]"), problem)),
        }
    }
    if problems.is_empty() { Ok(origins) } else { Err(problems) }
}

fn too_many_origins() -> FieldError {
    FieldError::new("origins", format!("may be {MAX_ORIGINS} at most"))
}

/// The change, or nothing if nothing would be another.
fn statements(
    author: Author<'_>,
    details: &TenantDetails,
    stored: &str,
    change: &TenantChange,
    origins: &Origins,
    now: Timestamp,
) -> Result<Option<Change>, Error> {
    let TenantDetails { tenant, origins: old_origins } = details;
    let (new_stored, settings) = change.settings.made_to(stored).map_err(Error::Validation)?;
    let name = change.name.as_deref().unwrap_or(&tenant.name);
    let new_origins = Some(origins.after(old_origins)).filter(|new| !new.iter().eq(old_origins));
    if new_origins.as_ref().is_some_and(|new| new.len() > MAX_ORIGINS) {
        return Err(Error::Validation(vec![too_many_origins()]));
    }
    let changed = differences(&tenant.settings, &settings);
    let repaired = tenant.settings_problem.is_some();
    if name == tenant.name && !repaired && changed.is_empty() && new_origins.is_none() {
        return Ok(None);
    }
    let mut told = json!({});
    if name != tenant.name {
        told["name"] = json!({ "from": tenant.name, "to": name });
    }
    if !changed.is_empty() {
        told["settings"] = changed.into();
    }
    if let Some(new) = &new_origins {
        told["origins"] = json!({ "from": old_origins, "to": new });
    }
    let event = Event { details: told, ..author.event(EventName::TenantUpdated) };
    let mut statements =
        Change::new().with(tenants::store::update(&tenant.id, tenant, name, stored, &new_stored, now));
    if let Some(new) = &new_origins {
        statements = statements.with_all(origins.statements(&tenant.id, new));
    }
    Ok(Some(statements.with(events::store::insert(&tenant.id, &event, now))))
}
