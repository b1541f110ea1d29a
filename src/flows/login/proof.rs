//! What a login's caller has proven of having been let in before, and so whose failures its own are counted with (R020).
//!
//! Nothing here refuses: a proof that is not one is as if it were not there.

use secrecy::ExposeSecret;

use crate::app::App;
use crate::client::network;
use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{DeviceId, SessionId, UserId};
use crate::refresh_tokens::{self, Binding, RefreshToken};
use crate::throttles::{MAX_IN_ALL, Proof, Subject};

use super::Login;
use super::read::Found;

/// The device of the login's deviceId, from which the user of its name has logged in before.
#[derive(Clone, Debug)]
pub struct KnownDevice {
    id: DeviceId,
    first_seen_at: Timestamp,
    /// As its row has them.
    pub(super) networks: String,
    /// All failures in a row of callers who are half proven on it.
    half_failures: i64,
    /// The same of those who are proven.
    full_failures: i64,
}

impl KnownDevice {
    /// `None` where the join found none.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(id) = row.maybe_text("known_device_id")? else { return Ok(None) };
        Ok(Some(Self {
            id: DeviceId::from_stored(id),
            first_seen_at: row.instant("known_device_first_seen_at")?,
            networks: row.text("known_device_networks")?,
            half_failures: row.int("half_failures")?,
            full_failures: row.int("full_failures")?,
        }))
    }
}

/// The session that the caller shows a refresh token of: of whatever user, and ended perhaps.
#[derive(Clone, Debug)]
pub struct ShownSession {
    id: SessionId,
    user: UserId,
    device: Option<String>,
    salt: Vec<u8>,
    /// The master key of its refresh tokens.
    key_id: String,
    created_at: Timestamp,
}

impl ShownSession {
    /// `None` where there is no such session in the tenant.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(id) = row.maybe_text("shown_session_id")? else { return Ok(None) };
        Ok(Some(Self {
            id: SessionId::from_stored(id),
            user: UserId::from_stored(row.text("shown_session_user_id")?),
            device: row.maybe_text("shown_session_device_id")?,
            salt: row.bytes("shown_session_salt")?,
            key_id: row.text("shown_session_key_id")?,
            created_at: row.instant("shown_session_created_at")?,
        }))
    }
}

/// The refresh token in the login's proof; `None` where it is none.
pub(super) fn shown_token(request: &Login) -> Option<RefreshToken> {
    request.proof.as_ref().and_then(|proof| refresh_tokens::parse(proof.expose_secret()))
}

/// What is proven, and whose failures are counted. A proof that has seen a hundred failures in a row is spent: it proves
/// nothing until somebody clears it (R019).
pub(super) fn proven(
    app: &App,
    request: &Login,
    token: Option<&RefreshToken>,
    found: &Found,
) -> (Proof, Subject) {
    // Both are computed for whoever it is: the same work for all.
    let digest = app.master.name_digest(request.name.as_str());
    let session = found
        .shown_session
        .as_ref()
        .filter(|session| token.is_some_and(|token| holds(app, token, session, found)));
    let Some(user) = found.user() else { return (Proof::None, Subject::name(&digest)) };
    if let Some(device) = &found.device {
        // One that was forgotten and seen again is another device: whoever has the old one's token is a stranger.
        let full = session.is_some_and(|session| {
            session.user == user.id
                && session.device.is_some()
                && session.device == request.client.device_id
                && session.created_at >= device.first_seen_at
        });
        if full && device.full_failures < MAX_IN_ALL {
            return (Proof::Full, Subject::proven(&user.id, Some(&device.id)));
        }
        let half = networks(&device.networks).contains(&network(request.client.address.ip));
        if half && device.half_failures < MAX_IN_ALL {
            return (Proof::Half, Subject::half_proven(&user.id, &device.id));
        }
    }
    (Proof::None, Subject::unproven(&user.id))
}

/// Whether we made the token for this session, at whatever generation.
fn holds(app: &App, token: &RefreshToken, session: &ShownSession, found: &Found) -> bool {
    let binding = Binding {
        tenant: &found.tenant.id,
        session: &session.id,
        device: session.device.as_deref(),
        salt: &session.salt,
    };
    token.key_id == session.key_id && token.holds(&app.master, &binding)
}

/// How many networks of a device are remembered: the latest that were new.
const MOST: usize = 16;

/// The networks of a device once its user has logged in from this one's address, as its row has them.
pub(super) fn networks_with(known: Option<&KnownDevice>, request: &Login) -> String {
    let mut all = known.map(|device| networks(&device.networks)).unwrap_or_default();
    let new = network(request.client.address.ip);
    if !all.contains(&new) {
        all.push(new);
    }
    let latest = &all[all.len().saturating_sub(MOST)..];
    serde_json::to_string(latest).expect("a list of texts")
}

/// What cannot be read proves nothing.
fn networks(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}
