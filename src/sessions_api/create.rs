//! `POST …/users/{userId}/sessions`: the documented login.

use axum::Extension;
use axum::extract::{Path, Request, State};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::{Error, FieldError};
use crate::flows::{self, Login, ShownKey};
use crate::http::envelope::Success;
use crate::http::{headers, json, paths};
use crate::passwords::MAX_PASSWORD_BYTES;
use crate::tenants::{Family, TenantName};
use crate::users::{LoginName, is_unfit};

use super::{SessionStarted, tenant_key_problems};

/// The credential types this version checks.
const SUPPORTED: &str = "PASSWORD";

/// A login. Every field is optional by schema; null counts as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StartSession {
    /// Login name or e-mail.
    #[schema(max_length = 256, example = "customer.login.123456@example.test")]
    username: Option<String>,
    /// The password.
    #[schema(value_type = Option<String>, max_length = 1024, example = "SecurePass123!")]
    password: Option<SecretString>,
    /// The tenant's API key: checked before the user is looked at.
    #[schema(max_length = 256, example = "a1B2c3D4e5F6g7H8i9J0kLmNopQr")]
    tenant_key: Option<String>,
    /// The API key's secret.
    #[schema(value_type = Option<String>, max_length = 256, example = "s3Cr3tKeyXyZpQwErTyUiOpAsDfGh")]
    tenant_secret: Option<SecretString>,
    /// What kind of credential this is: `PASSWORD`, in any case, also when absent.
    #[schema(max_length = 64, example = "PASSWORD")]
    credential_type: Option<String>,
    /// For `PASSWORD` the username again: stands in for it if that is absent, and must agree with it if not.
    #[schema(max_length = 256, example = "customer.login.123456@example.test")]
    value: Option<String>,
    /// The tenant's UUID (or slug): must name the same tenant as X-Tenant-ID.
    #[schema(max_length = 64, example = "11111111-2222-4333-8444-555555555555")]
    tenant_id: Option<String>,
    /// Admin family only: stands in for a missing X-Forwarded-For.
    #[schema(max_length = 256)]
    ip_address: Option<String>,
    /// Admin family only: stands in for a missing User-Agent.
    #[schema(max_length = 1024)]
    user_agent: Option<String>,
    /// Admin family only: stands in for a missing platform header.
    #[schema(max_length = 256)]
    platform: Option<String>,
    /// Admin family only: stands in for a missing deviceId header.
    #[schema(max_length = 256)]
    device_id: Option<String>,
    /// Admin family only: accepted, and grants nothing.
    #[schema(max_length = 256)]
    role: Option<String>,
    /// Admin family only: accepted, and grants nothing.
    #[schema(max_length = 256)]
    organization_type: Option<String>,
}

/// Create a session (log in)
///
/// Checks the tenant's key, then the user's password, and opens a session. The nil UUID in the path means
/// "whoever the username says"; any other id must be that user's own. Always 200, never 201.
#[utoipa::path(
    post,
    path = "/users/{userId}/sessions",
    operation_id = "startSession",
    request_body = StartSession,
    responses((status = 200, description = "The session is open", body = Success<SessionStarted>))
)]
pub(super) async fn start_session(
    State(app): State<SharedApp>,
    Extension(family): Extension<Family>,
    Path((owner, user)): Path<(String, String)>,
    request: Request,
) -> Result<Success<SessionStarted>, Error> {
    let (parts, body) = request.into_parts();
    let mut client = headers::client(&parts, &app)?;
    let missing = headers::missing_for_login(&parts.headers, &client, family == Family::Admin);
    if !missing.is_empty() {
        return Err(Error::MissingHeaders(missing));
    }
    let tenant = headers::tenant(&parts.headers)?;
    let customer = paths::owner(family, &owner)?;
    let user = paths::user(&user)?;
    let body: StartSession = json::read(&parts.headers, body, json::LOGIN_LIMIT, &app).await?;
    body.stand_in(family, &mut client)?;
    let Credentials { name, password, tenant_in_body } = body.credentials()?;
    let StartSession { tenant_key, tenant_secret, .. } = body;
    let login = Login {
        tenant,
        tenant_in_body,
        key: ShownKey { tenant_key, tenant_secret },
        family,
        customer,
        user,
        name,
        password,
        proof: headers::device_proof(&parts.headers),
        client,
    };
    flows::login(&app, login).await.map(|logged_in| Success::new(SessionStarted::from(logged_in)))
}

/// The name in a login's body, as the handler reads and checks it: for `fuzzing`.
pub(crate) fn name_in_login(body: &[u8]) -> Result<LoginName, Error> {
    let body: StartSession = json::parse(body)?;
    body.credentials().map(|credentials| credentials.name)
}

/// What the body says of who logs in, once it is well-formed.
struct Credentials {
    name: LoginName,
    password: SecretString,
    tenant_in_body: Option<TenantName>,
}

impl StartSession {
    /// Reads the credentials, or says everything that is wrong with them. Nobody is looked up before (R002).
    fn credentials(&self) -> Result<Credentials, Error> {
        let mut errors = Vec::new();
        errors.extend(self.credential_type_problem());
        errors.extend(tenant_key_problems(self.tenant_key.as_deref(), self.tenant_secret.as_ref()));
        let name = self.name().map_err(|problem| errors.push(problem)).ok();
        let password = self.password().map_err(|problem| errors.push(problem)).ok();
        let tenant_in_body = self.tenant_id.as_deref().map(TenantName::parse);
        if tenant_in_body == Some(None) {
            errors.push(FieldError::new("tenantId", "must be the tenant's UUID (or slug), or be left out"));
        }
        match (name, password) {
            (Some(name), Some(password)) if errors.is_empty() => {
                Ok(Credentials { name, password, tenant_in_body: tenant_in_body.flatten() })
            }
            _ => Err(Error::Validation(errors)),
        }
    }

    fn credential_type_problem(&self) -> Option<FieldError> {
        let other = self.credential_type.as_deref().filter(|kind| !kind.eq_ignore_ascii_case(SUPPORTED))?;
        let shown: String = other.chars().filter(|character| !is_unfit(*character)).take(32).collect();
        Some(FieldError::new("credentialType", format!("{shown:?} is not supported; supported: {SUPPORTED}")))
    }

    fn password(&self) -> Result<SecretString, FieldError> {
        match &self.password {
            None => Err(FieldError::new("password", "is required")),
            Some(password) if password.expose_secret().len() > MAX_PASSWORD_BYTES => {
                Err(FieldError::new("password", format!("may have {MAX_PASSWORD_BYTES} bytes at most")))
            }
            Some(password) => Ok(password.clone()),
        }
    }

    /// The name to log in with: `username`, or `value` in its place; both must say the same.
    fn name(&self) -> Result<LoginName, FieldError> {
        let read = |field: &str, text: &str| {
            LoginName::parse(text).map_err(|problem| FieldError::new(field, problem))
        };
        let username = self.username.as_deref().filter(|text| !text.is_empty());
        let value = self.value.as_deref().filter(|text| !text.is_empty());
        match (username, value) {
            (None, None) => Err(FieldError::new("username", "is required: the login name or e-mail")),
            (Some(username), None) => read("username", username),
            (None, Some(value)) => read("value", value),
            (Some(username), Some(value)) => {
                let username = read("username", username)?;
                if read("value", value)? == username {
                    Ok(username)
                } else {
                    Err(FieldError::new("value", "must repeat the username, or be left out"))
                }
            }
        }
    }

    /// On the admin family four fields stand in for headers that are missing, and two are taken and mean
    /// nothing; on the others none of them exists.
    fn stand_in(&self, family: Family, client: &mut Client) -> Result<(), Error> {
        let fields = [
            ("ipAddress", &self.ip_address, 256),
            ("userAgent", &self.user_agent, 1024),
            ("platform", &self.platform, 256),
            ("deviceId", &self.device_id, 256),
            ("role", &self.role, 256),
            ("organizationType", &self.organization_type, 256),
        ];
        let sent = fields.iter().filter_map(|(name, value, most)| Some((*name, value.as_deref()?, *most)));
        for (name, value, most) in sent {
            if family != Family::Admin {
                return Err(Error::malformed(name, "is a field of the admin family only"));
            }
            if value.len() > most || value.chars().any(is_unfit) {
                let problem = format!("must have {most} bytes at most and no control characters");
                return Err(Error::invalid(name, problem));
            }
        }
        let present = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        client.user_agent = client.user_agent.take().or_else(|| present(&self.user_agent));
        client.platform = client.platform.take().or_else(|| present(&self.platform));
        client.device_id = client.device_id.take().or_else(|| present(&self.device_id));
        // Recorded, and vouched for by a `backend` key; no proxy's word, for proxies write headers.
        client.forwarded_for = client.forwarded_for.take().or_else(|| present(&self.ip_address));
        Ok(())
    }
}
