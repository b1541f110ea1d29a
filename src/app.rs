//! The application's parts, made once at start and shared by every request.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::IpNetwork;
use crate::db::Database;
use crate::passwords::Passwords;
use crate::secrets::MasterKeys;
use crate::signing_keys::SigningKeys;

/// What flows and handlers work with.
#[derive(Debug)]
pub struct App {
    pub db: Database,
    pub clock: Clock,
    pub master: MasterKeys,
    pub passwords: Passwords,
    pub signing_keys: SigningKeys,
    pub options: AppOptions,
    pub refusals: Refusals,
}

/// The one state of the routers.
pub type SharedApp = Arc<App>;

/// The settings that requests are answered by.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// The bare origin under which the world reaches us: issuers begin with it. Never a request's Host (R132).
    pub public_url: String,
    /// Whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Whether `/docs` and `/openapi.json` are on the public listener too.
    pub public_docs: bool,
    /// Whether the world reaches us by TLS, ended here or before us: then answers carry HSTS.
    pub https: bool,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
}

/// Refusals that leave no event of their own: counted, and summed up once a minute by `upkeep`.
#[derive(Debug, Default)]
pub struct Refusals {
    pub malformed: AtomicU64,
    pub tenant: AtomicU64,
    pub unavailable: AtomicU64,
}

impl AppOptions {
    /// Whether what this address forwards is believed.
    #[must_use]
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}
