//! What else is known of a customer: its category, and of an organization what the registers say.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spelling::search_text;

/// A customer's details, as its row keeps them.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomerDetails {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// `None` for individuals.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Organization>,
}

/// The tenant's own sorting of its customers: kept and shown, and it means nothing here.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Category {
    pub id: Option<String>,
    pub name: Option<String>,
}

/// What the registers say of an organization.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Organization {
    pub legal_name: Option<String>,
    pub trading_name: Option<String>,
    pub registration_number: Option<String>,
    pub tax_id: Option<String>,
}

impl CustomerDetails {
    /// What a text search looks at, with the customer's name.
    #[must_use]
    pub fn search(&self, name: &str) -> String {
        let of = self.organization.as_ref();
        let registered = of.map(|it| [&it.legal_name, &it.trading_name, &it.registration_number, &it.tax_id]);
        search_text(
            std::iter::once(Some(name)).chain(registered.into_iter().flatten().map(|part| part.as_deref())),
        )
    }
}

impl fmt::Display for CustomerDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
