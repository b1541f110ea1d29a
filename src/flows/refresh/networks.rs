//! The networks that a session is used from: a new one is told once (R067).

use std::net::IpAddr;

use crate::client::network;

/// How many are remembered: a session that roams more than that tells nothing by roaming on.
const MOST: usize = 16;

/// The networks of a session whose login came from `first`, once it is used from `ip`; `None` where nothing is new or
/// there are too many to say.
pub(super) fn with_new(known: &[String], first: &str, ip: IpAddr) -> Option<Vec<String>> {
    let new = network(ip);
    let first = first.parse().ok().map(network);
    let is_known = known.contains(&new) || first.as_ref() == Some(&new);
    (!is_known && known.len() < MOST).then(|| known.iter().cloned().chain([new]).collect())
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use super::*;

    #[test]
    fn R067_a_network_is_new_once_and_only_so_many_are_kept() {
        let add = |known: &[String], ip: &str| with_new(known, "203.0.113.9", ip.parse().unwrap());
        assert_eq!(add(&[], "203.0.113.200"), None, "the login's own");
        let known = add(&[], "203.0.114.1").unwrap();
        assert_eq!(known, ["203.0.114.0/24"]);
        assert_eq!(add(&known, "203.0.114.77"), None);
        let known = add(&known, "2001:db8:1:2::3").unwrap();
        assert_eq!(known[1], "2001:db8:1::/48");
        assert_eq!(add(&known, "2001:db8:1:ffff::1"), None);
        assert!(add(&known, "2001:db8:2::1").is_some());
        let mut known = Vec::new();
        for third in 0..40 {
            known = add(&known, &format!("198.51.{third}.1")).unwrap_or(known);
        }
        assert_eq!(known.len(), MOST);
        assert_eq!(with_new(&[], "", "203.0.113.9".parse().unwrap()).unwrap().len(), 1, "an erased address");
    }
}
