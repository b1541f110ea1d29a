//! Callers: taking one as an argument is the permission.
//!
//! | caller | shows | may |
//! | --- | --- | --- |
//! | [`UserCaller`] | the access token of a live session | what is their own |
//! | [`BackendCaller`] | a backend key, by HTTP Basic | what is its tenant's |
//! | [`DirectoryCaller`] | a backend key, or the access token of staff with a role | what the [`Permission`] says |
//! | [`OperatorCaller`] | an operator token, on the operator's listener | everything that is no tenant's secret |

mod backend;
mod directory;
mod operator;
mod users;

pub use backend::{BackendCaller, ShownBackendKey};
pub use directory::{By, DirectoryCaller, ManageSessions, ManageUsers, Permission, Read};
pub use operator::OperatorCaller;
pub use users::{LeavingCaller, UserCaller};
