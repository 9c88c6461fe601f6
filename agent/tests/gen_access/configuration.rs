//! Files, variables and flags: which wins, and what is wrong with them.

use std::fs;

use serde_json::Value;

use super::{folder, generator, output};

#[test]
fn what_cannot_be_ends_it_with_one_sentence() {
    let folder = folder();
    let file = folder.path().join("a.yaml");
    let check = |text: &str, code: i32, sentence: &str| {
        fs::write(&file, text).unwrap();
        let (found, stdout, stderr) = output(generator("--listen off -q -n 1").arg(&file));
        assert_eq!(found, code, "{text}: {stderr}");
        assert_eq!(stdout, "");
        let sentence = sentence.replace("FILE", &file.display().to_string());
        assert_eq!(stderr, format!("tapline: {sentence}\n"), "{text}");
    };
    check(
        "output:\n  rat: 1\n",
        2,
        "FILE, line 2: there is no key \"output.rat\"; did you mean output.rate?",
    );
    check(
        "output: {rate: -1}",
        2,
        "FILE, line 1: output.rate is \"-1\", but must be a number of lines a second above 0, up to 100000000",
    );
    check(
        "state_transitions:\n  START: {LOGIN: 0.5}\n",
        2,
        "FILE, line 2: state_transitions.START must sum to 1 (± 0.01), but sums to 0.5000",
    );
    check(
        "traffic_patterns: [{time: 3-24, multiplier: 1}]",
        2,
        "FILE, line 1: traffic_patterns has no pattern that covers the hour from 0 to 1",
    );
    let nowhere = format!(
        "output: {{directory: {}/a.yaml/logs}}",
        folder.path().display()
    );
    check(
        &nowhere,
        1,
        &format!(
            "cannot make the folder {}/a.yaml/logs (output.directory); name another with --log-dir: Not a directory (os error 20)",
            folder.path().display()
        ),
    );
    let (code, _, stderr) = output(&mut generator("/nowhere/a.yaml"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: cannot read the configuration file /nowhere/a.yaml: No such file or directory (os error 2)\n"
        )
    );
    let (code, _, stderr) = output(generator("-n 1").env("LOG_GENERATOR_CONFIG_YAML_B64", "?"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: LOG_GENERATOR_CONFIG_YAML_B64: it is not base64 (RFC 4648)\n"
        )
    );
    let (code, _, stderr) = output(generator("-n 1").env("RATE_OVERRIDE", "fast"));
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "tapline: RATE_OVERRIDE is \"fast\", but must be a number of lines a second; 0: as fast as it goes\n"
        )
    );
    for flags in [
        "--rate -1",
        "--format xml",
        "--listen nowhere",
        "--output file",
        "--output - --log-dir x",
        "--json --output -",
        "--start 2199-01-01T00:00:00Z",
        "--start 2999-01-01T00:00:00Z -n 1",
    ] {
        let (code, stdout, stderr) = output(&mut generator(flags));
        assert_eq!((code, stdout.as_str()), (2, ""), "{flags}: {stderr}");
    }
}

#[test]
fn what_wins() {
    let folder = folder();
    let named = folder.path().join("named.yaml");
    fs::write(&named, "output: {rate: 1, directory: /named}").unwrap();
    let by_path = folder.path().join("by-path.yaml");
    fs::write(&by_path, "output: {rate: 4}").unwrap();
    let check = |flags: &str, variables: &[(&str, &str)], expected: &[&str]| {
        let mut command = generator(flags);
        command
            .arg("--print-config")
            .envs(variables.iter().copied());
        let (code, stdout, stderr) = output(&mut command);
        assert_eq!(code, 0, "{stderr}");
        for line in expected {
            assert!(
                stdout.lines().any(|found| found.trim() == *line),
                "{line}: {stdout}"
            );
        }
    };
    // output: {rate: 2}
    let base64 = ("LOG_GENERATOR_CONFIG_YAML_B64", "b3V0cHV0OiB7cmF0ZTogMn0=");
    let yaml = ("LOG_GENERATOR_CONFIG_YAML", "output: {rate: 3}");
    let path = ("LOG_GENERATOR_CONFIG_PATH", by_path.to_str().unwrap());
    let (rate, place) = (("RATE_OVERRIDE", "5"), ("LOG_DIR_OVERRIDE", "/over"));
    let named = named.to_str().unwrap();
    check(
        &format!("{named} --rate 6 --log-dir /flag"),
        &[base64, yaml, path, rate, place],
        &["rate: 6", "directory: \"/flag\""],
    );
    check(
        named,
        &[base64, yaml, path, rate, place],
        &["rate: 5", "directory: \"/over\""],
    );
    check(
        named,
        &[base64, yaml, path],
        &["rate: 1", "directory: \"/named\""],
    );
    check("", &[base64, yaml, path], &["rate: 2"]);
    check("", &[yaml, path], &["rate: 3"]);
    check("", &[path], &["rate: 4"]);
    check("", &[], &["rate: 10", "directory: \"/var/log/app\""]);
    check(
        &format!("{named} --log-dir-override /old"),
        &[],
        &["directory: \"/old\""],
    );
}

#[test]
fn the_printed_configuration_can_be_fed_back() {
    let (code, printed, _) = output(&mut generator("--print-config --format w3c --seed 3"));
    assert_eq!(code, 0);
    let folder = folder();
    let file = folder.path().join("a.yaml");
    fs::write(&file, &printed).unwrap();
    let (code, again, stderr) = output(generator("--print-config --seed 3").arg(&file));
    assert_eq!((code, stderr.as_str()), (0, ""));
    let tail = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(tail(&again), tail(&printed));
}

#[test]
fn a_printed_configuration_says_that_it_goes_as_fast_as_it_goes() {
    let check = |line: &str, variable: &str, rate: &str, is_free: bool| {
        let mut asked = generator(&format!("--print-config --seed 3 {line}"));
        let (code, printed, _) = output(asked.env("RATE_OVERRIDE", variable));
        assert_eq!(code, 0);
        assert!(
            printed.contains(&format!("\n# rate: {rate}\n")),
            "{printed}"
        );
        assert_eq!(
            printed.contains("--rate 0 or RATE_OVERRIDE=0"),
            is_free,
            "{printed}"
        );
    };
    check("", "7", "7", false);
    check("", "0", "0", true);
    check("--rate 0", "7", "0", true);
    check("--rate 5", "0", "5", false);
}

#[test]
fn version_exit_and_schema_say_what_they_should() {
    let (code, stdout, _) = output(
        generator("--version")
            .env("APP_VERSION", "v2.0.0")
            .env("GIT_COMMIT", "2429aee"),
    );
    assert_eq!(code, 0);
    assert!(stdout.starts_with("Access Log Generator\nVersion:     v2.0.0\nGit Commit:  2429aee\nBuild Date:  unknown\n"), "{stdout}");
    let (code, stdout, _) = output(&mut generator("--exit /nowhere/a.yaml"));
    assert_eq!(
        (code, stdout.as_str()),
        (0, "Exiting after pre-caching dependencies...\n")
    );
    let (code, stdout, _) = output(&mut generator("--schema json"));
    assert_eq!(code, 0);
    let schema: Value = serde_json::from_str(&stdout).unwrap();
    let pattern = "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-agent}i\"";
    assert_eq!(schema["access_log"]["pattern"], pattern);
    assert_eq!(schema["access_log"]["fields"].as_array().unwrap().len(), 9);
    let (code, stdout, _) = output(&mut generator("--schema markdown --format json"));
    assert_eq!(code, 0);
    assert!(stdout.contains("| total_us |"), "{stdout}");
}

#[test]
fn what_does_not_count_is_said() {
    let folder = folder();
    let named = folder.path().join("named.yaml");
    fs::write(&named, "error_rates: {global_500: 0.5}").unwrap();
    let check = |flags: &str, variables: &[(&str, &str)], sentences: &[&str]| {
        let mut command = generator(flags);
        command
            .args(["--print-config", "--seed", "1"])
            .envs(variables.iter().copied());
        let (code, stdout, stderr) = output(&mut command);
        assert_eq!(code, 0, "{stderr}");
        assert!(stdout.contains("\noutput:\n"), "{stdout}");
        let expected: Vec<String> = sentences
            .iter()
            .map(|sentence| format!("tapline: warning: {sentence}"))
            .collect();
        let said: Vec<&str> = stderr.lines().collect();
        assert_eq!(said, expected, "{flags}");
    };
    let path = named.display();
    check(
        &format!("{path}"),
        &[("LOG_GENERATOR_CONFIG_PATH", "/nowhere")],
        &[
            &format!(
                "{path}, line 1: error_rates.global_500 is taken for error_rates.global_500_rate: use that key"
            ),
            &format!("LOG_GENERATOR_CONFIG_PATH is set, but the configuration is {path}"),
        ],
    );
    check(
        "",
        &[
            ("LOG_GENERATOR_CONFIG_YAML", "output: {rate: 3}"),
            ("LOG_GENERATOR_CONFIG_PATH", "/nowhere"),
        ],
        &["LOG_GENERATOR_CONFIG_PATH is set, but LOG_GENERATOR_CONFIG_YAML wins"],
    );
    let over = [("RATE_OVERRIDE", "5"), ("LOG_DIR_OVERRIDE", "/over")];
    check("", &over, &[]);
    check(
        "--rate 1 --log-dir /x",
        &over,
        &[
            "RATE_OVERRIDE is set, but --rate wins",
            "LOG_DIR_OVERRIDE is set, but --log-dir wins",
        ],
    );
    check(
        "--output -",
        &over,
        &["LOG_DIR_OVERRIDE is set, but lines go to stdout: --output wins"],
    );
    check("-q --rate 1", &over, &[]);
}

#[test]
fn a_rate_of_0_is_as_fast_as_it_goes() {
    let mut command = generator("--output - -n 20000 --seed 1");
    let (code, stdout, stderr) = output(command.env("RATE_OVERRIDE", "0"));
    assert_eq!((code, stdout.lines().count()), (0, 20_000), "{stderr}");
    assert!(
        stderr.contains("to stdout, as fast as it goes;"),
        "{stderr}"
    );
}

#[test]
fn all_names_of_flags_are_told() {
    let (code, stdout, _) = output(&mut generator("--help"));
    assert_eq!(code, 0);
    assert!(stdout.contains("--log-dir-override"), "{stdout}");
}

#[test]
fn the_rate_that_is_said_is_that_of_the_hour() {
    let check = |flags: &str, rate: &str| {
        let (code, _, stderr) = output(&mut generator(flags));
        assert_eq!(code, 0, "{stderr}");
        let said = format!(", {rate}; stop with Ctrl-C");
        assert!(stderr.contains(&said), "{flags}: {stderr}");
    };
    const NIGHT: &str = "--dry-run -n 1 --seed 1 --start 2026-11-21T22:30:00Z";
    check(
        NIGHT,
        "the lines of 10 lines/s x 0.2 at the start, as fast as it goes",
    );
    check(
        &format!("{NIGHT} --rate 20 --pattern daily --speedup 1000"),
        "20 lines/s x 0.2 at the start",
    );
    check(&format!("{NIGHT} --rate 20"), "20 lines/s");
    check("--dry-run -n 1 --rate 1000", "1000 lines/s");
}
