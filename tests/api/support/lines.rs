//! What an application logs while a test looks at it.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;
use vestibule::config::LogFormat;
use vestibule::telemetry;

/// The log of this thread, from [`Lines::of`] on.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// What this thread logs in a format, from a level on, for as long as what comes with it is kept.
    pub fn of(format: LogFormat, level: &str) -> (Self, (Dispatch, DefaultGuard)) {
        let lines = Self::default();
        let writer = lines.clone();
        let subscriber = telemetry::subscriber(format, level, move || writer.clone()).unwrap();
        // With one subscriber alone, `tracing` asks only the thread that meets a line first, and that may be another test's.
        let second = Dispatch::new(telemetry::subscriber(LogFormat::Json, "off", io::sink).unwrap());
        (lines, (second, tracing::subscriber::set_default(subscriber)))
    }

    /// What was logged since the last time.
    pub fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}
