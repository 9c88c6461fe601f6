//! What was counted, as the rows of a report.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::agents::{self, FAMILIES};
use super::clients::ClientTally;
use super::histogram::Histogram;
use super::keyed::{Keyed, Tallied};
use super::{Statistics, Tally};
use crate::analysis::report::{
    Agent, Client, Endpoint, Events, HourOfDay, HourPeak, Named, Path, Report, Span, StatusCount,
    Table, Totals, UserAgent, VERSION, Warning, WarningKind, Window, Windows,
};
use crate::analysis::template::Template;
use crate::sink::log::text::append_plain;

/// An hour counts as a slow one only with this share of the requests of the busiest.
const SHARE_OF_BUSIEST: f64 = 0.01;

impl Statistics {
    /// As [`report`](Self::report), of what goes on: what is learned of paths is left as it is. Settled
    /// again and again, also what is frequent would become a `{name}` in the end, and a report would have
    /// fewer endpoints than the one before.
    #[must_use]
    pub fn report_so_far(&mut self, top: usize) -> Report {
        let learned = self.endpoints.clone();
        let report = self.report(top);
        self.endpoints = learned;
        report
    }

    /// What was counted; lists have at most `top` rows. What was asked for and read is not in it.
    #[must_use]
    pub fn report(&mut self, top: usize) -> Report {
        self.endpoints.settle();
        let covered = self.covered();
        Report {
            version: VERSION,
            totals: self.totals(covered),
            warnings: self.warnings(),
            hours_of_day: self.hours_of_day(),
            hours: self.series.hours(),
            minutes: self.series.minutes(),
            statuses: (0..)
                .zip(&self.statuses)
                .filter(|(status, count)| *status > 0 && **count > 0)
                .map(|(status, count)| StatusCount {
                    status,
                    requests: *count,
                })
                .collect(),
            methods: self.methods(),
            endpoints: self.endpoints(),
            templates: self.templates(),
            paths: self.paths(top),
            hosts: named(&self.hosts, top),
            referrers: named(&self.referrers, top),
            clients: self.clients(top),
            agents: self.agents(),
            user_agents: self.user_agents(top),
            slowest: self.slowest.report(top, text),
            events: self.events(top),
            windows: self.windows(),
            covered,
            ..Report::default()
        }
    }

    fn covered(&self) -> Option<Span> {
        let time = |time| Timestamp::from_microsecond(time).ok();
        (self.first_us <= self.last_us).then_some(())?;
        Some(Span {
            from: time(self.first_us)?,
            to: time(self.last_us)?,
        })
    }

    fn totals(&self, covered: Option<Span>) -> Totals {
        let counts = self.totals.counts();
        let answered = self.totals.requests - self.statuses.first().copied().unwrap_or_default();
        let errors: u64 = self.statuses.iter().skip(400).sum();
        let percent = |part: u64| match answered {
            0 => 0.0,
            _ => (part as f64 / answered as f64 * 10_000.0).round() / 100.0,
        };
        let mut latencies = self.untimed.clone();
        for hour in &self.hours_of_day {
            latencies.merge(&hour.latencies);
        }
        let seconds = covered
            .map(|span| (span.to.as_microsecond() - span.from.as_microsecond()) as f64 / 1e6);
        Totals {
            requests: self.totals.requests,
            counts,
            clients: match self.clients.table.distinct() {
                exact if self.clients.table.others.weight() == 0 => exact,
                _ => self.all_clients.count(),
            },
            bots: self.of_bots,
            success_rate: percent(counts.success),
            error_rate: percent(errors),
            rate: seconds
                .filter(|seconds| *seconds > 0.0)
                .map(|seconds| self.totals.requests as f64 / seconds),
            latency: latencies.latency(),
            busiest_hour: self.busiest_hour(),
            slowest_hour: self.slowest_hour(),
        }
    }

    fn busiest_hour(&self) -> Option<HourPeak> {
        // The earliest of several.
        let mut best: Option<HourPeak> = None;
        for peak in self.peaks() {
            if peak.requests > best.map_or(0, |best| best.requests) {
                best = Some(peak);
            }
        }
        best
    }

    fn slowest_hour(&self) -> Option<HourPeak> {
        let least = self.busiest_hour()?.requests as f64 * SHARE_OF_BUSIEST;
        let mut best: Option<HourPeak> = None;
        for peak in self.peaks().filter(|peak| peak.requests as f64 >= least) {
            let Some(mean) = peak.mean_us else { continue };
            if best
                .and_then(|best| best.mean_us)
                .is_none_or(|best| mean > best)
            {
                best = Some(peak);
            }
        }
        best
    }

    fn peaks(&self) -> impl Iterator<Item = HourPeak> {
        (0..).zip(&self.hours_of_day).map(|(hour, tally)| HourPeak {
            hour,
            requests: tally.requests,
            mean_us: tally.latencies.mean(),
        })
    }

    fn hours_of_day(&self) -> Vec<HourOfDay> {
        if self.hours_of_day.iter().all(|hour| hour.requests == 0) {
            return Vec::new();
        }
        (0..)
            .zip(&self.hours_of_day)
            .map(|(hour, tally)| HourOfDay {
                hour,
                requests: tally.requests,
                client_errors: tally.client_errors,
                server_errors: tally.server_errors,
                bytes: tally.bytes,
                latency: tally.latencies.latency(),
            })
            .collect()
    }

    fn methods(&self) -> Table<Named> {
        let mut rows: Vec<Named> = self
            .methods
            .iter()
            .map(|(name, tally)| Named {
                value: or_dash(name),
                requests: tally.requests,
                counts: tally.counts(),
            })
            .filter(|row| row.requests > 0)
            .collect();
        rows.sort_by(|left, right| {
            let requests = right.requests.cmp(&left.requests);
            requests.then_with(|| left.value.cmp(&right.value))
        });
        Table {
            distinct: rows.len() as u64,
            rows,
            unlisted: 0,
            overflow: 0,
        }
    }

    fn endpoint_name(&self, method: u8, template: Template) -> (String, String) {
        let method = self
            .methods
            .get(usize::from(method))
            .map_or_else(|| "-".to_owned(), |(name, _)| or_dash(name));
        (method, self.template_name(template))
    }

    fn endpoints(&self) -> Table<Endpoint> {
        let mut rows: Vec<Endpoint> = self
            .endpoints
            .iter()
            .filter(|(_, _, tally)| tally.tally.requests > 0)
            .map(|(method, template, tally)| {
                let (method, template) = self.endpoint_name(method, template);
                Endpoint {
                    method,
                    template,
                    requests: tally.tally.requests,
                    counts: tally.tally.counts(),
                    latency: tally.latencies.latency(),
                }
            })
            .collect();
        rows.sort_by(|left, right| {
            let requests = right.requests.cmp(&left.requests);
            requests
                .then_with(|| (&left.template, &left.method).cmp(&(&right.template, &right.method)))
        });
        let overflow = self
            .endpoints
            .other()
            .map_or(0, |other| other.tally.requests);
        Table {
            distinct: rows.len() as u64,
            rows,
            unlisted: overflow,
            overflow,
        }
    }

    /// All methods of a template together.
    fn templates(&self) -> Vec<Endpoint> {
        let mut all: BTreeMap<Template, (Tally, Histogram)> = BTreeMap::new();
        for (_, template, tally) in self.endpoints.iter() {
            let (own, latencies) = all.entry(template).or_default();
            own.absorb(&tally.tally);
            latencies.merge(&tally.latencies);
        }
        let mut rows: Vec<Endpoint> = all
            .into_iter()
            .map(|(template, (tally, latencies))| Endpoint {
                method: "-".to_owned(),
                template: self.template_name(template),
                requests: tally.requests,
                counts: tally.counts(),
                latency: latencies.latency(),
            })
            .collect();
        rows.sort_by(|left, right| {
            let requests = right.requests.cmp(&left.requests);
            requests.then_with(|| left.template.cmp(&right.template))
        });
        rows
    }

    fn template_name(&self, template: Template) -> String {
        or_dash(self.endpoints.templates.name(template).as_bytes())
    }

    fn paths(&self, top: usize) -> Table<Path> {
        table(&self.paths, top, |path, tally| Path {
            path: or_dash(path),
            requests: tally.tally.requests,
            counts: tally.tally.counts(),
            mean_us: (tally.timed > 0).then(|| tally.sum_us as f64 / tally.timed as f64),
            max_us: (tally.timed > 0).then_some(tally.max_us),
        })
    }

    fn clients(&self, top: usize) -> Table<Client> {
        table(&self.clients.table, top, |client, tally: &ClientTally| {
            let time = |second| {
                let time = Timestamp::from_second(second).ok();
                time.filter(|_| tally.has_time)
            };
            Client {
                client: text(client),
                requests: tally.tally.requests,
                counts: tally.tally.counts(),
                denied: tally.denied,
                missing: tally.missing,
                distinct_paths: tally.paths.count(),
                bot: 2 * tally.of_bots > tally.tally.requests,
                first: time(tally.first),
                last: time(tally.last),
            }
        })
    }

    fn agents(&self) -> Table<Agent> {
        let mut rows: Vec<Agent> = Vec::new();
        for (number, tally) in self.families.iter().enumerate().take(FAMILIES) {
            if tally.requests == 0 {
                continue;
            }
            let family = agents::family(number);
            let row = Agent {
                family: family.name.to_owned(),
                bot: family.bot,
                requests: tally.requests,
                counts: tally.counts(),
            };
            match rows.iter_mut().find(|known| known.family == row.family) {
                Some(known) => add_agent(known, &row),
                None => rows.push(row),
            }
        }
        rows.sort_by(|left, right| {
            let requests = right.requests.cmp(&left.requests);
            requests.then_with(|| left.family.cmp(&right.family))
        });
        Table {
            distinct: rows.len() as u64,
            rows,
            unlisted: 0,
            overflow: 0,
        }
    }

    fn user_agents(&self, top: usize) -> Table<UserAgent> {
        table(&self.agents, top, |agent, tally| {
            let family = agents::family(usize::from(tally.family.saturating_sub(1)));
            UserAgent {
                value: text(agent),
                family: family.name.to_owned(),
                bot: family.bot,
                requests: tally.requests,
            }
        })
    }

    fn events(&self, top: usize) -> Option<Events> {
        if self.events.is_empty() {
            return None;
        }
        let mut events = self.events.report(top, text);
        for (start_s, step) in self.series.steps() {
            if let Some(step) = &step.events {
                events.add_step(start_s, step);
            }
        }
        Some(events)
    }

    fn windows(&self) -> Windows {
        let mut names = vec![String::new(); self.endpoints.numbers.len()];
        for (method, template, tally) in self.endpoints.iter() {
            let place = tally
                .number
                .and_then(|number| names.get_mut(usize::from(number)));
            if let Some(place) = place {
                let (method, template) = self.endpoint_name(method, template);
                *place = format!("{method} {template}");
            }
        }
        let mut steps = Vec::new();
        for (start_s, step) in self.series.steps() {
            let mut cells = Vec::new();
            for (number, cell) in step.cells.iter().enumerate() {
                if cell.requests > 0 {
                    super::series::merge_cell(
                        super::series::cell_at(
                            &mut cells,
                            self.endpoints.number(number as u16).into(),
                        ),
                        cell,
                    );
                }
            }
            steps.push(Window {
                period: step.stretch.period(start_s),
                endpoints: (0..)
                    .zip(cells)
                    .filter(|(_, cell)| cell.requests > 0)
                    .collect(),
            });
        }
        Windows {
            step_s: self.series.step_s(),
            steps,
            endpoints: names,
            clients: self.clients.windows(text),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |kind, count: u64, text: String| {
            if count > 0 {
                warnings.push(Warning {
                    kind,
                    source: None,
                    count,
                    text,
                });
            }
        };
        warn(
            WarningKind::Future,
            self.future,
            format!(
                "{} entries have a time more than a day in the future: they are counted, but are in no series",
                self.future
            ),
        );
        warn(
            WarningKind::NoTime,
            self.no_time,
            format!(
                "{} entries have no time: they are counted, but are in no series",
                self.no_time
            ),
        );
        let bounded = [
            ("paths", self.paths.others.weight()),
            ("clients", self.clients.table.others.weight()),
            ("user agents", self.agents.others.weight()),
            ("referrers", self.referrers.others.weight()),
            ("hosts", self.hosts.others.weight()),
            (
                "endpoints",
                self.endpoints
                    .other()
                    .map_or(0, |other| other.tally.requests),
            ),
        ];
        for (name, count) in bounded {
            warn(
                WarningKind::Bounded,
                count,
                format!(
                    "there are more {name} than are told apart: {count} requests are counted as those of others"
                ),
            );
        }
        if self.series.is_cut {
            warn(
                WarningKind::Bounded,
                1,
                "the log covers more than 48 hours: minutes are told of the newest 48 alone"
                    .to_owned(),
            );
        }
        warnings
    }
}

fn add_agent(own: &mut Agent, other: &Agent) {
    own.requests += other.requests;
    let (own, other) = (&mut own.counts, &other.counts);
    own.informational += other.informational;
    own.success += other.success;
    own.redirects += other.redirects;
    own.client_errors += other.client_errors;
    own.server_errors += other.server_errors;
    own.other += other.other;
    own.unanswered += other.unanswered;
    own.bytes += other.bytes;
}

fn named(keyed: &Keyed<Tally>, top: usize) -> Table<Named> {
    table(keyed, top, |value, tally| Named {
        value: text(value),
        requests: tally.requests,
        counts: tally.counts(),
    })
}

/// The heaviest texts of a table as rows.
pub(super) fn table<V: Tallied, R>(
    keyed: &Keyed<V>,
    top: usize,
    row: impl Fn(&[u8], &V) -> R,
) -> Table<R> {
    let (rows, unlisted) = keyed.heaviest(top);
    let overflow = keyed.others.weight();
    Table {
        rows: rows
            .into_iter()
            .map(|(text, value)| row(text, value))
            .collect(),
        distinct: keyed.distinct(),
        unlisted: unlisted + overflow,
        overflow,
    }
}

/// Bytes as text without control characters and marks of direction: `\xNN` stands for those.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    append_plain(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn or_dash(bytes: &[u8]) -> String {
    match bytes {
        b"" => "-".to_owned(),
        _ => text(bytes),
    }
}
