//! Changes of what is known of a user: names, numbers, roles, metadata.

use serde_json::json;

use crate::clock::Timestamp;
use crate::customers;
use crate::db::{Change, Database, Statement};
use crate::error::{Error, FieldError};
use crate::events::{self, Actor, Event, EventName};
use crate::ids::UserId;
use crate::password_resets;
use crate::users::directory::UserRecord;
use crate::users::{self, UserKind, UserStatus, check_customer_roles, check_staff_roles};

use super::Deed;
use super::records::{TRIES, contended, get_user, get_user_to_change, settle};

/// Changes a user as `edit` does it to the record, and answers the record as it is then. No session ends by it: the
/// next token says what is new. Nothing different is no change and no event.
pub async fn change_user(
    db: &Database,
    deed: &Deed<'_>,
    id: &UserId,
    edit: impl Fn(&mut UserRecord),
    now: Timestamp,
) -> Result<UserRecord, Error> {
    for _ in 0..TRIES {
        let before = get_user_to_change(db, deed.tenant, id).await?;
        let mut after = before.clone();
        edit(&mut after);
        if after == before {
            return Ok(before);
        }
        if before.status == UserStatus::Closed {
            return Err(Error::conflict("status", "is CLOSED; nothing of a closed user is changed"));
        }
        let change = decide(deed, &before, &after, now)?;
        if settle(db, change).await? {
            return get_user(db, deed.tenant, id).await;
        }
    }
    Err(contended("userId"))
}

fn decide(deed: &Deed<'_>, before: &UserRecord, after: &UserRecord, now: Timestamp) -> Result<Change, Error> {
    check_roles(after)?;
    let (tenant, id) = (deed.tenant, &before.id);
    let mut change = Change::new();
    if before.is_active_admin() && !after.is_active_admin() {
        change = change.with_all(keep_an_admin(deed, before)?);
    }
    let names = [before, after].map(UserRecord::own_name);
    if let [Some(old), Some(new)] = &names
        && old != new
    {
        // Customers come before their users, as everywhere.
        let customer = &before.customer_id;
        change = change.with(customers::store::rename_individual(tenant, customer, id, [old, new], now));
    }
    change = change.with(users::directory::store::update(tenant, after, now));
    let [username, email] =
        after.login_names().map_err(|problem| Error::invalid("email", problem.to_owned()))?;
    if before.login_names().ok() != Some([username.clone(), email.clone()]) {
        check_names(username.as_ref(), email.as_ref()).map_err(|problem| Error::Validation(vec![problem]))?;
        change = change
            .with(users::directory::store::delete_names(tenant, id))
            .with_all(users::store::insert_names(tenant, id, username.as_ref(), email.as_ref()))
            // A secret that is out went to the address from before: whoever reads that is not the user any more.
            .with(password_resets::store::delete_of(tenant, id));
    }
    if before.phones != after.phones {
        let numbers = after.phones.iter().map(|phone| users::store::insert_phone(tenant, id, &phone.number));
        change = change.with(users::directory::store::delete_phones(tenant, id)).with_all(numbers);
    }
    Ok(change.with_all(events(deed, before, after, now)))
}

/// What a user has to log in by: something; and no username that might be another's e-mail.
pub fn check_names(
    username: Option<&users::LoginName>,
    email: Option<&users::LoginName>,
) -> Result<(), FieldError> {
    if username.is_none() && email.is_none() {
        return Err(FieldError::new("email", "is required where there is no username"));
    }
    match username {
        Some(name) if name.as_str().contains('@') && Some(name) != email => {
            Err(FieldError::new("username", "must have no @, or be the e-mail itself"))
        }
        _ => Ok(()),
    }
}

fn check_roles(user: &UserRecord) -> Result<(), Error> {
    match user.kind {
        UserKind::Staff => check_staff_roles(&user.roles),
        UserKind::Customer => check_customer_roles(&user.roles),
    }
    .map_err(|problem| Error::invalid("roles", problem))
}

/// What must hold for staff to take an active ADMIN away: not themselves, and another one stays. A backend may.
pub(super) fn keep_an_admin(deed: &Deed<'_>, user: &UserRecord) -> Result<Vec<Statement>, Error> {
    let Actor::Staff(by) = deed.actor else { return Ok(Vec::new()) };
    if *by == user.id {
        return Err(Error::conflict("userId", "is your own; another ADMIN must do that"));
    }
    Ok(vec![
        customers::store::hold_house(deed.tenant),
        users::directory::store::find_another_admin(deed.tenant, &user.id),
    ])
}

fn events(deed: &Deed<'_>, before: &UserRecord, after: &UserRecord, now: Timestamp) -> Vec<Statement> {
    let mut events = Vec::new();
    let mut happened = |name, details| {
        let event = Event { details, ..deed.user_event(name, &before.id, &before.customer_id) };
        events.push(events::store::insert(deed.tenant, &event, now));
    };
    let fields = changed_fields(before, after);
    if !fields.is_empty() {
        happened(EventName::UserUpdated, json!({ "fields": fields }));
    }
    if before.roles != after.roles {
        let details = json!({ "before": before.roles, "after": after.roles });
        happened(EventName::PrivilegePermissionsChanged, details);
    }
    events
}

/// The fields that differ, by their names in the API. Roles have an event of their own.
fn changed_fields(before: &UserRecord, after: &UserRecord) -> Vec<&'static str> {
    let (old, new) = (&before.details, &after.details);
    [
        ("username", before.username != after.username),
        ("email", before.email != after.email),
        ("firstName", before.first_name != after.first_name),
        ("lastName", before.last_name != after.last_name),
        ("fullName", before.full_name != after.full_name),
        ("gender", before.gender != after.gender),
        ("phones", before.phones != after.phones),
        ("dateOfBirth", old.date_of_birth != new.date_of_birth),
        ("nationality", old.nationality != new.nationality),
        ("placeOfBirth", old.place_of_birth != new.place_of_birth),
        ("pincode", old.pincode != new.pincode),
        ("metadata", before.metadata != after.metadata),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
