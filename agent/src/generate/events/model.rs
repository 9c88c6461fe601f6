//! The configuration, made ready for making records of it.

use rand_chacha::ChaCha8Rng;

use super::config::{DEFAULT_SOURCE, EventsConfig, ResponseTimeConfig, SourceConfig};
use super::family::{Family, Issue, Resource, Threat};
use super::record::quoted;
use super::sentence::Sentence;
use super::words;
use crate::config::Word as _;
use crate::generate::draw::Weights;
use crate::generate::pools;
use crate::generate::seed::Seed;

/// Users and addresses that come again and again.
const USERS: u32 = 2048;
const ADDRESSES: usize = 4096;
const NAMES: usize = 256;

/// A service of a source.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) service: String,
    /// The two keys of a JSON object.
    pub(super) json: Vec<u8>,
    /// What a line of text has for both.
    pub(super) text: Vec<u8>,
}

/// How a source speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Web,
    Application,
    Database,
    Infrastructure,
}

impl Kind {
    /// Whether it answers requests, so that its records can have method, endpoint and status.
    pub(super) fn answers(self) -> bool {
        matches!(self, Self::Web | Self::Application)
    }
}

/// What can be said at each level.
#[derive(Clone, Debug)]
pub(super) struct Vocabulary {
    pub(super) info: Vec<Sentence>,
    pub(super) warning: Vec<Sentence>,
    pub(super) error: Vec<Sentence>,
    pub(super) critical: Vec<Sentence>,
}

/// What records are made of.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The services of each source.
    pub(super) sources: Vec<Vec<Place>>,
    pub(super) source_weights: Weights,
    /// In the order of `Level`.
    pub(super) level_weights: Weights,
    pub(super) response_time: ResponseTimeConfig,
    pub(super) probability: f64,
    /// None: no family comes by itself.
    pub(super) family_weights: Option<Weights>,
    /// Records of an anomaly of each family.
    pub(super) durations: [u32; 6],
    pub(super) error_rate: f64,
    pub(super) multiplier: f64,
    pub(super) threats: Vec<Threat>,
    pub(super) resources: Vec<Resource>,
    pub(super) issues: Vec<Issue>,
    /// Who can tell of an anomaly: sources that come, all where none is of a fitting kind.
    pub(super) all: Witnesses,
    pub(super) requests: Witnesses,
    pub(super) timed: Witnesses,
    pub(super) logins: Witnesses,
    pub(super) resourceful: Witnesses,
    pub(super) vocabularies: [Vocabulary; 4],
    pub(super) threat_words: [Vec<Sentence>; 4],
    pub(super) resource_words: [Vec<Sentence>; 4],
    pub(super) outage_words: [Vec<Sentence>; 2],
    pub(super) timeout: Vec<Sentence>,
    pub(super) slow: Vec<Sentence>,
    pub(super) users: Vec<u32>,
    pub(super) addresses: Vec<u32>,
    pub(super) emails: Vec<String>,
    pub(super) domains: Vec<String>,
    pub(super) files: Vec<String>,
}

/// Sources that can tell of the same thing, by their weights.
#[derive(Clone, Debug)]
pub(super) struct Witnesses {
    /// Places in the list of sources.
    pub(super) sources: Vec<usize>,
    weights: Weights,
}

impl Witnesses {
    /// Those sources of a weight above zero that are of one of the `kinds`; all where none is.
    fn new(sources: &[Vec<Place>], weights: &[f64], kinds: &[Kind]) -> Self {
        let comes = |source: &usize| weights.get(*source).is_none_or(|weight| *weight > 0.0);
        let is_kind = |source: &usize| {
            let first = sources[*source].first();
            first.is_some_and(|place| kinds.contains(&place.kind))
        };
        let all: Vec<usize> = (0..sources.len()).filter(comes).collect();
        let found: Vec<usize> = all.iter().copied().filter(is_kind).collect();
        let sources = match found.is_empty() {
            true => all,
            false => found,
        };
        let weight = |source: &usize| weights.get(*source).copied().unwrap_or(1.0);
        Self {
            weights: Weights::new(sources.iter().map(weight)).unwrap_or_else(|_none| one_weight()),
            sources,
        }
    }

    /// The services of one of them.
    pub(super) fn draw<'m>(&self, model: &'m Model, stream: &mut ChaCha8Rng) -> &'m [Place] {
        &model.sources[self.sources[self.weights.draw(stream)]]
    }
}

impl Model {
    /// Draws its pools from `seed`.
    pub(super) fn new(config: &EventsConfig, seed: Seed) -> Self {
        let sources: Vec<Vec<Place>> = match config.sources.is_empty() {
            true => {
                let (source, service) = DEFAULT_SOURCE;
                vec![vec![place(source, service)]]
            }
            false => config.sources.iter().map(places).collect(),
        };
        let even = || {
            let ones = Weights::new(sources.iter().map(|_| 1.0));
            ones.unwrap_or_else(|_none| one_weight())
        };
        let source_weights = Weights::new(config.sources.iter().map(|source| source.weight))
            .unwrap_or_else(|_none| even());
        let anomalies = &config.anomalies;
        let weight = |family: &Family| {
            let family = config.family(*family);
            match family.enabled {
                true => family.weight,
                false => 0.0,
            }
        };
        let weights: Vec<f64> = config.sources.iter().map(|source| source.weight).collect();
        let witnesses = |kinds: &[Kind]| Witnesses::new(&sources, &weights, kinds);
        let (addresses, names, domains) = (
            pools::addresses(seed, ADDRESSES),
            pools::user_names(seed, NAMES),
            pools::emails(seed, NAMES),
        );
        let domain = |email: &String| {
            let domain = email
                .split_once('@')
                .map_or("example.com", |(_, domain)| domain);
            domain.to_owned()
        };
        let mut users = seed.stream("users", 0);
        Self {
            all: witnesses(&[]),
            requests: witnesses(&[Kind::Web, Kind::Application]),
            timed: witnesses(&[Kind::Web, Kind::Application, Kind::Database]),
            logins: witnesses(&[Kind::Application, Kind::Database]),
            resourceful: witnesses(&[Kind::Infrastructure]),
            source_weights,
            level_weights: Weights::new(config.normal_logs.log_levels)
                .unwrap_or_else(|_none| one_weight()),
            response_time: config.normal_logs.response_time,
            probability: anomalies.probability,
            family_weights: Weights::new(Family::ALL.iter().map(weight)).ok(),
            durations: anomalies.types.map(|family| family.duration_logs),
            error_rate: anomalies.error_rate,
            multiplier: anomalies.multiplier,
            threats: anomalies.threats.clone(),
            resources: anomalies.resources.clone(),
            issues: anomalies.issues.clone(),
            vocabularies: [
                vocabulary([
                    words::WEB_INFO,
                    words::WEB_WARNING,
                    words::WEB_ERROR,
                    words::WEB_ERROR,
                ]),
                vocabulary([
                    words::APP_INFO,
                    words::APP_WARNING,
                    words::APP_ERROR,
                    words::APP_CRITICAL,
                ]),
                vocabulary([
                    words::DB_INFO,
                    words::DB_WARNING,
                    words::DB_ERROR,
                    words::DB_ERROR,
                ]),
                vocabulary([
                    words::INFRA_INFO,
                    words::INFRA_WARNING,
                    words::INFRA_ERROR,
                    words::INFRA_ERROR,
                ]),
            ],
            threat_words: [
                words::BRUTE_FORCE,
                words::SQL_INJECTION,
                words::XSS_ATTEMPT,
                words::UNAUTHORIZED_ACCESS,
            ]
            .map(Sentence::all),
            resource_words: [words::MEMORY, words::CPU, words::DISK, words::CONNECTIONS]
                .map(Sentence::all),
            outage_words: [words::OUTAGE_COMPLETE, words::OUTAGE_INTERMITTENT].map(Sentence::all),
            timeout: Sentence::all(words::LATENCY_TIMEOUT),
            slow: Sentence::all(words::LATENCY_SLOW),
            users: (0..USERS)
                .map(|_| rand_chacha::rand_core::Rng::next_u32(&mut users))
                .collect(),
            addresses: addresses.into_iter().map(u32::from).collect(),
            emails: domains.clone(),
            domains: domains.iter().map(domain).collect(),
            files: names.iter().enumerate().map(file).collect(),
            sources,
        }
    }

    pub(super) fn vocabulary(&self, kind: Kind) -> &Vocabulary {
        &self.vocabularies[kind as usize]
    }
}

#[expect(clippy::expect_used, reason = "a weight above zero is one")]
fn one_weight() -> Weights {
    Weights::new([1.0]).expect("a weight above zero is one")
}

fn file((number, name): (usize, &String)) -> String {
    let endings = ["png", "css", "js", "pdf", "csv", "json"];
    format!("{name}.{}", endings[number % endings.len()])
}

fn places(source: &SourceConfig) -> Vec<Place> {
    let services = source.services.iter();
    services
        .map(|service| place(&source.name, service))
        .collect()
}

fn place(source: &str, service: &str) -> Place {
    let mut json = b"\"source\":".to_vec();
    quoted(source.as_bytes(), &mut json);
    json.extend_from_slice(b",\"service\":");
    quoted(service.as_bytes(), &mut json);
    Place {
        kind: match source {
            "web-server" => Kind::Web,
            "database" => Kind::Database,
            "infrastructure" => Kind::Infrastructure,
            _ => Kind::Application,
        },
        service: service.to_owned(),
        json,
        text: format!("[{source}/{service}]").into_bytes(),
    }
}

fn vocabulary([info, warning, error, critical]: [&[words::Template]; 4]) -> Vocabulary {
    Vocabulary {
        info: Sentence::all(info),
        warning: Sentence::all(warning),
        error: Sentence::all(error),
        critical: Sentence::all(critical),
    }
}
