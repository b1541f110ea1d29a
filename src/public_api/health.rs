//! `/healthz`: the process answers. `/readyz`: it can serve.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::error::Error;
use crate::http::envelope::Success;
use crate::http::routes::{Routes, routes};

/// On both listeners.
#[must_use]
pub fn router() -> Routes {
    Routes::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// That the process answers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// What readiness depends on; not ready answers 503 instead.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    #[schema(example = "ready")]
    status: &'static str,
    /// The database answers.
    #[schema(example = "ok")]
    database: &'static str,
    /// Its schema is this version's.
    #[schema(example = "ok")]
    migrations: &'static str,
    /// The master key is loaded.
    #[schema(example = "ok")]
    keys: &'static str,
}

/// Is the process alive?
///
/// Touches nothing: a slow database does not make it unhealthy.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "getHealth",
    tag = "Health",
    responses((status = 200, description = "It answers", body = Success<Health>))
)]
async fn healthz() -> Success<Health> {
    Success::new(Health { status: "ok" })
}

/// Is it ready to serve?
///
/// The database is reachable, its migrations are current and the keys are loaded.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "getReadiness",
    tag = "Health",
    responses((status = 200, description = "It can serve", body = Success<Readiness>))
)]
async fn readyz(State(app): State<SharedApp>) -> Result<Success<Readiness>, Error> {
    let unavailable = |error: crate::db::DbError| Error::Unavailable(error.into());
    app.db.ping().await.map_err(unavailable)?;
    if !app.db.migrations_current().await.map_err(unavailable)? {
        return Err(Error::Unavailable(anyhow::anyhow!(
            "the migrations are not current; run `vestibule migrate`"
        )));
    }
    Ok(Success::new(Readiness { status: "ready", database: "ok", migrations: "ok", keys: "ok" }))
}
