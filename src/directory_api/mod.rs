//! The directory behind the door, for a tenant's backend and staff: registration, customers, users, credentials.

use utoipa_axum::router::OpenApiRouter;

use crate::app::SharedApp;

/// All its routes.
#[must_use]
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
}
