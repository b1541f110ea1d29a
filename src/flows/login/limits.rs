//! How many sessions a user may have at a time, and what a login does about those that are too many (R066).

use serde_json::json;

use crate::client::Client;
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::events::{self, Actor, Ends, Event, EventName};
use crate::ids::ChangeId;
use crate::sessions::{self, EndReason};
use crate::tenants::{Family, SessionLimitAction, Tenant};
use crate::users::User;

/// What makes room for one more session, to stand behind the user's row: that makes the logins of one user wait for each
/// other, so the count holds however many come at once.
///
/// First the device's own sessions end, where the tenant has one session a device; never those of staff, whose browsers
/// may well share one. Then what is still one too many.
pub(super) fn make_room(tenant: &Tenant, user: &User, client: &Client, now: Timestamp) -> Vec<Statement> {
    let settings = &tenant.settings;
    let mut statements = Vec::new();
    let device = client.device_id.as_deref().filter(|device| !device.is_empty());
    let replaces = settings.replace_device_session && user.family() != Family::Admin;
    if let Some(device) = device.filter(|_| replaces) {
        let (change, reason) = (ChangeId::random(), EndReason::Replaced);
        statements.push(sessions::store::end_on_device(&tenant.id, &user.id, device, reason, &change, now));
        statements.push(tell(tenant, user, client, (reason, "replaceDeviceSession=true"), &change, now));
    }
    let most = settings.max_sessions;
    match settings.session_limit_action {
        SessionLimitAction::EndOldest => {
            let change = ChangeId::random();
            let rule = format!("maxSessions={most}");
            statements.push(sessions::store::end_oldest(&tenant.id, &user.id, most - 1, &change, now));
            statements.push(tell(tenant, user, client, (EndReason::Limit, &rule), &change, now));
        }
        SessionLimitAction::Refuse => {
            statements.push(sessions::store::have_fewer(&tenant.id, &user.id, most, now));
        }
    }
    statements
}

/// An event for each session that this change has ended.
fn tell(
    tenant: &Tenant,
    user: &User,
    client: &Client,
    (reason, rule): (EndReason, &str),
    change: &ChangeId,
    now: Timestamp,
) -> Statement {
    let event = Event {
        reason: Some(reason.as_str()),
        client: Some(client),
        details: json!({ "family": user.family().as_str(), "rule": rule }),
        ends: Some(Ends::Session),
        ..Event::new(EventName::SessionExpired, Actor::of(user))
    };
    events::store::insert_for_ended_sessions(&tenant.id, &event, &user.id, change, now)
}
