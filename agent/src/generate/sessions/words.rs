//! What the generator says to a person, in English or in Korean.

use std::ffi::OsStr;

use super::api::Numbers;
use super::causes::korean;
use crate::config::Refusal;
use crate::sink::api::direct::Why;

/// The language of what is said.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Korean.
    Korean,
}

/// A line of this many `=` is above and below the title.
const WIDTH: usize = 80;

impl Language {
    /// The language that the environment asks for: `LC_ALL`, `LC_MESSAGES` and `LANG`, of which the
    /// first counts that is there and not empty.
    #[must_use]
    pub fn of_environment<'a>(variable: impl Fn(&str) -> Option<&'a OsStr>) -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(variable)
            .find(|value| !value.is_empty());
        let text = set.and_then(OsStr::to_str).unwrap_or_default();
        // `ko`, `ko_KR.UTF-8`, `korean`.
        let word = text.split(['_', '.', '@']).next().unwrap_or_default();
        match matches!(word, "ko" | "korean") {
            true => Self::Korean,
            false => Self::English,
        }
    }

    /// The title.
    #[must_use]
    pub fn title(self) -> String {
        let rule = "=".repeat(WIDTH);
        let title = match self {
            Self::English => "log-gen: Traffic Log Generator",
            Self::Korean => "🔥 log-gen: 트래픽 로그 생성 툴",
        };
        format!("{rule}\n{title}\n{rule}\n")
    }

    /// So many records are going to be made; `None`: without end.
    #[must_use]
    pub fn begins(self, count: Option<u64>) -> String {
        match (self, count) {
            (Self::English, Some(count)) => format!("[INFO] Generating {count} logs...\n\n"),
            (Self::English, None) => "[INFO] Generating logs without end...\n\n".to_owned(),
            (Self::Korean, Some(count)) => format!("📊 {count}개의 로그 생성 중...\n\n"),
            (Self::Korean, None) => "📊 끝없이 로그 생성 중...\n\n".to_owned(),
        }
    }

    /// So many of so many records were sent.
    #[must_use]
    pub fn done(self, sent: u64, count: u64) -> String {
        match self {
            Self::English => format!("\n[DONE] {sent}/{count} logs sent successfully\n"),
            Self::Korean => {
                let mark = mark(sent, count);
                format!("\n{mark} 완료: {sent}/{count} 로그 전송 성공\n")
            }
        }
    }

    /// So many records were made, and none sent.
    #[must_use]
    pub fn done_dry(self, made: u64) -> String {
        match self {
            Self::English => format!("\n[DONE] {made} logs generated, none sent (dry run)\n"),
            Self::Korean => format!("\n✅ 완료: 로그 {made}개 생성, 전송 안 함 (dry run)\n"),
        }
    }

    /// Batches of so many begin, every `interval` seconds; `target` is where they go.
    #[must_use]
    pub fn daemon_begins(self, size: u64, interval: f64, target: &str) -> String {
        match self {
            Self::English => format!(
                "[DAEMON] Starting (batch size: {size}, interval: {interval:?}s)\n\
                 [API] Backend: {target}\nPress Ctrl+C to stop.\n\n"
            ),
            Self::Korean => format!(
                "🚀 데몬 모드 시작 (배치 크기: {size}, 간격: {interval:?}초)\n\
                 📡 Backend API: {target}\n종료하려면 Ctrl+C를 누르세요.\n\n"
            ),
        }
    }

    /// A batch begins at this time of day.
    #[must_use]
    pub fn batch_begins(self, time: &str) -> String {
        match self {
            Self::English => format!("[{time}] Generating batch...\n"),
            Self::Korean => format!("[{time}] 배치 생성 중...\n"),
        }
    }

    /// A batch of `size` records ended after so many seconds, and what all came to so far.
    #[must_use]
    pub fn batch_done(self, sent: u64, size: u64, seconds: f64, all_sent: u64, all: u64) -> String {
        match self {
            Self::English => {
                format!("[OK] {sent}/{size} sent ({seconds:.2}s) | Total: {all_sent}/{all}\n\n")
            }
            Self::Korean => {
                let mark = mark(sent, size);
                format!(
                    "{mark} {sent}/{size} 전송 완료 ({seconds:.2}초) | 누적: {all_sent}/{all}\n\n"
                )
            }
        }
    }

    /// Batches end.
    #[must_use]
    pub fn daemon_ends(self, made: u64, sent: u64) -> String {
        match self {
            Self::English => format!("[STOP] Generated: {made}, Sent: {sent}\n"),
            Self::Korean => format!("🛑 중지: 생성 {made}, 전송 {sent}\n"),
        }
    }

    /// These records could not be sent.
    #[must_use]
    pub(crate) fn failed(self, records: &Numbers, why: &Why) -> String {
        match self {
            Self::English => format!("[ERROR] sending to the API failed: {records} {why}\n"),
            Self::Korean => format!("[ERROR] API 전송 실패: {records} {}\n", korean(why)),
        }
    }

    /// So many more failures are not said one by one.
    #[must_use]
    pub fn failed_more(self, count: u64) -> String {
        match self {
            Self::English => format!("[ERROR] {count} more failures like these\n"),
            Self::Korean => format!("[ERROR] 같은 실패 {count}건 더 있음\n"),
        }
    }
}

impl std::str::FromStr for Language {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "en" => Ok(Self::English),
            "ko" => Ok(Self::Korean),
            _ => Err(Refusal::new("must be en or ko")),
        }
    }
}

/// A tick where something was sent, or nothing was to be.
const fn mark(sent: u64, count: u64) -> &'static str {
    if sent > 0 || count == 0 { "✅" } else { "❌" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        let check = |variables: &[(&str, &'static str)], expected| {
            let language = Language::of_environment(|name| {
                let found = variables.iter().find(|(one, _)| *one == name);
                found.map(|(_, value)| OsStr::new(*value))
            });
            assert_eq!(language, expected, "{variables:?}");
        };
        check(&[], Language::English);
        check(&[("LANG", "ko_KR.UTF-8")], Language::Korean);
        check(&[("LANG", "ko")], Language::Korean);
        check(&[("LANG", "kok_IN")], Language::English);
        check(&[("LANG", "en_US.UTF-8")], Language::English);
        check(&[("LC_ALL", "C"), ("LANG", "ko_KR")], Language::English);
        check(&[("LC_ALL", ""), ("LANG", "ko_KR")], Language::Korean);
        check(
            &[("LC_MESSAGES", "ko_KR"), ("LANG", "de_DE")],
            Language::Korean,
        );
    }

    #[test]
    fn lines_are_those_of_the_document() {
        let check = |text: String, expected: &str| assert_eq!(text.trim(), expected);
        let korean = Language::Korean;
        check(korean.begins(Some(10)), "📊 10개의 로그 생성 중...");
        check(korean.done(10, 10), "✅ 완료: 10/10 로그 전송 성공");
        check(
            korean.daemon_begins(50, 2.0, "http://localhost:8000/api"),
            "🚀 데몬 모드 시작 (배치 크기: 50, 간격: 2.0초)\n\
             📡 Backend API: http://localhost:8000/api\n종료하려면 Ctrl+C를 누르세요.",
        );
        check(
            korean.batch_begins("2026-02-10 13:45:00"),
            "[2026-02-10 13:45:00] 배치 생성 중...",
        );
        check(
            korean.batch_done(50, 50, 0.517, 100, 100),
            "✅ 50/50 전송 완료 (0.52초) | 누적: 100/100",
        );
        check(
            korean.batch_done(0, 50, 0.517, 0, 50),
            "❌ 0/50 전송 완료 (0.52초) | 누적: 0/50",
        );
        let english = Language::English;
        check(english.done(9, 10), "[DONE] 9/10 logs sent successfully");
        check(
            english.batch_done(50, 50, 0.5, 100, 100),
            "[OK] 50/50 sent (0.50s) | Total: 100/100",
        );
        check(english.daemon_ends(3, 2), "[STOP] Generated: 3, Sent: 2");
    }
}
