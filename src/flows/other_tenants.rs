//! A good credential that is shown at another tenant than its own: refused like any, counted, and from the third in a
//! minute on told to its own tenant (R057).

use serde_json::json;
use tracing::warn;

use crate::app::App;
use crate::client::Client;
use crate::error::{Error, TenantProblem};
use crate::events::{self, Actor, Event, EventName};
use crate::ids::TenantId;
use crate::request_limits::ALERT;

/// How many in a minute are told of.
const TOLD_FROM: usize = 3;

/// The refusal, with an event where it is one too many; of one caller there is one a minute at most.
pub async fn refuse_other_tenant(
    app: &App,
    own: &TenantId,
    actor: Actor<'_>,
    credential: &'static str,
    client: &Client,
) -> Error {
    let (now, caller) = (app.clock.now(), ("other tenant", own, actor.id()));
    let seen = app.request_limits.count_guess(caller, now);
    if seen >= TOLD_FROM && app.request_limits.take(ALERT, caller, now).is_ok() {
        let event = Event {
            reason: Some("other_tenant"),
            client: Some(client),
            details: json!({ "credential": credential, "attempts": seen }),
            ..Event::new(EventName::AuthzFail, actor)
        };
        // The refusal stands without it.
        if let Err(error) = app.db.apply(events::store::insert(own, &event, now)).await {
            warn!(tenant = %own, cause = %error, "that a credential was tried at other tenants was not written down");
        }
    }
    Error::Tenant(TenantProblem::Mismatch)
}
