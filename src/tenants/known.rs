//! Tenants that are known by name without being read.

use quick_cache::sync::Cache;

use crate::ids::TenantId;

use super::{Tenant, TenantName};

/// How many names are remembered.
const REMEMBERED: usize = 1_024;

/// The tenants that somebody has logged in to lately and none of whose users has a hash that another system made, by the
/// names they were called. A name is one tenant's for good, so what is remembered stays true.
pub struct KnownTenants(Cache<String, TenantId>);

impl Default for KnownTenants {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl std::fmt::Debug for KnownTenants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownTenants({} remembered)", self.0.len())
    }
}

impl KnownTenants {
    /// The tenant of this name, if it is remembered.
    #[must_use]
    pub fn find(&self, name: &TenantName) -> Option<TenantId> {
        self.0.get(name.as_str())
    }

    /// Remembers a tenant by the name that it was called, or forgets it.
    pub fn see(&self, name: &TenantName, tenant: &Tenant) {
        match (tenant.failure_floor.is_zero(), self.0.get(name.as_str()).is_some()) {
            (true, false) => self.0.insert(name.as_str().to_owned(), tenant.id.clone()),
            (false, true) => drop(self.0.remove(name.as_str())),
            _ => (),
        }
    }
}
