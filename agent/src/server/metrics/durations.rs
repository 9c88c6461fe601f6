//! How long requests took, under the names and in the buckets of OpenTelemetry's semantic conventions.

use prometheus::proto::{self, Bucket, MetricFamily, MetricType};

use super::{Samples, pairs};
use crate::http::exchange::record::Role;
use crate::http::exchange::tally::{BOUNDS, Histogram};

/// A histogram of durations.
#[derive(Clone, Copy, Debug)]
pub struct DurationMetric {
    /// The name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    role: Role,
}

/// The names of its labels.
pub const LABELS: [&str; 2] = ["http_request_method", "http_response_status_code"];

/// Every such metric.
pub const DURATIONS: [DurationMetric; 2] = [
    DurationMetric {
        name: "http_server_request_duration_seconds",
        help: "Time from the request to the last byte of the answer (to its head, where the end was not seen) of complete exchanges that this host answered.",
        role: Role::Server,
    },
    DurationMetric {
        name: "http_client_request_duration_seconds",
        help: "The same, of exchanges that this host asked for.",
        role: Role::Client,
    },
];

/// A metric with its values.
pub(super) fn family(metric: &DurationMetric, histograms: &[Histogram]) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(MetricType::HISTOGRAM);
    let of_role = histograms.iter().filter(|one| one.role == metric.role);
    family.set_metric(of_role.map(values).collect());
    family
}

fn values(histogram: &Histogram) -> proto::Metric {
    let status = format!("{:03}", histogram.status);
    let mut metric = proto::Metric::from_label(pairs(&LABELS, &[histogram.method, &status]));
    let mut values = proto::Histogram::default();
    let mut count = 0;
    let mut buckets = Vec::with_capacity(BOUNDS.len());
    for (bound, more) in BOUNDS.iter().zip(histogram.buckets) {
        count += more;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(count);
        buckets.push(bucket);
    }
    values.set_bucket(buckets);
    values.set_sample_count(histogram.buckets.iter().sum());
    values.set_sample_sum(histogram.sum_seconds);
    metric.set_histogram(values);
    metric
}

/// Exchanges by what became of them.
pub(super) fn outcomes(snapshot: &super::Snapshot, samples: &mut Samples) {
    use crate::http::exchange::record::Outcome;
    for (outcome, count) in Outcome::ALL.iter().zip(snapshot.exchanges.outcomes) {
        samples.add(&[outcome.name()], count);
    }
}
