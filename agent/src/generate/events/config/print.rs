//! The configuration as YAML that can be fed back, and as JSON with the same keys.

use serde_json::{Map, Value, json};

use super::super::family::{Family, Level};
use super::{EventsConfig, TimestampsConfig};
use crate::config::{Word, quoted};

impl EventsConfig {
    /// Every key and its value, nested as in the file.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Self {
            generator,
            sources,
            normal_logs,
            anomalies,
            output,
            timestamps,
        } = self;
        let sources: Map<String, Value> = sources
            .iter()
            .map(|source| {
                let value = json!({ "weight": source.weight, "services": source.services });
                (source.name.clone(), value)
            })
            .collect();
        let levels: Map<String, Value> = Level::ALL
            .iter()
            .zip(normal_logs.log_levels)
            .map(|(level, weight)| (level.word().to_owned(), json!(weight)))
            .collect();
        let types: Map<String, Value> = Family::ALL
            .iter()
            .map(|family| (family.word().to_owned(), self.family_json(*family)))
            .collect();
        let time = normal_logs.response_time;
        json!({
            "generator": {
                "batch_size": generator.batch_size,
                "interval": generator.interval,
                "total_logs": generator.total_logs,
            },
            "sources": sources,
            "normal_logs": {
                "log_levels": levels,
                "response_time": {
                    "min": time.min, "max": time.max, "mean": time.mean, "std": time.std,
                },
            },
            "anomalies": { "probability": anomalies.probability, "types": types },
            "output": {
                "format": output.format.word(),
                "destination": output.destination.word(),
                "file": {
                    "path": output.file.path.to_string_lossy(),
                    "rotation_size_mb": output.file.rotation_size_mb,
                    "max_files": output.file.max_files,
                },
                "include_labels": output.include_labels,
            },
            "timestamps": {
                "start": start(timestamps),
                "increment": {
                    "min": timestamps.increment.0, "max": timestamps.increment.1,
                },
            },
        })
    }

    fn family_json(&self, family: Family) -> Value {
        let anomalies = &self.anomalies;
        let common = self.family(family);
        let mut value = json!({
            "enabled": common.enabled,
            "weight": common.weight,
            "duration_logs": common.duration_logs,
        });
        match family {
            Family::ErrorSpike => value["error_rate"] = json!(anomalies.error_rate),
            Family::LatencyDegradation => value["multiplier"] = json!(anomalies.multiplier),
            Family::SecurityThreat => value["types"] = words(&anomalies.threats),
            Family::ResourceExhaustion => value["resources"] = words(&anomalies.resources),
            Family::DataAnomaly => value["types"] = words(&anomalies.issues),
            Family::ServiceOutage => {}
        }
        value
    }

    /// A YAML file with every key; reading it gives the same configuration.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let tree = self.to_json();
        let mut yaml = String::new();
        for (name, keys) in ORDER {
            yaml += &format!("{name}:\n");
            // Sources have names of their own, and stay in their order.
            if *name == "sources" {
                for source in &self.sources {
                    let value = &tree["sources"][&source.name];
                    yaml += &format!("  {}:\n", scalar(&source.name));
                    line(&mut yaml, 2, "weight", &value["weight"]);
                    line(&mut yaml, 2, "services", &value["services"]);
                }
                continue;
            }
            section(&mut yaml, 1, &tree[*name], keys);
        }
        yaml
    }
}

/// The keys in the order of the shipped file.
const ORDER: &[(&str, &[&str])] = &[
    ("generator", &["batch_size", "interval", "total_logs"]),
    ("sources", &[]),
    ("normal_logs", &["log_levels", "response_time"]),
    ("anomalies", &["probability", "types"]),
    (
        "output",
        &["format", "destination", "file", "include_labels"],
    ),
    ("timestamps", &["start", "increment"]),
];

/// The order of the keys of all sections below the first.
const BELOW: &[&str] = &[
    "INFO",
    "DEBUG",
    "WARNING",
    "ERROR",
    "CRITICAL",
    "error_spike",
    "latency_degradation",
    "security_threat",
    "resource_exhaustion",
    "service_outage",
    "data_anomaly",
    "enabled",
    "weight",
    "duration_logs",
    "error_rate",
    "multiplier",
    "types",
    "resources",
    "path",
    "rotation_size_mb",
    "max_files",
    "min",
    "max",
    "mean",
    "std",
];

fn section(yaml: &mut String, depth: usize, value: &Value, keys: &[&str]) {
    for key in keys {
        match &value[*key] {
            Value::Null => {}
            Value::Object(_) => {
                yaml.push_str(&format!("{}{key}:\n", "  ".repeat(depth)));
                section(yaml, depth + 1, &value[*key], BELOW);
            }
            value => line(yaml, depth, key, value),
        }
    }
}

fn line(yaml: &mut String, depth: usize, key: &str, value: &Value) {
    *yaml += &format!(
        "{}{key}: {}
",
        "  ".repeat(depth),
        flow(value)
    );
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// Plain where no reader can take it for anything else, in double quotes otherwise.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '.')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte))
        && !["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
        && text.parse::<f64>().is_err();
    if plain {
        return text.to_owned();
    }
    quoted(text)
}

fn words<T: Word>(values: &[T]) -> Value {
    values.iter().map(|value| value.word()).collect()
}

fn start(timestamps: &TimestampsConfig) -> String {
    timestamps
        .start
        .map_or_else(|| "now".to_owned(), |time| time.to_string())
}
