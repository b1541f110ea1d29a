//! The three families of `…/sessions`: log in, look at a session, log out.

mod create;
mod delete;
mod get;
mod views;

use axum::Extension;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use crate::app::SharedApp;
use crate::callers::UserCaller;
use crate::error::Error;
use crate::http::paths;
use crate::tenants::Family;

pub use create::StartSession;
pub use views::{SessionEnded, SessionMetadata, SessionStarted, SessionView, UserView};

/// The routes of one family, relative to its prefix.
#[must_use]
pub fn router(family: Family) -> OpenApiRouter<SharedApp> {
    let of_family = |routes: UtoipaMethodRouter<SharedApp>| routes.layer(Extension(family));
    OpenApiRouter::new()
        .routes(of_family(routes!(create::start_session)))
        .routes(of_family(routes!(get::get_session, delete::end_session)))
}

/// Whether the path is the caller's own: their family, their customer, themselves. Anything else is absent.
pub(crate) fn own_path(family: Family, owner: &str, user: &str, caller: &UserCaller) -> Result<(), Error> {
    let own = paths::owner(family, owner)?.means(&caller.session.customer_id)
        && paths::user(user)?.means(&caller.user.id)
        && caller.session.family == family;
    if own { Ok(()) } else { Err(Error::NotFound) }
}
