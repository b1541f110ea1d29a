//! Whether the client that asked is still there.

#[cfg(test)]
mod tests;

use tokio::sync::watch;

/// Tells the hash queue whether anybody still waits for the answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Presence(Option<watch::Receiver<()>>);

/// Held for as long as the client is there, by the handler's own future: dropping it says "gone".
#[must_use = "a dropped guard means that the client is gone"]
#[derive(Debug)]
pub struct PresenceGuard(#[expect(dead_code, reason = "only its drop is heard")] watch::Sender<()>);

impl Presence {
    /// A client that is there until the guard is dropped.
    pub fn new() -> (Self, PresenceGuard) {
        let (sender, receiver) = watch::channel(());
        (Self(Some(receiver)), PresenceGuard(sender))
    }

    /// A caller that never leaves: a command, a background job.
    #[must_use]
    pub const fn always() -> Self {
        Self(None)
    }

    /// Whether the guard has been dropped.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|guard| guard.has_changed().is_err())
    }

    /// Returns when the guard is dropped.
    pub async fn gone(&self) {
        match self.0.clone() {
            Some(mut guard) => while guard.changed().await.is_ok() {},
            None => std::future::pending().await,
        }
    }
}
