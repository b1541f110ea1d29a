//! Devices: a user's own, under their family's prefix, and any user's for a tenant's backend and staff.

use axum::Extension;
use axum::extract::{Path, Request, State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, ManageSessions, Read, UserCaller};
use crate::devices::{Device, MAX_NAME};
use crate::error::Error;
use crate::flows::{self, Deed, get_device};
use crate::http::envelope::Success;
use crate::http::paging::{List, PageQuery};
use crate::http::paths;
use crate::http::query::Query;
use crate::http::routes::{Routes, routes};
use crate::ids::{DeviceId, TenantId, UserId};
use crate::sessions_api::own_path;
use crate::tenants::Family;

use super::fields::Fields;
use super::patch::{Patch, patch};
use super::users::user_id;
use super::{body, examples};

/// The routes of backend and staff.
pub(super) fn router() -> Routes {
    Routes::new().routes(routes!(list_user_devices)).routes(routes!(change_user_device, forget_user_device))
}

/// A device from which a user has logged in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceView {
    /// The device's id in paths.
    id: String,
    /// The app's own id for it, as its logins send it.
    device_id: String,
    /// What the user calls it.
    #[schema(required)]
    name: Option<String>,
    /// Of the latest login.
    #[schema(required)]
    platform: Option<String>,
    #[schema(format = DateTime)]
    first_seen_at: String,
    /// The latest login. A refresh does not move it.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// Whether the session of the token that asks was opened on it.
    current: bool,
    /// How many live sessions were opened on it.
    sessions: i64,
}

impl DeviceView {
    /// `current` is the asking session's deviceId.
    fn new(device: Device, current: Option<&str>) -> Self {
        Self {
            current: current == Some(device.device_id.as_str()),
            id: device.id.to_string(),
            device_id: device.device_id,
            name: device.name,
            platform: device.platform,
            first_seen_at: device.first_seen_at.to_string(),
            last_seen_at: device.last_seen_at.to_string(),
            sessions: device.sessions,
        }
    }
}

/// Some of a user's devices.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DevicePage {
    items: Vec<DeviceView>,
    /// Begin the next page with it; null where this is the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// A device's new name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeDevice {
    /// What to call it; null takes the name away.
    #[serde(default, deserialize_with = "patch")]
    #[schema(required, value_type = Option<String>, max_length = 100)]
    name: Patch<String>,
}

impl ChangeDevice {
    fn read(self) -> Result<Option<String>, Error> {
        let mut fields = Fields::default();
        let name = match self.name {
            None => {
                fields.wrong("name", "is required; null takes it away");
                None
            }
            Some(None) => None,
            Some(Some(name)) => fields.required("name", Some(&name), MAX_NAME),
        };
        fields.finish().map(|()| name)
    }
}

/// `data` of a device that was forgotten.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceForgotten {
    #[schema(example = true)]
    success: bool,
    #[schema(example = "Device forgotten")]
    message: &'static str,
    #[schema(example = "NONE")]
    error_type: &'static str,
    id: String,
    /// How many live sessions have ended with it.
    sessions_ended: usize,
}

/// List one's devices
///
/// Where the caller has logged in from, the device of the latest login first.
#[utoipa::path(
    get,
    path = "/users/{userId}/devices",
    operation_id = "listDevices",
    tag = "Devices",
    security(("accessToken" = [])),
    params(PageQuery),
    responses((status = 200, description = "Some of the devices", body = Success<DevicePage>))
)]
pub(super) async fn list_devices(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    caller: UserCaller,
    Query(page): Query<PageQuery>,
) -> Result<Success<DevicePage>, Error> {
    own_path(family, &owner, &user, &caller)?;
    let current = caller.session.device_id.as_deref();
    list(&app, &caller.tenant.id, &caller.user.id, &page, current).await
}

/// Name one of one's devices
///
/// So that it is known again in the list.
#[utoipa::path(
    patch,
    path = "/users/{userId}/devices/{device}",
    operation_id = "changeDevice",
    tag = "Devices",
    security(("accessToken" = [])),
    request_body(content = ChangeDevice, example = json!({ "name": "My phone" })),
    responses((status = 200, description = "The device", body = Success<DeviceView>))
)]
pub(super) async fn change_device(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, device)): Path<(String, String, String)>,
    caller: UserCaller,
    request: Request,
) -> Result<Success<DeviceView>, Error> {
    let id = paths::device(&device)?;
    own_path(family, &owner, &user, &caller)?;
    let current = caller.session.device_id.as_deref();
    change(&app, &caller.tenant.id, (&caller.user.id, &id), current, request).await
}

/// Forget one of one's devices
///
/// Its sessions end, also the one that asks if it is on it. A later login from it is told as one from a new device.
#[utoipa::path(
    delete,
    path = "/users/{userId}/devices/{device}",
    operation_id = "forgetDevice",
    tag = "Devices",
    security(("accessToken" = [])),
    responses((status = 200, description = "The device is forgotten", body = Success<DeviceForgotten>))
)]
pub(super) async fn forget_device(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user, device)): Path<(String, String, String)>,
    caller: UserCaller,
) -> Result<Success<DeviceForgotten>, Error> {
    let id = paths::device(&device)?;
    own_path(family, &owner, &user, &caller)?;
    forget(&app, &caller.deed(), &caller.user.id, &id).await
}

/// List a user's devices
///
/// Where the user has logged in from, the device of the latest login first.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/devices",
    operation_id = "listUserDevices",
    tag = "Devices",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        PageQuery,
    ),
    responses((status = 200, description = "Some of the devices", body = Success<DevicePage>,
               example = json!(examples::page(&[examples::device()]))))
)]
async fn list_user_devices(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path(user): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Success<DevicePage>, Error> {
    let tenant = &caller.tenant.id;
    let user = flows::get_user(&app.db, tenant, &user_id(&user)?).await?;
    list(&app, tenant, &user.id, &page, None).await
}

/// Name a user's device
///
/// For a user who asks the tenant to.
#[utoipa::path(
    patch,
    path = "/api/v2.1/admin/users/{userId}/devices/{device}",
    operation_id = "changeUserDevice",
    tag = "Devices",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("device" = String, Path, description = "The device's `id`, from the list.", example = json!(examples::DEVICE)),
    ),
    request_body(content = ChangeDevice, example = json!({ "name": "Ada's phone" })),
    responses((status = 200, description = "The device", body = Success<DeviceView>,
               example = json!(examples::success(&examples::device()))))
)]
async fn change_user_device(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageSessions>,
    Path((user, device)): Path<(String, String)>,
    request: Request,
) -> Result<Success<DeviceView>, Error> {
    let (user, id) = (user_id(&user)?, paths::device(&device)?);
    change(&app, &caller.tenant.id, (&user, &id), None, request).await
}

/// Forget a user's device
///
/// The sessions on it end: for a device that was lost.
#[utoipa::path(
    delete,
    path = "/api/v2.1/admin/users/{userId}/devices/{device}",
    operation_id = "forgetUserDevice",
    tag = "Devices",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("device" = String, Path, description = "The device's `id`, from the list.", example = json!(examples::DEVICE)),
    ),
    responses((status = 200, description = "The device is forgotten", body = Success<DeviceForgotten>,
               example = json!(examples::success(&examples::device_forgotten()))))
)]
async fn forget_user_device(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageSessions>,
    Path((user, device)): Path<(String, String)>,
) -> Result<Success<DeviceForgotten>, Error> {
    let (user, id) = (user_id(&user)?, paths::device(&device)?);
    forget(&app, &caller.deed(None), &user, &id).await
}

async fn list(
    app: &SharedApp,
    tenant: &TenantId,
    user: &UserId,
    page: &PageQuery,
    current: Option<&str>,
) -> Result<Success<DevicePage>, Error> {
    let list = List { master: &app.master, tenant, query: format!("devices {user}") };
    let after = page.after(&list)?;
    let (after, now) = (after.as_deref(), app.clock.now());
    let found = flows::list_devices(&app.db, tenant, user, after, page.size(), now).await?;
    let items = found.items.into_iter().map(|device| DeviceView::new(device, current)).collect();
    Ok(Success::new(DevicePage { items, next_cursor: found.next.map(|position| list.cursor(&position)) }))
}

async fn change(
    app: &SharedApp,
    tenant: &TenantId,
    (user, id): (&UserId, &DeviceId),
    current: Option<&str>,
    request: Request,
) -> Result<Success<DeviceView>, Error> {
    let change: ChangeDevice = body::read(request, app).await?;
    flows::rename_device(&app.db, tenant, user, id, change.read()?.as_deref()).await?;
    let device = get_device(&app.db, tenant, user, id, app.clock.now()).await?;
    Ok(Success::new(DeviceView::new(device, current)))
}

async fn forget(
    app: &SharedApp,
    deed: &Deed<'_>,
    user: &UserId,
    id: &DeviceId,
) -> Result<Success<DeviceForgotten>, Error> {
    let sessions_ended = flows::forget_device(&app.db, deed, user, id, app.clock.now()).await?;
    let id = id.to_string();
    let (message, error_type) = ("Device forgotten", "NONE");
    Ok(Success::new(DeviceForgotten { success: true, message, error_type, id, sessions_ended }))
}
