//! An insight in words.

use super::{Also, Insight, Kind, Number, Severity, Subject, Unit};
use crate::analysis::language::{Language, Texts, fill};

/// Parts of a fault that are named, of all that were found.
const ALSO: usize = 6;

/// A text of the log within what is said.
#[derive(Clone, Copy, Debug)]
pub enum Part<'a> {
    /// A client.
    Client(&'a str),
    /// An endpoint or a service.
    Name(&'a str),
}

impl Part<'_> {
    /// As it stands in the log.
    #[must_use]
    pub fn shown(self) -> String {
        let (Self::Client(text) | Self::Name(text)) = self;
        text.to_owned()
    }
}

/// What an insight says, in one language. The texts hold parts of the log: they are escaped by
/// whoever writes them out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words {
    /// How grave it is.
    pub severity: &'static str,
    /// What it is.
    pub title: &'static str,
    /// The numbers.
    pub text: String,
    /// What to do.
    pub advice: &'static str,
}

impl Insight {
    /// What it says. `show` is what is done with texts of the log.
    #[must_use]
    pub fn words(&self, language: Language, show: &mut dyn FnMut(Part<'_>) -> String) -> Words {
        let texts = language.texts();
        let (title, text, advice) = of_kind(texts, self.kind);
        let subject = self.subject.as_ref();
        let subject = subject.map(|subject| say(subject, language, show));
        let subject = subject.unwrap_or_else(|| texts.nowhere.to_owned());
        let time = |time: Option<jiff::Timestamp>| {
            time.map(|time| time.strftime("%Y-%m-%d %H:%M:%S").to_string())
                .unwrap_or_default()
        };
        let mut values = vec![
            ("subject", subject),
            ("from", time(self.from)),
            ("to", time(self.to)),
        ];
        values.extend(
            self.numbers
                .iter()
                .map(|number| (number.name, number.said())),
        );
        let mut text = fill(text, &values);
        if !self.also.is_empty() {
            let list: Vec<String> = self
                .also
                .iter()
                .take(ALSO)
                .map(|also| also.words(language, show))
                .collect();
            text.push_str(". ");
            text.push_str(&fill(texts.also, &[("list", list.join(", "))]));
        }
        Words {
            severity: severity(texts, self.severity),
            title,
            text,
            advice,
        }
    }
}

impl Also {
    /// Its title, and what it is about.
    fn words(&self, language: Language, show: &mut dyn FnMut(Part<'_>) -> String) -> String {
        let (title, _, _) = of_kind(language.texts(), self.kind);
        match &self.subject {
            Some(subject) => format!("{title} ({})", say(subject, language, show)),
            None => title.to_owned(),
        }
    }
}

impl Number {
    /// As a person reads it.
    #[must_use]
    pub fn said(&self) -> String {
        match self.unit {
            Unit::Count => format!("{:.0}", self.value),
            Unit::PerMinute if self.value < 10.0 => format!("{:.1}", self.value),
            Unit::PerMinute => format!("{:.0}", self.value),
            Unit::Percent => format!("{:.2} %", self.value),
            Unit::ChangePercent => format!("{:+.1} %", self.value),
            Unit::Microseconds => milliseconds(self.value),
        }
    }
}

/// Milliseconds with as many digits as say something.
#[must_use]
pub(in crate::analysis) fn milliseconds(microseconds: f64) -> String {
    let milliseconds = microseconds / 1000.0;
    match milliseconds {
        _ if milliseconds < 1.0 => format!("{milliseconds:.3}ms"),
        _ if milliseconds < 10_000.0 => format!("{milliseconds:.1}ms"),
        _ => format!("{:.1}s", milliseconds / 1000.0),
    }
}

fn say(subject: &Subject, language: Language, show: &mut dyn FnMut(Part<'_>) -> String) -> String {
    let texts = language.texts();
    match subject {
        Subject::Endpoint(name) | Subject::Service(name) => show(Part::Name(name)),
        Subject::Client(client) => show(Part::Client(client)),
        Subject::Hour(hour) => match language {
            Language::English => format!("{hour:02}:00"),
            Language::Korean => format!("{hour}시"),
        },
        Subject::Endpoints(rows) => {
            let rows = rows.iter().map(|(name, count)| {
                let values = [
                    ("subject", show(Part::Name(name))),
                    ("count", count.to_string()),
                ];
                fill(texts.classic_item, &values)
            });
            rows.collect::<Vec<String>>().join(", ")
        }
    }
}

fn severity(texts: &Texts, severity: Severity) -> &'static str {
    match severity {
        Severity::Info => texts.severity_info,
        Severity::Notice => texts.severity_notice,
        Severity::Warning => texts.severity_warning,
        Severity::Critical => texts.severity_critical,
    }
}

/// Title, text and advice.
fn of_kind(texts: &Texts, kind: Kind) -> (&'static str, &'static str, &'static str) {
    macro_rules! three {
        ($title:ident, $text:ident, $advice:ident) => {
            (texts.$title, texts.$text, texts.$advice)
        };
    }
    match kind {
        Kind::SlowestEndpoint => three!(
            slowest_endpoint_title,
            slowest_endpoint_text,
            slowest_endpoint_advice
        ),
        Kind::ClientErrors => three!(
            client_errors_title,
            client_errors_text,
            client_errors_advice
        ),
        Kind::ServerErrors => three!(
            server_errors_title,
            server_errors_text,
            server_errors_advice
        ),
        Kind::BusiestHour => three!(busiest_hour_title, busiest_hour_text, busiest_hour_advice),
        Kind::SlowestHour => three!(slowest_hour_title, slowest_hour_text, slowest_hour_advice),
        Kind::ErrorRates => three!(error_rates_title, error_rates_text, error_rates_advice),
        Kind::ServerErrorsRose => three!(
            server_errors_rose_title,
            server_errors_rose_text,
            server_errors_rose_advice
        ),
        Kind::ClientErrorsRose => three!(
            client_errors_rose_title,
            client_errors_rose_text,
            client_errors_rose_advice
        ),
        Kind::UnansweredRose => three!(
            unanswered_rose_title,
            unanswered_rose_text,
            unanswered_rose_advice
        ),
        Kind::FailuresRose => three!(
            failures_rose_title,
            failures_rose_text,
            failures_rose_advice
        ),
        Kind::WarningsRose => three!(
            warnings_rose_title,
            warnings_rose_text,
            warnings_rose_advice
        ),
        Kind::MoreRequests => three!(
            more_requests_title,
            more_requests_text,
            more_requests_advice
        ),
        Kind::FewerRequests => three!(
            fewer_requests_title,
            fewer_requests_text,
            fewer_requests_advice
        ),
        Kind::Slower => three!(slower_title, slower_text, slower_advice),
        Kind::EndpointSlower => three!(
            endpoint_slower_title,
            endpoint_slower_text,
            endpoint_slower_advice
        ),
        Kind::EndpointErrors => three!(
            endpoint_errors_title,
            endpoint_errors_text,
            endpoint_errors_advice
        ),
        Kind::Scanner => three!(scanner_title, scanner_text, scanner_advice),
        Kind::BruteForce => three!(brute_force_title, brute_force_text, brute_force_advice),
        Kind::ClientShare => three!(client_share_title, client_share_text, client_share_advice),
        Kind::ClientBurst => three!(client_burst_title, client_burst_text, client_burst_advice),
        Kind::UnansweredShare => three!(
            unanswered_share_title,
            unanswered_share_text,
            unanswered_share_advice
        ),
        Kind::ComparedRate => three!(
            compared_rate_title,
            compared_rate_text,
            compared_rate_advice
        ),
        Kind::ComparedErrors => three!(
            compared_errors_title,
            compared_errors_text,
            compared_errors_advice
        ),
        Kind::ComparedLatency => three!(
            compared_latency_title,
            compared_latency_text,
            compared_latency_advice
        ),
    }
}
