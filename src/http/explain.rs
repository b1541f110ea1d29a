//! Why an address counts as a client's: the decision that every request goes through, told hop by hop.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Proxies;
use crate::client_address::{AddressReason, Chain, Walk};
use crate::config::ProxyHeader;
use crate::error::{Error, FieldError};

use super::headers::{self, Forwarding};

/// The most headers that are explained at once: as many as a request may have.
const MAX_HEADERS: usize = 100;

/// Headers from which others take a client's address, or by whom a request came. None means anything here.
const IGNORED: [&str; 21] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded-for",
    "forwarded-for-ip",
    "true-client-ip",
    "via",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-forwarded",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-server",
    "x-original-forwarded-for",
    "x-original-host",
    "x-real-ip",
];

/// A request of which the decision is asked: nothing of it need have happened.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Its header lines as sent, each `Name: value`.
    pub headers: &'a [String],
    /// Whether a good `backend` key vouches for X-Forwarded-For, and its tenant believes its backends.
    pub vouched: bool,
}

/// Which address counts as a client's, and why.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressExplanation {
    /// The address that counts: in sessions, events and limits. Null where the request is refused.
    pub client_ip: Option<String>,
    /// `peer`, `forwarded`, `vouched` or `unreadable`, as events have it; null where the request is refused.
    pub client_ip_reason: Option<String>,
    /// The same in a sentence.
    pub because: String,
    /// The other end of the connection; an IPv4 address in IPv6 clothes is the IPv4 address.
    pub peer: String,
    /// Whether it is in `trusted_proxies`.
    pub peer_is_trusted: bool,
    /// `proxy_header`: the one header that trusted proxies write.
    pub proxy_header: String,
    /// Every hop of the header that was read or would have been, the right-most first.
    pub hops: Vec<ExplainedHop>,
    /// What was sent and means nothing for the address.
    pub ignored: Vec<IgnoredHeader>,
}

/// What one hop was to the decision.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainedHop {
    /// As sent.
    pub text: String,
    /// The address in it; null where there is none.
    pub ip: Option<String>,
    /// `chosen`; `trusted`: a trusted proxy, so the next one to the left was read; `unreadable`, so the peer counts;
    /// `not_read`: nothing depends on it.
    pub verdict: String,
}

/// A header that means nothing for the address.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IgnoredHeader {
    /// As sent, in lower case.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Decides as for a request, and tells how.
///
/// # Errors
/// A header line that is none; never what a request would be refused for, which is part of what is told.
pub fn explain(asked: &Asked<'_>, proxies: &Proxies) -> Result<AddressExplanation, Error> {
    let headers = header_map(asked.headers)?;
    let peer = asked.peer.to_canonical();
    let peer_is_trusted = proxies.trusts(peer);
    let mut told = AddressExplanation {
        client_ip: None,
        client_ip_reason: None,
        because: String::new(),
        peer: peer.to_string(),
        peer_is_trusted,
        proxy_header: proxies.header.as_str().to_owned(),
        hops: Vec::new(),
        ignored: ignored(&headers, peer_is_trusted, asked.vouched, proxies.header),
    };
    let read = headers::check(&headers, peer, proxies).and_then(|()| headers::forwarding(&headers, proxies));
    let Forwarding { forwarded_for, forwarded } = match read {
        Ok(read) => read,
        Err(error) => {
            told.because = format!("The request is refused: {}.", problem(&error));
            return Ok(told);
        }
    };
    let chain = headers::chain(proxies, forwarded_for.as_deref(), forwarded.as_deref());
    let trusted = |ip| proxies.trusts(ip);
    let walk = Walk::along(peer, chain, trusted);
    let (chain, walk) = match forwarded_for.as_deref().filter(|_| asked.vouched) {
        Some(text) => (
            Some(Chain::new(ProxyHeader::XForwardedFor, text)),
            Walk::vouched(walk.address, peer, text, trusted),
        ),
        None => (chain, walk),
    };
    told.because = because(&told, &walk, chain, |ip| trusted(ip) || (asked.vouched && ip == peer));
    told.hops = chain.map(|chain| hops(chain, &walk)).unwrap_or_default();
    told.client_ip = Some(walk.address.ip.to_string());
    told.client_ip_reason = Some(walk.address.reason.as_str().to_owned());
    Ok(told)
}

fn header_map(lines: &[String]) -> Result<HeaderMap, Error> {
    if lines.len() > MAX_HEADERS {
        return Err(Error::invalid("headers", format!("may be {MAX_HEADERS} at most")));
    }
    let mut map = HeaderMap::new();
    for (number, line) in lines.iter().enumerate() {
        let wrong = |problem: &str| Error::invalid(format!("headers[{number}]"), problem);
        let (name, value) =
            line.split_once(':').ok_or_else(|| wrong("must be like \"X-Forwarded-For: 198.51.100.7\""))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| wrong("must begin with a header's name and a colon"))?;
        let value = HeaderValue::from_bytes(value.trim_matches([' ', '\t']).as_bytes())
            .map_err(|_| wrong("must not have control characters"))?;
        map.append(name, value);
    }
    Ok(map)
}

/// What an error says is wrong.
fn problem(error: &Error) -> String {
    let of = |FieldError { field, message }: &FieldError| format!("{field} {message}");
    match error {
        Error::Validation(fields) => fields.iter().map(of).collect::<Vec<_>>().join("; "),
        Error::Malformed(field) => of(field),
        other => other.to_string(),
    }
}

fn ignored(
    headers: &HeaderMap,
    peer_is_trusted: bool,
    vouched: bool,
    read: ProxyHeader,
) -> Vec<IgnoredHeader> {
    let mut all = Vec::new();
    let mut told = |name: &str, why: &str| {
        if headers.contains_key(name) {
            all.push(IgnoredHeader { name: name.to_owned(), why: why.to_owned() });
        }
    };
    for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
        let name = header.as_str().to_ascii_lowercase();
        let is_recorded = header == ProxyHeader::XForwardedFor || header == read;
        match (header == read, peer_is_trusted, is_recorded) {
            _ if vouched && header == ProxyHeader::XForwardedFor => (),
            (true, true, _) => (),
            (true, false, _) => {
                told(&name, "Recorded, and not believed: the peer is no trusted proxy.");
            }
            (false, _, true) => told(
                &name,
                "Recorded, and not believed: proxy_header says that trusted proxies write the other.",
            ),
            (false, _, false) => {
                told(&name, "Not looked at: proxy_header says that trusted proxies write the other.");
            }
        }
    }
    for name in IGNORED {
        told(name, "Never looked at.");
    }
    all
}

fn because(
    told: &AddressExplanation,
    walk: &Walk,
    chain: Option<Chain<'_>>,
    trusted: impl Fn(IpAddr) -> bool,
) -> String {
    let (peer, header, ip) = (&told.peer, &told.proxy_header, walk.address.ip);
    match walk.address.reason {
        AddressReason::Peer if told.peer_is_trusted && chain.is_none() => {
            format!("{peer} is a trusted proxy and sent no {header}, so it counts itself.")
        }
        AddressReason::Peer => format!("{peer} is no trusted proxy, so it counts, whatever it sent."),
        AddressReason::Unreadable => format!(
            "Hop {} from the right cannot be read, so nothing to the left is believed, and {ip} counts.",
            walk.read
        ),
        AddressReason::Forwarded | AddressReason::Vouched => {
            let word = if walk.address.reason == AddressReason::Vouched {
                "A backend key vouches for X-Forwarded-For; from".to_owned()
            } else {
                format!("{peer} is a trusted proxy, so {header} is believed; from")
            };
            if trusted(ip) {
                format!("{word} the right, all hops are trusted, and the left-most one counts.")
            } else {
                format!("{word} the right, {ip} is the first hop that is no trusted proxy.")
            }
        }
    }
}

fn hops(chain: Chain<'_>, walk: &Walk) -> Vec<ExplainedHop> {
    let one = |(number, text): (usize, &str)| {
        let ip = chain.address(text);
        let verdict = match (number + 1).cmp(&walk.read) {
            std::cmp::Ordering::Less => "trusted",
            std::cmp::Ordering::Equal if ip.is_none() => "unreadable",
            std::cmp::Ordering::Equal => "chosen",
            std::cmp::Ordering::Greater => "not_read",
        };
        ExplainedHop { text: text.to_owned(), ip: ip.map(|ip| ip.to_string()), verdict: verdict.to_owned() }
    };
    chain.hops().enumerate().map(one).collect()
}
