//! What is asked for and cannot be, and what would be done.

use crate::{generator, output};

#[test]
fn wrong_usage_ends_with_2_and_names_the_flag() {
    let check = |line: &str, said: &str| {
        let (code, stdout, stderr) = output(&mut generator(line));
        assert_eq!((code, stdout.as_str()), (2, ""), "{line}: {stderr}");
        assert!(stderr.contains(said), "{line}: {stderr}");
    };
    check("--rate=-1", "--rate <N>");
    check("--interval 2", "--interval is the time between batches");
    check("-d -n 0", "--daemon makes batches");
    check("-d -i=-1", "--interval <SECONDS>");
    check(
        "--api-url ftp://x/",
        "--api-url: \"ftp://x/\" is no address",
    );
    check("--api-url http://x/ --sqlite d", "--sqlite");
    check("--sqlite d --output f", "--output");
    check("--format csv", "--output");
    check("--gzip", "--batch");
    check("--batch 0", "--batch <N>");
    check("--connections 0", "--connections <N>");
    check("--lang fr", "must be en or ko");
    check("--json --output -", "--json writes the account to stdout");
    // Behind a space too it is a value, and the sentence is ours.
    check(
        "-d -i -1",
        "'--interval <SECONDS>': must be a number of seconds",
    );
    check("--rate -1", "'--rate <N>': must be a number of records");
    check("-n -5", "'--count <N>': must be a whole number of records");
    check("--duration -1", "'--duration <TIME>': must be a duration");
    check("--seed -1", "'--seed <N>': must be a whole number");
    check("--retry -1s", "'--retry <TIME>': must be a duration");
    check("--batch -1", "'--batch <N>'");
    check(
        "--token-file /proc/no/such",
        "tapline: --token-file: cannot read the token in /proc/no/such",
    );
    check(
        "--token-file /dev/null",
        "tapline: --token-file: /dev/null: a token is one line",
    );
    for scheme in ["http", "https"] {
        check(
            &format!("--api-url {scheme}://localhost/ --ca-file /proc/no/such"),
            "tapline: --ca-file: cannot read certificates in PEM from /proc/no/such",
        );
    }
    check("--overwrite", "--output");
}

#[test]
fn the_outside_world_ends_with_1_and_names_the_path() {
    let check = |line: &str, said: &str| {
        let (code, _, stderr) = output(&mut generator(line));
        assert_eq!(code, 1, "{line}: {stderr}");
        assert!(
            stderr.lines().any(|line| line.starts_with(said)),
            "{line}: {stderr}"
        );
    };
    check(
        "--output /proc/no/such",
        "tapline: cannot open /proc/no/such: ",
    );
    check(
        "-n 100000 --output /dev/full",
        "tapline: cannot write to /dev/full; ",
    );
    check(
        "--sqlite /proc/no/such",
        "tapline: cannot store in /proc/no/such; make it writable or choose another with --sqlite: ",
    );
}

#[test]
fn the_configuration_is_printed() {
    let (code, stdout, _) = output(&mut generator("--print-config --seed 7"));
    assert_eq!(code, 0);
    let expected = "count: 10\nrate: 0\nduration: 0\nstart: now\nspeedup: 1\nseed: 7\njobs: 1\n\
        dry_run: false\ndaemon: false\nrealistic: false\nlang: en\n\
        api_url: \"http://localhost:8000/api\"\nbatch: 0\nconnections: 1\ngzip: false\nretry: 5000ms\n\
        token_file: \"\"\nca_file: \"\"\n";
    assert_eq!(stdout, expected);
    let check = |flags: &str, expected: &str| {
        let (code, stdout, _) = output(&mut generator(&format!("--print-config {flags}")));
        assert_eq!(code, 0);
        assert!(stdout.ends_with(expected), "{stdout}");
    };
    check(
        "--token-file t --ca-file c",
        "token_file: \"t\"\nca_file: \"c\"\n",
    );
    check("--sqlite d", "sqlite: \"d\"\n");
    check("--output -", "output: stdout\nformat: ndjson\n");
    check(
        "--output f --format csv --overwrite",
        "output: \"f\"\noverwrite: true\nformat: csv\n",
    );
}
