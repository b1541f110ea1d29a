//! The configuration: one flat struct, from a TOML file and `VESTIBULE_…` variables, checked as a whole.
//!
//! A variable wins over the file, the file over the default. `config.example.toml` says what each key is for.

pub mod example;
pub mod keys;
mod network;
mod reader;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

pub use self::network::IpNetwork;
use self::reader::Reader;
pub use self::reader::{ConfigError, Source};
pub use self::values::{Argon2Implementation, LogFormat, Origin, ProxyHeader, address, database_url};

/// What an installation can choose. Every field is the key of its name, in the unit of its name.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct Config {
    /// `sqlite:<file>` or `postgres://…`; no further checked here.
    pub database_url: SecretString,
    /// `None` only where the command at hand does not need it; see [`Config::public_url`].
    pub public_url: Option<Origin>,
    /// `None` only where the command at hand does not need it; see [`Config::master_key_file`].
    pub master_key_file: Option<PathBuf>,
    /// Lines as the master key file's; passwords are put through the first before they are hashed.
    pub pepper_file: Option<PathBuf>,
    pub listen: SocketAddr,
    pub operator_listen: SocketAddr,
    /// Set exactly when [`Config::tls_key_file`] is.
    pub tls_certificate_file: Option<PathBuf>,
    pub tls_key_file: Option<PathBuf>,
    pub allow_plain_http: bool,
    pub trusted_proxies: Vec<IpNetwork>,
    pub proxy_header: ProxyHeader,
    /// Whether failures are limited by the address they come from.
    pub source_limits: bool,
    /// Whether the requests of each tenant and each caller are limited.
    pub request_limits: bool,
    /// Whether `/docs` and `/openapi.json` are on the public listener too.
    pub public_docs: bool,
    /// Of the public listener; the operator listener has a small number of its own.
    pub max_connections: usize,
    pub header_timeout_seconds: u64,
    pub body_timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
    pub shutdown_grace_seconds: u64,
    pub log_format: LogFormat,
    /// A filter for `tracing_subscriber::EnvFilter`, already checked.
    pub log_level: String,
    /// Never 0: the key's 0 is already one for each core.
    pub hash_threads: usize,
    pub hash_deadline_ms: u64,
    pub argon2_implementation: Argon2Implementation,
    pub argon2_memory_kib: u32,
    pub argon2_passes: u32,
    pub argon2_lanes: u32,
    /// Lines `SHA1:count`, sorted; new passwords are looked up in it.
    pub breached_passwords_file: Option<PathBuf>,
    effective: Vec<Effective>,
}

/// A key with its value as people may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    pub key: &'static str,
    /// Redacted where it is a secret, empty where it is unset.
    pub value: String,
    pub source: Source,
}

impl Config {
    /// Reads the file, if one is given, and the variables over it; `env` may hold foreign variables too.
    ///
    /// # Errors
    /// Everything that is wrong, all at once: unknown keys and variables, values that do not parse or are out of
    /// bounds, and settings that do not go together. No message shows a secret's value.
    pub fn load(
        path: Option<&Path>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::of(path.map(|path| (path, std::fs::read_to_string(path))), env)
    }

    /// As [`Config::load`], of a file that is still to be written.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        path: &Path,
        text: &str,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::of(Some((path, Ok(text.to_owned()))), env)
    }

    fn of(
        file: Option<(&Path, std::io::Result<String>)>,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(file, env);
        let config = Self::read(&mut reader);
        for problem in config.contradictions() {
            reader.problem(problem);
        }
        reader.finish()?;
        Ok(config)
    }

    fn read(reader: &mut Reader) -> Self {
        use values::integer;
        let database_url = reader.optional("database_url", values::database_url);
        let is_unset = database_url.is_none() && matches!(reader.raw("database_url").1, Source::Default);
        if is_unset && !reader.file_is_unread {
            reader.problem(
                "database_url is not set; set it in the file, or VESTIBULE_DATABASE_URL, or \
                 VESTIBULE_DATABASE_URL_FILE, for example to sqlite:vestibule.db"
                    .to_owned(),
            );
        }
        let mut config = Self {
            database_url: database_url.unwrap_or_default(),
            public_url: reader.optional("public_url", values::text_of),
            master_key_file: reader.optional("master_key_file", values::path),
            pepper_file: reader.optional("pepper_file", values::path),
            listen: reader.value("listen", values::address),
            operator_listen: reader.value("operator_listen", values::address),
            tls_certificate_file: reader.optional("tls_certificate_file", values::path),
            tls_key_file: reader.optional("tls_key_file", values::path),
            allow_plain_http: reader.value("allow_plain_http", values::boolean),
            trusted_proxies: reader.value("trusted_proxies", network::networks),
            proxy_header: reader.value("proxy_header", values::text_of),
            source_limits: reader.value("source_limits", values::boolean),
            request_limits: reader.value("request_limits", values::boolean),
            public_docs: reader.value("public_docs", values::boolean),
            max_connections: reader.value("max_connections", |text| integer(text, &(1..=1_000_000), "")),
            header_timeout_seconds: reader
                .value("header_timeout_seconds", |text| integer(text, &(1..=60), " seconds")),
            body_timeout_seconds: reader
                .value("body_timeout_seconds", |text| integer(text, &(1..=300), " seconds")),
            idle_timeout_seconds: reader
                .value("idle_timeout_seconds", |text| integer(text, &(5..=3600), " seconds")),
            shutdown_grace_seconds: reader
                .value("shutdown_grace_seconds", |text| integer(text, &(1..=600), " seconds")),
            log_format: reader.value("log_format", values::log_format),
            log_level: reader.value("log_level", values::log_level),
            hash_threads: reader.value("hash_threads", |text| integer(text, &(0..=1024), "")),
            hash_deadline_ms: reader
                .value("hash_deadline_ms", |text| integer(text, &(50..=30_000), " milliseconds")),
            argon2_implementation: reader.value("argon2_implementation", values::argon2_implementation),
            argon2_memory_kib: reader
                .value("argon2_memory_kib", |text| integer(text, &(7168..=1_048_576), " KiB")),
            argon2_passes: reader.value("argon2_passes", |text| integer(text, &(1..=64), "")),
            argon2_lanes: reader.value("argon2_lanes", |text| integer(text, &(1..=16), "")),
            breached_passwords_file: reader.optional("breached_passwords_file", values::path),
            effective: keys::KEYS.iter().map(|key| Effective::of(key, reader)).collect(),
        };
        if config.hash_threads == 0 {
            config.hash_threads = std::thread::available_parallelism().map_or(1, usize::from);
            if let Some(shown) = config.effective.iter_mut().find(|entry| entry.key == "hash_threads") {
                shown.value = format!("0 (here {})", config.hash_threads);
            }
        }
        config
    }

    /// What does not go together, one sentence each.
    fn contradictions(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let lonely = match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(_), None) => Some("tls_certificate_file is set without tls_key_file; set both"),
            (None, Some(_)) => Some("tls_key_file is set without tls_certificate_file; set both"),
            _ => None,
        };
        problems.extend(lonely.map(str::to_owned));
        problems.extend(self.check_plain_http("listen", self.listen));
        problems.extend(self.check_plain_http("operator_listen", self.operator_listen));
        if self.listen == self.operator_listen && self.listen.port() != 0 {
            problems.push(format!(
                "listen and operator_listen are both {}; give each a port of its own",
                self.listen
            ));
        }
        if let Some(weakness) = values::argon2_weakness(self.argon2_memory_kib, self.argon2_passes) {
            problems.push(format!("argon2_memory_kib and argon2_passes: {weakness}"));
        }
        problems
    }

    /// Why this listener may not open, if it would speak plain HTTP to more than this machine.
    pub(crate) fn check_plain_http(&self, key: &str, address: SocketAddr) -> Option<String> {
        let plain = self.tls_certificate_file.is_none() && self.tls_key_file.is_none();
        (plain && !address.ip().to_canonical().is_loopback() && !self.allow_plain_http).then(|| {
            format!(
                "{key}: {address} would carry passwords over plain HTTP; set tls_certificate_file and tls_key_file, \
                 or listen on 127.0.0.1, or, where a proxy ends TLS, set allow_plain_http = true"
            )
        })
    }

    /// The origin that customers' apps call, which tokens name as their issuer.
    ///
    /// # Errors
    /// It is not set.
    pub fn public_url(&self) -> Result<&Origin, ConfigError> {
        self.public_url.as_ref().ok_or_else(|| {
            let text =
                "public_url is not set; set it to the origin your apps call, like https://id.example.com";
            ConfigError(vec![text.to_owned()])
        })
    }

    /// Where the master key is.
    ///
    /// # Errors
    /// It is not set.
    pub fn master_key_file(&self) -> Result<&Path, ConfigError> {
        self.master_key_file.as_deref().ok_or_else(|| {
            let text =
                "master_key_file is not set; set it to the file `vestibule init` wrote the master key to";
            ConfigError(vec![text.to_owned()])
        })
    }

    #[must_use]
    pub const fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_seconds)
    }

    #[must_use]
    pub const fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    #[must_use]
    pub const fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }

    #[must_use]
    pub const fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }

    #[must_use]
    pub const fn hash_deadline(&self) -> Duration {
        Duration::from_millis(self.hash_deadline_ms)
    }

    /// Every key as loaded, in the order of `config.example.toml`, secrets redacted.
    #[must_use]
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }
}

impl Effective {
    fn of(key: &keys::Key, reader: &Reader) -> Self {
        let (text, source) = reader.raw(key.name);
        let value = match key.name {
            "database_url" => values::redacted_database_url(text),
            _ if key.secret => "***".to_owned(),
            _ => text.to_owned(),
        };
        Self { key: key.name, value, source }
    }
}

/// The process's variables that could be ours. A value that is not Unicode keeps replacement characters.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("VESTIBULE_"))?;
        Some((name, value.to_string_lossy().into_owned()))
    })
}

#[cfg(test)]
mod tests;
