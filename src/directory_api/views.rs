//! What the answers show of customers and users: absent values as null, never left out; never a password or its hash.

use serde::Serialize;
use utoipa::ToSchema;

use crate::customers::{Category, CustomerKind, CustomerRecord, Organization};
use crate::ids::TenantId;
use crate::users::directory::UserRecord;
use crate::users::{Metadata, Phone};

/// A user, as the directory knows them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryUser {
    id: String,
    tenant_id: String,
    /// The customer whose user this is; of staff the tenant's own organization.
    customer_id: String,
    /// `customer` or `staff`.
    #[schema(example = "customer")]
    kind: &'static str,
    /// `ACTIVE`, `SUSPENDED` or `CLOSED`.
    #[schema(example = "ACTIVE")]
    status: &'static str,
    #[schema(required)]
    username: Option<String>,
    #[schema(required)]
    email: Option<String>,
    #[schema(required)]
    first_name: Option<String>,
    #[schema(required)]
    last_name: Option<String>,
    #[schema(required)]
    full_name: Option<String>,
    #[schema(required)]
    gender: Option<String>,
    #[schema(required)]
    date_of_birth: Option<String>,
    #[schema(required)]
    nationality: Option<String>,
    #[schema(required)]
    place_of_birth: Option<String>,
    #[schema(required)]
    pincode: Option<String>,
    phones: Vec<Phone>,
    roles: Vec<String>,
    /// As set by backend and staff.
    #[schema(value_type = Object)]
    metadata: Metadata,
    /// Whether there is a password to log in with.
    has_password: bool,
    #[schema(required, format = DateTime)]
    last_login: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// When what was personal went, for good.
    #[schema(required, format = DateTime)]
    erased_at: Option<String>,
}

impl DirectoryUser {
    pub(super) fn new(tenant: &TenantId, user: UserRecord) -> Self {
        Self {
            id: user.id.to_string(),
            tenant_id: tenant.to_string(),
            customer_id: user.customer_id.to_string(),
            kind: user.kind.as_str(),
            status: user.status.documented(),
            username: user.username,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            full_name: user.full_name,
            gender: user.gender,
            date_of_birth: user.details.date_of_birth,
            nationality: user.details.nationality,
            place_of_birth: user.details.place_of_birth,
            pincode: user.details.pincode,
            phones: user.phones,
            roles: user.roles,
            metadata: user.metadata,
            has_password: user.has_password,
            last_login: user.last_login_at.map(|at| at.to_string()),
            created_at: user.created_at.to_string(),
            updated_at: user.updated_at.to_string(),
            erased_at: user.erased_at.map(|at| at.to_string()),
        }
    }
}

/// A customer, as the directory knows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DirectoryCustomer {
    id: String,
    tenant_id: String,
    individual: bool,
    organization: bool,
    /// `CT_PERSON` or `CT_ORGANIZATION`.
    #[schema(example = "CT_PERSON")]
    customer_type: &'static str,
    /// `ACTIVE`, `PENDING_ACTIVATION`, `PENDING_VERIFICATION`, `CS_REGISTRATION_COMPLETED`, `SUSPENDED` or
    /// `CLOSED`.
    #[schema(example = "ACTIVE")]
    customer_status: &'static str,
    /// Null once the customer is erased.
    #[schema(required)]
    customer_name: Option<String>,
    customer_category: CustomerCategory,
    organization_details: OrganizationDetails,
    /// Whether it is the tenant's own organization, whose users are its staff.
    house: bool,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    /// When what was personal went, for good.
    #[schema(required, format = DateTime)]
    erased_at: Option<String>,
}

/// The tenant's own sorting of its customers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CustomerCategory {
    #[schema(required)]
    id: Option<String>,
    #[schema(required)]
    name: Option<String>,
}

/// What the registers say of an organization; all null for an individual.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrganizationDetails {
    #[schema(required)]
    legal_name: Option<String>,
    #[schema(required)]
    trading_name: Option<String>,
    #[schema(required)]
    registration_number: Option<String>,
    #[schema(required)]
    tax_id: Option<String>,
}

impl From<Option<Category>> for CustomerCategory {
    fn from(category: Option<Category>) -> Self {
        let Category { id, name } = category.unwrap_or_default();
        Self { id, name }
    }
}

impl DirectoryCustomer {
    pub(super) fn new(tenant: &TenantId, customer: CustomerRecord) -> Self {
        let Organization { legal_name, trading_name, registration_number, tax_id } =
            customer.details.organization.unwrap_or_default();
        Self {
            id: customer.id.to_string(),
            tenant_id: tenant.to_string(),
            individual: customer.kind == CustomerKind::Individual,
            organization: customer.kind == CustomerKind::Organization,
            customer_type: customer.kind.documented(),
            customer_status: customer.status.documented(),
            customer_name: Some(customer.name).filter(|name| !name.is_empty()),
            customer_category: customer.details.category.into(),
            organization_details: OrganizationDetails {
                legal_name,
                trading_name,
                registration_number,
                tax_id,
            },
            house: customer.house,
            created_at: customer.created_at.to_string(),
            updated_at: customer.updated_at.to_string(),
            erased_at: customer.erased_at.map(|at| at.to_string()),
        }
    }
}

/// Some customers of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerPage {
    pub(super) items: Vec<DirectoryCustomer>,
    /// Begin the next page with it; null where this is the last. A page with filters may hold fewer customers than
    /// were asked for, or none, and yet not be the last.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// Some users of a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserPage {
    pub(super) items: Vec<DirectoryUser>,
    /// Begin the next page with it; null where this is the last. A page with filters may hold fewer users than were
    /// asked for, or none, and yet not be the last.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}
