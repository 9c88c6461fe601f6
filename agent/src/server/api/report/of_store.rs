//! The report of a store: from its roll-ups, whatever it holds. What these do not know (paths,
//! referrers, what single clients did in a minute) is that of the newest exchanges, as many as there
//! is time for.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::tallies;
use crate::analysis::format::Entry;
use crate::analysis::report::{
    Asked, Client, Hour, HourPeak, Lines, Named, Report, SlowRequest, Source, SourceState, Span,
    Table, Totals, VERSION, Warning, WarningKind, Window, Windows,
};
use crate::analysis::statistics::Statistics;
use crate::http::exchange::record::{ExchangeRecord, Outcome};
use crate::sink::sqlite::tally::Tally;
use crate::store::{By, Order, Question, ReadError, Store};

/// Rows of a table.
const ROWS: usize = 50;
/// Seconds of a step of the detectors, and how many steps there are.
const STEP: i64 = 60;
const STEPS: i64 = 2880;
/// Exchanges that are looked at one by one, and how long.
const EXCHANGES: u64 = 10_000;
const PAGE: usize = 2500;
const TIME: Duration = Duration::from_millis(60);
/// Slowest requests.
const SLOWEST: usize = 20;

/// The report of what is asked for. `name`: the folder of the store.
///
/// # Errors
/// A database cannot be read.
pub(super) fn report(
    store: &Store,
    name: &str,
    question: &Question,
    now: Timestamp,
) -> Result<Report, ReadError> {
    // It goes through the hours one by one.
    let question = &store.within_days(question);
    let newest = newest(store, question, now)?;
    let near = Question {
        from: question.from.max(back(question.to, STEP * STEPS)),
        ..question.clone()
    };
    let (steps, covered) = store.series(&near, Some(STEP), now)?;
    let hourly = match near.from > question.from {
        true => store.series(question, Some(3600), now)?.0,
        false => steps.clone(),
    };
    let top = |by| {
        let (top, _covered) = store.top(question, by, now)?;
        Ok::<_, ReadError>(tallies::Groups::of(top))
    };
    let (clients, agents) = (top(By::Client)?, top(By::UserAgent)?);
    let statuses = top(By::Status)?;
    let mut all = Tally::default();
    hourly.tallies.iter().for_each(|tally| all.merge(tally));
    let hours = hours(&hourly);
    let hours_of_day = hours_of_day(&hours);
    let span = Span {
        from: question.from,
        to: question.to,
    };
    let requests = all.exchanges();
    let bots = agents.sum(|value| crate::analysis::statistics::is_bot(value.as_bytes()));
    let mut report = Report {
        version: VERSION,
        asked: Asked {
            since: Some(question.from),
            until: Some(question.to),
            sources: Vec::new(),
            store: Some(name.to_owned()),
            ..Asked::default()
        },
        covered: (requests > 0).then_some(span),
        totals: totals(&all, span, clients.distinct(), bots, &hours_of_day),
        hours_of_day: hours_of_day
            .iter()
            .enumerate()
            .filter(|_| requests > 0)
            .map(|(hour, tally)| tallies::hour_of_day(hour, tally))
            .collect(),
        hours: hours
            .iter()
            .map(|(start_s, tally)| Hour {
                period: tallies::period(*start_s, tally),
                clients: 0,
            })
            .collect(),
        minutes: places(&steps)
            .map(|(start_s, tally)| tallies::period(start_s, tally))
            .collect(),
        statuses: statuses.statuses(),
        methods: named(&top(By::Method)?, usize::MAX),
        endpoints: top(By::Endpoint)?.endpoints(),
        hosts: named(&top(By::Host)?, ROWS),
        clients: of_clients(&clients, &newest),
        agents: agents.families(),
        user_agents: agents.user_agents(ROWS),
        slowest: slowest(store, question, now)?,
        windows: Windows {
            step_s: STEP,
            steps: places(&steps)
                .map(|(start_s, tally)| Window {
                    period: tallies::period(start_s, tally),
                    endpoints: Vec::new(),
                })
                .collect(),
            endpoints: Vec::new(),
            clients: newest.report.windows.clients,
        },
        paths: newest.report.paths,
        referrers: newest.report.referrers,
        ..Report::default()
    };
    report.lines = Lines {
        read: requests,
        parsed: requests,
        counted: requests,
        ..Lines::default()
    };
    report.sources = vec![Source {
        name: name.to_owned(),
        formats: vec!["store".to_owned()],
        lines: report.lines.clone(),
        state: match (requests, covered.complete) {
            (0, _) => SourceState::Empty,
            (_, true) => SourceState::Whole,
            (_, false) => SourceState::Partial,
        },
        problem: None,
    }];
    if newest.count < requests {
        report.warnings.push(Warning {
            kind: WarningKind::Bounded,
            source: Some(name.to_owned()),
            count: newest.count,
            text: format!(
                "paths, referrers and what single clients did are told of the newest {} requests",
                newest.count
            ),
        });
    }
    Ok(report)
}

fn back(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MIN)
}

/// What the newest exchanges tell.
struct Newest {
    report: Report,
    count: u64,
}

fn newest(store: &Store, question: &Question, now: Timestamp) -> Result<Newest, ReadError> {
    let until = Instant::now() + TIME;
    let mut statistics = Statistics::new(now.as_second());
    let mut filter = question.filter.clone();
    filter.common.since = Some(question.from);
    filter.common.until = Some(question.to);
    let (mut count, mut after) = (0, None);
    loop {
        let page = store.exchanges(&filter, Order::Newest, after, PAGE)?;
        for exchange in page.exchanges() {
            let client = exchange.src_ip.to_string();
            statistics.add(&entry(&exchange, &client));
        }
        count += page.len() as u64;
        after = page.next();
        if page.len() < PAGE || after.is_none() || count >= EXCHANGES || Instant::now() >= until {
            break;
        }
    }
    Ok(Newest {
        report: statistics.report(ROWS),
        count,
    })
}

/// The places of a series that hold anything: the first second of each, and what it counted.
fn places(series: &crate::store::Series) -> impl Iterator<Item = (i64, &Tally)> {
    let (from, step) = (series.from, series.step);
    (0_i64..)
        .zip(&series.tallies)
        .filter(|(_, tally)| tally.exchanges() > 0)
        .map(move |(place, tally)| (from.saturating_add(place.saturating_mul(step)), tally))
}

fn hours(series: &crate::store::Series) -> Vec<(i64, Tally)> {
    let mut hours: Vec<(i64, Tally)> = Vec::new();
    for (start_s, tally) in places(series) {
        let start_s = start_s.div_euclid(3600) * 3600;
        match hours.last_mut() {
            Some((last, sum)) if *last == start_s => sum.merge(tally),
            _ => hours.push((start_s, tally.clone())),
        }
    }
    hours
}

fn hours_of_day(hours: &[(i64, Tally)]) -> Vec<Tally> {
    let mut sums = vec![Tally::default(); 24];
    for (start_s, tally) in hours {
        let hour = start_s.div_euclid(3600).rem_euclid(24);
        if let Some(sum) = sums.get_mut(usize::try_from(hour).unwrap_or_default()) {
            sum.merge(tally);
        }
    }
    sums
}

fn totals(all: &Tally, span: Span, clients: u64, bots: u64, hours: &[Tally]) -> Totals {
    let counts = tallies::counts(all);
    let requests = all.exchanges();
    let answered = requests - tallies::without_status(all);
    let percent = |part: u64| match answered {
        0 => 0.0,
        _ => (part as f64 / answered as f64 * 10_000.0).round() / 100.0,
    };
    let seconds = span.to.duration_since(span.from).as_secs_f64();
    let peaks = || {
        (0..)
            .zip(hours)
            .filter(|(_, tally)| tally.exchanges() > 0)
            .map(|(hour, tally)| HourPeak {
                hour,
                requests: tally.exchanges(),
                mean_us: tally.mean_us(),
            })
    };
    // The earliest of several.
    let busiest = peaks().rev_max(|peak| peak.requests as f64);
    let least = busiest.map_or(0.0, |peak| peak.requests as f64 / 100.0);
    let slowest = peaks()
        .filter(|peak| peak.mean_us.is_some() && peak.requests as f64 >= least)
        .rev_max(|peak| peak.mean_us.unwrap_or_default());
    Totals {
        requests,
        counts,
        clients,
        bots,
        success_rate: percent(counts.success),
        error_rate: percent(counts.client_errors + counts.server_errors),
        rate: (requests > 0 && seconds > 0.0).then(|| requests as f64 / seconds),
        latency: tallies::latency(all),
        busiest_hour: busiest,
        slowest_hour: slowest,
    }
}

/// The first of those with the highest value.
trait FirstMost: Iterator<Item = HourPeak> + Sized {
    fn rev_max(self, value: impl Fn(&HourPeak) -> f64) -> Option<HourPeak> {
        self.fold(None, |best: Option<HourPeak>, peak| match best {
            Some(best) if value(&best) >= value(&peak) => Some(best),
            _ => Some(peak),
        })
    }
}

impl<I: Iterator<Item = HourPeak>> FirstMost for I {}

fn named(groups: &tallies::Groups, most: usize) -> Table<Named> {
    groups.table(most, |value, tally| Named {
        value: value.to_owned(),
        requests: tally.exchanges(),
        counts: tallies::counts(tally),
    })
}

/// Clients; what roll-ups do not know of one is that of its newest requests.
fn of_clients(groups: &tallies::Groups, newest: &Newest) -> Table<Client> {
    groups.table(ROWS, |value, tally| {
        let rows = &newest.report.clients.rows;
        let known = rows.iter().find(|row| row.client == value).cloned();
        Client {
            client: value.to_owned(),
            requests: tally.exchanges(),
            counts: tallies::counts(tally),
            ..known.unwrap_or_default()
        }
    })
}

fn slowest(
    store: &Store,
    question: &Question,
    now: Timestamp,
) -> Result<Vec<SlowRequest>, ReadError> {
    let (page, _covered) = store.slow(question, SLOWEST, now)?;
    let slow = page.exchanges().map(|exchange| SlowRequest {
        time: Some(exchange.ts),
        latency_us: exchange.ttfb_us.unwrap_or_default(),
        method: exchange.method.unwrap_or("-").to_owned(),
        target: exchange.target.unwrap_or("-").to_owned(),
        status: exchange.status,
        client: exchange.src_ip.to_string(),
    });
    Ok(slow.collect())
}

/// An exchange as an entry of a log.
fn entry<'a>(exchange: &ExchangeRecord<'a>, client: &'a str) -> Entry<'a> {
    let text = |text: Option<&'a str>| text.unwrap_or_default().as_bytes();
    Entry {
        time_us: Some(exchange.ts.as_microsecond()),
        client: client.as_bytes(),
        method: text(exchange.method),
        target: text(exchange.target),
        host: text(exchange.host),
        referrer: text(exchange.referer),
        user_agent: text(exchange.user_agent),
        status: exchange.status,
        bytes: exchange.response_bytes,
        latency_us: exchange.ttfb_us,
        unanswered: exchange.outcome == Outcome::Unanswered,
        event: None,
    }
}
