//! Who does something in a tenant's directory, from where, and why: what each of its events says.

use crate::client::Client;
use crate::events::{Actor, Event, EventName};
use crate::ids::{CustomerId, TenantId, UserId};

/// One act of somebody's in one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    pub tenant: &'a TenantId,
    pub actor: Actor<'a>,
    /// From where; `None` for a command.
    pub client: Option<&'a Client>,
    /// A word of the actor's own: why.
    pub reason: Option<&'a str>,
    /// Why, in free text, which goes with the person.
    pub note: Option<&'a str>,
}

impl<'a> Deed<'a> {
    /// An act that no request did.
    #[must_use]
    pub const fn new(tenant: &'a TenantId, actor: Actor<'a>) -> Self {
        Self { tenant, actor, client: None, reason: None, note: None }
    }

    /// Its event.
    pub(super) fn event(&self, name: EventName) -> Event<'a> {
        Event { client: self.client, reason: self.reason, note: self.note, ..Event::new(name, self.actor) }
    }

    /// Its event, done to a user.
    pub(super) fn user_event(
        &self,
        name: EventName,
        user: &'a UserId,
        customer: &'a CustomerId,
    ) -> Event<'a> {
        Event { user: Some(user), customer: Some(customer), ..self.event(name) }
    }

    /// Its event, done to a customer.
    pub(super) fn customer_event(&self, name: EventName, customer: &'a CustomerId) -> Event<'a> {
        Event { customer: Some(customer), ..self.event(name) }
    }
}
