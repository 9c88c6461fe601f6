//! Files that no server writes, or that something happened to.

use super::{Folder, line, warnings};

#[test]
fn damage_is_counted_and_named_and_the_rest_is_analysed() {
    let good = line(0, "/", 200);
    let mut long = vec![b'x'; 10 << 20];
    long.extend_from_slice(b"\n");
    long.extend_from_slice(good.as_bytes());
    let mixed = format!("{good}{good}2026-11-01T00:00:00Z GET /x 200 5ms\n");
    let binary: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let not_utf8 = [
        good.as_bytes(),
        b"\xff\xfe\n",
        &good.as_bytes()[..20],
        b"\xe4\n",
    ]
    .concat();
    let dates = format!("{good}{}", good.replace("01/Nov", "99/Foo"));
    let future = format!("{good}{}", good.replace("2026", "2099"));
    let folder = Folder::new(&[
        ("empty", b""),
        ("long", &long),
        ("mixed", mixed.as_bytes()),
        ("binary", &binary),
        ("not_utf8", &not_utf8),
        ("dates", dates.as_bytes()),
        ("future", future.as_bytes()),
        ("good", good.as_bytes()),
    ]);
    let check = |name: &str, requests: u64, failed: u64, kind: &str| {
        let (report, code) = folder.json(&[name, "good"]);
        assert_eq!(code, 0, "{name}");
        assert_eq!(report["totals"]["requests"], requests + 1, "{name}");
        assert_eq!(report["lines"]["failed"], failed, "{name}");
        assert!(
            warnings(&report).contains(&kind),
            "{name}: {}",
            report["warnings"]
        );
        let samples = report["lines"]["failed_samples"].as_array().unwrap();
        assert_eq!(samples.is_empty(), failed == 0, "{name}");
        for sample in samples {
            assert_eq!(sample["source"], name);
            let text = sample["text"].as_str().unwrap();
            assert!(
                text.len() < 1000 && !text.contains(char::is_control),
                "{name}"
            );
        }
    };
    check("empty", 0, 0, "empty");
    check("long", 1, 1, "long_lines");
    check("mixed", 3, 0, "mixed_formats");
    check("not_utf8", 1, 2, "not_utf8");
    check("dates", 1, 1, "failed");
    check("future", 2, 0, "future");
    check("nothing there", 0, 0, "unread");
    let (report, code) = folder.json(&["binary", "good"]);
    assert_eq!((&report["totals"]["requests"], code), (&1.into(), 0));
    assert!(warnings(&report).contains(&"binary"));
    let number = |name: &str| report["lines"][name].as_u64().unwrap();
    let sum = number("parsed") + number("failed") + number("ignored");
    assert_eq!(number("read"), sum);
}

#[test]
fn only_where_nothing_could_be_read_it_fails() {
    let folder = Folder::new(&[("empty", b""), ("nonsense", b"a\nb\n")]);
    let code = |arguments: &[&str]| folder.json(arguments).1;
    assert_eq!(code(&["nothing there"]), 1);
    assert_eq!(code(&["."]), 1);
    assert_eq!(code(&["nonsense"]), 1);
    assert_eq!(code(&["nonsense", "nothing there"]), 1);
    assert_eq!(code(&["empty"]), 0);
    assert_eq!(code(&["nothing there", "empty"]), 0);
}

/// What a stranger puts into a log stays text, wherever it is shown.
#[test]
fn nothing_from_a_log_controls_a_terminal() {
    let nasty = line(0, "/<script>alert(1)</script>\\x1b[31m\u{202e}x", 404)
        .replace("curl/8.5.0", "\\x1b]0;owned\\x07 <img src=x onerror=y>");
    let folder = Folder::new(&[("a", nasty.as_bytes())]);
    for format in ["text", "json", "html", "markdown", "classic", "lines"] {
        let output = folder.report(&["a", "--format", format]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{format}");
        let text = String::from_utf8(output.stdout).unwrap();
        let is_control = |letter: char| letter.is_control() && letter != '\n' && letter != '\t';
        assert!(!text.contains(is_control), "{format}");
        assert!(!text.contains('\u{202e}'), "{format}");
        if format == "html" {
            assert!(!text.contains("<script>alert") && !text.contains("<img"));
        }
    }
}
