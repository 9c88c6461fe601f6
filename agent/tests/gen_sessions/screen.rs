//! What a person reads: lines for records and batches, in two languages.

use std::io::{BufRead as _, BufReader};

use crate::back_end::nobody;
use crate::program::Running;
use crate::{generator, output, serve};

#[test]
fn batches_are_cumulative_and_end_with_an_account() {
    let folder = tempfile::tempdir().unwrap();
    let (_serve, url) = serve(folder.path());
    for (language, begins, batch, done, ends) in [
        (
            "en",
            "[DAEMON] Starting (batch size: 5, interval: 0.2s)",
            "Generating batch...",
            "[OK] 5/5 sent (",
            "[STOP] Generated: ",
        ),
        (
            "ko",
            "🚀 데몬 모드 시작 (배치 크기: 5, 간격: 0.2초)",
            "배치 생성 중...",
            "✅ 5/5 전송 완료 (",
            "🛑 중지: 생성 ",
        ),
    ] {
        let line = format!("-d -n 5 -i 0.2 --api-url {url} --lang {language}");
        let mut child = Running::start(&mut generator(&line));
        let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
        let mut seen = Vec::new();
        // Until the third batch is over.
        while seen
            .iter()
            .filter(|line: &&String| line.starts_with(done))
            .count()
            < 3
        {
            seen.push(lines.next().unwrap().unwrap());
        }
        child.signal("INT");
        seen.extend(lines.map(Result::unwrap));
        let (code, stderr) = child.end();
        assert_eq!(code, 0);
        assert_eq!(seen[3], begins);
        assert!(seen[4].ends_with(&url), "{}", seen[4]);
        let totals: Vec<&String> = seen.iter().filter(|line| line.starts_with(done)).collect();
        for (number, line) in (1..).zip(totals) {
            assert!(line.ends_with(&format!(": {0}/{0}", number * 5)), "{line}");
        }
        let stamp = seen.iter().find(|line| line.ends_with(batch)).unwrap();
        // [2026-02-10 13:45:00] …
        assert_eq!(
            (stamp.as_bytes()[0], stamp.as_bytes()[20]),
            (b'[', b']'),
            "{stamp}"
        );
        assert!(seen.last().unwrap().starts_with(ends), "{seen:?}");
        assert!(
            stderr.contains(" records, ") && stderr.contains("0 refused"),
            "{stderr}"
        );
    }
}

#[test]
fn the_language_is_that_of_the_environment() {
    let check = |variable: &str, value: &str, flags: &str, expected: &str| {
        let line = format!("-n 1 --dry-run {flags}");
        let (code, stdout, _) = output(generator(&line).env(variable, value));
        assert_eq!(code, 0);
        assert!(stdout.contains(expected), "{stdout}");
    };
    check("LANG", "ko_KR.UTF-8", "", "✅ 완료: 로그 1개 생성");
    check(
        "LANG",
        "ko_KR.UTF-8",
        "--lang en",
        "[DONE] 1 logs generated, none sent (dry run)",
    );
    check("LANG", "C.UTF-8", "", "[DONE] 1 ");
    check("LANG", "C.UTF-8", "--lang ko", "📊 1개의 로그 생성 중...");
}

#[test]
fn quiet_leaves_out_the_line_of_each_record() {
    let (_, stdout, stderr) = output(&mut generator("-n 20 -q --dry-run --seed 1"));
    assert_eq!(stdout.lines().count(), 7, "{stdout}");
    assert!(
        stdout.ends_with("[DONE] 20 logs generated, none sent (dry run)\n"),
        "{stdout}"
    );
    assert_eq!(stderr, "");
}

#[test]
fn in_korean_the_cause_is_korean_too() {
    let line = format!("-n 1 --retry 0 --lang ko --api-url http://{}/api", nobody());
    let (code, stdout, _) = output(&mut generator(&line));
    assert_eq!(code, 4);
    let error = stdout.lines().find(|line| line.starts_with("[ERROR] "));
    let (_, cause) = error
        .unwrap()
        .split_once("API 전송 실패: [1] 127.0.0.1 포트 ")
        .unwrap();
    assert!(cause.contains("연결이 거부됨"), "{cause}");
    assert!(
        !cause.bytes().any(|byte| byte.is_ascii_alphabetic()),
        "{cause}"
    );
}

#[test]
fn the_seed_is_said_once_and_not_before_a_failure() {
    let (_, _, stderr) = output(&mut generator("-n 3 --dry-run"));
    assert_eq!(stderr.matches("seed=").count(), 1, "{stderr}");
    for line in ["--output /proc/no/such", "--sqlite /proc/no/such"] {
        let (_, _, stderr) = output(&mut generator(line));
        assert!(!stderr.contains("seed="), "{stderr}");
    }
}
