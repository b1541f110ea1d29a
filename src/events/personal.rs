//! An event's personal part: what goes when a person is erased, and what is sealed of it.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::json;

use super::Event;
use crate::client_address::AddressReason;
use crate::secrets::sha256;

impl Event<'_> {
    /// The personal part: address, agent, device, and what was told in free text. A JSON object, written as it stands
    /// here: a login makes it for every event that may be told of it.
    pub(super) fn personal(&self) -> Option<String> {
        let Some(client) = self.client else {
            return self.note.map(|note| json!({ "reason": note }).to_string());
        };
        let personal = Personal {
            client_ip: client.address.ip,
            client_ip_reason: client.address.reason,
            correlation_id: client.correlation_id.as_deref(),
            device_id: client.device_id.as_deref(),
            forwarded: client.forwarded.as_deref(),
            forwarded_for: client.forwarded_for.as_deref(),
            peer: client.peer,
            platform: client.platform.as_deref(),
            reason: self.note,
            source: client.source.as_deref(),
            user_agent: client.user_agent.as_deref(),
        };
        Some(serde_json::to_string(&personal).expect("plain data"))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Personal<'a> {
    client_ip: IpAddr,
    client_ip_reason: AddressReason,
    correlation_id: Option<&'a str>,
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded: Option<&'a str>,
    forwarded_for: Option<&'a str>,
    peer: IpAddr,
    platform: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    source: Option<&'a str>,
    user_agent: Option<&'a str>,
}

/// What is sealed of an event's personal part: it stays when a person is erased, and the salt goes.
#[must_use]
pub fn personal_digest(salt: &[u8], personal: &str) -> [u8; 32] {
    sha256(&[salt, personal.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::super::{Actor, EventName};
    use super::*;
    use crate::client::{Client, SeenTenant};
    use crate::client_address::ClientAddress;

    #[test]
    fn the_personal_part_is_an_object_whose_names_are_in_their_order() {
        let ip = IpAddr::from([203, 0, 113, 7]);
        let client = Client {
            peer: ip,
            address: ClientAddress { ip, reason: AddressReason::Peer },
            forwarded_for: Some("1.1.1.1, \"x\"".to_owned()),
            forwarded: None,
            source: Some("app".to_owned()),
            platform: None,
            device_id: Some("d\u{1}\u{e9}".to_owned()),
            user_agent: Some("a\\b".to_owned()),
            request_id: String::new(),
            correlation_id: None,
            tenant: SeenTenant::default(),
            web_origin: None,
        };
        for (forwarded, note) in [(None, None), (Some("for=1.1.1.1"), Some("asked for"))] {
            let client = Client { forwarded: forwarded.map(str::to_owned), ..client.clone() };
            let event = Event {
                client: Some(&client),
                note,
                ..Event::new(EventName::AuthnLoginSuccess, Actor::System)
            };
            let mut expected = json!({
                "clientIp": ip, "clientIpReason": "peer", "correlationId": null, "deviceId": client.device_id,
                "forwardedFor": client.forwarded_for, "peer": ip, "platform": null, "source": "app",
                "userAgent": client.user_agent,
            });
            if let (Some(forwarded), Some(note)) = (forwarded, note) {
                expected["forwarded"] = json!(forwarded);
                expected["reason"] = json!(note);
            }
            // Maps are sorted by name, and so is what is sealed.
            assert_eq!(event.personal(), Some(expected.to_string()));
        }
    }
}
