//! `vestibule keys`: tenant keys, which a tenant's apps and backends show; and the lines of the master key file.

mod master;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use secrecy::SecretString;

use self::master::RotateMaster;
use super::desk::{self, Desk, at_the_desk};
use super::expiry::ExpiresIn;
use super::first_tenant::{explain, one_of, print_keys};
use super::show::{self, Shape, instant};
use super::{Global, files};
use crate::error::Error;
use crate::flows::{self, Author};
use crate::ids::TenantKeyId;
use crate::operator_api::views::{TenantKeyCreated, TenantKeyView};
use crate::tenants::{KeyPurpose, TenantKeyRequest};

/// The most that is read from standard input for a secret, in bytes; more is refused by the rules of secrets.
const MOST_INPUT: u64 = 4_096;

/// What `keys` takes.
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(flatten)]
    shape: Shape,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Make a tenant key and show its secret, once; two of a purpose are valid at a time
    #[command(after_help = "Examples:
  vestibule keys create acme --purpose backend --name 'payments, 2027' --expires-in 365d
  vestibule keys create acme --purpose login --tenant-key a1B2c3D4e5F6g7H8i9J0 --tenant-secret-file secret")]
    Create(Create),
    /// List a tenant's keys, newest first; never a secret
    #[command(after_help = "Example:\n  vestibule keys list acme")]
    List {
        /// The tenant's slug or id
        tenant: String,
    },
    /// Revoke a tenant key: it opens nothing from the next request on; sessions that it opened live on
    #[command(after_help = "Example:\n  vestibule keys revoke acme 8a4f0d7e-52c3-4d0b-8f5a-9a3be1c2d0b1")]
    Revoke {
        /// The tenant's slug or id
        tenant: String,
        /// The key's id, as `list` shows it
        id: String,
    },
    /// Make another line of the master key file current, and seal anew what is sealed under others; nobody is signed out
    #[command(after_help = master::ROTATE_EXAMPLES)]
    RotateMaster(RotateMaster),
    /// List the lines of the master key file, the current one first, and what still needs each; never a key
    #[command(after_help = "Example:\n  vestibule keys list-master")]
    ListMaster,
    /// Take a line that nothing needs any more out of the master key file
    #[command(after_help = "Example:\n  vestibule keys retire-master 1f0c9a7e")]
    RetireMaster {
        /// The line's id, as `list-master` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// The tenant's slug or id
    tenant: String,
    /// What it opens: logins alone, as public as the app it ships in; or the calls of the tenant's servers
    #[arg(long, value_parser = one_of([("login", KeyPurpose::Login), ("backend", KeyPurpose::Backend)]))]
    purpose: KeyPurpose,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// When it ends, like 90d, 12h or 30m from now [default: never]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<ExpiresIn>,
    /// A key brought along from elsewhere, with its secret [default: both random]
    #[arg(long, value_name = "KEY", requires = "tenant_secret_file", allow_hyphen_values = true)]
    tenant_key: Option<String>,
    /// A file with the secret of a key that is brought along; - reads standard input
    #[arg(long, value_name = "PATH", requires = "tenant_key")]
    tenant_secret_file: Option<PathBuf>,
}

pub(super) fn run(keys: &Keys, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let json = keys.shape.json;
    // Read before anything is opened: whoever types it is not kept waiting with a lock.
    let secret = match &keys.act {
        Act::Create(create) => create.secret()?,
        _ => None,
    };
    at_the_desk(global, async |desk| match &keys.act {
        Act::Create(asked) => create(desk, json, asked, secret, out).await,
        Act::List { tenant } => list(desk, json, tenant, out).await,
        Act::Revoke { tenant, id } => revoke(desk, json, tenant, id, out).await,
        Act::RotateMaster(asked) => asked.run(desk, json, out).await,
        Act::ListMaster => master::list(desk, json, out).await,
        Act::RetireMaster { id } => master::retire(desk, json, id, out).await,
    })
}

impl Create {
    /// The secret that is brought along: from a file or from standard input, never from the command line, which
    /// everybody on the machine can see.
    fn secret(&self) -> anyhow::Result<Option<SecretString>> {
        match self.tenant_secret_file.as_deref() {
            None => Ok(None),
            Some(path) if path == Path::new("-") => secret_typed().map(Some),
            Some(path) => files::read_secret("--tenant-secret-file", path).map(Some),
        }
    }
}

fn secret_typed() -> anyhow::Result<SecretString> {
    let mut text = String::new();
    let read = io::stdin().take(MOST_INPUT).read_to_string(&mut text);
    read.context("--tenant-secret-file -: standard input cannot be read")?;
    Ok(SecretString::from(files::without_line_end(&text).to_owned()))
}

async fn create(
    desk: &Desk,
    json: bool,
    asked: &Create,
    secret: Option<SecretString>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let tenant = desk.tenant(&asked.tenant).await?;
    let now = desk.now();
    let brought_along = secret.is_some();
    let request = TenantKeyRequest {
        purpose: asked.purpose,
        name: asked.name.clone(),
        expires_at: asked.expires_in.map(|time| time.from(now)),
        tenant_key: asked.tenant_key.clone(),
        tenant_secret: secret,
    };
    let made =
        flows::create_tenant_key(&desk.db, Author::TERMINAL, &desk::name(&tenant), &request, now).await;
    let key = made.map_err(explain)?;
    if json {
        return show::object(out, &TenantKeyCreated::new(&key, now));
    }
    let until = key.expires_at.map(|end| format!(", until {end}")).unwrap_or_default();
    write!(out, "Key {} of tenant {}{until}.", key.id, tenant.tenant.slug)?;
    if brought_along {
        writeln!(out, " It opens with the secret you gave, of which only a digest is kept.")?;
        return Ok(());
    }
    writeln!(out, " The secret is shown now and never again:")?;
    Ok(print_keys(std::slice::from_ref(&key), out)?)
}

async fn list(desk: &Desk, json: bool, tenant: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let tenant = desk.tenant(tenant).await?;
    let keys = flows::list_tenant_keys(&desk.db, &desk::name(&tenant)).await.map_err(explain)?;
    let now = desk.now();
    if json {
        return show::array(out, keys.iter().map(|key| TenantKeyView::new(key, now)));
    }
    let rows = keys.into_iter().map(|key| {
        [
            key.id.to_string(),
            key.purpose.as_str().to_owned(),
            key.state(now).to_owned(),
            key.name.unwrap_or_else(|| "-".to_owned()),
            key.tenant_key,
            key.created_at.to_string(),
            instant(key.expires_at),
            instant(key.revoked_at),
        ]
    });
    show::table(out, ["ID", "PURPOSE", "STATE", "NAME", "TENANT KEY", "CREATED", "EXPIRES", "REVOKED"], rows)
}

async fn revoke(
    desk: &Desk,
    json: bool,
    tenant: &str,
    text: &str,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let tenant = desk.tenant(tenant).await?;
    let slug = &tenant.tenant.slug;
    let absent = || anyhow!("tenant {slug} has no key {text:?}; `vestibule keys list {slug}` shows them");
    let (id, now) = (TenantKeyId::parse(text).ok_or_else(absent)?, desk.now());
    let revoked = flows::revoke_tenant_key(&desk.db, Author::TERMINAL, &desk::name(&tenant), &id, now).await;
    let key = match revoked {
        Err(Error::NotFound) => return Err(absent()),
        other => other.map_err(explain)?,
    };
    if json {
        return show::object(out, &TenantKeyView::new(&key, now));
    }
    let (purpose, since) = (key.purpose.as_str(), instant(key.revoked_at));
    writeln!(out, "The {purpose} key {id} of tenant {slug} is revoked since {since}.")?;
    Ok(())
}
