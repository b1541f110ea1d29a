//! What is another's is absent (R049), by tables that the OpenAPI documents fill: every operation × whose things it
//! names × who asks. An operation without a row fails, and so does a row without an operation.

mod callers;
mod credentials;
mod doors;
mod malformed;
mod matrix;
mod mentions;
mod places;
pub mod rows;
mod sessions;
mod world;

use std::collections::BTreeSet;

use serde_json::Value;
use vestibule::server::{openapi, operator_openapi};
use vestibule::tenants::Family;

pub use rows::{Rows, unchanged};

use Permission::{
    Backend, Client, Login, Manage, ManageSessions, Open, Operator, Own, Public, Read, Refresh, Secret,
};

/// Who may call an operation, and what becomes of the ids in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Permission {
    /// Anybody; it names no tenant's thing.
    Open,
    /// Anybody; what it shows of a tenant is public.
    Public,
    /// Whoever has a password, with a tenant's key.
    Login(Family),
    /// Whoever has a reset secret.
    Secret,
    /// Whoever has a session's refresh token.
    Refresh(Family),
    /// The user whose path it is.
    Own(Family),
    /// Backend, and staff with any staff role.
    Read,
    /// Backend, and staff with the role ADMIN.
    Manage,
    /// Backend, and staff with the role ADMIN or OPERATOR.
    ManageSessions,
    /// Backend.
    Backend,
    /// Backend, with a token of somebody's, in the RFCs' own format: whatever is not its tenant's is answered alike.
    Client,
    /// Operators, on their listener.
    Operator,
}

impl Permission {
    fn is_of_staff(self) -> bool {
        [Login(Family::Admin), Refresh(Family::Admin), Own(Family::Admin)].contains(&self)
    }
}

/// The table. An operation that is not in it has not been thought of.
#[rustfmt::skip]
const TABLE: &[(Permission, &[&str])] = &[
    (Open, &["getHealth", "getReadiness"]),
    (Public, &["getKeys", "getIssuerMetadata", "getOpenidConfiguration"]),
    (Login(Family::Individual), &["startSessionIndividual"]),
    (Login(Family::Organization), &["startSessionOrganization"]),
    (Login(Family::Admin), &["startSessionStaff"]),
    (Secret, &["redeemPasswordReset"]),
    (Refresh(Family::Individual), &["refreshSessionIndividual", "refreshSessionWithoutIdIndividual"]),
    (Refresh(Family::Organization), &["refreshSessionOrganization", "refreshSessionWithoutIdOrganization"]),
    (Refresh(Family::Admin), &["refreshSessionStaff", "refreshSessionWithoutIdStaff"]),
    (Own(Family::Individual), &["listSessionsIndividual", "getSessionIndividual", "endSessionIndividual", "endSessionsIndividual", "changePasswordIndividual"]),
    (Own(Family::Organization), &["listSessionsOrganization", "getSessionOrganization", "endSessionOrganization", "endSessionsOrganization", "changePasswordOrganization"]),
    (Own(Family::Admin), &["listSessionsStaff", "getSessionStaff", "endSessionStaff", "endSessionsStaff", "changePasswordStaff"]),
    (Read, &[
        "listCustomers", "getCustomer", "listCustomerUsers", "listUsers", "getUser", "listUserSessions", "getUserSession",
        "searchSessions", "getSessionOperation",
    ]),
    (ManageSessions, &["endUserSession", "endUserSessions", "endMatchingSessions"]),
    (Own(Family::Individual), &[
        "listSessionEventsIndividual", "listDevicesIndividual", "changeDeviceIndividual", "forgetDeviceIndividual",
    ]),
    (Own(Family::Organization), &[
        "listSessionEventsOrganization", "listDevicesOrganization", "changeDeviceOrganization", "forgetDeviceOrganization",
    ]),
    (Own(Family::Admin), &[
        "listSessionEventsStaff", "listDevicesStaff", "changeDeviceStaff", "forgetDeviceStaff",
    ]),
    (Read, &["listUserDevices", "listUserSessionEvents", "getUserSessionEvidence", "getEvents", "listUserLocks"]),
    (ManageSessions, &["changeUserDevice", "forgetUserDevice"]),
    (Manage, &[
        "registerIndividual", "registerOrganization", "changeCustomer", "activateCustomer", "suspendCustomer",
        "resumeCustomer", "closeCustomer", "eraseCustomer", "addCustomerUser", "addStaff", "changeUser", "suspendUser",
        "resumeUser", "closeUser", "eraseUser", "setPassword", "resetLogin", "unlockUser",
    ]),
    (Backend, &["getRevocations", "startPasswordReset"]),
    (Client, &["introspectToken", "revokeToken"]),
    (Operator, &[
        "listOperators", "createOperator", "revokeOperator", "getSettingsSchema", "listTenants", "createTenant",
        "getTenant", "updateTenant", "deleteTenant", "suspendTenant", "resumeTenant", "listTenantKeys",
        "createTenantKey", "revokeTenantKey", "listSigningKeys", "rotateSigningKey", "retireSigningKey",
        "endTenantSessions", "explainAddress",
    ]),
];

/// An operation of one of the documents.
#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    path: String,
    /// Whether the operators' listener serves it.
    for_operators: bool,
    /// Its query parameters.
    queries: Vec<String>,
    /// The document's example of its body; null without one.
    body: Value,
    /// Whether that is sent as a form.
    is_form: bool,
}

impl Operation {
    fn permission(&self) -> Permission {
        let row = TABLE.iter().find(|(_, ids)| ids.contains(&self.id.as_str()));
        row.unwrap_or_else(|| panic!("{} {} ({}) has no row in the table", self.method, self.path, self.id)).0
    }
}

/// Every operation of both documents.
fn operations() -> Vec<Operation> {
    let documents = [(openapi(), false), (operator_openapi(), true)];
    let mut operations = Vec::new();
    for (document, for_operators) in documents {
        let document = serde_json::to_value(document).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let queries = parameters.filter(|parameter| parameter["in"] == "query");
                let content = &operation["requestBody"]["content"];
                let form = &content["application/x-www-form-urlencoded"]["example"];
                operations.push(Operation {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    for_operators,
                    queries: queries.map(|query| query["name"].as_str().unwrap().to_owned()).collect(),
                    body: if form.is_null() { &content["application/json"]["example"] } else { form }.clone(),
                    is_form: !form.is_null(),
                });
            }
        }
    }
    operations
}

#[test]
fn R049_every_operation_has_a_row_and_every_row_an_operation() {
    let operations = operations();
    for operation in &operations {
        let permission = operation.permission();
        let of_operators = operation.path.starts_with("/operator/");
        assert_eq!(of_operators, permission == Operator, "{operation:?}");
        assert!(!of_operators || operation.for_operators, "{operation:?}");
    }
    let served: BTreeSet<_> = operations.iter().map(|operation| operation.id.as_str()).collect();
    let rows: Vec<_> = TABLE.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    assert_eq!(rows.iter().copied().collect::<BTreeSet<_>>(), served);
    assert_eq!(rows.len(), served.len(), "a row twice");
}
