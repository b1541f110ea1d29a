//! Forwarded addresses: what stands left of the hop that counts never matters (R130), and no header is misread.
#![no_main]

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use vestibule::client::{AddressReason, ClientAddress, parse_hop};
use vestibule::http::headers;

fn is_trusted(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.segments()[0] == 0xfd00,
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else { return };
    let peer: IpAddr = if kind & 1 == 0 { [10, 0, 0, 1].into() } else { [192, 0, 2, 9].into() };
    if let Ok(chain) = std::str::from_utf8(rest) {
        if let Some(ip) = parse_hop(chain) {
            assert_eq!(ip, ip.to_canonical());
            assert_eq!(parse_hop(&ip.to_string()), Some(ip));
        }
        let address = ClientAddress::decide(peer, Some(chain), is_trusted);
        assert_eq!(address.ip, address.ip.to_canonical());
        match address.reason {
            AddressReason::Peer => assert!(address.ip == peer && !is_trusted(peer)),
            AddressReason::Unreadable => assert!(address.ip == peer && is_trusted(peer)),
            AddressReason::Forwarded => assert!(is_trusted(peer)),
            AddressReason::Vouched => panic!("nobody vouched"),
        }
        // What somebody writes before it.
        for spoofed in ["198.51.100.7", "10.9.9.9", "rubbish", ""] {
            let longer = ClientAddress::decide(peer, Some(&format!("{spoofed},{chain}")), is_trusted);
            assert!(
                longer == address || (address.reason == AddressReason::Forwarded && is_trusted(address.ip)),
                "{spoofed:?} before {chain:?} made {address:?} {longer:?}"
            );
        }
        let vouched = ClientAddress::vouched(peer, Some(chain), is_trusted);
        assert_eq!(vouched.ip, vouched.ip.to_canonical());
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
    for trusted in [false, true] {
        if headers::check(&map, trusted).is_ok() && !trusted {
            assert!(map.get_all("x-forwarded-for").iter().count() <= 1);
        }
    }
    let _read = (headers::bearer(&map), headers::tenant(&map).is_ok(), headers::basic(&map).is_some());
    if let Some((name, password)) = headers::basic(&map) {
        let _decoded = headers::form_decoded(&name, &password);
    }
});
