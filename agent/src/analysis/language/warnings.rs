//! Warnings in the languages of reports.

use super::Language;
use crate::analysis::report::{Warning, WarningKind};

/// What a warning says. The English sentence is its own; what is named in it (files, formats, what the
/// system says of an error) stays as it is in all languages.
#[must_use]
pub fn said(warning: &Warning, language: Language) -> String {
    match language {
        Language::English => warning.text.clone(),
        Language::Korean => korean(warning),
    }
}

fn korean(warning: &Warning) -> String {
    let Warning { kind, count, .. } = warning;
    let source = warning.source.as_deref().unwrap_or("입력");
    // What stands behind the name of the source, or behind the last colon.
    let rest = warning
        .text
        .strip_prefix(source)
        .map_or(warning.text.as_str(), str::trim_start);
    let detail = rest.rsplit_once(": ").map_or(rest, |(_, detail)| detail);
    match kind {
        WarningKind::Unread => format!("{source}: 읽을 수 없습니다 ({detail})"),
        WarningKind::Partial => {
            let problem = rest
                .split_once(": ")
                .map_or(rest, |(_, behind)| behind)
                .split("; the ")
                .next()
                .unwrap_or_default();
            format!("{source}: 일부만 읽었습니다 ({problem}). 그 앞의 {count}건은 집계했습니다")
        }
        WarningKind::Empty => format!("{source}: 비어 있습니다"),
        WarningKind::Failed => format!("{source}: {count}줄을 해석하지 못했습니다"),
        WarningKind::MixedFormats => {
            format!("{source}: 여러 형식의 줄이 섞여 있습니다 ({detail})")
        }
        WarningKind::Future => format!(
            "{count}건의 시각이 하루 넘게 미래입니다: 집계에는 들어가지만 시간별 통계에는 없습니다"
        ),
        WarningKind::NoTime => {
            format!("{count}건에는 시각이 없습니다: 집계에는 들어가지만 시간별 통계에는 없습니다")
        }
        WarningKind::NotUtf8 => {
            format!("{source}: UTF-8이 아닌 바이트가 있습니다. \\xNN으로 표시합니다")
        }
        WarningKind::Binary => format!("{source}: 이진 파일의 바이트가 있습니다"),
        WarningKind::LongLines => {
            format!("{source}: 1 MiB보다 긴 줄이 {count}개 있어 건너뛰었습니다")
        }
        WarningKind::UndeclaredNumber => format!(
            "{source}: 줄 끝에 숫자가 있습니다. 처리 시간이라면 --log-format combined_time(마이크로초) 또는 combined_seconds(초)로 알려 주세요"
        ),
        WarningKind::Skipped => {
            format!("{source}: 패턴에 맞지만 일반 파일이 아니어서 건너뛰었습니다")
        }
        WarningKind::Bounded => bounded(rest, *count),
        WarningKind::NothingAsked => {
            format!("읽은 {count}줄 가운데 요청한 시간이나 조건에 맞는 것이 없습니다")
        }
        WarningKind::Unpaired => {
            format!("{count}개의 응답은 로그에 요청이 없어 집계하지 않았습니다")
        }
    }
}

/// What there is a bound for, in Korean.
const BOUNDED: [(&str, &str); 6] = [
    ("paths", "경로"),
    ("clients", "클라이언트"),
    ("user agents", "사용자 에이전트"),
    ("referrers", "리퍼러"),
    ("hosts", "호스트"),
    ("endpoints", "엔드포인트"),
];

fn bounded(english: &str, count: u64) -> String {
    let name = english
        .strip_prefix("there are more ")
        .and_then(|rest| rest.split_once(" than "))
        .and_then(|(name, _)| BOUNDED.iter().find(|(known, _)| *known == name));
    match name {
        Some((_, name)) => {
            format!("{name}의 종류가 구분하는 한도보다 많습니다: {count}건은 그 외로 집계했습니다")
        }
        None if english.contains("48 hours") => {
            "로그가 48시간보다 깁니다: 분 단위 통계는 가장 최근 48시간만 있습니다".to_owned()
        }
        None if english.starts_with("paths, referrers") => {
            format!("경로, 리퍼러, 클라이언트의 분 단위 통계는 가장 최근 {count}건의 것입니다")
        }
        None => english.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_warning_is_said_in_both() {
        let check = |kind, source: Option<&str>, text: &str, expected: &str| {
            let warning = Warning {
                kind,
                source: source.map(str::to_owned),
                count: 3,
                text: text.to_owned(),
            };
            assert_eq!(said(&warning, Language::English), text);
            assert_eq!(said(&warning, Language::Korean), expected);
        };
        check(
            WarningKind::Unread,
            Some("a.log"),
            "a.log cannot be read: No such file or directory (os error 2)",
            "a.log: 읽을 수 없습니다 (No such file or directory (os error 2))",
        );
        check(
            WarningKind::Partial,
            Some("a.gz"),
            "a.gz was read in part: it is cut off; the 3 lines before are counted",
            "a.gz: 일부만 읽었습니다 (it is cut off). 그 앞의 3건은 집계했습니다",
        );
        check(
            WarningKind::MixedFormats,
            Some("a"),
            "a has lines of several formats: COMBINED, simple",
            "a: 여러 형식의 줄이 섞여 있습니다 (COMBINED, simple)",
        );
        check(
            WarningKind::Bounded,
            None,
            "there are more user agents than are told apart: 3 requests are counted as those of others",
            "사용자 에이전트의 종류가 구분하는 한도보다 많습니다: 3건은 그 외로 집계했습니다",
        );
        check(
            WarningKind::Unpaired,
            None,
            "3 responses have no request",
            "3개의 응답은 로그에 요청이 없어 집계하지 않았습니다",
        );
    }
}
