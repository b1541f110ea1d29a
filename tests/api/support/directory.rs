//! What the tests of sessions and of the directory need of the directory.

use vestibule::clock::Timestamp;
use vestibule::customers::{self, CustomerRecord, CustomerStatus};
use vestibule::ids::{CustomerId, UserId};
use vestibule::users;
use vestibule::users::UserStatus;
use vestibule::users::directory::UserRecord;

use super::app::{TestApp, TestTenant};

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
