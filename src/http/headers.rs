//! The request's headers: each read once, each hostile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONNECTION, ORIGIN, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use crate::app::App;
use crate::client::{Client, ClientAddress, WebOrigin};
use crate::error::{Error, FieldError};
use crate::tenants::TenantName;
use crate::users::is_unfit;

use super::middleware::RequestId;

/// The longest header that describes a device or a caller, in bytes (R135).
const MAX_BYTES: usize = 256;

/// The longest User-Agent, in bytes: apps that embed browsers send long ones.
const MAX_AGENT_BYTES: usize = 1024;

const TENANT_ID: &str = "x-tenant-id";
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_FROM: &str = "x-forwarded-from";
const PLATFORM: [&str; 2] = ["platform", "sec-ch-ua-platform"];
const DEVICE_ID: [&str; 3] = ["deviceid", "x-device-id", "device-id"];

/// The headers that mean something to us. Each may be there once (R127, R133).
const OURS: [&str; 13] = [
    TENANT_ID,
    FORWARDED_FOR,
    FORWARDED_FROM,
    "platform",
    "sec-ch-ua-platform",
    "deviceid",
    "x-device-id",
    "device-id",
    "authorization",
    "content-type",
    "origin",
    "x-request-id",
    "x-correlation-id",
];

/// Refuses a header of ours that is there twice, that is spelled with underscores (which some proxies
/// take for the same name), or that `Connection` tells proxies to drop (R133).
pub fn check(headers: &HeaderMap) -> Result<(), Error> {
    for name in OURS {
        if headers.get_all(name).iter().nth(1).is_some() {
            return Err(Error::malformed(name, "must be sent once"));
        }
    }
    for name in headers.keys() {
        let dashed = name.as_str().replace('_', "-");
        if dashed != name.as_str() && OURS.contains(&dashed.as_str()) {
            return Err(Error::malformed(name.as_str(), format!("must be spelled {dashed}")));
        }
    }
    let dropped = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    for name in dropped.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()) {
        if OURS.contains(&name.as_str()) {
            return Err(Error::malformed("connection", format!("must not list {name}")));
        }
    }
    Ok(())
}

/// A header as text: `None` if it is not there or empty.
fn text<'a>(headers: &'a HeaderMap, name: &str, most: usize) -> Result<Option<&'a str>, Error> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Error::invalid(name, "must be text in UTF-8"))?
        .trim_matches([' ', '\t']);
    if text.len() > most {
        return Err(Error::invalid(name, format!("may have {most} bytes at most")));
    }
    if text.chars().any(is_unfit) {
        return Err(Error::invalid(name, "must not have control, formatting or invisible characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
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
    let peer = peer(parts);
    let forwarded_for = text(headers, FORWARDED_FOR, 2 * MAX_BYTES)?.map(str::to_owned);
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
    // The client hint arrives as a quoted string: `"Windows"` (RFC 8941 §3.3.3).
    let platform = first(headers, &PLATFORM)?.map(|platform| platform.trim_matches('"').to_owned());
    Ok(Client {
        peer,
        address: ClientAddress::decide(peer, forwarded_for.as_deref(), |ip| app.options.trusts(ip)),
        forwarded_for,
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

/// The other end of the connection; loopback where there is none (a router called in process).
#[must_use]
pub fn peer(parts: &Parts) -> IpAddr {
    parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip().to_canonical())
}

/// The headers of a login that are not there, all of them at once. On the admin family only X-Tenant-ID
/// is required: its pages disagree, and clients exist that send nothing else (contract.md §1).
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

/// X-Tenant-ID: missing is told, unreadable is a tenant that nobody knows.
pub fn tenant(headers: &HeaderMap) -> Result<TenantName, Error> {
    let missing = || {
        Error::MissingHeaders(vec![FieldError::new("X-Tenant-ID", "is required: the tenant's slug or UUID")])
    };
    let text = text(headers, TENANT_ID, MAX_BYTES)?.ok_or_else(missing)?;
    TenantName::parse(text).ok_or(Error::Tenant)
}

/// The bearer token (RFC 6750 §2.1): `None` without the header or with another scheme.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
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
