//! `vestibule signing-keys`: what a tenant's access tokens are signed with.

use std::io::Write;

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::Global;
use super::desk::{self, Desk, at_the_desk};
use super::first_tenant::explain;
use super::show::{self, Shape, instant};
use crate::error::Error;
use crate::flows::{self, Author, Begin};
use crate::operator_api::views::SigningKeyView;
use crate::signing_keys::{CACHE_SECONDS, KeyState, ListedSigningKey};

/// What `signing-keys` takes.
#[derive(Debug, Args)]
pub(super) struct SigningKeys {
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List a tenant's signing keys, newest first; never a private half
    #[command(after_help = "Example:\n  vestibule signing-keys list acme")]
    List {
        /// The tenant's slug or id
        tenant: String,
    },
    /// Make the next key: published at once, it signs when every verifier has fetched it
    #[command(after_help = "Examples:
  vestibule signing-keys rotate acme
  vestibule signing-keys rotate acme --now   the next key signs at once")]
    Rotate {
        /// The tenant's slug or id
        tenant: String,
        /// Let the next key sign at once: verifiers that keep the key set refuse its tokens until they fetch it anew
        #[arg(long)]
        now: bool,
    },
    /// Retire a key at once, as when it leaked: the tokens it signed are refused from the next request on
    #[command(after_help = "Example:
  vestibule signing-keys retire acme 8sT5uW2yB7dF9hJ4mP6rZk3vX1nQ8sT5uW2yB7dF9hI")]
    Retire {
        /// The tenant's slug or id
        tenant: String,
        /// The key's id, as `list` shows it
        #[arg(allow_hyphen_values = true)] // one in 64 begins with a hyphen
        kid: String,
    },
}

pub(super) fn run(keys: &SigningKeys, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let json = keys.shape.json;
    at_the_desk(global, async |desk| match &keys.act {
        Act::List { tenant } => list(desk, json, tenant, out).await,
        Act::Rotate { tenant, now } => rotate(desk, json, tenant, *now, out).await,
        Act::Retire { tenant, kid } => retire(desk, json, tenant, kid, out).await,
    })
}

async fn list(desk: &Desk, json: bool, tenant: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let tenant = desk.tenant(tenant).await?;
    let keys = flows::list_signing_keys(&desk.db, &desk::name(&tenant), desk.now()).await;
    let keys = keys.map_err(explain)?;
    if json {
        return show::array(out, keys.into_iter().map(SigningKeyView::from));
    }
    let rows = keys.into_iter().map(|key| {
        [
            key.kid,
            key.algorithm,
            key.state.as_str().to_owned(),
            key.created_at.to_string(),
            instant(key.signs_from),
            instant(key.replaced_at),
            instant(key.retired_at),
        ]
    });
    show::table(out, ["KID", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "REPLACED", "RETIRED"], rows)
}

async fn rotate(
    desk: &Desk,
    json: bool,
    tenant: &str,
    at_once: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let tenant = desk.tenant(tenant).await?;
    let (name, master) = (desk::name(&tenant), desk.master().await?);
    let begin = if at_once { Begin::Now } else { Begin::Published };
    let rotated =
        flows::rotate_signing_key(&desk.db, &master, Author::TERMINAL, &name, begin, desk.now()).await;
    let key = rotated.map_err(explain)?;
    if json {
        return show::object(out, &SigningKeyView::from(key));
    }
    let ListedSigningKey { kid, algorithm, .. } = &key;
    let from = match key.state {
        KeyState::Signing => "signs from now on".to_owned(),
        _ => format!("is published, and signs from {}", instant(key.signs_from)),
    };
    writeln!(
        out,
        "The {algorithm} key {kid} of tenant {} {from}.\nThe key before it counts on until its last token is dead.",
        tenant.tenant.slug
    )?;
    Ok(())
}

async fn retire(desk: &Desk, json: bool, tenant: &str, kid: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let tenant = desk.tenant(tenant).await?;
    let (name, master) = (desk::name(&tenant), desk.master().await?);
    let slug = &tenant.tenant.slug;
    let absent = || {
        anyhow!("tenant {slug} has no signing key {kid:?}; `vestibule signing-keys list {slug}` shows them")
    };
    let retired =
        flows::retire_signing_key(&desk.db, &master, Author::TERMINAL, &name, kid, desk.now()).await;
    let key = match retired {
        Err(Error::NotFound) => return Err(absent()),
        other => other.map_err(explain)?,
    };
    if json {
        return show::object(out, &SigningKeyView::from(key));
    }
    writeln!(
        out,
        "The key {kid} of tenant {slug} is retired since {}: the tokens it signed are refused.\n\
         Others that verify tokens by a key set they keep refuse them within {} minutes.",
        instant(key.retired_at),
        CACHE_SECONDS / 60
    )?;
    Ok(())
}
