//! Who manages a tenant's customers and users: its backend, and its staff by their roles.

use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::SharedApp;
use crate::client::Client;
use crate::error::{Error, TokenProblem};
use crate::events::Actor;
use crate::flows::Deed;
use crate::http::headers;
use crate::ids::TenantKeyId;
use crate::sessions::EndReason;
use crate::tenants::Tenant;
use crate::users::{StaffRole, User};

use super::{BackendCaller, UserCaller};

/// What a route lets its caller do. A backend key may do all of it; of staff, those with one of the roles.
pub trait Permission: Send + Sync + 'static {
    /// The staff roles that have it.
    const ROLES: &'static [StaffRole];
    /// The same in words, for the refusal.
    const NEEDS: &'static str;
}

/// Looking at customers, users and events.
#[derive(Debug)]
pub struct Read;

/// Making and changing customers, users and their credentials.
#[derive(Debug)]
pub struct ManageUsers;

/// Looking at and ending users' sessions.
#[derive(Debug)]
pub struct ManageSessions;

impl Permission for Read {
    const ROLES: &'static [StaffRole] = &[StaffRole::Admin, StaffRole::Operator, StaffRole::Viewer];
    const NEEDS: &'static str = "a staff role (ADMIN, OPERATOR or VIEWER), or a backend key";
}

impl Permission for ManageUsers {
    const ROLES: &'static [StaffRole] = &[StaffRole::Admin];
    const NEEDS: &'static str = "the staff role ADMIN, or a backend key";
}

impl Permission for ManageSessions {
    const ROLES: &'static [StaffRole] = &[StaffRole::Admin, StaffRole::Operator];
    const NEEDS: &'static str = "the staff role ADMIN or OPERATOR, or a backend key";
}

/// A backend or a member of staff who has this permission, in their own tenant. The role is looked at before any
/// id, so a refusal tells nothing of what is there.
#[derive(Debug)]
pub struct DirectoryCaller<P: Permission> {
    pub tenant: Tenant,
    pub by: By,
    pub client: Client,
    permission: PhantomData<P>,
}

/// Which of the two it is.
#[derive(Debug)]
pub enum By {
    Backend(TenantKeyId),
    Staff(Box<User>),
}

impl By {
    /// For events.
    #[must_use]
    pub fn actor(&self) -> Actor<'_> {
        match self {
            Self::Backend(key) => Actor::Backend(key),
            Self::Staff(user) => Actor::Staff(&user.id),
        }
    }

    /// Why the sessions end that they end.
    #[must_use]
    pub const fn end_reason(&self) -> EndReason {
        match self {
            Self::Backend(_) => EndReason::EndedByBackend,
            Self::Staff(_) => EndReason::EndedByStaff,
        }
    }
}

impl<P: Permission> DirectoryCaller<P> {
    /// What this caller does with this request; `reason` is the caller's own word for why.
    #[must_use]
    pub fn deed<'a>(&'a self, reason: Option<&'a str>) -> Deed<'a> {
        Deed {
            tenant: &self.tenant.id,
            actor: self.by.actor(),
            client: Some(&self.client),
            reason,
            note: None,
        }
    }
}

impl<P: Permission> FromRequestParts<SharedApp> for DirectoryCaller<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Error> {
        let permission = PhantomData;
        if headers::is_basic(&parts.headers) {
            let BackendCaller { tenant, key, client, .. } =
                BackendCaller::from_request_parts(parts, app).await?;
            return Ok(Self { tenant, by: By::Backend(key), client, permission });
        }
        if headers::bearer(&parts.headers).is_none() {
            return Err(Error::Token(TokenProblem::Missing));
        }
        let UserCaller { tenant, user, client, .. } = UserCaller::from_request_parts(parts, app).await?;
        if !P::ROLES.iter().any(|role| user.has_staff_role(*role)) {
            return Err(Error::Forbidden { needs: P::NEEDS });
        }
        Ok(Self { tenant, by: By::Staff(Box::new(user)), client, permission })
    }
}
