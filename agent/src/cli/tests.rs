//! What is typed, and what comes of it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use super::flags::Cli;
use super::query::QueryArguments;
use super::read::{CaptureSource, ReadArguments};
use super::run::RunArguments;
use super::serve::ServeArguments;
use super::{Command, DoctorArguments, Task, watch};
use crate::config::{
    Attach, Config, DiagnosticsFormat, Interfaces, Key, Level, LogFormat, LogOutput, RedactQuery,
    Value, XdpMode, print, settings_from_yaml,
};
use crate::exit::Exit;
use crate::http::exchange::record::{Outcome, Role};
use crate::session::identifier::Identifier;
use crate::session::record::Protocol;
use crate::store::{Common, ExchangeFilter, Order, SessionFilter};

/// The task of a command line (words separated by spaces) and variables (`NAME=value`).
fn task(line: &str, variables: &[(&str, &str)]) -> anyhow::Result<Task> {
    let cli = Cli::try_parse_from(line.split(' '))?;
    let variables = variables
        .iter()
        .map(|(name, value)| (OsString::from(name), value.into()));
    Task::new(cli, variables)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_takes_effect() {
    let line = "tapline run -i eth0 --interface lo --attach xdp --xdp-mode generic --log-dir - \
        --split --format json --redact=false --redact-key a --redact-key b --redact-query drop --local 10.0.0.0/8 --local ::1 --port 80 --port 8080 --net 10.1.0.0/16 \
        --duration 30s --packets 7 --ring 64KiB --flows 1000 --head-bytes 4KiB --statistics 10s --listen [::1]:0 --token-file t --insecure \
        --user nobody --data-dir kept --no-store -q --diagnostics said.log --diagnostics-format json";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let Task {
        config,
        origins,
        command,
    } = task(&line, &[]).unwrap();
    assert_eq!(origins.len(), 24);
    let capture = config.capture;
    let names = vec!["eth0".to_owned(), "lo".to_owned()];
    assert_eq!(capture.interfaces, Interfaces::Named(names));
    assert_eq!(capture.attach, Attach::Xdp);
    assert_eq!(capture.xdp_mode, XdpMode::Generic);
    assert_eq!(capture.local.len(), 2);
    assert_eq!(capture.ports, [80, 8080]);
    assert_eq!(capture.nets[0].to_string(), "10.1.0.0/16");
    assert_eq!(capture.ring, 65_536);
    assert_eq!(capture.flows, 1024);
    assert_eq!(capture.head_bytes, 4096);
    assert_eq!(capture.user.as_deref(), Some("nobody"));
    assert_eq!(config.log.output, LogOutput::Stdout);
    assert!(config.log.split);
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!config.redact.enabled);
    assert_eq!(config.redact.keys, ["a", "b"]);
    assert_eq!(config.redact.query, RedactQuery::Drop);
    assert_eq!(config.log.statistics, Some(Duration::from_secs(10)));
    assert_eq!(
        config.server.listen.map(|listen| listen.to_string()),
        Some("[::1]:0".to_owned())
    );
    assert!(!config.store.enabled);
    assert_eq!(config.store.dir, Path::new("kept"));
    assert_eq!(config.diagnostics.level, Level::Warn);
    assert_eq!(config.diagnostics.format, DiagnosticsFormat::Json);
    assert_eq!(
        config.diagnostics.file.as_deref(),
        Some("said.log".as_ref())
    );
    let expected = RunArguments {
        duration: Some(Duration::from_secs(30)),
        packets: Some(7),
        insecure: true,
        json: false,
    };
    assert_eq!(config.server.token_file.as_deref(), Some(Path::new("t")));
    assert_eq!(command, Command::Run(expected));
}

#[test]
fn help_names_the_defaults() {
    let defaults = Config::default();
    let check = |command: &str, flags: &[(&str, Key)]| {
        let cli = Cli::command();
        let command = cli.find_subcommand(command).unwrap();
        for (flag, key) in flags {
            let all = command.get_arguments().chain(cli.get_arguments());
            let arg = all.into_iter().find(|arg| arg.get_long() == Some(flag));
            let help = arg.and_then(|arg| arg.get_help()).unwrap().to_string();
            let Value::Text(default) = defaults.get(*key) else {
                panic!("{key:?} is a list");
            };
            assert!(help.contains(&format!("[default: {default}")), "{help}");
        }
    };
    let of_both = [
        ("flows", Key::CaptureFlows),
        ("head-bytes", Key::CaptureHeadBytes),
        ("log-dir", Key::LogDir),
        ("format", Key::LogFormat),
        ("redact-query", Key::RedactQuery),
        ("interim", Key::SessionsInterim),
        ("log-level", Key::DiagnosticsLevel),
        ("diagnostics", Key::DiagnosticsFile),
        ("diagnostics-format", Key::DiagnosticsFormat),
    ];
    check("read", &of_both);
    check("run", &of_both);
    let of_run = [
        ("attach", Key::CaptureAttach),
        ("xdp-mode", Key::CaptureXdpMode),
        ("ring", Key::CaptureRing),
        ("statistics", Key::LogStatistics),
        ("data-dir", Key::StoreDir),
        ("listen", Key::ServerListen),
    ];
    check("run", &of_run);
    let check = |config: Config, key: Key, default: &str| {
        assert_eq!(config.get(key), Value::Text(default.to_owned()));
    };
    check(Config::defaults_of_read(), Key::LogDir, "stdout");
    check(watch::defaults(), Key::ServerListen, "127.0.0.1:5000");
}

#[test]
fn read_writes_to_stdout_unless_told_otherwise() {
    let check = |line: &str, variables: &[(&str, &str)], output: LogOutput| {
        let task = task(line, variables).unwrap();
        assert_eq!(task.config.log.output, output, "{line}");
    };
    let folder = |name: &str| LogOutput::Folder(name.into());
    check("tapline read x.pcap", &[], LogOutput::Stdout);
    check("tapline read x.pcap --log-dir y", &[], folder("y"));
    check(
        "tapline read x.pcap",
        &[("TAPLINE_LOG_DIR", "y")],
        folder("y"),
    );
    check("tapline run", &[], folder("./logs"));
}

#[test]
fn arguments_of_the_other_commands() {
    let expected = ReadArguments {
        sources: vec![CaptureSource::File("x.pcap".into()), CaptureSource::Stdin],
        duration: None,
        packets: None,
        json: true,
    };
    let read = task("tapline --json read x.pcap - --log-dir y", &[]).unwrap();
    assert_eq!(read.command, Command::Read(expected));
    let doctor = task("tapline doctor --json -v", &[]).unwrap();
    assert_eq!(
        doctor.command,
        Command::Doctor(DoctorArguments { json: true })
    );
    assert_eq!(doctor.config.diagnostics.level, Level::Debug);
}

#[test]
fn what_serve_is_told() {
    let line = "tapline serve --listen [::1]:0 --token-file t --insecure --data-dir d --duration 2s --json";
    let Task {
        config,
        origins,
        command,
    } = task(line, &[]).unwrap();
    assert_eq!(origins.len(), 3);
    let listen = config.server.listen.map(|listen| listen.to_string());
    assert_eq!(listen.as_deref(), Some("[::1]:0"));
    assert_eq!(config.server.token_file.as_deref(), Some(Path::new("t")));
    assert_eq!(config.store.dir, Path::new("d"));
    let expected = ServeArguments {
        duration: Some(Duration::from_secs(2)),
        insecure: true,
        json: true,
    };
    assert_eq!(command, Command::Serve(expected));
    let printed = task("tapline serve --print-config", &[]).unwrap();
    assert_eq!(printed.command, Command::PrintConfig);
    assert!(task("tapline serve -i eth0", &[]).is_err());
}

#[test]
fn a_flag_can_take_back_what_a_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tapline.yaml");
    std::fs::write(&path, "log: {split: true}\n").unwrap();
    let check = |flag: &str, split: bool| {
        let line = format!("tapline run --config {}{flag}", path.display());
        assert_eq!(task(&line, &[]).unwrap().config.log.split, split, "{flag}");
    };
    check("", true);
    check(" --split=false", false);
}

#[test]
fn the_store_can_be_switched_both_ways() {
    let check = |line: &str, variables: &[(&str, &str)], enabled: bool| {
        assert_eq!(
            task(line, variables).unwrap().config.store.enabled,
            enabled,
            "{line}"
        );
    };
    let off = [("TAPLINE_STORE_ENABLED", "false")];
    check("tapline run", &[], true);
    check("tapline run", &off, false);
    check("tapline run --store", &off, true);
    check("tapline run --store=false", &[], false);
    check("tapline run --no-store", &[], false);
}

#[test]
fn queries_are_told_what_to_look_for() {
    let line = "tapline exchanges --data-dir d --since 2026-11-21T12:00:00Z --until 2026-11-21T13:00:00+01:00 --ip ::1 \
        --port 80 --session-id 000000000000000000000000000000ab --method GET --host h --target /t --status 4xx \
        --outcome complete --role client --min-latency 2ms --limit all --oldest --json";
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let Task {
        config, command, ..
    } = task(&line, &[]).unwrap();
    assert_eq!(config.store.dir, Path::new("d"));
    let time = "2026-11-21T12:00:00Z".parse().unwrap();
    let expected = QueryArguments {
        filter: ExchangeFilter {
            common: Common {
                since: Some(time),
                until: Some(time),
                ip: Some("::1".parse().unwrap()),
                port: Some(80),
                src_ip: None,
                dst_ip: None,
                session_id: Some(Identifier::new(0, 0xab)),
            },
            method: Some("GET".to_owned()),
            host: Some("h".to_owned()),
            target: Some("/t".to_owned()),
            status: Some(400..=499),
            outcome: Some(Outcome::Complete),
            role: Some(Role::Client),
            min_latency_us: Some(2000),
            ..ExchangeFilter::default()
        },
        order: Order::Oldest,
        limit: None,
        follow: false,
        json: true,
    };
    assert_eq!(command, Command::Exchanges(expected));

    let line = "tapline sessions --protocol tcp --min-duration 1s --conn-state SF --follow";
    let expected = QueryArguments {
        filter: SessionFilter {
            common: Common::default(),
            protocol: Some(Protocol::Tcp),
            min_duration_us: Some(1_000_000),
            conn_state: Some("SF".to_owned()),
            ..SessionFilter::default()
        },
        order: Order::Newest,
        limit: Some(100),
        follow: true,
        json: false,
    };
    assert_eq!(
        task(line, &[]).unwrap().command,
        Command::Sessions(expected)
    );
}

#[test]
fn what_print_config_prints_can_be_fed_back() {
    let line = "tapline run --print-config -i any --port 80 --local fd00::/8 --statistics off";
    let Task {
        config,
        origins,
        command,
    } = task(line, &[("TAPLINE_LOG_MISSING", "")]).unwrap();
    assert_eq!(command, Command::PrintConfig);
    let printed = print(&config, &origins);
    let settings = settings_from_yaml("printed".as_ref(), printed.as_bytes()).unwrap();
    let (read, _) = Config::resolve(Default::default(), [settings]).unwrap();
    assert_eq!(read, config);
}

#[test]
fn wrong_usage_is_named() {
    let check = |line: &str, expected: &str| {
        let error = task(line, &[]).unwrap_err();
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        assert_eq!(
            first.strip_prefix("error: ").unwrap_or(first),
            expected,
            "{line}"
        );
        match error.downcast_ref::<clap::Error>() {
            Some(error) => assert_eq!(error.exit_code(), 2, "{line}"),
            None => assert_eq!(Exit::of(&error), Exit::Usage, "{line}"),
        }
    };
    check("tapline fly", "unrecognized subcommand 'fly'");
    check("tapline run --fly", "unexpected argument '--fly' found");
    check(
        "tapline read",
        "the following required arguments were not provided:",
    );
    check(
        "tapline read - -",
        "standard input (-) can be read only once",
    );
    check(
        "tapline run --attach tcp",
        "invalid value 'tcp' for '--attach <HOOK>'",
    );
    check(
        "tapline run --port 0",
        "invalid value '0' for '--port <N>': must be a port from 1 to 65535",
    );
    check(
        "tapline run --local 10.0.0.0/99",
        "invalid value '10.0.0.0/99' for '--local <CIDR>': must be a network like 10.0.0.0/8 or fd00::/8, or an address",
    );
    check(
        "tapline read --net 10.1.2.3/8 x.pcap",
        "invalid value '10.1.2.3/8' for '--net <CIDR>': must be a network, without bits behind its prefix: 10.0.0.0/8, or 10.1.2.3 for that host alone",
    );
    check(
        "tapline run --listen 8000",
        "invalid value '8000' for '--listen <ADDR:PORT>': must be an address and a port, like 127.0.0.1:8000 or [::1]:8000, or off",
    );
    check(
        "tapline run --duration 30",
        "invalid value '30' for '--duration <TIME>': must be a duration like 500ms, 30s, 5m, 1h or 1d, from 1ms to 36500d",
    );
    check(
        "tapline run --head-bytes 17KiB",
        "invalid value '17KiB' for '--head-bytes <SIZE>': must be a size from 64 to 16384 bytes",
    );
    check(
        "tapline run --packets 0",
        "invalid value '0' for '--packets <N>': must be a number of packets, at least 1",
    );
    check(
        "tapline run --split=perhaps",
        "invalid value 'perhaps' for '--split[=<BOOL>]': must be true or false",
    );
    check(
        "tapline exchanges --limit 0",
        "invalid value '0' for '--limit <N>': must be a number of rows, at least 1, or all",
    );
    check(
        "tapline exchanges --status ok",
        "invalid value 'ok' for '--status <STATUS>': must be a status like 404, some like 400-499, or a class like 5xx",
    );
    check(
        "tapline sessions --since yesterday",
        "invalid value 'yesterday' for '--since <TIME>': must be a time like 2026-11-21T12:00:00Z, or how long ago, like 500ms, 30s, 5m, 1h or 1d",
    );
    check(
        "tapline sessions --session-id 1",
        "invalid value '1' for '--session-id <ID>': an identifier has 32 hexadecimal digits",
    );
    check(
        "tapline run -q -v",
        "the argument '--quiet' cannot be used with '--verbose'",
    );
    check(
        "tapline run -i eth0 -i any",
        "--interface is \"eth0, any\", but must be any alone, or names without any",
    );
    check(
        "tapline run --json --log-dir -",
        "--json writes the result to stdout, where the lines go too: name a folder with --log-dir, or ask for JSON lines with --format json",
    );
    check(
        "tapline run --config /nonexistent.yaml",
        "cannot read the configuration file /nonexistent.yaml",
    );
    for load in ["500ms", "61s", "1h"] {
        check(
            &format!("tapline selftest --load {load}"),
            "--load must be from 1s to 60s, or 0: no load",
        );
    }
}

#[test]
fn a_load_of_the_selftest_has_bounds() {
    for load in ["0", "1s", "60s"] {
        let task = task(&format!("tapline selftest --load {load}"), &[]).unwrap();
        assert!(matches!(task.command, Command::Selftest(..)), "{load}");
    }
}

#[test]
fn variables_are_checked_for_every_command() {
    for line in ["tapline run", "tapline read x", "tapline doctor"] {
        let error = task(line, &[("TAPLINE_LOG_DIRR", "x")]).unwrap_err();
        let expected = "there is no variable \"TAPLINE_LOG_DIRR\"; did you mean TAPLINE_LOG_DIR?";
        assert_eq!(error.to_string(), expected);
    }
}
