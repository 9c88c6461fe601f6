use std::path::Path;

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<EventsConfig, String> {
    config_from_yaml(Path::new("e.yaml"), text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let shipped = include_bytes!("../../../../../config/events.yaml");
    let read = config_from_yaml(Path::new("config/events.yaml"), shipped).unwrap();
    assert_eq!(read, EventsConfig::default());
    assert_eq!(
        read::keys_of(shipped),
        read::keys_of(EventsConfig::default().to_yaml().as_bytes())
    );
}

#[test]
fn what_is_printed_is_read_again() {
    let mut config = EventsConfig::default();
    assert_eq!(read(&config.to_yaml()).unwrap(), config);
    config.generator.interval = 0.01;
    config.sources.truncate(1);
    config.sources[0].name = "a: b \"c\" ä".to_owned();
    config.sources[0].services = vec!["yes".to_owned(), "1e3".to_owned(), "[x".to_owned()];
    config.anomalies.types[2].enabled = false;
    config.anomalies.threats = vec![Threat::XssAttempt];
    config.output.format = Format::Both;
    config.timestamps.start = Some("2026-01-31T12:00:00.5Z".parse().unwrap());
    assert_eq!(
        read(&config.to_yaml()).unwrap(),
        config,
        "{}",
        config.to_yaml()
    );
}

#[test]
fn a_file_as_the_documents_have_it_is_taken() {
    let config = read(
        "generator:\n  batch_size: 50\n  interval: 0.5\n  total_logs: 0\n\
         sources:\n  web-server:\n    weight: 3\n    services: [nginx]\n\
         anomalies:\n  probability: 0.2\n  types:\n    error_spike:\n      enabled: true\n      \
         weight: 0.25\n      duration_logs: 10\n      error_rate: 0.9\n    data_anomaly:\n      \
         types: [format_error]\n\
         output:\n  format: text\n  destination: both\n  file:\n    rotation_size_mb: 1\n\
         timestamps:\n  start: \"2024-01-15T10:30:00\"\n",
    )
    .unwrap();
    assert_eq!(config.generator.total_logs, 0);
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.anomalies.error_rate, 0.9);
    assert_eq!(config.anomalies.issues, [Issue::FormatError]);
    let enabled: Vec<bool> = config
        .anomalies
        .types
        .iter()
        .map(|one| one.enabled)
        .collect();
    assert_eq!(enabled, [true; 6], "one that is left out is as by default");
    let types = read("anomalies:\n  types:\n    error_spike: {enabled: false}\n")
        .unwrap()
        .anomalies
        .types;
    assert_eq!(
        types.map(|one| one.enabled),
        [false, true, true, true, true, true]
    );
    assert_eq!(
        read("anomalies:\n  types: {}\n").unwrap(),
        EventsConfig::default()
    );
    assert_eq!(config.output.destination, Destination::Both);
    assert_eq!(config.output.file.max_files, 5);
    let start = config.timestamps.start.unwrap();
    assert_eq!(start.to_string(), "2024-01-15T10:30:00Z");
    assert_eq!(read("").unwrap(), EventsConfig::default());
    assert!(read("sources:\n").unwrap().sources.len() == 4);
    assert!(read("sources: {}\n").unwrap().sources.is_empty());
    assert_eq!(
        read("normal_logs:\n  log_levels: {}")
            .unwrap()
            .normal_logs
            .log_levels,
        FALLBACK_LEVELS
    );
}

#[test]
fn what_is_wrong_is_named_with_key_file_and_line() {
    let check = |text: &str, says: &str| {
        let error = read(text).unwrap_err();
        assert_eq!(error, format!("e.yaml, line {says}"), "{text}");
    };
    check(
        "generator:\n  batch_sise: 1",
        "2: there is no key \"generator.batch_sise\"; did you mean generator.batch_size?",
    );
    check(
        "generater: {}",
        "1: there is no key \"generater\"; did you mean generator?",
    );
    check(
        "generator:\n  batch_size: 0",
        "2: generator.batch_size is \"0\", but must be a whole number from 1 to 1000000",
    );
    check(
        "generator:\n  batch_size: -5",
        "2: generator.batch_size is \"-5\", but must be a whole number from 1 to 1000000",
    );
    check(
        "generator:\n  interval: soon",
        "2: generator.interval is \"soon\", but must be seconds from 0 to 86400",
    );
    check(
        "generator:\n  interval: .nan",
        "2: generator.interval is \".nan\", but must be seconds from 0 to 86400",
    );
    check(
        "generator: 7",
        "1: generator must be a section: keys and their values",
    );
    check(
        "anomalies:\n  probability: 1.5",
        "2: anomalies.probability is \"1.5\", but must be a number from 0 to 1",
    );
    check(
        "anomalies:\n  types:\n    error_spikes: {}",
        "3: there is no key \"anomalies.types.error_spikes\"; did you mean anomalies.types.error_spike?",
    );
    check(
        "anomalies:\n  types:\n    service_outage:\n      error_rate: 1",
        "4: there is no key \"anomalies.types.service_outage.error_rate\"",
    );
    check(
        "anomalies:\n  types:\n    security_threat:\n      types: [brute_force, phishing]",
        "4: anomalies.types.security_threat.types[1] is \"phishing\", but must be one of brute_force, sql_injection, xss_attempt, unauthorized_access",
    );
    check(
        "sources:\n  web:\n    weight: -1\n    services: [a]",
        "3: sources.web.weight is \"-1\", but must be a number that is not negative",
    );
    check(
        "sources:\n  web:\n    weight: 1",
        "2: sources.web must have services: a list of at least one",
    );
    check(
        "sources:\n  web:\n    weight: 0\n    services: [a]",
        "2: sources.web must have a weight above 0, or another source must",
    );
    check(
        "sources:\n  web:\n    services: [\"a\\nb\"]",
        "3: sources.web.services[0] is \"a\\nb\", but must be a name of 1 to 200 bytes without control characters",
    );
    check(
        "normal_logs:\n  response_time:\n    min: 9\n    max: 3",
        "2: normal_logs.response_time must have a min that is not above its max",
    );
    check(
        "output:\n  destination: syslog",
        "2: output.destination is \"syslog\", but must be one of stdout, file, both",
    );
    check(
        "output:\n  file:\n    path: out/",
        "3: output.file.path is \"out/\", but must be a folder and the beginning of a name, like ./output/logs",
    );
    check(
        "timestamps:\n  start: yesterday",
        "2: timestamps.start is \"yesterday\", but must be now, or a time from 1970 on like 2026-01-31T12:00:00Z",
    );
    check(
        "timestamps:\n  increment:\n    min: 3",
        "2: timestamps.increment must have a min that is not above its max",
    );
    check(
        "output:\n  format: json\n  format: text",
        "3: the key \"format\" is there twice",
    );
}

#[test]
fn anomalies_that_cannot_come_are_refused() {
    let off = |how: &str| {
        let mut text = "anomalies:\n  types:\n".to_owned();
        for family in Family::ALL {
            text += &format!("    {}: {{{how}}}\n", crate::config::Word::word(*family));
        }
        text
    };
    for how in ["enabled: false", "weight: 0"] {
        assert_eq!(
            read(&off(how)).unwrap_err(),
            "e.yaml, line 2: anomalies.types must have a family that is enabled with a weight above \
             0, or anomalies.probability (--anomaly-rate) must be 0"
        );
        let text = off(how) + "  probability: 0\n";
        assert!(!read(&text).unwrap().anomalies.has_family());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let flag = FlagSetting {
            flag: "--anomaly-rate",
            text: "0.2".to_owned(),
            key: FlagKey::Probability,
        };
        assert!(config_from_file(file.path(), &[]).is_ok());
        let error = config_from_file(file.path(), &[flag])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("anomalies.types must have a family"),
            "{error}"
        );
    }
    assert_eq!(
        read("normal_logs:\n  log_levels: {INFO: 0, ERROR: 0}").unwrap_err(),
        "e.yaml, line 2: normal_logs.log_levels must have a level with a weight above 0"
    );
}

#[test]
fn flags_win_and_are_named() {
    let mut config = EventsConfig::default();
    let mut set = |key, text: &str| {
        config
            .set(&FlagSetting {
                flag: "--x",
                text: text.to_owned(),
                key,
            })
            .map_err(|error| error.to_string())
    };
    set(FlagKey::Probability, "0.2").unwrap();
    set(FlagKey::Destination, "-").unwrap();
    set(FlagKey::IncludeLabels, "false").unwrap();
    assert_eq!(
        set(FlagKey::Probability, "20%").unwrap_err(),
        "--x is \"20%\", but must be a number from 0 to 1"
    );
    assert_eq!(config.anomalies.probability, 0.2);
    assert_eq!(config.output.destination, Destination::Stdout);
    assert!(!config.output.include_labels);
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "((generator|sources|anomalies|types|output|file|min|max|start|path|weight)|: |\n|  |- |[0-9.\\[\\]{}a-z\"&*-]){0,40}") {
        drop(read(&text));
    }
}
