//! The directory behind the door, for a tenant's backend and staff: registration, customers, users, credentials,
//! sessions, events.

mod body;
mod credentials;
mod customer_status;
mod customers;
mod devices;
mod events;
mod examples;
mod fields;
mod inputs;
mod locks;
mod new_password;
mod password_resets;
mod patch;
mod person;
mod registration;
mod session_events;
mod session_evidence;
mod session_operations;
mod session_search;
mod sessions;
mod user_bodies;
mod user_status;
mod users;
mod views;

use crate::http::paths;
use crate::http::routes::{Place, Routes, routes};
use crate::tenants::Family;

pub use credentials::{ChangePassword, LoginReset, PasswordChanged, ResetLogin, SetCredentials};
pub use password_resets::{RedeemSecret, ResetStarted, StartReset};

/// All its routes.
#[must_use]
pub fn router() -> Routes {
    Family::ALL
        .into_iter()
        .fold(Routes::new(), |router, family| router.nest(paths::family_prefix(family), own(family)))
        .merge(registration::router())
        .merge(customers::router())
        .merge(customer_status::router())
        .merge(users::router())
        .merge(user_status::router())
        .merge(sessions::router())
        .merge(session_search::router())
        .merge(session_operations::router())
        .merge(devices::router())
        .merge(locks::router())
        .routes(routes!(session_events::list_user_session_events))
        .routes(routes!(session_evidence::get_user_session_evidence))
        .routes(routes!(credentials::set_password))
        .routes(routes!(credentials::reset_login))
        .routes(routes!(password_resets::start_reset))
        .routes(routes!(password_resets::redeem_reset))
        .routes(routes!(events::get_events))
}

/// What a user does for themselves, relative to their family's prefix.
fn own(family: Family) -> Routes {
    let of_family = |place: Place| place.with(family);
    Routes::new()
        .routes(of_family(routes!(credentials::change_password)))
        .routes(of_family(routes!(devices::list_devices)))
        .routes(of_family(routes!(devices::change_device, devices::forget_device)))
}
