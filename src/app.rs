//! The application's parts, made once at start and shared by every request.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::access_tokens::VerifiedTokens;
use crate::clock::Clock;
use crate::config::{IpNetwork, ProxyHeader};
use crate::db::Database;
use crate::password_rules::BreachedPasswords;
use crate::passwords::Passwords;
use crate::request_limits::RequestLimits;
use crate::revocation_watch::RevocationWatch;
use crate::secrets::MasterKeys;
use crate::signing_keys::SigningKeys;
use crate::source_limits;
use crate::tenants::PassedDoors;

/// What flows and handlers work with.
#[derive(Debug)]
pub struct App {
    pub db: Database,
    /// What time it is; stopped in tests.
    pub clock: Clock,
    /// What seals columns and makes refresh tokens.
    pub master: MasterKeys,
    /// The hash threads and their queue.
    pub passwords: Passwords,
    /// What new passwords are looked up in, where the operator has such a file.
    pub breached_passwords: Option<BreachedPasswords>,
    /// The parsed keys that are held in memory.
    pub signing_keys: SigningKeys,
    /// The access tokens whose signatures were found to hold.
    pub verified_tokens: VerifiedTokens,
    /// The doors that logins have passed.
    pub passed_doors: PassedDoors,
    pub options: AppOptions,
    /// Who did how much lately, on this node.
    pub request_limits: RequestLimits,
    /// Who waits for a place at a source.
    pub source_gates: source_limits::Gates,
    /// The same for those who hold a ticket before it is known whether their source is let in.
    pub early_gates: source_limits::Gates,
    /// The sources that were refused lately.
    pub refused_sources: source_limits::RefusedSources,
    /// Who waits for revocations.
    pub revocations: RevocationWatch,
    /// Since the last summary.
    pub refusals: Refusals,
}

/// The one state of the routers.
pub type SharedApp = Arc<App>;

/// The settings that requests are answered by.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
pub struct AppOptions {
    /// The bare origin under which the world reaches us: issuers begin with it. Never a request's Host (R132).
    pub public_url: String,
    pub proxies: Proxies,
    /// Whether `/docs` and `/openapi.json` are on the public listener too.
    pub public_docs: bool,
    /// Whether the world reaches us by TLS, ended here or before us: then answers carry HSTS.
    pub https: bool,
    /// Whether failed logins are limited by where they come from.
    pub source_limits: bool,
    /// Whether tenants' and callers' requests are limited.
    pub request_limits: bool,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
}

/// Whose word on the client's address is believed, and in which header they say it.
#[derive(Clone, Debug)]
pub struct Proxies {
    pub trusted: Vec<IpNetwork>,
    pub header: ProxyHeader,
}

impl Proxies {
    /// Whether what this address forwards is believed.
    #[must_use]
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }
}

/// Refusals that leave no event of their own: counted, and summed up once a minute by `upkeep`.
#[derive(Debug, Default)]
pub struct Refusals {
    /// What was malformed or not valid, or took too long to arrive.
    pub malformed: AtomicU64,
    /// Whoever was no tenant of ours.
    pub tenant: AtomicU64,
    /// What was over a limit.
    pub limited: AtomicU64,
    /// What was refused for want of room or of the database.
    pub unavailable: AtomicU64,
}

impl AppOptions {
    /// Whether what this address forwards is believed.
    #[must_use]
    pub fn trusts(&self, address: std::net::IpAddr) -> bool {
        self.proxies.trusts(address)
    }
}
