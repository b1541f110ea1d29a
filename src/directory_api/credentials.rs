//! Passwords: the user's own change, and what staff and backend set or take away.

use axum::Extension;
use axum::extract::{Path, Request, State};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::callers::{By, DirectoryCaller, ManageUsers, UserCaller};
use crate::clock::Timestamp;
use crate::error::{Error, FieldError};
use crate::flows::{self, Deed, SetPassword};
use crate::http::envelope::Success;
use crate::http::json;
use crate::ids::UserId;
use crate::passwords::MAX_PASSWORD_BYTES;
use crate::sessions_api::own_path;
use crate::tenants::Family;
use crate::users::{User, is_unfit};

use super::examples;

/// The longest reason, in characters.
const MAX_REASON: usize = 200;

/// A user's own change of password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are the API's names")]
pub struct ChangePassword {
    /// The password in force.
    #[schema(required, value_type = String, max_length = 1024)]
    current_password: Option<SecretString>,
    /// The new one: at least the tenant's least length, none of the most common ones, not made of the user's or
    /// the tenant's names.
    #[schema(required, value_type = String, max_length = 1024)]
    new_password: Option<SecretString>,
    /// The new one again.
    #[schema(required, value_type = String, max_length = 1024)]
    matching_password: Option<SecretString>,
}

/// A password that staff or backend set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SetCredentials {
    /// The new password.
    #[schema(required, value_type = String, max_length = 1024)]
    new_password: Option<SecretString>,
    /// The new password again.
    #[schema(required, value_type = String, max_length = 1024)]
    matching_password: Option<SecretString>,
    /// Why, for the record: free text that the event keeps in its personal part, until the user is erased.
    #[schema(max_length = 200)]
    reason: Option<String>,
}

/// Whose password is taken away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResetLogin {
    #[schema(required, value_type = String, max_length = 64)]
    user_id: Option<String>,
    /// Why, for the record: free text that the event keeps in its personal part, until the user is erased.
    #[schema(required, value_type = String, max_length = 200)]
    reason: Option<String>,
}

/// `data` of a password that was set.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are the API's names")]
pub struct PasswordChanged {
    user_id: String,
    #[schema(format = DateTime)]
    password_changed_at: String,
    /// Whether the sessions opened before have ended; of the caller's own change all but the one it was made in.
    #[schema(example = true)]
    sessions_ended: bool,
}

impl PasswordChanged {
    pub(super) fn new(user: &UserId, at: Timestamp) -> Self {
        Self { user_id: user.to_string(), password_changed_at: at.to_string(), sessions_ended: true }
    }
}

/// `data` of a password that was taken away.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginReset {
    user_id: String,
    /// With it the user sets a new password, once. It is told here and never again.
    reset_secret: String,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Change one's own password
///
/// Needs the password in force; a wrong one counts like a failed login, and a locked name is refused like there.
/// All of the user's other sessions end at once; the one it is made in lives on.
#[utoipa::path(
    put,
    path = "/users/{userId}/credentials",
    operation_id = "changePassword",
    tag = "Credentials",
    security(("accessToken" = [])),
    request_body(content = ChangePassword, example = json!({
        "currentPassword": "SecurePass123!", "newPassword": "nine green bottles",
        "matchingPassword": "nine green bottles",
    })),
    responses(
        (status = 200, description = "The password is changed", body = Success<PasswordChanged>),
        (status = 401, description = "The token or the password is not good"),
    )
)]
pub(super) async fn change_password(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    caller: UserCaller,
    request: Request,
) -> Result<Success<PasswordChanged>, Error> {
    own_path(family, &owner, &user, &caller)?;
    let (parts, body) = request.into_parts();
    let body: ChangePassword = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    let mut errors = Vec::new();
    let current = required("currentPassword", body.current_password, &mut errors);
    errors.extend(current.as_ref().and_then(|current| too_long("currentPassword", current)));
    let new = new_password("newPassword", body.new_password, body.matching_password.as_ref(), &mut errors);
    let (Some(current), Some(new), true) = (current, new, errors.is_empty()) else {
        return Err(Error::Validation(errors));
    };
    let UserCaller { tenant, user, session, client } = caller;
    let id = user.id.clone();
    let change = flows::ChangePassword { tenant, user, session, client, current, new };
    let at = flows::change_password(&app, change).await?;
    Ok(Success::new(PasswordChanged::new(&id, at)))
}

/// Set a user's password
///
/// For the tenant's backend, and for staff with the role ADMIN: their own password they change by the call that asks
/// for the one in force. All of the user's sessions end, and a lock is lifted.
#[utoipa::path(
    put,
    path = "/api/v2.1/admin/users/{userId}/credentials",
    operation_id = "setPassword",
    tag = "Credentials",
    params((
        "userId" = String, Path, max_length = 64, pattern = "^[A-Za-z0-9_-]+$", description = "The user's id.",
        example = json!(examples::USER),
    )),
    security(("backendKey" = []), ("accessToken" = [])),
    request_body(content = SetCredentials, example = json!({
        "newPassword": "nine green bottles", "matchingPassword": "nine green bottles", "reason": "Agreed by phone",
    })),
    responses((status = 200, description = "The password is set", body = Success<PasswordChanged>, example = json!({
        "code": 200, "message": "Success", "data": {
            "userId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
            "passwordChangedAt": "2026-03-16T19:55:00.000Z", "sessionsEnded": true,
        },
    })))
)]
pub(super) async fn set_password(
    State(app): State<SharedApp>,
    Path(user): Path<String>,
    caller: DirectoryCaller<ManageUsers>,
    request: Request,
) -> Result<Success<PasswordChanged>, Error> {
    let user = user_id(&user).map_err(|problem| Error::Validation(vec![problem]))?;
    refuse_own(&caller, &user)?;
    let (parts, body) = request.into_parts();
    let body: SetCredentials = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    let mut errors = Vec::new();
    let new = new_password("newPassword", body.new_password, body.matching_password.as_ref(), &mut errors);
    errors.extend(body.reason.as_deref().and_then(reason_problem));
    let (Some(new), true) = (new, errors.is_empty()) else { return Err(Error::Validation(errors)) };
    let deed = deed(&caller, body.reason.as_deref());
    let set = SetPassword { user: user.clone(), new };
    let at = flows::set_password(&app, &caller.tenant, &deed, set).await?;
    Ok(Success::new(PasswordChanged::new(&user, at)))
}

/// Take a user's password away
///
/// For the tenant's backend, and for staff with the role ADMIN (not for themselves). The password stops working at
/// once, all of the user's sessions end, a lock is lifted, and the answer has a secret with which the user sets a new
/// password, once and within half an hour.
#[utoipa::path(
    post,
    path = "/api/v2.1/admin/users/login/reset",
    operation_id = "resetLogin",
    tag = "Credentials",
    security(("backendKey" = []), ("accessToken" = [])),
    request_body(content = ResetLogin, example = json!({
        "userId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001", "reason": "The phone was stolen",
    })),
    responses((status = 200, description = "The password is gone", body = Success<LoginReset>, example = json!({
        "code": 200, "message": "Success", "data": {
            "userId": "4f0d7a8e-52c3-4d0b-8f5a-9a3be1c2d001",
            "resetSecret": "vpr1.ZXhhbXBsZS1zZWNyZXQtbm90LWEtcmVhbC1vbmUtYXQtYWxs",
            "expiresAt": "2026-03-16T20:19:32.000Z",
        },
    })))
)]
pub(super) async fn reset_login(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<ManageUsers>,
    request: Request,
) -> Result<Success<LoginReset>, Error> {
    let (parts, body) = request.into_parts();
    let body: ResetLogin = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    let mut errors = Vec::new();
    let user = required("userId", body.user_id, &mut errors)
        .and_then(|text| user_id(&text).map_err(|problem| errors.push(problem)).ok());
    let reason = required("reason", body.reason, &mut errors);
    errors.extend(reason.as_deref().and_then(reason_problem));
    let (Some(user), Some(reason), true) = (user, reason, errors.is_empty()) else {
        return Err(Error::Validation(errors));
    };
    refuse_own(&caller, &user)?;
    let started = flows::reset_login(&app, &caller.tenant, &deed(&caller, Some(&reason)), &user).await?;
    Ok(Success::new(LoginReset {
        user_id: user.to_string(),
        reset_secret: started.secret.expose_secret().to_owned(),
        expires_at: started.expires_at.to_string(),
    }))
}

/// Who does it, from where and why.
fn deed<'a>(caller: &'a DirectoryCaller<ManageUsers>, why: Option<&'a str>) -> Deed<'a> {
    Deed { note: why, ..caller.deed(None) }
}

/// Staff change their own password with the one in force, and unlock others: whoever holds only their session must not
/// get round it.
pub(super) fn refuse_own(caller: &DirectoryCaller<ManageUsers>, user: &UserId) -> Result<(), Error> {
    let is_own = |staff: &User| staff.id == *user;
    match &caller.by {
        By::Staff(staff) if is_own(staff) => Err(Error::Forbidden {
            needs: "another user's id: one's own password is changed by the call that asks for the current one",
        }),
        _ => Ok(()),
    }
}

/// A field that must be there; otherwise that is one of the errors.
pub(super) fn required<T>(field: &'static str, value: Option<T>, errors: &mut Vec<FieldError>) -> Option<T> {
    if value.is_none() {
        errors.push(FieldError::new(field, "is required"));
    }
    value
}

/// A new password that `matchingPassword` repeats. The rules for its content are the flow's.
pub(super) fn new_password(
    field: &'static str,
    new: Option<SecretString>,
    matching: Option<&SecretString>,
    errors: &mut Vec<FieldError>,
) -> Option<SecretString> {
    let new = required(field, new, errors);
    let matching = required("matchingPassword", matching, errors);
    if let (Some(new), Some(matching)) = (&new, matching) {
        let differs = || {
            let differs = new.expose_secret() != matching.expose_secret();
            differs.then(|| FieldError::new("matchingPassword", format!("must repeat {field}")))
        };
        errors.extend(too_long(field, new).or_else(differs));
    }
    new
}

fn too_long(field: &'static str, password: &SecretString) -> Option<FieldError> {
    let is_too_long = password.expose_secret().len() > MAX_PASSWORD_BYTES;
    is_too_long.then(|| FieldError::new(field, format!("may have {MAX_PASSWORD_BYTES} bytes at most")))
}

fn user_id(text: &str) -> Result<UserId, FieldError> {
    UserId::parse(text).ok_or_else(|| FieldError::new("userId", "must be 1 to 64 letters, digits, - or _"))
}

pub(super) fn reason_problem(reason: &str) -> Option<FieldError> {
    let fits = (1..=MAX_REASON).contains(&reason.chars().count()) && !reason.chars().any(is_unfit);
    let problem = format!("must have 1 to {MAX_REASON} characters and no control characters");
    (!fits).then(|| FieldError::new("reason", problem))
}
