//! Layers, messages, the shipped file, and the way there and back.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::Path;

use proptest::prelude::*;

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
  nets: [10.1.2.3/8, 'fd00::/8', 192.0.2.1]
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

/// The message with its chain of causes.
fn message(error: &ConfigError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[test]
fn messages_about_the_file() {
    let check = |yaml: &str, expected: &str| {
        let error = resolve(yaml, &[], Vec::new()).unwrap_err();
        assert_eq!(
            message(&error),
            format!("tapline.yaml, line {expected}"),
            "{yaml:?}"
        );
    };
    // Keys.
    check(
        "log:\n  fromat: json\n",
        "2: there is no key \"log.fromat\"; did you mean log.format?",
    );
    check(
        "\nring: 1\n",
        "2: there is no key \"ring\"; did you mean capture.ring?",
    );
    check("logs:\n", "1: there is no key \"logs\"; did you mean log?");
    check(
        "log: {size: 1}",
        "1: there is no key \"log.size\"; did you mean log.rotate.size?",
    );
    check("alerts: {idle: 5m}", "1: there is no key \"alerts\"");
    check(
        "log.dir: x",
        "1: there is no key \"log.dir\"; did you mean dir in the section log?",
    );
    check(
        "log: {\"a\\u001b[31m\\n\": 1}",
        "1: there is no key \"log.a\\u{1b}[31m\\n\"",
    );
    check(
        "log: {dir: a}\nlog: {dir: b}",
        "2: the key \"log\" is there twice",
    );
    check(
        "log:\n  dir: a\n  dir: b\n",
        "3: the key \"dir\" is there twice",
    );
    // Values.
    check(
        "log:\n  format: xml",
        "2: log.format is \"xml\", but must be one of classic, json, combined, ecs, zeek",
    );
    check(
        "capture: {attach: XDP}",
        "1: capture.attach is \"XDP\", but must be one of auto, tc, socket, xdp",
    );
    check(
        "log:\n  split: yes",
        "2: log.split is \"yes\", but must be true or false",
    );
    check(
        "capture:\n  ports:\n    - 80\n    - 70000\n",
        "4: capture.ports is \"70000\", but must be a port from 1 to 65535",
    );
    check(
        "capture: {ports: [0]}",
        "1: capture.ports is \"0\", but must be a port from 1 to 65535",
    );
    check(
        "capture: {nets: [10.0.0.0/33]}",
        "1: capture.nets is \"10.0.0.0/33\", but must be a network like 10.0.0.0/8 or fd00::/8, or an address",
    );
    check(
        "capture: {interfaces: [eth0, any]}",
        "1: capture.interfaces is \"eth0, any\", but must be any alone, or names without any",
    );
    check(
        "capture: {interfaces: [an-overlong-name]}",
        "1: capture.interfaces is \"an-overlong-name\", but must be the name of an interface: 1 to 15 bytes, no space, no slash and no colon",
    );
    check(
        "capture: {ring: 3MiB}",
        &format!(
            "1: capture.ring is \"3MiB\", but must be a power of two from {}KiB to 1GiB, like 16MiB",
            super::parse::page_size() / 1024
        ),
    );
    check(
        "capture: {flows: 1}",
        "1: capture.flows is \"1\", but must be a number from 256 to 4194304",
    );
    check(
        "capture: {head_bytes: 1MiB}",
        "1: capture.head_bytes is \"1MiB\", but must be a size from 64 to 16384 bytes",
    );
    check(
        "capture: {user: 'a:b'}",
        "1: capture.user is \"a:b\", but must be the name of a user",
    );
    check(
        "log: {dir: ''}",
        "1: log.dir is \"\", but must be a folder, or stdout",
    );
    check(
        "log: {rotate: {size: big}}",
        "1: log.rotate.size is \"big\", but must be a number of bytes, or a number with KiB, MiB, GiB or TiB, or off",
    );
    check(
        "log: {rotate: {size: 1}}",
        "1: log.rotate.size is \"1\", but must be at least 1KiB, or off",
    );
    check(
        "log: {statistics: 10ms}",
        "1: log.statistics is \"10ms\", but must be at least 1s, or off",
    );
    check(
        "log: {rotate: {age: 5}}",
        "1: log.rotate.age is \"5\", but must be a duration like 500ms, 30s, 5m, 1h or 1d, from 1ms to 36500d, or off",
    );
    check(
        "log: {retain: {days: 0}}",
        "1: log.retain.days is \"0\", but must be a number of days from 1 to 36500, or off",
    );
    check(
        "log: {missing: \"\\n\"}",
        "1: log.missing is \"\\n\", but must be at most 64 bytes without control characters",
    );
    check(
        "log: {headers: ['X Y']}",
        "1: log.headers is \"X Y\", but must be the name of a header field, like X-Request-Id",
    );
    for key in ["a=b", "a[b]", "", "-_", "a b", "kö"] {
        check(
            &format!("redact: {{keys: ['{key}']}}"),
            &format!(
                "1: redact.keys is \"{key}\", but must be the name of a query key, like session_id: up to 64 letters, digits, - and _"
            ),
        );
    }
    check(
        "redact: {query: no}",
        "1: redact.query is \"no\", but must be one of keep, drop",
    );
    check(
        "sinks: {api: {url: 'collector:8000'}}",
        "1: sinks.api.url is \"collector:8000\", but must be the address of an HTTP API: it must begin with http:// or https://",
    );
    check(
        "sinks: {api: {mode: json}}",
        "1: sinks.api.mode is \"json\", but must be one of array, single",
    );
    for batch in ["0", "10001", "-1", "many"] {
        check(
            &format!("sinks: {{api: {{batch: '{batch}'}}}}"),
            &format!("1: sinks.api.batch is \"{batch}\", but must be a number from 1 to 10000"),
        );
    }
    check(
        "sinks: {api: {connections: 65}}",
        "1: sinks.api.connections is \"65\", but must be a number from 1 to 64",
    );
    check(
        "sinks: {api: {timeout: 2h}}",
        "1: sinks.api.timeout is \"2h\", but must be at most 1h",
    );
    check(
        "sinks: {api: {spool: {size: 1KiB}}}",
        "1: sinks.api.spool.size is \"1KiB\", but must be at least 1MiB",
    );
    check(
        "sinks: {api: {spool: {dir: ''}}}",
        "1: sinks.api.spool.dir is \"\", but must be a folder",
    );
    for listen in [
        "localhost:8000",
        "8000",
        "127.0.0.1",
        "::1:8000",
        "127.0.0.1:70000",
    ] {
        check(
            &format!("server: {{listen: '{listen}'}}"),
            &format!(
                "1: server.listen is \"{listen}\", but must be an address and a port, like 127.0.0.1:8000 or [::1]:8000, or off"
            ),
        );
    }
    check(
        "diagnostics: {file: ''}",
        "1: diagnostics.file is \"\", but must be a file, or stderr",
    );
    // Shapes.
    check(
        "capture:\n  ports: 80\n",
        "2: capture.ports must be a list of plain values, like [first, second]",
    );
    check(
        "capture: {ports: [[80]]}",
        "1: capture.ports must be a list of plain values, like [first, second]",
    );
    check(
        "capture: {ports: [~]}",
        "1: capture.ports must be a list of plain values, like [first, second]",
    );
    check(
        "capture: {ports: {80: }}",
        "1: capture.ports must be a list of plain values, like [first, second]",
    );
    check(
        "log:\n  dir: [a]\n",
        "2: log.dir must be one value, not a list or a section",
    );
    check(
        "log:\n  dir: -\n",
        "2: not the YAML of a configuration: block sequence entries are not allowed in this context (at log.dir; texts with signs in them need quotes)",
    );
    check(
        "log: {dir: {a: b}}",
        "1: log.dir must be one value, not a list or a section",
    );
    check(
        "log: json",
        "1: log must be a section: keys and their values",
    );
    check(
        "log: [json]",
        "1: log must be a section: keys and their values",
    );
    check(
        "- log",
        "1: the file must be a section: keys and their values",
    );
    // A long value is shortened.
    let long = "x".repeat(100);
    check(
        &format!("log: {{format: {long}}}"),
        &format!(
            "1: log.format is \"{}…\", but must be one of classic, json, combined, ecs, zeek",
            &long[..60]
        ),
    );
}

#[test]
fn what_is_not_yaml_is_refused_with_its_line() {
    let check = |bytes: &[u8], line: u64| {
        let error = settings_from_yaml(Path::new("tapline.yaml"), bytes).unwrap_err();
        let message = message(&error);
        assert!(
            message.starts_with(&format!("tapline.yaml, line {line}: ")),
            "{message}"
        );
        assert!(!message.contains(char::is_control), "{message}");
    };
    check(b"log:\n  dir: 'open\n", 3);
    check(b"log:\n\tdir: x\n", 2);
    check(b"log: {dir: a\n", 1);
    check(b"log: *unknown\n", 1);
    check(b"log:\n  dir: a\n---\nlog:\n  dir: b\n", 3);
    check(b"log:\n  <<: {dir: a}\n", 2);
    check(b"log:\n  dir: \xff\n", 2);
    check(b"log:\n  ? [a, b]\n  : c\n", 2);
}

#[test]
fn bombs_are_refused_quickly() {
    let check = |yaml: &str| {
        let begun = std::time::Instant::now();
        let error = from_yaml(yaml).unwrap_err();
        assert!(message(&error).len() < 1000, "{error}");
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    };
    check(&"x".repeat(super::FILE_MAX as usize + 1));
    check(&format!("log: {}", "[".repeat(100_000)));
    check(&format!("log: {}", "{a: ".repeat(100_000)));
    check(&"- ".repeat(500_000));
    let mut laughs = String::from("log:\n  headers: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let below = level - 1;
        laughs += &format!("  h{level}: &a{level} [*a{below}, *a{below}, *a{below}, *a{below}]\n");
    }
    check(&laughs);
    check(&format!("capture: {{ports: [{}0]}}", "1,".repeat(400_000)));
}

#[test]
fn messages_about_files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.yaml");
    let error = settings_from_file(&absent).unwrap_err();
    assert_eq!(
        message(&error),
        format!(
            "cannot read the configuration file {}: No such file or directory (os error 2)",
            absent.display()
        )
    );
    let error = settings_from_file(folder.path()).unwrap_err();
    assert!(
        message(&error).ends_with(": Is a directory (os error 21)"),
        "{error}"
    );
    let error = settings_from_file(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(
        message(&error),
        "/dev/zero is larger than 1048576 bytes: that is no configuration file"
    );
}

#[test]
fn messages_about_variables() {
    let check = |variables: &[(&str, &str)], expected: &str| {
        let error = resolve("", variables, Vec::new()).unwrap_err();
        assert_eq!(message(&error), expected);
    };
    check(
        &[("TAPLINE_LOGDIR", "x")],
        "there is no variable \"TAPLINE_LOGDIR\"; did you mean TAPLINE_LOG_DIR?",
    );
    check(&[("TAPLINE_", "x")], "there is no variable \"TAPLINE_\"");
    check(
        &[("TAPLINE_NONSENSE", "x")],
        "there is no variable \"TAPLINE_NONSENSE\"",
    );
    check(
        &[("TAPLINE_LOG_SPLIT", "1")],
        "TAPLINE_LOG_SPLIT is \"1\", but must be true or false",
    );
    check(
        &[("TAPLINE_CAPTURE_PORTS", "80,http")],
        "TAPLINE_CAPTURE_PORTS is \"80, http\", but must be a port from 1 to 65535",
    );
    check(
        &[("TAPLINE_LOG_STATISTICS", "")],
        "TAPLINE_LOG_STATISTICS is \"\", but must be a duration like 500ms, 30s, 5m, 1h or 1d, from 1ms to 36500d, or off",
    );
}

#[test]
fn variables_of_others_are_none_of_ours() {
    let others = [
        ("PATH", "/bin"),
        ("XTAPLINE_LOG", "1"),
        ("TAPLINE_EBPF_OBJECT", "/x.o"),
    ];
    assert_eq!(from_variables(&others).unwrap(), []);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_text_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = OsString::from_vec(vec![0xff]);
    let error = settings_from_environment([("TAPLINE_LOG_DIR".into(), bytes)]).unwrap_err();
    assert_eq!(message(&error), "TAPLINE_LOG_DIR is not UTF-8 text");
}

#[test]
fn a_refused_flag_is_named() {
    let flags = vec![flag(Key::CaptureRing, "--ring", "1")];
    let error = resolve("", &[], flags).unwrap_err();
    assert!(message(&error).starts_with("--ring is \"1\", but must be a power of two from "));
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

/// Any configuration that can be typed, as the texts of some of its keys.
fn typed() -> impl Strategy<Value = Vec<(Key, Value)>> {
    let text = |key| {
        prop_oneof![
            "\\PC{0,20}",
            "[a-z]{1,8}",
            "[0-9]{1,6}(KiB|s|d)?",
            Just("off".to_owned())
        ]
        .prop_map(move |text| (key, Value::Text(text)))
    };
    let list = |key| {
        prop::collection::vec(
            "[0-9]{1,5}|[a-zA-Z-]{1,9}|10\\.[0-9]\\.0\\.0/[0-9]|[a-f]::/[0-9]",
            0..4,
        )
        .prop_map(move |items| (key, Value::List(items)))
    };
    let setting =
        prop::sample::select(Key::ALL.to_vec()).prop_flat_map(move |key| match key.is_list() {
            true => list(key).boxed(),
            false => text(key).boxed(),
        });
    prop::collection::vec(setting, 0..20)
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(typed in typed()) {
        let mut config = Config::default();
        for (key, value) in typed {
            // Refused ones leave the configuration as it was.
            let before = config.clone();
            if config.set(key, &value).is_err() {
                prop_assert_eq!(&config, &before);
            }
        }
        let settings = from_yaml(&print(&config, &Origins::new())).unwrap();
        prop_assert_eq!(settings.len(), Key::ALL.len());
        let (read, _) = Config::resolve(Config::default(), [settings]).unwrap();
        prop_assert_eq!(read, config);
    }

    #[test]
    fn no_text_makes_it_panic(yaml in "(\\PC|\n|\t|: |- |log:|capture:|ports:|\\[|\\{|&a|\\*a|<<|!!|'|\"|\\||>){0,60}") {
        let read = from_yaml(&yaml);
        if let Err(error) = read {
            prop_assert!(!message(&error).contains(char::is_control));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(settings_from_yaml(Path::new("x"), &bytes));
    }

    #[test]
    fn the_shipped_file_cut_anywhere_never_panics(cut in 0..SHIPPED.len()) {
        drop(settings_from_yaml(Path::new("x"), &SHIPPED.as_bytes()[..cut]));
    }

    #[test]
    fn no_variable_makes_it_panic(name in "TAPLINE_[A-Z_]{0,20}", value in "\\PC{0,40}") {
        drop(resolve("", &[(&name, &value)], Vec::new()));
    }
}
