//! Who asks, and who is let in.

use vestibule::db::Statement;
use vestibule::tenants::Family;

use super::Permission;
use super::world::World;
use crate::support::calls::{Call, Opened};

/// Who asks acme for something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Caller {
    Individual,
    Organization,
    Admin,
    Operator,
    Viewer,
    /// Staff whose only role is a word of the tenant's own.
    OtherStaff,
    /// A customer's user whose roles say ADMIN, which no call can have made.
    Impostor,
    LoginKey,
    Backend,
    /// Another tenant's, naming acme.
    OthersBackend,
    OthersAdmin,
    /// Another tenant's, at home with acme's ids.
    OthersBackendAtHome,
    OthersAdminAtHome,
    OperatorToken,
    Nobody,
}

/// What becomes of a caller at an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    Allowed,
    /// Let in, and nothing of what it names is there for them.
    Elsewhere,
    /// Refused with this status and error type, whatever it names.
    Refused(u16, &'static str),
}

impl Caller {
    pub const ALL: [Self; 15] = [
        Self::Individual,
        Self::Organization,
        Self::Admin,
        Self::Operator,
        Self::Viewer,
        Self::OtherStaff,
        Self::Impostor,
        Self::LoginKey,
        Self::Backend,
        Self::OthersBackend,
        Self::OthersAdmin,
        Self::OthersBackendAtHome,
        Self::OthersAdminAtHome,
        Self::OperatorToken,
        Self::Nobody,
    ];

    /// The family of an acme user's session.
    pub const fn family(self) -> Option<Family> {
        match self {
            Self::Individual | Self::Impostor => Some(Family::Individual),
            Self::Organization => Some(Family::Organization),
            Self::Admin | Self::Operator | Self::Viewer | Self::OtherStaff => Some(Family::Admin),
            _ => None,
        }
    }

    /// Whether it is another tenant's that keeps to its own.
    pub const fn is_at_home(self) -> bool {
        matches!(self, Self::OthersBackendAtHome | Self::OthersAdminAtHome)
    }

    pub fn access(self, permission: Permission) -> Access {
        use Access::{Allowed, Elsewhere, Refused};
        match permission {
            // Whatever they show in Authorization.
            Permission::Open
            | Permission::Public
            | Permission::Login(_)
            | Permission::Secret
            | Permission::Refresh(_) => Allowed,
            Permission::Operator if self == Self::OperatorToken => Allowed,
            Permission::Operator => Refused(401, "TOKEN"),
            Permission::Own(family) => match self {
                Self::OthersAdmin => Refused(403, "TENANT"),
                Self::OthersAdminAtHome => Elsewhere,
                _ if self.family() == Some(family) => Allowed,
                _ if self.family().is_some() => Elsewhere,
                _ => Refused(401, "TOKEN"),
            },
            Permission::Backend => match self {
                Self::Backend => Allowed,
                Self::OthersBackendAtHome => Elsewhere,
                Self::OthersBackend => Refused(403, "TENANT"),
                _ if self.family().is_some() => Refused(403, "FORBIDDEN"),
                _ => Refused(401, "BACKEND_KEY"),
            },
            Permission::Client => match self {
                Self::Backend => Allowed,
                Self::OthersBackendAtHome => Elsewhere,
                Self::OthersBackend => Refused(403, "unauthorized_client"),
                _ => Refused(401, "invalid_client"),
            },
            Permission::Read | Permission::Manage | Permission::ManageSessions => match self {
                Self::Backend | Self::Admin => Allowed,
                Self::Operator if permission != Permission::Manage => Allowed,
                Self::Viewer if permission == Permission::Read => Allowed,
                Self::OthersBackendAtHome | Self::OthersAdminAtHome => Elsewhere,
                Self::OthersBackend | Self::OthersAdmin => Refused(403, "TENANT"),
                Self::LoginKey => Refused(401, "BACKEND_KEY"),
                Self::OperatorToken | Self::Nobody => Refused(401, "TOKEN"),
                _ => Refused(403, "FORBIDDEN"),
            },
        }
    }
}

/// A caller with what they hold.
#[derive(Clone)]
pub struct Party {
    pub caller: Caller,
    /// Their session, if they are a user.
    pub opened: Option<Opened>,
}

impl Party {
    /// A caller with a session of their own that nobody else has used.
    pub async fn new(world: &World, caller: Caller) -> Self {
        let World { app, acme, globex, .. } = world;
        let opened = match caller {
            Caller::Individual => Some(world.person(Family::Individual).await),
            Caller::Organization => Some(world.person(Family::Organization).await),
            Caller::Impostor => {
                let opened = world.person(Family::Individual).await;
                let sql =
                    "update users set roles = '[\"ADMIN\"]' where tenant_id = $1 and id = $2 returning id";
                let user = opened.data["userId"].as_str().unwrap();
                app.change(Statement::new(sql).bind(&acme.id).bind(user)).await;
                Some(opened)
            }
            Caller::Admin => Some(app.staff(acme, &["ADMIN"]).await),
            Caller::Operator => Some(app.staff(acme, &["OPERATOR"]).await),
            Caller::Viewer => Some(app.staff(acme, &["VIEWER"]).await),
            Caller::OtherStaff => Some(app.staff(acme, &["AUDITOR"]).await),
            Caller::OthersAdmin | Caller::OthersAdminAtHome => Some(app.staff(globex, &["ADMIN"]).await),
            _ => None,
        };
        Self { caller, opened }
    }

    /// Puts their credentials on a call, and the tenant that they name.
    pub fn sign(&self, world: &World, call: Call) -> Call {
        let World { acme, globex, operator, .. } = world;
        let tenant = if self.caller.is_at_home() { globex } else { acme };
        let call = call.tenant(&tenant.slug);
        match self.caller {
            Caller::Nobody => call,
            Caller::LoginKey => call.basic(&acme.key, &acme.secret),
            Caller::Backend => call.backend(acme),
            Caller::OthersBackend | Caller::OthersBackendAtHome => call.backend(globex),
            Caller::OperatorToken => call.bearer(operator),
            _ => call.bearer(&self.opened.as_ref().unwrap().token),
        }
    }
}
