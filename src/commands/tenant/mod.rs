//! `vestibule tenant`: the fintechs whose customers log in here.

mod assignments;
mod delete;
mod show;

use std::io::Write;

use anyhow::ensure;
use clap::{Args, Subcommand};

use self::assignments::{Assignment, change};
use super::Global;
use super::desk::{self, Desk, at_the_desk};
use super::first_tenant::{explain, one_of, print_keys};
use super::show::{Array, Shape, object, table};
use crate::flows::{self, Author, TenantRequest};
use crate::operator_api::views::{TenantFounded, TenantSessionsEnded, TenantView};
use crate::tenants::store::TenantFilter;
use crate::tenants::{TenantDetails, TenantStatus};

/// How many tenants are read at a time.
const PAGE: u32 = 500;

/// What `tenant` takes.
#[derive(Debug, Args)]
pub(super) struct Tenant {
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a tenant, with its first signing key and one tenant key of each purpose
    #[command(after_help = "Examples:
  vestibule tenant create acme
  vestibule tenant create acme name='Acme Payments' profile=payment origins=https://app.acme.example")]
    Create {
        /// Stands in the issuer of its tokens; never changes and is never used again
        slug: String,
        /// Its name [default: the slug], origins and settings, as `tenant set` takes them
        #[arg(value_name = "NAME=VALUE")]
        assignments: Vec<Assignment>,
        /// Make no tenant keys; `keys create` makes them, or takes those that exist already
        #[arg(long)]
        without_keys: bool,
    },
    /// List the tenants by slug; deleted ones too, whose slugs stay taken
    #[command(after_help = "Examples:
  vestibule tenant list --status suspended
  vestibule tenant list --text pay --json")]
    List {
        /// Those alone that are so
        #[arg(long, value_parser = one_of(TenantStatus::ALL.map(|status| (status.as_str(), status))))]
        status: Option<TenantStatus>,
        /// Those alone with this in the slug or the name, in whatever case
        #[arg(long)]
        text: Option<String>,
    },
    /// Show a tenant with all its settings, and which of them are at their defaults
    #[command(after_help = "Example:\n  vestibule tenant show acme")]
    Show {
        /// The tenant's slug or id
        tenant: String,
    },
    /// Set a tenant's name, origins and settings: in force on the next request
    #[command(after_help = "Examples:
  vestibule tenant set acme profile=payment accessSeconds=120
  vestibule tenant set acme accessSeconds=null                 back to the default
  vestibule tenant set acme keyOptional=admin,organization     a list; keyOptional= is an empty one
  vestibule tenant set acme origins+=https://new.acme.example origins-=https://old.acme.example
  vestibule tenant set acme name='Acme Payments'

`vestibule tenant settings` lists the settings. If one of them is refused, none is set.")]
    Set {
        /// The tenant's slug or id
        tenant: String,
        /// What is to be: name, origins (also += and -=), or a setting; null sets one back to its default
        #[arg(value_name = "NAME=VALUE", required = true)]
        assignments: Vec<Assignment>,
    },
    /// List the settings: what each does, what it may be and why, and its default
    #[command(after_help = "Example:\n  vestibule tenant settings --json   the same as JSON Schema")]
    Settings,
    /// Suspend a tenant: nobody logs in from the next request on, and its sessions have ended
    #[command(after_help = "Example:\n  vestibule tenant suspend acme --reason 'contract ended'")]
    Suspend(Turn),
    /// Resume a suspended tenant; sessions that ended stay ended
    #[command(after_help = "Example:\n  vestibule tenant resume acme --reason 'contract renewed'")]
    Resume(Turn),
    /// End all sessions of a tenant's users and staff, who may log in again at once
    #[command(
        after_help = "Example:\n  vestibule tenant end-sessions acme --reason 'tokens may have leaked'"
    )]
    EndSessions(Turn),
    /// Delete a tenant and all that is in it, for good; its events stay, without what is personal in them
    #[command(after_help = "Example:
  vestibule tenant delete acme --confirm acme

The tenant is refused everywhere from the next request on; then its rows go. The command can be interrupted, and
goes on when it is repeated; a running server goes on as well.")]
    Delete {
        /// The tenant's slug or id
        tenant: String,
        /// The tenant's slug, again: what is deleted does not come back
        #[arg(long, value_name = "SLUG")]
        confirm: String,
    },
}

#[derive(Debug, Args)]
struct Turn {
    /// The tenant's slug or id
    tenant: String,
    /// Why, for the tenant's events; nothing personal, as it is kept for good
    #[arg(long)]
    reason: Option<String>,
}

pub(super) fn run(tenant: &Tenant, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let json = tenant.shape.json;
    if let Act::Settings = tenant.act {
        return show::settings(json, out);
    }
    at_the_desk(global, async |desk| match &tenant.act {
        Act::Create { slug, assignments, without_keys } => {
            create(desk, json, slug, assignments, *without_keys, out).await
        }
        Act::List { status, text } => {
            let filter = TenantFilter { status: *status, text: text.clone() };
            list(desk, json, &filter, out).await
        }
        Act::Show { tenant } => {
            let details = desk.tenant(tenant).await?;
            tell(desk, json, &details, out, |out| show::tenant(desk, &details, out))
        }
        Act::Set { tenant, assignments } => set(desk, json, tenant, assignments, out).await,
        Act::Settings => Ok(()),
        Act::Suspend(turn) => suspend(desk, json, turn, out).await,
        Act::Resume(turn) => resume(desk, json, turn, out).await,
        Act::EndSessions(turn) => end_sessions(desk, json, turn, out).await,
        Act::Delete { tenant, confirm } => delete::run(desk, json, tenant, confirm, out).await,
    })
}

/// A tenant: as JSON, or in words.
fn tell(
    desk: &Desk,
    json: bool,
    details: &TenantDetails,
    out: &mut dyn Write,
    in_words: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if json { object(out, &TenantView::new(details, desk.public_url()?)) } else { in_words(out) }
}

async fn create(
    desk: &Desk,
    json: bool,
    slug: &str,
    assignments: &[Assignment],
    without_keys: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let change = change(assignments)?;
    ensure!(
        change.origins_added.is_empty() && change.origins_removed.is_empty(),
        "a new tenant has no origins to add to or take from; write origins=URL,URL"
    );
    // Before anything is made: what it shows needs it.
    let public_url = desk.public_url()?;
    let master = desk.master().await?;
    let request = TenantRequest {
        slug: slug.to_owned(),
        name: change.name.unwrap_or_else(|| slug.to_owned()),
        settings: change.settings,
        origins: change.origins.unwrap_or_default(),
        keys: without_keys.then(Vec::new),
    };
    let now = desk.now();
    let founded = flows::found_tenant(&desk.db, &master, Author::TERMINAL, &request, now).await;
    let founded = founded.map_err(explain)?;
    if json {
        return object(out, &TenantFounded::new(&founded, public_url, now));
    }
    let tenant = &founded.details.tenant;
    writeln!(
        out,
        "Tenant {} ({})\n  issuer          {}\n  organization    {}",
        tenant.slug,
        tenant.id,
        tenant.issuer(public_url),
        founded.house
    )?;
    if founded.keys.is_empty() {
        writeln!(out, "\nIt has no keys yet: `vestibule keys create {slug} --purpose login` makes one.")?;
        return Ok(());
    }
    writeln!(out, "\nIts keys. The secrets are shown now and never again:")?;
    Ok(print_keys(&founded.keys, out)?)
}

async fn list(desk: &Desk, json: bool, filter: &TenantFilter, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        let public_url = desk.public_url()?;
        let mut array = Array::begin(out)?;
        each(desk, filter, |details| array.push(&TenantView::new(&details, public_url))).await?;
        return array.end();
    }
    let mut rows = Vec::new();
    each(desk, filter, |TenantDetails { tenant, .. }| {
        let (status, created) = (tenant.status.as_str().to_owned(), tenant.created_at.to_string());
        rows.push([tenant.slug, status, tenant.name, tenant.id.to_string(), created]);
        Ok(())
    })
    .await?;
    table(out, ["SLUG", "STATUS", "NAME", "ID", "CREATED"], rows)
}

/// Each tenant that the filter lets through, by slug; read page by page.
async fn each(
    desk: &Desk,
    filter: &TenantFilter,
    mut then: impl FnMut(TenantDetails) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    loop {
        let page = flows::list_tenants(&desk.db, filter, after.as_deref(), PAGE).await.map_err(explain)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.tenant.slug.clone());
        page.into_iter().try_for_each(&mut then)?;
    }
}

async fn set(
    desk: &Desk,
    json: bool,
    tenant: &str,
    assignments: &[Assignment],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let change = change(assignments)?;
    let before = desk.tenant(tenant).await?;
    let name = desk::name(&before);
    let after = flows::update_tenant(&desk.db, Author::TERMINAL, &name, &change, desk.now()).await;
    let after = after.map_err(explain)?;
    tell(desk, json, &after, out, |out| {
        let slug = &after.tenant.slug;
        writeln!(out, "Tenant {slug} is set. In force from the next request on:")?;
        let names: std::collections::BTreeSet<_> = assignments.iter().map(|one| one.name.as_str()).collect();
        show::values(&after, names, out)
    })
}

async fn suspend(desk: &Desk, json: bool, turn: &Turn, out: &mut dyn Write) -> anyhow::Result<()> {
    let (name, reason) = (desk::name(&desk.tenant(&turn.tenant).await?), turn.reason.as_deref());
    let after = flows::suspend_tenant(&desk.db, Author::TERMINAL, &name, reason, desk.now()).await;
    let after = after.map_err(explain)?;
    tell(desk, json, &after, out, |out| {
        let slug = &after.tenant.slug;
        writeln!(
            out,
            "Tenant {slug} is suspended: nobody logs in, its keys open nothing, its sessions have ended."
        )?;
        Ok(())
    })
}

async fn resume(desk: &Desk, json: bool, turn: &Turn, out: &mut dyn Write) -> anyhow::Result<()> {
    let (name, reason) = (desk::name(&desk.tenant(&turn.tenant).await?), turn.reason.as_deref());
    let after = flows::resume_tenant(&desk.db, Author::TERMINAL, &name, reason, desk.now()).await;
    let after = after.map_err(explain)?;
    tell(desk, json, &after, out, |out| {
        let slug = &after.tenant.slug;
        writeln!(out, "Tenant {slug} is active: its users log in anew, as sessions that ended stay ended.")?;
        Ok(())
    })
}

async fn end_sessions(desk: &Desk, json: bool, turn: &Turn, out: &mut dyn Write) -> anyhow::Result<()> {
    let (name, reason, now) =
        (desk::name(&desk.tenant(&turn.tenant).await?), turn.reason.as_deref(), desk.now());
    let of = flows::end_tenant_sessions(&desk.db, Author::TERMINAL, &name, reason, now).await;
    let of = of.map_err(explain)?;
    if json {
        return object(out, &TenantSessionsEnded::new(&of, now));
    }
    writeln!(out, "All sessions of tenant {} that were opened until {now} have ended.", of.slug)?;
    Ok(())
}
