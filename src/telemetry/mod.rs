//! What the service tells about itself: log lines on standard error, metrics for Prometheus.

mod logs;
mod metrics;

pub use self::logs::{WITNESS, init_logs, lost_lines, subscriber};
pub use self::metrics::{METRICS, Metric, MetricKind, Metrics, metrics};
