//! Blocks of addresses: whose word on a client's address is believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A block of addresses, `10.0.0.0/8` or a single `10.1.2.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpNetwork {
    address: IpAddr,
    prefix: u8,
}

impl IpNetwork {
    /// Whether the address lies in the block. An IPv4 address written in IPv6 (`::ffff:10.1.2.3`) counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::masked(address.to_canonical(), self.prefix) == Some(self.address)
    }

    /// The address with the bits beyond the prefix cleared; `None` if the prefix is longer than the address.
    fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
        let prefix = u32::from(prefix);
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
                Some(IpAddr::V4((address.to_bits() & mask).into()))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128_u32.checked_sub(prefix)?).unwrap_or(0);
                Some(IpAddr::V6((address.to_bits() & mask).into()))
            }
        }
    }
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for IpNetwork {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a network; write it like 10.0.0.0/8, 10.1.2.3 or fd00::/8");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if address != address.to_canonical() {
            return Err(format!("{text:?} is IPv4 written in IPv6; write the IPv4 network"));
        }
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u8 = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None => whole,
        };
        let network = Self::masked(address, prefix).ok_or_else(wrong)?;
        if prefix == 0 {
            return Err(format!(
                "{text:?} trusts everybody, so every client could choose its own address; name the proxies' network"
            ));
        }
        if network != address {
            return Err(format!("{text:?} has bits beyond its prefix; write {network}/{prefix}"));
        }
        Ok(Self { address, prefix })
    }
}

/// A list of them, separated by commas; all that is wrong at once.
pub(super) fn networks(text: &str) -> Result<Vec<IpNetwork>, String> {
    let (mut networks, mut problems) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse() {
            Ok(network) => networks.push(network),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(networks) } else { Err(problems.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        let network: IpNetwork = "10.32.0.0/11".parse().unwrap();
        assert!(network.contains("10.63.255.255".parse().unwrap()));
        assert!(network.contains("::ffff:10.32.0.1".parse().unwrap()));
        assert!(!network.contains("10.64.0.0".parse().unwrap()));
        assert!(!network.contains("::".parse().unwrap()));
        let one: IpNetwork = "2001:db8::1".parse().unwrap();
        assert!(
            one.contains("2001:db8::1".parse().unwrap()) && !one.contains("2001:db8::2".parse().unwrap())
        );
        assert_eq!(one.to_string(), "2001:db8::1/128");
    }

    #[test]
    fn a_wrong_network_is_refused_with_its_remedy() {
        let wrong = |text: &str| text.parse::<IpNetwork>().unwrap_err();
        assert!(wrong("10.0.0.1/8").ends_with("write 10.0.0.0/8"));
        assert!(wrong("0.0.0.0/0").contains("trusts everybody"));
        for text in
            ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::/129", "10.0.0.0/8/8", "host"]
        {
            assert!(wrong(text).contains("not a network"), "{text}");
        }
        assert!(wrong("::ffff:10.0.0.0/104").contains("IPv4 written in IPv6"));
        let several = networks("10.0.0.1/8, 192.0.2.1, host").unwrap_err();
        assert!(several.contains("write 10.0.0.0/8; \"host\" is not a network"), "{several}");
    }
}
