//! A report made by hand, with one text of a stranger wherever such texts stand.

use jiff::Timestamp;

use crate::analysis::report::{
    Client, Counts, Endpoint, Failed, HourOfDay, HourPeak, Latency, Named, Path, Period, Report,
    SlowRequest, Source, Span, StatusCount, Table, Totals, Warning, WarningKind,
};

/// What could be control of a terminal, HTML, Markdown, a link, a cell or a line of its own.
pub(super) const HOSTILE: &str = "\u{1b}]0;x\u{7}</title><script>alert(1)</script>|`a``[x](javascript:y)\r\n# h\u{202e}\u{200b}\"' onload= {peak}";

fn latency(timed: u64, mean: f64, p90: u64) -> Option<Latency> {
    Some(Latency {
        timed,
        mean_us: mean,
        p50_us: p90 / 2,
        p90_us: p90,
        p95_us: p90,
        p99_us: p90,
        max_us: p90 * 2,
    })
}

fn table<R>(rows: Vec<R>) -> Table<R> {
    Table {
        distinct: rows.len() as u64 + 2,
        rows,
        unlisted: 5,
        overflow: 0,
    }
}

pub(super) fn report(text: &str) -> Report {
    let text = text.to_owned();
    let counts = Counts {
        success: 900,
        client_errors: 70,
        server_errors: 30,
        bytes: 1 << 20,
        ..Counts::default()
    };
    let endpoint = |template: &str, requests, client_errors, server_errors, latency| Endpoint {
        method: "-".to_owned(),
        template: template.to_owned(),
        requests,
        counts: Counts {
            client_errors,
            server_errors,
            ..Counts::default()
        },
        latency,
    };
    let endpoints = || {
        vec![
            endpoint("/api/user/list", 600, 10, 0, latency(600, 80_000.0, 90_000)),
            endpoint(&text, 400, 60, 30, latency(400, 755_320.0, 1_119_000)),
        ]
    };
    let named = || {
        table(vec![Named {
            value: text.clone(),
            requests: 1000,
            counts,
        }])
    };
    let time = |second| Timestamp::from_second(second).unwrap();
    let minute = |index: i64| Period {
        start_s: 1_800_000_000 + index * 60,
        requests: 5,
        mean_us: Some(1000.0 * index as f64),
        p50_us: Some(900),
        p99_us: Some(9000),
        ..Period::default()
    };
    Report {
        version: 1,
        asked: crate::analysis::report::Asked {
            condition: Some(text.clone()),
            sources: vec!["access.log".to_owned()],
            ..Default::default()
        },
        sources: vec![Source {
            name: text.clone(),
            formats: vec![text.clone()],
            problem: Some(text.clone()),
            ..Source::default()
        }],
        lines: crate::analysis::report::Lines {
            read: 1001,
            parsed: 1000,
            failed: 1,
            failed_samples: vec![Failed {
                source: text.clone(),
                line: 7,
                text: text.clone(),
                reason: text.clone(),
            }],
            ..Default::default()
        },
        warnings: vec![Warning {
            kind: WarningKind::Failed,
            source: None,
            count: 1,
            text: text.clone(),
        }],
        covered: Some(Span {
            from: time(1_800_000_000),
            to: time(1_800_086_400),
        }),
        totals: Totals {
            requests: 1000,
            counts,
            clients: 3,
            success_rate: 90.0,
            error_rate: 10.0,
            rate: Some(0.01),
            latency: latency(1000, 100_000.0, 200_000),
            busiest_hour: Some(HourPeak {
                hour: 6,
                requests: 700,
                mean_us: Some(75_000.0),
            }),
            slowest_hour: Some(HourPeak {
                hour: 18,
                requests: 75,
                mean_us: Some(248_100.0),
            }),
            ..Totals::default()
        },
        hours_of_day: vec![HourOfDay {
            hour: 6,
            requests: 700,
            latency: latency(700, 75_000.0, 100_000),
            ..HourOfDay::default()
        }],
        minutes: (0..30).map(minute).collect(),
        statuses: vec![
            StatusCount {
                status: 200,
                requests: 900,
            },
            StatusCount {
                status: 404,
                requests: 70,
            },
            StatusCount {
                status: 500,
                requests: 30,
            },
        ],
        methods: named(),
        endpoints: table(endpoints()),
        templates: endpoints(),
        paths: table(vec![Path {
            path: text.clone(),
            requests: 9,
            ..Path::default()
        }]),
        hosts: named(),
        referrers: named(),
        clients: table(vec![Client {
            client: text.clone(),
            requests: 9,
            ..Client::default()
        }]),
        slowest: vec![SlowRequest {
            time: Some(time(1_800_000_000)),
            latency_us: 2_000_000,
            method: "GET".to_owned(),
            target: format!("{text}?password=hunter2"),
            status: Some(500),
            client: "203.0.113.9".to_owned(),
        }],
        last_lines: vec!["203.0.113.9 asked".to_owned()],
        ..Report::default()
    }
}
