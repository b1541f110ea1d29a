//! Signing keys that have signed for as long as their tenant wants get a next one (R081). Called by upkeep, on every node.

use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row, Statement};
use crate::error::Error;
use crate::secrets::MasterKeys;
use crate::tenants::Tenant;
use crate::tenants::store::tenant_columns;

use super::signing_keys::add;
use super::{Author, Begin};

/// Tenants that are read at a time.
const SLICE: usize = 500;
/// Keys that are made in one run: a key for RSA takes a second of computing, and what became due together is spread over
/// hours.
const MOST: usize = 500;

const DAY_SECONDS: i64 = 24 * 3_600;

/// Publishes the next key of every active tenant whose signing key is older than `signingKeyDays`; one that has a next key
/// already is passed over. Of nodes that do it at once one makes the key. What fails keeps no other tenant from it; the
/// error is the first one's.
pub async fn rotate_due_signing_keys(
    db: &Database,
    master: &MasterKeys,
    now: Timestamp,
) -> Result<(), Error> {
    let (mut outcome, mut made, mut after) = (Ok(()), 0, String::new());
    loop {
        let rows = db.list(slice(&after, now)).await?;
        for row in &rows {
            let Some(tenant) = due(row, now)? else { continue };
            outcome = outcome.and(rotate(db, master, &tenant, now).await);
            made += 1;
            if made == MOST {
                return outcome;
            }
        }
        match rows.last() {
            Some(row) if rows.len() == SLICE => after = row.text("tenant_id")?,
            _ => return outcome,
        }
    }
}

/// The next tenants without a pending key, each with the instant from which on its key signs.
fn slice(after: &str, now: Timestamp) -> Statement {
    Statement::new(concat!(
        "select ",
        tenant_columns!(),
        ", coalesce(k.signs_from, k.created_at) as key_signs_from from \
         (select * from tenants where id > $1 and slug <> 'system' and status = 'active' \
          and (next_signs_at is null or next_signs_at <= $2) order by id limit 500) t \
         left join signing_keys k on k.tenant_id = t.id and k.kid = coalesce(t.next_signing_kid, t.signing_kid) \
         order by t.id"
    ))
    .bind(after)
    .bind(now)
}

/// The row's tenant, if it is time. One whose settings cannot be read is not asked what it wants.
fn due(row: &Row, now: Timestamp) -> Result<Option<Tenant>, DbError> {
    let Some(signs_from) = row.maybe_instant("key_signs_from")? else { return Ok(None) };
    let tenant = Tenant::from_row_as_it_is(row)?;
    let days = tenant.settings.signing_key_days;
    let is_due = days > 0 && signs_from.plus_seconds(days * DAY_SECONDS) <= now;
    Ok((is_due && tenant.settings_problem.is_none()).then_some(tenant))
}

async fn rotate(db: &Database, master: &MasterKeys, tenant: &Tenant, now: Timestamp) -> Result<(), Error> {
    let (kid, change) = match add(master, Author::SYSTEM, tenant, Begin::Published, now).await {
        Ok(made) => made,
        // As many as there may be: until one of them is retired nobody can make another.
        Err(Error::Conflict(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    match db.apply(change).await {
        Ok(_) => {
            tracing::info!(tenant = %tenant.id, kid, "a signing key's time is over: the next one is published");
            Ok(())
        }
        // Another node, or an operator, was first.
        Err(DbError::Refused("signing keys")) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
