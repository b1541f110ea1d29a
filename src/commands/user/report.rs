//! The lines that did not go in: on standard error, and all of them in a report that survives the run.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::progress::Display;
use crate::flows::{Outcome, Reporter};
use crate::imports::Progress;

/// With a report, so many problems are shown beside it.
const SHOWN: u64 = 20;

/// A line of the report: one problem of one entry.
#[derive(Serialize, Deserialize)]
struct Problem<'a> {
    line: u64,
    /// `refused`, or `present` for a user who is there.
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    field: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
}

/// How each line of a report begins.
const BEGINNING: &[u8] = br#"{"line":"#;

/// Where problems are told.
pub(super) struct Report {
    file: Option<File>,
    /// What the file holds of batches that are done.
    kept: u64,
    shown: u64,
    display: Display,
}

impl Report {
    /// Opens the report, if there is to be one. What an earlier run wrote of lines that it had done is kept.
    pub(super) fn open(path: Option<&Path>, done: u64, display: Display) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { file: None, kept: 0, shown: 0, display }) };
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).with_context(|| format!("--report {shown}: cannot be written"))?;
        let mut kept = 0;
        let mut reader = BufReader::new(&mut file);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .with_context(|| format!("--report {shown}: cannot be read"))?
            > 0
        {
            let read: Option<Problem> = serde_json::from_slice(&line).ok();
            // The last line of a run that was killed may be half of one.
            let begun = kept > 0 || line.starts_with(BEGINNING) || BEGINNING.starts_with(&line);
            ensure!(
                read.is_some() || (begun && !line.ends_with(b"\n")),
                "--report {shown}: is something else already; name another file"
            );
            if read.is_none_or(|problem| problem.line > done) {
                break;
            }
            kept += line.len() as u64;
            line.clear();
        }
        Ok(Self { file: Some(file), kept, shown: 0, display })
    }

    /// The display, when all is told.
    pub(super) fn into_display(self) -> Display {
        self.display
    }
}

impl Reporter for Report {
    fn before(&mut self, outcomes: &[Outcome]) -> anyhow::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut text = Vec::new();
        for problem in outcomes.iter().flat_map(problems) {
            serde_json::to_writer(&mut text, &problem)?;
            text.push(b'\n');
        }
        let write = |file: &mut File| {
            file.set_len(self.kept)?;
            file.seek(std::io::SeekFrom::Start(self.kept))?;
            file.write_all(&text)?;
            // The lines are passed by a change that survives a power cut: their problems should as well.
            if text.is_empty() { Ok(()) } else { file.sync_data() }
        };
        write(file).context("the report cannot be written")
    }

    fn after(&mut self, outcomes: &[Outcome], progress: &Progress) -> anyhow::Result<()> {
        if let Some(file) = &mut self.file {
            self.kept = file.stream_position().context("the report cannot be written")?;
        }
        for problem in outcomes.iter().flat_map(problems) {
            self.shown += 1;
            if self.file.is_none() || self.shown <= SHOWN {
                let Problem { line, field, reason, .. } = problem;
                self.display.say(&format!("line {line}: {field}: {reason}"));
            } else if self.shown == SHOWN + 1 {
                self.display.say("… and more; the report has all of them");
            }
        }
        self.display.update(progress);
        Ok(())
    }
}

fn problems(outcome: &Outcome) -> impl Iterator<Item = Problem<'_>> {
    let word = if outcome.present { "present" } else { "refused" };
    outcome.problems.iter().map(move |problem| Problem {
        line: outcome.line,
        outcome: word.into(),
        field: Cow::Borrowed(&problem.field),
        reason: Cow::Borrowed(&problem.message),
    })
}
