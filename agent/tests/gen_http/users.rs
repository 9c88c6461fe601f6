//! The users of `gen access` as load: what they ask for is what their lines say.

use super::*;

/// The words of a line in the combined format that traffic shows too.
fn line_words(line: &str) -> (String, String, String, String) {
    let parts: Vec<&str> = line.split('"').collect();
    let address = line.split(' ').next().unwrap();
    (
        address.to_owned(),
        parts[1].trim_end_matches(" HTTP/1.1").to_owned(),
        parts[3].to_owned(),
        parts[5].to_owned(),
    )
}

fn head_words(head: &str) -> (String, String, String, String) {
    let field = |name: &str| {
        let mut lines = head.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or("-").to_owned()
    };
    let line = head.lines().next().unwrap();
    (
        field("X-Forwarded-For"),
        line.trim_end_matches(" HTTP/1.1").to_owned(),
        field("Referer"),
        field("User-Agent"),
    )
}

#[test]
fn users_ask_what_their_lines_say() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/access.yaml");
    let shipped = fs::read_to_string(shipped).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("access.yaml");
    // Few users, and all there may be, in parts; also past the end of an hour.
    for (rate, count, start) in [
        (20, 1500, "2026-11-21T10:59:30Z"),
        (20_000, 3000, "2026-11-21T10:59:59.95Z"),
    ] {
        let with_rate: Vec<String> = shipped
            .lines()
            .map(|line| match line.trim_start().starts_with("rate: ") {
                true => format!("  rate: {rate}"),
                false => line.to_owned(),
            })
            .collect();
        fs::write(&config, with_rate.join("\n")).unwrap();
        let file = config.display();
        let (address, seen) = recorder();
        let (code, account) = load(&format!(
            "http://{address} --users {file} --seed 7 --start {start} -n {count} -c 1 --timeout 60s"
        ));
        assert_eq!(code, 0, "{account}");
        let (code, lines, stderr) = output(&mut tapline(&format!(
            "access {file} --seed 7 --start {start} -n {count} --output - -q --jobs 2"
        )));
        assert_eq!(code, 0, "{stderr}");
        let lines: Vec<_> = lines.lines().map(line_words).collect();
        let seen = seen.lock().unwrap();
        let heads: Vec<_> = seen.iter().map(|head| head_words(head)).collect();
        assert_eq!((heads.len(), lines.len()), (count, count));
        for (number, (head, line)) in heads.iter().zip(&lines).enumerate() {
            assert_eq!(head, line, "{number} of {rate}/s");
        }
        let methods: BTreeSet<&str> = heads
            .iter()
            .map(|(_, line, ..)| line.split(' ').next().unwrap())
            .collect();
        assert_eq!(methods, BTreeSet::from(["GET", "POST"]));
    }
}

#[test]
fn the_seed_decides_what_users_ask_however_many_threads() {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/access.yaml");
    let ask = |threads: u32, seed: u32| {
        let (address, seen) = recorder();
        let (code, account) = load(&format!(
            "http://{address} --users {} --seed {seed} --start 2026-01-01T00:00:00Z -n 600 -c 4 -t {threads} --stamp",
            config.display()
        ));
        assert_eq!(code, 0, "{account}");
        let mut heads = seen.lock().unwrap().clone();
        heads.sort_by_key(|head| {
            let (_, behind) = head.split_once("X-Tapline-Stamp: ").unwrap();
            behind.lines().next().unwrap().parse::<u64>().unwrap()
        });
        heads
            .iter()
            .map(|head| head_words(head))
            .collect::<Vec<_>>()
    };
    let one = ask(1, 5);
    assert_eq!(one.len(), 600);
    assert!(one == ask(3, 5));
    assert!(one != ask(1, 6));
}
