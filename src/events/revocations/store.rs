//! The revocations' SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

/// Positions that one page looks through at most.
pub const LOOKED_THROUGH: i64 = 10_000;

/// What ended sessions of the tenant since an instant, after a position, `most` at most, in their order. Each row, and
/// there is one at least, has the `head`, the history's `restored_at` and, while events of the tenant that ended something wait for their numbers,
/// since when the first of them does (`waiting_since`).
///
/// Among the first thousand without a number: where there are more the sealer is stuck, and behind the thousandth are
/// none older than it.
#[must_use]
pub fn find(tenant: &TenantId, after: i64, since: Timestamp, most: u32) -> Statement {
    Statement::new(
        "select t.restored_at, coalesce(h.position, 0) as head, \
         (select min(w.occurred_at) from \
          (select tenant_id, occurred_at, ends, row_number() over (order by id) as number from events \
           where position is null order by id limit 1000) as w \
          where w.tenant_id = $1 and w.ends is not null or w.number = 1000) as waiting_since, e.* \
         from tenants t left join event_heads h on h.tenant_id = t.id left join \
         (select position, name, reason, details, ends, ends_until, ends_not, user_id, customer_id, session_id \
          from events where tenant_id = $1 and ends is not null and position > $2 and position <= $3 \
          and occurred_at >= $4 order by position limit $5) as e on true \
         where t.id = $1 order by e.position",
    )
    .bind(tenant)
    .bind(after)
    .bind(after.saturating_add(LOOKED_THROUGH))
    .bind(since)
    .bind(i64::from(most))
}

/// The position before the first event after `after` that ended sessions since an instant; the tenant's newest one where
/// none did.
#[must_use]
pub fn find_start(tenant: &TenantId, after: i64, since: Timestamp) -> Statement {
    Statement::new(
        "select coalesce((select min(position) - 1 from events \
          where tenant_id = $1 and ends is not null and occurred_at >= $2 and position > $3), h.position, 0) as start \
         from tenants t left join event_heads h on h.tenant_id = t.id where t.id = $1",
    )
    .bind(tenant)
    .bind(since)
    .bind(after)
}
