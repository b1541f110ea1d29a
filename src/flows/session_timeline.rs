//! A session's timeline: each step of its life, oldest first, from its events; and what leaves none, from its row.

use serde_json::Value;

use crate::app::App;
use crate::clock::Timestamp;
use crate::db::{Database, DbError, Row, Statement};
use crate::error::Error;
use crate::events::{self, Actor};
use crate::ids::{SessionId, TenantId, UserId};
use crate::sessions::Session;
use crate::sessions::store::{session_columns, sessions_and_owners};
use crate::tenants::Tenant;
use crate::tenants::store::tenant_columns;
use crate::users::User;
use crate::users::store::user_columns;

use super::list_users::Page;

/// A session with what decides whether it lives.
#[derive(Debug)]
pub struct WholeSession {
    pub session: Session,
    pub tenant: Tenant,
    pub user: User,
}

/// One step.
#[derive(Debug)]
pub struct SessionStep {
    /// The event's id, or another of its own.
    id: String,
    /// An event's word, or `session_refreshed`.
    pub name: String,
    pub at: Timestamp,
    pub outcome: String,
    pub reason: Option<String>,
    pub rule: Option<String>,
    pub actor_kind: String,
    pub actor_id: Option<String>,
    pub from: StepOrigin,
    /// Of `session_refreshed`: how many refreshes there were until then.
    pub count: Option<i64>,
}

/// From where a step was made; nothing where no request made it, or the person is erased.
#[derive(Default, Debug)]
pub struct StepOrigin {
    pub client_ip: Option<String>,
    pub client_ip_reason: Option<String>,
    pub platform: Option<String>,
    pub device_id: Option<String>,
    pub user_agent: Option<String>,
}

/// A user's session, in whatever family and state; another's is absent.
pub async fn get_whole_session(
    db: &Database,
    tenant: &TenantId,
    user: &UserId,
    session: &SessionId,
) -> Result<WholeSession, Error> {
    let statement = Statement::new(concat!(
        "select ",
        session_columns!(),
        ", ",
        tenant_columns!(),
        ", ",
        user_columns!(),
        " from ",
        sessions_and_owners!(),
        " where s.tenant_id = $1 and s.id = $2 and s.user_id = $3"
    ))
    .bind(tenant)
    .bind(session)
    .bind(user);
    let rows = db.fetch(statement).await?;
    let row = rows.first().ok_or(Error::NotFound)?;
    let broken = || Error::Internal(anyhow::anyhow!("a session without a user"));
    Ok(WholeSession {
        session: Session::from_row(row)?,
        tenant: Tenant::from_row(row)?,
        user: User::from_row(row)?.ok_or_else(broken)?,
    })
}

/// The steps behind a position, `size` at most.
pub async fn session_timeline(
    app: &App,
    of: &WholeSession,
    after: Option<&str>,
    size: u32,
) -> Result<Page<SessionStep>, Error> {
    let WholeSession { session, tenant, .. } = of;
    let after = after.map_or(Ok((Timestamp::from_millis(i64::MIN), "")), position)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    // One more than is shown tells whether there are more.
    let limit = size.saturating_add(1);
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = app.db.list(events::store::find_of_session(&tenant.id, &session.id, after, most)).await?;
    let mut items = rows.iter().map(SessionStep::from_row).collect::<Result<Vec<_>, _>>()?;
    // What is behind the last of them may be behind events that were not read.
    let last = items.last().filter(|_| rows.len() == limit).map(|step| (step.at, step.id.clone()));
    let unwritten = [latest_refresh(of), ending(app, of).await?].into_iter().flatten();
    items.extend(unwritten.filter(|step| {
        let place = step.place();
        place > after && last.as_ref().is_none_or(|(at, id)| place <= (*at, id.as_str()))
    }));
    items.sort_by(|one, other| one.place().cmp(&other.place()));
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|step| format!("{}:{}", step.at.as_millis(), step.id));
    Ok(Page { items, next })
}

/// Where a page begins, as the one before said.
fn position(text: &str) -> Result<(Timestamp, &str), Error> {
    let parts =
        text.split_once(':').and_then(|(at, id)| Some((Timestamp::from_millis(at.parse().ok()?), id)));
    // A cursor holds nothing but what was made here.
    parts.ok_or_else(|| Error::Internal(anyhow::anyhow!("no position in a timeline: {text}")))
}

/// The latest refresh: earlier ones leave no trace but their number.
fn latest_refresh(WholeSession { session, user, .. }: &WholeSession) -> Option<SessionStep> {
    let at = session.refreshed_at?;
    let client_ip = session.last_client_ip.as_ref().unwrap_or(&session.client_ip);
    let from = StepOrigin {
        client_ip: Some(client_ip.clone()).filter(|ip| !ip.is_empty()),
        device_id: session.device_id.clone(),
        ..StepOrigin::default()
    };
    let actor = Actor::of(user);
    Some(SessionStep {
        actor_kind: actor.kind().to_owned(),
        actor_id: actor.id().map(str::to_owned),
        from,
        count: Some(session.generation - 1),
        ..SessionStep::unwritten("session_refreshed", at, "g1")
    })
}

/// How it ended, where no event of its own tells it: by time, which upkeep has not written down yet, or with all others
/// of its user, customer or tenant. Then who did that is told.
async fn ending(app: &App, of: &WholeSession) -> Result<Option<SessionStep>, Error> {
    let WholeSession { session, tenant, user } = of;
    let Some((at, reason)) = session.ending(tenant, user, app.clock.now()) else { return Ok(None) };
    if !app.db.fetch(events::store::find_ending_of_session(&tenant.id, &session.id)).await?.is_empty() {
        return Ok(None);
    }
    let mut step = SessionStep {
        actor_kind: Actor::System.kind().to_owned(),
        reason: Some(reason),
        ..SessionStep::unwritten("session_expired", at, "g2")
    };
    let all = events::store::find_ending_of_all(&tenant.id, &session.customer_id, &user.id, at);
    if let Some(row) = app.db.fetch(all).await?.first() {
        let by = SessionStep::from_row(row)?;
        step = SessionStep { actor_kind: by.actor_kind, actor_id: by.actor_id, from: by.from, ..step };
    }
    Ok(Some(step))
}

impl SessionStep {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let json = |text: &str| -> Result<Value, DbError> {
            serde_json::from_str(text).map_err(|_| DbError::Failed("an event's column is not JSON".into()))
        };
        let details = json(&row.text("details")?)?;
        let personal = row.maybe_text("personal")?.as_deref().map(json).transpose()?.unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Ok(Self {
            id: row.text("id")?,
            name: row.text("name")?,
            at: row.instant("occurred_at")?,
            outcome: row.text("outcome")?,
            reason: row.maybe_text("reason")?,
            rule: text(&details["rule"]),
            actor_kind: row.text("actor_kind")?,
            actor_id: row.maybe_text("actor_id")?,
            from: StepOrigin {
                client_ip: text(&personal["clientIp"]),
                client_ip_reason: text(&personal["clientIpReason"]),
                platform: text(&personal["platform"]),
                device_id: text(&personal["deviceId"]),
                user_agent: text(&personal["userAgent"]),
            },
            count: None,
        })
    }

    /// Its place among the others: no two have one.
    fn place(&self) -> (Timestamp, &str) {
        (self.at, &self.id)
    }

    /// A step that is no event. `id` is behind those of all events, whose first character is a hexadecimal digit.
    fn unwritten(name: &str, at: Timestamp, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            at,
            outcome: "success".to_owned(),
            reason: None,
            rule: None,
            actor_kind: String::new(),
            actor_id: None,
            from: StepOrigin::default(),
            count: None,
        }
    }
}
