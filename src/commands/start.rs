//! What `serve` and `demo` share: the application from a configuration, and its run until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;

use crate::access_tokens::VerifiedTokens;
use crate::app::{App, AppOptions, Proxies, Refusals, SharedApp};
use crate::clock::Clock;
use crate::config::{Argon2Implementation, Config};
use crate::db::{Access, Database, DatabaseOptions};
use crate::events::sealing;
use crate::flows::summarise_refusals;
use crate::listeners::{Listeners, StopRequests};
use crate::password_rules::BreachedPasswords;
use crate::passwords::{Cost, Floor, Implementation, Options, Passwords, Peppers};
use crate::request_limits::RequestLimits;
use crate::revocation_watch::{RevocationWatch, WatchOptions};
use crate::secrets::MasterKeys;
use crate::signing_keys::{self, SigningKeys};
use crate::source_limits::{Gates, RefusedSources};
use crate::telemetry::Metrics;
use crate::tenants::PassedDoors;
use crate::{installation, server, sessions, telemetry, upkeep, users};

/// A runtime for a command.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")
}

/// The database of a configuration.
pub(super) async fn open_database(config: &Config, access: Access) -> anyhow::Result<Database> {
    let options = DatabaseOptions { access, ..DatabaseOptions::new(config.database_url.expose_secret()) };
    Database::open(&options).await.context("database_url: the database cannot be opened")
}

/// Refuses a database that cannot be served, and leaves it as it is: one that is not there or has another
/// schema, the demo's, and one that the master key does not open.
pub(super) async fn check_database(config: &Config, master: Option<&MasterKeys>) -> anyhow::Result<()> {
    let db = open_database(config, Access::Look).await?;
    let mut checked = check_opened(&db, master).await;
    if checked.is_ok() {
        checked = check_peppers(&db, config).await;
    }
    db.close().await;
    checked
}

async fn check_opened(db: &Database, master: Option<&MasterKeys>) -> anyhow::Result<()> {
    ensure!(
        db.migrations_current().await?,
        "the database's schema is not this version's; run `vestibule migrate`"
    );
    refuse_demo(db).await?;
    match master {
        Some(master) => check_master(db, master).await,
        None => Ok(()),
    }
}

/// Refuses a pepper file without a line that passwords are stored under.
async fn check_peppers(db: &Database, config: &Config) -> anyhow::Result<()> {
    let checked = users::peppers::check_peppers(db, &peppers(config)?).await;
    checked.map_err(|error| anyhow!("pepper_file: {error:#}"))
}

/// Refuses the demo's database.
pub(super) async fn refuse_demo(db: &Database) -> anyhow::Result<()> {
    ensure!(
        !installation::is_demo(db).await?,
        "database_url: this database belongs to the demo, whose secrets everybody knows; make a real one with \
         `vestibule init`"
    );
    Ok(())
}

/// Refuses a master key that does not open the database, or does not refresh its sessions.
pub(super) async fn check_master(db: &Database, master: &MasterKeys) -> anyhow::Result<()> {
    let mut checked = signing_keys::check_master(db, master).await;
    if checked.is_ok() {
        checked = sessions::keys::check_master(db, master, Clock::system().now()).await;
    }
    if checked.is_ok() {
        checked = sealing::check_master(db, master).await;
    }
    checked.map_err(|error| anyhow!("master_key_file: {error:#}"))
}

/// How passwords are hashed, by the configuration.
pub(super) fn password_options(config: &Config) -> anyhow::Result<Options> {
    Ok(Options {
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
        peppers: peppers(config)?,
    })
}

/// The lines of the pepper file; none where there is to be no pepper.
pub(super) fn peppers(config: &Config) -> anyhow::Result<Peppers> {
    config.pepper_file.as_deref().map_or(Ok(Peppers::default()), Peppers::load)
}

/// The file of breached passwords, if there is to be one: proved to be readable and sorted.
pub(super) fn breached_passwords(config: &Config) -> anyhow::Result<Option<BreachedPasswords>> {
    let Some(path) = &config.breached_passwords_file else { return Ok(None) };
    let file = BreachedPasswords::in_file(path.clone());
    file.prove().with_context(|| {
        format!(
            "breached_passwords_file: cannot use {}; name a file of lines SHA1:count sorted by hash, readable by \
             the service, or leave the key out",
            path.display()
        )
    })?;
    Ok(Some(file))
}

/// The application on a database that has been checked.
pub(super) fn open_app(config: &Config, master: MasterKeys, db: Database) -> anyhow::Result<App> {
    Ok(App {
        db,
        clock: Clock::system(),
        master,
        passwords: Passwords::start(password_options(config)?)?,
        breached_passwords: breached_passwords(config)?,
        signing_keys: SigningKeys::default(),
        verified_tokens: VerifiedTokens::default(),
        passed_doors: PassedDoors::default(),
        options: AppOptions {
            public_url: config.public_url()?.as_str().to_owned(),
            proxies: Proxies { trusted: config.trusted_proxies.clone(), header: config.proxy_header },
            public_docs: config.public_docs,
            https: config.public_url()?.is_https(),
            source_limits: config.source_limits,
            request_limits: config.request_limits,
            body_timeout: config.body_timeout(),
        },
        // Most connections stay free for everybody else, and an answer comes before its connection counts as idle.
        revocations: RevocationWatch::new(WatchOptions {
            seats: config.max_connections / 4,
            longest_wait: config.idle_timeout().saturating_sub(Duration::from_secs(2)),
            ..WatchOptions::default()
        }),
        request_limits: RequestLimits::default(),
        source_gates: Gates::default(),
        early_gates: Gates::default(),
        refused_sources: RefusedSources::default(),
        refusals: Refusals::default(),
    })
}

/// Serves until somebody asks to stop; what has begun is finished. Whoever says that it is ready listens to
/// [`stop_signals`] before.
pub(super) async fn serve(
    app: App,
    listeners: Listeners,
    metrics: Metrics,
    stop: StopRequests,
) -> anyhow::Result<()> {
    sessions::keys::remember_master(&app.db, &app.master, app.clock.now()).await?;
    installation::share_name_key(&app.db, &app.master).await?;
    users::peppers::remember_peppers(&app.db, app.passwords.peppers(), app.clock.now()).await?;
    let app = Arc::new(app);
    let background = [tokio::spawn(upkeep::run(app.clone())), tokio::spawn(metrics.clone().upkeep())];
    let (public, operator) = (server::public_router(&app), server::operator_router(&app, metrics));
    let served = listeners.serve(public, operator, end_waiting_first(&app, stop)).await;
    for task in background {
        task.abort();
    }
    // The last minute's refusals are not lost with the process.
    summarise_refusals(&app).await.unwrap_or_else(|error| {
        tracing::warn!(cause = %error, "the last summary of refusals was not written");
    });
    app.passwords.close().await;
    app.db.close().await;
    tracing::info!("stopped");
    served
}

/// Passes requests to stop on; what would wait for as long as the grace is ends with the first.
fn end_waiting_first(app: &SharedApp, mut stop: StopRequests) -> StopRequests {
    let (sender, receiver) = mpsc::channel(2);
    let waiting = app.revocations.clone();
    tokio::spawn(async move {
        while stop.recv().await.is_some() {
            waiting.stop();
            if sender.send(()).await.is_err() {
                return;
            }
        }
        // Whoever cannot ask any more has not asked to stop.
        sender.closed().await;
    });
    receiver
}

/// Logs and metrics, by the configuration.
pub(super) fn telemetry(config: &Config) -> anyhow::Result<Metrics> {
    telemetry::init_logs(config.log_format, &config.log_level)?;
    Ok(telemetry::metrics())
}
