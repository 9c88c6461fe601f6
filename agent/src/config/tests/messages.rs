//! What is refused, and the words for it.

use std::error::Error as _;

use super::*;

/// The message with its chain of causes.
pub(super) fn message(error: &ConfigError) -> String {
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
    check(
        "alerts: {rules: [errors error_rate above 5 over 5m, slow p99 above 5 over 5m]}",
        "1: alerts.rules is \"slow p99 above 5 over 5m\", but must be rules: the bound of p99 must be a \
         duration, like 500ms",
    );
    check(
        "alerts: {rules: [a lost above 0 over 1m, a lost above 1 over 1m]}",
        "1: alerts.rules is \"a lost above 0 over 1m, a lost above 1 over 1m\", but must be rules with \
         names of their own, and a is there twice",
    );
    check(
        "alerts: {webhook: {url: hooks}}",
        "1: alerts.webhook.url is \"hooks\", but must be the address of a webhook, or empty: it must begin \
         with http:// or https://",
    );
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
        "capture: {nets: [192.0.2.1, 10.1.2.3/8]}",
        "1: capture.nets is \"10.1.2.3/8\", but must be a network, without bits behind its prefix: 10.0.0.0/8, or 10.1.2.3 for that host alone",
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
            crate::config::parse::page_size() / 1024
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
    check(&"x".repeat(crate::config::FILE_MAX as usize + 1));
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
        "TAPLINE_CAPTURE_PORTS is \"http\", but must be a port from 1 to 65535",
    );
    check(
        &[("TAPLINE_CAPTURE_PORTS", "80,,81")],
        "TAPLINE_CAPTURE_PORTS is \"80, , 81\", but must be a port from 1 to 65535",
    );
    check(
        &[("TAPLINE_CAPTURE_LOCAL", "::1,fd00::7/8")],
        "TAPLINE_CAPTURE_LOCAL is \"fd00::7/8\", but must be a network, without bits behind its prefix: fd00::/8, or fd00::7 for that host alone",
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
