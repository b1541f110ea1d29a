//! The sealed log: an audit trail that cannot be altered quietly.

mod commands;
mod coverage;
mod failures;
mod retention;
mod sealing;
mod verify;

use vestibule::db::{Row, Statement};
use vestibule::events::sealing::AuditKey;
use vestibule::flows::seal_events;
use vestibule_audit::{Checkpoint, Hash, VerifierKey, event_leaf};

use vestibule::events::sealing::Leaf;
use vestibule::events::sealing::store::find_events;
use vestibule::ids::TenantId;

use crate::support::app::{TestApp, TestTenant};

impl TestApp {
    /// Numbers and seals every event, as the background does: how many were sealed.
    pub async fn seal_events(&self) -> usize {
        self.number_events().await;
        let mut events = 0;
        loop {
            let App { db, master, options, .. } = &*self.app;
            let round = seal_events(db, master, &options.public_url, self.clock.now()).await.unwrap();
            assert!(round.failure.is_none(), "{round:?}");
            events += round.events;
            if !round.more {
                return events;
            }
        }
    }

    /// What the head of a tenant's log says.
    async fn head(&self, tenant: &TenantId) -> Row {
        let sql = "select position, sealed, root, checkpoint from event_heads where tenant_id = $1";
        self.database.list(Statement::new(sql).bind(tenant)).await.unwrap().remove(0)
    }

    /// The key that a tenant's checkpoints are verified with.
    async fn verifier(&self, slug: &str) -> VerifierKey {
        let key = AuditKey::get(&self.app.db, &self.app.master, self.clock.now()).await.unwrap();
        key.verifier(&format!("id.example.test/t/{slug}")).unwrap()
    }

    /// The newest checkpoint, with the right signature.
    async fn checkpoint(&self, tenant: &TestTenant) -> Checkpoint {
        let note = self.head(&tenant.id).await.text("checkpoint").unwrap();
        Checkpoint::verify(&note, &self.verifier(&tenant.slug).await).unwrap()
    }

    /// The hashes of all of a tenant's numbered events, from their rows.
    async fn leaves(&self, tenant: &TenantId) -> Vec<Hash> {
        let rows = self.database.list(find_events(tenant, 0, i64::MAX, i64::MAX)).await.unwrap();
        rows.iter().map(|row| event_leaf(&Leaf::from_row(row).unwrap().record)).collect()
    }
}

/// The root by RFC 6962 §2.1, word for word.
fn by_the_book(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => vestibule_audit::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            vestibule_audit::node_hash(&by_the_book(left), &by_the_book(right))
        }
    }
}

use vestibule::app::App;
