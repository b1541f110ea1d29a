//! The SQL that finds deeds.

use crate::db::Statement;
use crate::ids::{EventId, TenantId};

/// A tenant's deeds after an event's id, in their order, `most` at most. Logins, failures, locks and the endings of single
/// sessions are none: a restore ends all sessions, and the rest comes again by itself.
#[must_use]
pub fn find(tenant: &TenantId, after: &EventId, most: i64) -> Statement {
    Statement::new(
        "select id, occurred_at, name, reason, coalesce(user_id, customer_id) as whom, details from events \
         where tenant_id = $1 and id > $2 and outcome = 'success' and name not in \
         ('authn_login_success', 'authn_login_new_device', 'session_expired', 'session_network_changed') \
         order by id limit $3",
    )
    .bind(tenant)
    .bind(after)
    .bind(most)
}
