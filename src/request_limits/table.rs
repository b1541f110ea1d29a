//! A table that never grows: each key has eight places, and who comes to full ones takes that of who matters least.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;

const WAYS: usize = 8;

/// What is kept of one key. Its default is a key of which nothing is known.
pub(super) trait Entry: Copy + Default {
    /// Whether somebody is held back by it now: then it keeps its place.
    fn is_held(&self, now: Timestamp) -> bool;

    /// Who comes to full places takes that of the smallest.
    fn rank(&self, now: Timestamp) -> i64;
}

#[derive(Clone, Copy, Default, Debug)]
struct Slot<T> {
    /// 0 where it is free.
    key: u64,
    entry: T,
}

/// As many rows of eight places, each with a lock of its own.
#[derive(Debug)]
pub(super) struct Table<T>(Box<[Mutex<[Slot<T>; WAYS]>]>);

impl<T: Entry> Table<T> {
    pub(super) fn new(rows: usize) -> Self {
        Self((0..rows).map(|_| Mutex::new([Slot::default(); WAYS])).collect())
    }

    /// Works on what is kept of a key; `None` where all of its places hold somebody back.
    pub(super) fn with<R>(&self, key: u64, now: Timestamp, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        let key = key.max(1);
        let mut row = self.row(key);
        let own = row.iter().position(|slot| slot.key == key);
        let place = own.or_else(|| {
            let others = row.iter().enumerate().filter(|(_, slot)| !slot.entry.is_held(now));
            let least =
                others.min_by_key(|(_, slot)| if slot.key == 0 { i64::MIN } else { slot.entry.rank(now) });
            least.map(|(place, _)| place)
        })?;
        let slot = &mut row[place];
        if slot.key != key {
            *slot = Slot { key, entry: T::default() };
        }
        Some(work(&mut slot.entry))
    }

    /// Looks at what is kept of a key, if anything is.
    pub(super) fn look<R>(&self, key: u64, look: impl FnOnce(&T) -> R) -> Option<R> {
        let key = key.max(1);
        self.row(key).iter().find(|slot| slot.key == key).map(|slot| look(&slot.entry))
    }

    /// How many places there are.
    #[cfg(test)]
    pub(super) fn slots(&self) -> usize {
        self.0.len() * WAYS
    }

    fn row(&self, key: u64) -> MutexGuard<'_, [Slot<T>; WAYS]> {
        let row = usize::try_from(key % self.0.len() as u64).unwrap_or_default();
        self.0[row].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
