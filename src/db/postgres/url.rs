//! The URL of a PostgreSQL server, or of several.
//!
//! tokio-postgres reads most of it; the words of `sslmode` that it does not know, and `sslrootcert`,
//! are taken out and understood here.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::super::change::DbError;
use super::errors::describe;

const KNOWN: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// What is asked of the server's certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trust {
    /// Nothing: encryption keeps out who listens, not who pretends.
    Anyone,
    /// It comes from an authority of this file's, or of the system's.
    Authority(Option<PathBuf>),
    /// And it is for the name in the URL.
    Name(Option<PathBuf>),
}

/// Where to connect: one configuration for each host, in their order.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) hosts: Vec<Config>,
    pub(super) trust: Trust,
    /// How long an attempt to connect to one host may take, if the URL says so.
    pub(super) connect_timeout: Option<Duration>,
}

pub(super) fn parse(url: &str) -> Result<Servers, DbError> {
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let mut mode = String::from("prefer");
    let mut root = None;
    let mut says_target = false;
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !KNOWN.contains(&name) {
            return Err(refused(&format!("has an unknown parameter {name}; known are {}", KNOWN.join(", "))));
        }
        match name {
            "sslmode" => value.clone_into(&mut mode),
            "sslrootcert" => root = Some(PathBuf::from(decoded(value))),
            _ => kept.push(pair),
        }
        says_target |= name == "target_session_attrs";
    }
    let (ssl, trust) = security(&mode, root)?;
    let rest = if kept.is_empty() { address.to_owned() } else { format!("{address}?{}", kept.join("&")) };
    let mut config =
        Config::from_str(&rest).map_err(|error| refused(&format!("is wrong: {}", describe(&error))))?;
    config.ssl_mode(ssl);
    if !says_target {
        // Whoever has been a standby since must not be written to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.get_application_name().is_none() {
        config.application_name("vestibule");
    }
    if !query.contains("keepalives_idle=") {
        config.keepalives_idle(Duration::from_secs(30));
    }
    Ok(Servers { hosts: one_by_one(&config)?, trust, connect_timeout: config.get_connect_timeout().copied() })
}

/// What libpq understands by `sslmode`. With a root certificate `require` verifies the chain.
fn security(mode: &str, root: Option<PathBuf>) -> Result<(SslMode, Trust), DbError> {
    Ok(match mode {
        "disable" => (SslMode::Disable, Trust::Anyone),
        "prefer" => (SslMode::Prefer, Trust::Anyone),
        "require" if root.is_none() => (SslMode::Require, Trust::Anyone),
        "require" | "verify-ca" => (SslMode::Require, Trust::Authority(root)),
        "verify-full" => (SslMode::Require, Trust::Name(root)),
        other => {
            return Err(refused(&format!(
                "has sslmode={other}; write disable, prefer, require, verify-ca or verify-full"
            )));
        }
    })
}

/// A configuration for each host, so that a host that accepts and then says nothing costs its own
/// share of the time only.
fn one_by_one(config: &Config) -> Result<Vec<Config>, DbError> {
    let (hosts, ports, addresses) = (config.get_hosts(), config.get_ports(), config.get_hostaddrs());
    let count = hosts.len().max(addresses.len());
    if count == 0 {
        return Err(refused("names no host"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(refused("does not have one port for each host"));
    }
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(refused("does not have one hostaddr for each host"));
    }
    Ok((0..count).map(|index| alone(config, index)).collect())
}

fn alone(config: &Config, index: usize) -> Config {
    let mut one = Config::new();
    match config.get_hosts().get(index) {
        Some(Host::Tcp(name)) => one.host(name),
        Some(Host::Unix(path)) => one.host_path(path),
        None => &mut one,
    };
    if let Some(address) = config.get_hostaddrs().get(index) {
        one.hostaddr(*address);
    }
    let ports = config.get_ports();
    if let Some(port) = ports.get(index).or(ports.first()) {
        one.port(*port);
    }
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(name) = config.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    one
}

fn refused(problem: &str) -> DbError {
    DbError::Failed(format!("the database URL {problem}"))
}

fn decoded(value: &str) -> String {
    url::form_urlencoded::parse(format!("v={value}").replace('+', "%2B").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_hosts_are_tried_one_by_one() {
        let servers = parse("postgres://me:pw@a:1,b:2/x?connect_timeout=3&target_session_attrs=read-write")
            .expect("valid");
        let ports: Vec<_> = servers.hosts.iter().map(|host| host.get_ports()[0]).collect();
        assert_eq!(ports, [1, 2]);
        assert_eq!(servers.connect_timeout, Some(Duration::from_secs(3)));
        assert!(servers.hosts.iter().all(|host| host.get_password() == Some(b"pw")));
    }

    #[test]
    fn a_standby_is_not_written_to_unless_the_url_says_so() {
        let target = |url| parse(url).expect("valid").hosts[0].get_target_session_attrs();
        assert_eq!(target("postgres://a/x"), TargetSessionAttrs::ReadWrite);
        assert_eq!(target("postgres://a/x?target_session_attrs=any"), TargetSessionAttrs::Any);
    }

    #[test]
    fn sslmode_means_what_libpq_means() {
        let trust = |words: &str| {
            let servers = parse(&format!("postgres://a/x?{words}")).expect("valid");
            (servers.hosts[0].get_ssl_mode(), servers.trust)
        };
        let file = Some(PathBuf::from("/a b/ca+1.pem"));
        assert_eq!(trust(""), (SslMode::Prefer, Trust::Anyone));
        assert_eq!(trust("sslmode=disable"), (SslMode::Disable, Trust::Anyone));
        assert_eq!(trust("sslmode=require"), (SslMode::Require, Trust::Anyone));
        assert_eq!(trust("sslmode=verify-full"), (SslMode::Require, Trust::Name(None)));
        for mode in ["require", "verify-ca"] {
            assert_eq!(
                trust(&format!("sslmode={mode}&sslrootcert=/a%20b/ca+1.pem")),
                (SslMode::Require, Trust::Authority(file.clone()))
            );
        }
    }

    #[test]
    fn what_is_unknown_is_named_and_the_password_is_not() {
        for (url, word) in [
            ("postgres://me:hunter2@a/x?sslmode=maybe", "sslmode=maybe"),
            ("postgres://me:hunter2@a/x?colour=red", "colour"),
            ("postgres://me:hunter2@a:port/x", "port"),
            ("postgres://me:hunter2@a/x?target_session_attrs=primary", "target_session_attrs"),
            ("postgres:///x?user=me&password=hunter2", "host"),
        ] {
            let error = parse(url).expect_err(url).to_string();
            assert!(error.contains(word) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
