//! `/api/v2.1/admin/users`: customers' users and staff, for a tenant's backend and staff.

use axum::extract::{Path, Request, State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageUsers, Read};
use crate::customers::{CustomerKind, CustomerRecord};
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::{CustomerId, UserId};
use crate::users::directory::UserFilters;
use crate::users::{UserKind, UserStatus};

use super::customers::customer_id;
use super::fields::Fields;
use super::user_bodies::{AddUser, ChangeUser};
use super::views::{DirectoryUser, UserPage};
use super::{body, examples};

/// Its routes.
pub(super) fn router() -> Routes {
    Routes::new()
        .routes(routes!(list_users, add_staff))
        .routes(routes!(get_user, change_user))
        .routes(routes!(list_customer_users, add_customer_user))
}

/// Reads a user's id out of a path.
pub(super) fn user_id(text: &str) -> Result<UserId, Error> {
    UserId::parse(text).ok_or_else(|| Error::invalid("userId", "must be 1 to 64 letters, digits, - or _"))
}

/// Which users; what is left out does not matter.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct UsersQuery {
    /// `ACTIVE`, `SUSPENDED` or `CLOSED`.
    #[param(example = "ACTIVE")]
    status: Option<String>,
    /// `customer` or `staff`.
    #[param(example = "customer")]
    kind: Option<String>,
    /// The id of the customer whose users they are.
    #[param(max_length = 64)]
    customer_id: Option<String>,
    /// The whole e-mail, in any case.
    #[param(max_length = 254)]
    email: Option<String>,
    /// The whole number, in E.164.
    #[param(max_length = 64)]
    phone: Option<String>,
    /// Anywhere in names, e-mail, username and numbers, in any case.
    #[param(max_length = 100)]
    text: Option<String>,
}

impl UsersQuery {
    fn read(&self) -> Result<UserFilters, Error> {
        let mut fields = Fields::default();
        let status = self.status.as_deref();
        let filters = UserFilters {
            status: fields.word("status", status, UserStatus::ALL, UserStatus::documented),
            kind: fields.word("kind", self.kind.as_deref(), UserKind::ALL, UserKind::as_str),
            customer: self.customer_id.as_deref().map(customer_id).transpose()?,
            email: fields.email("email", self.email.as_deref()).map(|(_, name)| name),
            phone: fields.number("phone", self.phone.as_deref()),
            text: fields.text("text", self.text.as_deref(), 100),
        };
        fields.finish().map(|()| filters)
    }
}

/// List users
///
/// Customers' users and staff, in the order of their ids. A page looks at 20,000 users at most, so with filters it may
/// hold fewer than were asked for, or none, and yet have a `nextCursor`.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users",
    operation_id = "listUsers",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(PageQuery, UsersQuery),
    responses((status = 200, description = "Some users", body = Success<UserPage>,
               example = json!(examples::page(&[examples::user("ACTIVE"), examples::organizations_user()]))))
)]
async fn list_users(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Query(page): Query<PageQuery>,
    Query(query): Query<UsersQuery>,
) -> Result<Success<UserPage>, Error> {
    let filters = query.read()?;
    list(&app, &caller, &page, "users", &filters).await
}

async fn list(
    app: &SharedApp,
    caller: &DirectoryCaller<Read>,
    page: &PageQuery,
    name: &str,
    filters: &UserFilters,
) -> Result<Success<UserPage>, Error> {
    let tenant = &caller.tenant.id;
    let list = List { master: &app.master, tenant, query: format!("{name} {filters:?}") };
    let after = page.after(&list)?;
    let found = flows::list_users(&app.db, tenant, filters, after.as_deref(), page.size()).await?;
    let items = found.items.into_iter().map(|user| DirectoryUser::new(tenant, user)).collect();
    Ok(Success::new(UserPage { items, next_cursor: found.next.map(|id| list.cursor(&id)) }))
}

/// Add a member of staff
///
/// In the tenant's own organization, with at least one of the roles `ADMIN`, `OPERATOR` and `VIEWER`.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users",
    operation_id = "addStaff",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    request_body(content = AddUser, example = json!(examples::adding_staff().0)),
    responses(
        (status = 200, description = "The new user", body = Success<DirectoryUser>,
         example = json!(examples::adding_staff().1)),
        (status = 409, description = "The e-mail or the username is taken"),
    )
)]
async fn add_staff(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    let body: AddUser = body::read(request, &app).await?;
    let house = flows::get_house(&app.db, &caller.tenant.id).await?.id;
    add(&app, &caller, &body, &house, UserKind::Staff).await
}

async fn add(
    app: &SharedApp,
    caller: &DirectoryCaller<ManageUsers>,
    body: &AddUser,
    customer: &CustomerId,
    kind: UserKind,
) -> Result<Success<DirectoryUser>, Error> {
    let person = body.read(kind, &caller.tenant, app.clock.now())?;
    let hash = person.hash(app, &caller.tenant).await?;
    let id = UserId::random();
    let new = person.as_new(&id, customer, kind, hash.as_ref());
    flows::add_user(&app.db, &caller.deed(None), &new, app.clock.now()).await?;
    let user = flows::get_user(&app.db, &caller.tenant.id, &id).await?;
    Ok(Success::new(DirectoryUser::new(&caller.tenant.id, user)))
}

/// View a user
///
/// Whatever the status; an erased one without what was personal.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}",
    operation_id = "getUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    responses((status = 200, description = "The user", body = Success<DirectoryUser>,
               example = json!(examples::success(&examples::user("ACTIVE")))))
)]
async fn get_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(id): Path<String>,
) -> Result<Success<DirectoryUser>, Error> {
    let user = flows::get_user(&app.db, &caller.tenant.id, &user_id(&id)?).await?;
    Ok(Success::new(DirectoryUser::new(&caller.tenant.id, user)))
}

/// Change a user
///
/// A changed e-mail is the name to log in by at once, and the old one nobody's. Sessions go on; their next tokens have
/// the new roles, and what a call permits is judged by the roles of that moment.
#[utoipa::path(
    patch,
    path = "/api/v2.1/admin/users/{userId}",
    operation_id = "changeUser",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(("userId" = String, Path, description = "The user's id.", example = json!(examples::USER))),
    request_body(content = ChangeUser, example = json!({
        "gender": null, "dateOfBirth": "1990-12-10", "nationality": "LT", "metadata": { "tier": "gold" },
    })),
    responses(
        (status = 200, description = "The user as they are now", body = Success<DirectoryUser>,
         example = json!(examples::success(&examples::user("ACTIVE")))),
        (status = 409, description = "The e-mail or the username is taken, the user is closed, or the role ADMIN would \
         be taken from the caller or from the tenant's last active ADMIN"),
    )
)]
async fn change_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    let id = user_id(&id)?;
    let (body, now): (ChangeUser, _) = (body::read(request, &app).await?, app.clock.now());
    let change = body.read(now)?;
    let edit = |user: &mut _| change.apply(user);
    let user = flows::change_user(&app.db, &caller.deed(None), &id, edit, now).await?;
    Ok(Success::new(DirectoryUser::new(&caller.tenant.id, user)))
}

/// List a customer's users
///
/// In the order of their ids.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/customers/{customerId}/users",
    operation_id = "listCustomerUsers",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("customerId" = String, Path, description = "The customer's id.", example = json!(examples::ORGANIZATION)),
        PageQuery,
    ),
    responses((status = 200, description = "Some of the users", body = Success<UserPage>,
               example = json!(examples::page(&[examples::organizations_user()]))))
)]
async fn list_customer_users(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(id): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Success<UserPage>, Error> {
    let customer = flows::get_customer(&app.db, &caller.tenant.id, &customer_id(&id)?).await?;
    let filters = UserFilters { customer: Some(customer.id), ..UserFilters::default() };
    list(&app, &caller, &page, "customer users", &filters).await
}

/// Add a user to an organization
///
/// They log in for it beside those who are there.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/customers/{customerId}/users",
    operation_id = "addCustomerUser",
    tag = "Customers",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("customerId" = String, Path, description = "The customer's id.", example = json!(examples::ORGANIZATION)),
    ),
    request_body(content = AddUser, example = json!(examples::adding_to_organization().0)),
    responses(
        (status = 200, description = "The new user", body = Success<DirectoryUser>,
         example = json!(examples::adding_to_organization().1)),
        (status = 409, description = "The e-mail or the username is taken, or the customer is an individual, closed, or \
         the tenant's own organization"),
    )
)]
async fn add_customer_user(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Success<DirectoryUser>, Error> {
    let id = customer_id(&id)?;
    let body: AddUser = body::read(request, &app).await?;
    let customer = flows::get_customer(&app.db, &caller.tenant.id, &id).await?;
    takes_users(&customer)?;
    add(&app, &caller, &body, &customer.id, UserKind::Customer).await
}

fn takes_users(customer: &CustomerRecord) -> Result<(), Error> {
    if customer.house {
        Err(Error::conflict(
            "customerId",
            "is the tenant's own organization: add staff at /api/v2.1/admin/users",
        ))
    } else if customer.kind == CustomerKind::Individual {
        Err(Error::conflict("customerId", "is an individual, who is their own only user"))
    } else {
        Ok(())
    }
}
