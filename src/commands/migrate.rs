//! `vestibule migrate`: brings the database's schema up to this version's.

use std::io::Write;

use super::Global;
use super::start::{open_database, runtime};
use crate::db::{Access, MIGRATIONS};
use crate::flows::complete_old_rows;

pub(super) fn run(global: &Global, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = global.load()?;
    runtime()?.block_on(async {
        let db = open_database(&config, Access::Create).await?;
        let current = db.migrations_current().await?;
        if !current {
            db.migrate().await?;
        }
        if let Err(error) = complete_old_rows(&db).await {
            writeln!(
                out,
                "Rows of an older version are not all completed; a server goes on with them: {error}"
            )?;
        }
        db.close().await;
        let newest =
            MIGRATIONS.last().map_or_else(String::new, |last| format!("{:04} {}", last.version, last.name));
        let word = if current { "The schema was current" } else { "The schema is now current" };
        writeln!(out, "{word}: {newest}")?;
        Ok(())
    })
}
