//! The sealer's SQL.

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::{EventId, SessionId, TenantId};

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

/// The next tenants with numbered events that are not sealed yet, after this one, `most` at most.
#[must_use]
pub fn find_unsealed(after: Option<&TenantId>, most: i64) -> Statement {
    Statement::new(
        "select h.tenant_id as tenant_id, t.slug as slug, h.position as position, h.sealed as sealed \
         from event_heads h join tenants t on t.id = h.tenant_id \
         where h.sealed < h.position and h.tenant_id > $1 order by h.tenant_id limit $2",
    )
    .bind(after.map_or("", TenantId::as_str))
    .bind(most)
}

/// The events of a tenant that say up to where others were deleted for their age, the newest first.
#[must_use]
pub fn find_deletions(tenant: &TenantId) -> Statement {
    Statement::new(
        "select details from events where tenant_id = $1 and name = 'audit_events_deleted' order by id desc limit 100",
    )
    .bind(tenant)
}

/// How far a tenant's log is: its numbers, what is sealed of them and what was signed of that, and up to where events
/// may have been deleted.
#[must_use]
pub fn find_head(tenant: &TenantId) -> Statement {
    Statement::new(
        "select coalesce(h.position, 0) as position, coalesce(h.sealed, 0) as sealed, h.root as root, \
         h.checkpoint as checkpoint, coalesce(h.deleted_until, 0) as deleted_until, t.slug as slug \
         from tenants t left join event_heads h on h.tenant_id = t.id where t.id = $1",
    )
    .bind(tenant)
}

/// All tenants, by id, after this one, `most` at most: each may have a log.
#[must_use]
pub fn find_logs(after: Option<&TenantId>, most: i64) -> Statement {
    Statement::new("select id as tenant_id, slug from tenants where id > $1 order by id limit $2")
        .bind(after.map_or("", TenantId::as_str))
        .bind(most)
}

/// What is read of an event as it is sealed.
macro_rules! sealed_columns {
    () => {
        "select tenant_id, position, id, name, outcome, occurred_at, actor_kind, actor_id, user_id, customer_id, \
         session_id, reason, request_id, details, ends, ends_until, ends_not, personal, personal_digest, salt from events "
    };
}

/// A tenant's events as they are sealed, with positions after `after` up to `until`, `most` at most, in their order.
#[must_use]
pub fn find_events(tenant: &TenantId, after: i64, until: i64, most: i64) -> Statement {
    Statement::new(concat!(
        sealed_columns!(),
        "where tenant_id = $1 and position > $2 and position <= $3 order by position limit $4",
    ))
    .bind(tenant)
    .bind(after)
    .bind(until)
    .bind(most)
}

/// A session's events as they are sealed, up to this position, `most` at most, in their order.
#[must_use]
pub fn find_events_of_session(tenant: &TenantId, session: &SessionId, until: i64, most: i64) -> Statement {
    Statement::new(concat!(
        sealed_columns!(),
        "where session_id = $2 and tenant_id = $1 and position <= $3 order by position limit $4",
    ))
    .bind(tenant)
    .bind(session)
    .bind(until)
    .bind(most)
}

/// The newest checkpoint of a tenant's log, its size, and the key that it is signed with; no row before the first.
#[must_use]
pub fn find_checkpoint(tenant: &TenantId) -> Statement {
    Statement::new(
        "select h.sealed as sealed, h.checkpoint as checkpoint, k.public_key as public_key \
         from event_heads h join audit_keys k on k.id = 1 where h.tenant_id = $1 and h.checkpoint is not null",
    )
    .bind(tenant)
}

/// One row of the tree's hashes.
#[must_use]
pub fn find_tile(tenant: &TenantId, level: i64, tile: i64) -> Statement {
    Statement::new("select hashes from event_tiles where tenant_id = $1 and level = $2 and tile = $3")
        .bind(tenant)
        .bind(level)
        .bind(tile)
}

/// Writes one row of the tree's hashes. It holds what it held and more, and never anything else.
#[must_use]
pub fn put_tile(tenant: &TenantId, level: i64, tile: i64, hashes: Vec<u8>) -> Statement {
    Statement::new(
        "insert into event_tiles (tenant_id, level, tile, hashes) values ($1, $2, $3, $4) \
         on conflict (tenant_id, level, tile) do update set hashes = excluded.hashes",
    )
    .bind(tenant)
    .bind(level)
    .bind(tile)
    .bind(hashes)
}

/// Moves the sealed log of a tenant from one size to another. Refused ("log") when another node has moved it meanwhile.
#[must_use]
pub fn seal(
    tenant: &TenantId,
    (from, size): (i64, i64),
    root: &[u8],
    checkpoint: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update event_heads set sealed = $3, root = $4, checkpoint = $5, sealed_at = $6 \
         where tenant_id = $1 and sealed = $2 and position >= $3 returning sealed",
    )
    .bind(tenant)
    .bind(from)
    .bind(size)
    .bind(root)
    .bind(checkpoint)
    .bind(now)
    .must_change("log")
}

/// The installation's audit key: its private half, sealed, and its public half.
#[must_use]
pub fn find_key() -> Statement {
    Statement::new("select private_key, public_key from audit_keys where id = 1")
}

/// Makes the installation's audit key, unless there is one, or something is sealed: then there was one.
#[must_use]
pub fn insert_key(sealed: &str, public: &[u8], now: Timestamp) -> Statement {
    Statement::new(
        "insert into audit_keys (id, private_key, public_key, created_at) \
         select 1, $1, $2, $3 where not exists (select tenant_id from event_heads where sealed > 0) \
         on conflict do nothing returning id",
    )
    .bind(sealed)
    .bind(public)
    .bind(now)
}

/// The newest checkpoints of the tenants after this one, `most` at most.
#[must_use]
pub fn find_checkpoints(after: Option<&TenantId>, most: i64) -> Statement {
    Statement::new(
        "select tenant_id, checkpoint from event_heads \
         where checkpoint is not null and tenant_id > $1 order by tenant_id limit $2",
    )
    .bind(after.map_or("", TenantId::as_str))
    .bind(most)
}

/// What is to be known of each log before events are deleted for their age: the tenant's settings, up to where that was
/// done, up to where it may be, and when the oldest event there is happened. Of the tenants after this one.
#[must_use]
pub fn find_ages(after: Option<&TenantId>, most: i64) -> Statement {
    Statement::new(
        "select t.id as tenant_id, t.settings as settings, h.deleted_until as deleted_until, h.sealed as sealed, \
         (select e.occurred_at from events e where e.tenant_id = t.id and e.position > h.deleted_until \
          order by e.position limit 1) as oldest \
         from tenants t join event_heads h on h.tenant_id = t.id where t.id > $1 order by t.id limit $2",
    )
    .bind(after.map_or("", TenantId::as_str))
    .bind(most)
}

/// Deletes the events after a position up to another. Refused ("deleted") when another node has done it, or they are not
/// sealed.
#[must_use]
pub fn delete_events(tenant: &TenantId, after: i64, until: i64) -> [Statement; 2] {
    [
        Statement::new(
            "update event_heads set deleted_until = $3 \
             where tenant_id = $1 and deleted_until = $2 and sealed >= $3 returning deleted_until",
        )
        .bind(tenant)
        .bind(after)
        .bind(until)
        .must_change("deleted"),
        Statement::new("delete from events where tenant_id = $1 and position > $2 and position <= $3")
            .bind(tenant)
            .bind(after)
            .bind(until),
    ]
}

/// The audit key, if it is sealed under another line than the one whose columns begin so.
#[must_use]
pub fn find_sealed_otherwise(prefix: &str, after: &str) -> Statement {
    Statement::new(
        "select '' as tenant_id, cast(id as text) as name, private_key as sealed from audit_keys \
         where substr(private_key, 1, length(cast($1 as text))) <> $1 and cast(id as text) > $2",
    )
    .bind(prefix)
    .bind(after)
}

/// Whether it is sealed under the line whose columns begin so: one, or none.
#[must_use]
pub fn count_sealed(prefix: &str) -> Statement {
    Statement::new(
        "select count(*) as number from audit_keys where substr(private_key, 1, length(cast($1 as text))) = $1",
    )
    .bind(prefix)
}

/// Seals the audit key anew, unless that was done meanwhile.
#[must_use]
pub fn reseal(old: &str, new: &str) -> Statement {
    Statement::new("update audit_keys set private_key = $2 where private_key = $1 returning id")
        .bind(old)
        .bind(new)
}
