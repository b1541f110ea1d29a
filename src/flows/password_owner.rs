//! Whose password is to be set: the user, with the names that it must not lean on.

use crate::app::App;
use crate::db::{DbError, Row, Statement};
use crate::error::Error;
use crate::ids::{TenantId, UserId};
use crate::password_rules::KnownWords;
use crate::tenants::Tenant;
use crate::users::{LoginName, StoredPassword, User, UserProfile};

/// A user as whoever sets a password needs them.
#[derive(Debug)]
pub(super) struct PasswordOwner {
    pub(super) user: User,
    pub(super) password: StoredPassword,
    profile: UserProfile,
    /// Which of the row's changes was read.
    pub(super) revision: i64,
    username: Option<String>,
}

/// The columns [`PasswordOwner::from_row`] reads, of `users u` and `customers c`.
macro_rules! owner_columns {
    () => {
        concat!(
            crate::users::store::user_columns!(),
            ", ",
            crate::users::store::user_password_columns!(),
            ", ",
            crate::users::store::user_profile_columns!(),
            ", u.revision as owner_revision, (select min(o.name) from login_names o where o.tenant_id = u.tenant_id \
             and o.user_id = u.id and o.kind = 'username') as owner_username"
        )
    };
}
pub(super) use owner_columns;

impl PasswordOwner {
    /// `None` where the join found nobody.
    pub(super) fn from_row(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(user) = User::from_row(row)? else { return Ok(None) };
        let (revision, username) = (row.int("owner_revision")?, row.maybe_text("owner_username")?);
        let password = StoredPassword::from_row(row, &user.id)?;
        Ok(Some(Self { user, password, profile: UserProfile::from_row(row)?, revision, username }))
    }

    /// What anybody knows of them.
    pub(super) fn known<'a>(&'a self, tenant: &'a Tenant) -> KnownWords<'a> {
        KnownWords {
            tenant_slug: &tenant.slug,
            tenant_name: &tenant.name,
            username: self.username.as_deref(),
            email: self.profile.email.as_deref(),
            first_name: self.profile.first_name.as_deref(),
            last_name: self.profile.last_name.as_deref(),
            full_name: self.profile.full_name.as_deref(),
        }
    }
}

/// How one is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    Id(&'a UserId),
    Name(&'a LoginName),
}

macro_rules! reading {
    ($which:literal) => {
        concat!(
            "select ",
            owner_columns!(),
            " from users u join customers c on c.tenant_id = u.tenant_id and c.id = u.customer_id \
             where u.tenant_id = $1 and u.erased_at is null and ",
            $which
        )
    };
}

/// Reads them; one who was erased is nobody.
pub(super) async fn find(app: &App, tenant: &TenantId, by: By<'_>) -> Result<Option<PasswordOwner>, Error> {
    let statement = match by {
        By::Id(id) => Statement::new(reading!("u.id = $2")).bind(tenant).bind(id),
        By::Name(name) => Statement::new(reading!(
            "u.id = (select n.user_id from login_names n where n.tenant_id = $1 and n.name = $2)"
        ))
        .bind(tenant)
        .bind(name.as_str()),
    };
    let rows = app.db.fetch(statement).await?;
    Ok(rows.first().map(PasswordOwner::from_row).transpose()?.flatten())
}
