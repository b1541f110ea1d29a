//! The sealer's SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{EventId, TenantId};

/// The next events without a number of all tenants, `most` at most, those after the id `after`: their ids and
/// tenants, and the position of the tenant's newest numbered event.
#[must_use]
pub fn find_unnumbered(after: &EventId, most: i64) -> Statement {
    Statement::new(
        "select e.id as event_id, e.tenant_id as tenant_id, coalesce(h.position, 0) as head from \
         (select id, tenant_id from events where position is null and id > $1 order by id limit $2) as e \
         left join event_heads h on h.tenant_id = e.tenant_id order by e.id",
    )
    .bind(after)
    .bind(most)
}

/// Numbers a tenant's events from the id `first` to `last`: those that are seen now, in the order of their ids,
/// beginning behind `head`. One that is seen later gets a later number, whatever its id.
///
/// Refused ("head") when another node has moved the head meanwhile, ("event") when nothing is left to number.
#[must_use]
pub fn number(
    tenant: &TenantId,
    head: i64,
    first: &EventId,
    last: &EventId,
    now: Timestamp,
) -> [Statement; 3] {
    [
        // The head's row comes first: whoever else numbers this tenant's events waits here, and finds it moved.
        Statement::new(
            "insert into event_heads (tenant_id, position, updated_at) values ($1, $2, $3) \
             on conflict (tenant_id) do update set updated_at = excluded.updated_at \
             where event_heads.position = $2 returning position",
        )
        .bind(tenant)
        .bind(head)
        .bind(now)
        .must_change("head"),
        Statement::new(
            "update events set position = $2 + next.number from \
             (select id, row_number() over (order by id) as number from events \
              where tenant_id = $1 and position is null and id >= $3 and id <= $4) as next \
             where events.tenant_id = $1 and events.id = next.id returning events.position",
        )
        .bind(tenant)
        .bind(head)
        .bind(first)
        .bind(last)
        .must_change("event"),
        // Without a gap, or not at all.
        Statement::new(
            "update event_heads set position = $2 + slice.number from \
             (select count(*) as number, max(position) as newest from events \
              where tenant_id = $1 and position > $2) as slice \
             where event_heads.tenant_id = $1 and slice.newest = $2 + slice.number returning event_heads.position",
        )
        .bind(tenant)
        .bind(head)
        .must_change("gapless numbers"),
    ]
}
