//! The bodies of a registration: all that is wrong with them is told at once.

use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::customers::{CustomerDetails, Organization};
use crate::directory_api::fields::Fields;
use crate::directory_api::inputs::{CategoryInput, OrganizationInput};
use crate::directory_api::person::{MAX_FULL_NAME, MAX_NAME, MAX_TEXT, Person, default_roles};
use crate::error::Error;
use crate::tenants::{Tenant, TenantName};
use crate::users::{Metadata, PersonDetails, Phone, check_customer_roles};

/// The registration of an individual. Null and empty count as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RegisterIndividual {
    /// Required.
    #[schema(max_length = 100)]
    first_name: Option<String>,
    /// Required.
    #[schema(max_length = 100)]
    last_name: Option<String>,
    /// Required; unique within the tenant. The user logs in by it.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// In E.164; spaces, dashes, dots and brackets are taken out.
    #[schema(max_length = 64)]
    phone: Option<String>,
    /// Required.
    #[schema(value_type = Option<String>, max_length = 1024)]
    password: Option<SecretString>,
    /// Required: the password again.
    #[schema(value_type = Option<String>, max_length = 1024)]
    matching_password: Option<SecretString>,
    /// A day that is over, `1990-12-31`.
    #[schema(max_length = 10)]
    date_of_birth: Option<String>,
    #[schema(max_length = 64)]
    gender: Option<String>,
    #[schema(max_length = 64)]
    nationality: Option<String>,
    #[schema(max_length = 64)]
    place_of_birth: Option<String>,
    /// The postal code.
    #[schema(max_length = 64)]
    pincode: Option<String>,
    /// Words that travel in the token; `USER` when left out. Staff roles are refused.
    #[schema(max_items = 20)]
    role_ids: Option<Vec<String>>,
    #[schema(value_type = CategoryInput, required = false)]
    customer_category: Option<CategoryInput>,
    #[schema(value_type = IndividualCustomer, required = false)]
    individual_customer: Option<IndividualCustomer>,
    /// A name to log in by beside the e-mail; without `@`. Ours, not documented elsewhere.
    #[schema(max_length = 256)]
    username: Option<String>,
    /// What the tenant wants to keep of the user: 4 KiB, 50 keys and 3 levels at most. Ours, not documented elsewhere.
    #[schema(value_type = Object, required = false)]
    metadata: Option<Metadata>,
}

/// The customer of an individual's registration.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct IndividualCustomer {
    /// First and last name when left out.
    #[schema(max_length = 200)]
    customer_name: Option<String>,
    /// The tenant's UUID (or slug): must name the caller's.
    #[schema(max_length = 64)]
    tenant_id: Option<String>,
}

/// The registration of an organization with its first user. Null and empty count as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct RegisterOrganization {
    /// Required; unique within the tenant. The first user logs in by it.
    #[schema(max_length = 254)]
    email: Option<String>,
    /// Required.
    #[schema(value_type = Option<String>, max_length = 1024)]
    password: Option<SecretString>,
    /// Required: the password again.
    #[schema(value_type = Option<String>, max_length = 1024)]
    matching_password: Option<SecretString>,
    /// The first user's name.
    #[schema(max_length = 100)]
    first_name: Option<String>,
    #[schema(max_length = 100)]
    last_name: Option<String>,
    /// In E.164; spaces, dashes, dots and brackets are taken out.
    #[schema(max_length = 64)]
    phone: Option<String>,
    /// Words that travel in the token; `USER` when left out. Staff roles are refused.
    #[schema(max_items = 20)]
    role_ids: Option<Vec<String>>,
    #[schema(value_type = CategoryInput, required = false)]
    customer_category: Option<CategoryInput>,
    #[schema(value_type = OrganizationCustomer, required = false)]
    organization_customer: Option<OrganizationCustomer>,
    /// A name to log in by beside the e-mail; without `@`. Ours, not documented elsewhere.
    #[schema(max_length = 256)]
    username: Option<String>,
    /// What the tenant wants to keep of the first user: 4 KiB, 50 keys and 3 levels at most. Ours, not documented
    /// elsewhere.
    #[schema(value_type = Object, required = false)]
    metadata: Option<Metadata>,
}

/// The customer of an organization's registration: a name is required, here or in `organization`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OrganizationCustomer {
    #[schema(max_length = 200)]
    customer_name: Option<String>,
    /// The tenant's UUID (or slug): must name the caller's.
    #[schema(max_length = 64)]
    tenant_id: Option<String>,
    #[schema(value_type = OrganizationInput, required = false)]
    organization: Option<OrganizationInput>,
}

/// The tenant that a body names must be the caller's.
fn same_tenant(fields: &mut Fields, field: &str, named: Option<&str>, tenant: &Tenant) {
    let named = named.filter(|text| !text.is_empty());
    if named.is_some_and(|text| TenantName::parse(text).is_none_or(|name| !name.names(tenant))) {
        fields.wrong(field, "must be the tenant's own UUID (or slug), or be left out");
    }
}

/// A registration that has been read.
pub(super) struct Read {
    pub(super) person: Person,
    pub(super) name: String,
    pub(super) details: CustomerDetails,
}

impl RegisterIndividual {
    pub(super) fn read(&self, app: &SharedApp, tenant: &Tenant) -> Result<Read, Error> {
        let (fields, now) = (&mut Fields::default(), app.clock.now());
        let first_name = fields.required("firstName", self.first_name.as_deref(), MAX_NAME);
        let last_name = fields.required("lastName", self.last_name.as_deref(), MAX_NAME);
        let mut person = Person { first_name, last_name, ..Person::default() };
        read_names(fields, &mut person, self.email.as_deref(), self.username.as_deref());
        read_phone(fields, &mut person, self.phone.as_deref());
        person.gender = fields.text("gender", self.gender.as_deref(), MAX_TEXT);
        person.details = PersonDetails {
            date_of_birth: fields.day("dateOfBirth", self.date_of_birth.as_deref(), now),
            nationality: fields.text("nationality", self.nationality.as_deref(), MAX_TEXT),
            place_of_birth: fields.text("placeOfBirth", self.place_of_birth.as_deref(), MAX_TEXT),
            pincode: fields.text("pincode", self.pincode.as_deref(), MAX_TEXT),
        };
        read_rest(fields, &mut person, self.role_ids.as_deref(), self.metadata.as_ref());
        let category = self.customer_category.as_ref().map(|category| category.read(fields));
        let no_customer = IndividualCustomer::default();
        let customer = self.individual_customer.as_ref().unwrap_or(&no_customer);
        let name =
            fields.text("individualCustomer.customerName", customer.customer_name.as_deref(), MAX_FULL_NAME);
        same_tenant(fields, "individualCustomer.tenantId", customer.tenant_id.as_deref(), tenant);
        read_password(fields, &mut person, tenant, self.password.as_ref(), self.matching_password.as_ref());
        std::mem::take(fields).finish()?;
        let joined = [&person.first_name, &person.last_name].map(|name| name.clone().unwrap_or_default());
        let details = CustomerDetails { category, organization: None };
        Ok(Read { name: name.unwrap_or_else(|| joined.join(" ")), person, details })
    }
}

impl RegisterOrganization {
    pub(super) fn read(&self, tenant: &Tenant) -> Result<Read, Error> {
        let fields = &mut Fields::default();
        let mut person = Person {
            first_name: fields.text("firstName", self.first_name.as_deref(), MAX_NAME),
            last_name: fields.text("lastName", self.last_name.as_deref(), MAX_NAME),
            ..Person::default()
        };
        read_names(fields, &mut person, self.email.as_deref(), self.username.as_deref());
        read_phone(fields, &mut person, self.phone.as_deref());
        read_rest(fields, &mut person, self.role_ids.as_deref(), self.metadata.as_ref());
        let category = self.customer_category.as_ref().map(|category| category.read(fields));
        let no_customer = OrganizationCustomer::default();
        let customer = self.organization_customer.as_ref().unwrap_or(&no_customer);
        let name = fields.text(
            "organizationCustomer.customerName",
            customer.customer_name.as_deref(),
            MAX_FULL_NAME,
        );
        let organization = customer.organization.as_ref();
        let organization = organization.map(|it| it.read(fields, "organizationCustomer.organization"));
        same_tenant(fields, "organizationCustomer.tenantId", customer.tenant_id.as_deref(), tenant);
        let called = |organization: &Organization| {
            organization.trading_name.clone().or_else(|| organization.legal_name.clone())
        };
        let name = name.or_else(|| organization.as_ref().and_then(called));
        if name.is_none() {
            fields.wrong("organizationCustomer.customerName", "is required, or a name in organization");
        }
        read_password(fields, &mut person, tenant, self.password.as_ref(), self.matching_password.as_ref());
        std::mem::take(fields).finish()?;
        let details = CustomerDetails { category, organization };
        Ok(Read { person, name: name.unwrap_or_default(), details })
    }
}

fn read_names(fields: &mut Fields, person: &mut Person, email: Option<&str>, username: Option<&str>) {
    person.email = fields.email("email", email);
    if person.email.is_none() && !fields.has("email") {
        fields.wrong("email", "is required");
    }
    person.username = fields.username(username);
    person.check_names(fields);
}

fn read_phone(fields: &mut Fields, person: &mut Person, phone: Option<&str>) {
    person.phones.extend(fields.number("phone", phone).map(|number| Phone::new("MOBILE", number)));
}

fn read_rest(
    fields: &mut Fields,
    person: &mut Person,
    roles: Option<&[String]>,
    metadata: Option<&Metadata>,
) {
    person.roles = roles.map_or_else(default_roles, <[String]>::to_vec);
    fields.check("roleIds", check_customer_roles(&person.roles));
    fields.metadata(metadata);
    person.metadata = metadata.cloned().unwrap_or_default();
}

fn read_password(
    fields: &mut Fields,
    person: &mut Person,
    tenant: &Tenant,
    password: Option<&SecretString>,
    matching: Option<&SecretString>,
) {
    person.read_password(fields, tenant, password, matching);
    if person.password.is_none() {
        fields.wrong("password", "is required");
    }
}
