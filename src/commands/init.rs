//! `vestibule init`: a configuration, a master key and, on request, the first tenant.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::start::{open_database, password_options, runtime};
use super::{DEFAULT_CONFIG, Global};
use crate::clock::Clock;
use crate::config::{self, Config, Origin};
use crate::flows::{CreateUser, NewTenant, create_tenant};
use crate::ids::{CustomerId, TenantId, UserId};
use crate::passwords::{MAX_PASSWORD_BYTES, hash_blocking, normalise};
use crate::secrets::MasterKeys;
use crate::tenants::store::insert_origin;
use crate::tenants::{KeyPurpose, NewTenantKey, Settings, slug};
use crate::users::store::NewUser;
use crate::users::{LoginName, UserKind};

/// What `init` takes.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The origin your apps will call; every token names it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    public_url: Origin,
    /// Where the data goes: sqlite:PATH, or postgres://… (one with a password better by the environment)
    #[arg(long, value_name = "URL", default_value = "sqlite:vestibule.db")]
    database_url: String,
    /// Where the master key goes, readable by you alone
    #[arg(long, value_name = "PATH", default_value = "master.key")]
    master_key_file: PathBuf,
    #[command(flatten)]
    tenant: FirstTenant,
}

/// The first tenant, if one is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "First tenant")]
struct FirstTenant {
    /// Make a tenant with this slug; it stands in its issuer and never changes
    #[arg(long, value_name = "SLUG", requires = "admin")]
    tenant: Option<String>,
    /// What the tenant is called [default: its slug]
    #[arg(long, value_name = "NAME", requires = "tenant")]
    tenant_name: Option<String>,
    /// The e-mail of its first staff user, with the role ADMIN
    #[arg(long, value_name = "EMAIL", requires = "tenant")]
    admin: Option<String>,
    /// A file with that user's password; asked for when left out
    #[arg(long, value_name = "PATH", requires = "tenant")]
    admin_password_file: Option<PathBuf>,
    /// A browser origin its web apps call from; may be repeated [default: none]
    #[arg(long, value_name = "URL", requires = "tenant")]
    origin: Vec<Origin>,
}

/// A first tenant whose every part is good, before anything is written.
struct Planned {
    slug: String,
    name: String,
    email: String,
    login: LoginName,
    password: SecretString,
    origins: Vec<Origin>,
}

pub(super) fn run(init: &Init, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let planned = init.tenant.plan()?;
    let path = global.config.clone().unwrap_or_else(|| DEFAULT_CONFIG.into());
    write_once(&init.master_key_file, 0o600, &MasterKeys::generate(), "master key", out)?;
    write_once(&path, 0o640, &init.configuration(), "configuration", out)?;
    let config = Config::load(Some(&path), config::process_environment())?;
    let master = MasterKeys::load(config.master_key_file()?)?;
    runtime()?.block_on(async {
        let db = open_database(&config, crate::db::Access::Create).await?;
        db.migrate().await.context("the schema cannot be made")?;
        writeln!(out, "The database is ready.")?;
        if let Some(planned) = planned {
            planned.create(&config, &db, &master, out).await?;
        }
        db.close().await;
        anyhow::Ok(())
    })?;
    writeln!(
        out,
        "\nKeep a copy of {} apart from the database's: neither is worth anything without the other.\nStart with: vestibule --config {} serve",
        init.master_key_file.display(),
        path.display()
    )?;
    Ok(())
}

impl Init {
    fn configuration(&self) -> String {
        let text = |value: &str| toml::Value::String(value.to_owned());
        config::example::with_values(&[
            ("database_url", text(&self.database_url)),
            ("public_url", text(self.public_url.as_str())),
            ("master_key_file", text(&self.master_key_file.to_string_lossy())),
        ])
    }
}

/// Writes a file that is not there yet. One that is there is kept: it may be worth everything.
fn write_once(path: &Path, mode: u32, text: &str, what: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let shown = path.display();
    let opened = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match opened {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            writeln!(out, "Kept the {what} that is in {shown}.")?;
            return Ok(());
        }
        other => other.with_context(|| format!("the {what} cannot be written to {shown}"))?,
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {shown}"))?;
    writeln!(out, "Wrote the {what} to {shown}.")?;
    Ok(())
}

impl FirstTenant {
    /// Checks everything that was asked for, so that nothing is half done later.
    fn plan(&self) -> anyhow::Result<Option<Planned>> {
        let (Some(text), Some(email)) = (&self.tenant, &self.admin) else { return Ok(None) };
        let slug = slug(text).with_context(|| {
            format!("--tenant {text:?}: must be 1 to 64 letters, digits, - or _, and not look like a UUID")
        })?;
        ensure!(slug != "system", "--tenant system: is Vestibule's own; take another");
        ensure!(email.contains('@'), "--admin {email:?}: is not an e-mail address");
        let login =
            LoginName::parse(email).map_err(|problem| anyhow::anyhow!("--admin {email:?}: {problem}"))?;
        let name = self.tenant_name.clone().unwrap_or_else(|| slug.clone());
        ensure!((1..=200).contains(&name.len()), "--tenant-name: must have 1 to 200 bytes");
        let password = self.password()?;
        check_password(&password, &Settings::default())?;
        let origins = self.origin.clone();
        Ok(Some(Planned { slug, name, email: email.clone(), login, password, origins }))
    }

    fn password(&self) -> anyhow::Result<SecretString> {
        if let Some(path) = &self.admin_password_file {
            let text = fs::read_to_string(path)
                .with_context(|| format!("--admin-password-file {}: cannot be read", path.display()))?;
            return Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()));
        }
        let ask = |prompt| {
            rpassword::prompt_password(prompt)
                .context("cannot ask for the password; use --admin-password-file")
        };
        let password = SecretString::from(ask("Password of the first staff user: ")?);
        let again = SecretString::from(ask("Again: ")?);
        if password.expose_secret() != again.expose_secret() {
            bail!("the two passwords differ");
        }
        Ok(password)
    }
}

/// The length rules of a new password (NIST SP 800-63B-4 §3.1.1.2), in code points.
fn check_password(password: &SecretString, settings: &Settings) -> anyhow::Result<()> {
    let bytes = password.expose_secret().len();
    ensure!(bytes <= MAX_PASSWORD_BYTES, "the password has {bytes} bytes and may have {MAX_PASSWORD_BYTES}");
    let characters = normalise(password.expose_secret()).expose_secret().chars().count();
    ensure!(
        characters >= settings.password_min_length,
        "the password has {characters} characters and must have {} at least",
        settings.password_min_length
    );
    Ok(())
}

impl Planned {
    async fn create(
        &self,
        config: &Config,
        db: &crate::db::Database,
        master: &MasterKeys,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let hash = hash_blocking(&password_options(config), &self.password)?;
        let keys = [NewTenantKey::random(KeyPurpose::Login), NewTenantKey::random(KeyPurpose::Backend)];
        let (tenant, house, user) = (TenantId::random(), CustomerId::random(), UserId::random());
        let roles = ["ADMIN".to_owned()];
        let admin = CreateUser {
            username: self.login.clone(),
            email_name: Some(self.login.clone()),
            user: NewUser {
                id: &user,
                customer_id: &house,
                kind: UserKind::Staff,
                password_hash: Some(&hash),
                roles: &roles,
                email: Some(&self.email),
                first_name: None,
                last_name: None,
                phones: &[],
            },
        };
        let new = NewTenant {
            id: tenant.clone(),
            slug: &self.slug,
            name: &self.name,
            settings: Settings::default(),
            keys: &keys,
            house: &house,
            customers: &[],
            users: &[admin],
            also: self.origins.iter().map(|origin| insert_origin(&tenant, origin.as_str())).collect(),
        };
        create_tenant(db, master, new, Clock::system().now()).await.map_err(explain)?;
        let issuer = format!("{}/t/{}", config.public_url()?, self.slug);
        writeln!(
            out,
            "\nTenant {} ({tenant})\n  issuer          {issuer}\n  organization    {house}\n  staff           {} ({user}), role ADMIN",
            self.slug, self.email
        )?;
        writeln!(out, "\nIts keys. The secrets are shown now and never again:")?;
        for key in &keys {
            writeln!(
                out,
                "  {:<8}tenantKey     {}\n          tenantSecret  {}",
                key.purpose.as_str(),
                key.tenant_key,
                key.tenant_secret
            )?;
        }
        Ok(())
    }
}

/// An API error for the terminal: what is wrong with which field.
pub(super) fn explain(error: crate::error::Error) -> anyhow::Error {
    use crate::error::Error;
    match error {
        Error::Validation(errors) => {
            let problems: Vec<_> =
                errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
            anyhow::anyhow!(problems.join("; "))
        }
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        other => other.into(),
    }
}
