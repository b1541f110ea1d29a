//! The tenants' SQL.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::db::Statement;
use crate::ids::TenantId;

use super::{Settings, Signing, Tenant, TenantName, TenantStatus, searchable};

/// The columns [`super::Tenant::from_row`] reads, of `tenants t`, in its order.
macro_rules! tenant_columns {
    () => {
        concat!(
            "t.settings as tenant_settings, ",
            crate::tenants::store::tenant_standing_columns!(),
            ", t.next_signing_kid as tenant_next_signing_kid, t.next_signs_at as tenant_next_signs_at, \
             t.id as tenant_id, t.slug as tenant_slug, t.name as tenant_name, t.signing_kid as tenant_signing_kid, \
             t.failure_floor_ms as tenant_failure_floor_ms, t.created_at as tenant_created_at, \
             t.updated_at as tenant_updated_at"
        )
    };
}
pub(crate) use tenant_columns;

/// The columns [`super::Tenant::as_it_stands`] reads, of `tenants t`, in its order.
macro_rules! tenant_standing_columns {
    () => {
        "t.status as tenant_status, t.valid_kids as tenant_valid_kids, \
         t.sessions_not_before as tenant_sessions_not_before, t.sessions_end_reason as tenant_sessions_end_reason"
    };
}
pub(crate) use tenant_standing_columns;

/// The tenant of this name, whatever its state; never the system tenant.
#[must_use]
pub fn find(name: &TenantName) -> Statement {
    match name {
        TenantName::Slug(slug) => Statement::new(concat!(
            "select ",
            tenant_columns!(),
            " from tenants t where t.slug = $1 and t.slug <> 'system'"
        ))
        .bind(slug.as_str()),
        TenantName::Id(id) => Statement::new(concat!(
            "select ",
            tenant_columns!(),
            " from tenants t where t.id = $1 and t.slug <> 'system'"
        ))
        .bind(id),
    }
}

/// A new tenant, still without a signing key. Refused ("slug") when its id or slug has ever been used.
#[must_use]
pub fn insert(id: &TenantId, slug: &str, name: &str, settings: &Settings, now: Timestamp) -> Statement {
    Statement::new(
        "insert into tenants (id, slug, name, search, status, settings, valid_kids, created_at, updated_at) \
         values ($1, $2, $3, $4, 'active', $5, '[]', $6, $6) on conflict do nothing returning id",
    )
    .bind(id)
    .bind(slug)
    .bind(name)
    .bind(search(slug, name))
    .bind(settings.stored())
    .bind(now)
    .must_change("slug")
}

/// Makes this key the one that signs, and the only one that counts.
#[must_use]
pub fn set_first_signing_key(tenant: &TenantId, kid: &str, now: Timestamp) -> Statement {
    Statement::new("update tenants set signing_kid = $2, valid_kids = $3, updated_at = $4 where id = $1")
        .bind(tenant)
        .bind(kid)
        .bind(serde_json::to_string(&[kid]).expect("a list of one text"))
        .bind(now)
}

/// Lets a browser origin call (CORS).
#[must_use]
pub fn insert_origin(tenant: &TenantId, origin: &str) -> Statement {
    Statement::new("insert into tenant_origins (tenant_id, origin) values ($1, $2) on conflict do nothing")
        .bind(tenant)
        .bind(origin)
}

/// A row if any active tenant lets this origin call: all a preflight can ask, since it names no tenant.
#[must_use]
pub fn find_origin(origin: &str) -> Statement {
    Statement::new(
        "select o.origin from tenant_origins o join tenants t on t.id = o.tenant_id \
         where o.origin = $1 and t.status = 'active' limit 1",
    )
    .bind(origin)
}

/// Lets no failed login of the tenant be answered sooner than this, if it is not so already (R004). It goes first into
/// every change that stores imported hashes: it takes the tenant's row, whatever it changes there, so that
/// [`clear_failure_floor`] can tell that it came.
#[must_use]
pub fn raise_failure_floor(tenant: &TenantId, floor: Duration, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set \
         failure_floor_ms = case when failure_floor_ms < $2 then $2 else failure_floor_ms end, \
         updated_at = case when updated_at < $3 then $3 else updated_at + 1 end \
         where id = $1 and slug <> 'system' returning id",
    )
    .bind(tenant)
    .bind(i64::try_from(floor.as_millis()).unwrap_or(i64::MAX))
    .bind(now)
    .must_change("tenant")
}

/// Takes the floor away from a tenant without an imported hash, unless it changed since `seen`, its `updated_at`.
#[must_use]
pub fn clear_failure_floor(tenant: &TenantId, seen: Timestamp) -> Statement {
    Statement::new(
        "update tenants set failure_floor_ms = 0 where id = $1 and updated_at = $2 \
         and not exists (select 1 from users u where u.tenant_id = tenants.id and u.password_imported) \
         returning id",
    )
    .bind(tenant)
    .bind(seen)
}

/// Suspends an active tenant: its sessions have ended with the next request, and resuming does not revive them.
/// Refused ("tenant") when it is not active.
#[must_use]
pub fn suspend(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set status = 'suspended', updated_at = $2, \
         sessions_end_reason = case when sessions_not_before > $2 then sessions_end_reason \
             else 'tenant_suspended' end, \
         sessions_not_before = case when sessions_not_before > $2 then sessions_not_before else $2 end \
         where id = $1 and slug <> 'system' and status = 'active' returning id",
    )
    .bind(tenant)
    .bind(now)
    .must_change("tenant")
}

/// Ends all sessions of a tenant; what had ended them before stays while it lets nobody in. Refused ("tenant") when it is deleted.
#[must_use]
pub fn end_sessions(tenant: &TenantId, reason: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set \
         sessions_end_reason = case when sessions_not_before > $2 or (status <> 'active' and sessions_not_before is not null) then sessions_end_reason else $3 end, \
         sessions_not_before = case when sessions_not_before > $2 or (status <> 'active' and sessions_not_before is not null) then sessions_not_before else $2 end \
         where id = $1 and slug <> 'system' and status <> 'deleted' returning id",
    )
    .bind(tenant)
    .bind(now)
    .bind(reason)
    .must_change("tenant")
}

/// Begins another history of the tenant's events: no cursor from before goes on in it.
#[must_use]
pub fn begin_history(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set restored_at = case when restored_at >= $2 then restored_at + 1 else $2 end where id = $1",
    )
    .bind(tenant)
    .bind(now)
}

/// Lets a suspended tenant in again. Refused ("tenant") when it is not suspended.
#[must_use]
pub fn resume(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set status = 'active', updated_at = $2 \
         where id = $1 and slug <> 'system' and status = 'suspended' returning id",
    )
    .bind(tenant)
    .bind(now)
    .must_change("tenant")
}

/// Deletes a tenant for good: it is refused everywhere from the next request on, and no signing key counts. What it
/// leaves goes in slices. Refused ("tenant") when it is deleted already.
#[must_use]
pub fn delete(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set status = 'deleted', updated_at = $2, settings = '{}', signing_kid = null, \
         next_signing_kid = null, next_signs_at = null, valid_kids = '[]' \
         where id = $1 and slug <> 'system' and status <> 'deleted' returning id",
    )
    .bind(tenant)
    .bind(now)
    .must_change("tenant")
}

/// Notes that nothing is left of a deleted tenant, unless it was deleted after `before`: what was under way then may
/// still have left something.
#[must_use]
pub fn note_emptied(tenant: &TenantId, before: Timestamp, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set emptied_at = $3 \
         where id = $1 and status = 'deleted' and emptied_at is null and updated_at <= $2",
    )
    .bind(tenant)
    .bind(before)
    .bind(now)
}

/// Deleted tenants of which something may be left.
#[must_use]
pub fn find_deleted() -> Statement {
    Statement::new(
        "select id from tenants where status = 'deleted' and emptied_at is null order by id limit 100",
    )
}

/// Gives a tenant another name and other settings, if it has not been deleted and both are still those that were read.
/// Refused ("settings") otherwise.
#[must_use]
pub fn update(
    tenant: &TenantId,
    read: &Tenant,
    name: &str,
    settings_read: &str,
    settings: &str,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "update tenants set name = $2, search = $3, settings = $4, updated_at = $5 \
         where id = $1 and slug <> 'system' and status <> 'deleted' and settings = $6 and name = $7 returning id",
    )
    .bind(tenant)
    .bind(name)
    .bind(search(&read.slug, name))
    .bind(settings)
    .bind(now)
    .bind(settings_read)
    .bind(read.name.as_str())
    .must_change("settings")
}

/// Takes all browser origins away, to be listed anew in the same change.
#[must_use]
pub fn delete_origins(tenant: &TenantId) -> Statement {
    Statement::new("delete from tenant_origins where tenant_id = $1").bind(tenant)
}

/// Takes one browser origin away.
#[must_use]
pub fn delete_origin(tenant: &TenantId, origin: &str) -> Statement {
    Statement::new("delete from tenant_origins where tenant_id = $1 and origin = $2")
        .bind(tenant)
        .bind(origin)
}

/// The tenant of this name with its origins, a row for each; never the system tenant.
#[must_use]
pub fn find_details(name: &TenantName) -> Statement {
    let (sql, name) = match name {
        TenantName::Slug(slug) => (
            concat!(
                "select ",
                tenant_columns!(),
                ", o.origin as tenant_origin from tenants t left join tenant_origins o on o.tenant_id = t.id \
                 where t.slug = $1 and t.slug <> 'system' order by o.origin"
            ),
            slug.as_str(),
        ),
        TenantName::Id(id) => (
            concat!(
                "select ",
                tenant_columns!(),
                ", o.origin as tenant_origin from tenants t left join tenant_origins o on o.tenant_id = t.id \
                 where t.id = $1 and t.slug <> 'system' order by o.origin"
            ),
            id.as_str(),
        ),
    };
    Statement::new(sql).bind(name)
}

/// Which tenants a list shows.
#[derive(Clone, Default, Debug)]
pub struct TenantFilter {
    pub status: Option<TenantStatus>,
    /// A part of the slug or the name, in whatever case.
    pub text: Option<String>,
}

/// A page of tenants by slug, after this one, with a row for each origin; never the system tenant.
#[must_use]
pub fn list(filter: &TenantFilter, after: Option<&str>, limit: i64) -> Statement {
    Statement::new(concat!(
        "select ",
        tenant_columns!(),
        ", o.origin as tenant_origin from \
         (select * from tenants where slug <> 'system' and slug > $1 and ($2 = '' or status = $2) \
          and search like $3 escape '!' order by slug limit $4) t \
         left join tenant_origins o on o.tenant_id = t.id order by t.slug, o.origin"
    ))
    .bind(after.unwrap_or(""))
    .bind(filter.status.map_or("", TenantStatus::as_str))
    .bind(filter.text.as_deref().map_or_else(|| "%".to_owned(), pattern))
    .bind(limit)
}

fn search(slug: &str, name: &str) -> String {
    searchable(&format!("{slug} {name}"))
}

/// A LIKE pattern that finds the text anywhere; what LIKE reads as a joker is meant as written.
fn pattern(text: &str) -> String {
    let escaped: String = searchable(text)
        .chars()
        .flat_map(|c| "!%_".contains(c).then_some('!').into_iter().chain([c]))
        .collect();
    format!("%{escaped}%")
}

/// Holds the tenant's row, so that what is counted next in the change is exact. Refused ("tenant") once it is deleted.
#[must_use]
pub fn hold(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set updated_at = $2 \
         where id = $1 and slug <> 'system' and status <> 'deleted' returning id",
    )
    .bind(tenant)
    .bind(now)
    .must_change("tenant")
}

/// Lets the tenant's signing keys be others, if they are still those that were read. Refused ("signing keys")
/// otherwise.
#[must_use]
pub fn set_signing(
    tenant: &TenantId,
    read: &Tenant,
    signing: &Signing,
    valid_kids: &[String],
    now: Timestamp,
) -> Statement {
    let kid = |signing: &Signing| signing.kid.clone();
    let next = |signing: &Signing| signing.next.as_ref().map(|(kid, _)| kid.clone());
    let list = |kids: &[String]| serde_json::to_string(kids).expect("a list of texts");
    Statement::new(
        "update tenants set signing_kid = $2, next_signing_kid = $3, next_signs_at = $4, valid_kids = $5, \
         updated_at = $6 where id = $1 and slug <> 'system' and status <> 'deleted' \
         and coalesce(signing_kid, '') = $7 and coalesce(next_signing_kid, '') = $8 and valid_kids = $9 \
         returning id",
    )
    .bind(tenant)
    .bind(kid(signing))
    .bind(next(signing))
    .bind(signing.next.as_ref().map(|(_, from)| *from))
    .bind(list(valid_kids))
    .bind(now)
    .bind(kid(&read.signing).unwrap_or_default())
    .bind(next(&read.signing).unwrap_or_default())
    .bind(list(&read.valid_kids))
    .must_change("signing keys")
}
