//! Doors that somebody has passed: whose tenant is known without being read.

use quick_cache::sync::Cache;

use crate::ids::TenantId;
use crate::secrets::sha256;

/// How many are remembered: 32 bytes each, and as much again for the tenant.
const REMEMBERED: usize = 4_096;

/// What was shown at a tenant's door when it opened, as a SHA-256, with the tenant. Whoever shows the same has shown a key
/// that was good then: it may have been revoked since, or the tenant suspended, so it says whose queue a call would wait in
/// and nothing else.
pub struct PassedDoors(Cache<[u8; 32], TenantId>);

impl Default for PassedDoors {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl std::fmt::Debug for PassedDoors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PassedDoors({} remembered)", self.0.len())
    }
}

/// What is shown at a door. A secret is in it, so it is not shown again.
#[derive(Clone, Copy)]
pub struct Shown([u8; 32]);

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shown(…)")
    }
}

impl Shown {
    /// Of all that decides whether it opens, each part with its length before it.
    #[must_use]
    pub fn of(parts: &[Option<&str>]) -> Self {
        let mut text = Vec::new();
        for part in parts {
            text.extend(part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
            text.extend(part.unwrap_or_default().as_bytes());
        }
        Self(sha256(&text))
    }
}

impl PassedDoors {
    /// Whose door has opened to this.
    #[must_use]
    pub fn find(&self, shown: Shown) -> Option<TenantId> {
        self.0.get(&shown.0)
    }

    /// Remembers that it has opened.
    pub fn remember(&self, shown: Shown, tenant: &TenantId) {
        if self.find(shown).is_none() {
            self.0.insert(shown.0, tenant.clone());
        }
    }

    /// Forgets it.
    pub fn forget(&self, shown: Shown) {
        self.0.remove(&shown.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_told_apart_by_each_of_its_parts() {
        let (doors, tenant) = (PassedDoors::default(), TenantId::random());
        let shown = |parts: &[Option<&str>]| Shown::of(parts);
        doors.remember(shown(&[Some("a"), Some("bc"), None]), &tenant);
        assert_eq!(doors.find(shown(&[Some("a"), Some("bc"), None])), Some(tenant));
        for other in [
            [Some("ab"), Some("c"), None],
            [Some("a"), Some("bc"), Some("")],
            [Some("a"), None, Some("bc")],
            [None, Some("abc"), None],
        ] {
            assert_eq!(doors.find(shown(&other)), None, "{other:?}");
        }
        doors.forget(shown(&[Some("a"), Some("bc"), None]));
        assert_eq!(doors.find(shown(&[Some("a"), Some("bc"), None])), None);
    }
}
