//! A page of a tenant's users.

use crate::db::{Database, DbError, Row, Statement};
use crate::error::Error;
use crate::ids::TenantId;
use crate::users::directory::store::{find_end_of_page, list};
use crate::users::directory::{UserFilters, UserRecord};

/// Some rows of a list, in the order of their ids.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The id after which the next page begins; `None` where this is the last.
    pub next: Option<String>,
}

/// The users after an id who fit, `size` at most. Where few fit, a page may hold fewer, or none, and yet not be the
/// last: it looks at 20,000 rows at most.
pub async fn list_users(
    db: &Database,
    tenant: &TenantId,
    filters: &UserFilters,
    after: Option<&str>,
    size: u32,
) -> Result<Page<UserRecord>, Error> {
    let after = after.unwrap_or_default();
    let end = filters.look_at_each().then(|| find_end_of_page(tenant, filters, after));
    page(db, end, size, |until, limit| list(tenant, filters, after, until, limit), UserRecord::from_row).await
}

/// Reads a page. Its end is found first, so that what is added meanwhile moves nothing.
pub(super) async fn page<T>(
    db: &Database,
    end: Option<Statement>,
    size: u32,
    list: impl FnOnce(Option<&str>, i64) -> Statement,
    read: impl Fn(&Row) -> Result<T, DbError>,
) -> Result<Page<T>, Error> {
    let until = match end {
        Some(end) => db.list(end).await?.first().map(|row| row.text("id")).transpose()?,
        None => None,
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    // One more than is shown tells whether there are more.
    let limit = i64::try_from(size.saturating_add(1)).unwrap_or(i64::MAX);
    let mut rows = db.list(list(until.as_deref(), limit)).await?;
    let next = if rows.len() > size {
        rows.truncate(size);
        rows.last().map(|row| row.text("id")).transpose()?
    } else {
        until
    };
    Ok(Page { items: rows.iter().map(read).collect::<Result<_, _>>()?, next })
}
