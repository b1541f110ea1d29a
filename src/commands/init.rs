//! `vestibule init`: a configuration, a master key, an operator and, on request, the first tenant.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, ensure};
use clap::Args;
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::files;
use super::first_tenant::{FirstTenant, explain};
use super::operator::print_token;
use super::start::{check_master, open_database, refuse_demo, runtime};
use super::{DEFAULT_CONFIG, Global};
use crate::clock::Clock;
use crate::config::{self, Config, Origin, Source};
use crate::db::{Access, Database};
use crate::flows::{self, Author};
use crate::installation;
use crate::secrets::{MasterKeys, RESTORE_KEY};

/// What `init` takes.
#[derive(Debug, Args)]
pub(super) struct Init {
    #[arg(
        long,
        value_name = "URL",
        help = "The origin your apps will call; every token names it [default: http://127.0.0.1:8080]"
    )]
    public_url: Option<Origin>,
    /// Where the data goes: sqlite:PATH, or postgres://… (one with a password better by the environment) [default:
    /// sqlite:vestibule.db]
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Where the master key goes, readable by you alone [default: master.key]
    #[arg(long, value_name = "PATH")]
    master_key_file: Option<PathBuf>,
    #[command(flatten)]
    tenant: FirstTenant,
}

/// One of the options that become keys of the configuration.
struct Setting {
    key: &'static str,
    option: &'static str,
    /// As asked for, with its path made absolute.
    given: Option<String>,
    default: String,
}

/// What is to be, checked before anything is written: the configuration, and the master key.
struct Plan {
    path: PathBuf,
    /// The text to write, where no configuration is yet.
    new_text: Option<String>,
    config: Config,
    key_file: PathBuf,
    /// The key to write, where none is yet.
    new_key: Option<Zeroizing<String>>,
    master: MasterKeys,
}

pub(super) fn run(init: &Init, global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let tenant = init.tenant.plan()?;
    let plan = init.plan(global)?;
    tenant.as_ref().map_or(Ok(()), |tenant| tenant.check_breached(&plan.config))?;
    runtime()?.block_on(async {
        let db = open_database(&plan.config, Access::Create).await?;
        db.migrate().await.context("the schema cannot be made")?;
        plan.prove(&db).await?;
        plan.write(out)?;
        writeln!(out, "The database is ready.")?;
        if let Some(tenant) = tenant {
            tenant.make(&plan.config, &db, &plan.master).await?.print(out)?;
        }
        first_operator(&db, out).await?;
        db.close().await;
        anyhow::Ok(())
    })?;
    writeln!(
        out,
        "\nKeep a copy of {} apart from the database's: neither is worth anything without the other.\n\
         Start with: vestibule --config {} serve",
        plan.key_file.display(),
        plan.path.display()
    )?;
    Ok(())
}

/// Makes an operator with a token that counts, unless there is one.
async fn first_operator(db: &Database, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let there = flows::list_operators(db).await.map_err(explain)?;
    if there.iter().any(|operator| operator.is_good(now)) {
        writeln!(out, "Kept the operators that there are; `vestibule operator create` makes another.")?;
        return Ok(());
    }
    let created = flows::create_operator(db, Author::TERMINAL, "init", None, now).await;
    let (operator, token) = created.map_err(explain)?;
    writeln!(out)?;
    Ok(print_token(&operator, &token, out)?)
}

impl Init {
    fn plan(&self, global: &Global) -> anyhow::Result<Plan> {
        let path = absolute(global.config.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG)))?;
        let settings = self.settings()?;
        let (new_text, config) = if is_there(&path) {
            (None, Config::load(Some(&path), config::process_environment())?)
        } else {
            ensure_folder("--config", &path)?;
            let text = new_configuration(&settings);
            let config = Config::parse(&path, &text, config::process_environment())?;
            (Some(text), config)
        };
        for setting in &settings {
            setting.refuse_contradiction(&config)?;
        }
        config.public_url()?;
        let key_file = absolute(config.master_key_file()?)?;
        let (new_key, master) = if is_there(&key_file) {
            (None, MasterKeys::load(&key_file)?)
        } else {
            ensure_folder("--master-key-file", &key_file)?;
            let text = MasterKeys::generate();
            let master = MasterKeys::parse(&text)?;
            (Some(text), master)
        };
        Ok(Plan { path, new_text, config, key_file, new_key, master })
    }

    fn settings(&self) -> anyhow::Result<[Setting; 3]> {
        if let Some(url) = &self.database_url {
            config::database_url(url).map_err(|problem| anyhow::anyhow!("--database-url: {problem}"))?;
        }
        let setting = |key, option, given, default| Setting { key, option, given, default };
        let database = self.database_url.as_deref().map(absolute_database).transpose()?;
        let public_url = self.public_url.as_ref().map(|url| url.as_str().to_owned());
        let key_file = self.master_key_file.as_deref().map(absolute_text).transpose()?;
        Ok([
            setting("database_url", "--database-url", database, absolute_database("sqlite:vestibule.db")?),
            setting("public_url", "--public-url", public_url, "http://127.0.0.1:8080".to_owned()),
            setting(
                "master_key_file",
                "--master-key-file",
                key_file,
                absolute_text(Path::new("master.key"))?,
            ),
        ])
    }
}

impl Setting {
    /// What to write down: nothing where the environment says it, for that may be a secret.
    fn to_write(&self) -> Option<toml::Value> {
        let by_environment = || {
            let variable = format!("VESTIBULE_{}", self.key.to_uppercase());
            let names = config::process_environment().map(|(name, _)| name);
            names.into_iter().any(|name| name == variable || name == format!("{variable}_FILE"))
        };
        let default = || (!by_environment()).then(|| self.default.clone());
        self.given.clone().or_else(default).map(toml::Value::String)
    }

    /// What was asked for is in effect, or refused: an option is never passed over.
    fn refuse_contradiction(&self, config: &Config) -> anyhow::Result<()> {
        let Some(given) = &self.given else { return Ok(()) };
        let effective = match self.key {
            "database_url" => absolute_database(config.database_url.expose_secret())?,
            "public_url" => config.public_url()?.as_str().to_owned(),
            _ => absolute_text(config.master_key_file()?)?,
        };
        if effective == *given {
            return Ok(());
        }
        let shown = config.effective().iter().find(|entry| entry.key == self.key).context(self.key)?;
        let remedy = if matches!(shown.source, Source::File(_)) { "edit it" } else { "unset it" };
        anyhow::bail!(
            "{} already says {} = {}; {remedy}, or leave {} out",
            shown.source,
            self.key,
            shown.value,
            self.option
        )
    }
}

impl Plan {
    /// That database and master key belong together, and are nobody's who is not meant.
    async fn prove(&self, db: &Database) -> anyhow::Result<()> {
        refuse_demo(db).await?;
        if self.new_key.is_none() {
            return check_master(db, &self.master).await;
        }
        ensure!(
            db.fetch(installation::store::find_any_tenant()).await?.is_empty(),
            "master_key_file {}: is not there, and the database has tenants, whose keys it opens; {RESTORE_KEY}",
            self.key_file.display()
        );
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let key = self.new_key.as_ref().map(|text| text.as_str());
        write_once(&self.key_file, 0o600, key, "master key", out)?;
        write_once(&self.path, 0o640, self.new_text.as_deref(), "configuration", out)
    }
}

fn new_configuration(settings: &[Setting]) -> String {
    let values: Vec<_> = settings.iter().map(|setting| (setting.key, setting.to_write())).collect();
    config::example::with_values(&values)
}

/// Whether something is there. What cannot be looked at is: reading it will say why.
fn is_there(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == ErrorKind::NotFound)
}

fn ensure_folder(option: &str, file: &Path) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    ensure!(
        folder.is_dir(),
        "{option} {}: {} is not a folder; make it first",
        file.display(),
        folder.display()
    );
    Ok(())
}

fn absolute_text(path: &Path) -> anyhow::Result<String> {
    let full = absolute(path).with_context(|| format!("{}: is no path", path.display()))?;
    full.into_os_string().into_string().map_err(|path| anyhow::anyhow!("{}: is not UTF-8", path.display()))
}

/// The same database from every working directory.
fn absolute_database(url: &str) -> anyhow::Result<String> {
    match url.strip_prefix("sqlite:") {
        // What names no file is refused when it is opened.
        Some(file) if !file.starts_with([':', '?']) && !file.starts_with("file:") => {
            let file = file.strip_prefix("//").unwrap_or(file);
            Ok(format!("sqlite:{}", absolute_text(Path::new(file))?))
        }
        _ => Ok(url.to_owned()),
    }
}

/// Writes a file that is not there yet. One that is there is kept: it may be worth everything.
fn write_once(
    path: &Path,
    mode: u32,
    text: Option<&str>,
    what: &str,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let shown = path.display();
    let Some(text) = text else {
        writeln!(out, "Kept the {what} that is in {shown}.")?;
        return Ok(());
    };
    files::create(path, mode, text).with_context(|| format!("the {what} cannot be written to {shown}"))?;
    writeln!(out, "Wrote the {what} to {shown}.")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_written_down_the_same_for_every_working_directory() {
        let here = std::env::current_dir().unwrap();
        let full = |url| absolute_database(url).unwrap();
        assert_eq!(full("sqlite:a/b.db"), format!("sqlite:{}/a/b.db", here.display()));
        assert_eq!(full("sqlite:///a/b.db"), "sqlite:/a/b.db");
        for other in ["sqlite::memory:", "sqlite:file:a.db", "postgres://h/v"] {
            assert_eq!(full(other), other);
        }
    }
}
