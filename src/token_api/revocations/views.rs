//! What the feed shows.

use serde::Serialize;
use utoipa::ToSchema;
use vestibule_audit::Digest;

use crate::app::App;
use crate::events::revocations::{KEPT_SECONDS, Revocation, RevocationPage, Revoked};
use crate::flows::ProvenCheckpoint;
use crate::ids::TenantId;

use super::list;

/// What has ended, in the order in which it became durable.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationList {
    revocations: Vec<RevocationView>,
    /// Where to go on: always there, also when nothing has come.
    pub(super) cursor: String,
    /// Whether there is more already: ask again at once.
    more: bool,
    /// What was durable at this instant is here, or was before (with `more`: or follows at once). Unix milliseconds.
    as_of: i64,
    /// How long ago `asOf` is, in milliseconds. It grows while something keeps endings from becoming visible here.
    behind_ms: i64,
    /// How long an ending matters, in seconds: older ones are left out, for no access token lives so long.
    keep_seconds: i64,
    /// The newest checkpoint of the tenant's sealed log, where it was asked for; null before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CheckpointView>)]
    #[expect(clippy::option_option, reason = "left out, null, or a checkpoint")]
    checkpoint: Option<Option<CheckpointView>>,
}

/// What was found of the sealed log, if anybody asked.
pub(super) type Told = Option<Option<ProvenCheckpoint>>;

/// What the tenant's sealed log was when its newest events were sealed. Whatever comes later goes on from it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointView {
    /// A C2SP tlog-checkpoint: the log's name, its size and its root, signed.
    note: String,
    /// The key that signed it, as `vestibule audit key` prints it. To trust it, compare it with one that you were given.
    verifier_key: String,
    /// The proof that the log goes on from the size that was asked with (RFC 6962, §2.1.2), in base64: empty where that
    /// is 0, this one's size, or more.
    #[schema(value_type = Vec<String>)]
    consistency_proof: Vec<Digest>,
}

impl From<ProvenCheckpoint> for CheckpointView {
    fn from(proven: ProvenCheckpoint) -> Self {
        let ProvenCheckpoint { checkpoint, proof } = proven;
        Self {
            note: checkpoint.note,
            verifier_key: checkpoint.key.to_string(),
            consistency_proof: proof.into_iter().map(Digest).collect(),
        }
    }
}

/// One session has ended, or all of a user, a customer or the tenant that were opened at `openedUntil` or before: one of
/// the four ids says which. A session's id is a UUID of version 7 and begins with the instant at which it was opened.
#[derive(Default, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevocationView {
    /// The one that has ended: `sid` of its access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    /// `sub` of the access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// `customerId` of the access tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    /// All of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<String>,
    /// Unix milliseconds; not with `sessionId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    opened_until: Option<i64>,
    /// With `userId`: the one session that lives on, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "left out, null, or an id")]
    except_session_id: Option<Option<String>>,
    /// Why: a session's `endReason`. New words may come.
    reason: String,
}

impl RevocationView {
    fn new(tenant: &TenantId, revocation: Revocation) -> Self {
        let view = Self { reason: revocation.reason, ..Self::default() };
        match revocation.revoked {
            Revoked::Session(id) => Self { session_id: Some(id.to_string()), ..view },
            Revoked::User { id, opened_until, except } => Self {
                user_id: Some(id.to_string()),
                opened_until: Some(opened_until.as_millis()),
                except_session_id: Some(except.map(|id| id.to_string())),
                ..view
            },
            Revoked::Customer { id, opened_until } => Self {
                customer_id: Some(id.to_string()),
                opened_until: Some(opened_until.as_millis()),
                ..view
            },
            Revoked::Tenant { opened_until } => Self {
                tenant_id: Some(tenant.to_string()),
                opened_until: Some(opened_until.as_millis()),
                ..view
            },
        }
    }
}

impl RevocationList {
    pub(super) fn new(app: &App, tenant: &TenantId, page: RevocationPage, told: Told) -> Self {
        let now = app.clock.now();
        let (as_of, goes_on) = (page.as_of.min(now), page.goes_on());
        Self {
            revocations: page
                .revocations
                .into_iter()
                .map(|found| RevocationView::new(tenant, found))
                .collect(),
            cursor: list(app, tenant).cursor(&goes_on.to_string()),
            more: page.more,
            as_of: as_of.as_millis(),
            behind_ms: now.as_millis() - as_of.as_millis(),
            keep_seconds: KEPT_SECONDS,
            checkpoint: told.map(|newest| newest.map(CheckpointView::from)),
        }
    }
}
