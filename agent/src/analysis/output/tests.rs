//! What every output does with hostile texts, and how a small report reads. Golden reports of the
//! program stand in `tests/report`.

mod sample;

use super::*;
use crate::analysis::insight;
use crate::analysis::prompts::Prompt;
use sample::{HOSTILE, report};

fn written(format: Format, style: &Style) -> String {
    let report = report(HOSTILE);
    let insights = insight::find(&report);
    let mut out = Vec::new();
    write(&report, &insights, format, style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn styles() -> Vec<Style> {
    let mut styles = Vec::new();
    for language in Language::ALL {
        let plain = Style::plain(*language);
        styles.push(plain);
        styles.push(Style {
            terminal: true,
            width: 60,
            ..plain
        });
    }
    styles
}

/// No control characters but line ends, nothing that turns or hides text.
#[test]
fn nothing_of_a_log_reaches_a_terminal_as_control() {
    for style in styles() {
        for format in [
            Format::Text,
            Format::Html,
            Format::Markdown,
            Format::Classic,
        ] {
            let text = written(format, &style);
            let odd = text.chars().find(|letter| {
                (letter.is_control() && *letter != '\n')
                    || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            });
            assert_eq!(odd, None, "{format:?}");
        }
    }
}

#[test]
fn nothing_of_a_log_is_markup_in_html() {
    let html = written(Format::Html, &Style::plain(Language::English));
    assert!(html.contains("&lt;script&gt;"), "the sample is in it");
    // All tags are ours.
    let tags: std::collections::BTreeSet<&str> = html
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split(['>', ' ', '\n']).next())
        .map(|name| name.trim_start_matches('/'))
        .collect();
    for tag in tags {
        assert!(
            [
                "!DOCTYPE",
                "html",
                "head",
                "meta",
                "title",
                "style",
                "body",
                "header",
                "h1",
                "p",
                "main",
                "dl",
                "div",
                "dt",
                "dd",
                "section",
                "h2",
                "ul",
                "li",
                "b",
                "span",
                "pre",
                "code",
                "figure",
                "svg",
                "line",
                "text",
                "path",
                "figcaption",
                "table",
                "thead",
                "tbody",
                "tr",
                "th",
                "td",
                "rect",
                "footer",
            ]
            .contains(&tag),
            "{tag}"
        );
    }
    for forbidden in [
        "http:", "https:", "url(", "@import", " src=", " href=", " onload",
    ] {
        let is_text = HOSTILE.contains(forbidden);
        assert!(is_text || !html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn nothing_of_a_log_is_markup_in_markdown() {
    let markdown = written(Format::Markdown, &Style::plain(Language::English));
    for line in markdown.lines() {
        // Outside of code spans there is no bracket, no tag and no link.
        let mut outside = String::new();
        let mut rest = line;
        while let Some(start) = rest.find('`') {
            outside.push_str(&rest[..start]);
            let fence = rest[start..]
                .chars()
                .take_while(|letter| *letter == '`')
                .count();
            let behind = &rest[start + fence..];
            let mut end = None;
            let mut at = 0;
            while let Some(found) = behind[at..].find('`') {
                let run = behind[at + found..]
                    .chars()
                    .take_while(|letter| *letter == '`')
                    .count();
                if run == fence {
                    end = Some(at + found + run);
                    break;
                }
                at += found + run;
            }
            let end = end.unwrap_or_else(|| panic!("a code span that does not end: {line}"));
            rest = &behind[end..];
        }
        outside.push_str(rest);
        assert!(!outside.contains(['<', '[', ']']), "{line}");
        assert!(
            !outside.contains("://") && !outside.contains("www."),
            "{line}"
        );
    }
}

#[test]
fn json_is_the_report_with_what_it_says() {
    for style in styles() {
        let text = written(Format::Json, &style);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["version"], 1);
        assert_eq!(document["totals"]["requests"], 1000);
        let insights = document["insights"].as_array().unwrap();
        assert!(!insights.is_empty());
        for insight in insights {
            for name in ["kind", "severity", "title", "text", "advice", "numbers"] {
                assert!(!insight[name].is_null(), "{name}: {insight}");
            }
        }
    }
}

#[test]
fn the_classic_file_is_as_documented() {
    let report = report("/api/admin/stats");
    let insights = insight::find(&report);
    let text = classic(&report, &insights, Language::Korean);
    let begin = "\
[개선 제안 및 인사이트]
---
- 가장 느린 엔드포인트: /api/admin/stats (평균 755.3ms, p90 1119.0ms, 400건)
  → DB 인덱스 추가, 캐싱, 쿼리 최적화, 비동기화 등을 고려하세요.
- 4xx 에러 집중 엔드포인트: /api/admin/stats(60건), /api/user/list(10건)
  → 입력값 검증, 인증/권한 체크, API 사용법 안내 강화 필요
- 5xx 에러 집중 엔드포인트: /api/admin/stats(30건)
  → 서버 예외처리, DB 연결/쿼리 오류, 외부 API 오류 등 점검 필요
- 트래픽 피크 시간대: 6시 (700건)
- 평균 응답시간이 가장 높은 시간대: 18시, 평균 248ms
- 4xx 에러율: 7.00% / 5xx 에러율: 3.00%

[LLM 활용 자연어 요약/이상탐지 프롬프트 샘플]
---
1. 다음은 서버 로그 분석 결과 요약입니다.
---
";
    assert!(text.starts_with(begin), "{text}");
    assert!(
        text.contains("\n2. 아래는 최근 서버 로그 일부입니다.\n---\naddress-1 asked\n---\n"),
        "{text}"
    );
    assert!(
        text.contains("\n3. 아래는 대시보드 주요 통계입니다.\n---\n"),
        "{text}"
    );
    let english = classic(&report, &insights, Language::English);
    assert_eq!(english.lines().count(), text.lines().count());
}

#[test]
fn a_report_of_nothing_can_be_written() {
    let report = Report::default();
    let insights = insight::find(&report);
    assert_eq!(insights, []);
    for style in styles() {
        for format in Format::ALL {
            let mut out = Vec::new();
            write(&report, &insights, *format, &style, &mut out).unwrap();
            assert!(!out.is_empty(), "{format:?}");
        }
        for prompt in Prompt::ALL {
            assert!(
                !prompt
                    .write(&report, &insights, style.language, false)
                    .is_empty()
            );
        }
    }
}

#[test]
fn prompts_tell_nothing_of_persons() {
    let report = report("/api/admin/stats");
    let insights = insight::find(&report);
    for prompt in Prompt::ALL {
        let masked = prompt.write(&report, &insights, Language::English, false);
        assert!(!masked.contains("203.0.113"), "{masked}");
        assert!(!masked.contains("hunter2"), "{masked}");
    }
    let text = Prompt::Anomalies.write(&report, &insights, Language::English, true);
    assert!(text.contains("203.0.113.9 asked"), "{text}");
}
