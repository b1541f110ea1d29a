//! `/api/v2.1/admin/customers`: customers, for a tenant's backend and staff.

use axum::extract::{Path, Request, State};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers, Read};
use crate::customers::{CustomerFilters, CustomerKind, CustomerRecord, CustomerStatus};
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::CustomerId;

use super::body;
use super::examples;
use super::fields::Fields;
use super::inputs::{CategoryInput, OrganizationInput};
use super::patch::{Patch, patch};
use super::person::MAX_FULL_NAME;
use super::views::{CustomerPage, DirectoryCustomer};

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_customers)).routes(routes!(get_customer, change_customer))
}

/// Reads a customer's id out of a path.
pub(super) fn customer_id(text: &str) -> Result<CustomerId, Error> {
    CustomerId::parse(text)
        .ok_or_else(|| Error::invalid("customerId", "must be 1 to 64 letters, digits, - or _"))
}

/// Which customers; what is left out does not matter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct CustomersQuery {
    /// `individual` or `organization`.
    #[param(example = "individual")]
    kind: Option<String>,
    /// `ACTIVE`, `PENDING_ACTIVATION`, `PENDING_VERIFICATION`, `CS_REGISTRATION_COMPLETED`, `SUSPENDED` or
    /// `CLOSED`.
    #[param(example = "ACTIVE")]
    status: Option<String>,
    /// The whole e-mail of one of its users, in any case.
    #[param(max_length = 254)]
    email: Option<String>,
    /// The whole number of one of its users, in E.164.
    #[param(max_length = 64)]
    phone: Option<String>,
    /// Anywhere in the customer's names and register numbers, in any case.
    #[param(max_length = 100)]
    text: Option<String>,
}

impl CustomersQuery {
    fn read(&self) -> Result<CustomerFilters, Error> {
        let mut fields = Fields::default();
        let filters = CustomerFilters {
            kind: fields.word("kind", self.kind.as_deref(), CustomerKind::ALL, CustomerKind::as_str),
            status: fields.word(
                "status",
                self.status.as_deref(),
                CustomerStatus::ALL,
                CustomerStatus::documented,
            ),
            email: fields.email("email", self.email.as_deref()).map(|(_, name)| name.as_str().to_owned()),
            phone: fields.number("phone", self.phone.as_deref()),
            text: fields.text("text", self.text.as_deref(), 100),
        };
        fields.finish().map(|()| filters)
    }
}

/// List customers
///
/// In the order of their ids. A page looks at 20,000 customers at most, so with filters it may hold fewer than were
/// asked for, or none, and yet have a `nextCursor`.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/customers",
    operation_id = "listCustomers",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(PageQuery, CustomersQuery),
    responses((status = 200, description = "Some customers", body = Success<CustomerPage>, example = json!(examples::page(&[examples::customer("ACTIVE")]))))
)]
async fn list_customers(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Query(page): Query<PageQuery>,
    Query(query): Query<CustomersQuery>,
) -> Result<Success<CustomerPage>, Error> {
    let filters = query.read()?;
    let tenant = &caller.tenant.id;
    let list = List { master: &app.master, tenant, query: format!("customers {filters:?}") };
    let after = page.after(&list)?;
    let found = flows::list_customers(&app.db, tenant, &filters, after.as_deref(), page.size()).await?;
    let items = found.items.into_iter().map(|customer| DirectoryCustomer::new(tenant, customer)).collect();
    Ok(Success::new(CustomerPage { items, next_cursor: found.next.map(|id| list.cursor(&id)) }))
}

/// View a customer
///
/// Whatever its status; an erased one without what was personal.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/customers/{customerId}",
    operation_id = "getCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    responses((status = 200, description = "The customer", body = Success<DirectoryCustomer>, example = json!(examples::success(&examples::customer("ACTIVE")))))
)]
async fn get_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(id): Path<String>,
) -> Result<Success<DirectoryCustomer>, Error> {
    let tenant = &caller.tenant.id;
    let customer = flows::get_customer(&app.db, tenant, &customer_id(&id)?).await?;
    Ok(Success::new(DirectoryCustomer::new(tenant, customer)))
}

/// What may be changed of a customer: what is left out stays as it is, null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ChangeCustomer {
    #[schema(max_length = 200)]
    customer_name: Option<String>,
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = CategoryInput, required = false)]
    customer_category: Patch<CategoryInput>,
    /// Of an organization only.
    #[serde(default, deserialize_with = "patch")]
    #[schema(value_type = OrganizationInput, required = false)]
    organization: Patch<OrganizationInput>,
}

/// Change a customer
///
/// Its name, its category, and of an organization what the registers say: each as a whole. The status has calls of
/// its own.
#[utoipa::path(
    patch,
    path = "/api/v2.1/admin/customers/{customerId}",
    operation_id = "changeCustomer",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("customerId" = String, Path, description = "The customer's id.", example = json!(examples::CUSTOMER))),
    request_body(content = ChangeCustomer, example = json!({
        "customerName": "Ada Customer", "customerCategory": { "id": "retail", "name": "Retail" },
    })),
    responses(
        (status = 200, description = "The customer as it is now", body = Success<DirectoryCustomer>,
         example = json!(examples::success(&examples::customer("ACTIVE")))),
        (status = 409, description = "The customer is closed"),
    )
)]
async fn change_customer(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryCustomer>, Error> {
    let id = customer_id(&id)?;
    let ChangeCustomer { customer_name, customer_category, organization } = body::read(request, &app).await?;
    let mut fields = Fields::default();
    let name = customer_name
        .map(|name| fields.required("customerName", Some(&name), MAX_FULL_NAME).unwrap_or_default());
    let category = customer_category.map(|category| category.map(|category| category.read(&mut fields)));
    let organization = organization.map(|it| it.map(|it| it.read(&mut fields, "organization")));
    fields.finish()?;
    let edit = |customer: &mut CustomerRecord| {
        if organization.is_some() && customer.kind == CustomerKind::Individual {
            return Err(Error::invalid(
                "organization",
                "is an organization's; this customer is an individual",
            ));
        }
        if let Some(name) = &name {
            customer.name.clone_from(name);
        }
        if let Some(category) = &category {
            customer.details.category.clone_from(category);
        }
        if let Some(organization) = &organization {
            customer.details.organization.clone_from(organization);
        }
        Ok(())
    };
    let now = app.clock.now();
    let customer = flows::change_customer(&app.db, &caller.deed(None), &id, edit, now).await?;
    Ok(Success::new(DirectoryCustomer::new(&caller.tenant.id, customer)))
}
