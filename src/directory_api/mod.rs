//! The directory behind the door, for a tenant's backend and staff: registration, customers, users, credentials, events.

mod events;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::SharedApp;

/// All its routes.
#[must_use]
pub fn router() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(events::get_events))
}
