//! Which address counts as a request's client's, and why that one.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::config::ProxyHeader;

/// What may stand around a hop.
const BLANKS: [char; 2] = [' ', '\t'];

/// Why an address was taken for the client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressReason {
    /// The other end of the connection: it is no trusted proxy, or named nobody.
    Peer,
    /// The right-most hop that is not a trusted proxy's, by the header that trusted proxies write.
    Forwarded,
    /// The right-most such hop of X-Forwarded-For, because a `backend` key vouched for it and the tenant believes
    /// its backends.
    Vouched,
    /// The peer, since what could be believed could not be read.
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

/// The hops that a request came by, as the header says that its trusted proxies write: the nearest is the right-most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chain<'a> {
    header: ProxyHeader,
    text: &'a str,
}

impl<'a> Chain<'a> {
    /// The lines of one header, joined by commas in their order.
    #[must_use]
    pub const fn new(header: ProxyHeader, text: &'a str) -> Self {
        Self { header, text }
    }

    /// The hops as they were sent, the right-most first.
    ///
    /// Also Forwarded is cut at every comma, quoted or not: no proxy writes one inside of quotes, and a quote that is
    /// opened on the left, by whoever, must not swallow what stands on the right.
    pub fn hops(self) -> impl Iterator<Item = &'a str> {
        self.text.split(',').rev().map(|hop| hop.trim_matches(BLANKS))
    }

    /// A hop's address.
    #[must_use]
    pub fn address(self, hop: &str) -> Option<IpAddr> {
        match self.header {
            ProxyHeader::XForwardedFor => parse_hop(hop),
            ProxyHeader::Forwarded => parse_element(hop),
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
    /// of the chain that is not. What stands left of that hop never matters, and what cannot be
    /// read makes it the peer.
    #[must_use]
    pub fn decide(peer: IpAddr, chain: Option<Chain<'_>>, trusted: impl Fn(IpAddr) -> bool) -> Self {
        Walk::along(peer, chain, trusted).address
    }

    /// The same, when a tenant's backend vouches for the X-Forwarded-For that it sent: the peer counts as trusted, and so
    /// does the backend's own address.
    #[must_use]
    pub fn vouched(self, peer: IpAddr, forwarded_for: &str, trusted: impl Fn(IpAddr) -> bool) -> Self {
        Walk::vouched(self, peer, forwarded_for, trusted).address
    }
}

/// A decision with how far it had to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walk {
    pub address: ClientAddress,
    /// How many hops were read, from the right; the last of them decided.
    pub read: usize,
}

impl Walk {
    /// As [`ClientAddress::decide`].
    #[must_use]
    pub fn along(peer: IpAddr, chain: Option<Chain<'_>>, trusted: impl Fn(IpAddr) -> bool) -> Self {
        let peer = peer.to_canonical();
        let mut walk = Self { address: ClientAddress { ip: peer, reason: AddressReason::Peer }, read: 0 };
        let Some(chain) = chain.filter(|_| trusted(peer)) else { return walk };
        for hop in chain.hops() {
            walk.read += 1;
            let Some(ip) = chain.address(hop) else {
                walk.address = ClientAddress { ip: peer, reason: AddressReason::Unreadable };
                break;
            };
            walk.address = ClientAddress { ip, reason: AddressReason::Forwarded };
            if !trusted(ip) {
                break;
            }
        }
        walk
    }

    /// As [`ClientAddress::vouched`], from what was decided without the backend's word.
    ///
    /// A proxy before us may have written the backend's own address behind what it sent: that one hop is passed over, and
    /// no other of that address. Where nothing stands left of it, the backend has vouched for nobody.
    #[must_use]
    pub fn vouched(
        decided: ClientAddress,
        peer: IpAddr,
        forwarded_for: &str,
        trusted: impl Fn(IpAddr) -> bool,
    ) -> Self {
        let peer = peer.to_canonical();
        let chain = Chain::new(ProxyHeader::XForwardedFor, forwarded_for);
        let own = Cell::new((decided.ip != peer).then_some(decided.ip));
        let is_own = Cell::new(false);
        let mut walk = Self::along(peer, Some(chain), |ip| {
            if ip == peer || trusted(ip) {
                return true;
            }
            is_own.set(own.take() == Some(ip));
            is_own.get()
        });
        match walk.address.reason {
            AddressReason::Forwarded if is_own.get() || walk.address.ip == peer => walk.address = decided,
            AddressReason::Forwarded => walk.address.reason = AddressReason::Vouched,
            _ => walk.address.ip = decided.ip,
        }
        walk
    }
}

/// One hop of X-Forwarded-For: an IPv4 or IPv6 address, the latter also in brackets, either with a port.
/// An IPv4 address in IPv6 clothes is the IPv4 address (R134).
#[must_use]
pub fn parse_hop(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches(BLANKS);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|ip| ip.to_canonical())
}

/// The address in an element's `for` (RFC 7239 §4): `None` where there is none or more than one, and for `unknown` and
/// the names that proxies make up.
fn parse_element(element: &str) -> Option<IpAddr> {
    let mut node = None;
    for pair in element.split(';').map(|pair| pair.trim_matches(BLANKS)).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
            return None;
        }
    }
    let node = node?;
    parse_hop(node.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(node))
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::AddressReason::{Forwarded, Peer, Unreadable, Vouched};
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn is_ten(ip: IpAddr) -> bool {
        ip.to_string().starts_with("10.")
    }

    fn decide(header: ProxyHeader, peer: &str, chain: &str) -> (String, AddressReason) {
        let address = ClientAddress::decide(ip(peer), Some(Chain::new(header, chain)), is_ten);
        (address.ip.to_string(), address.reason)
    }

    #[test]
    fn R130_R134_the_address_is_the_peer_or_the_right_most_hop_that_is_not_trusted() {
        for (peer, chain, expected, reason) in [
            ("203.0.113.9", "198.51.100.1", "203.0.113.9", Peer),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1", Forwarded),
            ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1", Forwarded),
            ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1", Forwarded),
            ("10.0.0.1", "[2001:db8::1]", "2001:db8::1", Forwarded),
            ("10.0.0.1", "2001:db8::1", "2001:db8::1", Forwarded),
            ("10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "[::ffff:198.51.100.1]:4711", "198.51.100.1", Forwarded),
            ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1", Forwarded),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1", Forwarded),
            ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9", Peer),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3", Forwarded),
            ("10.0.0.1", "garbage", "10.0.0.1", Unreadable),
            ("10.0.0.1", "198.51.100.1, ", "10.0.0.1", Unreadable),
            ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.1", Unreadable),
            ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1", Forwarded),
            ("10.0.0.1", "for=198.51.100.1", "10.0.0.1", Unreadable),
            ("10.0.0.1", "", "10.0.0.1", Unreadable),
        ] {
            let decided = decide(ProxyHeader::XForwardedFor, peer, chain);
            assert_eq!(decided, (expected.to_owned(), reason), "{peer} {chain}");
        }
    }

    #[test]
    fn R130_forwarded_is_read_as_RFC_7239_has_it() {
        for (chain, expected, reason) in [
            ("for=198.51.100.1", "198.51.100.1", Forwarded),
            ("For=198.51.100.1;proto=https;by=203.0.113.43", "198.51.100.1", Forwarded),
            ("proto=https; FOR=\"198.51.100.1:4711\" ;host=a.test", "198.51.100.1", Forwarded),
            ("for=\"[2001:db8::1]\"", "2001:db8::1", Forwarded),
            ("for=\"[2001:db8::1]:4711\"", "2001:db8::1", Forwarded),
            ("for=\"[::ffff:198.51.100.1]\"", "198.51.100.1", Forwarded),
            ("for=1.1.1.1, for=198.51.100.1, for=10.0.0.2", "198.51.100.1", Forwarded),
            ("for=\", for=198.51.100.1", "198.51.100.1", Forwarded),
            ("for=198.51.100.1;;", "198.51.100.1", Forwarded),
            ("for=unknown", "10.0.0.1", Unreadable),
            ("for=_hidden", "10.0.0.1", Unreadable),
            ("for=198.51.100.1;for=198.51.100.2", "10.0.0.1", Unreadable),
            ("for=198.51.100.1;garbage", "10.0.0.1", Unreadable),
            ("for=\"198.51.100.1", "10.0.0.1", Unreadable),
            ("by=198.51.100.1", "10.0.0.1", Unreadable),
            ("198.51.100.1", "10.0.0.1", Unreadable),
            ("for=198.51.100.1, ", "10.0.0.1", Unreadable),
            ("", "10.0.0.1", Unreadable),
        ] {
            let decided = decide(ProxyHeader::Forwarded, "10.0.0.1", chain);
            assert_eq!(decided, (expected.to_owned(), reason), "{chain}");
        }
        assert_eq!(decide(ProxyHeader::Forwarded, "203.0.113.9", "for=198.51.100.1").0, "203.0.113.9");
    }

    #[test]
    fn a_backend_vouches_for_what_it_forwards() {
        let decided = |ip, reason| ClientAddress { ip, reason };
        let peer = ip("203.0.113.9");
        let (direct, behind) = (decided(peer, Peer), decided(ip("192.0.2.1"), Forwarded));
        for (before, peer, chain, expected) in [
            (direct, peer, "1.1.1.1, 198.51.100.1", decided(ip("198.51.100.1"), Vouched)),
            (direct, peer, "127.0.0.1x", decided(peer, Unreadable)),
            // It forwards for nobody.
            (direct, peer, "203.0.113.9", direct),
            // Behind a proxy that writes X-Forwarded-For: it has appended the backend.
            (behind, ip("10.0.0.1"), "198.51.100.1, 192.0.2.1", decided(ip("198.51.100.1"), Vouched)),
            (
                behind,
                ip("10.0.0.1"),
                "1.1.1.1, 198.51.100.1, 192.0.2.1, 10.0.0.2",
                decided(ip("198.51.100.1"), Vouched),
            ),
            (behind, ip("10.0.0.1"), "192.0.2.1", behind),
            // A user who reaches the backend from its own address, whatever they made up.
            (behind, ip("10.0.0.1"), "6.6.6.6, 192.0.2.1, 192.0.2.1", decided(behind.ip, Vouched)),
            (behind, ip("10.0.0.1"), "garbage, 192.0.2.1", decided(behind.ip, Unreadable)),
            // Behind one that writes Forwarded, which named the backend.
            (behind, ip("10.0.0.1"), "198.51.100.1", decided(ip("198.51.100.1"), Vouched)),
            (behind, ip("10.0.0.1"), "garbage", decided(behind.ip, Unreadable)),
        ] {
            assert_eq!(before.vouched(peer, chain, is_ten), expected, "{chain}");
        }
    }

    proptest! {
        #[test]
        fn R130_what_stands_left_of_the_decisive_hop_never_matters(left in ".*") {
            for (header, hop, proxy) in [
                (ProxyHeader::XForwardedFor, "198.51.100.1", "10.0.0.2"),
                (ProxyHeader::Forwarded, "for=198.51.100.1", "for=10.0.0.2"),
            ] {
                let chain = format!("{left}, {hop}, {proxy}");
                prop_assert_eq!(decide(header, "10.0.0.1", &chain), ("198.51.100.1".to_owned(), Forwarded));
            }
        }

        #[test]
        fn R130_nothing_that_is_forwarded_moves_an_untrusted_peer(chain in ".*") {
            for header in [ProxyHeader::XForwardedFor, ProxyHeader::Forwarded] {
                prop_assert_eq!(decide(header, "203.0.113.9", &chain), ("203.0.113.9".to_owned(), Peer));
            }
        }
    }
}
