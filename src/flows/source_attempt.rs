//! A login among those of its source: let through or refused before anything is hashed, and marked there until it is
//! concluded (R021, R022).

use std::time::Instant;

use crate::app::App;
use crate::client::Client;
use crate::client_address::AddressReason;
use crate::clock::Timestamp;
use crate::db::Statement;
use crate::error::{Error, Exceeded};
use crate::ids::{AttemptId, ChangeId, TenantId};
use crate::source_limits::{self, Failures, HOUR, MINUTE, Place, Rules, SPRAY, Source};
use crate::tenants::{KeyPurpose, Tenant, TenantKey};
use crate::throttles::Proof;

/// A source whose failures are counted for this login, by its tenant's rules.
#[derive(Clone, Debug)]
pub(super) struct LimitedSource {
    pub(super) source: Source,
    pub(super) rules: Rules,
}

impl LimitedSource {
    /// The login's; `None` where none limits it: whoever has proven to be the owner, whose phone may well share an address
    /// with a guesser; the tenant's backend, whose address is all its users' unless the tenant believes what it forwards.
    pub(super) fn of(
        app: &App,
        tenant: &Tenant,
        key: Option<&TenantKey>,
        client: &Client,
        proof: Proof,
    ) -> Option<Self> {
        let rules = Rules::of(&tenant.settings).filter(|_| app.options.source_limits)?;
        let is_backends = key.is_some_and(|key| key.purpose == KeyPurpose::Backend);
        let hides_its_users = is_backends && client.address.reason != AddressReason::Vouched;
        let is_limited = proof != Proof::Full && !hides_its_users;
        is_limited.then(|| Self { source: Source::of(client.address.ip), rules })
    }

    /// Refuses what is over a limit, or does not: then what is in flight may still take the last places.
    pub(super) async fn admit(
        &self,
        app: &App,
        tenant: &TenantId,
        failures: &Failures,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Rules { per_minute, per_hour, spray_pairs } = self.rules;
        let mut released = Vec::new();
        if let (Some(until), Some(pairs)) = (failures.banned_until, spray_pairs) {
            released.push((until, "login-spray", pairs, SPRAY));
        }
        let windows = [
            ("login-minute", failures.last_minute, per_minute, MINUTE),
            ("login-hour", failures.last_hour, per_hour, HOUR),
        ];
        for (limit, used, quota, window) in windows.into_iter().filter(|(_, used, quota, _)| used >= quota) {
            // Once this one no longer counts, there is room for one.
            let rows =
                app.db.fetch(source_limits::store::find_failure(tenant, &self.source, quota, now)).await?;
            let failed = rows.first().map(|row| row.instant("reserved_at")).transpose()?;
            // It may be over meanwhile.
            released.extend(
                failed.filter(|_| used >= quota).map(|at| (at.plus_seconds(window), limit, quota, window)),
            );
        }
        let last = released.into_iter().filter(|(at, ..)| *at > now).max_by_key(|(at, ..)| *at);
        last.map_or(Ok(()), |(at, limit, quota, window_seconds)| {
            let millis = at.as_millis() - now.as_millis();
            let retry_after = u64::try_from(millis).unwrap_or(0).div_ceil(1_000).max(1);
            app.refused_sources.note(tenant, &self.source, at);
            Err(Error::TooManyRequests(Exceeded { limit, quota, window_seconds, retry_after }))
        })
    }

    /// The same, with what has failed by now.
    pub(super) async fn admit_now(&self, app: &App, tenant: &TenantId, now: Timestamp) -> Result<(), Error> {
        let rows = app.db.fetch(source_limits::store::find_failures(tenant, &self.source, now)).await?;
        let failures = rows.first().map(Failures::from_row).transpose()?;
        match failures {
            Some(failures) => self.admit(app, tenant, &failures, now).await,
            None => Ok(()),
        }
    }
}

/// One attempt's mark at its source.
#[derive(Debug)]
pub(super) struct SourceAttempt {
    pub(super) of: LimitedSource,
    /// What is tried, as far as it is to be told from other guesses.
    pub(super) pair: [u8; 3],
}

impl SourceAttempt {
    /// Waits for a place in flight, for as long as its place in the hash queue is good.
    pub(super) async fn enter(
        &self,
        app: &App,
        tenant: &TenantId,
        deadline: Instant,
    ) -> Result<Place, Error> {
        let LimitedSource { source, rules } = &self.of;
        let entering = app.source_gates.enter(tenant, source, rules.per_minute.min(rules.per_hour));
        tokio::time::timeout_at(deadline.into(), entering)
            .await
            .map_err(|_| Error::Overloaded { retry_after: 1 })
    }

    /// Leaves the mark if there is room: then the second of these answers a row.
    pub(super) fn reserve(
        &self,
        tenant: &TenantId,
        id: &AttemptId,
        change: &ChangeId,
        now: Timestamp,
    ) -> [Statement; 2] {
        let LimitedSource { source, rules } = &self.of;
        source_limits::store::reserve(tenant, source, rules, id, change, now)
    }

    /// Takes the mark away.
    pub(super) fn give_back(&self, tenant: &TenantId, id: &AttemptId) -> Statement {
        source_limits::store::give_back(tenant, &self.of.source, id)
    }

    /// Makes it a failure's.
    pub(super) fn fail(
        &self,
        tenant: &TenantId,
        id: &AttemptId,
        change: &ChangeId,
        now: Timestamp,
    ) -> [Statement; 3] {
        let LimitedSource { source, rules } = &self.of;
        source_limits::store::count_failure(tenant, source, rules, (id, &self.pair), change, now)
    }
}
