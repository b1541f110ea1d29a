//! What makes a batch of users true at once.

use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::customers::CustomerKind;
use crate::customers::moved::store::{demand_no_user, hold};
use crate::db::{Change, Statement};
use crate::events::{Actor, Event, EventName};
use crate::imports::{Arrival, Belongs, Credential, Progress};
use crate::users::moved::store::NewName;
use crate::{customers, events, imports, tenants, users};

use super::UserImport;

impl UserImport {
    /// Lets these in and moves the file on to `to`. Refused ("import") where another run has moved it.
    pub(super) fn change(
        &self,
        arrivals: &[&Arrival],
        [first, last]: [Option<u64>; 2],
        to: &Progress,
        now: Timestamp,
    ) -> Change {
        let tenant = &self.tenant;
        let mut change = Change::new().with(imports::store::find_tenant(tenant));
        // The tenant's row comes first, and the floor with the first hash that needs it (R004).
        let floor = arrivals.iter().map(|arrival| floor_of(arrival)).max().unwrap_or_default();
        if floor > Duration::ZERO {
            change = change.with(tenants::store::raise_failure_floor(tenant, floor, now));
        }
        if let Some(file) = &self.file {
            change = change.with(imports::store::advance(tenant, file, &self.progress, to, now));
        }
        if arrivals.is_empty() {
            return change;
        }
        let details = json!({
            "file": self.file,
            "firstLine": first,
            "lastLine": last,
            "created": to.created - self.progress.created,
            "present": to.present - self.progress.present,
            "refused": to.refused - self.progress.refused,
        });
        let event = Event { details, ..Event::new(EventName::UsersImported, Actor::Operator(None)) };
        change
            .with_all(self.customers(arrivals))
            .with_all(self.users(arrivals))
            .with(events::store::insert(tenant, &event, now))
    }

    fn customers(&self, arrivals: &[&Arrival]) -> Vec<Statement> {
        let new: Vec<_> = arrivals
            .iter()
            .filter_map(|arrival| match &arrival.belongs {
                Belongs::With(customer) => Some(customer.as_ref()),
                Belongs::House(_) | Belongs::To(_) => None,
            })
            .collect();
        let mut statements = customers::moved::store::insert(&self.tenant, &new);
        for arrival in arrivals {
            match &arrival.belongs {
                Belongs::To(id) => statements.push(hold(&self.tenant, id, CustomerKind::Organization, None)),
                Belongs::With(new) if new.named => {
                    statements.push(hold(&self.tenant, &new.id, new.kind, Some(new.status)));
                    if new.kind == CustomerKind::Individual {
                        statements.push(demand_no_user(&self.tenant, &new.id));
                    }
                }
                Belongs::House(_) | Belongs::With(_) => {}
            }
        }
        statements
    }

    fn users(&self, arrivals: &[&Arrival]) -> Vec<Statement> {
        let moved: Vec<_> = arrivals.iter().map(|arrival| arrival.as_moved()).collect();
        let names: Vec<_> = arrivals.iter().flat_map(|arrival| names_of(arrival)).collect();
        let phones: Vec<_> = arrivals
            .iter()
            .flat_map(|arrival| arrival.phones.iter().map(|phone| (phone.number.as_str(), &arrival.id)))
            .collect();
        let mut statements = users::moved::store::insert(&self.tenant, &moved);
        statements.extend(users::moved::store::insert_names(&self.tenant, names));
        statements.extend(users::moved::store::insert_phones(&self.tenant, &phones));
        statements
    }
}

fn floor_of(arrival: &Arrival) -> Duration {
    match arrival.credential {
        Credential::Hash(_, floor) => floor,
        Credential::None | Credential::Clear(_) => Duration::ZERO,
    }
}

/// What the user logs in by; a name that is both stands there once.
fn names_of(arrival: &Arrival) -> impl Iterator<Item = NewName<'_>> {
    let username = arrival.username.as_ref().map(|(_, name)| name);
    let email = arrival.email.as_ref().map(|(_, name)| name).filter(|email| Some(*email) != username);
    let username = username.map(|name| (name, &arrival.id, "username"));
    username.into_iter().chain(email.map(|name| (name, &arrival.id, "email")))
}
