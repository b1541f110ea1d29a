//! `vestibule version`.

use std::io::Write;

use crate::version::FULL;

pub(super) fn run(out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "vestibule {FULL}")?;
    Ok(())
}
