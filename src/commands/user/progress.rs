//! How far an import or an export is: a bar for people, a line now and then for a log, nothing for a program.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::imports::Progress;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What shows the progress, on standard error.
pub(super) struct Display {
    kind: Kind,
    started: Instant,
    /// Users and refused lines of earlier runs, which have no part in the rate.
    before: i64,
    /// Bytes read so far, and of all.
    position: Arc<AtomicU64>,
    size: Option<u64>,
    /// Where this run's work begins.
    first_position: Option<u64>,
}

enum Kind {
    Bar(ProgressBar),
    Lines { last: Instant },
    Silent,
}

impl Display {
    pub(super) fn new(silent: bool, before: &Progress, position: Arc<AtomicU64>, size: Option<u64>) -> Self {
        let started = Instant::now();
        let kind = if silent {
            Kind::Silent
        } else if std::io::stderr().is_terminal() {
            Kind::Bar(bar(size))
        } else {
            Kind::Lines { last: started }
        };
        Self { kind, started, before: entries(before), position, size, first_position: None }
    }

    /// Writes a line of its own.
    pub(super) fn say(&self, line: &str) {
        match &self.kind {
            Kind::Bar(bar) => bar.suspend(|| eprintln!("{line}")),
            Kind::Lines { .. } | Kind::Silent => eprintln!("{line}"),
        }
    }

    pub(super) fn update(&mut self, progress: &Progress) {
        let position = self.position.load(Ordering::Relaxed);
        let first = *self.first_position.get_or_insert(position);
        let elapsed = self.started.elapsed();
        let rate = per_second(entries(progress) - self.before, elapsed);
        let text = format!("{} read, {} created, {rate}/s", entries(progress), progress.created);
        match &mut self.kind {
            Kind::Bar(bar) => {
                bar.set_position(position);
                bar.set_message(text);
            }
            Kind::Lines { last } if last.elapsed() >= LINE_EVERY => {
                *last = Instant::now();
                let left = self.size.and_then(|size| left(elapsed, position - first, size - position));
                let left = left.map_or_else(String::new, |left| format!(", {} s left", left.as_secs()));
                eprintln!("{text}{left}");
            }
            Kind::Lines { .. } | Kind::Silent => (),
        }
    }

    pub(super) fn end(&self) -> Duration {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}

fn entries(progress: &Progress) -> i64 {
    progress.created + progress.present + progress.refused
}

/// Whole things a second.
pub(super) fn per_second(number: i64, elapsed: Duration) -> i64 {
    let millis = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).max(1);
    number.saturating_mul(1000) / millis
}

/// What is left takes as long as what was done did.
fn left(elapsed: Duration, done: u64, left: u64) -> Option<Duration> {
    let millis = u128::from(left) * elapsed.as_millis() / u128::from(done).max(1);
    (done > 0).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

fn bar(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {percent:>3}%  {msg}  {elapsed} gone, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {msg}  {elapsed} gone"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
