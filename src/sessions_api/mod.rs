//! The three families of `…/sessions`: log in, refresh, look at sessions, log out.

mod create;
mod delete;
mod events;
mod get;
mod list;
mod refresh;
mod views;

use secrecy::{ExposeSecret, SecretString};

use crate::callers::UserCaller;
use crate::error::{Error, FieldError};
use crate::http::paths;
use crate::http::routes::{Place, Routes, routes};
use crate::tenants::Family;
use crate::users::is_unfit;

pub use create::StartSession;
pub(crate) use create::name_in_login;
pub use events::{Reader, SessionTimeline, timeline};
pub(crate) use list::StateQuery;
pub use refresh::RefreshSession;
pub use views::{SessionEnded, SessionMetadata, SessionStarted, SessionView, SessionsEnded, UserView};

/// The routes of one family, relative to its prefix.
#[must_use]
pub fn router(family: Family) -> Routes {
    let of_family = |place: Place| place.with(family);
    Routes::new()
        .routes(of_family(routes!(
            create::start_session,
            refresh::refresh_session_without_id,
            list::list_sessions,
            delete::end_sessions
        )))
        .routes(of_family(routes!(get::get_session, refresh::refresh_session, delete::end_session)))
        .routes(of_family(routes!(events::list_session_events)))
}

/// Whether the path is the caller's own: their family, their customer, themselves. Anything else is absent.
pub(crate) fn own_path(family: Family, owner: &str, user: &str, caller: &UserCaller) -> Result<(), Error> {
    let own = paths::owner(family, owner)?.means(&caller.session.customer_id)
        && paths::user(user)?.means(&caller.user.id)
        && caller.session.family == family;
    if own { Ok(()) } else { Err(Error::NotFound) }
}

/// What is wrong with a tenant key in a body, before it is looked up.
fn tenant_key_problems<'a>(
    key: Option<&'a str>,
    secret: Option<&'a SecretString>,
) -> impl Iterator<Item = FieldError> + 'a {
    [("tenantKey", key), ("tenantSecret", secret.map(ExposeSecret::expose_secret))]
        .into_iter()
        .filter(|(_, value)| value.is_some_and(|value| value.len() > 256 || value.chars().any(is_unfit)))
        .map(|(field, _)| FieldError::new(field, "must have 256 bytes at most and no control characters"))
}
