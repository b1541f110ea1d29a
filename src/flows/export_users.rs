//! All users of a tenant, one JSON object a line, as an import reads them.

use std::io::Write;

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::customers::moved::MovedCustomer;
use crate::db::Database;
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::passwords::PasswordHash;
use crate::users::moved::DepartingUser;
use crate::users::moved::store::{PAGE, count, list};

/// What was written.
#[derive(Debug, Default)]
pub struct Exported {
    pub users: u64,
    /// Whose hashes are of use only where the pepper file has its line.
    pub peppered: u64,
}

/// Writes all users who are there when their page is read; how many they were. The event is durable before the first
/// of them is written.
pub async fn export_users(
    db: &Database,
    tenant: &TenantId,
    out: &mut dyn Write,
    now: Timestamp,
) -> anyhow::Result<Exported> {
    let rows = db.list(count(tenant)).await?;
    let details = json!({ "users": rows.first().map(|row| row.int("users")).transpose()? });
    let event = Event { details, ..Event::new(EventName::UsersExported, Actor::Operator(None)) };
    db.apply(events::store::insert(tenant, &event, now)).await?;
    let (mut after, mut written) = (String::new(), Exported::default());
    loop {
        let page = db.list(list(tenant, &after)).await?;
        for row in &page {
            let user = DepartingUser::from_row(row)?;
            user.record.id.as_str().clone_into(&mut after);
            writeln!(out, "{}", entry(&user))?;
            written.users += 1;
            let hash = user.password_hash.as_deref().and_then(|text| PasswordHash::parse(text).ok());
            written.peppered += u64::from(hash.is_some_and(|hash| hash.pepper().is_some()));
        }
        if page.len() < PAGE {
            out.flush()?;
            return Ok(written);
        }
    }
}

/// What an import reads of a user; what is not there is left out.
fn entry(departing: &DepartingUser) -> Value {
    let DepartingUser { record: user, customer: of, password_hash, password_changed_at } = departing;
    let instant = |at: Timestamp| at.to_string();
    let mut entry = json!({
        "id": user.id,
        "kind": user.kind.as_str(),
        "status": user.status.documented(),
        "username": user.username,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "fullName": user.full_name,
        "gender": user.gender,
        "phones": user.phones,
        "roles": user.roles,
        "dateOfBirth": user.details.date_of_birth,
        "nationality": user.details.nationality,
        "placeOfBirth": user.details.place_of_birth,
        "pincode": user.details.pincode,
        "metadata": user.metadata,
        "passwordHash": password_hash,
        "passwordChangedAt": password_changed_at.map(instant),
        "lastLogin": user.last_login_at.map(instant),
        "createdAt": instant(user.created_at),
        "updatedAt": instant(user.updated_at),
        // Staff belong to the tenant's own organization, which another tenant has as well.
        "customer": (!of.house).then(|| customer(&of.customer)),
    });
    leave_out_nulls(&mut entry);
    entry
}

fn customer(customer: &MovedCustomer) -> Value {
    let details = &customer.details;
    json!({
        "id": customer.id,
        "kind": customer.kind.as_str(),
        "name": customer.name,
        "status": customer.status.documented(),
        "statusBefore": customer.status_before.map(crate::customers::CustomerStatus::documented),
        "category": details.category,
        "organization": details.organization,
        "createdAt": customer.created_at.to_string(),
        "updatedAt": customer.updated_at.to_string(),
    })
}

fn leave_out_nulls(entry: &mut Value) {
    let Value::Object(fields) = entry else { return };
    fields.retain(|_, value| !value.is_null());
    if let Some(customer) = fields.get_mut("customer") {
        leave_out_nulls(customer);
    }
}
