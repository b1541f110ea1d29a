//! All sessions of a user, or of a tenant, end: one row says so, and nothing revives them.

use serde_json::json;

use crate::clock::Timestamp;
use crate::db::{Change, Database, DbError, Statement};
use crate::error::Error;
use crate::events::{self, Ends, Event, EventName};
use crate::ids::{ChangeId, CustomerId, SessionId, TenantId, UserId};
use crate::sessions::{self, EndReason};
use crate::tenants::{Tenant, TenantName};
use crate::{tenants, users};

use super::get_tenant::is_deleted;
use super::set_tenant_status::check_reason;
use super::{Author, Deed, get_tenant};

/// Ends all of a user's sessions, but for `kept`.
pub async fn end_user_sessions(
    db: &Database,
    deed: &Deed<'_>,
    (user, customer): (&UserId, &CustomerId),
    kept: Option<&SessionId>,
    reason: EndReason,
    now: Timestamp,
) -> Result<(), Error> {
    let event = Event {
        session: kept,
        reason: Some(reason.as_str()),
        details: json!({ "of": "user", "kept": kept.is_some() }),
        ends: Some(Ends::User { until: now, but: kept }),
        ..deed.user_event(EventName::SessionsEnded, user, customer)
    };
    let change = Change::new()
        .with_all(keep_earlier_endings(deed.tenant, user))
        .with(users::store::end_sessions(deed.tenant, user, kept, reason.as_str(), now))
        .with_all(end_newer_sessions(deed.tenant, &event, reason, now))
        .with(events::store::insert(deed.tenant, &event, now));
    match db.apply(change).await {
        Ok(_) => Ok(()),
        Err(DbError::Refused("user")) => Err(Error::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Ends all sessions of a tenant, at an operator's wish, and answers the tenant.
pub async fn end_tenant_sessions(
    db: &Database,
    author: Author<'_>,
    name: &TenantName,
    note: Option<&str>,
    now: Timestamp,
) -> Result<Tenant, Error> {
    check_reason(note)?;
    let tenant = get_tenant(db, name).await?.tenant;
    let reason = EndReason::EndedByOperator.as_str();
    let event = Event {
        reason: Some(reason),
        note,
        details: json!({ "of": "tenant", "kept": false }),
        ends: Some(Ends::Tenant { until: now }),
        ..author.event(EventName::SessionsEnded)
    };
    let change = Change::new()
        .with(tenants::store::end_sessions(&tenant.id, reason, now))
        .with_all(end_newer_sessions_of_all(&tenant.id, &event, reason, now))
        .with(events::store::insert(&tenant.id, &event, now));
    match db.apply(change).await {
        Ok(_) => Ok(tenant),
        Err(DbError::Refused("tenant")) => Err(is_deleted()),
        Err(error) => Err(error.into()),
    }
}

/// Stands before whatever moves a user's `sessions_not_before`: the row holds one instant and one reason, so what the
/// ones before have ended is written down in the sessions' own rows. Neither the new instant nor a session that it spares
/// then says anything of those.
pub(super) fn keep_earlier_endings(tenant: &TenantId, user: &UserId) -> [Statement; 2] {
    [
        users::store::lock(tenant, user),
        sessions::store::write_down_with_user(tenant, user, &ChangeId::random()),
    ]
}

/// Ends those sessions of a user that a node with a faster clock opened: `sessions_not_before` does not reach them, so
/// each ends in its own row, with an event of its own. `event` is of whatever ends the user's sessions; this stands in
/// its change, behind the user's row.
pub(super) fn end_newer_sessions(
    tenant: &TenantId,
    event: &Event<'_>,
    reason: EndReason,
    now: Timestamp,
) -> Vec<Statement> {
    let (Some(user), Some(Ends::User { but, .. })) = (event.user, event.ends) else { return Vec::new() };
    let change = ChangeId::random();
    let each = Event {
        reason: Some(reason.as_str()),
        client: event.client,
        ends: Some(Ends::Session),
        ..Event::new(EventName::SessionExpired, event.actor)
    };
    vec![
        sessions::store::end_newer(tenant, user, but, reason, &change, now),
        events::store::insert_for_ended_sessions(tenant, &each, user, &change, now),
    ]
}

/// The same where `event` ends the sessions of the tenant, or of its customer; behind the tenant's or the customer's row.
pub(super) fn end_newer_sessions_of_all(
    tenant: &TenantId,
    event: &Event<'_>,
    reason: &str,
    now: Timestamp,
) -> [Statement; 2] {
    let change = ChangeId::random();
    let each = Event {
        reason: Some(reason),
        client: event.client,
        ends: Some(Ends::Session),
        ..Event::new(EventName::SessionExpired, event.actor)
    };
    let opened = (SessionId::before(now).to_string(), SessionId::last());
    [
        sessions::store::end_newer_of_all(tenant, event.customer, reason, &change, now),
        events::store::insert_for_ended_slice(tenant, &each, (&opened.0, opened.1), &change, now),
    ]
}
