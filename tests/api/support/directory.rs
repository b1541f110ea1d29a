//! What the tests of sessions and of the directory need of the directory.

use serde_json::{Value, json};
use vestibule::clock::Timestamp;
use vestibule::customers::{self, CustomerRecord, CustomerStatus};
use vestibule::ids::{CustomerId, UserId};
use vestibule::users;
use vestibule::users::UserStatus;
use vestibule::users::directory::UserRecord;

use super::app::{Answer, PASSWORD, TestApp, TestTenant};
use super::calls::{Call, Opened};

impl TestApp {
    /// Suspends a user, at any time and from any status.
    pub async fn suspend_user(&self, tenant: &TestTenant, user: &UserId, at: Timestamp) {
        let rows = self.database.fetch(users::directory::store::find(&tenant.id, user)).await.unwrap();
        let revision = UserRecord::from_row(&rows[0]).unwrap().revision;
        self.change(users::directory::store::set_status(
            &tenant.id,
            user,
            revision,
            UserStatus::Suspended,
            at,
        ))
        .await;
    }

    /// Moves a customer to another status, at any time and from any.
    pub async fn set_customer_status(
        &self,
        tenant: &TestTenant,
        customer: &CustomerId,
        status: CustomerStatus,
        at: Timestamp,
    ) {
        let rows = self.database.fetch(customers::store::find(&tenant.id, customer)).await.unwrap();
        let customer = CustomerRecord::from_row(&rows[0]).unwrap();
        self.change(customers::store::set_status(&tenant.id, &customer, status, at)).await;
    }
}

/// The documented registration of an individual, as far as it must be.
pub fn individual(email: &str) -> Value {
    json!({
        "firstName": "Ada", "lastName": "Lovelace", "email": email, "phone": "+370 600-00001",
        "password": PASSWORD, "matchingPassword": PASSWORD, "dateOfBirth": "1990-12-10", "gender": "female",
        "nationality": "LT", "placeOfBirth": "Vilnius", "pincode": "01100",
        "roleIds": ["ACCOUNT_OWNER", "USER"], "customerCategory": { "id": "retail", "name": "Retail" },
        "individualCustomer": { "customerName": "Ada Lovelace" },
    })
}

/// The documented registration of an organization.
pub fn organization(email: &str) -> Value {
    json!({
        "email": email, "password": PASSWORD, "matchingPassword": PASSWORD, "roleIds": ["ACCOUNT_OWNER"],
        "customerCategory": { "id": "business", "name": "Business" },
        "organizationCustomer": {
            "customerName": "Analytical Engines",
            "organization": {
                "legalName": "Analytical Engines UAB", "tradingName": "Engines", "registrationNumber": "305000001",
                "taxId": "LT100000000001",
            },
        },
    })
}

/// What adds a user to an organization or to the staff.
pub fn new_user(email: &str, roles: &[&str]) -> Value {
    json!({ "email": email, "firstName": "Grace", "lastName": "Hopper", "roles": roles,
            "password": PASSWORD, "matchingPassword": PASSWORD })
}

pub const INDIVIDUAL: &str = "/api/v2.1/customer/individual/registration";
pub const ORGANIZATION: &str = "/api/v2.1/customer/organization/registration";
pub const CUSTOMERS: &str = "/api/v2.1/admin/customers";
pub const USERS: &str = "/api/v2.1/admin/users";

impl TestApp {
    /// A call of the tenant's backend with a body.
    pub async fn backend(&self, tenant: &TestTenant, method: &str, path: &str, body: &Value) -> Answer {
        self.call(Call::new(method, path).backend(tenant).json(body)).await
    }

    /// The backend's look at something.
    pub async fn look(&self, tenant: &TestTenant, path: &str) -> Answer {
        self.call(Call::get(path).backend(tenant)).await
    }

    /// A call of a member of staff with a body.
    pub async fn by(
        &self,
        staff: &Opened,
        tenant: &TestTenant,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Answer {
        self.call(Call::new(method, path).tenant(&tenant.slug).bearer(&staff.token).json(body)).await
    }

    /// Registers an individual: the customer's and the user's id.
    pub async fn individual(&self, tenant: &TestTenant, email: &str) -> (String, String) {
        registered(&self.backend(tenant, "POST", INDIVIDUAL, &individual(email)).await.expect(200))
    }

    /// Registers an organization: the customer's and the first user's id.
    pub async fn organization(&self, tenant: &TestTenant, email: &str) -> (String, String) {
        registered(&self.backend(tenant, "POST", ORGANIZATION, &organization(email)).await.expect(200))
    }

    /// Does something to a customer or user (`suspend`, `erase` …), for the backend.
    pub async fn act(&self, tenant: &TestTenant, what: &str, id: &str, act: &str) -> Answer {
        self.call(Call::new("POST", format!("{what}/{id}/{act}")).backend(tenant)).await
    }

    /// All details of a tenant's events of one name.
    pub async fn details_of(&self, tenant: &TestTenant, name: &str) -> Vec<Value> {
        let rows = self.events_named(tenant.id.as_str(), name).await;
        rows.iter().map(|row| serde_json::from_str(&row.text("details").unwrap()).unwrap()).collect()
    }
}

fn registered(answer: &Answer) -> (String, String) {
    (answer.field("id").to_owned(), answer.data()["user"]["id"].as_str().unwrap().to_owned())
}
