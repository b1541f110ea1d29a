//! Who waits for a place at a source: in memory, so that what the database would refuse does not ask it again and again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::ids::TenantId;

use super::Source;

type Key = (TenantId, Source);

/// The sources with attempts in flight on this node, each with as many places as attempts may fail: fifty honest logins
/// at once from one address come in one after the other. There are no more entries than attempts in flight.
#[derive(Clone, Default, Debug)]
pub struct Gates(Arc<Mutex<HashMap<Key, Gate>>>);

#[derive(Debug)]
struct Gate {
    places: Arc<Semaphore>,
    /// Who is inside or waits.
    guests: usize,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub struct Place {
    gates: Gates,
    key: Key,
    /// `None` while it is waited for.
    permit: Option<OwnedSemaphorePermit>,
}

impl Gates {
    /// Waits for one of so many places, in the order of coming.
    pub async fn enter(&self, tenant: &TenantId, source: &Source, places: i64) -> Place {
        let (mut place, gate) = self.arrive(tenant, source, places);
        // Nobody closes it, so there is always one to come.
        place.permit = gate.acquire_owned().await.ok();
        place
    }

    /// One of so many places, if one is free.
    #[must_use]
    pub fn try_enter(&self, tenant: &TenantId, source: &Source, places: i64) -> Option<Place> {
        let (mut place, gate) = self.arrive(tenant, source, places);
        place.permit = gate.try_acquire_owned().ok();
        place.permit.is_some().then_some(place)
    }

    /// A guest without a place, and where they are given.
    fn arrive(&self, tenant: &TenantId, source: &Source, places: i64) -> (Place, Arc<Semaphore>) {
        let key = (tenant.clone(), source.clone());
        let mut gates = self.lock();
        let gate = gates.entry(key.clone()).or_insert_with(|| Gate {
            places: Arc::new(Semaphore::new(usize::try_from(places.max(1)).unwrap_or(1))),
            guests: 0,
        });
        gate.guests += 1;
        (Place { gates: self.clone(), key, permit: None }, gate.places.clone())
    }

    /// How many sources there are now, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether nobody is anywhere, for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Gate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut gates = self.gates.lock();
        if let Some(gate) = gates.get_mut(&self.key) {
            gate.guests -= 1;
            if gate.guests == 0 {
                gates.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_are_inside_at_once_and_nothing_is_left_when_they_have_gone() {
        let gates = Gates::default();
        let tenant = TenantId::random();
        let source = Source::of("203.0.113.9".parse().unwrap());
        let inside = [gates.enter(&tenant, &source, 2).await, gates.enter(&tenant, &source, 2).await];
        let other = Source::of("203.0.113.10".parse().unwrap());
        drop(gates.enter(&tenant, &other, 2).await);
        let waits =
            tokio::time::timeout(std::time::Duration::from_millis(20), gates.enter(&tenant, &source, 2));
        assert!(waits.await.is_err(), "there is no third place");
        let [first, second] = inside;
        drop(first);
        let third = gates.enter(&tenant, &source, 2).await;
        assert_eq!(gates.len(), 1);
        drop((second, third));
        assert!(gates.is_empty());
    }
}
