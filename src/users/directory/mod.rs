//! Users as the directory shows and changes them: all that is known, but for the password.

pub mod store;

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::{CustomerId, UserId};
use crate::spelling::search_text;

use super::{LoginName, Metadata, PersonDetails, Phone, StaffRole, UserKind, UserStatus};

/// A user's row.
#[derive(Clone, PartialEq, Debug)]
pub struct UserRecord {
    pub id: UserId,
    pub customer_id: CustomerId,
    pub kind: UserKind,
    pub status: UserStatus,
    /// Which of the row's changes this one shows: a change names it, and is refused when it is another by then.
    pub revision: i64,
    /// As typed.
    pub username: Option<String>,
    /// As typed.
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub full_name: Option<String>,
    pub gender: Option<String>,
    pub phones: Vec<Phone>,
    pub roles: Vec<String>,
    pub details: PersonDetails,
    pub metadata: Metadata,
    pub has_password: bool,
    pub last_login_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When what was personal went.
    pub erased_at: Option<Timestamp>,
}

impl UserRecord {
    /// Reads the columns that `user_record_columns!` names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        Ok(Self {
            id: UserId::from_stored(row.text("id")?),
            customer_id: CustomerId::from_stored(row.text("customer_id")?),
            kind: UserKind::parse(&row.text("kind")?).ok_or_else(|| broken("users.kind"))?,
            status: UserStatus::parse(&row.text("status")?).ok_or_else(|| broken("users.status"))?,
            revision: row.int("revision")?,
            username: row.maybe_text("username")?,
            email: row.maybe_text("email")?,
            first_name: row.maybe_text("first_name")?,
            last_name: row.maybe_text("last_name")?,
            full_name: row.maybe_text("full_name")?,
            gender: row.maybe_text("gender")?,
            phones: serde_json::from_str(&row.text("phones")?).map_err(|_| broken("users.phones"))?,
            roles: serde_json::from_str(&row.text("roles")?).map_err(|_| broken("users.roles"))?,
            details: serde_json::from_str(&row.text("profile")?).map_err(|_| broken("users.profile"))?,
            metadata: Metadata::from_stored(&row.text("metadata")?).map_err(|_| broken("users.metadata"))?,
            has_password: row.bool("has_password")?,
            last_login_at: row.maybe_instant("last_login_at")?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
            erased_at: row.maybe_instant("erased_at")?,
        })
    }

    /// The names this user logs in by, canonical: username and e-mail.
    pub fn login_names(&self) -> Result<[Option<LoginName>; 2], &'static str> {
        let username = self.username.as_deref().map(LoginName::parse).transpose()?;
        let email = self.email.as_deref().map(LoginName::parse).transpose()?;
        Ok([username, email])
    }

    /// First and last name, as an individual is called who is registered without another name.
    #[must_use]
    pub fn own_name(&self) -> Option<String> {
        Some(format!("{} {}", self.first_name.as_deref()?, self.last_name.as_deref()?))
    }

    /// Whether this is somebody who manages the tenant's users now.
    #[must_use]
    pub fn is_active_admin(&self) -> bool {
        self.kind == UserKind::Staff && self.status == UserStatus::Active && self.has_role(StaffRole::Admin)
    }

    /// Whether the word is among the roles; it permits something to staff only.
    #[must_use]
    pub fn has_role(&self, role: StaffRole) -> bool {
        self.roles.iter().any(|own| own == role.as_str())
    }

    /// What a text search looks at.
    pub(crate) fn search(&self) -> String {
        let Self { first_name, last_name, full_name, username, email, .. } = self;
        let names = [first_name, last_name, full_name, username, email].map(Option::as_deref);
        search_text(names.into_iter().chain(self.phones.iter().map(|phone| Some(phone.number.as_str()))))
    }
}

/// What is done to a user's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserMove {
    Suspend,
    Resume,
    /// For good.
    Close,
}

impl UserMove {
    /// The status it leads to; `None` where it has been done already. The error says why it cannot be.
    pub fn from(self, status: UserStatus) -> Result<Option<UserStatus>, &'static str> {
        use UserStatus::{Active, Closed, Suspended};
        match (self, status) {
            (Self::Suspend, Suspended) | (Self::Resume, Active) | (Self::Close, Closed) => Ok(None),
            (_, Closed) => Err("is CLOSED, and stays so"),
            (Self::Suspend, Active) => Ok(Some(Suspended)),
            (Self::Resume, Suspended) => Ok(Some(Active)),
            (Self::Close, _) => Ok(Some(Closed)),
        }
    }
}

/// Which users a list shows; what is `None` does not matter.
#[derive(Clone, Default, Debug)]
pub struct UserFilters {
    pub status: Option<UserStatus>,
    pub kind: Option<UserKind>,
    pub customer: Option<CustomerId>,
    /// Exactly this one.
    pub email: Option<LoginName>,
    /// Exactly this number, in E.164.
    pub phone: Option<String>,
    /// Anywhere in names, e-mail, username or numbers.
    pub text: Option<String>,
}

impl UserFilters {
    /// Whether rows have to be looked at one by one. An e-mail, a number or a customer alone is found by an index.
    #[must_use]
    pub fn look_at_each(&self) -> bool {
        let Self { status, kind, customer, email, phone, text } = self;
        let by_index = [customer.is_some(), email.is_some(), phone.is_some()]
            .into_iter()
            .filter(|filter| *filter)
            .count();
        status.is_some() || kind.is_some() || text.is_some() || by_index > 1
    }
}
