//! `/api/v2.1/admin/users/{userId}/sessions/{sessionId}/evidence`: a session's events with the proofs that they are in the
//! tenant's sealed log, for a tenant's backend and staff.

use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;
use vestibule_audit::{Digest, EventRecord, Evidence, ProvenEvent};

use crate::app::SharedApp;
use crate::callers::{DirectoryCaller, Read};
use crate::error::Error;
use crate::flows;
use crate::http::envelope::Success;
use crate::http::paths;

use super::examples;
use super::users::user_id;

/// What `vestibule audit verify-evidence` checks without the server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionEvidence {
    /// `vestibule-evidence-1`.
    format: String,
    /// The log's newest checkpoint: its name, its size and its root, signed (C2SP tlog-checkpoint).
    checkpoint: String,
    /// The key that signed it, as `vestibule audit key` prints it. To trust it, compare it with one that you were given.
    verifier_key: String,
    /// The session's sealed events, the first 1,000, in their order.
    events: Vec<SealedEvent>,
}

/// An event of the session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SealedEvent {
    /// What is sealed, field by field; its canonical encoding is the leaf.
    #[schema(value_type = Object)]
    event: EventRecord,
    /// What is personal of it, the text of a JSON object; null where nothing is, or the person is erased.
    #[schema(required)]
    personal: Option<String>,
    /// What keeps the digest of that from being guessed, in base64.
    #[schema(required)]
    salt: Option<String>,
    /// From the leaf to the root (RFC 6962, §2.1.1), in base64.
    #[schema(value_type = Vec<String>)]
    inclusion_proof: Vec<Digest>,
}

impl From<Evidence> for SessionEvidence {
    fn from(evidence: Evidence) -> Self {
        let Evidence { format, checkpoint, verifier_key, events } = evidence;
        let events = events.into_iter().map(SealedEvent::from).collect();
        Self { format, checkpoint, verifier_key, events }
    }
}

impl From<ProvenEvent> for SealedEvent {
    fn from(proven: ProvenEvent) -> Self {
        let ProvenEvent { event, personal, salt, inclusion_proof } = proven;
        Self { event, personal, salt, inclusion_proof }
    }
}

/// Get evidence of a user's session
///
/// The session's events, each with the proof that it is in the tenant's sealed log, and the log's newest checkpoint. Keep the
/// answer as a file: `vestibule audit verify-evidence` checks it without the server. Events are sealed within a quarter
/// of a second as a rule; 503 while none of the tenant's is.
#[utoipa::path(
    get,
    path = "/api/v2.1/admin/users/{userId}/sessions/{sessionId}/evidence",
    operation_id = "getUserSessionEvidence",
    tag = "Users",
    security(("accessToken" = []), ("backendKey" = [])),
    params(
        ("userId" = String, Path, description = "The user's id.", example = json!(examples::USER)),
        ("sessionId" = String, Path, description = "The session's id.", example = json!(examples::SESSION)),
    ),
    responses((status = 200, description = "The events with their proofs", body = Success<SessionEvidence>,
               example = json!(examples::success(&examples::evidence()))))
)]
pub(super) async fn get_user_session_evidence(
    State(app): State<SharedApp>,
    caller: DirectoryCaller<Read>,
    Path((user, session)): Path<(String, String)>,
) -> Result<Success<SessionEvidence>, Error> {
    let (user, session) = (user_id(&user)?, paths::session(&session)?);
    let found = flows::get_user_session(&app.db, &caller.tenant, &user, &session, app.clock.now()).await?;
    let evidence = flows::session_evidence(&app.db, &caller.tenant.id, &found.session.id).await?;
    Ok(Success::new(SessionEvidence::from(evidence)))
}
