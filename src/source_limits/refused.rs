//! Sources that were refused lately, as far as this node knows: they get nothing in advance.

use quick_cache::sync::Cache;

use crate::clock::Timestamp;
use crate::ids::TenantId;

use super::Source;

/// How many are remembered.
const REMEMBERED: usize = 4_096;

/// Until when a tenant lets in no more from a source. Nobody is refused by it: what the database says may have changed.
pub struct RefusedSources(Cache<(TenantId, Source), Timestamp>);

impl Default for RefusedSources {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl std::fmt::Debug for RefusedSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefusedSources({} remembered)", self.0.len())
    }
}

impl RefusedSources {
    /// Remembers it.
    pub fn note(&self, tenant: &TenantId, source: &Source, until: Timestamp) {
        self.0.insert((tenant.clone(), source.clone()), until);
    }

    /// Whether it is one at an instant.
    #[must_use]
    pub fn holds(&self, tenant: &TenantId, source: &Source, now: Timestamp) -> bool {
        !self.0.is_empty() && self.0.get(&(tenant.clone(), source.clone())).is_some_and(|until| now < until)
    }
}
