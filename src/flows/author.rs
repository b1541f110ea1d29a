//! Who makes a change, and from where: what its event tells.

use crate::client::Client;
use crate::events::{Actor, Event, EventName};

/// Who makes a change.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub actor: Actor<'a>,
    /// From where; `None` at the command line and for what goes on in the background.
    pub client: Option<&'a Client>,
}

impl<'a> Author<'a> {
    /// An operator at the command line.
    pub const TERMINAL: Author<'static> = Author { actor: Actor::Operator(None), client: None };

    /// Vestibule by itself.
    pub const SYSTEM: Author<'static> = Author { actor: Actor::System, client: None };

    pub(super) fn event(&self, name: EventName) -> Event<'a> {
        Event { client: self.client, ..Event::new(name, self.actor) }
    }
}
