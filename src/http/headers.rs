//! The request's headers: each read once, each hostile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONNECTION, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;
use zeroize::Zeroizing;

use crate::app::{App, Proxies};
use crate::client::{Client, WebOrigin};
use crate::client_address::{Chain, ClientAddress};
use crate::config::ProxyHeader;
use crate::error::{Error, FieldError, TenantProblem};
use crate::tenants::TenantName;
use crate::users::is_unfit;

use super::middleware::RequestId;

/// The longest header that describes a device or a caller, in bytes (R135).
const MAX_BYTES: usize = 256;

/// The longest User-Agent, in bytes: apps that embed browsers send long ones.
const MAX_AGENT_BYTES: usize = 1024;

const TENANT_ID: &str = "x-tenant-id";
const FORWARDED: &str = "forwarded";
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_FROM: &str = "x-forwarded-from";
const PLATFORM: [&str; 2] = ["platform", "sec-ch-ua-platform"];
const DEVICE_PROOF: &str = "x-device-proof";
const DEVICE_ID: [&str; 3] = ["deviceid", "x-device-id", "device-id"];

/// The headers that mean something to us. Each may be there once (R127, R133).
const OURS: [&str; 16] = [
    TENANT_ID,
    FORWARDED_FOR,
    FORWARDED_FROM,
    "platform",
    "sec-ch-ua-platform",
    "deviceid",
    "x-device-id",
    "device-id",
    DEVICE_PROOF,
    "authorization",
    "content-type",
    "origin",
    "host",
    "user-agent",
    "x-request-id",
    "x-correlation-id",
];

/// Refuses a header of ours that is there twice, that is spelled with underscores (which some proxies
/// take for the same name), or that `Connection` tells proxies to drop (R133).
///
/// A trusted proxy may add its own line of X-Forwarded-For or Forwarded to the client's (`HAProxy` does).
pub fn check(headers: &HeaderMap, peer: IpAddr, proxies: &Proxies) -> Result<(), Error> {
    let forwarded = (proxies.header == ProxyHeader::Forwarded).then_some(FORWARDED);
    let ours = || OURS.into_iter().chain(forwarded);
    let is_ours = |name: &str| ours().any(|ours| ours == name);
    let may_repeat = |name: &str| [FORWARDED_FOR, FORWARDED].contains(&name) && proxies.trusts(peer);
    let repeats = headers.len() > headers.keys_len();
    for name in ours().filter(|name| repeats && !may_repeat(name)) {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Error::malformed(documented(name), "must be sent once"));
        }
    }
    for name in headers.keys().filter(|name| name.as_str().contains('_')) {
        let dashed = name.as_str().replace('_', "-");
        if is_ours(&dashed) {
            return Err(Error::malformed(name.as_str(), format!("must be spelled {dashed}")));
        }
    }
    let dropped = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    for name in dropped.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()) {
        if is_ours(&name) {
            return Err(Error::malformed("connection", format!("must not list {name}")));
        }
    }
    Ok(())
}

/// A header as text: `None` if it is not there or empty.
fn text<'a>(headers: &'a HeaderMap, name: &str, most: usize) -> Result<Option<&'a str>, Error> {
    headers.get(name).map_or(Ok(None), |value| checked(name, value, most))
}

fn checked<'a>(name: &str, value: &'a HeaderValue, most: usize) -> Result<Option<&'a str>, Error> {
    let wrong = |problem: &str| Error::invalid(documented(name), problem);
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| wrong("must be text in UTF-8"))?
        .trim_matches([' ', '\t']);
    if text.len() > most {
        return Err(wrong(&format!("may have {most} bytes at most")));
    }
    if text.chars().any(is_unfit) {
        return Err(wrong("must not have control, formatting or invisible characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A header's name as the documentation spells it.
fn documented(name: &str) -> &str {
    let spellings = [
        "X-Tenant-ID",
        "X-Forwarded-For",
        "X-Forwarded-From",
        "Forwarded",
        "deviceId",
        "X-Device-Id",
        "X-Device-Proof",
        "User-Agent",
    ];
    spellings.into_iter().find(|spelling| spelling.eq_ignore_ascii_case(name)).unwrap_or(name)
}

/// The first of several names that is there and not empty.
fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Result<Option<&'a str>, Error> {
    for name in names {
        if let Some(value) = text(headers, name, MAX_BYTES)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// What the headers say of the client; what of it a call requires is the call's to say.
pub fn client(parts: &Parts, app: &App) -> Result<Client, Error> {
    let headers = &parts.headers;
    let peer = peer(&parts.extensions);
    let proxies = &app.options.proxies;
    let Forwarding { forwarded_for, forwarded } = forwarding(headers, proxies)?;
    let chain = chain(proxies, forwarded_for.as_deref(), forwarded.as_deref());
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
    // The client hint arrives as a quoted string: `"Windows"` (RFC 8941 §3.3.3).
    let platform = first(headers, &PLATFORM)?.map(|platform| platform.trim_matches('"').to_owned());
    Ok(Client {
        peer,
        address: ClientAddress::decide(peer, chain, |ip| proxies.trusts(ip)),
        forwarded_for,
        forwarded,
        source: text(headers, FORWARDED_FROM, MAX_BYTES)?.map(str::to_owned),
        platform: platform.filter(|platform| !platform.is_empty()),
        device_id: first(headers, &DEVICE_ID)?.map(str::to_owned),
        user_agent: text(headers, USER_AGENT.as_str(), MAX_AGENT_BYTES)?.map(str::to_owned),
        request_id: request_id.id,
        correlation_id: request_id.correlation,
        tenant: request_id.tenant,
        web_origin: parts.extensions.get::<WebOrigin>().cloned(),
    })
}

/// What came of the headers that say by which hops a request came.
pub(super) struct Forwarding {
    pub forwarded_for: Option<String>,
    /// Looked at only where trusted proxies write it.
    pub forwarded: Option<String>,
}

pub(super) fn forwarding(headers: &HeaderMap, proxies: &Proxies) -> Result<Forwarding, Error> {
    let forwarded = match proxies.header {
        ProxyHeader::XForwardedFor => None,
        ProxyHeader::Forwarded => lines(headers, FORWARDED)?,
    };
    Ok(Forwarding { forwarded_for: lines(headers, FORWARDED_FOR)?, forwarded })
}

/// The hops as trusted proxies write them: in one header, and the other is never mixed in.
pub(super) fn chain<'a>(
    proxies: &Proxies,
    forwarded_for: Option<&'a str>,
    forwarded: Option<&'a str>,
) -> Option<Chain<'a>> {
    let text = match proxies.header {
        ProxyHeader::XForwardedFor => forwarded_for,
        ProxyHeader::Forwarded => forwarded,
    };
    text.map(|text| Chain::new(proxies.header, text))
}

/// A header's lines joined in their order, as RFC 9110 §5.3 reads them. More than one come from
/// trusted proxies only; [`check`] has seen to that.
fn lines(headers: &HeaderMap, name: &str) -> Result<Option<String>, Error> {
    let mut chain = String::new();
    for value in headers.get_all(name) {
        if let Some(line) = checked(name, value, 2 * MAX_BYTES)? {
            chain.push_str(if chain.is_empty() { "" } else { ", " });
            chain.push_str(line);
        }
    }
    if chain.len() > 4 * MAX_BYTES {
        let problem = format!("may have {} bytes at most in all", 4 * MAX_BYTES);
        return Err(Error::invalid(documented(name), problem));
    }
    Ok(Some(chain).filter(|chain| !chain.is_empty()))
}

/// The other end of the connection; loopback where there is none (a router called in process).
#[must_use]
pub fn peer(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip().to_canonical())
}

/// The headers of a login that are not there, all of them at once. On the admin family only X-Tenant-ID
/// is required: its pages disagree, and clients exist that send nothing else.
#[must_use]
pub fn missing_for_login(headers: &HeaderMap, client: &Client, admin: bool) -> Vec<FieldError> {
    let tenant = headers.get(TENANT_ID).is_some_and(|value| !value.is_empty());
    let all = [
        ("X-Tenant-ID", tenant, "is required: the tenant's slug or UUID"),
        (
            "X-Forwarded-For",
            admin || client.forwarded_for.is_some(),
            "is required: the end user's IP address",
        ),
        (
            "X-Forwarded-From",
            admin || client.source.is_some(),
            "is required: the name of the calling application",
        ),
        ("platform", admin || client.platform.is_some(), "is required: web, mobile, ios, android, …"),
        ("deviceId", admin || client.device_id.is_some(), "is required: the app's id for this device"),
    ];
    all.into_iter().filter(|(_, there, _)| !there).map(|(name, _, why)| FieldError::new(name, why)).collect()
}

/// X-Device-Proof: what cannot be a proof is as if it were not there.
#[must_use]
pub fn device_proof(headers: &HeaderMap) -> Option<SecretString> {
    headers.get(DEVICE_PROOF)?.to_str().ok().map(SecretString::from)
}

/// X-Tenant-ID: missing is told, unreadable is a tenant that nobody knows.
pub fn tenant(headers: &HeaderMap) -> Result<TenantName, Error> {
    let missing = || {
        Error::MissingHeaders(vec![FieldError::new("X-Tenant-ID", "is required: the tenant's slug or UUID")])
    };
    let text = text(headers, TENANT_ID, MAX_BYTES)?.ok_or_else(missing)?;
    TenantName::parse(text).ok_or(Error::Tenant(TenantProblem::Unknown))
}

/// The bearer token (RFC 6750 §2.1): `None` without the header or with another scheme.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// X-Tenant-ID where it may be left out: `None` without it; unreadable is a tenant that nobody knows.
pub fn maybe_tenant(headers: &HeaderMap) -> Result<Option<TenantName>, Error> {
    if headers.contains_key(TENANT_ID) { tenant(headers).map(Some) } else { Ok(None) }
}

/// Whether HTTP Basic is meant, well-formed or not.
#[must_use]
pub fn is_basic(headers: &HeaderMap) -> bool {
    let scheme =
        headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().split(|byte| *byte == b' ').next());
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic"))
}

/// Name and password of HTTP Basic (RFC 7617): `None` without the header, with another scheme, or where they cannot
/// be anybody's.
#[must_use]
pub fn basic(headers: &HeaderMap) -> Option<(String, SecretString)> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || credentials.len() > 4 * MAX_BYTES {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD.decode(credentials.trim_matches(' ')).ok()?);
    let (name, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    (fits(name) && fits(password)).then(|| (name.to_owned(), SecretString::from(password)))
}

/// The same name and password as an OAuth client means them, who encodes both as a form's before (RFC 6749 §2.3.1): `None`
/// where that makes no difference, or they cannot be anybody's.
#[must_use]
pub fn form_decoded(name: &str, password: &SecretString) -> Option<(String, SecretString)> {
    let password = password.expose_secret();
    let is_encoded = [name, password].iter().any(|text| text.contains(['%', '+']));
    let decoded = |text: &str| {
        let form = Zeroizing::new(format!("={text}"));
        let mut pairs = form_urlencoded::parse(form.as_bytes());
        let (_, value) = pairs.next().filter(|(_, value)| fits(value))?;
        // What has a bare `&` was not encoded.
        pairs.next().is_none().then(|| value.into_owned())
    };
    if !is_encoded {
        return None;
    }
    Some((decoded(name)?, SecretString::from(decoded(password)?)))
}

fn fits(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && !text.chars().any(is_unfit)
}

/// A browser's Origin, as it is.
#[must_use]
pub fn origin(headers: &HeaderMap) -> Option<WebOrigin> {
    // What is not text is some browser's mistake: an origin nobody lists.
    let value = headers.get(ORIGIN)?;
    Some(WebOrigin::new(value.to_str().unwrap_or("null").to_owned()))
}

/// A header of ours by name, for the middleware.
#[must_use]
pub fn token_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    let fits = (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    fits.then(|| text.to_owned())
}
