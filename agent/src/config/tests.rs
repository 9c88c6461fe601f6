//! Layers, what they give, and the shipped file; messages and the way there and back in files of their own.

mod messages;
mod round_trip;

use std::ffi::OsString;
use std::path::Path;

use super::{
    Config, ConfigError, Interfaces, Key, LogOutput, Origin, Origins, Setting, Value, print,
    settings_from_environment, settings_from_file, settings_from_yaml,
};

const SHIPPED: &str = include_str!("../../../config/tapline.yaml");

fn from_yaml(yaml: &str) -> Result<Vec<Setting>, ConfigError> {
    settings_from_yaml(Path::new("tapline.yaml"), yaml.as_bytes())
}

fn from_variables(variables: &[(&str, &str)]) -> Result<Vec<Setting>, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), value.into()));
    settings_from_environment(variables)
}

fn flag(key: Key, flag: &'static str, text: &str) -> Setting {
    let value = match key.is_list() {
        true => Value::List(vec![text.to_owned()]),
        false => Value::Text(text.to_owned()),
    };
    let origin = Origin::Flag(flag);
    Setting { key, value, origin }
}

fn resolve(
    yaml: &str,
    variables: &[(&str, &str)],
    flags: Vec<Setting>,
) -> Result<(Config, Origins), ConfigError> {
    let layers = [from_yaml(yaml)?, from_variables(variables)?, flags];
    Config::resolve(Config::default(), layers)
}

#[test]
fn the_upper_layer_wins() {
    let check = |in_file, in_variable, on_line: bool, expected: &str, from: Option<&str>| {
        let yaml = if in_file {
            "log:\n  format: json\n  dir: file\n"
        } else {
            ""
        };
        let variables: &[_] = if in_variable {
            &[("TAPLINE_LOG_DIR", "variable")]
        } else {
            &[]
        };
        let flags = on_line.then(|| flag(Key::LogDir, "--log-dir", "flag"));
        let (config, origins) = resolve(yaml, variables, flags.into_iter().collect()).unwrap();
        assert_eq!(config.log.output, LogOutput::Folder(expected.into()));
        let origin = origins.get(&Key::LogDir).map(|origin| match origin {
            Origin::File { line, .. } => format!("line {line}"),
            Origin::Environment => "variable".to_owned(),
            Origin::Flag(flag) => (*flag).to_owned(),
        });
        assert_eq!(origin.as_deref(), from);
        // A key that only the file has is untouched by the layers above.
        assert_eq!(origins.contains_key(&Key::LogFormat), in_file);
    };
    check(false, false, false, "./logs", None);
    check(true, false, false, "file", Some("line 3"));
    check(false, true, false, "variable", Some("variable"));
    check(false, false, true, "flag", Some("--log-dir"));
    check(true, true, false, "variable", Some("variable"));
    check(true, false, true, "flag", Some("--log-dir"));
    check(false, true, true, "flag", Some("--log-dir"));
    check(true, true, true, "flag", Some("--log-dir"));
}

#[test]
fn a_list_takes_the_place_of_the_one_below() {
    let yaml = "capture: {ports: [80, 8080]}";
    let (config, _) = resolve(yaml, &[], Vec::new()).unwrap();
    assert_eq!(config.capture.ports, [80, 8080]);
    let (config, _) = resolve(yaml, &[("TAPLINE_CAPTURE_PORTS", "81, 82")], Vec::new()).unwrap();
    assert_eq!(config.capture.ports, [81, 82]);
    let (config, _) = resolve(yaml, &[("TAPLINE_CAPTURE_PORTS", "")], Vec::new()).unwrap();
    assert!(config.capture.ports.is_empty());
}

#[test]
fn every_key_takes_effect() {
    let yaml = "
capture:
  interfaces: [eth0, lo]
  attach: xdp
  xdp_mode: generic
  ports: [80]
  nets: [10.0.0.0/8, 'fd00::/8', 192.0.2.1]
  local: [::1]
  loopback: both
  ring: 65536
  flows: 1000
  head_bytes: 2KiB
  user: nobody
log:
  dir: '-'
  format: json
  split: true
  rotate: {size: 1GiB, age: 1h, compress: false}
  retain: {days: 30, size: 10GiB}
  missing: ''
  headers: []
  statistics: off
sessions: {enabled: false, interim: off, idle: {tcp: 1h, udp: 2m, icmp: 1s}}
redact: {enabled: false, keys: [ticket], query: drop}
store: {enabled: false, dir: /var/lib/tapline, retain: {days: 30, size: off}}
sinks:
  api:
    enabled: true
    url: https://collector.example.com:8443/api
    token_file: /etc/tapline/token
    ca_file: /etc/tapline/ca.pem
    mode: single
    exchanges: true
    batch: 1000
    interval: 1s
    timeout: 5s
    connections: 32
    gzip: false
    spool: {dir: /var/spool/tapline, size: 64MiB}
server: {listen: off, token_file: /etc/tapline/token}
alerts:
  rules: [errors error_rate above 5% over 5m for 1m]
  webhook: {url: 'https://hooks.example/a?b', token_file: /etc/tapline/hook, ca_file: /etc/tapline/ca.pem}
metrics: {program_time: true}
diagnostics: {level: debug, format: json, file: /var/log/tapline}
";
    let (config, origins) = resolve(yaml, &[], Vec::new()).unwrap();
    assert_eq!(origins.len(), Key::ALL.len());
    let defaults = Config::default();
    for key in Key::ALL {
        assert_ne!(config.get(key), defaults.get(key), "{key:?}");
    }
    let names = vec!["eth0".to_owned(), "lo".to_owned()];
    assert_eq!(config.capture.interfaces, Interfaces::Named(names));
    assert_eq!(config.capture.flows, 1024);
    assert_eq!(config.capture.nets[0].to_string(), "10.0.0.0/8");
    assert_eq!(config.capture.nets[2].to_string(), "192.0.2.1/32");
    assert_eq!(config.capture.local[0].to_string(), "::1/128");
    assert_eq!(config.log.output, LogOutput::Stdout);
    assert_eq!(config.log.missing, "");
    assert_eq!(config.log.statistics, None);
    assert_eq!(config.redact.keys, ["ticket"]);
    assert!(!config.store.enabled);
    assert_eq!(config.store.dir, Path::new("/var/lib/tapline"));
    assert_eq!(config.store.retain.size, None);
    assert_eq!(
        config.sinks.api.token_file.as_deref(),
        Some(Path::new("/etc/tapline/token"))
    );
    assert_eq!(config.sinks.api.spool.size, 64 << 20);
    assert_eq!(config.server.listen, None);
    let token_file = config.server.token_file.as_deref();
    assert_eq!(token_file, Some(Path::new("/etc/tapline/token")));
}

#[test]
fn scalars_are_the_text_they_are_written_with() {
    let check = |written: &str, expected: &str| {
        let (config, _) =
            resolve(&format!("log: {{missing: {written}}}"), &[], Vec::new()).unwrap();
        assert_eq!(config.log.missing, expected, "{written}");
    };
    check("007", "007");
    check("1_000", "1_000");
    check("0x10", "0x10");
    check("1.0", "1.0");
    check("no", "no");
    check("'#'", "#");
    check("\"null\"", "null");
    check("null", "-");
    check("~", "-");
}

#[test]
fn files_that_set_nothing() {
    for yaml in [
        "",
        "\n",
        "# only a comment\n",
        "---\n",
        "log:\n",
        "{}",
        "log: {}",
        "\u{feff}log:\n",
    ] {
        assert_eq!(from_yaml(yaml).unwrap(), [], "{yaml:?}");
    }
}

#[test]
fn the_shipped_file_equals_the_defaults_and_has_every_key() {
    let settings = from_yaml(SHIPPED).unwrap();
    let keys: Vec<Key> = settings.iter().map(|setting| setting.key).collect();
    assert_eq!(keys, Key::ALL);
    let (config, _) = Config::resolve(Config::default(), [settings]).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_printout_says_where_values_came_from() {
    let variables = [("TAPLINE_LOG_RETAIN_DAYS", "7")];
    let flags = vec![flag(Key::CapturePorts, "--port", "80")];
    let (config, origins) = resolve("log:\n  dir: \"a b\"\n", &variables, flags).unwrap();
    let printed = print(&config, &origins);
    let check = |line: &str| assert!(printed.lines().any(|found| found == line), "{printed}");
    check("  ports: [80]  # flag --port");
    check("  dir: \"a b\"  # \"tapline.yaml\", line 2");
    check("    days: 7  # variable TAPLINE_LOG_RETAIN_DAYS");
    check("  ring: 16MiB  # default");
}
