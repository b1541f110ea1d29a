//! What an operator's commands work at: the installation's own database, beside a running server or without one.

use std::time::Duration;

use anyhow::{Context, anyhow};
use secrecy::ExposeSecret;

use super::Global;
use super::first_tenant::explain;
use super::start::{check_database, check_master, runtime};
use crate::clock::{Clock, Timestamp};
use crate::config::Config;
use crate::db::{Access, Database, DatabaseOptions};
use crate::error::Error;
use crate::flows;
use crate::secrets::MasterKeys;
use crate::tenants::{TenantDetails, TenantName};

/// How long a command waits for a busy database: nobody's request waits for it, and a server may be writing.
const PATIENCE: Duration = Duration::from_secs(30);

/// The installation, opened.
pub(super) struct Desk {
    pub config: Config,
    pub db: Database,
}

/// Opens the installation, acts, and closes it. Refused are the databases that `serve` refuses.
pub(super) fn at_the_desk(
    global: &Global,
    act: impl AsyncFnOnce(&Desk) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let config = global.load()?;
    runtime()?.block_on(async {
        check_database(&config, None).await?;
        let options = DatabaseOptions {
            access: Access::Existing,
            wait_within: PATIENCE,
            read_within: PATIENCE,
            list_within: PATIENCE,
            write_within: PATIENCE,
            write_connections: 1,
            read_connections: 1,
            list_connections: 1,
            ..DatabaseOptions::new(config.database_url.expose_secret())
        };
        let db = Database::open(&options).await.context("database_url: the database cannot be opened")?;
        let desk = Desk { config, db };
        let outcome = act(&desk).await;
        desk.db.close().await;
        outcome
    })
}

impl Desk {
    #[expect(clippy::unused_self, reason = "the time is asked of where one works")]
    pub fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    /// The master keys, proved to open this database: for what seals a key.
    pub async fn master(&self) -> anyhow::Result<MasterKeys> {
        let master = MasterKeys::load(self.config.master_key_file()?)?;
        check_master(&self.db, &master).await?;
        Ok(master)
    }

    pub fn public_url(&self) -> anyhow::Result<&str> {
        Ok(self.config.public_url()?.as_str())
    }

    /// The tenant that is called so, by slug or id.
    pub async fn tenant(&self, text: &str) -> anyhow::Result<TenantDetails> {
        let absent = || anyhow!("there is no tenant {text:?}; `vestibule tenant list` shows them");
        let name = TenantName::parse(text).ok_or_else(absent)?;
        match flows::get_tenant(&self.db, &name).await {
            Err(Error::NotFound) => Err(absent()),
            other => other.map_err(explain),
        }
    }
}

/// The name under which a flow finds a tenant that is known to be there.
pub(super) fn name(details: &TenantDetails) -> TenantName {
    TenantName::Id(details.tenant.id.clone())
}
