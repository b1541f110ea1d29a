//! Flows: what happens as one, one file each, with its one reading query.

mod authenticate;
mod authenticate_backend;
mod create_tenant;
mod create_user;
mod deed;
mod end_session;
mod find_session;
mod login;
mod lower_failure_floors;
mod new_password;
mod number_events;
mod password_attempt;
mod read_events;
mod register_customer;
mod summarise_refusals;

pub use authenticate::{Authenticated, authenticate};
pub use authenticate_backend::authenticate_backend;
pub use create_tenant::{NewTenant, create_tenant};
pub use create_user::{CreateUser, add_user, create_user};
pub use deed::Deed;
pub use end_session::{Ended, end_session};
pub use find_session::find_session;
pub use login::{LoggedIn, Login, PathId, login};
pub use lower_failure_floors::lower_failure_floors;
pub use new_password::check_new_password;
pub use number_events::{Numbered, number_events};
pub use read_events::{EventPage, LOOKED_THROUGH, read_events};
pub use register_customer::{Registration, register_customer, registration_statements};
pub use summarise_refusals::summarise_refusals;
