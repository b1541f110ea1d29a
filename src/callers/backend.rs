//! A tenant's servers, by backend key.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::{Error, TenantProblem};
use crate::flows::authenticate_backend;
use crate::http::headers;
use crate::ids::TenantKeyId;
use crate::tenants::Tenant;

/// A tenant's server with a key of purpose `backend`, by HTTP Basic (RFC 7617). The key names the tenant;
/// X-Tenant-ID may stand beside it and must then name the same one (R047).
#[derive(Debug)]
pub struct BackendCaller {
    pub tenant: Tenant,
    pub key: TenantKeyId,
    pub client: Client,
}

impl FromRequestParts<SharedApp> for BackendCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        let client = headers::client(parts, app)?;
        let (key, secret) = headers::basic(&parts.headers).ok_or(Error::BackendKey)?;
        let (tenant, key) = authenticate_backend(app, &key, &secret, &client).await?;
        if let Some(name) = headers::maybe_tenant(&parts.headers)?
            && !name.names(&tenant)
        {
            return Err(Error::Tenant(TenantProblem::Mismatch));
        }
        Ok(Self { tenant, key, client })
    }
}
