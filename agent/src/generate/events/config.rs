//! What `tapline gen events` is told: `config/events.yaml`, over the defaults and under the flags.

mod check;
mod print;
mod read;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use jiff::Timestamp;

use super::family::{Destination, Family, Format, Issue, Level, Resource, Threat};
use crate::config::{ConfigError, Refusal, Value, Word as _};

pub use read::{config_from_file, config_from_yaml};

/// All that can be told in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct EventsConfig {
    /// How many records, and how they are grouped.
    pub generator: GeneratorConfig,
    /// Where records come from; empty: from one default source.
    pub sources: Vec<SourceConfig>,
    /// Records that are no anomalies.
    pub normal_logs: NormalConfig,
    /// Records that are.
    pub anomalies: AnomaliesConfig,
    /// Where records go, and how they look.
    pub output: OutputConfig,
    /// The times of records.
    pub timestamps: TimestampsConfig,
}

/// `generator`.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratorConfig {
    /// Records that are written together, at least 1.
    pub batch_size: u32,
    /// Seconds from a batch to the next.
    pub interval: f64,
    /// Records in all; 0: without end.
    pub total_logs: u64,
}

/// One of `sources`.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceConfig {
    /// Its name.
    pub name: String,
    /// How many records come from it, against the other sources.
    pub weight: f64,
    /// Its services, at least one.
    pub services: Vec<String>,
}

/// `normal_logs`.
#[derive(Clone, Debug, PartialEq)]
pub struct NormalConfig {
    /// How many records have each level, against the other levels, in the order of [`Level`].
    pub log_levels: [f64; 5],
    /// How long answers take.
    pub response_time: ResponseTimeConfig,
}

/// `normal_logs.response_time`, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names of statistics")]
pub struct ResponseTimeConfig {
    pub min: f64,
    pub max: f64,
    pub mean: f64,
    pub std: f64,
}

/// `anomalies`.
#[derive(Clone, Debug, PartialEq)]
pub struct AnomaliesConfig {
    /// The share of records that are anomalous.
    pub probability: f64,
    /// The families, in the order of [`Family`].
    pub types: [FamilyConfig; 6],
    /// The share of errors in an error spike; the rest are warnings.
    pub error_rate: f64,
    /// How many times slower answers are at the end of a degradation.
    pub multiplier: f64,
    /// What is tried, at least one.
    pub threats: Vec<Threat>,
    /// What runs out, at least one.
    pub resources: Vec<Resource>,
    /// How fields are wrong, at least one.
    pub issues: Vec<Issue>,
}

impl AnomaliesConfig {
    /// Whether any family comes by itself.
    #[must_use]
    pub fn has_family(&self) -> bool {
        let comes = |family: &FamilyConfig| family.enabled && family.weight > 0.0;
        self.types.iter().any(comes)
    }
}

/// What every family of anomalies has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FamilyConfig {
    /// Whether it comes by itself.
    pub enabled: bool,
    /// How often it comes, against the other families.
    pub weight: f64,
    /// Anomalous records that belong together, on average; at least 1.
    pub duration_logs: u32,
}

/// `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputConfig {
    /// How a line looks.
    pub format: Format,
    /// Where lines go.
    pub destination: Destination,
    /// The files.
    pub file: FileConfig,
    /// Whether each record says whether it is an anomaly.
    pub include_labels: bool,
}

/// `output.file`.
#[derive(Clone, Debug, PartialEq)]
pub struct FileConfig {
    /// The folder of the files, and how their names begin.
    pub path: PathBuf,
    /// A file of so many MiB is followed by another; 0: never.
    pub rotation_size_mb: f64,
    /// Files that are kept; 0: all.
    pub max_files: u32,
}

/// `timestamps`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimestampsConfig {
    /// The time of the first record; `None`: now.
    pub start: Option<Timestamp>,
    /// Seconds from a record to the next, at least and at most.
    pub increment: (f64, f64),
}

/// Where none are configured.
pub(super) const DEFAULT_SOURCE: (&str, &str) = ("application", "default-service");

/// The level's weights where the file names no level.
const FALLBACK_LEVELS: [f64; 5] = [0.15, 0.7, 0.1, 0.05, 0.0];

impl Default for EventsConfig {
    fn default() -> Self {
        let source = |name: &str, weight, services: &[&str]| SourceConfig {
            name: name.to_owned(),
            weight,
            services: services.iter().map(ToString::to_string).collect(),
        };
        let family = |weight, duration_logs| FamilyConfig {
            enabled: true,
            weight,
            duration_logs,
        };
        Self {
            generator: GeneratorConfig {
                batch_size: 100,
                interval: 1.0,
                total_logs: 1000,
            },
            sources: vec![
                source("web-server", 0.4, &["nginx", "apache", "traefik"]),
                source(
                    "application",
                    0.3,
                    &[
                        "auth-service",
                        "payment-service",
                        "user-service",
                        "order-service",
                        "inventory-service",
                    ],
                ),
                source("database", 0.15, &["postgresql", "mongodb", "redis"]),
                source(
                    "infrastructure",
                    0.15,
                    &["kubernetes", "docker", "prometheus", "grafana"],
                ),
            ],
            normal_logs: NormalConfig {
                log_levels: [0.15, 0.7, 0.1, 0.04, 0.01],
                response_time: ResponseTimeConfig {
                    min: 10.0,
                    max: 500.0,
                    mean: 150.0,
                    std: 50.0,
                },
            },
            anomalies: AnomaliesConfig {
                probability: 0.05,
                types: [
                    family(0.25, 20),
                    family(0.2, 50),
                    family(0.15, 20),
                    family(0.15, 20),
                    family(0.15, 30),
                    family(0.1, 20),
                ],
                error_rate: 0.8,
                multiplier: 5.0,
                threats: Threat::ALL.to_vec(),
                resources: Resource::ALL.to_vec(),
                issues: Issue::ALL.to_vec(),
            },
            output: OutputConfig {
                format: Format::Json,
                destination: Destination::File,
                file: FileConfig {
                    path: PathBuf::from("./output/logs"),
                    rotation_size_mb: 10.0,
                    max_files: 5,
                },
                include_labels: true,
            },
            timestamps: TimestampsConfig {
                start: None,
                increment: (0.001, 2.0),
            },
        }
    }
}

/// A flag that takes the place of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct FlagSetting {
    /// The flag, with its dashes.
    pub flag: &'static str,
    /// What was typed.
    pub text: String,
    /// The key that it takes the place of.
    pub key: FlagKey,
}

/// A key that has a flag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names of keys")]
pub enum FlagKey {
    TotalLogs,
    BatchSize,
    Interval,
    Destination,
    Format,
    FilePath,
    Probability,
    IncludeLabels,
    Start,
}

impl EventsConfig {
    /// Puts a flag over what the file says.
    ///
    /// # Errors
    /// What was typed is not a value of the key.
    pub fn set(&mut self, setting: &FlagSetting) -> Result<(), ConfigError> {
        self.set_text(setting.key, &setting.text)
            .map_err(|refusal| ConfigError::FlagValue {
                flag: setting.flag,
                value: Value::Text(setting.text.clone()),
                refusal,
            })
    }

    fn set_text(&mut self, key: FlagKey, text: &str) -> Result<(), Refusal> {
        match key {
            FlagKey::TotalLogs => self.generator.total_logs = check::count(text)?,
            FlagKey::BatchSize => self.generator.batch_size = check::batch_size(text)?,
            FlagKey::Interval => self.generator.interval = check::interval(text)?,
            FlagKey::Destination => self.output.destination = check::destination(text)?,
            FlagKey::Format => self.output.format = crate::config::from_word(text)?,
            FlagKey::FilePath => self.output.file.path = check::path(text)?,
            FlagKey::Probability => self.anomalies.probability = check::share(text)?,
            FlagKey::IncludeLabels => self.output.include_labels = check::truth(text)?,
            FlagKey::Start => self.timestamps.start = check::start(text)?,
        }
        Ok(())
    }

    /// Of a family.
    #[must_use]
    pub fn family(&self, family: Family) -> &FamilyConfig {
        &self.anomalies.types[family.index()]
    }
}

/// The level of a place in a list of weights.
pub(super) fn level(place: usize) -> Level {
    Level::ALL.get(place).copied().unwrap_or(Level::Info)
}
