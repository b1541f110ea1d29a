//! `vestibule tenant delete`: refused at once, emptied slice by slice, whoever interrupts it.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::super::desk::{self, Desk};
use super::super::first_tenant::explain;
use super::tell;
use crate::error::Error;
use crate::flows::{self, Author};
use crate::tenants::deletion::Deletion;

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(
    desk: &Desk,
    json: bool,
    tenant: &str,
    confirm: &str,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let name = desk::name(&desk.tenant(tenant).await?);
    let deleted = flows::delete_tenant(&desk.db, Author::TERMINAL, &name, confirm, desk.now()).await;
    let details = deleted.map_err(|error| match error {
        Error::Validation(problems) => anyhow!("--confirm {confirm:?}: {}", problems[0].message),
        other => explain(other),
    })?;
    let slug = &details.tenant.slug;
    let mut deletion = Deletion::of(details.tenant.id.clone());
    let mut progress = Progress::begin(slug);
    loop {
        let gone = flows::delete_tenant_slice(&desk.db, &mut deletion, desk.now()).await;
        let gone = gone.map_err(explain).with_context(|| {
            format!(
                "tenant {slug} is deleted and refused everywhere, and {} rows of it are gone; repeat the command to go on",
                progress.rows
            )
        })?;
        if gone == 0 {
            break;
        }
        progress.tell(gone);
    }
    let rows = progress.end();
    tell(desk, json, &details, out, |out| {
        writeln!(
            out,
            "Tenant {slug} is deleted, and nothing is left of it but its events ({rows} rows were removed or emptied).\n\
             What was under way in a running server while it was deleted is removed by that server within minutes."
        )?;
        Ok(())
    })
}

/// How far it is, on standard error: standard output is for the outcome.
struct Progress<'a> {
    slug: &'a str,
    rows: usize,
    told: Instant,
    on_one_line: bool,
}

impl<'a> Progress<'a> {
    fn begin(slug: &'a str) -> Self {
        Self { slug, rows: 0, told: Instant::now(), on_one_line: stderr().is_terminal() }
    }

    /// That so many more rows are gone. Progress that nobody can be told is no reason to stop.
    fn tell(&mut self, rows: usize) {
        self.rows += rows;
        if self.told.elapsed() < EVERY {
            return;
        }
        self.told = Instant::now();
        let (slug, rows) = (self.slug, self.rows);
        let _ = if self.on_one_line {
            write!(stderr(), "\rtenant {slug}: {rows} rows are gone")
        } else {
            writeln!(stderr(), "tenant {slug}: {rows} rows are gone")
        };
    }

    fn end(self) -> usize {
        if self.on_one_line && self.rows > 0 {
            let _ = writeln!(stderr());
        }
        self.rows
    }
}
