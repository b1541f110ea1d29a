//! Customers as the directory shows and changes them.

use crate::clock::Timestamp;
use crate::db::{DbError, Row};
use crate::ids::CustomerId;

use super::{CustomerDetails, CustomerKind, CustomerStatus};

/// A customer's row.
#[derive(Clone, PartialEq, Debug)]
pub struct CustomerRecord {
    pub id: CustomerId,
    pub kind: CustomerKind,
    /// The tenant's own organization: its users are the staff.
    pub house: bool,
    pub status: CustomerStatus,
    /// What a suspended customer was before.
    pub status_before: Option<CustomerStatus>,
    /// Which of the row's changes this one shows: a change names it, and is refused when it is another by then.
    pub revision: i64,
    /// Empty once it is erased.
    pub name: String,
    pub details: CustomerDetails,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// When what was personal went.
    pub erased_at: Option<Timestamp>,
}

impl CustomerRecord {
    /// Reads the columns that `customer_record_columns!` names.
    pub fn from_row(row: &Row) -> Result<Self, DbError> {
        let broken = |column: &str| DbError::Failed(format!("{column}: not what it should hold"));
        let status = |text: String| CustomerStatus::parse(&text).ok_or_else(|| broken("customers.status"));
        Ok(Self {
            id: CustomerId::from_stored(row.text("id")?),
            kind: CustomerKind::parse(&row.text("kind")?).ok_or_else(|| broken("customers.kind"))?,
            house: row.bool("house")?,
            status: status(row.text("status")?)?,
            status_before: row.maybe_text("status_before")?.map(status).transpose()?,
            revision: row.int("revision")?,
            name: row.text("name")?,
            details: serde_json::from_str(&row.text("details")?).map_err(|_| broken("customers.details"))?,
            created_at: row.instant("created_at")?,
            updated_at: row.instant("updated_at")?,
            erased_at: row.maybe_instant("erased_at")?,
        })
    }
}

/// Which customers a list shows; what is `None` does not matter.
#[derive(Clone, Default, Debug)]
pub struct CustomerFilters {
    pub kind: Option<CustomerKind>,
    pub status: Option<CustomerStatus>,
    /// The canonical e-mail of one of its users.
    pub email: Option<String>,
    /// A number of one of its users, in E.164.
    pub phone: Option<String>,
    /// Anywhere in names and numbers.
    pub text: Option<String>,
}

impl CustomerFilters {
    /// Whether rows have to be looked at one by one. An e-mail or a number alone is found by an index.
    #[must_use]
    pub fn look_at_each(&self) -> bool {
        let Self { kind, status, email, phone, text } = self;
        kind.is_some() || status.is_some() || text.is_some() || email.is_some() && phone.is_some()
    }
}

/// What is done to a customer's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CustomerMove {
    Activate,
    Suspend,
    /// Back to what it was.
    Resume,
    /// For good.
    Close,
}

impl CustomerMove {
    /// The status it leads to; `None` where it has been done already. The error says why it cannot be.
    pub fn from(self, customer: &CustomerRecord) -> Result<Option<CustomerStatus>, &'static str> {
        use CustomerStatus::{Active, Closed, Suspended};
        match (self, customer.status) {
            (Self::Activate | Self::Resume, Active) | (Self::Suspend, Suspended) | (Self::Close, Closed) => {
                Ok(None)
            }
            (_, Closed) => Err("is CLOSED, and stays so"),
            (Self::Activate, Suspended) => Err("is SUSPENDED; resume it first"),
            (Self::Activate, _) => Ok(Some(Active)),
            (Self::Suspend, _) => Ok(Some(Suspended)),
            (Self::Resume, Suspended) => Ok(Some(customer.status_before.unwrap_or(Active))),
            (Self::Resume, _) => Err("is not SUSPENDED"),
            (Self::Close, _) => Ok(Some(Closed)),
        }
    }
}
