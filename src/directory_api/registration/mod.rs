//! `POST …/registration`: a new customer with its first user, as documented.

mod bodies;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers};
use crate::customers::store::NewCustomer;
use crate::customers::{CustomerKind, CustomerRecord, CustomerStatus};
use crate::error::Error;
use crate::flows::{Registration, get_customer, get_user, register_customer};
use crate::http::envelope::json_response;
use crate::http::routes::{Routes, routes};
use crate::ids::{CustomerId, TenantId, UserId};
use crate::users::UserKind;
use crate::users::directory::UserRecord;

use super::views::{CustomerCategory, DirectoryUser};
use super::{body, examples};
use bodies::{Read, RegisterIndividual, RegisterOrganization};

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(register_individual)).routes(routes!(register_organization))
}

/// The documented answer, with `redirectUrl` in its envelope.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Registered {
    /// The HTTP status.
    #[schema(example = 200)]
    code: u16,
    data: RegisteredCustomer,
    #[schema(example = "Success")]
    message: &'static str,
    /// Always null: there is nothing to go to.
    #[schema(required)]
    redirect_url: Option<String>,
}

/// `data` of a registration.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RegisteredCustomer {
    organization: bool,
    individual: bool,
    /// The customer's id.
    id: String,
    tenant_id: String,
    /// `CT_PERSON` or `CT_ORGANIZATION`.
    #[schema(example = "CT_PERSON")]
    customer_type: &'static str,
    #[schema(example = "CS_REGISTRATION_COMPLETED")]
    customer_status: &'static str,
    person: RegisteredPerson,
    user: DirectoryUser,
    categorization: CustomerCategory,
}

/// The individual; of an organization its first user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct RegisteredPerson {
    #[schema(required)]
    first_name: Option<String>,
    #[schema(required)]
    last_name: Option<String>,
    #[schema(required)]
    email: Option<String>,
    /// In E.164.
    #[schema(required)]
    phone: Option<String>,
    #[schema(required)]
    date_of_birth: Option<String>,
    #[schema(required)]
    gender: Option<String>,
    #[schema(required)]
    nationality: Option<String>,
    #[schema(required)]
    place_of_birth: Option<String>,
    #[schema(required)]
    pincode: Option<String>,
}

impl From<&UserRecord> for RegisteredPerson {
    fn from(user: &UserRecord) -> Self {
        let details = user.details.clone();
        Self {
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            email: user.email.clone(),
            phone: user.phones.first().map(|phone| phone.number.clone()),
            date_of_birth: details.date_of_birth,
            gender: user.gender.clone(),
            nationality: details.nationality,
            place_of_birth: details.place_of_birth,
            pincode: details.pincode,
        }
    }
}

impl Registered {
    fn new(tenant: &TenantId, customer: CustomerRecord, user: UserRecord) -> Self {
        let data = RegisteredCustomer {
            organization: customer.kind == CustomerKind::Organization,
            individual: customer.kind == CustomerKind::Individual,
            id: customer.id.to_string(),
            tenant_id: tenant.to_string(),
            customer_type: customer.kind.documented(),
            customer_status: customer.status.documented(),
            person: RegisteredPerson::from(&user),
            user: DirectoryUser::new(tenant, user),
            categorization: customer.details.category.into(),
        };
        Self { code: 200, data, message: "Success", redirect_url: None }
    }
}

impl IntoResponse for Registered {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self) {
            Ok(body) => json_response(StatusCode::OK, body),
            Err(error) => Error::Internal(error.into()).into_response(),
        }
    }
}

/// Register an individual
///
/// Makes a customer and its user, who can log in at once. All that is wrong with the fields is told at once.
#[utoipa::path(
    post,
    path = "/api/v2.1/customer/individual/registration",
    operation_id = "registerIndividual",
    tag = "Registration",
    security(("accessToken" = []), ("backendKey" = [])),
    request_body(content = RegisterIndividual, example = json!(examples::registering_individual().0)),
    responses(
        (status = 200, description = "The customer is registered", body = Registered, example = json!(examples::registering_individual().1)),
        (status = 409, description = "The e-mail or the username is taken"),
    )
)]
async fn register_individual(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    request: Request,
) -> Result<Registered, Error> {
    let body: RegisterIndividual = body::read(request, &app).await?;
    let read = body.read(&app, &caller.tenant)?;
    register(&app, &caller, CustomerKind::Individual, &read).await
}

/// Register an organization
///
/// Makes a customer and its first user, who can log in at once. All that is wrong with the fields is told at once.
#[utoipa::path(
    post,
    path = "/api/v2.1/customer/organization/registration",
    operation_id = "registerOrganization",
    tag = "Registration",
    security(("accessToken" = []), ("backendKey" = [])),
    request_body(content = RegisterOrganization, example = json!(examples::registering_organization().0)),
    responses(
        (status = 200, description = "The customer is registered", body = Registered, example = json!(examples::registering_organization().1)),
        (status = 409, description = "The e-mail or the username is taken"),
    )
)]
async fn register_organization(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    request: Request,
) -> Result<Registered, Error> {
    let body: RegisterOrganization = body::read(request, &app).await?;
    let read = body.read(&caller.tenant)?;
    register(&app, &caller, CustomerKind::Organization, &read).await
}

async fn register(
    app: &SharedApp,
    caller: &DirectoryCaller<ManageUsers>,
    kind: CustomerKind,
    read: &Read,
) -> Result<Registered, Error> {
    let Read { person, name, details } = read;
    let hash = person.hash(app, &caller.tenant).await?;
    let (customer, user) = (CustomerId::random(), UserId::random());
    let new = Registration {
        customer: NewCustomer {
            status: CustomerStatus::RegistrationCompleted,
            details: Some(details),
            ..NewCustomer::new(&customer, kind, name)
        },
        user: person.as_new(&user, &customer, UserKind::Customer, hash.as_ref()),
    };
    register_customer(&app.db, &caller.deed(None), &new, app.clock.now()).await?;
    let tenant = &caller.tenant.id;
    let customer = get_customer(&app.db, tenant, &customer).await?;
    Ok(Registered::new(tenant, customer, get_user(&app.db, tenant, &user).await?))
}
