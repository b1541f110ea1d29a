//! Forwarded addresses: what stands left of the hop that counts never matters (R130), and no header is misread.
#![no_main]

use std::net::IpAddr;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use vestibule::app::Proxies;
use vestibule::client_address::{AddressReason, Chain, ClientAddress, parse_hop};
use vestibule::config::{IpNetwork, ProxyHeader};
use vestibule::http::headers;

static TRUSTED: LazyLock<Vec<IpNetwork>> =
    LazyLock::new(|| ["10.0.0.0/8", "fd00::/16"].map(|network| network.parse().expect("a network")).into());

fn is_trusted(ip: IpAddr) -> bool {
    TRUSTED.iter().any(|network| network.contains(ip))
}

/// The hops as each header would have them; nobody writes the last two.
const fn spoofed(header: ProxyHeader) -> [&'static str; 4] {
    match header {
        ProxyHeader::XForwardedFor => ["198.51.100.7", "10.9.9.9", "rubbish", ""],
        ProxyHeader::Forwarded => ["for=198.51.100.7", "for=\"[fd00::9]\"", "for=\"", ""],
    }
}

fn decide(header: ProxyHeader, peer: IpAddr, text: &str) {
    let address = ClientAddress::decide(peer, Some(Chain::new(header, text)), is_trusted);
    assert_eq!(address.ip, address.ip.to_canonical());
    match address.reason {
        AddressReason::Peer => assert!(address.ip == peer && !is_trusted(peer)),
        AddressReason::Unreadable => assert!(address.ip == peer && is_trusted(peer)),
        AddressReason::Forwarded => assert!(is_trusted(peer)),
        AddressReason::Vouched => panic!("nobody vouched"),
    }
    // What somebody writes before it.
    for spoofed in spoofed(header) {
        let text = format!("{spoofed},{text}");
        let longer = ClientAddress::decide(peer, Some(Chain::new(header, &text)), is_trusted);
        assert!(
            longer == address || (address.reason == AddressReason::Forwarded && is_trusted(address.ip)),
            "{spoofed:?} made {longer:?} of {address:?}: {text:?}"
        );
    }
    let vouched = address.vouched(peer, text, is_trusted);
    assert_eq!(vouched.ip, vouched.ip.to_canonical());
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let peer: IpAddr = if kind & 1 == 0 { [10, 0, 0, 1].into() } else { [192, 0, 2, 9].into() };
    let header = if kind & 2 == 0 { ProxyHeader::XForwardedFor } else { ProxyHeader::Forwarded };
    if let Ok(text) = std::str::from_utf8(rest) {
        if let Some(ip) = parse_hop(text) {
            assert_eq!(ip, ip.to_canonical());
            assert_eq!(parse_hop(&ip.to_string()), Some(ip));
        }
        decide(header, peer, text);
    }
    // The same bytes as lines of a header.
    let mut map = HeaderMap::new();
    for line in rest.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    let proxies = Proxies { trusted: TRUSTED.clone(), header };
    if headers::check(&map, peer, &proxies).is_ok() && !is_trusted(peer) {
        assert!(map.get_all("x-forwarded-for").iter().count() <= 1);
    }
    let _read = (headers::bearer(&map), headers::tenant(&map).is_ok());
    if let Some((name, password)) = headers::basic(&map) {
        let _decoded = headers::form_decoded(&name, &password);
    }
});
