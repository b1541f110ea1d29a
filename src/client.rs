//! The client of a request: its address, why that one, and what it says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use crate::ids::TenantId;

/// Why an address was taken for the client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressReason {
    /// The other end of the connection: nobody between is trusted.
    Peer,
    /// The right-most hop of X-Forwarded-For that is not a trusted proxy's.
    Forwarded,
    /// The same, because a `backend` key vouched for it and the tenant believes its backends.
    Vouched,
    /// The peer, since X-Forwarded-For could be believed but not read.
    Unreadable,
}

impl AddressReason {
    /// The word in the database and in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Forwarded => "forwarded",
            Self::Vouched => "vouched",
            Self::Unreadable => "unreadable",
        }
    }
}

/// The address that counts, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress {
    /// Never an IPv4 address in IPv6 clothes.
    pub ip: IpAddr,
    pub reason: AddressReason,
}

impl ClientAddress {
    /// Decides the client's address (R130): the peer, unless the peer is trusted; then the right-most hop
    /// of X-Forwarded-For that is not. What stands left of that hop never matters, and what cannot be
    /// read makes it the peer.
    #[must_use]
    pub fn decide(peer: IpAddr, forwarded_for: Option<&str>, trusted: impl Fn(IpAddr) -> bool) -> Self {
        let peer = peer.to_canonical();
        let as_peer = |reason| Self { ip: peer, reason };
        let Some(chain) = forwarded_for.filter(|_| trusted(peer)) else {
            return as_peer(AddressReason::Peer);
        };
        let mut furthest = None;
        for hop in chain.split(',').rev() {
            let Some(ip) = parse_hop(hop) else { return as_peer(AddressReason::Unreadable) };
            furthest = Some(ip);
            if !trusted(ip) {
                break;
            }
        }
        furthest
            .map_or(as_peer(AddressReason::Unreadable), |ip| Self { ip, reason: AddressReason::Forwarded })
    }

    /// The same, when a tenant's backend vouches for what it forwards: the peer counts as trusted.
    #[must_use]
    pub fn vouched(peer: IpAddr, forwarded_for: Option<&str>, trusted: impl Fn(IpAddr) -> bool) -> Self {
        let peer = peer.to_canonical();
        let mut address = Self::decide(peer, forwarded_for, |ip| ip == peer || trusted(ip));
        if address.reason == AddressReason::Forwarded {
            address.reason = AddressReason::Vouched;
        }
        address
    }
}

/// One hop of X-Forwarded-For: an IPv4 or IPv6 address, the latter also in brackets, either with a port.
/// An IPv4 address in IPv6 clothes is the IPv4 address (R134).
#[must_use]
pub fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|ip| ip.to_canonical())
}

/// The network of an address, as far as one provider's customer stays in it: IPv4 /24, IPv6 /48.
#[must_use]
pub fn network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{}/24", Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

/// The browser origin that a request came from, and whether the tenant lets it call.
///
/// A preflight names no tenant; the call itself does, so the flow that reads the tenant decides, and the
/// answer's CORS headers follow from that.
#[derive(Clone, Debug)]
pub struct WebOrigin {
    origin: String,
    admitted: Arc<AtomicBool>,
}

impl WebOrigin {
    /// Not admitted until a flow says so.
    #[must_use]
    pub fn new(origin: String) -> Self {
        Self { origin, admitted: Arc::default() }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Says, for every clone, that the tenant lets it call: for the flow that has read the tenant.
    pub fn admit(&self) {
        self.admitted.store(true, Ordering::Relaxed);
    }

    /// Whether the answer may be read by the web app.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        self.admitted.load(Ordering::Relaxed)
    }
}

/// Which tenant a request turned out to be of, once that is proven: for the log's line.
#[derive(Clone, Default, Debug)]
pub struct SeenTenant(Arc<OnceLock<TenantId>>);

impl SeenTenant {
    /// The first word counts.
    pub fn see(&self, tenant: &TenantId) {
        self.0.get_or_init(|| tenant.clone());
    }

    /// `None` while no tenant is proven.
    #[must_use]
    pub fn get(&self) -> Option<&TenantId> {
        self.0.get()
    }
}

/// What is known of a request's client: kept with its session and in its events.
#[derive(Clone, Debug)]
pub struct Client {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// The address that counts.
    pub address: ClientAddress,
    /// X-Forwarded-For as sent: recorded, and believed only where configured.
    pub forwarded_for: Option<String>,
    /// X-Forwarded-From: what the calling application calls itself.
    pub source: Option<String>,
    /// `platform` or its alias; `None` where the call needs none.
    pub platform: Option<String>,
    /// `deviceId` or an alias: what the app calls this device, and no proof of anything.
    pub device_id: Option<String>,
    pub user_agent: Option<String>,
    /// X-Request-ID as sent, or ours.
    pub request_id: String,
    /// X-Correlation-ID as sent: recorded.
    pub correlation_id: Option<String>,
    /// Shared with the middleware that writes the log's line.
    pub tenant: SeenTenant,
    /// The Origin header: a browser's word for the web app that calls.
    pub web_origin: Option<WebOrigin>,
}

impl Client {
    /// Takes an address from elsewhere in place of a missing X-Forwarded-For: recorded and believed alike.
    pub fn forward(&mut self, address: String, trusted: impl Fn(IpAddr) -> bool) {
        self.address = ClientAddress::decide(self.peer, Some(&address), trusted);
        self.forwarded_for = Some(address);
    }

    /// Admits the call's origin, or refuses: a web app calls only where its tenant says so. Our own
    /// origin may always call; a client without one is no browser's web app.
    #[must_use]
    pub fn origin_is_admitted(&self, listed: bool, public_url: &str) -> bool {
        let Some(origin) = &self.web_origin else { return true };
        let admitted = listed || origin.as_str() == public_url;
        if admitted {
            origin.admit();
        }
        admitted
    }
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn decide(peer: &str, chain: &str) -> (String, AddressReason) {
        let trusted = |ip: IpAddr| ip.to_string().starts_with("10.");
        let address = ClientAddress::decide(ip(peer), Some(chain), trusted);
        (address.ip.to_string(), address.reason)
    }

    #[test]
    fn R130_the_address_is_the_peer_or_the_right_most_hop_that_is_not_trusted() {
        use AddressReason::{Forwarded, Peer, Unreadable};
        for (peer, chain, expected, reason) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9", Peer),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1", Forwarded),
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1", Forwarded),
            ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", Forwarded),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1", Forwarded),
            ("10.0.0.1", "2001:db8::1", "2001:db8::1", Forwarded),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1", Forwarded),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", Forwarded),
            ("10.0.0.1", "garbage", "10.0.0.1", Unreadable),
            ("10.0.0.1", "198.51.100.1, ", "10.0.0.1", Unreadable),
            ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "", "10.0.0.1", Unreadable),
        ] {
            assert_eq!(decide(peer, chain), (expected.to_owned(), reason), "{peer} {chain}");
        }
    }

    #[test]
    fn a_backend_vouches_for_what_it_forwards() {
        let address = ClientAddress::vouched(ip("203.0.113.9"), Some("1.1.1.1, 198.51.100.1"), |_| false);
        assert_eq!((address.ip, address.reason), (ip("198.51.100.1"), AddressReason::Vouched));
        let address = ClientAddress::vouched(ip("203.0.113.9"), Some("127.0.0.1x"), |_| false);
        assert_eq!((address.ip, address.reason), (ip("203.0.113.9"), AddressReason::Unreadable));
    }

    proptest! {
        #[test]
        fn R130_what_stands_left_of_the_decisive_hop_never_matters(left in ".*") {
            let chain = format!("{left}, 198.51.100.1, 10.0.0.2");
            prop_assert_eq!(decide("10.0.0.1", &chain).0, "198.51.100.1");
        }
    }
}
