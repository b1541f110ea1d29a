//! Metrics for Prometheus: what there is, with help texts and buckets, and the one recorder of the process.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::clock::Clock;
use crate::version;

/// What a metric is to Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric: its name, its labels and what it says. No label ever names a person, a tenant or an address.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: MetricKind,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricKind::Histogram, labels, help }
}

/// Every metric there is; the table in `docs/operating.md` is this one.
pub const METRICS: &[Metric] = &[
    counter("vestibule_http_requests_total", &["route", "method", "status"], "Requests answered."),
    histogram("vestibule_http_request_seconds", &["route"], "From a request's headers to its answer."),
    gauge("vestibule_http_connections", &["listener"], "Client connections open now."),
    counter("vestibule_logins_total", &["outcome"], "Logins by how they ended."),
    counter("vestibule_refreshes_total", &["outcome"], "Refreshes by how they ended."),
    counter("vestibule_rate_limited_total", &["limit"], "Requests answered 429, by the limit they came to."),
    gauge("vestibule_hash_queue_depth", &[], "Logins waiting for a hashing thread now."),
    histogram("vestibule_hash_wait_seconds", &[], "Waiting for a hashing thread."),
    histogram("vestibule_hash_seconds", &[], "Computing one password hash."),
    counter("vestibule_hash_refusals_total", &["reason"], "Hashes refused for want of time or room."),
    counter("vestibule_hash_evaluations_total", &[], "Password hashes computed, dummies among them."),
    histogram("vestibule_db_wait_seconds", &["kind"], "From asking the database to its answer."),
    histogram("vestibule_db_batch_size", &[], "Changes made durable by one commit."),
    counter("vestibule_db_errors_total", &["kind"], "Database errors."),
    gauge(
        "vestibule_events_behind_seconds",
        &[],
        "How long ago all events had their numbers, at the last look.",
    ),
    gauge(
        "vestibule_events_sealed_behind_seconds",
        &[],
        "How long ago all events were sealed, at the last look.",
    ),
    counter("vestibule_events_sealed_total", &[], "Events sealed by this process."),
    counter("vestibule_log_lines_lost_total", &[], "Lines of the log that could not be written."),
    gauge("vestibule_revocation_waits", &[], "Requests and streams that wait for revocations now."),
    gauge("vestibule_build_info", &["version", "commit"], "Always 1; the labels say what runs."),
    gauge("process_resident_memory_bytes", &[], "Memory of the process in RAM."),
    gauge("process_open_fds", &[], "Files and sockets open."),
    gauge("process_max_fds", &[], "Files and sockets that may be open."),
    gauge("process_start_time_seconds", &[], "When metrics began, in seconds since 1970."),
];

/// Bounds of every `…_seconds` histogram: a read is below a millisecond, a hash tens, a deadline a second.
const SECONDS: [f64; 15] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BATCH_SIZES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The process's metrics. Clones show the same ones.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The metrics of this process, recorded from the first call on; every further call answers the same ones.
#[must_use]
pub fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(Metrics::install).clone()
}

impl Metrics {
    fn install() -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| {
                builder
                    .set_buckets_for_metric(Matcher::Full("vestibule_db_batch_size".to_owned()), &BATCH_SIZES)
            })
            .expect("the buckets are not empty")
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::error!("something else records metrics already; /metrics stays empty");
        }
        for metric in METRICS {
            match metric.kind {
                MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
                MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
                MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
            }
        }
        metrics::gauge!("vestibule_build_info", "version" => version::VERSION, "commit" => version::COMMIT)
            .set(1);
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 fit a float's 53 bits for aeons")]
        metrics::gauge!("process_start_time_seconds").set(Clock::system().now().as_seconds() as f64);
        Self(handle)
    }

    /// The text for `/metrics`, in Prometheus's exposition format 0.0.4, with the process's own numbers as of now.
    #[must_use]
    pub fn render(&self) -> String {
        refresh_process();
        self.0.render()
    }

    /// For ever takes in what histograms hold, so that they stay small when nobody scrapes. Run it as a task.
    pub async fn upkeep(self) {
        let mut ticks = tokio::time::interval(Duration::from_secs(5));
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

/// What Linux knows of this process; elsewhere these metrics are absent.
fn refresh_process() {
    let field = |text: &str, name: &str| -> Option<f64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(kib) = field(&status, "VmRSS:") {
        metrics::gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        let open = u32::try_from(files.count()).unwrap_or(u32::MAX);
        metrics::gauge!("process_open_fds").set(open);
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    if let Some(most) = field(&limits, "Max open files") {
        metrics::gauge!("process_max_fds").set(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_shown_with_help_buckets_and_the_process_itself() {
        let shown = metrics();
        metrics::histogram!("vestibule_hash_wait_seconds").record(0.02);
        metrics::histogram!("vestibule_db_batch_size").record(3.0);
        let text = metrics().render();
        assert_eq!(text.matches("# TYPE vestibule_build_info gauge").count(), 1);
        assert!(text.contains(&format!("commit=\"{}\"", version::COMMIT)), "{text}");
        assert!(text.contains("# HELP vestibule_hash_wait_seconds Waiting for a hashing thread."));
        assert!(text.contains("vestibule_hash_wait_seconds_bucket{le=\"0.025\"}"));
        assert!(text.contains("vestibule_db_batch_size_bucket{le=\"4\"}"));
        for name in ["process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds"] {
            assert!(text.lines().any(|line| line.starts_with(&format!("{name} "))), "{name}");
        }
        assert!(shown.render().contains("vestibule_db_batch_size"));
    }

    #[test]
    fn the_operators_guide_lists_every_metric_with_its_labels() {
        let guide = include_str!("../../docs/operating.md");
        for metric in METRICS {
            let labels =
                metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let row = format!("| `{}` | {:?} | {labels} | {} |", metric.name, metric.kind, metric.help);
            let row =
                row.replace("Counter", "counter").replace("Gauge", "gauge").replace("Histogram", "histogram");
            assert!(guide.contains(&row), "docs/operating.md lacks the row\n{row}");
        }
    }
}
