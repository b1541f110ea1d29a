//! `vestibule serve`: the service.

use anyhow::ensure;
use tracing::info;

use super::Global;
use super::start::{open_app, open_database, runtime, serve, telemetry};
use crate::installation;
use crate::listeners::Listeners;
use crate::secrets::MasterKeys;
use crate::version;

pub(super) fn run(global: &Global) -> anyhow::Result<()> {
    let config = global.load()?;
    config.public_url()?;
    let master = MasterKeys::load(config.master_key_file()?)?;
    let metrics = telemetry(&config)?;
    runtime()?.block_on(async {
        let db = open_database(&config).await?;
        let app = open_app(&config, master, db).await?;
        ensure!(
            !installation::is_demo(&app.db).await?,
            "database_url: this database belongs to the demo, whose secrets everybody knows; make a real one \
             with `vestibule init`"
        );
        let listeners = Listeners::bind(&config).await?;
        info!(
            public = listeners.public_base(),
            operator = listeners.operator_base(),
            version = version::FULL,
            "ready"
        );
        serve(app, listeners, metrics).await
    })
}
