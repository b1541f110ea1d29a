//! Where commands write their results: standard output, until its reader has seen enough.

use std::io::{self, StdoutLock, Write};

/// Standard output that remembers whether its reader left, as `head` does. That is no failure of ours.
#[derive(Debug)]
pub(super) struct Out<W> {
    inner: W,
    pub(super) reader_left: bool,
}

impl Out<StdoutLock<'static>> {
    pub(super) fn stdout() -> Self {
        Self::new(io::stdout().lock())
    }
}

impl<W: Write> Out<W> {
    fn new(inner: W) -> Self {
        Self { inner, reader_left: false }
    }

    fn notice<T>(&mut self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.reader_left = true;
        }
        outcome
    }
}

impl<W: Write> Write for Out<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outcome = self.inner.write(bytes);
        self.notice(outcome)
    }

    fn flush(&mut self) -> io::Result<()> {
        let outcome = self.inner.flush();
        self.notice(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_leaves_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        let mut out = Out::new(writer);
        writeln!(out, "read").unwrap();
        assert!(!out.reader_left);
        drop(reader);
        writeln!(out, "unread").unwrap_err();
        assert!(out.reader_left);
    }
}
