//! Refresh tokens: computed, never stored.
//!
//! `vrt1.` and base64url of: master key id, tenant id, session id, generation, MAC. The MAC is HMAC-SHA-256
//! under a key that is not in the database, over what only the database knows: neither of them alone makes
//! a token.

use crate::ids::{SessionId, TenantId};
use crate::secrets::{MasterKey, MasterKeys, base64url, from_base64url};

const PREFIX: &str = "vrt1.";
const MAC_LENGTH: usize = 32;

/// What a refresh token says of itself, before its MAC is checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshToken {
    /// The master key it was made with.
    pub key_id: String,
    /// Which row to read before the MAC can be checked, and of which tenant.
    pub tenant: TenantId,
    pub session: SessionId,
    /// Counts the session's refreshes.
    pub generation: u64,
    mac: Vec<u8>,
}

/// The row's part in a token: what the MAC covers beside the token's own words.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    pub tenant: &'a TenantId,
    pub session: &'a SessionId,
    /// The device in the session's row.
    pub device: Option<&'a str>,
    /// The 16 random bytes in the session's row.
    pub salt: &'a [u8],
}

/// The token of a generation. Any node computes the same.
#[must_use]
pub fn compute(key: &MasterKey, binding: &Binding<'_>, generation: u64) -> String {
    let mac = key.refresh_mac(&message(binding, generation));
    let mut bytes = Vec::with_capacity(192);
    for part in [key.id(), binding.tenant.as_str(), binding.session.as_str()] {
        push_part(&mut bytes, part.as_bytes());
    }
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(mac.as_ref());
    format!("{PREFIX}{}", base64url(&bytes))
}

/// Takes a token apart; `None` for anything that [`compute`] could not have written.
#[must_use]
pub fn parse(token: &str) -> Option<RefreshToken> {
    let body = token.strip_prefix(PREFIX).filter(|body| body.len() <= 256)?;
    let bytes = from_base64url(body)?;
    let (key_id, rest) = take_part(&bytes)?;
    let (tenant, rest) = take_part(rest)?;
    let (session, rest) = take_part(rest)?;
    let (generation, mac) = rest.split_first_chunk::<8>()?;
    let (tenant, session) = (std::str::from_utf8(tenant).ok()?, std::str::from_utf8(session).ok()?);
    (mac.len() == MAC_LENGTH).then_some(RefreshToken {
        key_id: std::str::from_utf8(key_id).ok()?.to_owned(),
        tenant: TenantId::parse(tenant).filter(|id| id.as_str() == tenant)?,
        session: SessionId::parse(session).filter(|id| id.as_str() == session)?,
        generation: u64::from_be_bytes(*generation),
        mac: mac.to_vec(),
    })
}

impl RefreshToken {
    /// Whether we made this token for this row, in constant time.
    #[must_use]
    pub fn holds(&self, keys: &MasterKeys, binding: &Binding<'_>) -> bool {
        self.tenant == *binding.tenant
            && self.session == *binding.session
            && keys
                .find(&self.key_id)
                .is_some_and(|key| key.refresh_mac_holds(&message(binding, self.generation), &self.mac))
    }
}

/// Every part with its length before it, so that no two bindings share a message.
fn message(binding: &Binding<'_>, generation: u64) -> Vec<u8> {
    let mut message = Vec::with_capacity(160);
    push_part(&mut message, binding.tenant.as_str().as_bytes());
    push_part(&mut message, binding.session.as_str().as_bytes());
    message.extend_from_slice(&generation.to_be_bytes());
    // No device and an empty one differ.
    message.push(u8::from(binding.device.is_some()));
    push_part(&mut message, binding.device.unwrap_or_default().as_bytes());
    push_part(&mut message, binding.salt);
    message
}

fn push_part(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u16::try_from(part.len()).unwrap_or(u16::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
#[expect(non_snake_case, reason = "test names carry requirement ids")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::random_text;

    fn keys() -> MasterKeys {
        MasterKeys::parse(&format!("a:{}", random_text())).unwrap()
    }

    #[test]
    fn R092_a_token_holds_for_its_own_tenant_session_device_and_salt_only() {
        let keys = keys();
        let (tenant, session) = (TenantId::random(), SessionId::parse("s1").unwrap());
        let own = Binding { tenant: &tenant, session: &session, device: Some("d"), salt: &[1; 16] };
        let token = parse(&compute(&keys.current(), &own, 7)).unwrap();
        assert_eq!((token.generation, token.key_id.as_str()), (7, "a"));
        assert_eq!((&token.tenant, &token.session), (&tenant, &session));
        assert!(token.holds(&keys, &own));
        let (other_tenant, other_session) = (TenantId::random(), SessionId::parse("s2").unwrap());
        for other in [
            Binding { tenant: &other_tenant, ..own },
            Binding { session: &other_session, ..own },
            Binding { device: Some("e"), ..own },
            Binding { device: Some(""), ..own },
            Binding { device: None, ..own },
            Binding { salt: &[2; 16], ..own },
        ] {
            assert!(!token.holds(&keys, &other), "{other:?}");
        }
        let forged = RefreshToken { generation: 8, ..token };
        assert!(!forged.holds(&keys, &own));
        let stranger = keys_like(&keys);
        let token = parse(&compute(&keys.current(), &own, 7)).unwrap();
        assert!(!token.holds(&stranger, &own), "the same key id with other bytes");
    }

    fn keys_like(_: &MasterKeys) -> MasterKeys {
        keys()
    }

    #[test]
    fn the_longest_ids_make_a_token_that_is_read() {
        let keys = MasterKeys::parse(&format!("{}:{}", "k".repeat(16), random_text())).unwrap();
        let long = "i".repeat(crate::ids::MAX_ID_LENGTH);
        let (tenant, session) = (TenantId::parse(&long).unwrap(), SessionId::parse(&long).unwrap());
        let own = Binding { tenant: &tenant, session: &session, device: None, salt: &[1; 16] };
        let token = parse(&compute(&keys.current(), &own, u64::MAX)).unwrap();
        assert!(token.holds(&keys, &own));
    }

    proptest! {
        #[test]
        fn R078_every_changed_byte_is_noticed_and_no_text_panics(text in "vrt1\\..{0,200}", at in 5usize..250, to in "[A-Za-z0-9_-]") {
            let _ = parse(&text);
            let keys = keys();
            let (tenant, session) = (TenantId::random(), SessionId::parse("s1").unwrap());
            let own = Binding { tenant: &tenant, session: &session, device: None, salt: &[1; 16] };
            let mut token = compute(&keys.current(), &own, 1);
            let at = at % token.len();
            if at >= PREFIX.len() && token[at..=at] != to {
                token.replace_range(at..=at, &to);
                let holds = parse(&token).is_some_and(|token| token.holds(&keys, &own));
                prop_assert!(!holds);
            }
        }
    }
}
