//! What a configuration value can be: small types that cannot hold a wrong one, and the bounds of the numbers.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

/// A bare web origin, `https://id.example.com`: scheme, host and at most a port.
///
/// Plain `http` only where nobody else listens in: `localhost`, `127.0.0.0/8`, `[::1]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether browsers reach it by TLS, and so whether HSTS makes sense.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "write only scheme, host and port, like https://id.example.com";
        let url =
            url::Url::parse(text).map_err(|error| format!("{text:?} is not a URL ({error}); {SHAPE}"))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(format!("{text:?} is neither https nor http; {SHAPE}")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("it holds a user name or a password; {SHAPE}"));
        }
        let loopback = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if !secure && !loopback {
            return Err(format!(
                "{text:?} is plain http, which only localhost may be; use https, ended here or at a proxy"
            ));
        }
        let origin = url.origin().ascii_serialization();
        if text == origin {
            Ok(Self(origin))
        } else {
            Err(format!("{text:?} is not a bare origin; write it as {origin}"))
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One readable line each.
    Human,
}

/// Which header trusted proxies write. The other is whoever's, passed on, and never read for the client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl ProxyHeader {
    /// The header as people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::XForwardedFor => "X-Forwarded-For",
            Self::Forwarded => "Forwarded",
        }
    }
}

impl FromStr for ProxyHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut headers = [Self::XForwardedFor, Self::Forwarded].into_iter();
        headers
            .find(|header| header.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("{text:?} is neither X-Forwarded-For nor Forwarded"))
    }
}

/// Which code computes Argon2; both give the same hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argon2Implementation {
    /// The `argon2-rust` crate: picks AVX-512, AVX2, SSE2 or NEON at run time.
    Argon2Rust,
    /// The `argon2` crate of RustCrypto.
    Argon2,
}

/// OWASP's equal Argon2id sets: memory in KiB and passes. At least one must be reached in both (R034).
const ARGON2_SETS: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Why these Argon2id costs are too weak, if they are.
pub(super) fn argon2_weakness(memory_kib: u32, passes: u32) -> Option<String> {
    let strong = ARGON2_SETS.iter().any(|(memory, least)| memory_kib >= *memory && passes >= *least);
    (!strong).then(|| {
        let sets: Vec<_> = ARGON2_SETS.iter().map(|(memory, passes)| format!("{memory}/{passes}")).collect();
        format!(
            "{memory_kib} KiB with {passes} passes is weaker than every accepted set; use at least one of {} \
             (argon2_memory_kib/argon2_passes)",
            sets.join(", ")
        )
    })
}

// The parsers: text in, value or the sentence that says what is wrong and what to write instead.

pub(super) fn text_of<T: FromStr<Err = String>>(text: &str) -> Result<T, String> {
    text.parse()
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        return Err("it is empty; name a file, or leave the key out".to_owned());
    }
    Ok(PathBuf::from(text))
}

/// A listener's address.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address; write a literal IP address and a port, like 127.0.0.1:8080 or [::1]:8080")
    })
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("{text:?} is neither true nor false"))
}

pub(super) fn integer<T: TryFrom<u64>>(
    text: &str,
    bounds: &RangeInclusive<u64>,
    unit: &str,
) -> Result<T, String> {
    text.parse::<u64>()
        .ok()
        .filter(|number| bounds.contains(number))
        .and_then(|n| n.try_into().ok())
        .ok_or_else(|| {
            format!("{text:?} is not a whole number from {} to {}{unit}", bounds.start(), bounds.end())
        })
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "json" => Ok(LogFormat::Json),
        "human" => Ok(LogFormat::Human),
        _ => Err(format!("{text:?} is neither json nor human")),
    }
}

pub(super) fn argon2_implementation(text: &str) -> Result<Argon2Implementation, String> {
    match text {
        "argon2-rust" => Ok(Argon2Implementation::Argon2Rust),
        "argon2" => Ok(Argon2Implementation::Argon2),
        _ => Err(format!("{text:?} is neither argon2-rust nor argon2")),
    }
}

/// A filter such as `info` or `info,vestibule::flows=debug`. A lone word must be a level: tracing would take a
/// mistyped `inof` for a module's name and log nothing else.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    const SHAPE: &str = "write a level (error, warn, info, debug, trace, off), or levels of modules after it, \
                         like info,vestibule::flows=debug";
    for directive in text.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !["error", "warn", "info", "debug", "trace", "off"].contains(&level) {
            return Err(format!("{level:?} is not a level; {SHAPE}"));
        }
    }
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?} is not a log filter ({error}); {SHAPE}")),
    }
}

/// A database's address. What is wrong is said without showing the value: it can hold a password.
pub fn database_url(text: &str) -> Result<SecretString, String> {
    let sqlite = text.strip_prefix("sqlite:").is_some_and(|file| !file.is_empty());
    let postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if sqlite || postgres {
        Ok(SecretString::from(text))
    } else {
        Err("it names no database; write sqlite:<file> or postgres://<user>:<password>@<host>/<database>"
            .to_owned())
    }
}

/// A database's address for people to see: no user, no password, no parameters.
///
/// Where an unescaped `@` or `?` makes it unclear what is what, nothing but the scheme is shown.
pub(super) fn redacted_database_url(text: &str) -> String {
    if text.starts_with("sqlite:") {
        return text.to_owned();
    }
    let Some((scheme, rest)) = text.split_once("://") else { return "***".to_owned() };
    let (location, parameters) = rest.split_once('?').map_or((rest, None), |(l, p)| (l, Some(p)));
    if parameters.is_some_and(|parameters| parameters.contains('@')) {
        return format!("{scheme}://***");
    }
    let parameters = if parameters.is_some() { "?***" } else { "" };
    match location.rsplit_once('@') {
        Some((_, place)) => format!("{scheme}://***@{place}{parameters}"),
        None => format!("{scheme}://{location}{parameters}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_origin_is_a_public_url() {
        for good in [
            "https://id.example.com",
            "https://id.example.com:8443",
            "http://localhost:8080",
            "http://[::1]:1",
        ] {
            assert_eq!(good.parse::<Origin>().unwrap().as_str(), good);
        }
        let wrong = |text: &str| text.parse::<Origin>().unwrap_err();
        assert!(wrong("https://id.example.com/").ends_with("write it as https://id.example.com"));
        assert!(wrong("https://ID.example.com:443/a?b#c").ends_with("write it as https://id.example.com"));
        assert!(wrong("http://id.example.com").contains("use https"));
        assert!(wrong("http://127.0.0.1.example.com").contains("use https"));
        assert!(wrong("ftp://id.example.com").contains("neither https nor http"));
        assert!(wrong("id.example.com").contains("not a URL"));
        assert!(!wrong("https://u:hunter2@id.example.com").contains("hunter2"));
    }

    #[test]
    fn r034_argon2_costs_below_every_accepted_set_are_weak() {
        for (memory, passes) in ARGON2_SETS {
            assert_eq!(argon2_weakness(memory, passes), None);
            assert!(argon2_weakness(memory - 1, passes).is_some());
        }
        assert_eq!(argon2_weakness(65_536, 3), None);
        assert!(argon2_weakness(1_048_576, 0).is_some());
    }

    #[test]
    fn r137_a_database_url_is_shown_without_its_secrets() {
        let shown = redacted_database_url;
        assert_eq!(shown("sqlite:vestibule.db"), "sqlite:vestibule.db");
        assert_eq!(shown("postgres://u:pw@a:5432,b/v?sslmode=verify-full"), "postgres://***@a:5432,b/v?***");
        assert_eq!(shown("postgres://a/v"), "postgres://a/v");
        for odd in ["postgres://u:p?pw@h/v", "postgres://u:p@pw?x@h/v", "postgres://h/v?password=@pw", "pw"] {
            assert!(!shown(odd).contains("pw"), "{odd}");
        }
        assert!(!shown("postgres://u:p@pw@h/v").contains("pw"));
        assert!(!shown("postgres://u:p/pw#@h/v").contains("pw"));
        assert!(!database_url("mysql://u:hunter2@h").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn a_mistyped_level_is_not_taken_for_a_module() {
        assert!(log_level("info,vestibule::flows=debug").is_ok());
        assert!(log_level("off").is_ok());
        assert!(log_level("inof").is_err());
        assert!(log_level("info,vestibule=loud").is_err());
        assert!(log_level("").is_err());
    }
}
