//! What bodies say of customers, alike in a registration and in a change.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::customers::{Category, Organization};

use super::fields::Fields;
use super::person::{MAX_FULL_NAME, MAX_NAME, MAX_TEXT};

/// What the registers say of an organization.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OrganizationInput {
    #[schema(max_length = 200)]
    legal_name: Option<String>,
    #[schema(max_length = 200)]
    trading_name: Option<String>,
    #[schema(max_length = 64)]
    registration_number: Option<String>,
    #[schema(max_length = 64)]
    tax_id: Option<String>,
}

/// The tenant's own sorting of its customers: kept and shown, and it means nothing here.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CategoryInput {
    #[schema(max_length = 64)]
    id: Option<String>,
    #[schema(max_length = 100)]
    name: Option<String>,
}

impl CategoryInput {
    pub(super) fn read(&self, fields: &mut Fields) -> Category {
        Category {
            id: fields.text("customerCategory.id", self.id.as_deref(), MAX_TEXT),
            name: fields.text("customerCategory.name", self.name.as_deref(), MAX_NAME),
        }
    }
}

impl OrganizationInput {
    /// `at` is where in the body it stands.
    pub(super) fn read(&self, fields: &mut Fields, at: &str) -> Organization {
        let mut text = |field: &str, value: &Option<String>, most| {
            fields.text(&format!("{at}.{field}"), value.as_deref(), most)
        };
        Organization {
            legal_name: text("legalName", &self.legal_name, MAX_FULL_NAME),
            trading_name: text("tradingName", &self.trading_name, MAX_FULL_NAME),
            registration_number: text("registrationNumber", &self.registration_number, MAX_TEXT),
            tax_id: text("taxId", &self.tax_id, MAX_TEXT),
        }
    }
}
