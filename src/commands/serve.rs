//! `vestibule serve`: the service.

use tracing::info;

use super::Global;
use super::start::{check_database, open_app, open_database, runtime, serve, telemetry};
use crate::db::Access;
use crate::listeners::{Listeners, stop_signals};
use crate::secrets::{self, MasterKeys};
use crate::version;

pub(super) fn run(global: &Global) -> anyhow::Result<()> {
    secrets::warm_up_randomness();
    let config = global.load()?;
    config.public_url()?;
    let master = MasterKeys::load(config.master_key_file()?)?;
    let metrics = telemetry(&config)?;
    runtime()?.block_on(async {
        check_database(&config, Some(&master)).await?;
        let db = open_database(&config, Access::Existing).await?;
        let app = open_app(&config, master, db)?;
        let listeners = Listeners::bind(&config)?;
        let stop = stop_signals()?;
        info!(
            public = listeners.public_base(),
            operator = listeners.operator_base(),
            version = version::FULL,
            "ready"
        );
        serve(app, listeners, metrics, stop).await
    })
}
