//! A limit that somebody has come to, as the answer tells of it.

/// How much of something a limit lets through, and when it lets more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// The limit's name, of lower-case letters and dashes: in the headers, and the label in the metric.
    pub limit: &'static str,
    /// How many are let through in each window.
    pub quota: i64,
    /// The window, in seconds.
    pub window_seconds: i64,
    /// After how many seconds there is room again: at least 1.
    pub retry_after: u64,
}

impl Exceeded {
    /// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), a list of Structured Fields (RFC 9651).
    #[must_use]
    pub fn policy(&self) -> String {
        let Self { limit, quota, window_seconds, .. } = self;
        format!("\"{limit}\";q={quota};w={window_seconds}")
    }

    /// `RateLimit`, likewise: nothing is left, and when that changes.
    #[must_use]
    pub fn state(&self) -> String {
        let Self { limit, retry_after, .. } = self;
        format!("\"{limit}\";r=0;t={retry_after}")
    }
}
