//! What `serve` and `demo` share: the application from a configuration, and its run until it is stopped.

use std::sync::Arc;

use anyhow::{Context, ensure};
use secrecy::ExposeSecret;

use crate::app::{App, AppOptions, Refusals};
use crate::clock::Clock;
use crate::config::{Argon2Implementation, Config};
use crate::db::{Database, DatabaseOptions};
use crate::listeners::{Listeners, stop_signals};
use crate::passwords::{Cost, Floor, Implementation, Options, Passwords};
use crate::secrets::MasterKeys;
use crate::signing_keys::SigningKeys;
use crate::telemetry::Metrics;
use crate::{server, telemetry, upkeep};

/// A runtime for a command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// The database of a configuration.
pub(super) async fn open_database(config: &Config) -> anyhow::Result<Database> {
    let options = DatabaseOptions::new(config.database_url.expose_secret());
    Database::open(&options).await.context("database_url: the database cannot be opened")
}

/// How passwords are hashed, by the configuration.
pub(super) fn password_options(config: &Config) -> Options {
    Options {
        threads: config.hash_threads,
        deadline: config.hash_deadline(),
        cost: Cost {
            memory_kib: config.argon2_memory_kib,
            passes: config.argon2_passes,
            lanes: config.argon2_lanes,
        },
        floor: Floor::Owasp,
        implementation: match config.argon2_implementation {
            Argon2Implementation::Argon2Rust => Implementation::Argon2Rust,
            Argon2Implementation::Argon2 => Implementation::RustCrypto,
        },
    }
}

/// The application; everything that can be wrong with its parts is wrong now.
pub(super) async fn open_app(config: &Config, master: MasterKeys, db: Database) -> anyhow::Result<App> {
    ensure!(
        db.migrations_current().await?,
        "the database's schema is not this version's; run `vestibule migrate`"
    );
    Ok(App {
        db,
        clock: Clock::system(),
        master,
        passwords: Passwords::start(password_options(config))?,
        signing_keys: SigningKeys::default(),
        options: AppOptions {
            public_url: config.public_url()?.as_str().to_owned(),
            trusted_proxies: config.trusted_proxies.clone(),
            public_docs: config.public_docs,
            https: config.public_url()?.is_https(),
            body_timeout: config.body_timeout(),
        },
        refusals: Refusals::default(),
    })
}

/// Serves until a signal says to stop; what has begun is finished.
pub(super) async fn serve(app: App, listeners: Listeners, metrics: Metrics) -> anyhow::Result<()> {
    let app = Arc::new(app);
    let stop = stop_signals()?;
    let background = [tokio::spawn(upkeep::run(app.clone())), tokio::spawn(metrics.clone().upkeep())];
    let routers = (server::public_router(&app), server::operator_router(&app, metrics));
    let served = listeners.serve(routers.0, routers.1, stop).await;
    for task in background {
        task.abort();
    }
    // The last minute's refusals are not lost with the process.
    upkeep::summarise_refusals(&app).await.unwrap_or_else(|error| {
        tracing::warn!(cause = %error, "the last summary of refusals was not written");
    });
    app.passwords.close().await;
    app.db.close().await;
    tracing::info!("stopped");
    served
}

/// Logs and metrics, by the configuration.
pub(super) fn telemetry(config: &Config) -> anyhow::Result<Metrics> {
    telemetry::init_logs(config.log_format, &config.log_level)?;
    Ok(telemetry::metrics())
}
