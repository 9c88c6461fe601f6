use std::path::Path;

use proptest::prelude::*;

use super::*;

fn source() -> Source {
    Source::File("a.yaml".into())
}

fn parse(text: &str) -> Result<Read, String> {
    read(&source(), text.as_bytes()).map_err(|wrong| wrong.to_string())
}

#[test]
fn the_shipped_file_is_the_default() {
    let found = read(&Source::Shipped, SHIPPED.as_bytes()).unwrap();
    assert_eq!(found.config, AccessConfig::default());
    assert_eq!(found.warnings, []);
    assert_eq!(parse("").unwrap(), found);
    assert_eq!(parse("output:\nsession:\n").unwrap(), found);
}

#[test]
fn the_shipped_file_has_every_key() {
    let printed = print(&AccessConfig::default());
    for line in printed.lines() {
        let key = line.split(':').next().unwrap().trim();
        if !key.starts_with(['"', '-']) {
            assert!(SHIPPED.contains(&format!("{key}:")), "{key}");
        }
    }
}

#[test]
fn what_is_printed_is_read_back() {
    let check = |text: &str| {
        let config = parse(text).unwrap().config;
        let printed = print(&config);
        let again = parse(&printed).unwrap();
        assert_eq!(again.config, config, "{printed}");
        assert_eq!(again.warnings, []);
    };
    check("");
    check(EVERYTHING);
}

/// Every key with a value that is not its default.
const EVERYTHING: &str = r#"
output:
  directory: "/tmp/a \"b\""
  rate: 2.5
  debug: true
  pre_warm: yes
  format: w3c
  site: http://shop.example:8080
  health_check: {enabled: false, address: "::", port: 9000}
  log_rotation: {enabled: false, max_size_mb: 0.5, when: W6, interval: 3, backup_count: 7, compress: false}
  disk_guard: {enabled: false, min_free_gb: 2, interval: 60}
state_transitions:
  START: {LOGIN: 0.5, DIRECT_ACCESS: 0.3, BROWSING: 0.2}
  BROWSING: {LOGOUT: 0.5, ERROR: 0.5}
  ERROR: {BROWSING: 0.5, END: 0.5}
navigation:
  home: {"/": 1, "/blog": 2}
  "/products": {"/cart": 1}
  search: {"/products/*": 3}
urls:
  "/cart": {success: 0.9, not_found: 0.05, system_error: 0.05, next_pages: {"/checkout": 1}}
  "/about": {system_error: 0.5}
error_rates:
  global_500_rate: 0.1
  product_404_rate: 0.2
  cart_abandonment_rate: 0.3
  checkout_500: 0.4
  redirect_301: 0.05
  redirect_302: 0.06
  forbidden_access: 0.07
  auth_failure: 0.08
  high_error_pages:
    - path: "/products?categoryID=4"
      error_rate: 0.9
session:
  min_browsing_duration: 1
  max_browsing_duration: 2.5
  min_page_view_interval: 0.1
  max_page_view_interval: 0.2
  concurrent_users: 77
time_zone: Asia/Seoul
traffic_patterns:
  - time: 0-12
    multiplier: 2
  - time: "12-24"
    multiplier: 0
status_codes: {success: 204, not_found: 410, server_error: 503, forbidden: 451, unauthorized: 407, redirect_permanent: 308, redirect_temporary: 307}
user_agents: {desktop: ["A \"b\"", "ü"], mobile: [C]}
ip_ranges: [10.0.0.0/8, "2001:db8::/32", 192.0.2.7]
search_terms: [a, b c]
product_categories: [x]
profile_tabs: [y]
"#;

#[test]
fn every_key_is_taken() {
    let config = parse(EVERYTHING).unwrap().config;
    let default = AccessConfig::default();
    assert_eq!(config.output.rotation.when, When::Weekday(6));
    assert_eq!(config.output.directory, Path::new("/tmp/a \"b\""));
    assert_eq!(config.users.ip_ranges.len(), 3);
    assert_eq!(
        config.errors.high_error_pages,
        [("/products?categoryID=4".to_owned(), 0.9)]
    );
    // No value is the default by chance.
    let lines = |config: &AccessConfig| -> Vec<String> {
        let printed = print(config);
        let lines = printed
            .lines()
            .filter(|line| line.starts_with("  ") && line.contains(": "));
        lines.map(str::to_owned).collect()
    };
    let defaults = lines(&default);
    let same: Vec<String> = lines(&config)
        .into_iter()
        .filter(|line| defaults.contains(line))
        .collect();
    // Of states that are not named.
    let expected = [
        "    BROWSING: 0.9",
        "    ABANDON: 0.1",
        "    BROWSING: 0.8",
        "    LEAVE: 0.2",
        "    END: 1",
        "    END: 1",
        "    END: 1",
        "    DIRECT_ACCESS: 0.3",
    ];
    for line in &same {
        assert!(expected.contains(&line.as_str()), "{line}");
    }
}

/// The configuration of the documents of access-log-generator, and those of its guide and README.
#[test]
fn documented_files_are_taken_as_they_are() {
    let check = |text: &str, warnings: &[&str]| -> AccessConfig {
        let found = parse(text).unwrap();
        let said: Vec<String> = found.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), warnings.len(), "{said:?}");
        for (said, part) in said.iter().zip(warnings) {
            assert!(
                said.starts_with("a.yaml, line ") && said.contains(part),
                "{said}"
            );
        }
        found.config
    };
    let guide = "
output: {directory: ./logs, rate: 1, debug: false, pre_warm: false}
navigation:
  HOME: {\"/\": 0.2, \"/products\": 0.5, \"/search\": 0.3}
  LOGOUT: {\"/\": 1.0}
error_rates: {global_500: 0.001, product_404: 0.05, cart_abandon: 0.3}
session: {min_browsing_duration: 60, max_browsing_duration: 600, page_view_interval: 5}
traffic_patterns:
  - {time: \"0-6\", multiplier: 0.1}
  - {time: \"6-12\", multiplier: 0.5}
  - {time: \"12-18\", multiplier: 1.0}
  - {time: \"18-23\", multiplier: 0.3}
";
    let config = check(
        guide,
        &[
            "navigation.HOME is taken for navigation.home: use that key",
            "navigation.LOGOUT has no effect",
            "error_rates.global_500 is taken for error_rates.global_500_rate: use that key",
            "error_rates.product_404 is taken for error_rates.product_404_rate: use that key",
            "error_rates.cart_abandon is taken for error_rates.cart_abandonment_rate: use that key",
            "use session.min_page_view_interval and session.max_page_view_interval",
            "\"18-23\" is taken for \"18-24\"",
        ],
    );
    assert_eq!(config.errors.global_500_rate, 0.001);
    assert_eq!(config.errors.cart_abandonment_rate, 0.3);
    assert_eq!(config.session.min_page_view_interval, 2.5);
    assert_eq!(config.session.max_page_view_interval, 7.5);
    assert_eq!(by_hour(&config.traffic.patterns).unwrap()[23], 0.3);

    let readme = "
navigation:
  index: {\"/about\": 0.3, \"/products\": 0.5, \"/search\": 0.2}
  products: {\"/product/{id}\": 0.6, \"/cart\": 0.3, \"/search\": 0.1}
error_rates:
  global_500_rate: 0.001
  high_error_pages:
    \"/api/flaky\": 0.2
traffic_patterns:
  hourly: {\"0-6\": 0.1, \"6-9\": 0.8, \"9-17\": 1.0, \"17-22\": 0.6, \"22-24\": 0.3}
";
    let config = check(readme, &["navigation.index is taken for navigation.home"]);
    assert_eq!(
        config.errors.high_error_pages,
        [("/api/flaky".to_owned(), 0.2)]
    );
    assert_eq!(by_hour(&config.traffic.patterns).unwrap()[12], 1.0);

    let names = "
navigation:
  index: {products: 0.5, \"/about\": 0.5}
  HOME: {\"/search\": 1}
";
    let config = check(
        names,
        &[
            "navigation.index.products is taken for \"/products\": write that",
            "navigation.index is taken for navigation.home: use that key",
            "navigation.HOME has no effect: navigation.home is there under another name, and wins",
        ],
    );
    let pages = [("/products".to_owned(), 0.5), ("/about".to_owned(), 0.5)];
    assert_eq!(
        config.pages.navigation,
        [("home".to_owned(), pages.to_vec())]
    );

    let both = "error_rates: {global_500: 0.5, global_500_rate: 0.25}";
    let config = check(
        both,
        &[
            "error_rates.global_500 is another name of error_rates.global_500_rate, which is there too",
        ],
    );
    assert_eq!(config.errors.global_500_rate, 0.25);
}

#[test]
fn what_is_wrong_is_named_with_key_file_and_line() {
    let check = |text: &str, sentence: &str| {
        assert_eq!(
            parse(text).unwrap_err(),
            format!("a.yaml, {sentence}"),
            "{text}"
        );
    };
    check(
        "outptu: {}",
        "line 1: there is no key \"outptu\"; did you mean output?",
    );
    check(
        "output:\n  rotation: 1",
        "line 2: there is no key \"output.rotation\"; did you mean output.log_rotation?",
    );
    check(
        "output: {rate: 0}",
        "line 1: output.rate is \"0\", but must be a number of lines a second above 0, up to 100000000",
    );
    check(
        "output:\n  rate: -3",
        "line 2: output.rate is \"-3\", but must be a number of lines a second above 0, up to 100000000",
    );
    check(
        "output: {rate: .inf}",
        "line 1: output.rate is \".inf\", but must be a number of lines a second above 0, up to 100000000",
    );
    check(
        "output: {disk_guard: {min_free_gb: .NaN}}",
        "line 1: output.disk_guard.min_free_gb is \".nan\", but must be a number of gigabytes from 0 on",
    );
    check(
        "output: {rate: [1]}",
        "line 1: output.rate must be one value, not a list or a section",
    );
    check(
        "output: 5",
        "line 1: output must be a section: keys and their values",
    );
    check(
        "- a",
        "line 1: the file must be a section: keys and their values",
    );
    check(
        "output: {health_check: {port: 65536}}",
        "line 1: output.health_check.port is \"65536\", but must be a whole number from 0 to 65535",
    );
    check(
        "output: {log_rotation: {when: w7}}",
        "line 1: output.log_rotation.when is \"w7\", but must be one of s, m, h, d, midnight, w0 (Monday) to w6",
    );
    check(
        "output: {format: xml}",
        "line 1: output.format is \"xml\", but must be one of common, combined, vhost_combined, combined_time, json, w3c, simple",
    );
    check(
        "output: {site: example.com}",
        "line 1: output.site is \"example.com\", but must be a scheme and a host, like https://example.com",
    );
    check(
        "output: {debug: maybe}",
        "line 1: output.debug is \"maybe\", but must be true or false",
    );
    check(
        "output: {directory: \"a\\nb\"}",
        "line 1: output.directory is \"a\\nb\", but must be a text without control characters",
    );
    check(
        "\nstate_transitions:\n  LOGIN: {BROWSING: 0.9}",
        "line 3: state_transitions.LOGIN must sum to 1 (± 0.01), but sums to 0.9000",
    );
    check(
        "state_transitions: {LOGIN: {BROWSING: 1.02}}",
        "line 1: state_transitions.LOGIN.BROWSING is \"1.02\", but must be a number from 0 to 1",
    );
    check(
        "state_transitions: {LOGIN: {BROWSING: 0.5, ABANDON: 0.52}}",
        "line 1: state_transitions.LOGIN must sum to 1 (± 0.01), but sums to 1.0200",
    );
    check(
        "state_transitions: {LOGIN: {BROWSNG: 1}}",
        "line 1: state_transitions.LOGIN has no state BROWSNG; did you mean BROWSING?",
    );
    check(
        "state_transitions: {LOGN: {BROWSING: 1}}",
        "line 1: state_transitions has no state LOGN; did you mean LOGIN?",
    );
    check(
        "state_transitions: {START: {LEAVE: 1}}",
        "line 1: state_transitions.START cannot lead to LEAVE, only to LOGIN, DIRECT_ACCESS, BROWSING",
    );
    check(
        "state_transitions: {BROWSING: {BROWSING: 1}}",
        "line 1: state_transitions lets a session that comes to BROWSING never end; give it a way to END",
    );
    check(
        "navigation: {}",
        "line 1: navigation must have home: the pages that users open, with weights",
    );
    check(
        "navigation: {home: {a.b: 1}}",
        "line 1: navigation.home.a.b must be of a path like /products, and \"a.b\" is none",
    );
    check(
        "navigation: {home: {\"/\": 0}}",
        "line 1: navigation.home must have a page with a weight above 0",
    );
    check(
        "navigation: {home: {\"/\": -1}}",
        "line 1: navigation.home./ is \"-1\", but must be a weight: a number from 0 on",
    );
    check(
        "navigation: {home: {\"/a b\": 1}}",
        "line 1: navigation.home./a b must be of a path like /products, and \"/a b\" is none",
    );
    check(
        "error_rates: {global_500_rate: 2}",
        "line 1: error_rates.global_500_rate is \"2\", but must be a number from 0 to 1",
    );
    check(
        "error_rates: {high_error_pages: [{path: /a}]}",
        "line 1: error_rates.high_error_pages[0] must have a path and an error_rate",
    );
    check(
        "urls: {\"/a\": {success: 0.5, not_found: 0.1}}",
        "line 1: urls./a must have success, not_found and system_error that sum to 1 (± 0.01), but they sum to 0.6000",
    );
    check(
        "session:\n  min_browsing_duration: 500",
        "line 2: session.min_browsing_duration is 500, which is more than session.max_browsing_duration, 300",
    );
    check(
        "session: {max_browsing_duration: 5}",
        "line 1: session.max_browsing_duration is 5, which is less than session.min_browsing_duration, 10",
    );
    check(
        "traffic_patterns: {0-12: 1, 12-25: 1}",
        "line 1: traffic_patterns.12-25 is no time: it must be two hours from 0 to 24 with a dash between, like 6-9 or 21-2",
    );
    check(
        "session: {concurrent_users: 0}",
        "line 1: session.concurrent_users is \"0\", but must be a whole number from 1 to 100000",
    );
    check(
        "traffic_patterns:\n  - {time: 0-12, multiplier: 1}",
        "line 1: traffic_patterns has no pattern that covers the hour from 12 to 13",
    );
    check(
        "traffic_patterns: [{time: 0-25, multiplier: 1}]",
        "line 1: traffic_patterns[0].time is \"0-25\", but must be two hours from 0 to 24 with a dash between, like 6-9 or 21-2",
    );
    check(
        "traffic_patterns: [{time: 0-24, multiplier: -1}]",
        "line 1: traffic_patterns[0].multiplier is \"-1\", but must be a number from 0 on",
    );
    check(
        "traffic_patterns: [{time: 0-24, multiplier: 0}]",
        "line 1: traffic_patterns must have an hour with a multiplier above 0",
    );
    check(
        "traffic_patterns: [{time: 0-24}]",
        "line 1: traffic_patterns[0] must have a time and a multiplier",
    );
    check(
        "time_zone: Mars/Olympus",
        "line 1: time_zone is \"Mars/Olympus\", but must be the name of a time zone, like UTC or America/New_York",
    );
    check(
        "status_codes: {success: 99}",
        "line 1: status_codes.success is \"99\", but must be a whole number from 100 to 599",
    );
    check(
        "ip_ranges: [10.0.0.0/33]",
        "line 1: ip_ranges[0] is \"10.0.0.0/33\", but must be a network, like 10.0.0.0/8, or an address",
    );
    check(
        "user_agents: {tablet: []}",
        "line 1: there is no key \"user_agents.tablet\"",
    );
    check(
        "output: {rate: 1}\noutput: {rate: 2}",
        "line 2: the key \"output\" is there twice",
    );
}

proptest! {
    #[test]
    fn no_configuration_makes_it_panic(text in "(output|session|navigation|state_transitions|traffic_patterns|error_rates|urls|home|START|LOGIN|END|rate|: |- |\\{|\\}|\\[|\\]|,|\"|/|\n|  |[0-9.-]){0,40}") {
        if let Ok(found) = parse(&text) {
            prop_assert_eq!(parse(&print(&found.config)).map(|again| again.config), Ok(found.config));
        }
    }
}
