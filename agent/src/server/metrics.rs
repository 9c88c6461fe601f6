#![doc = include_str!("metrics.md")]

use prometheus::TextEncoder;
use prometheus::proto::{self, Counter, Gauge, LabelPair, MetricFamily, MetricType};

use self::durations::DURATIONS;
pub use self::table::METRICS;
use super::Snapshot;

pub mod durations;
mod table;

/// One metric: what it is called, what it says, and where it is read from.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name.
    pub name: &'static str,
    /// Whether it only grows.
    pub grows: bool,
    /// What is counted or measured.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    read: fn(&Snapshot, &mut Samples),
}

/// The values of every metric in Prometheus' text format, version 0.0.4. A metric without a value
/// (that of a process where /proc cannot be read) is left out.
///
/// # Errors
/// Two parts of the encoder contradict each other; none is known.
pub fn text(snapshot: &Snapshot) -> Result<String, prometheus::Error> {
    encode(snapshot, |_| true)
}

/// As [`text`], where there is a store and no capture.
///
/// # Errors
/// As those of [`text`].
pub fn text_of_store(snapshot: &Snapshot) -> Result<String, prometheus::Error> {
    encode(snapshot, |metric| {
        let names = ["tapline_build_info", "tapline_lost_total"];
        names.contains(&metric.name)
            || metric.name.starts_with("tapline_sink_")
            || metric.name.starts_with("tapline_alerts_")
            || metric.name.starts_with("tapline_api_")
            || metric.name.starts_with("tapline_selftest_")
            || metric.name.starts_with("process_")
    })
}

fn encode(
    snapshot: &Snapshot,
    is_shown: impl Fn(&Metric) -> bool,
) -> Result<String, prometheus::Error> {
    let durations = DURATIONS.iter();
    let durations =
        durations.map(|metric| durations::family(metric, &snapshot.exchanges.histograms));
    let families: Vec<MetricFamily> = METRICS
        .iter()
        .filter(|metric| is_shown(metric))
        .map(|metric| family(metric, snapshot))
        .chain(durations)
        .filter(|family| !family.get_metric().is_empty())
        .collect();
    TextEncoder::new().encode_to_string(&families)
}

/// The list of all metrics as a Markdown table.
#[must_use]
pub fn list() -> String {
    let mut list = String::from("| metric | unit | what it says |\n|---|---|---|\n");
    for metric in &METRICS {
        let Metric {
            name,
            unit,
            labels,
            help,
            ..
        } = metric;
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        list += &format!("| `{name}{labels}` | {unit} | {help} |\n");
    }
    for durations::DurationMetric { name, help, .. } in &DURATIONS {
        let labels = durations::LABELS.join(",");
        list += &format!("| `{name}{{{labels}}}` | seconds | {help} |\n");
    }
    list
}

fn family(metric: &Metric, snapshot: &Snapshot) -> MetricFamily {
    let mut samples = Samples {
        labels: metric.labels,
        grows: metric.grows,
        metrics: Vec::new(),
    };
    (metric.read)(snapshot, &mut samples);
    let mut family = MetricFamily::default();
    family.set_name(metric.name.to_owned());
    family.set_help(metric.help.to_owned());
    family.set_field_type(match metric.grows {
        true => MetricType::COUNTER,
        false => MetricType::GAUGE,
    });
    family.set_metric(samples.metrics);
    family
}

/// The values of one metric.
#[derive(Debug)]
struct Samples {
    labels: &'static [&'static str],
    grows: bool,
    metrics: Vec<proto::Metric>,
}

impl Samples {
    fn add(&mut self, labels: &[&str], count: u64) {
        self.add_measured(labels, count as f64);
    }

    /// `labels`: a value for each name, in order; an empty one is as if there were no such label.
    fn add_measured(&mut self, labels: &[&str], value: f64) {
        let mut metric = proto::Metric::from_label(pairs(self.labels, labels));
        if self.grows {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.metrics.push(metric);
    }
}

/// Labels with their values.
fn pairs(names: &[&str], values: &[&str]) -> Vec<LabelPair> {
    let pairs = names.iter().zip(values).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    pairs.collect()
}

#[cfg(test)]
mod tests;
