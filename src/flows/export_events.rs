//! A tenant's sealed events, one JSON object a line: what is sealed of each, and its personal part.

use std::io::Write;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use vestibule_audit::EventRecord;

use crate::db::Database;
use crate::events::sealing::{Leaf, SealedLog, store};
use crate::ids::TenantId;

/// Events that are read at a time.
const PAGE: i64 = 1_000;

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a EventRecord,
    /// The JSON text as it is digested; null where there is none, and once the person is erased.
    personal: Option<&'a str>,
    /// What is digested before it, in base64; null once the person is erased.
    salt: Option<String>,
}

/// Writes the sealed events after a position, in their order: how many, and the position of the last one, or `after`
/// where there is none. What is not sealed yet is left to the next export.
pub async fn export_events(
    db: &Database,
    tenant: &TenantId,
    after: u64,
    out: &mut dyn Write,
) -> anyhow::Result<(u64, u64)> {
    let rows = db.fetch(store::find_head(tenant)).await?;
    let sealed = SealedLog::from_row(rows.first().context("the tenant is gone")?)?.size;
    let (mut events, mut last) = (0, after);
    loop {
        let (from, until) = (last.cast_signed(), sealed.cast_signed());
        let rows = db.list(store::find_events(tenant, from, until, PAGE)).await?;
        for row in &rows {
            let leaf = Leaf::from_row(row)?;
            let salt = leaf.personal.as_ref().map(|_| STANDARD.encode(&leaf.salt));
            let line = Line { event: &leaf.record, personal: leaf.personal.as_deref(), salt };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
            last = leaf.record.position;
            events += 1;
        }
        out.flush()?;
        if i64::try_from(rows.len())? < PAGE {
            return Ok((events, last));
        }
    }
}
