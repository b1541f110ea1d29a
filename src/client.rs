//! The client of a request: its address, and what it says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::client_address::ClientAddress;
use crate::ids::TenantId;

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
    /// Forwarded as sent, where the configuration says that trusted proxies write it; else it is not looked at.
    pub forwarded: Option<String>,
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
