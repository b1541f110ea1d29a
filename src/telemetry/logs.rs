//! Log lines: one event, one line, whatever a client put into it.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterExt, FilterFn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry};

use crate::config::LogFormat;

/// The target of what the log is told as a witness against whoever can alter the database. It is written at every
/// `log_level`: it would be missed only when it is needed.
pub const WITNESS: &str = "vestibule::witness";

/// Sends every log line of this process, and every panic, to standard error. A second call changes nothing.
///
/// `filter` is `log_level`'s value.
///
/// # Errors
/// The filter cannot be parsed.
pub fn init_logs(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let subscriber = subscriber(format, filter, io::stderr)?;
    if subscriber.try_init().is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// What [`init_logs`] installs, with another place to write to.
///
/// # Errors
/// The filter cannot be parsed.
pub fn subscriber<W>(
    format: LogFormat,
    filter: &str,
    writer: W,
) -> anyhow::Result<impl Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let is_witness = FilterFn::new(|line| line.target() == WITNESS && *line.level() <= LevelFilter::INFO);
    let filter = EnvFilter::builder().parse(filter).context("log_level")?.and(FilterFn::new(is_safe));
    let filter = filter.or(is_witness.with_max_level_hint(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(OneLine(writer));
    let layer = match format {
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
        LogFormat::Human => lines.boxed(),
    };
    Ok(Registry::default().with(layer.with_filter(filter)))
}

/// Libraries' debug and trace lines hold what they work on: a statement's parameters, a request's headers. They
/// are not logged at any setting (R137).
fn is_safe(line: &Metadata<'_>) -> bool {
    let target = line.target();
    *line.level() <= LevelFilter::INFO || target == "vestibule" || target.starts_with("vestibule::")
}

/// Logs where a panic was. Its message can hold the data that caused it (the text a wrong index cut, the value
/// that was unexpected), so only a debug build shows it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    if cfg!(debug_assertions) {
        tracing::error!(location, message = panic.payload_as_str().unwrap_or_default(), "panic");
    } else {
        tracing::error!(location, "panic");
    }
}

static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines of this process could not be written since it began: the disk that the log is on was full, say (R142).
/// Nothing else fails for it; what must not be lost stands in events.
#[must_use]
pub fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// A writer whose every write is one event: whatever in it could end or rewrite a line is escaped (R138).
#[derive(Debug)]
struct OneLine<W>(W);

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLine(self.0.make_writer())
    }

    fn make_writer_for(&'w self, line: &Metadata<'_>) -> Self::Writer {
        OneLine(self.0.make_writer_for(line))
    }
}

impl<W: Write> OneLine<W> {
    fn write_line(&mut self, event: &[u8]) -> io::Result<()> {
        // Nearly every line is plain ASCII.
        if event.strip_suffix(b"\n").unwrap_or(event).iter().all(|byte| (b' '..=b'~').contains(byte)) {
            return self.0.write_all(event);
        }
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if text.contains(breaks_a_line) {
            let mut line = String::with_capacity(text.len() + 16);
            for character in text.chars() {
                if breaks_a_line(character) {
                    // As JSON writes it; in a human's line it reads as well.
                    write!(line, "\\u{:04x}", u32::from(character)).map_err(io::Error::other)?;
                } else {
                    line.push(character);
                }
            }
            line.push('\n');
            self.0.write_all(line.as_bytes())
        } else {
            self.0.write_all(event)
        }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.write_line(event).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("vestibule_log_lines_lost_total").increment(1);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters, the two line ends that only Unicode knows, and what turns the direction of text.
fn breaks_a_line(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `events` run.
    fn written(format: LogFormat, filter: &str, events: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let subscriber = subscriber(format, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, events);
        String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
    }

    const HOSTILE: &str = "a\r\n{\"level\":\"INFO\"}\u{1b}[31m\u{2028}\u{85}\u{202e}\"'\\ \0 é";

    #[test]
    fn r138_whatever_is_logged_stays_one_line_and_valid_json() {
        let text = written(LogFormat::Json, "info", || {
            let span = tracing::info_span!("request", path = HOSTILE);
            span.in_scope(
                || tracing::info!(field = HOSTILE, other = %HOSTILE, debug = ?HOSTILE, "{HOSTILE}"),
            );
        });
        assert_eq!(text.matches(breaks_a_line).count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["field"], HOSTILE);
        assert_eq!(line["other"], HOSTILE);
        assert_eq!(line["message"], HOSTILE);
        assert_eq!(line["span"]["path"], HOSTILE);
    }

    #[test]
    fn r138_a_humans_log_has_one_line_for_each_event_too() {
        let text = written(LogFormat::Human, "info", || {
            tracing::info!(field = HOSTILE, other = %HOSTILE, "{HOSTILE}");
            tracing::info!("next");
        });
        assert_eq!(text.lines().count(), 2);
        assert_eq!(text.matches(breaks_a_line).count(), 2);
    }

    #[test]
    fn r142_a_log_that_cannot_be_written_stops_nobody_and_is_counted() {
        struct Full;

        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let before = lost_lines();
        let subscriber = subscriber(LogFormat::Json, "info", || Full).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("one");
            tracing::warn!("two");
        });
        assert_eq!(lost_lines() - before, 2);
    }

    #[test]
    fn r137_libraries_details_are_not_logged_at_any_setting() {
        let text = written(LogFormat::Json, "trace,tokio_postgres=trace,vestibules=trace", || {
            tracing::debug!(target: "tokio_postgres::query", "executing with parameters: hunter2");
            tracing::trace!(target: "h2::hpack", "decoded header authorization: hunter2");
            tracing::debug!(target: "vestibules", "hunter2");
            tracing::info!(target: "hyper", "kept");
            tracing::trace!(target: "vestibule::flows", "kept too");
        });
        assert!(!text.contains("hunter2") && text.lines().count() == 2, "{text}");
    }
}
